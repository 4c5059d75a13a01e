//! Readiness: both first whole sets.

use perennial_process::ready::{Gate, Readiness};

/// Gates that the engine opens, each once.
#[derive(Debug)]
pub struct Gates {
    pub(super) records: FirstSet,
    pub(super) shoots: FirstSet,
}

/// The first whole set of something.
#[derive(Debug)]
pub(super) struct FirstSet {
    gate: Gate,
    is_in: bool,
}

impl Gates {
    /// Adds both gates, closed.
    #[must_use]
    pub fn add(readiness: &Readiness) -> Self {
        let first = |what| FirstSet { gate: readiness.gate(what), is_in: false };
        Self {
            records: first("first whole set of records"),
            shoots: first("first whole set of shoots"),
        }
    }
}

impl FirstSet {
    pub(super) fn show(&mut self, is_in: bool) {
        if is_in && !self.is_in {
            self.is_in = true;
            self.gate.open();
        }
    }

    /// Says why it is not in. Once it was, a stream that breaks does not undo it.
    pub(super) fn trouble(&self, why: String) {
        if !self.is_in {
            self.gate.close(why);
        }
    }
}
