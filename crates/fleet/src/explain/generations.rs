//! What the token of a revocable Secret is bound to, and what is left of older generations.

use jiff::Timestamp;
use perennial_core::{
    decision::{self, bound_to},
    generation::{Family, Number},
    length::length,
    reason::Reason,
};

use super::{Finding, Subject, findings::finding, remedy::Remedy};
use crate::observe;

/// Fields are explained in `scheduler.proto`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "explained in scheduler.proto")]
pub struct Generations {
    pub present: Option<(Number, String)>,
    pub since: Option<Timestamp>,
    pub older: Vec<(Number, Option<Timestamp>)>,
    pub seen_at: Option<Timestamp>,
}

impl Subject<'_> {
    /// `None` where the Secret is not revocable.
    pub(super) fn generations(&self) -> Option<Generations> {
        let family = observe::family(&self.entry.record())?;
        let own = self.entry.record();
        let seen = decision::as_seen(self.now, &own, self.shoot);
        let record = seen.record.as_ref();
        let note = record.issued.as_ref().filter(|note| note.reason == Reason::Revoked);
        let older = self.fleet.older_left(self.secret, self.entry);
        let ends = self.fleet.ends(self.now, self.entry);
        let object = |number| format!("{}/{}", family.namespace, family.name(number));
        Some(Generations {
            present: bound_to(record).map(|number| (number, object(number))),
            since: note.map(|note| note.at),
            older: older.into_iter().map(|number| (number, ends.of(number))).collect(),
            seen_at: self.seen(&family),
        })
    }

    fn seen(&self, family: &Family) -> Option<Timestamp> {
        self.status()?.generations.get(family).map(|seen| seen.at)
    }

    /// Older generations are still there: a revocation is not at its end.
    pub(super) fn older_left(&self) -> Option<Finding> {
        let Generations { present: Some((present, _)), older, .. } = self.generations()? else {
            return None;
        };
        let goes = |(number, until): &(Number, Option<Timestamp>)| match until
            .filter(|until| *until > self.now)
        {
            Some(until) => {
                let grace = length(until.duration_since(self.now).as_secs());
                format!("{number} until its grace is over at {until:.0} (in {grace})")
            }
            None => format!("{number} to be deleted now"),
        };
        let all: Vec<_> = older.iter().map(goes).collect();
        let generations = match all.len() {
            0 => return None,
            1 => "generation",
            _ => "generations",
        };
        let cause = format!(
            "Tokens are being revoked: older than that of its token ({present}) and still there: \
             {generations} {}.",
            all.join(", ")
        );
        Some(finding(cause, Remedy::default()))
    }
}
