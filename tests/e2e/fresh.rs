//! Waiting for what the scheduler says of Secrets.

use perennial_lab::{
    poll::{Look, until},
    shoot::namespace,
};
use perennial_proto::scheduler::v1::{ListSchedulesRequest, Schedule, State};
use tonic::Status;

use crate::house::{House, MOMENT};

impl House {
    /// Every schedule, once the scheduler knows so many Secrets and finds each of them fresh.
    pub(crate) async fn all_fresh(&self, count: usize) -> Vec<Schedule> {
        let look = async || {
            let schedules = match self.heard_schedules().await {
                Ok(schedules) => schedules,
                Err(status) => return Ok(Look::Waiting(status.to_string())),
            };
            let others = schedules.iter().filter(|schedule| schedule.state() != State::Fresh);
            let others: Vec<_> = others.map(|s| (&s.name, &s.reason, &s.detail)).collect();
            Ok(match others.is_empty() && schedules.len() == count {
                true => Look::Done(schedules),
                false => {
                    Look::Waiting(format!("{} in all, not fresh: {others:?}", schedules.len()))
                }
            })
        };
        until("a fresh fleet", MOMENT, look).await.unwrap()
    }

    /// All schedules, of a scheduler that may be away.
    async fn heard_schedules(&self) -> Result<Vec<Schedule>, Status> {
        let request = ListSchedulesRequest::default();
        Ok(self.scheduler().list_schedules(request).await?.into_inner().schedules)
    }

    /// The schedule of a Secret, once it is as wanted.
    pub(crate) async fn wait_for_schedule(
        &self,
        shoot: usize,
        name: &str,
        what: &str,
        wanted: impl Fn(&Schedule) -> bool,
    ) -> Schedule {
        let look = async || {
            let schedules = match self.heard_schedules().await {
                Ok(schedules) => schedules,
                Err(status) => return Ok(Look::Waiting(status.to_string())),
            };
            let is_it = |schedule: &Schedule| {
                schedule.namespace == namespace(shoot) && schedule.name == name
            };
            Ok(match schedules.into_iter().find(is_it) {
                Some(schedule) if wanted(&schedule) => Look::Done(schedule),
                other => Look::Waiting(format!("{other:?}")),
            })
        };
        until(&format!("{name}: {what}"), MOMENT, look).await.unwrap()
    }
}
