//! Schedules as a stream: the whole set page by page, a mark, then what changes.
//!
//! Changes are collected from the first moment on, once per Secret, so nothing is missed between
//! set and changes, and a slow reader gets the last state and not every one.

use std::sync::Arc;

use futures::{StreamExt as _, stream::BoxStream};
use perennial_core::name::{Namespace, SecretRef};
use perennial_process::supervise::Shutdown;
use perennial_proto::scheduler::v1::{
    Pauses, Resumed, SnapshotComplete, WatchSchedulesResponse, watch_schedules_response::Event,
};
use perennial_rpc::status::to_status;
use tonic::Status;

use super::{convert, error::Error, pause, stop::stopped};
use crate::board::{Board, TooSlow, Watcher};
use perennial_fleet::{schedule::Schedule, stop::Switch};

/// Schedules that are read under one hold of the lock.
const PAGE: usize = 256;

pub(super) fn stream(
    board: Arc<Board>,
    watcher: Arc<Watcher>,
    namespace: Option<Namespace>,
    shutdown: Shutdown,
) -> BoxStream<'static, Result<WatchSchedulesResponse, Status>> {
    let events = async_stream::try_stream! {
        let mut switch = board.follow_switch();
        let mut was_stopped = false;
        let held = switch.borrow_and_update().clone();
        if let Some(event) = turned(&held, &mut was_stopped) {
            yield event;
        }
        let mut revision = board.follow_pauses();
        revision.mark_unchanged();
        let paused = pauses(&board, namespace.as_ref());
        if !paused.pauses.is_empty() {
            yield Event::Pauses(paused);
        }
        let mut after: Option<SecretRef> = None;
        loop {
            let page = board.schedules(namespace.as_ref(), after.as_ref(), PAGE);
            let Some(last) = page.last() else { break };
            after = Some(last.secret.clone());
            for schedule in page {
                yield upsert(schedule);
            }
        }
        yield Event::SnapshotComplete(SnapshotComplete {});
        loop {
            let changed = tokio::select! {
                changed = watcher.changes() => changed,
                Ok(()) = switch.changed() => {
                    let held = switch.borrow_and_update().clone();
                    if let Some(event) = turned(&held, &mut was_stopped) {
                        yield event;
                    }
                    continue;
                }
                Ok(()) = revision.changed() => {
                    yield Event::Pauses(pauses(&board, namespace.as_ref()));
                    continue;
                }
            };
            let changed = changed.map_err(|TooSlow| to_status(&Error::TooSlow))?;
            for secret in changed {
                let schedule = board.schedule(&secret);
                yield schedule.map_or_else(|| removed(secret), upsert);
            }
        }
    };
    let events = events.map(|event: Result<Event, Status>| {
        event.map(|event| WatchSchedulesResponse { event: Some(event) })
    });
    events.take_until(shutdown.requested_owned()).boxed()
}

fn pauses(board: &Board, namespace: Option<&Namespace>) -> Pauses {
    Pauses { pauses: board.read(|fleet, _| pause::all(fleet, namespace)) }
}

/// What is told of the switch; nothing where the fleet was not stopped and is not.
fn turned(switch: &Switch, was_stopped: &mut bool) -> Option<Event> {
    match (switch, *was_stopped) {
        (Switch::Stopped(stop), _) => {
            *was_stopped = true;
            Some(Event::Stopped(stopped(stop)))
        }
        (Switch::Running | Switch::Unread, true) => {
            *was_stopped = false;
            Some(Event::Resumed(Resumed {}))
        }
        (Switch::Running | Switch::Unread, false) => None,
    }
}

fn upsert(schedule: Schedule) -> Event {
    Event::Upsert(convert::schedule(schedule))
}

fn removed(secret: SecretRef) -> Event {
    Event::Removed(convert::secret_name(secret))
}
