//! How far a revocation is, for whoever watches it.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::{
    decision::{self, ShootView, bound_to},
    generation::{Number, REFUSED_WITHIN},
    length::length,
    name::SecretRef,
    record::Record,
};

use super::{Done, Revocation};
use crate::{
    Fleet,
    entry::{Entry, Standing},
    observe,
    request::Error,
    schedule::words,
};

/// How far it is. Fields are explained in `scheduler.proto`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "explained in scheduler.proto")]
pub struct Progress {
    pub phase: Phase,
    pub generation: Number,
    pub present: Option<Number>,
    pub until: Option<Timestamp>,
    pub detail: String,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "explained in scheduler.proto")]
pub enum Phase {
    Token,
    Grace,
    Deleting,
    Confirming,
    Done { refused: bool },
}

impl Revocation {
    /// From when on no old token works: the API server forgets what it has cached. Where one was
    /// taken, only one that is refused ends it.
    pub(super) fn refused_at(&self, now: Timestamp) -> Option<Done> {
        let over = self.gone_since?.checked_add(REFUSED_WITHIN).ok()?;
        (over <= now && !self.unconfirmed).then_some(Done { at: now, refused: false })
    }

    fn longer_ignored(&self) -> String {
        let seconds = |grace: Duration| length(grace.as_secs().cast_signed());
        match (self.longer, self.grace) {
            (Some(longer), Some(own)) => format!(
                "the grace of {} that was asked for first counts; a longer one ({}) changes nothing",
                seconds(own),
                seconds(longer)
            ),
            (None, _) | (_, None) => String::new(),
        }
    }
}

impl Fleet {
    /// How far the revocation of a Secret is; `None` where there is none, or none any more.
    ///
    /// # Errors
    /// When it cannot come to its end: the Secret is gone, or is not revocable any more.
    #[must_use]
    pub fn revocation(
        &self,
        now: Timestamp,
        secret: &SecretRef,
    ) -> Option<Result<Progress, Error>> {
        let Some(entry) = self.members.get(secret) else {
            return Some(Err(self.missing(secret)));
        };
        let revocation = self.revocations.0.get(secret)?;
        let is_off = entry.record().inputs.as_ref().is_ok_and(|inputs| !inputs.revocable);
        if is_off && revocation.done.is_none() {
            return Some(Err(self.unbound(now, entry).and_stays(revocation.up_to)));
        }
        Some(Ok(self.progress(now, entry, revocation)))
    }

    fn progress(&self, now: Timestamp, entry: &Entry, revocation: &Revocation) -> Progress {
        let secret = &entry.record().secret;
        let view = self.shoots.view(&secret.namespace);
        let own = entry.record();
        let seen = decision::as_seen(now, &own, view);
        let present = bound_to(&seen.record);
        let (phase, until) = self.phase(now, entry, &seen.record, revocation);
        let (detail, keeps_until) = match phase {
            Phase::Token | Phase::Deleting => self.what_keeps(now, secret, entry),
            Phase::Confirming if revocation.unconfirmed => self.what_keeps(now, secret, entry),
            Phase::Grace => (revocation.longer_ignored(), None),
            Phase::Confirming | Phase::Done { .. } => (String::new(), None),
        };
        let until = until.or(keeps_until);
        Progress { phase, generation: revocation.up_to, present, until, detail }
    }

    fn phase(
        &self,
        now: Timestamp,
        entry: &Entry,
        record: &Record,
        revocation: &Revocation,
    ) -> (Phase, Option<Timestamp>) {
        if let Some(Done { refused, .. }) = revocation.done {
            return (Phase::Done { refused }, None);
        }
        if bound_to(record).is_none_or(|present| present <= revocation.up_to) {
            return (Phase::Token, None);
        }
        if let Some(gone) = revocation.gone_since {
            let until = gone.checked_add(REFUSED_WITHIN).ok().filter(|_| !revocation.unconfirmed);
            return (Phase::Confirming, until);
        }
        let until = self.ends(now, entry).of(revocation.up_to);
        match until.filter(|until| *until > now) {
            Some(until) => (Phase::Grace, Some(until)),
            None => (Phase::Deleting, None),
        }
    }

    /// What keeps the next step, and until when.
    fn what_keeps(
        &self,
        now: Timestamp,
        secret: &SecretRef,
        entry: &Entry,
    ) -> (String, Option<Timestamp>) {
        let detail = self.detail(now, secret, entry);
        match &entry.standing {
            Standing::Waiting { until, .. } => (detail, Some(*until)),
            Standing::Renewing { .. } => ("it is being done".to_owned(), None),
            Standing::Fresh { .. } => match self.held_back_at(now, &secret.namespace) {
                Some(why) => (words::held_back(why), None),
                None => ("the generations in the shoot are looked at".to_owned(), None),
            },
            _ => (detail, None),
        }
    }

    /// Whether all generations are gone that are revoked, as far as was seen. A view that does not
    /// have the token's own generation is from before it was made, or its own end is not known.
    pub(super) fn older_are_gone(&self, now: Timestamp, secret: &SecretRef) -> bool {
        let (Some(entry), Some(revocation)) =
            (self.members.get(secret), self.revocations.0.get(secret))
        else {
            return false;
        };
        let ShootView::Seen(status) = self.shoots.view(&secret.namespace) else { return false };
        let own = entry.record();
        let record = decision::as_seen(now, &own, ShootView::Seen(status)).record;
        let seen = observe::family(&record).and_then(|family| status.generations.get(&family));
        let bound = record.held.claims().and_then(|claims| claims.bound.as_ref());
        let (Some(seen), Some(present), Some(bound)) = (seen, bound_to(&record), bound) else {
            return false;
        };
        present > revocation.up_to
            && seen.has(present, &bound.uid)
            && !seen.has_older(revocation.up_to.saturating_add(1))
    }
}
