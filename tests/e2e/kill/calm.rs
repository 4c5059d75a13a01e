//! When a system is calm: every service is ready, every schedule fresh and without a failure, and
//! nothing is under way or overdue. Renewals go on, so this is a moment between two of them; that it
//! lasts is looked at after the last fault.

use std::time::Duration;

use jiff::SignedDuration;
use perennial_core::clock::Clock as _;
use perennial_lab::poll::{Look, until};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{ListSchedulesRequest, Schedule, State};

use super::{SECRETS, SHOOTS};
use crate::house::House;

/// Gauges that are 0 then, by service.
const GAUGES: [(&str, &str); 3] = [
    ("scheduler", "perennial_scheduler_in_flight"),
    ("scheduler", "perennial_scheduler_overdue"),
    ("secret-writer", "perennial_secret_writer_renewals_in_flight"),
];

/// After the last fault: longer than the 6 s between two renewals of one Secret.
const STAYS: Duration = Duration::from_secs(8);
/// Between two looks in that time.
const BEAT: Duration = Duration::from_millis(200);
/// A renewal that is due is done within it while all is well, also on a busy machine.
const DUE_MAX: SignedDuration = SignedDuration::from_secs(3);

/// Waits until the system is calm.
pub(super) async fn wait(house: &House, bound: Duration) {
    let look = async || {
        let trouble = match trouble(house).await {
            None => busy(house).await,
            trouble => trouble,
        };
        Ok(trouble.map_or(Look::Done(()), Look::Waiting))
    };
    until("a calm system", bound, look).await.unwrap();
}

/// Looks for a whole round of renewals that nothing goes wrong any more.
pub(super) async fn stays(house: &House) {
    let begin = SystemClock.now();
    while SystemClock.now().duration_since(begin).unsigned_abs() < STAYS {
        if let Some(trouble) = trouble(house).await {
            panic!("it was calm, and then: {trouble}");
        }
        tokio::time::sleep(BEAT).await;
    }
}

/// What is wrong, whether or not something is under way.
async fn trouble(house: &House) -> Option<String> {
    for service in house.lab.services() {
        if let Some(unready) = service.unready().await {
            return Some(unready);
        }
    }
    let schedules = match schedules(house).await {
        Ok(schedules) => schedules,
        Err(trouble) => return Some(trouble),
    };
    let expected = SHOOTS * (SECRETS + 1);
    if schedules.len() != expected {
        return Some(format!("{} schedules of {expected}", schedules.len()));
    }
    let overdue = (SystemClock.now() - DUE_MAX).as_second();
    let is_well = |s: &&Schedule| {
        let known = matches!(s.state(), State::Fresh | State::Due | State::Renewing);
        let in_time = s.latest_at.is_some_and(|latest| latest.seconds >= overdue);
        known && in_time && s.failures == 0 && s.last_failure.is_none()
    };
    schedules.iter().find(|schedule| !is_well(schedule)).map(words)
}

/// What is under way.
async fn busy(house: &House) -> Option<String> {
    let schedules = match schedules(house).await {
        Ok(schedules) => schedules,
        Err(trouble) => return Some(trouble),
    };
    if let Some(schedule) = schedules.iter().find(|schedule| schedule.state() != State::Fresh) {
        return Some(words(schedule));
    }
    for (service, gauge) in GAUGES {
        let metrics = house.lab.service(service).metrics().await.unwrap_or_default();
        let line = format!("{gauge} 0");
        if !metrics.lines().any(|found| found == line) {
            return Some(format!("{service} does not say {line}"));
        }
    }
    None
}

async fn schedules(house: &House) -> Result<Vec<Schedule>, String> {
    let answer = house.scheduler().list_schedules(ListSchedulesRequest::default()).await;
    answer.map(|answer| answer.into_inner().schedules).map_err(|status| status.to_string())
}

fn words(schedule: &Schedule) -> String {
    let (state, failure) = (schedule.state(), &schedule.last_failure);
    let Schedule { namespace, name, detail, latest_at, .. } = schedule;
    format!("{namespace}/{name}: {state:?} {detail} latest {latest_at:?}, {failure:?}")
}
