//! Beside the reference, taking over from it, and giving back to it (contract, B4 and section C).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use perennial_core::{clock::Clock as _, issued::Issued, keys};
use perennial_testing::{
    access_secret::AccessSecret,
    kubeconfig::{self, Credential},
};

use crate::{
    house::{House, OWN, annotation, client, namespace, token},
    reference::{Done, Reference},
};

const HOUR: Duration = Duration::from_secs(60 * 60);

async fn reference(house: &House) -> Reference {
    let certificate = house.shoot(1).client_certificate();
    Reference {
        seed: client(&house.seed, Credential::None).await,
        shoot: client(house.shoot(1), Credential::Certificate(&certificate)).await,
        clock: Arc::new(house.clock.clone()),
        audiences: vec!["gardener".to_owned()],
    }
}

/// As many access Secrets, every tenth in kubeconfig mode.
fn ask(house: &House, count: usize) -> Vec<String> {
    let shoot = house.shoot(1);
    let document = kubeconfig::document(&shoot.url(), &shoot.ca_pem(), Credential::None);
    let make = |number| {
        let account = format!("component-{number:04}");
        let name = format!("shoot-access-{account}");
        let secret = AccessSecret::new(&namespace(1), &name, &account);
        let secret = if number % 10 == 0 { secret.with_kubeconfig(&document) } else { secret };
        house.make(secret);
        name
    };
    (0..count).map(make).collect()
}

/// One activation of the reference for each Secret.
async fn activate(reference: &Reference, names: &[String]) -> Vec<Done> {
    let one = async |name: &String| reference.reconcile(&namespace(1), name).await.unwrap();
    stream::iter(names).map(one).buffered(16).collect().await
}

async fn stop_all(house: &mut House) {
    for role in House::SERVICES {
        house.stop(role).await;
    }
}

fn note(house: &House, name: &str) -> Option<Issued> {
    Issued::read(annotation(&house.secret(1, name), keys::ISSUED)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_adopting_a_thousand_secrets_of_the_reference_costs_no_token_request() {
    const COUNT: usize = 1_000;
    let mut house = House::new().await;
    stop_all(&mut house).await;
    let names = ask(&house, COUNT);
    let reference = reference(&house).await;
    let written = activate(&reference, &names).await;
    assert!(written.iter().all(|done| matches!(done, Done::Renewed(_))));
    assert_eq!(house.shoot(1).calls().token_reviews(), 0);

    let before = house.counts();
    house.run_all().await;
    house.all_fresh(COUNT + 1).await;
    house.clock.advance(9 * HOUR); // 75 % of 12 h; each timestamp lies behind 80 %
    house.all_fresh(COUNT + 1).await;
    assert_eq!(house.spent_since(&before).dear(), [0; 5]);
}

#[tokio::test]
async fn b4_a_timestamp_of_the_reference_is_honoured_and_the_next_one_is_ours() {
    let mut house = House::new().await;
    stop_all(&mut house).await;
    let names = ask(&house, 11);
    let reference = reference(&house).await;
    activate(&reference, &names).await;
    let before = house.counts();
    house.run_all().await;
    house.all_fresh(12).await;
    house.clock.advance(11 * HOUR - HOUR / 2); // 87 %
    for name in &names {
        house.wait(1, name, "our note", |s| annotation(s, keys::ISSUED).is_some()).await;
        assert_eq!(note(&house, name).unwrap().reason.as_str(), "due");
    }
    house.all_fresh(12).await;
    assert_eq!(house.spent_since(&before).dear()[0], 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_beside_the_reference_ten_renewals_cost_ten_tokens() {
    const COUNT: usize = 3;
    let house = House::new().await;
    let names = ask(&house, COUNT);
    house.all_fresh(COUNT + 1).await;
    let before = house.counts();
    let (reference, ended) = (reference(&house).await, Arc::new(AtomicBool::new(false)));
    let beside = {
        let (reference, names, ended) = (reference.clone(), names.clone(), Arc::clone(&ended));
        async move {
            let mut fired = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                // It is activated without pause, more often than by any timer or edit.
                for name in &names {
                    let done = reference.reconcile(&namespace(1), name).await;
                    // An error may come after its TokenRequest: a conflict of its patch.
                    fired.extend(Some(done).filter(|done| !matches!(done, Ok(Done::Later(_)))));
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            fired
        }
    };
    let (fired, ()) = tokio::join!(beside, async {
        for _ in 0..10 * COUNT {
            let planned = |name: &String| (note(&house, name).unwrap().renew_at, name.clone());
            let (moment, name) = names.iter().map(planned).min().unwrap();
            let held = token(&house.secret(1, &name)).unwrap();
            house.clock.advance(until(&house, moment));
            house.wait_for_token_after(1, &name, &held).await;
            house.all_fresh(COUNT + 1).await; // a jump amid a renewal would look like hours
        }
        ended.store(true, Ordering::Relaxed);
    });
    house.all_fresh(COUNT + 1).await;
    let spent = house.spent_since(&before);
    assert!(fired.is_empty(), "the reference never fires first: {fired:?}");
    assert!(spent.shoot(1).token_reviews() > 0, "it did look");
    let asked = |name: &str| {
        let account = name.trim_start_matches("shoot-access-");
        spent.shoot(1).count(|call| {
            (call.verb, call.resource.as_str()) == ("create", "serviceaccounts/token")
                && call.name == account
        })
    };
    let mut all = 0;
    for name in names.iter().map(String::as_str).chain([OWN]) {
        let renewals = house.schedule(1, name).await.unwrap().renewals - 1;
        let account = if name == OWN { "perennial-token-issuer" } else { name };
        assert_eq!(asked(account), renewals, "{name}: a token for each renewal, and no other");
        assert_eq!(note(&house, name).unwrap().streak, 0, "{name}: each lived to its moment");
        all += if name == OWN { 0 } else { renewals };
    }
    assert!(all >= 10 * COUNT as u64, "{all} renewals of {COUNT} Secrets");
}

/// From now to this moment.
fn until(house: &House, moment: Timestamp) -> Duration {
    Duration::try_from(moment.duration_since(house.clock.now())).unwrap_or_default()
}

#[tokio::test]
async fn c_the_reference_goes_on_from_what_we_wrote_without_a_token_more_and_gives_it_back() {
    let mut house = House::new().await;
    let names = ask(&house, 11);
    house.all_fresh(12).await;
    stop_all(&mut house).await;
    let before = house.counts();
    let reference = reference(&house).await;
    for (name, done) in names.iter().zip(activate(&reference, &names).await) {
        let secret = house.secret(1, name);
        let stamp: Timestamp = annotation(&secret, keys::RENEW_TIMESTAMP).unwrap().parse().unwrap();
        assert_eq!(done, Done::Later(stamp), "{name}");
    }
    assert_eq!(house.spent_since(&before).dear()[0], 0);
    house.clock.advance(10 * HOUR);
    let renewed = activate(&reference, &names).await;
    assert!(renewed.iter().all(|done| matches!(done, Done::Renewed(_))), "at our timestamp");

    // Our old note stands beside its token; the token is judged by its claims.
    let before = house.counts();
    house.run_all().await;
    for name in &names {
        house.wait_for_schedule(1, name, "freshness", |s| s.state == FRESH).await;
    }
    assert_eq!(house.spent_since(&before).dear()[0], 0);
}

const FRESH: i32 = perennial_proto::scheduler::v1::State::Fresh as i32;
