//! Revocations that operators asked for (contract, section D).
//!
//! What is to be done about a Secret is seen from outside, whoever began it: see
//! [`perennial_core::generation`]. What is kept here is only what an operator wants beyond that:
//! that tokens up to a generation go, how long the grace is, and how far it is. A restart loses it
//! and nothing else: a revocation that has begun goes on, and whoever asks again sees how far it is.
//!
//! [`progress`] tells how far it is, [`unbound`] what can be done where nothing can be revoked.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    decision::{self, Decision, Policy, ShootView, bound_to},
    generation::{End, Ends, GRACE_MAX, Number},
    name::SecretRef,
    reason::Reason,
    record::Record,
};

use super::{Fleet, entry::Entry, observe, request::Error};

pub mod ordered;
pub mod progress;
mod unbound;

/// Most revocations that are remembered at once, with those that were done a moment ago. Each has
/// about 200 bytes.
pub const REVOCATIONS_MAX: usize = 1_024;
/// For so long one that is done is remembered, for whoever asks again after a stream was lost.
const DONE_KEPT: SignedDuration = SignedDuration::from_mins(10);

/// All of them. A Secret has one at a time.
#[derive(Debug, Default)]
pub(super) struct Revocations(BTreeMap<SecretRef, Revocation>);

#[derive(Debug)]
struct Revocation {
    /// Tokens up to this generation go.
    up_to: Number,
    /// The shortest grace that was asked for; `None` where nobody said.
    grace: Option<Duration>,
    /// A longer grace was asked for since, and counts for nothing.
    longer: Option<Duration>,
    /// Asked for, or for more than before, and its Secret was not decided about since.
    is_new: bool,
    /// The last call that was to delete older generations failed: whether they are gone, and an old
    /// token is refused, is to be asked for once more.
    unconfirmed: bool,
    /// When the first token of a newer generation was written: the grace counts from it, and not from
    /// each that is renewed meanwhile.
    newer_since: Option<Timestamp>,
    /// What was asked for before of generations older than these: it counts on.
    sooner: Ends,
    /// Since when the older generations are known to be gone, by our clock.
    gone_since: Option<Timestamp>,
    done: Option<Done>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Done {
    at: Timestamp,
    /// The shoot was seen to refuse an old token.
    refused: bool,
}

/// What a revocation adds to what is decided about a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Revoked {
    up_to: Number,
    /// When older generations go by the grace that was asked for, where one was.
    ends: Ends,
    unconfirmed: bool,
}

impl Revoked {
    /// All tokens up to those of this generation.
    pub(super) fn up_to(up_to: Number) -> Self {
        Self { up_to, ends: Ends::default(), unconfirmed: false }
    }

    /// Needs another token first: a token for whatever reason is one of the next generation.
    pub(super) fn on_top_of(
        &self,
        decision: Decision,
        now: Timestamp,
        record: &Record,
        shoot: ShootView<'_>,
        policy: &Policy,
    ) -> Decision {
        let earlier = match &decision {
            Decision::Keep { until } => Some(*until),
            Decision::Renew(reason) if !reason.needs_token() => None,
            _ => return decision,
        };
        match decision::decide_revoked(now, record, shoot, policy, (self.up_to, &self.ends)) {
            Decision::Keep { .. } if self.unconfirmed => Decision::Renew(Reason::GenerationLeft),
            Decision::Keep { until } => {
                let end = self.ends.next(now);
                let until = [earlier, end].into_iter().flatten().fold(until, Timestamp::min);
                Decision::Keep { until }
            }
            decision => decision,
        }
    }
}

impl Revocations {
    /// What is added to what is decided about a Secret.
    pub(super) fn of_entry(&self, entry: &Entry) -> Option<Revoked> {
        if self.0.is_empty() {
            return None; // as nearly always, and a record costs something to make
        }
        self.of(&entry.record())
    }

    /// The same, where a campaign may have put it into the queue to be revoked.
    pub(super) fn of_queued(
        &self,
        now: Timestamp,
        entry: &Entry,
        shoot: ShootView<'_>,
    ) -> Option<Revoked> {
        self.of_entry(entry).or_else(|| entry.revoked_by_campaign(now, shoot))
    }

    /// What it adds to what is decided about the Secret of this record.
    pub(super) fn of(&self, record: &Record) -> Option<Revoked> {
        let revocation =
            self.0.get(&record.secret).filter(|revocation| revocation.done.is_none())?;
        Some(Revoked {
            up_to: revocation.up_to,
            ends: revocation.ends(record),
            unconfirmed: revocation.unconfirmed && revocation.has_newer(record),
        })
    }

    /// Generations up to that one were deleted, or were gone already.
    pub(super) fn deleted(
        &mut self,
        now: Timestamp,
        record: &Record,
        (up_to, refused): (Number, bool),
    ) {
        let Some(revocation) = self.about(record, up_to) else { return };
        revocation.unconfirmed = false;
        revocation.gone_since.get_or_insert(now);
        if refused {
            revocation.done = Some(Done { at: now, refused });
        }
    }

    /// Nobody can say whether they were deleted, or a token of one was taken afterwards.
    pub(super) fn not_confirmed(&mut self, record: &Record, up_to: Number) {
        if let Some(revocation) = self.about(record, up_to) {
            revocation.unconfirmed = true;
        }
    }

    /// The revocation that generations up to that one are all of. Meanwhile somebody may have asked for
    /// more.
    fn about(&mut self, record: &Record, up_to: Number) -> Option<&mut Revocation> {
        let revocation = self.0.get_mut(&record.secret)?;
        let is_all = revocation.has_newer(record) && up_to >= revocation.up_to;
        (revocation.done.is_none() && is_all).then_some(revocation)
    }
}

impl Revocation {
    fn new(up_to: Number, grace: Option<Duration>) -> Self {
        let (unconfirmed, newer_since, gone_since, done) = (false, None, None, None);
        let (is_new, sooner) = (true, Ends::default());
        let longer = None;
        Self { up_to, grace, longer, is_new, unconfirmed, newer_since, sooner, gone_since, done }
    }

    /// Whether the token is of a newer generation.
    fn has_newer(&self, record: &Record) -> bool {
        bound_to(record).is_some_and(|present| present > self.up_to)
    }

    /// When older generations than that of this record go, as far as somebody said.
    fn ends(&self, record: &Record) -> Ends {
        let mut ends = self.sooner.clone();
        if self.has_newer(record) {
            let since = self.newer_since.or(record.issued.as_ref().map(|note| note.at));
            let end = since.zip(self.grace).and_then(|(at, grace)| at.checked_add(grace).ok());
            end.into_iter().for_each(|until| ends.add(End { up_to: self.up_to, until }));
        }
        ends
    }

    /// Whoever asks for more begins anew, and what was promised of older ones stays; who asks for the
    /// same sooner shortens the grace, and who asks for older ones alone theirs, from now on.
    /// `usual` is what counts as long as nobody said.
    fn join(
        &mut self,
        now: Timestamp,
        record: &Record,
        (up_to, grace): (Number, Option<Duration>),
        usual: Duration,
    ) {
        if up_to > self.up_to {
            let sooner = self.ends(record).settled(now);
            *self = Self { sooner, ..Self::new(up_to, grace) };
            return;
        }
        let Some(grace) = grace else { return };
        if up_to < self.up_to {
            let Ok(until) = now.checked_add(grace) else { return };
            self.is_new |= self.ends(record).of(up_to).is_none_or(|end| until < end);
            self.sooner.add(End { up_to, until });
        } else {
            let own = self.grace.unwrap_or(usual);
            if grace < own {
                (self.grace, self.is_new) = (Some(grace), true);
            } else if own < grace {
                (self.grace, self.longer) = (Some(own), Some(grace));
            }
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        // A clock that was set back does not keep it for ever.
        self.done.is_some_and(|done| now.duration_since(done.at).abs() > DONE_KEPT)
    }
}

impl Fleet {
    /// Has all tokens of a Secret revoked up to those of a generation; 0 means that of the
    /// revocation under way, else that of its token. Gives back which. It may be asked for as often
    /// as one likes: the shortest grace wins. [`Fleet::revocation`] tells how far it is.
    ///
    /// # Errors
    /// When nothing can be revoked.
    pub fn revoke(
        &mut self,
        now: Timestamp,
        secret: &SecretRef,
        generation: Number,
        grace: Option<Duration>,
    ) -> Result<Number, Error> {
        debug_assert!(grace.is_none_or(|grace| grace <= GRACE_MAX), "whoever asks has looked");
        let entry = self.members.get(secret).ok_or_else(|| self.missing(secret))?;
        self.take_requests(now, secret).map_err(|error| match error {
            Error::Stopped(secret, stop) => Error::RevokeStopped(secret, stop),
            error => error,
        })?;
        let record = &entry.record();
        if let Err(refusal) = &record.inputs {
            return Err(Error::Invalid(secret.clone(), refusal.clone()));
        }
        let present = self.revocable(secret, entry).ok_or_else(|| self.unbound(now, entry))?;
        let under_way = self.revocations.0.get(secret).filter(|r| r.done.is_none());
        let up_to = match (generation, under_way) {
            (0, Some(under_way)) => under_way.up_to,
            (0, None) => self.begun(secret, present),
            (asked, _) if asked > present => {
                return Err(Error::NoGeneration(secret.clone(), asked, present));
            }
            (asked, _) => asked,
        };
        let revocations = &mut self.revocations.0;
        if !revocations.contains_key(secret) && revocations.len() >= REVOCATIONS_MAX {
            return Err(Error::TooManyRevocations);
        }
        let view = self.shoots.view(&secret.namespace);
        let usual = decision::grace_of(record, view, up_to.saturating_add(1));
        let revocation = revocations.entry(secret.clone());
        let revocation = revocation
            .and_modify(|revocation| revocation.join(now, record, (up_to, grace), usual))
            .or_insert_with(|| Revocation::new(up_to, grace));
        let (up_to, is_new) = (revocation.up_to, revocation.is_new);
        if let Some(entry) = self.members.get_mut(secret).filter(|_| is_new) {
            entry.attempts.hurry();
        }
        Ok(up_to)
    }

    /// The newest generation that tokens of a Secret are known to be of; `None` where nothing of it
    /// can be revoked. Where its token was taken away, those that were copied are of the newest.
    fn revocable(&self, secret: &SecretRef, entry: &Entry) -> Option<Number> {
        let family = observe::family(&entry.record())?;
        let seen = match self.shoots.view(&secret.namespace) {
            ShootView::Seen(status) => status.generations.get(&family),
            ShootView::Missing | ShootView::Unknown => None,
        };
        let newest = || seen?.newest().map(|newest| newest.number);
        bound_to(&entry.record()).or_else(newest)
    }

    /// The newest generation of a revocation that somebody else began, or we before a restart: one
    /// that is older than the token's and still there. Else that of the token.
    fn begun(&self, secret: &SecretRef, present: Number) -> Number {
        let older = self.members.get(secret).map(|entry| self.older_left(secret, entry));
        older.and_then(|older| older.last().copied()).unwrap_or(present)
    }

    /// Generations older than that of the token that were seen last.
    pub(super) fn older_left(&self, secret: &SecretRef, entry: &Entry) -> Vec<Number> {
        let ShootView::Seen(status) = self.shoots.view(&secret.namespace) else {
            return Vec::new();
        };
        let family = observe::family(&entry.record());
        let seen = family.and_then(|family| status.generations.get(&family));
        let (Some(seen), Some(present)) = (seen, bound_to(&entry.record())) else {
            return Vec::new();
        };
        let numbers = seen.present.iter().map(|generation| generation.number);
        numbers.filter(|number| *number < present).collect()
    }

    /// When each generation goes that is older than the token's: by what is noted, or sooner where an
    /// operator asked for that.
    pub(super) fn ends(&self, now: Timestamp, entry: &Entry) -> Ends {
        let own = entry.record();
        let view = self.shoots.view(&own.secret.namespace);
        let seen = decision::as_seen(now, &own, view);
        let mut ends = decision::ends(&seen.record, view).settled(now);
        if let Some(revoked) = self.revocations.of(&seen.record) {
            ends.merge(&revoked.ends.settled(now));
        }
        ends
    }

    pub(super) fn has_revocations(&self) -> bool {
        !self.revocations.0.is_empty()
    }

    /// Takes up what operators asked for, sees what is done, and forgets what is long done.
    pub(super) fn review_revocations(&mut self, now: Timestamp) {
        if self.revocations.0.is_empty() {
            return;
        }
        self.revocations.0.retain(|_, revocation| !revocation.is_over(now));
        let secrets: Vec<SecretRef> = self.revocations.0.keys().cloned().collect();
        for secret in secrets {
            let Some(entry) = self.members.get(&secret) else {
                self.revocations.0.remove(&secret);
                continue;
            };
            let record = entry.record();
            let (present, note) = (bound_to(&record), record.issued.as_ref());
            let written = present.zip(note.map(|note| note.at));
            let is_gone = self.older_are_gone(now, &secret);
            let Some(revocation) = self.revocations.0.get_mut(&secret) else { continue };
            if let Some((_, at)) = written.filter(|(present, _)| *present > revocation.up_to) {
                revocation.newer_since.get_or_insert(at);
            }
            if is_gone {
                revocation.gone_since.get_or_insert(now);
            }
            let refused = revocation.refused_at(now);
            if refused.is_some() && revocation.done.is_none() {
                revocation.done = refused;
                self.effects.changed.insert(secret.clone());
            }
            if std::mem::take(&mut revocation.is_new) {
                self.effects.changed.insert(secret.clone());
                self.settle(now, &secret);
            }
        }
    }
}
