//! Restarts while everything is fresh.

use perennial_lab::{
    poll::{Look, until},
    service::SERVICES,
};
use perennial_proto::scheduler::v1::State;

use crate::house::{House, MOMENT};

const SECRETS: usize = 30;

#[tokio::test]
async fn a_restart_of_any_service_with_everything_fresh_costs_no_call() {
    let house = House::start(1, &[]).await;
    for number in 0..SECRETS {
        house.ask(1, &format!("shoot-access-component-{number}"), &[]).await;
    }
    all_fresh(&house).await;

    for service in SERVICES {
        let before = house.counts().await;
        let pid = house.lab.service(service).pid().unwrap();
        house.lab.service(service).restart().await.unwrap();
        assert_ne!(house.lab.service(service).pid().unwrap(), pid, "{service} is a new process");
        all_fresh(&house).await;
        let spent = house.counts().await.since(&before);
        let calls = [
            ("TokenRequests", spent.shoot.token_requests()),
            ("TokenReviews", spent.shoot.token_reviews()),
            ("writes of ServiceAccounts", spent.shoot.writes("serviceaccounts")),
            ("writes of Secrets", spent.seed.writes("secrets")),
        ];
        println!("restart of {service}: {calls:?}");
        assert!(calls.iter().all(|(_, count)| *count == 0), "{service}: {calls:?}");
    }
    house.end().await;
}

#[tokio::test]
async fn a_killed_service_loses_nothing_and_the_reasons_are_still_known() {
    let house = House::start(1, &[]).await;
    house.ask(1, "shoot-access-kube-scheduler", &[]).await;
    house.wait_for_token(1, "shoot-access-kube-scheduler").await;
    for service in SERVICES {
        house.lab.service(service).kill().unwrap();
    }
    for service in SERVICES {
        house.lab.service(service).wait_ready().await.unwrap();
    }
    house.ask(1, "shoot-access-kube-proxy", &[]).await;
    house.wait_for_token(1, "shoot-access-kube-proxy").await;
    for schedule in house.schedules().await {
        let renewal = schedule.last_renewal.expect("every renewal is known after the restart");
        assert_eq!(renewal.reason, "nothing_held", "{}", schedule.name);
    }
    house.end().await;
}

/// Waits until the scheduler knows every Secret and finds each fresh.
async fn all_fresh(house: &House) {
    let look = async || {
        let request = perennial_proto::scheduler::v1::ListSchedulesRequest::default();
        let schedules = match house.scheduler().list_schedules(request).await {
            Ok(answer) => answer.into_inner().schedules,
            Err(status) => return Ok(Look::Waiting(status.to_string())),
        };
        let fresh = schedules.iter().filter(|s| s.state() == State::Fresh).count();
        Ok(if fresh == SECRETS + 1 {
            Look::Done(())
        } else {
            Look::Waiting(format!("{fresh} of {} are fresh", SECRETS + 1))
        })
    };
    until("a fresh fleet", MOMENT, look).await.unwrap();
}
