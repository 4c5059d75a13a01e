//! What was seen in one part of the run.

use std::{fmt, time::Duration};

use jiff::SignedDuration;

use super::weather::Cut;
use crate::witness::Renewal;

/// After a shoot came back its backlog is worked off; so long a renewal may still be late for that.
const BACKLOG: SignedDuration = SignedDuration::from_secs(10);

#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) renewals: usize,
    /// Of shoots that were not cut at that time: lateness of half of them, of 99 %, of all.
    pub(super) median: Duration,
    p99: Duration,
    pub(super) longest: Duration,
    late_one: String,
    /// Renewals whose shoot was away when they were due.
    cut_off: usize,
    pub(super) cuts: u64,
    pub(super) troubles: usize,
    pub(super) in_vain: u64,
}

impl Figures {
    pub(super) fn of(renewals: &[Renewal], cuts: &[Cut], troubles: usize, in_vain: u64) -> Self {
        let mut clear: Vec<_> = renewals.iter().filter(|r| !is_excused(r, cuts)).collect();
        clear.sort_by_key(|renewal| renewal.lateness);
        let at = |share: usize| {
            let index = clear.len().saturating_sub(1) * share / 100;
            clear.get(index).map(|renewal| renewal.lateness).unwrap_or_default()
        };
        Self {
            renewals: renewals.len(),
            median: at(50),
            p99: at(99),
            longest: at(100),
            late_one: clear.last().map(|r| format!("{} at {}", r.secret, r.at)).unwrap_or_default(),
            cut_off: renewals.len() - clear.len(),
            cuts: cuts.len() as u64,
            troubles,
            in_vain,
        }
    }
}

/// The namespace of its shoot.
pub(super) fn shoot(renewal: &Renewal) -> &str {
    renewal.secret.split('/').next().unwrap_or_default()
}

/// Whether its shoot was away, or had just come back, between its planned moment and its end.
fn is_excused(renewal: &Renewal, cuts: &[Cut]) -> bool {
    let planned = renewal.at - SignedDuration::try_from(renewal.lateness).unwrap();
    let shoot = shoot(renewal);
    let meets = |cut: &Cut| cut.from <= renewal.at && planned <= cut.to + BACKLOG;
    cuts.iter().any(|cut| cut.shoot == shoot && meets(cut))
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { renewals, median, p99, longest, late_one, cut_off, .. } = self;
        write!(
            f,
            "{renewals} renewals, {cut_off} of shoots that were away; lateness of the others {median:.2?} \
             median, {p99:.2?} p99, {longest:.2?} at most ({late_one}); {} cuts, {} blows at schedulers, \
             {} tokens in vain",
            self.cuts, self.troubles, self.in_vain
        )
    }
}
