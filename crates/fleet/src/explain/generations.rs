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
    pub older: Vec<Number>,
    pub older_until: Option<Timestamp>,
    pub seen_at: Option<Timestamp>,
}

impl Subject<'_> {
    /// `None` where the Secret is not revocable.
    pub(super) fn generations(&self) -> Option<Generations> {
        let family = observe::family(&self.entry.record)?;
        let seen = decision::as_seen(self.now, &self.entry.record, self.shoot);
        let record = seen.record.as_ref();
        let note = record.issued.as_ref().filter(|note| note.reason == Reason::Revoked);
        let older = self.fleet.older_left(self.secret, self.entry);
        let object = |number| format!("{}/{}", family.namespace, family.name(number));
        Some(Generations {
            present: bound_to(record).map(|number| (number, object(number))),
            since: note.map(|note| note.at),
            older_until: self.older_until().filter(|_| !older.is_empty()),
            older,
            seen_at: self.seen(&family),
        })
    }

    fn seen(&self, family: &Family) -> Option<Timestamp> {
        self.status()?.generations.get(family).map(|seen| seen.at)
    }

    /// By what was noted, or sooner where an operator shortened it.
    fn older_until(&self) -> Option<Timestamp> {
        let asked = self.fleet.grace_end(self.entry);
        let noted = decision::older_until(&self.entry.record, self.shoot);
        [noted, asked].into_iter().flatten().min()
    }

    /// Older generations are still there: a revocation is not at its end.
    pub(super) fn older_left(&self) -> Option<Finding> {
        let Generations { present: Some((present, _)), older, older_until, .. } =
            self.generations()?
        else {
            return None;
        };
        let older = match older.as_slice() {
            [] => return None,
            [one] => format!("generation {one}, older than that of its token ({present}), is"),
            many => {
                let many: Vec<_> = many.iter().map(Number::to_string).collect();
                format!(
                    "generations {}, older than that of its token ({present}), are",
                    many.join(", ")
                )
            }
        };
        let until = match older_until.filter(|until| *until > self.now) {
            Some(until) => {
                let grace = length(until.duration_since(self.now).as_secs());
                format!("until the grace is over at {until:.0} (in {grace})")
            }
            None => "and to be deleted now".to_owned(),
        };
        let cause = format!("Tokens are being revoked: {older} still there, {until}.");
        Some(finding(cause, Remedy::default()))
    }
}
