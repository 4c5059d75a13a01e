//! Restarts while everything is fresh.

use perennial_rpc::identity::Role;

use crate::house::House;

const SECRETS: usize = 6;

async fn full_house() -> House {
    let house = House::new().await;
    for number in 0..SECRETS {
        house.ask(1, &format!("component-{number}"));
    }
    house.all_fresh(SECRETS + 1).await;
    house
}

#[tokio::test]
async fn a_restart_of_any_service_costs_no_token_request_and_no_write() {
    let mut house = full_house().await;
    for role in House::SERVICES {
        let before = house.counts();
        house.restart(role).await;
        house.all_fresh(SECRETS + 1).await;
        let spent = house.spent_since(&before);
        assert_eq!(spent.dear(), [0; 5], "after a restart of {role}: {spent:?}");
    }
}

#[tokio::test]
async fn a_restart_of_all_at_once_costs_nothing_either() {
    let mut house = full_house().await;
    let before = house.counts();
    for role in House::SERVICES {
        house.stop(role).await;
    }
    house.run_all().await;
    house.all_fresh(SECRETS + 1).await;
    assert_eq!(house.spent_since(&before).dear(), [0; 5]);
}

#[tokio::test]
async fn the_reasons_of_renewals_are_known_after_a_restart_of_the_scheduler() {
    let mut house = full_house().await;
    let before = house.schedules().await.unwrap();
    house.restart(Role::Scheduler).await;
    house.all_fresh(SECRETS + 1).await;
    for (before, after) in before.iter().zip(house.schedules().await.unwrap()) {
        let (was, is) = (before.last_renewal.as_ref().unwrap(), after.last_renewal.unwrap());
        assert_eq!((&was.at, &was.reason), (&is.at, &is.reason), "{}", after.name);
        assert_eq!(before.planned_at, after.planned_at, "{}: drawn once", after.name);
    }
}

#[tokio::test]
async fn a_watch_that_has_lost_its_place_lists_again_and_costs_no_token() {
    let house = full_house().await;
    let before = house.counts();
    // All in one go: the watches come back with a version that is forgotten by then, and get 410.
    house.seed.end_watches();
    let name = house.ask(1, "late");
    house.seed.forget_history();

    house.wait_for_token(1, &name).await;
    house.all_fresh(SECRETS + 2).await;
    let spent = house.spent_since(&before);
    assert!(spent.seed.of("list", "secrets") >= 1, "{spent:?}");
    assert_eq!(spent.dear(), [2, 0, 1, 1, 0], "only what the new one costs");
}
