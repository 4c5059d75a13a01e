//! Clocks that are thirteen hours off, on real API servers (contract, section C).
//!
//! Nobody can set the clock of one API server, so it is ours that are wrong: where all three services
//! are 13 h ahead, seed and shoot are 13 h behind them. And each service may be wrong for itself, as
//! it is on a node of its own.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use perennial_core::{clock::Clock as _, issued::Issued, keys};
use perennial_lab::service::SERVICES;
use perennial_process::clock::{AHEAD, SystemClock};
use perennial_proto::scheduler::v1::Schedule;

use crate::{
    house::{House, annotation},
    maker::wait_for_shoot,
    witness::{Witness, lateness},
};

const TARGETED: &str = "shoot-access-with-target";
const NAMES: [&str; 3] = ["shoot-access-etcd", "shoot-access-kube-proxy", "shoot-access-vpn"];
/// By how many hours token-issuer, secret-writer and scheduler are ahead.
const CLOCKS: [[i64; 3]; 6] =
    [[13, 13, 13], [-13, -13, -13], [13, 0, 0], [-13, 0, 0], [0, 13, -13], [0, -13, 13]];
/// `Date` has whole seconds, and a look at it takes a moment.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(10);
/// One or two renewals of each Secret with a basis of 8 s.
const WATCHED: Duration = Duration::from_secs(8);
/// Two clocks are compared in whole seconds, which makes half of them late by that much.
const LATE_MAX: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_clock_whoever_is_thirteen_hours_off_costs_no_token_and_renewals_come_in_time() {
    let house = House::start(1, &[]).await;
    let target = [(keys::TARGET_NAMESPACE, "kube-system"), (keys::TARGET_NAME, "target")];
    house.ask(1, TARGETED, &target).await;
    for name in NAMES {
        house.ask(1, name, &[]).await;
    }
    let mut count = NAMES.len() + 2; // and that of the token-issuer
    house.all_fresh(count).await;
    let (mut set, mut before) = ([0; 3], house.counts().await);
    for clocks in CLOCKS {
        set_clocks(&house, set, clocks).await;
        set = clocks;
        agrees(&house, count, clocks).await;

        let new = format!("shoot-access-new-{count}");
        house.ask(1, &new, &[]).await;
        let secret = house.wait_for_token(1, &new).await;
        count += 1;
        agrees(&house, count, clocks).await;
        let noted = Issued::read(annotation(&secret, keys::ISSUED).unwrap()).unwrap().at;
        is_about(noted, true_now() + SignedDuration::from_hours(clocks[1]), "the note's moment");
        let after = house.counts().await;
        let spent = after.since(&before);
        before = after;
        let spent = [
            spent.shoot.tokens_granted(),
            spent.shoot.token_reviews(),
            spent.shoot.writes("secrets"),
            spent.seed.writes("secrets"),
        ];
        println!("{clocks:?} h: {spent:?} tokens, TokenReviews, writes of Secrets there and here");
        assert_eq!(spent, [1, 0, 0, 2], "one new Secret: made by us, written by the secret-writer");
    }
    renewals_come_in_time(&house, count).await;
    house.end().await;
}

/// Starts those services anew whose clock changes.
async fn set_clocks(house: &House, before: [i64; 3], after: [i64; 3]) {
    for ((service, before), after) in SERVICES.into_iter().zip(before).zip(after) {
        if before != after {
            let line = format!("{AHEAD}={after}h\n");
            std::fs::write(house.lab.dir().env_file(service), line).unwrap();
            house.lab.service(service).restart().await.unwrap();
        }
    }
}

/// All is fresh, and will be renewed when it should be by the clock of the shoot, whatever ours say.
async fn agrees(house: &House, count: usize, [issuer, _, scheduler]: [i64; 3]) {
    let offset = SignedDuration::from_hours(-issuer);
    let seen = |shoot: &perennial_proto::issuer::v1::Shoot| {
        let seen = shoot.clock_offset.as_ref().map(|offset| offset.seconds);
        seen.is_some_and(|seen| seen.abs_diff(offset.as_secs()) <= TOLERANCE.as_secs() as u64)
    };
    wait_for_shoot(house, 1, &format!("a clock that is {offset:#} off"), seen).await;
    for schedule in house.all_fresh(count).await {
        let secret = house.secrets(1).get(&schedule.name).await.unwrap();
        let planned = Issued::read(annotation(&secret, keys::ISSUED).unwrap()).unwrap().renew_at;
        let wanted = planned + SignedDuration::from_hours(scheduler);
        is_about(next_of(&schedule), wanted, &schedule.name);
    }
}

fn next_of(schedule: &Schedule) -> Timestamp {
    let next = schedule.next_at.as_ref().unwrap();
    Timestamp::from_second(next.seconds).unwrap()
}

fn is_about(found: Timestamp, wanted: Timestamp, what: &str) {
    let apart = found.duration_since(wanted);
    assert!(apart.abs() <= TOLERANCE, "{what}: {found} in place of {wanted}, {apart:#} off");
}

fn true_now() -> Timestamp {
    SystemClock.now()
}

/// Renewed every six seconds, with three services that do not agree about the day.
async fn renewals_come_in_time(house: &House, count: usize) {
    let flags =
        ["--renewal-interval-min=2400ms", "--renewal-interval-min=2400ms", "--renewal-basis=8s"];
    for (service, flag) in SERVICES.into_iter().zip(flags) {
        std::fs::write(house.lab.dir().flags_file(service), format!("{flag}\n")).unwrap();
        let line = format!("{AHEAD}={}h\n", if service == SERVICES[0] { 13 } else { -13 });
        std::fs::write(house.lab.dir().env_file(service), line).unwrap();
    }
    for service in SERVICES {
        house.lab.service(service).restart().await.unwrap();
    }
    // Older than six seconds: each is replaced once, and then lives to its moment.
    house.all_fresh(count).await;
    let witness = Witness::begin(house.lab.seed().client()).await;
    let (begin, before) = (true_now(), house.counts().await);
    tokio::time::sleep(WATCHED).await;
    let renewals = witness.renewals_since(begin);
    let (longest, half) = lateness(&renewals);
    let each = renewals.len() / (count - 1); // that with a target has no token on the seed
    println!("{} renewals, half of them {half:.1?} late, the last {longest:.1?}", renewals.len());
    assert!((1..=3).contains(&each), "{each} renewals of each Secret in {WATCHED:?}");
    assert!(half <= LATE_MAX, "half of them {half:?} late");
    let early = house.schedules().await.into_iter().filter_map(|schedule| schedule.last_renewal);
    let early: Vec<_> = early.filter(|renewal| renewal.reason != "due").collect();
    assert!(early.is_empty(), "only what is due is renewed: {early:?}");
    assert_eq!(witness.wrongs(), [""; 0]);
    let spent = house.counts().await.since(&before);
    assert_eq!(spent.shoot.token_requests(), spent.shoot.tokens_granted(), "{:?}", spent.shoot);
}
