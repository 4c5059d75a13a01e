//! When a system is calm: every service is ready, every schedule fresh and without a failure, and
//! nothing is under way or overdue. Renewals go on, so this is a moment between two of them.

use std::time::Duration;

use perennial_lab::poll::{Look, until};
use perennial_proto::scheduler::v1::{ListSchedulesRequest, Schedule, State};

use super::{SECRETS, SHOOTS};
use crate::house::House;

/// Gauges that are 0 then, by service.
const GAUGES: [(&str, &str); 3] = [
    ("scheduler", "perennial_scheduler_in_flight"),
    ("scheduler", "perennial_scheduler_overdue"),
    ("secret-writer", "perennial_secret_writer_renewals_in_flight"),
];

/// Waits until the system is calm.
pub(super) async fn wait(house: &House, bound: Duration) {
    let look = async || {
        Ok(match trouble(house).await {
            None => Look::Done(()),
            Some(trouble) => Look::Waiting(trouble),
        })
    };
    until("a calm system", bound, look).await.unwrap();
}

async fn trouble(house: &House) -> Option<String> {
    for service in house.lab.services() {
        if let Some(unready) = service.unready().await {
            return Some(unready);
        }
    }
    let schedules = match house.scheduler().list_schedules(ListSchedulesRequest::default()).await {
        Ok(answer) => answer.into_inner().schedules,
        Err(status) => return Some(status.to_string()),
    };
    let expected = SHOOTS * (SECRETS + 1);
    if schedules.len() != expected {
        return Some(format!("{} schedules of {expected}", schedules.len()));
    }
    let is_calm =
        |s: &&Schedule| s.state() == State::Fresh && s.failures == 0 && s.last_failure.is_none();
    if let Some(schedule) = schedules.iter().find(|schedule| !is_calm(schedule)) {
        let state = schedule.state();
        let (name, failure) = (&schedule.name, &schedule.last_failure);
        return Some(format!("{name}: {state:?} {} {failure:?}", schedule.detail));
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
