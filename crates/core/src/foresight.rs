//! What cannot be done in time, before it is late. Pure.
//!
//! Everything that is to be done within [`HORIZON`] stands in two lines at once: that of its shoot
//! and that of all. In each line the earliest deadline goes first, at the rate at which that line is
//! served now; whoever is through both is done. What ends behind its latest moment *will be late*.
//!
//! It is no promise: the lines are looked at one by one, so what is foretold to be in time may still
//! come late where a full line of one kind holds up another. It never cries without need: what is
//! foretold to be late is late unless the rate gets better.

use std::{cmp::Reverse, collections::BinaryHeap};

/// How far ahead is looked, in seconds.
pub const HORIZON_SECONDS: f64 = 600.0;

#[cfg(test)]
mod tests;

/// Something to be done. Moments are seconds from now, and may be negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Task {
    /// Which line, an index into the rates of [`foresee`].
    pub line: usize,
    /// Not before this; infinite where it is not known when.
    pub from: f64,
    /// Orders the line; lower goes first.
    pub deadline: f64,
    /// Late from then on, where it can be.
    pub late_at: Option<f64>,
    /// Nothing usable is left from then on, where something is.
    pub expires_at: Option<f64>,
}

/// How many of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Foreseen {
    /// Are in time now, and will be late.
    pub late: usize,
    /// Are usable now, and will expire before they are renewed.
    pub expire: usize,
}

impl Foreseen {
    /// Whether something goes wrong.
    #[must_use]
    pub const fn is_bad(&self) -> bool {
        self.late > 0 || self.expire > 0
    }
}

/// What becomes of `tasks`, where each line is served at its rate (tasks a second, 0 for not at all),
/// and all lines together at `all`.
#[must_use]
pub fn foresee(tasks: &[Task], lines: &[f64], all: f64) -> Foreseen {
    let mut by_line: Vec<Vec<usize>> = vec![Vec::new(); lines.len()];
    for (index, task) in tasks.iter().enumerate() {
        if let Some(line) = by_line.get_mut(task.line) {
            line.push(index);
        }
    }
    let mut done = vec![0.0_f64; tasks.len()];
    let mut queue = |line: Vec<usize>, rate: f64| serve(tasks, line, rate, &mut done);
    queue((0..tasks.len()).collect(), all);
    by_line.into_iter().zip(lines).for_each(|(line, rate)| queue(line, *rate));
    let passes = |moment: Option<f64>, done: f64| {
        let within = if done.is_finite() { f64::INFINITY } else { HORIZON_SECONDS };
        moment.is_some_and(|moment| (0.0..=within).contains(&moment) && done > moment)
    };
    let each = || tasks.iter().zip(&done);
    Foreseen {
        late: each().filter(|(task, done)| passes(task.late_at, **done)).count(),
        expire: each().filter(|(task, done)| passes(task.expires_at, **done)).count(),
    }
}

/// One line, one after the other. Raises `done` to when each is through.
fn serve(tasks: &[Task], mut line: Vec<usize>, rate: f64, done: &mut [f64]) {
    if rate <= 0.0 {
        line.iter().for_each(|index| done[*index] = f64::INFINITY);
        return;
    }
    line.sort_by(|a, b| tasks[*a].from.total_cmp(&tasks[*b].from));
    let mut coming = line.into_iter().peekable();
    let mut ready = BinaryHeap::new();
    let mut now = 0.0_f64;
    loop {
        while let Some(index) = coming.next_if(|index| tasks[*index].from <= now) {
            ready.push(Reverse((Deadline(tasks[index].deadline), index)));
        }
        let Some(Reverse((_, index))) = ready.pop() else {
            let Some(next) = coming.peek() else { return };
            now = tasks[*next].from; // infinite for what waits without end
            continue;
        };
        now += 1.0 / rate;
        done[index] = done[index].max(now);
    }
}

#[derive(PartialEq)]
struct Deadline(f64);

impl Eq for Deadline {}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Deadline {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
