//! Campaigns that revoke: which generations of a Secret are left, by our clock.
//!
//! Nothing is kept for each Secret. A token of the next generation is ordered like any other; once it is
//! written its note says when older generations go, and they do, whether the campaign still runs or not.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::{
    campaign::{Binding, Verdict, Wanted},
    decision::{self, ShootView, bound_to},
    generation::Generation,
    name::SecretRef,
    shoot::ShootId,
};

use crate::{Fleet, entry::Entry, observe};

impl Fleet {
    /// What is known of the generations of a Secret that can be served.
    pub(super) fn binding(&self, now: Timestamp, shoot: &ShootId, entry: &Entry) -> Binding {
        if entry.kept.is_of_no_generation() {
            return Binding::Never;
        }
        let view = self.shoots.view(shoot);
        let own = entry.record();
        let Some(family) = observe::family(&own) else { return Binding::Never };
        let record = decision::as_seen(now, &own, view).record;
        let bound = record.held.claims().and_then(|claims| claims.bound.as_ref());
        let (Some(number), Some(bound)) = (bound_to(&record), bound) else {
            return Binding::NotYet;
        };
        let ShootView::Seen(status) = view else { return Binding::Unseen };
        let Some(seen) = status.generations.get(&family) else { return Binding::Unseen };
        let made = |generation: &Generation| Some(self.our_clock(shoot, generation.made?));
        let is_own = |seen: &&Generation| seen.number == number && *seen.uid == *bound.uid;
        let older = || seen.present.iter().filter(|seen| seen.number < number).map(made);
        match seen.present.iter().find(is_own).and_then(made) {
            Some(own) if older().all(|made| made.is_some()) => {
                Binding::Seen { own, oldest: older().flatten().min() }
            }
            // The view is from before it was made, or nobody has said when that was.
            _ => Binding::Unseen,
        }
    }

    /// The shortest grace of the campaigns by which the tokens of a Secret are to be revoked.
    pub(crate) fn revoking_campaign(&self, now: Timestamp, secret: &SecretRef) -> Option<Duration> {
        let graces = self
            .campaigns_about(now, secret, |verdict| verdict == Verdict::ToDo)
            .filter_map(|(_, campaign)| match campaign.wanted {
                Wanted::Revoked { grace, .. } => Some(grace),
                _ => None,
            });
        graces.min()
    }

    /// Whether a campaign waits for older generations of a Secret to go. It has a proof of its own: time.
    pub(crate) fn campaign_leaves_older(&self, now: Timestamp, secret: &SecretRef) -> bool {
        self.campaigns_about(now, secret, |verdict| verdict == Verdict::OlderLeft).next().is_some()
    }
}
