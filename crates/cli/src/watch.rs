//! `perennial watch`: the live table, fed by `WatchSchedules`.

use std::{collections::BTreeMap, io, time::Duration};

use jiff::Timestamp;
use perennial_core::clock::Clock as _;
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{
    Schedule, WatchSchedulesRequest, WatchSchedulesResponse, scheduler_client::SchedulerClient,
    watch_schedules_response::Event,
};
use tonic::transport::Channel;

use crate::{connect::CliError, live::Live, table};

/// How often the table is drawn anew, so that its times run.
const DRAW_INTERVAL: Duration = Duration::from_millis(500);

/// The schedules as the stream has shown them so far, and what is new about them.
#[derive(Debug, Default)]
pub struct Schedules {
    known: BTreeMap<(String, String), Schedule>,
    complete: bool,
}

impl Schedules {
    /// Takes one event of the stream; the line that tells about it, where it is news: a renewal,
    /// another state, a Secret that is gone. The first whole set is none.
    pub fn apply(&mut self, message: WatchSchedulesResponse) -> Option<String> {
        match message.event? {
            Event::SnapshotComplete(_) => {
                self.complete = true;
                Some(format!("{} access Secrets", self.known.len()))
            }
            Event::Removed(secret) => {
                let line = format!("{}/{}  gone", secret.namespace, secret.name);
                self.known
                    .remove(&(secret.namespace, secret.name))
                    .map(|_| line)
            }
            Event::Upsert(schedule) => {
                let key = (schedule.namespace.clone(), schedule.name.clone());
                let line = news(self.known.get(&key), &schedule).filter(|_| self.complete);
                self.known.insert(key, schedule);
                line
            }
        }
    }

    /// A stream that begins anew sends its whole set again.
    pub fn begin(&mut self) {
        *self = Self::default();
    }

    /// All of them, ordered by namespace and name.
    pub fn all(&self) -> impl Iterator<Item = &Schedule> {
        self.known.values()
    }

    /// The table with its heading.
    #[must_use]
    pub fn lines(&self, now: Timestamp) -> Vec<String> {
        table::lines(self.all(), now)
    }
}

fn news(before: Option<&Schedule>, schedule: &Schedule) -> Option<String> {
    let name = format!("{}/{}", schedule.namespace, schedule.name);
    let renewal = schedule.last_renewal.as_ref();
    let renewed = renewal.is_some()
        && before.is_none_or(|before| {
            before.last_renewal.as_ref().map(|r| &r.at) != renewal.map(|r| &r.at)
                || before.issued_at != schedule.issued_at
        });
    if let (true, Some(renewal)) = (renewed, renewal) {
        let took = renewal.took.as_ref().map_or_else(String::new, |took| {
            format!(
                ", took {} ms",
                took.seconds * 1_000 + i64::from(took.nanos / 1_000_000)
            )
        });
        return Some(format!("{name}  renewed ({}){took}", renewal.reason));
    }
    let troubled =
        !schedule.detail.is_empty() && before.is_none_or(|before| before.detail != schedule.detail);
    troubled.then(|| format!("{name}  {}: {}", table::state(schedule), schedule.detail))
}

/// Shows schedules until the stream ends or the process is interrupted.
///
/// # Errors
/// When the scheduler refuses or goes away, or when the terminal does.
pub async fn run(mut client: SchedulerClient<Channel>, namespace: String) -> Result<(), CliError> {
    let request = WatchSchedulesRequest { namespace };
    let mut stream = client
        .watch_schedules(request)
        .await
        .map_err(CliError::call)?
        .into_inner();
    let (mut schedules, mut live) = (Schedules::default(), Live::stdout());
    let mut beat = tokio::time::interval(DRAW_INTERVAL);
    loop {
        tokio::select! {
            message = stream.message() => match message.map_err(CliError::call)? {
                Some(message) => {
                    if let Some(line) = schedules.apply(message) {
                        say(&mut live, &line).map_err(CliError::Output)?;
                    }
                }
                None => return Ok(()),
            },
            _ = beat.tick() => {
                live.draw(&schedules.lines(SystemClock.now())).map_err(CliError::Output)?;
            }
        }
    }
}

fn say(live: &mut Live<io::Stdout>, line: &str) -> io::Result<()> {
    live.say(&format!(
        "{}  {line}",
        SystemClock.now().strftime("%H:%M:%S")
    ))
}

#[cfg(test)]
mod tests {
    use perennial_proto::scheduler::v1::{Renewal, SnapshotComplete, State};

    use super::*;

    fn renewed_at(seconds: i64) -> WatchSchedulesResponse {
        let at = Some(prost_types::Timestamp { seconds, nanos: 0 });
        let schedule = Schedule {
            namespace: "shoot--lab--1".to_owned(),
            name: "access".to_owned(),
            state: State::Fresh.into(),
            issued_at: at,
            last_renewal: Some(Renewal {
                at,
                reason: "due".to_owned(),
                took: None,
            }),
            ..Schedule::default()
        };
        WatchSchedulesResponse {
            event: Some(Event::Upsert(schedule)),
        }
    }

    #[test]
    fn a_renewal_is_news_and_the_first_set_is_not() {
        let mark = WatchSchedulesResponse {
            event: Some(Event::SnapshotComplete(SnapshotComplete {})),
        };
        let mut schedules = Schedules::default();
        assert_eq!(schedules.apply(renewed_at(1)), None);
        assert_eq!(schedules.apply(mark).as_deref(), Some("1 access Secrets"));
        assert_eq!(schedules.apply(renewed_at(1)), None);
        let line = schedules.apply(renewed_at(7));
        assert_eq!(line.as_deref(), Some("shoot--lab--1/access  renewed (due)"));
    }
}
