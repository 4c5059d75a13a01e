//! `perennial watch`: the live table, fed by `WatchSchedules`.

use std::{collections::BTreeMap, io};

use jiff::Timestamp;
use perennial_core::clock::Clock as _;
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{
    Pause, Pauses, Schedule, State, Stopped, WatchSchedulesRequest, WatchSchedulesResponse,
    watch_schedules_response::Event,
};
use tonic::{Status, Streaming};

use crate::{
    args::{Output, WatchArgs},
    connect::Scheduler,
    error::CliError,
    json,
    live::{self, DRAW_INTERVAL, Live, RETRY_PAUSE},
    moment, pause, stop, table,
};

/// The schedules as the stream has shown them so far, and what is new about them.
#[derive(Debug, Default)]
pub struct Schedules {
    known: BTreeMap<Key, Schedule>,
    /// What was last told of each: the token's issue, and the trouble.
    told: BTreeMap<Key, (Option<prost_types::Timestamp>, String)>,
    complete: bool,
    stopped: Option<Stopped>,
    pauses: Vec<Pause>,
}

/// Namespace and name of a Secret.
type Key = (String, String);

impl Schedules {
    /// Takes one event of the stream; the line that tells about it, where it is news: a renewal,
    /// another state, a Secret that is gone, the stop switch. The first whole set is none.
    pub fn apply(&mut self, message: WatchSchedulesResponse) -> Option<String> {
        match message.event? {
            Event::SnapshotComplete(_) => {
                self.complete = true;
                Some(format!("{} access Secrets", self.known.len()))
            }
            Event::Removed(secret) => {
                let line = format!("{}/{}  gone", secret.namespace, secret.name);
                self.known.remove(&(secret.namespace, secret.name)).map(|_| line)
            }
            Event::Stopped(stopped) => {
                let line = stop::words(&stopped, SystemClock.now());
                self.stopped = Some(stopped);
                Some(line)
            }
            Event::Resumed(_) => {
                self.stopped = None;
                Some("the fleet is resumed".to_owned())
            }
            Event::Pauses(Pauses { pauses }) => {
                let line = turned(&self.pauses, &pauses, SystemClock.now());
                self.pauses = pauses;
                line
            }
            Event::Upsert(schedule) => {
                let key = (schedule.namespace.clone(), schedule.name.clone());
                let line = self.news(&key, &schedule);
                self.known.insert(key, schedule);
                line.filter(|_| self.complete)
            }
        }
    }

    /// A token that is new, or trouble that is. While a renewal is under way its token may be
    /// seen already, but how long it took is not known yet.
    fn news(&mut self, key: &Key, schedule: &Schedule) -> Option<String> {
        if schedule.state() == State::Renewing {
            return None;
        }
        let told = (schedule.issued_at, schedule.detail.clone());
        let before = self.told.insert(key.clone(), told.clone()).unwrap_or_default();
        let name = format!("{}/{}", key.0, key.1);
        match &schedule.last_renewal {
            Some(renewal) if before.0 != told.0 => {
                let took = renewal.took.as_ref().map(moment::took);
                let took = took.map_or_else(String::new, |took| format!(", took {took}"));
                Some(format!("{name}  renewed ({}){took}", renewal.reason))
            }
            _ if before.1 != told.1 && !told.1.is_empty() => {
                Some(format!("{name}  {}: {}", table::state(schedule), told.1))
            }
            _ => None,
        }
    }

    /// A stream that begins anew sends its whole set again.
    pub fn begin(&mut self) {
        *self = Self::default();
    }

    /// The table with its heading, and above it why nothing is renewed where the fleet is stopped: those in trouble first, for a terminal that has not room for
    /// all, then by namespace and name.
    #[must_use]
    pub fn lines(&self, now: Timestamp, width: Option<usize>) -> Vec<String> {
        let mut all: Vec<&Schedule> = self.known.values().collect();
        all.sort_by_key(|schedule| !table::is_troubled(schedule)); // stable
        let stopped = self.stopped.iter().map(|stopped| stop::words(stopped, now));
        let paused = pause::all(&self.pauses, now);
        stopped.chain(paused).chain(table::lines(all, now, width)).collect()
    }
}

/// What is new about pauses, on one line; the table has them all above it.
fn turned(before: &[Pause], after: &[Pause], now: Timestamp) -> Option<String> {
    let begun = after.iter().filter(|pause| !before.contains(pause));
    let is_paused = |pause: &&Pause| after.iter().any(|p| p.namespace == pause.namespace);
    let ended = before.iter().filter(|pause| !is_paused(pause));
    let ended = ended.map(|pause| format!("shoot {} is resumed", pause.namespace));
    let told: Vec<_> = begun.map(|pause| pause::words(pause, now)).chain(ended).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// Shows schedules until the process is interrupted. A scheduler that goes away is waited for,
/// once it has answered.
pub(crate) async fn run(mut scheduler: Scheduler, args: WatchArgs) -> Result<(), CliError> {
    let WatchArgs { namespace, output } = args;
    let namespace = namespace.map(String::from).unwrap_or_default();
    let (mut schedules, mut live) = (Schedules::default(), Live::stdout());
    let mut answered = false;
    loop {
        let request = WatchSchedulesRequest { namespace: namespace.clone() };
        let lost = match scheduler.watch_schedules(request).await {
            Ok(stream) => {
                answered = true;
                schedules.begin();
                match output.output {
                    Output::Text => show(stream.into_inner(), &mut schedules, &mut live).await?,
                    Output::Json => print(stream.into_inner()).await?,
                }
            }
            Err(status) => status,
        };
        let error = CliError::call(lost);
        if !(answered && error.is_temporary()) {
            return Err(error);
        }
        if output.output == Output::Text {
            say(&mut live, "the scheduler went away; trying again").map_err(CliError::Output)?;
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

/// One message a line, until the stream is lost; why it was. A stream that begins anew sends its
/// whole set again, and then the mark.
async fn print(mut stream: Streaming<WatchSchedulesResponse>) -> Result<Status, CliError> {
    loop {
        match stream.message().await {
            Ok(Some(message)) => json::print_line(&message)?,
            Ok(None) => return Ok(Status::unavailable("the scheduler ended the stream")),
            Err(status) => return Ok(status),
        }
    }
}

/// Shows one stream until it is lost; why it was.
async fn show(
    mut stream: Streaming<WatchSchedulesResponse>,
    schedules: &mut Schedules,
    live: &mut Live<io::Stdout>,
) -> Result<Status, CliError> {
    let mut beat = tokio::time::interval(DRAW_INTERVAL);
    loop {
        tokio::select! {
            message = stream.message() => match message {
                Ok(Some(message)) => {
                    if let Some(line) = schedules.apply(message) {
                        say(live, &line).map_err(CliError::Output)?;
                    }
                }
                Ok(None) => return Ok(Status::unavailable("the scheduler ended the stream")),
                Err(status) => return Ok(status),
            },
            _ = beat.tick() => {
                let lines = schedules.lines(SystemClock.now(), live::columns());
                live.draw(&lines).map_err(CliError::Output)?;
            }
        }
    }
}

fn say(live: &mut Live<io::Stdout>, line: &str) -> io::Result<()> {
    live.say(&format!("{}  {line}", SystemClock.now().strftime("%H:%M:%S")))
}

#[cfg(test)]
mod tests {
    use perennial_proto::scheduler::v1::{Renewal, SnapshotComplete};

    use super::*;

    #[test]
    fn a_stop_is_news_and_stays_above_the_table_until_it_is_over() {
        let stopped = Stopped { reason: "wrong tokens".to_owned(), ..Stopped::default() };
        let event = |event| WatchSchedulesResponse { event: Some(event) };
        let mut schedules = Schedules::default();
        let line = schedules.apply(event(Event::Stopped(stopped))).unwrap();
        assert!(
            line.starts_with("THE FLEET IS STOPPED") && line.ends_with("wrong tokens"),
            "{line}"
        );
        let first = |schedules: &Schedules| schedules.lines(Timestamp::UNIX_EPOCH, None)[0].clone();
        assert!(first(&schedules).starts_with("THE FLEET IS STOPPED"));
        assert!(schedules.apply(event(Event::Resumed(Default::default()))).is_some());
        assert!(!first(&schedules).contains("STOPPED"));
    }

    #[test]
    fn a_pause_and_its_end_are_news_and_the_paused_stand_above_the_table() {
        let paused = |names: &[&str]| {
            let pause = |name: &&str| Pause { namespace: (*name).to_owned(), ..Pause::default() };
            let event = Event::Pauses(Pauses { pauses: names.iter().map(pause).collect() });
            WatchSchedulesResponse { event: Some(event) }
        };
        let mut schedules = Schedules::default();
        let line = schedules.apply(paused(&["shoot-1"])).unwrap();
        assert!(line.starts_with("shoot shoot-1 is paused by"), "{line}");
        let lines = schedules.lines(Timestamp::UNIX_EPOCH, None);
        assert!(lines[0].starts_with("shoot shoot-1 is paused"), "{lines:?}");
        let line = schedules.apply(paused(&["shoot-2"])).unwrap();
        assert!(
            line.starts_with("shoot shoot-2 is paused")
                && line.ends_with("; shoot shoot-1 is resumed")
        );
        assert_eq!(schedules.apply(paused(&["shoot-2"])), None);
    }

    fn renewed_at(seconds: i64) -> WatchSchedulesResponse {
        let at = Some(prost_types::Timestamp { seconds, nanos: 0 });
        let schedule = Schedule {
            namespace: "shoot--lab--1".to_owned(),
            name: "access".to_owned(),
            state: State::Fresh.into(),
            issued_at: at,
            last_renewal: Some(Renewal { at, reason: "due".to_owned(), took: None }),
            ..Schedule::default()
        };
        WatchSchedulesResponse { event: Some(Event::Upsert(schedule)) }
    }

    #[test]
    fn a_renewal_is_news_and_the_first_set_is_not() {
        let mark =
            WatchSchedulesResponse { event: Some(Event::SnapshotComplete(SnapshotComplete {})) };
        let mut schedules = Schedules::default();
        assert_eq!(schedules.apply(renewed_at(1)), None);
        assert_eq!(schedules.apply(mark).as_deref(), Some("1 access Secrets"));
        assert_eq!(schedules.apply(renewed_at(1)), None);
        let line = schedules.apply(renewed_at(7));
        assert_eq!(line.as_deref(), Some("shoot--lab--1/access  renewed (due)"));
    }

    #[test]
    fn a_renewal_is_told_when_it_is_over_and_only_once() {
        let in_state = |state: State| {
            let mut message = renewed_at(7);
            if let Some(Event::Upsert(schedule)) = &mut message.event {
                schedule.set_state(state);
            }
            message
        };
        let mut schedules = Schedules { complete: true, ..Schedules::default() };
        assert_eq!(schedules.apply(in_state(State::Renewing)), None);
        assert!(schedules.apply(in_state(State::Fresh)).is_some());
        assert_eq!(schedules.apply(in_state(State::Fresh)), None);
    }
}
