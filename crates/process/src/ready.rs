//! Readiness as a set of gates.
//!
//! Whoever must have finished something before the process may take work holds a [`Gate`]. A gate
//! starts closed; the process is ready when all are open. Register all gates before the admin port
//! is served, or the process looks ready before it is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The readiness of a process. Clones are the same set of gates.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    gates: Mutex<Vec<Entry>>,
    ready: watch::Sender<bool>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    closed: Option<String>, // the reason, `None` when open
}

/// A gate that is closed, for the answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What the process waits for.
    pub gate: String,
    /// Why it is not there.
    pub reason: String,
}

/// One condition of readiness. Dropping it leaves it as it is, so a task that died before it
/// opened its gate keeps the process unready.
#[derive(Debug)]
pub struct Gate {
    index: usize,
    shared: Arc<Shared>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// Readiness without gates, which is true.
    #[must_use]
    pub fn new() -> Self {
        let ready = watch::Sender::new(true);
        Self(Arc::new(Shared { gates: Mutex::default(), ready }))
    }

    /// Adds a condition, closed. The name says what is waited for: `snapshot of access Secrets`.
    #[must_use = "a gate that nobody opens keeps the process unready"]
    pub fn gate(&self, name: impl Into<String>) -> Gate {
        let mut gates = self.0.lock();
        let index = gates.len();
        gates.push(Entry { name: name.into(), closed: Some("not yet".to_owned()) });
        self.0.publish(&gates);
        Gate { index, shared: Arc::clone(&self.0) }
    }

    /// Whether every gate is open.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.0.ready.borrow()
    }

    /// The closed gates, in the order they were added. Empty when ready.
    #[must_use]
    pub fn report(&self) -> Vec<Missing> {
        let missing = |entry: &Entry| {
            let reason = entry.closed.clone()?;
            Some(Missing { gate: entry.name.clone(), reason })
        };
        self.0.lock().iter().filter_map(missing).collect()
    }

    /// Follows readiness, for the gRPC health service.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.0.ready.subscribe()
    }
}

impl Gate {
    /// The condition holds.
    pub fn open(&self) {
        self.set(None);
    }

    /// The condition does not hold (any more).
    pub fn close(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    fn set(&self, closed: Option<String>) {
        let mut gates = self.shared.lock();
        if let Some(entry) = gates.get_mut(self.index) {
            entry.closed = closed;
        }
        self.shared.publish(&gates);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the locked gates, so that two changes cannot be published in the wrong order.
    fn publish(&self, gates: &[Entry]) {
        let ready = gates.iter().all(|entry| entry.closed.is_none());
        self.ready.send_if_modified(|held| std::mem::replace(held, ready) != ready);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_every_gate_is_open() {
        let readiness = Readiness::new();
        let secrets = readiness.gate("snapshot of access Secrets");
        let shoots = readiness.gate("shoot status");
        assert!(!readiness.is_ready());

        secrets.open();
        assert!(!readiness.is_ready());

        shoots.open();
        assert!(readiness.is_ready());
        assert_eq!(readiness.report(), []);
    }

    #[test]
    fn the_report_names_what_is_missing_and_why() {
        let readiness = Readiness::new();
        let secrets = readiness.gate("snapshot of access Secrets");
        let _shoots = readiness.gate("shoot status");
        secrets.close("watch refused: forbidden");

        let lines: Vec<_> =
            readiness.report().into_iter().map(|m| format!("{}: {}", m.gate, m.reason)).collect();
        assert_eq!(
            lines,
            ["snapshot of access Secrets: watch refused: forbidden", "shoot status: not yet"]
        );
    }

    #[tokio::test]
    async fn a_subscriber_sees_a_gate_close_again() {
        let readiness = Readiness::new();
        let gate = readiness.gate("lease");
        let mut ready = readiness.subscribe();

        gate.open();
        ready.wait_for(|ready| *ready).await.unwrap();
        gate.close("lost");
        ready.wait_for(|ready| !*ready).await.unwrap();
    }

    #[test]
    fn a_gate_that_was_dropped_closed_stays_closed() {
        let readiness = Readiness::new();
        drop(readiness.gate("lease"));

        assert!(!readiness.is_ready());
    }
}
