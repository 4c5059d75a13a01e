//! When a system is calm: every service is ready, each schedule was fresh at one look since the fault,
//! none has a failure, and none is long overdue. Renewals never stop here, so a moment at which
//! nothing at all is due or under way says more of the speed of the machine than of calm. That it
//! lasts is looked at after the last fault.

use std::{collections::BTreeSet, time::Duration};

use jiff::SignedDuration;
use perennial_core::clock::Clock as _;
use perennial_lab::poll::{Look, until};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{ListSchedulesRequest, Schedule, State};

use super::{SECRETS, SHOOTS};
use crate::house::{House, MOMENT};

/// Renewals that the secret-writer is at.
const UNDER_WAY: &str = "perennial_secret_writer_renewals_in_flight";
/// After the last fault: longer than the 6 s between two renewals of one Secret.
const STAYS: Duration = Duration::from_secs(8);
/// Between two looks in that time.
const BEAT: Duration = Duration::from_millis(200);
/// A renewal that is due is done within it while all is well, also on a busy machine.
const DUE_MAX: SignedDuration = SignedDuration::from_secs(5);

/// Waits until a renewal is under way. They take some 50 ms, so this looks without a pause.
pub(super) async fn wait_for_work(house: &House) {
    let idle = format!("{UNDER_WAY} 0");
    let work = async {
        loop {
            let metrics = house.lab.service("secret-writer").metrics().await.unwrap();
            if !metrics.lines().any(|line| line == idle) {
                return;
            }
        }
    };
    tokio::time::timeout(MOMENT, work).await.expect("a renewal under way");
}

/// Waits until the system is calm.
pub(super) async fn wait(house: &House, bound: Duration) {
    let mut fresh = BTreeSet::new();
    let look = async || {
        Ok(match look(house, &mut fresh).await {
            Ok(()) if fresh.len() == SHOOTS * (SECRETS + 1) => Look::Done(()),
            Ok(()) => Look::Waiting(format!("fresh so far: {fresh:?}")),
            Err(trouble) => Look::Waiting(trouble),
        })
    };
    until("a calm system", bound, look).await.unwrap();
}

/// Looks for a whole round of renewals that nothing goes wrong any more.
pub(super) async fn stays(house: &House) {
    let (begin, mut fresh) = (SystemClock.now(), BTreeSet::new());
    while SystemClock.now().duration_since(begin).unsigned_abs() < STAYS {
        if let Err(trouble) = look(house, &mut fresh).await {
            panic!("it was calm, and then: {trouble}");
        }
        tokio::time::sleep(BEAT).await;
    }
}

/// Notes which Secrets are fresh, and says what is wrong.
async fn look(house: &House, fresh: &mut BTreeSet<String>) -> Result<(), String> {
    for service in house.lab.services() {
        if let Some(unready) = service.unready().await {
            return Err(unready);
        }
    }
    let answer = house.scheduler().list_schedules(ListSchedulesRequest::default()).await;
    let schedules = answer.map_err(|status| status.to_string())?.into_inner().schedules;
    let overdue = (SystemClock.now() - DUE_MAX).as_second();
    for schedule in schedules {
        let Schedule { namespace, name, detail, latest_at, last_failure, .. } = &schedule;
        let state = schedule.state();
        let known = matches!(state, State::Fresh | State::Due | State::Renewing);
        let in_time = latest_at.is_some_and(|latest| latest.seconds >= overdue);
        if !known || !in_time || schedule.failures > 0 || last_failure.is_some() {
            let failure = last_failure.as_ref().map(|failure| &failure.message);
            return Err(format!("{name}: {state:?} {detail} latest {latest_at:?}, {failure:?}"));
        }
        if state == State::Fresh {
            fresh.insert(format!("{namespace}/{name}"));
        }
    }
    Ok(())
}
