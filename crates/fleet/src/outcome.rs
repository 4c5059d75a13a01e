//! How an attempt ended, and what follows from it.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::{backoff, failure::Kind, name::SecretRef, reason::Reason, record::Record};

use super::{
    Fleet, Flight, WriterAway,
    attempts::{Blame, Fault, Pause, RETRY_AFTER_MAX, WRITER_PAUSE, Why, elapsed},
    entry::Entry,
    history::Attempt,
    limits::Call,
    outages::{End, Turn},
};

/// An attempt that has ended, for logs and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Why it was made.
    pub reason: Reason,
    /// From the order to its end.
    pub took: Duration,
    /// From the planned moment to the written Secret, for a renewal that had one and was done.
    pub lateness: Option<Duration>,
    /// What went away or is back, as it showed.
    pub turns: Vec<Turn>,
}

/// What the secret-writer answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The Secret as it is then.
    pub record: Record,
    /// A token of a generation that is no more was tried, and the shoot refused it.
    pub old_token_refused: bool,
}

impl From<Record> for Answer {
    fn from(record: Record) -> Self {
        Self { record, old_token_refused: false }
    }
}

impl Fleet {
    /// Tells how the attempt number `attempt` at a Secret ended. `None` where there is no such
    /// attempt.
    pub fn finished(
        &mut self,
        now: Timestamp,
        secret: &SecretRef,
        attempt: u64,
        outcome: Result<impl Into<Answer>, Fault>,
    ) -> Option<Finished> {
        if self.flights.get(secret)?.attempt != attempt {
            return None;
        }
        let flight = self.flights.remove(secret)?;
        let took = elapsed(flight.since, now);
        let usable_until = self.members.get(secret).and_then(Entry::usable_until);
        let (needs_token, fault) = (flight.reason.needs_token(), outcome.as_ref().err().cloned());
        let outcome = outcome.map(Into::into);
        let told = outcome.as_ref().map(|_: &Answer| needs_token.then_some(took));
        let call = Call { number: attempt, hang: flight.hang, outcome: told };
        self.landed(now, secret, &call);
        let mut finished = Finished {
            reason: flight.reason,
            took,
            turns: Vec::new(),
            lateness: flight.planned_and_due().filter(|_| outcome.is_ok()).map(|p| elapsed(p, now)),
        };
        match outcome {
            Ok(answer) => self.renewed(now, secret, &flight, answer),
            Err(fault) => self.failed(now, secret, &flight, &fault),
        }
        let end = End { secret, attempt, needs_token, fault: fault.as_ref(), usable_until };
        finished.turns = self.judge_outages(now, end);
        self.effects.changed.insert(secret.clone());
        self.settle(now, secret);
        let entry = self.members.get_mut(secret);
        if let Some(entry) = entry.filter(|entry| entry.has_moved_from(&flight.digest)) {
            entry.absolve(); // also where the answer was lost and the stream showed the write
        }
        self.members.tidy(&secret.namespace);
        self.review(now, &secret.namespace);
        Some(finished)
    }

    fn renewed(&mut self, now: Timestamp, secret: &SecretRef, flight: &Flight, answer: Answer) {
        self.writer = None;
        let Answer { record: mut answer, old_token_refused } = answer;
        if flight.reason == Reason::GenerationLeft {
            let done = (flight.generation, old_token_refused);
            self.revocations.deleted(now, &answer, done);
        }
        self.members.share_texts(&mut answer);
        let Some(member) = self.members.shoot_mut(&secret.namespace) else { return };
        let Some(entry) = member.secrets.get_mut(&secret.name) else { return };
        if !entry.kept.has_uid(&answer.uid) {
            return; // deleted and made anew meanwhile
        }
        entry.kept.mark().iter().for_each(|mark| member.marks.remove(mark));
        let token = answer.issued.as_ref().map(|note| note.sha256.short());
        let took = elapsed(flight.since, now);
        entry.attempts.history.keep(flight.attempt(took), None);
        if flight.reason.needs_token() {
            entry.attempts.succeeded(token, took);
        } else {
            entry.attempts.repair_ended(now, flight.reason);
        }
        entry.take_answer(answer, &flight.digest);
        entry.kept.mark().iter().for_each(|mark| member.marks.add(mark));
    }

    fn failed(&mut self, now: Timestamp, secret: &SecretRef, flight: &Flight, fault: &Fault) {
        if fault.blame == Blame::Writer {
            let pause = Pause::new(now, WRITER_PAUSE, WRITER_PAUSE, Why::Failed);
            self.writer = Some(WriterAway { pause, message: fault.message.clone() });
        } else {
            self.writer = None; // it answered
        }
        let Some(entry) = self.members.get_mut(secret) else { return };
        let was_tried = fault.blame != Blame::Writer && fault.kind != Kind::Changed;
        if flight.reason == Reason::GenerationLeft && was_tried {
            self.revocations.not_confirmed(&entry.record(), flight.generation);
        }
        entry.take_fault(now, flight, fault);
        let slow_down = entry.attempts.pause(now).filter(|_| fault.blame == Blame::Shoot);
        if let (Some(pause), Some(member)) = (slow_down, self.members.shoot_mut(&secret.namespace))
        {
            member.pause = Some(pause);
        }
    }
}

impl Flight {
    fn attempt(&self, took: Duration) -> Attempt {
        Attempt::ended(self.attempt, self.since, took, self.reason)
    }

    /// The planned moment, where the renewal was made because it had come.
    fn planned_and_due(&self) -> Option<Timestamp> {
        self.planned.filter(|_| self.reason == Reason::Due)
    }
}

impl Entry {
    /// Each class of failure has its own reaction.
    fn take_fault(&mut self, now: Timestamp, flight: &Flight, fault: &Fault) {
        let took = elapsed(flight.since, now);
        self.attempts.history.keep(flight.attempt(took), Some(fault));
        let moved = self.has_moved_from(&flight.digest);
        let asked = fault.retry_after.map(|pause| pause.min(RETRY_AFTER_MAX));
        match (fault.blame, fault.kind, asked) {
            // Nothing is said of this Secret; the pause of all is its pause.
            (Blame::Writer, ..) => self.attempts.note(now, fault),
            (_, Kind::Changed, _) => self.attempts.await_record(now, Self::record_wait(moved)),
            // The token is good; what keeps a repair must not keep its renewal.
            (_, kind, None) if !flight.reason.needs_token() && kind != Kind::Throttled => {
                self.attempts.note(now, fault);
                self.attempts.repair_ended(now, flight.reason);
            }
            (_, Kind::Held, Some(asked)) => {
                self.attempts.note(now, fault);
                self.attempts.held(now, asked);
            }
            (_, Kind::Invalid, _) => {
                self.attempts.failed(now, fault);
                let pause = if moved { Duration::ZERO } else { backoff::PAUSE_MAX };
                self.attempts.back_off(now, pause);
            }
            (_, Kind::Throttled, asked) => {
                self.attempts.failed(now, fault);
                let pause = self.pause(now).max(asked.unwrap_or_default());
                self.attempts.slow_down(now, pause);
            }
            (
                _,
                Kind::Held
                | Kind::NotFound
                | Kind::Denied
                | Kind::Unavailable
                | Kind::TimedOut
                | Kind::Internal,
                asked,
            ) => {
                self.attempts.failed(now, fault);
                let pause = self.pause(now).max(asked.unwrap_or_default());
                self.attempts.back_off(now, pause);
            }
        }
    }

    fn pause(&self, now: Timestamp) -> Duration {
        backoff::pause(now, self.attempts.failures, self.usable_until(), self.place())
    }
}
