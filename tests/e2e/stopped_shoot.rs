//! One shoot among five is away, or hangs: the others do not notice, and it is fresh again soon.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::clock::Clock as _;
use perennial_lab::{
    poll::{Look, until},
    shoot::namespace,
};
use perennial_process::clock::SystemClock;

use crate::{
    house::House,
    witness::{Renewal, Witness, lateness},
};

const SHOOTS: usize = 5;
/// The one that goes away.
const AWAY: usize = 3;
/// Access Secrets of each shoot, beside that of the token-issuer itself.
const SECRETS: usize = 4;
/// How long all is looked at before, and how long the shoot is away. With a basis of 8 s each
/// Secret falls due two or three times.
const WATCHED: Duration = Duration::from_secs(15);
/// An API server that answers again is noticed, and all of its Secrets renewed, within this.
const FRESH_MAX: Duration = Duration::from_secs(30);
/// How much later than before half of the renewals of the others may be. A shoot that held them up
/// would do so for 10 s, the limit of a call.
const DELAY_MAX: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_a_shoot_that_stops_or_hangs_delays_nobody_else_and_is_fresh_within_30_s_after() {
    let house = House::start(SHOOTS, &["--renewal-basis=8s"]).await;
    for number in 0..SECRETS {
        for shoot in 1..=SHOOTS {
            house.ask(shoot, &format!("shoot-access-component-{number}"), &[]).await;
        }
    }
    for number in 0..SECRETS {
        for shoot in 1..=SHOOTS {
            house.wait_for_token(shoot, &format!("shoot-access-component-{number}")).await;
        }
    }
    let witness = Witness::begin(house.lab.seed().client()).await;
    let begin = SystemClock.now();
    tokio::time::sleep(WATCHED).await;
    let before = others(&witness, begin);
    println!("all there: the four others {}", words(&before));

    let shoot = house.lab.shoot(AWAY);
    let begin = SystemClock.now();
    shoot.process().stop().await.unwrap();
    tokio::time::sleep(WATCHED).await;
    let stopped = others(&witness, begin);
    let start = SystemClock.now();
    shoot.process().start().await.unwrap();
    shoot.wait_ready().await.unwrap();
    let (ready, fresh) = (SystemClock.now(), all_renewed(&witness, start).await);
    println!(
        "shoot {AWAY} stopped: the four others {}; fresh {:.1?} after its start, {:.1?} after it \
         answered",
        words(&stopped),
        fresh.duration_since(start).unsigned_abs(),
        fresh.duration_since(ready).unsigned_abs(),
    );

    let begin = SystemClock.now();
    shoot.process().freeze().unwrap();
    tokio::time::sleep(WATCHED).await;
    let frozen = others(&witness, begin);
    let thaw = SystemClock.now();
    shoot.process().thaw().unwrap();
    let fresh_again = all_renewed(&witness, thaw).await;
    println!(
        "shoot {AWAY} frozen: the four others {}; fresh {:.1?} after its thaw",
        words(&frozen),
        fresh_again.duration_since(thaw).unsigned_abs(),
    );

    for during in [&stopped, &frozen] {
        undelayed(during, &before);
    }
    for (moment, fresh) in [(ready, fresh), (thaw, fresh_again)] {
        let took = fresh.duration_since(moment);
        assert!(took <= FRESH_MAX.try_into().unwrap(), "fresh only after {took:#}");
    }
    assert_eq!(witness.wrongs(), [""; 0]);
    house.end().await;
}

/// Renewals of the shoots that stay, from `begin` on.
fn others(witness: &Witness, begin: Timestamp) -> Vec<Renewal> {
    let away = format!("{}/", namespace(AWAY));
    let all = witness.renewals_since(begin).into_iter();
    all.filter(|renewal| !renewal.secret.starts_with(&away)).collect()
}

fn words(renewals: &[Renewal]) -> String {
    let (max, median) = lateness(renewals);
    format!("had {} renewals, late by {median:.1?} (median), {max:.1?} (longest)", renewals.len())
}

/// As many renewals as before, but for one a Secret that fell just outside, and none of them late.
fn undelayed(during: &[Renewal], before: &[Renewal]) {
    let secrets = (SHOOTS - 1) * (SECRETS + 1);
    assert!(during.len() + secrets >= before.len(), "{} renewals", during.len());
    let ((_, median), (longest, median_before)) = (lateness(during), lateness(before));
    assert!(median <= median_before + DELAY_MAX, "{median:?} late, before {median_before:?}");
    let (longest_during, _) = lateness(during);
    let bound = longest + 3 * DELAY_MAX;
    assert!(longest_during <= bound, "{longest_during:?} late, before {longest:?}");
}

/// When every Secret of the shoot that was away had a new token after `begin`.
async fn all_renewed(witness: &Witness, begin: Timestamp) -> Timestamp {
    let ours = format!("{}/", namespace(AWAY));
    let look = async || {
        let mut first = std::collections::BTreeMap::new();
        for renewal in witness.renewals_since(begin) {
            if renewal.secret.starts_with(&ours) {
                first.entry(renewal.secret).or_insert(renewal.at);
            }
        }
        let state = format!("renewed: {:?}", first.keys());
        let last = first.values().max().copied().filter(|_| first.len() == SECRETS + 1);
        Ok(last.map_or(Look::Waiting(state), Look::Done))
    };
    until("a renewal of each Secret", 2 * FRESH_MAX, look).await.unwrap()
}
