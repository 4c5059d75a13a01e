//! Shoots whose clock is hours off (contract, section C).

use std::time::Duration;

use jiff::SignedDuration;
use perennial_core::{clock::Clock as _, token::Claims};

use crate::house::{House, Setup, token};

const HOUR: Duration = Duration::from_secs(60 * 60);
const THIRTEEN: [i64; 2] = [13, -13];
const NAMES: [&str; 3] = ["etcd", "kube-proxy", "vpn"];

/// Three Secrets with their token, and a shoot that is so many hours ahead of us.
async fn house(ahead: i64) -> (House, Vec<String>) {
    let shoot_skew = SignedDuration::from_hours(ahead);
    let house = House::settled(Setup { shoot_skew, ..Setup::default() }).await;
    let names = NAMES.map(|account| house.ask(1, account)).to_vec();
    house.all_fresh(4).await;
    (house, names)
}

#[tokio::test]
async fn c_clock_a_shoot_thirteen_hours_off_costs_no_token_more_and_its_tokens_are_renewed_in_time()
{
    for ahead in THIRTEEN {
        let (house, names) = house(ahead).await;
        let before = house.counts();
        for name in &names {
            let held = token(&house.secret(1, name)).unwrap();
            let iat = Claims::read(held.as_bytes()).unwrap().issued_at;
            let from_us = iat.duration_since(house.clock.now()).as_hours();
            assert!((12..=13).contains(&from_us.abs()), "{from_us}");
        }
        house.clock.advance(8 * HOUR); // of 12; the window begins at 8 h 38 m
        house.all_fresh(4).await;
        assert_eq!(house.spent_since(&before).dear(), [0; 5], "{ahead} h");

        house.clock.advance(8 * HOUR / 5); // 80 %
        for name in &names {
            let once = |s: &perennial_proto::scheduler::v1::Schedule| s.renewals == 2;
            house.wait_for_schedule(1, name, "its renewal", once).await;
            let held = token(&house.secret(1, name)).unwrap();
            assert!(house.shoot(1).authenticate(&held).is_some());
        }
        house.all_fresh(4).await;
        assert_eq!(house.spent_since(&before).dear()[0], 3, "{ahead} h");
    }
}

#[tokio::test]
async fn c_clock_restarts_re_issue_no_fleet_although_the_clocks_are_thirteen_hours_apart() {
    for ahead in THIRTEEN {
        let (mut house, _) = house(ahead).await;
        let before = house.counts();
        for role in House::SERVICES {
            house.restart(role).await;
            house.all_fresh(4).await;
        }
        for role in House::SERVICES {
            house.stop(role).await;
        }
        house.run_all().await;
        house.all_fresh(4).await;
        assert_eq!(house.spent_since(&before).dear(), [0; 5], "{ahead} h");
    }
}
