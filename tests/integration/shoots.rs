//! Shoots that are away or ask for patience.

use std::time::Duration;

use perennial_proto::scheduler::v1::State;
use perennial_testing::api_server::{Fault, On};

use crate::house::{House, Setup};

async fn two_shoots() -> House {
    House::settled(Setup { shoots: 2, ..Setup::default() }).await
}

/// More than may be under way at once for one shoot.
fn ask_many(house: &House, shoot: usize) -> Vec<String> {
    (0..12).map(|number| house.ask(shoot, &format!("component-{number}"))).collect()
}

#[tokio::test]
async fn a_shoot_that_is_cut_off_holds_nobody_else_up_and_is_served_when_it_is_back() {
    let house = two_shoots().await;
    house.shoot(1).cut();
    let waiting = ask_many(&house, 1);
    for name in ask_many(&house, 2) {
        house.wait_for_token(2, &name).await;
    }
    house.wait_for_schedule(1, &waiting[0], "word of the shoot", |s| !s.detail.is_empty()).await;

    house.shoot(1).reconnect();
    for name in waiting {
        house.wait_for_token(1, &name).await;
    }
}

#[tokio::test]
async fn a_shoot_that_never_answers_holds_nobody_else_up() {
    let house = two_shoots().await;
    house.shoot(1).fail(On::all(), Fault::Hang);
    let waiting = ask_many(&house, 1);
    for name in ask_many(&house, 2) {
        house.wait_for_token(2, &name).await;
    }
    house.shoot(1).heal();
    house.wait_for_token(1, &waiting[0]).await;
}

#[tokio::test]
async fn a_shoot_that_asks_to_slow_down_is_obeyed_for_all_its_secrets() {
    let retry_after = Duration::from_secs(600);
    tokio::join!(
        is_obeyed_for_ten_minutes(Fault::Throttled { retry_after }),
        is_obeyed_for_ten_minutes(Fault::FlowControl { retry_after }),
    );
}

async fn is_obeyed_for_ten_minutes(fault: Fault) {
    let house = two_shoots().await;
    let before = house.counts();
    house.shoot(1).fail_times(1, On::token_requests(), fault);
    let first = house.ask(1, "first");
    house.wait_for_schedule(1, &first, "its pause", |s| s.state() == State::BackingOff).await;
    let second = house.ask(1, "second");
    house.wait_for_schedule(1, &second, "the pause of its shoot", |s| !s.detail.is_empty()).await;
    for (minutes, elsewhere) in [(0, "elsewhere"), (9, "later")] {
        house.clock.advance(Duration::from_secs(minutes * 60));
        let name = house.ask(2, elsewhere);
        house.wait_for_token(2, &name).await;
    }
    assert_eq!(house.spent_since(&before).shoot(1).token_requests(), 1, "{fault:?}: asked again");

    house.clock.advance(Duration::from_secs(90));
    for name in [first, second] {
        house.wait_for_token(1, &name).await;
    }
}
