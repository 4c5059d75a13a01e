//! Taking over from the reference, on real API servers (contract, B4).

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use perennial_core::keys;
use perennial_lab::{
    poll::{Look, until},
    service::SERVICES,
    shoot::namespace,
};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::State;

use crate::{
    house::{House, MOMENT, annotation},
    reference::{Done, Reference},
};

const SECRETS: usize = 200;

#[tokio::test]
async fn c_adopting_secrets_of_the_reference_costs_no_token_and_giving_them_back_none_either() {
    let house = House::start(1, &[]).await;
    for service in SERVICES {
        house.lab.service(service).stop().await.unwrap();
    }
    let names: Vec<_> = (0..SECRETS).map(|n| format!("shoot-access-component-{n:03}")).collect();
    for name in &names {
        house.ask(1, name, &[]).await;
    }
    let reference = Reference {
        seed: house.lab.seed().client(),
        shoot: house.lab.shoot(1).client(),
        clock: Arc::new(SystemClock),
        audiences: vec!["gardener".to_owned()],
    };
    let activate = async || {
        let one = async |name: &String| reference.reconcile(&namespace(1), name).await.unwrap();
        stream::iter(&names).map(one).buffered(8).collect::<Vec<_>>().await
    };
    assert!(activate().await.iter().all(|done| matches!(done, Done::Renewed(_))));

    let before = house.counts().await;
    for service in SERVICES {
        house.lab.service(service).start().await.unwrap();
    }
    all_fresh(&house).await;
    let spent = house.counts().await.since(&before);
    let cost = [spent.shoot.token_requests(), spent.seed.writes("secrets")];
    println!("{SECRETS} Secrets taken over: {cost:?} TokenRequests and writes of Secrets");
    assert_eq!(cost, [0, 0]);

    // One of them becomes ours, and the reference, running beside us, leaves it and all others.
    house.renew_now(1, &names[0]).await.unwrap();
    house.wait(1, &names[0], "our note", |s| annotation(s, keys::ISSUED).is_some()).await;
    let before = house.counts().await;
    assert!(activate().await.iter().all(|done| matches!(done, Done::Later(_))));
    let spent = house.counts().await.since(&before);
    println!("activated {SECRETS} times, the reference asked for {:?}", spent.shoot);
    assert_eq!(spent.shoot.token_requests(), 0);
    house.end().await;
}

async fn all_fresh(house: &House) {
    let look = async || {
        let schedules = house.schedules().await;
        let fresh = schedules.iter().filter(|s| s.state() == State::Fresh).count();
        Ok(match fresh == SECRETS + 1 {
            true => Look::Done(()),
            false => Look::Waiting(format!("{fresh} of {} are fresh", SECRETS + 1)),
        })
    };
    until("a fresh fleet", MOMENT, look).await.unwrap();
}
