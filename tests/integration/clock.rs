//! Shoots whose clock is hours off, and a token-issuer whose clock is (contract, section C).

use std::time::Duration;

use jiff::SignedDuration;
use perennial_core::{clock::Clock as _, token::Claims};

use crate::house::{House, Setup, token};

const HOUR: Duration = Duration::from_secs(60 * 60);
const THIRTEEN: [i64; 2] = [13, -13];
const NAMES: [&str; 3] = ["etcd", "kube-proxy", "vpn"];

/// A shoot, or the token-issuer, that is so many hours ahead of all others.
fn setups() -> impl Iterator<Item = Setup> {
    let hours = THIRTEEN.map(SignedDuration::from_hours).into_iter();
    hours.flat_map(|skew| {
        let shoot = Setup { shoot_skew: skew, ..Setup::default() };
        [shoot, Setup { issuer_skew: skew, ..Setup::default() }]
    })
}

/// Three Secrets with their token.
async fn house(setup: Setup) -> (House, Vec<String>) {
    let house = House::settled(setup).await;
    let names = NAMES.map(|account| house.ask(1, account)).to_vec();
    house.all_fresh(4).await;
    (house, names)
}

#[tokio::test]
async fn c_clock_a_shoot_thirteen_hours_off_costs_no_token_more_and_its_tokens_are_renewed_in_time()
{
    for setup in setups() {
        let (house, names) = house(setup).await;
        let before = house.counts();
        for name in &names {
            let held = token(&house.secret(1, name)).unwrap();
            let iat = Claims::read(held.as_bytes()).unwrap().issued_at;
            let from_us = iat.duration_since(house.clock.now()) - setup.shoot_skew;
            assert!(from_us.as_hours() == 0, "{from_us:#}");
        }
        house.clock.advance(8 * HOUR); // of 12; the window begins at 8 h 38 m
        house.all_fresh(4).await;
        assert_eq!(house.spent_since(&before).dear(), [0; 5], "{setup:?}");

        house.clock.advance(8 * HOUR / 5); // 80 %
        for name in &names {
            let once = |s: &perennial_proto::scheduler::v1::Schedule| s.renewals == 2;
            house.wait_for_schedule(1, name, "its renewal", once).await;
            let held = token(&house.secret(1, name)).unwrap();
            assert!(house.shoot(1).authenticate(&held).is_some());
        }
        house.all_fresh(4).await;
        assert_eq!(house.spent_since(&before).dear()[0], 3, "{setup:?}");
    }
}

#[tokio::test]
async fn c_clock_restarts_re_issue_no_fleet_although_the_clocks_are_thirteen_hours_apart() {
    for setup in setups() {
        let (mut house, _) = house(setup).await;
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
        assert_eq!(house.spent_since(&before).dear(), [0; 5], "{setup:?}");
    }
}
