//! Watches: what happened after a version, and then what happens.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::{sync::watch::Receiver, time};

use super::{
    refusal::Refusal,
    selector::Selector,
    state::{Shared, State},
    store::Change,
    target::Target,
};

/// When a watch ends whose client names no end.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30 * 60);

struct Watch {
    shared: Shared,
    changed: Receiver<()>,
    selector: Selector,
    generation: u64,
    cursor: u64,
    pending: VecDeque<Value>,
    ended: bool,
}

/// The lines of a watch.
pub(super) fn lines(
    shared: Shared,
    selector: Selector,
    target: &Target,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + use<> {
    let timeout = target.asks("timeoutSeconds").and_then(|text| text.parse().ok());
    let timeout = timeout.map_or(TIMEOUT_DEFAULT, Duration::from_secs);
    let watch = Watch::begin(shared, selector, target);
    let lines = stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok(Bytes::from(format!("{event}\n"))), watch))
    });
    lines.take_until(time::sleep(timeout))
}

impl Watch {
    fn begin(shared: Shared, selector: Selector, target: &Target) -> Self {
        let version = target.asks("resourceVersion").and_then(|text| text.parse().ok());
        let marks_present = target.asks("sendInitialEvents") == Some("true");
        let mut watch = Self {
            changed: shared.follow(),
            generation: shared.look(|state| state.watch_generation),
            shared,
            selector,
            cursor: version.unwrap_or_default(),
            pending: VecDeque::new(),
            ended: false,
        };
        if marks_present || watch.cursor == 0 {
            watch.send_present(marks_present);
        }
        watch
    }

    /// Everything there is as if it had just been made, and the mark after it if asked for.
    fn send_present(&mut self, mark: bool) {
        let (version, present) = self.shared.look(|state| {
            let all = state.store.all(self.selector.resource);
            let present = all.filter(|object| self.selector.matches(object));
            (state.store.version(), present.map(|o| event("ADDED", o.clone())).collect())
        });
        self.cursor = version;
        self.pending = present;
        if mark {
            let resource = self.selector.resource;
            let bookmark = json!({
                "kind": resource.kind, "apiVersion": resource.api_version(),
                "metadata": {"resourceVersion": version.to_string(),
                    "annotations": {"k8s.io/initial-events-end": "true"}},
            });
            self.pending.push_back(event("BOOKMARK", bookmark));
        }
    }

    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            self.changed.mark_unchanged();
            let shared = self.shared.clone();
            if shared.look(|state| self.collect(state)) {
                self.changed.changed().await.ok()?;
            }
        }
    }

    /// Takes what is new; `true` when there was nothing.
    fn collect(&mut self, state: &State) -> bool {
        if state.watches_stalled {
            return true;
        }
        if state.watch_generation != self.generation {
            self.ended = true;
        } else if self.cursor < state.store.oldest() {
            let refusal = Refusal::expired(self.cursor, state.store.oldest());
            self.pending.push_back(event("ERROR", refusal.status()));
            self.ended = true;
        } else {
            let news = state.store.since(self.cursor);
            self.pending.extend(news.filter_map(|change| told(change, &self.selector)));
            self.cursor = state.store.version();
        }
        self.pending.is_empty() && !self.ended
    }
}

/// What one change is to somebody who sees only what the selector matches.
fn told(change: &Change, selector: &Selector) -> Option<Value> {
    if change.qualified != selector.resource.qualified() {
        return None;
    }
    let seen = |object: &Option<Value>| object.clone().filter(|object| selector.matches(object));
    match (seen(&change.before), seen(&change.after)) {
        (None, Some(after)) => Some(event("ADDED", after)),
        (Some(_), Some(after)) => Some(event("MODIFIED", after)),
        (Some(mut before), None) => {
            before["metadata"]["resourceVersion"] = change.version.to_string().into();
            Some(event("DELETED", before))
        }
        (None, None) => None,
    }
}

fn event(kind: &str, object: Value) -> Value {
    json!({"type": kind, "object": object})
}
