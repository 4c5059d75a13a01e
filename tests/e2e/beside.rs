//! Ten renewals with the reference running beside us, on real API servers (contract, section C).

use std::{sync::Arc, time::Duration};

use perennial_core::{issued::Issued, keys};
use perennial_lab::{
    poll::{Look, until},
    shoot::namespace,
};
use perennial_process::clock::SystemClock;
use tokio::task::JoinSet;

use crate::{
    house::{House, annotation},
    reference::{Done, Reference},
    witness::Witness,
};

/// The shortest one whose window has a place before *latest*, which the reference obeys: 8 % of it are
/// two whole seconds. A token is renewed after 18 or 19 s, the reference would do it after 20.
const BASIS: &str = "--renewal-basis=25s";
const SECRETS: usize = 10;
/// Twice the longest life of a token, for a machine that does other things too.
const BOUND: Duration = Duration::from_secs(60);
/// Activations come far more often than by any timer or edit.
const PAUSE: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_beside_the_reference_ten_renewals_on_real_api_servers_cost_ten_tokens() {
    let house = House::start(1, &[BASIS]).await;
    let names: Vec<_> = (0..SECRETS).map(|n| format!("shoot-access-component-{n}")).collect();
    for name in &names {
        house.ask(1, name, &[]).await;
    }
    for name in &names {
        house.wait_for_token(1, name).await;
    }
    let witness = Witness::begin(house.lab.seed().client()).await;
    let (before, tokens) = (house.counts().await, witness.tokens());
    let mut reference = beside(&house, names.clone());

    // Each of them once at least.
    let look = async || {
        let mut first = Vec::new();
        for name in &names {
            let secret = house.secrets(1).get(name).await?;
            let note = annotation(&secret, keys::ISSUED).and_then(Issued::read);
            if note.is_none_or(|note| note.reason.as_str() != "due") {
                first.push(name);
            }
        }
        Ok(if first.is_empty() { Look::Done(()) } else { Look::Waiting(format!("{first:?}")) })
    };
    until("a renewal of each", BOUND, look).await.unwrap();
    if let Some(fired) = reference.try_join_next() {
        panic!("the reference fired first: {:?}", fired.unwrap());
    }
    reference.shutdown().await;

    let spent = house.counts().await.since(&before);
    let renewals = witness.tokens() - tokens;
    println!(
        "{renewals} renewals: {} tokens; the reference looked {} times",
        spent.shoot.token_requests(),
        spent.shoot.token_reviews()
    );
    assert!(renewals >= SECRETS as u64, "{renewals} renewals");
    assert_eq!(spent.shoot.token_requests(), renewals, "{:?}", spent.shoot);
    assert!(spent.shoot.token_reviews() >= renewals, "it did look: {:?}", spent.shoot);
    assert_eq!(witness.wrongs(), [""; 0]);
    house.end().await;
}

/// Activates the reference for each Secret again and again; ends with what it did that cost a token.
fn beside(house: &House, names: Vec<String>) -> JoinSet<(String, Result<Done, kube::Error>)> {
    let reference = Reference {
        seed: house.lab.seed().client(),
        shoot: house.lab.shoot(1).client(),
        clock: Arc::new(SystemClock),
        audiences: vec!["gardener".to_owned()],
    };
    let mut beside = JoinSet::new();
    beside.spawn(async move {
        loop {
            for name in &names {
                // An error may come after its TokenRequest: a conflict of its patch.
                match reference.reconcile(&namespace(1), name).await {
                    Ok(Done::Later(_)) => {}
                    fired => return (name.clone(), fired),
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    beside
}
