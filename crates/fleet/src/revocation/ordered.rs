//! What an order says of generations.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::{
    decision::{self, bound_to},
    generation::{Ends, GRACE_DEFAULT, Number},
    name::SecretRef,
    reason::Reason,
};

use crate::Fleet;

/// What the secret-writer is told of the generations of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ordered {
    /// With a token: the generation that it is to be bound to at least, 0 where none is known.
    /// Without: all older ones up to this one are to be deleted.
    pub number: Number,
    /// For how long older generations live on, where they are being revoked.
    pub grace: Option<Duration>,
    /// What was promised of older ones before, or is now: none lives longer.
    pub ends: Ends,
    /// Without a token: nobody waits for the proof that an old token is refused. It takes 10 s in which
    /// the shoot has one place less.
    pub unproved: bool,
}

impl Fleet {
    pub(crate) fn generations_to_order(
        &self,
        now: Timestamp,
        secret: &SecretRef,
        reason: Reason,
    ) -> Ordered {
        let Some(entry) = self.members.get(secret) else { return Ordered::default() };
        let revocation = self.revocations.0.get(secret);
        if revocation.is_none() && reason != Reason::Revoked && entry.kept.is_of_no_generation() {
            return Ordered::default(); // as nearly always, and the rest needs the whole record
        }
        let (view, ends) = (self.shoots.view(&secret.namespace), self.ends(now, entry));
        if !reason.needs_token() {
            let unconfirmed = revocation.filter(|revocation| revocation.unconfirmed);
            let deleted = unconfirmed.map_or(0, |revocation| revocation.up_to);
            let is_awaited = revocation.is_some_and(|revocation| revocation.done.is_none());
            let unproved = !is_awaited && self.campaign_leaves_older(now, secret);
            return Ordered { number: ends.over(now).max(deleted), grace: None, ends, unproved };
        }
        let own = entry.record();
        let seen = decision::as_seen(now, &own, view);
        let campaign = self.revoking_campaign(now, secret);
        let by_operator = revocation.map(|revocation| revocation.up_to);
        let up_to = campaign.and(bound_to(&seen.record)).max(by_operator);
        let number = decision::generation_wanted(&seen.record, view, up_to);
        // One that has its newer token says nothing of who revokes that.
        let about = revocation.filter(|revocation| !revocation.has_newer(&seen.record));
        let asked = about.and_then(|revocation| revocation.grace);
        let told = decision::grace_made(&seen.record, view, number); // by who began it, whoever that was
        let grace = [asked, campaign, told].into_iter().flatten().min().unwrap_or(GRACE_DEFAULT);
        // A token that is due while older ones are revoked is one of the next generation too.
        let raises = bound_to(&own).is_some_and(|present| number > present);
        let grace = (reason == Reason::Revoked || raises).then_some(grace);
        Ordered { number, grace, ends, unproved: false }
    }
}
