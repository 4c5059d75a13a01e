//! Many shoots hang at once, more than the places that all share: the others do not notice.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::clock::Clock as _;
use perennial_lab::{Options, shoot::namespace};
use perennial_process::clock::SystemClock;

use crate::{
    house::House,
    proxied::shoot,
    witness::{Renewal, Witness},
};

const PROXIED: usize = 14;
const SHOOTS: usize = 1 + PROXIED;
/// One real API server serves all of them; these stand behind proxies.
const FROZEN: std::ops::RangeInclusive<usize> = 8..=SHOOTS;
/// Access Secrets of each shoot, beside that of the token-issuer itself.
const SECRETS: usize = 2;
/// Fewer than the Secrets of all that freeze: with fixed limits everybody would wait for 25 s.
const IN_FLIGHT_MAX: usize = 16;
/// With a basis of 8 s each Secret falls due twice. The probes notice frozen shoots only later.
const WATCHED: Duration = Duration::from_secs(12);
const DELAY_MAX: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shoots_that_freeze_together_delay_the_others_by_less_than_a_second() {
    let args = ["--renewal-basis=8s".to_owned(), format!("--in-flight-max={IN_FLIGHT_MAX}")];
    let options =
        Options { proxied_shoots: PROXIED, scheduler_args: args.into(), ..Options::default() };
    let house = House::start_with(options).await;
    let secrets = || {
        let names = (0..SECRETS).map(|number| format!("shoot-access-component-{number}"));
        names.flat_map(|name| (1..=SHOOTS).map(move |shoot| (shoot, name.clone())))
    };
    for (shoot, name) in secrets() {
        house.ask(shoot, &name, &[]).await;
    }
    for (shoot, name) in secrets() {
        house.wait_for_token(shoot, &name).await;
    }
    let witness = Witness::begin(house.lab.seed().client()).await;
    let before = watched(&witness).await;
    for number in FROZEN {
        shoot(&house, number, "freeze").await;
    }
    let during = watched(&witness).await;
    let hanging = hanging(&house).await;
    for number in FROZEN {
        shoot(&house, number, "thaw").await;
    }
    println!(
        "99th percentile of the lateness of the others: {:.2?} of {} before, {:.2?} of {} while {} of \
         {SHOOTS} shoots are frozen; {hanging} calls hang",
        p99(&before),
        before.len(),
        p99(&during),
        during.len(),
        FROZEN.count(),
    );
    assert!(p99(&during) < p99(&before) + DELAY_MAX, "{:?}", p99(&during));
    let others = (SHOOTS - FROZEN.count()) * (SECRETS + 1);
    assert!(during.len() + others >= before.len(), "{} renewals", during.len());
    assert!(during.len() >= others, "each once at least: {}", during.len());
    assert!(hanging > 0, "they do not hang");
    assert_eq!(witness.wrongs(), [""; 0]);
    house.end().await;
}

/// Renewals of the shoots that stay well, from now on for a while.
async fn watched(witness: &Witness) -> Vec<Renewal> {
    let begin: Timestamp = SystemClock.now();
    tokio::time::sleep(WATCHED).await;
    let frozen: Vec<_> = FROZEN.map(|shoot| format!("{}/", namespace(shoot))).collect();
    let is_frozen = |renewal: &Renewal| frozen.iter().any(|f| renewal.secret.starts_with(f));
    witness.renewals_since(begin).into_iter().filter(|renewal| !is_frozen(renewal)).collect()
}

/// Calls that the scheduler has set aside.
async fn hanging(house: &House) -> usize {
    let metrics = house.lab.service("scheduler").metrics().await.unwrap();
    let value = metrics.lines().find_map(|line| line.strip_prefix("perennial_scheduler_hanging "));
    value.unwrap().parse().unwrap()
}

fn p99(renewals: &[Renewal]) -> Duration {
    let mut all: Vec<_> = renewals.iter().map(|renewal| renewal.lateness).collect();
    all.sort();
    all.get(all.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default()
}
