//! What was seen in one part of the run.

use std::{collections::BTreeMap, fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};

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
    /// Longest time in which a shoot that was well had an overdue Secret, and none of its Secrets was
    /// renewed: so long it had no owner. Lateness has the backlog of that time on top.
    pub(super) gap: Duration,
    gap_at: String,
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
        let (gap, gap_at) = longest_gap(renewals, cuts);
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
            gap,
            gap_at,
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

/// The longest gap of all shoots, and where and when it ended. Renewals are ordered by when they were
/// seen, so of those of one shoot each ends the gap that began with the one before, or with the planned
/// moment of the Secret that had waited longest.
fn longest_gap(renewals: &[Renewal], cuts: &[Cut]) -> (Duration, String) {
    let mut before: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let mut longest = (Duration::ZERO, String::new());
    for renewal in renewals {
        let last = before.insert(shoot(renewal), renewal.at);
        let since_last = last.map(|last| renewal.at.duration_since(last).unsigned_abs());
        let gap = since_last.map_or(renewal.lateness, |since| since.min(renewal.lateness));
        if gap > longest.0 && !is_excused(renewal, cuts) {
            longest = (gap, format!("{} at {}", shoot(renewal), renewal.at));
        }
    }
    longest
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
        let Self { renewals, median, p99, longest, late_one, gap, gap_at, cut_off, .. } = self;
        write!(
            f,
            "{renewals} renewals, {cut_off} of shoots that were away; lateness of the others {median:.2?} \
             median, {p99:.2?} p99, {longest:.2?} at most ({late_one}); longest gap {gap:.2?} ({gap_at}); {} cuts, {} blows at schedulers, \
             {} tokens in vain",
            self.cuts, self.troubles, self.in_vain
        )
    }
}
