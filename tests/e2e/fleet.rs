//! Many Secrets over many shoots, renewed about once a minute, while shoots are cut off at random and
//! schedulers are killed, stopped, frozen and added.
//!
//! `make fleet` plays it in full: 5,000 Secrets of 50 shoots for five minutes. As a test of CI it is a
//! small one of the same kind.

mod figures;
mod size;
mod trouble;
mod weather;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use kube::{Api, api::PostParams};
use perennial_core::clock::Clock as _;
use perennial_lab::{
    Options,
    poll::{Look, until},
    shoot::namespace,
};
use perennial_process::clock::SystemClock;

use self::{
    figures::{Figures, Part},
    size::Size,
    trouble::Trouble,
    weather::Weather,
};
use crate::{
    house::{House, QUIET, access_secret},
    witness::Witness,
};

/// The first shoot has the API server; those behind proxies go on from it, and have the Secrets.
const FIRST: usize = 2;
/// Secrets are made and looked at by so many calls at once.
const CALLS: usize = 16;
/// How long a shoot that is well may be without a scheduler that renews what is due there.
const HANDOVER_MAX: Duration = Duration::from_secs(15);
/// The same where nothing is wrong at all, half of the Secrets.
const USUAL_MAX: Duration = Duration::from_secs(1);
/// Orders that a cut-off can catch between the shoot's yes and its answer, per shoot: the default of
/// `--in-flight-per-shoot-max`.
const IN_FLIGHT_PER_SHOOT: u64 = 8;
/// What may be overdue where the schedulers have caught up with what fell due while they were stopped.
const CAUGHT_UP: Duration = Duration::from_secs(1);
/// How long that may take: all that fell due in the meantime, and new shares, on a machine that is nearly
/// full without it.
const CATCH_UP_MAX: Duration = Duration::from_secs(300);
/// How long a first token may wait: all of them are made at once.
const START_MAX: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_is_renewed_while_shoots_and_schedulers_come_and_go() {
    let size = Size::from_environment();
    println!("{size}");
    let house = House::start_with(Options {
        proxied_shoots: size.shoots,
        scheduler_args: vec![format!("--renewal-basis={}s", size.basis.as_secs())],
        // One more, who waits to be added.
        scheduler_replicas: size.replicas + 1,
        ..Options::default()
    })
    .await;
    trouble::spare(&house).stop().await.unwrap();
    let began = SystemClock.now();
    make_secrets(&house, &size).await;
    let witness = Arc::new(Witness::begin(house.lab.seed().client()).await);
    wait_for_tokens(&witness, &size).await;
    println!("{} first tokens after {:.1?}", size.secrets(), since(began));

    // The renewals of a mass start come in a wave of their own.
    tokio::time::sleep(size.basis).await;
    let calm = part(&house, &witness, size.calm, None).await;
    println!("calm:    {calm}");
    let blows = part(&house, &witness, size.blows, Some((&size, false))).await;
    println!("blows:   {blows}");
    let rough = part(&house, &witness, size.rough, Some((&size, true))).await;
    println!("trouble: {rough}");
    let after = part(&house, &witness, size.calm, None).await;
    println!("after:   {after}");

    assert_eq!(witness.wrongs(), [""; 0]);
    for (name, quiet) in [("calm", &calm), ("after", &after)] {
        assert_eq!(quiet.in_vain, 0, "{name}: every token that was granted was written");
        assert!(quiet.median <= USUAL_MAX, "{name}: {quiet}");
    }
    // While only schedulers come and go, the secret-writer holds each Secret to one renewal at a time, and
    // each order to what it saw: no hand-over costs a token.
    assert!(blows.renewals > 0 && blows.troubles > 0 && blows.cuts == 0, "{blows}");
    assert_eq!(blows.in_vain, 0, "{blows}");
    assert!(rough.renewals > 0 && rough.troubles > 0 && rough.cuts > 0, "{rough}");
    for part in [&blows, &rough] {
        assert!(part.gap <= HANDOVER_MAX, "{part}");
    }
    let excuses = rough.cuts * IN_FLIGHT_PER_SHOOT;
    assert!(rough.in_vain <= excuses, "{} in vain, {} cuts", rough.in_vain, rough.cuts);
    house.end().await;
}

/// How long ago that was.
fn since(moment: Timestamp) -> Duration {
    SystemClock.now().duration_since(moment).unsigned_abs()
}

async fn make_secrets(house: &House, size: &Size) {
    let seed = house.lab.seed().client();
    let all = (0..size.secrets_per_shoot)
        .flat_map(|number| (0..size.shoots).map(move |index| (FIRST + index, number)));
    let made = stream::iter(all).map(|(shoot, number)| {
        let secrets: Api<_> = Api::namespaced(seed.clone(), &namespace(shoot));
        async move {
            // All shoots are one API server: an account of its own for each Secret.
            let name = format!("shoot-access-s{shoot}-{number}");
            let secret = access_secret(&name, &size.annotations());
            secrets.create(&PostParams::default(), &secret).await.map(drop)
        }
    });
    made.buffer_unordered(CALLS).try_collect::<()>().await.unwrap();
}

async fn wait_for_tokens(witness: &Witness, size: &Size) {
    let wanted = size.secrets();
    let look = async || {
        let held = witness.holding();
        let done = held >= wanted;
        Ok(if done { Look::Done(()) } else { Look::Waiting(format!("{held} of {wanted}")) })
    };
    until("first tokens", START_MAX, look).await.unwrap();
}

/// What is seen for a while: without trouble, with blows at schedulers, or also with shoots cut off. Granted
/// and written tokens are compared while nothing is ordered; what falls due in that moment is caught up
/// with before anything is timed.
async fn part(
    house: &House,
    witness: &Arc<Witness>,
    length: Duration,
    trouble: Option<(&Size, bool)>,
) -> Figures {
    let (granted, tokens) = settled(house, witness).await;
    caught_up(house, witness).await;
    let begin = SystemClock.now();
    let (cuts, troubles) = match trouble {
        None => {
            tokio::time::sleep(length).await;
            (Vec::new(), Vec::new())
        }
        Some((size, false)) => (Vec::new(), Trouble::new(size).make(house, length).await),
        Some((size, true)) => {
            let (weather, trouble) = (Weather::new(size), Trouble::new(size));
            tokio::join!(weather.blow(house, length), trouble.make(house, length))
        }
    };
    let (end, waiting) = (SystemClock.now(), witness.waiting(Duration::ZERO));
    let seen = Part { begin, end, renewals: witness.renewals_since(begin), waiting };
    let (granted_after, tokens_after) = settled(house, witness).await;
    let in_vain = (granted_after - granted).checked_sub(tokens_after - tokens);
    let in_vain = in_vain.expect("no token stands in a Secret that was not granted");
    Figures::of(&seen, &cuts, troubles.len(), in_vain)
}

/// Each shoot has an owner that renews, and works no backlog off any more.
async fn caught_up(house: &House, witness: &Witness) {
    let start = SystemClock.now();
    let mut shoots: BTreeSet<_> =
        house.lab.proxied().iter().map(|s| namespace(s.number())).collect();
    let look = async || {
        for renewal in witness.renewals_since(start) {
            shoots.remove(figures::shoot(&renewal.secret));
        }
        let (ownerless, overdue) = (shoots.len(), witness.waiting(CAUGHT_UP).len());
        Ok(match (ownerless, overdue) {
            (0, 0) => Look::Done(()),
            _ => Look::Waiting(format!("{ownerless} shoots without renewal, {overdue} overdue")),
        })
    };
    until("everybody caught up", CATCH_UP_MAX, look).await.unwrap();
}

/// Tokens that were granted and tokens that stood in a Secret, with the schedulers stopped for a
/// moment, so that none is in between.
async fn settled(house: &House, witness: &Witness) -> (u64, u64) {
    let schedulers = trouble::running(house);
    for scheduler in &schedulers {
        scheduler.stop().await.unwrap();
    }
    let look = async || {
        let granted = house.lab.shoot(1).request_counts().await.unwrap().tokens_granted();
        (granted, witness.tokens())
    };
    let mut last = look().await;
    let settled = loop {
        tokio::time::sleep(QUIET).await;
        let next = look().await;
        if next == last {
            break next;
        }
        last = next;
    };
    for scheduler in &schedulers {
        scheduler.start().await.unwrap();
    }
    settled
}
