//! Services killed and frozen, one by one, in pairs and all at once, under steady renewals and with strangers
//! who edit the same Secrets without pause.

mod calm;
mod faults;

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::ListParams};
use perennial_core::clock::Clock as _;
use perennial_process::clock::SystemClock;

use self::faults::Fault;
use crate::{
    consumers::Consumers,
    house::{House, MOMENT},
    strangers::{STRANGERS, Strangers},
    witness::{Witness, lateness},
};

const SHOOTS: usize = 2;
/// Access Secrets of each shoot, beside that of the token-issuer itself.
const SECRETS: usize = 9;
/// A kill costs a token for each renewal that has one and has not written it yet. Every kill here
/// comes in the middle of a renewal; with the default limits and a basis of seconds, which makes all
/// Secrets due in the same second, it would meet a dozen at once.
const IN_FLIGHT: &str = "--in-flight-max=2";
/// How long all is watched before the first fault: each Secret is renewed at least once.
const STEADY: Duration = Duration::from_secs(8);
/// The system is calm again after the last kill.
const CALM_MAX: Duration = Duration::from_secs(10);
/// From the planned moment to the new token, whatever is killed: the time that a pair of services
/// is frozen, and as much as calm may take after that.
const LATENESS_MAX: Duration = Duration::from_secs(faults::FROZEN.as_secs() + CALM_MAX.as_secs());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_and_freezes_cost_a_token_each_at_most_and_nobody_notices() {
    let house = House::start(SHOOTS, &["--renewal-basis=8s", IN_FLIGHT]).await;
    let (seed, scheduler) = (house.lab.seed().client(), house.lab.service("scheduler"));
    make_secrets(&house).await;

    // While nothing is ordered, all tokens granted so far stand in Secrets or are counted out.
    scheduler.stop().await.unwrap();
    let granted = granted(&house).await;
    let witness = Arc::new(Witness::begin(seed.clone()).await);
    let tokens = witness.tokens();
    scheduler.start().await.unwrap();

    let strangers = Strangers::begin(&witness.secrets(), &seed);
    let consumers = Consumers::begin(&house, &witness);
    calm::wait(&house, MOMENT).await;
    let begin = SystemClock.now();
    tokio::time::sleep(STEADY).await;
    let (max, median) = lateness(&witness.renewals_since(begin));
    println!("{:45} calm after   renewals  lateness: longest   median", "fault");
    let renewals = witness.renewals_since(begin).len();
    println!("{:45} {:>10} {renewals:>10} {max:>18.1?} {median:>8.1?}", "none", "-");

    let faults = faults::all();
    let kills: u64 = faults.iter().map(Fault::kills).sum();
    let mut calm_after = Duration::ZERO;
    for fault in &faults {
        calm_after = play(fault, &house, &witness).await;
    }
    calm::stays(&house).await;

    let edits = strangers.stop().await;
    let uses = consumers.stop().await;
    scheduler.stop().await.unwrap();
    let granted = self::granted(&house).await - granted;
    let seen = witness.tokens() - tokens;
    let (max, median) = lateness(&witness.renewals_since(begin));
    println!(
        "{} faults, {kills} kills: {granted} tokens granted, {seen} written, {} in vain; \
         lateness at most {max:.1?}, median {median:.1?}; {} edits of {STRANGERS} strangers, \
         {} uses of tokens; calm {calm_after:.1?} after the last kill",
        faults.len(),
        granted.saturating_sub(seen),
        edits.count,
        uses.good,
    );
    assert_eq!(witness.wrongs(), [""; 0]);
    assert!(uses.bad.is_empty(), "{:?}", uses.bad);
    let secrets: Api<Secret> = Api::all(seed);
    let lost = edits.lost(&secrets.list(&ListParams::default()).await.unwrap().items);
    assert!(lost.is_empty(), "{lost:?}");
    assert!(granted >= seen, "{granted} granted, {seen} seen");
    assert!(granted - seen <= kills, "{} tokens in vain, {kills} kills", granted - seen);
    assert!(max <= LATENESS_MAX, "a renewal was {max:?} late");
    assert!(calm_after <= CALM_MAX, "calm only {calm_after:?} after the last kill");
    house.end().await;
}

async fn make_secrets(house: &House) {
    for number in 0..SECRETS {
        for shoot in 1..=SHOOTS {
            house.ask(shoot, &format!("shoot-access-component-{number}"), &[]).await;
        }
    }
    for shoot in 1..=SHOOTS {
        for number in 0..SECRETS {
            house.wait_for_token(shoot, &format!("shoot-access-component-{number}")).await;
        }
    }
}

/// Plays a fault in the middle of a renewal; how long after its last blow the system was calm.
async fn play(fault: &Fault, house: &House, witness: &Witness) -> Duration {
    calm::wait_for_work(house).await;
    let begin = SystemClock.now();
    fault.strike(house).await;
    let blow = SystemClock.now();
    calm::wait(house, 2 * CALM_MAX).await;
    let after = SystemClock.now().duration_since(blow).unsigned_abs();
    let (max, median) = lateness(&witness.renewals_since(begin));
    let (fault, renewals) = (fault.to_string(), witness.renewals_since(begin).len());
    println!("{fault:45} {after:>10.1?} {renewals:>10} {max:>18.1?} {median:>8.1?}");
    after
}

/// Tokens that the shoots granted so far, once they grant no more.
async fn granted(house: &House) -> u64 {
    let now = async || {
        let mut sum = 0;
        for shoot in house.lab.shoots() {
            sum += shoot.request_counts().await.unwrap().tokens_granted();
        }
        sum
    };
    let mut last = now().await;
    loop {
        tokio::time::sleep(crate::house::QUIET).await;
        let next = now().await;
        if next == last {
            return next;
        }
        last = next;
    }
}
