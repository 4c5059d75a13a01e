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
    /// Longest time in which a shoot that was well had something due, and nothing of it was renewed: so
    /// long it had no owner. Lateness has the backlog of that time on top.
    pub(super) gap: Duration,
    gap_at: String,
    /// Renewals whose shoot was away when they were due.
    cut_off: usize,
    pub(super) cuts: u64,
    pub(super) troubles: usize,
    pub(super) in_vain: u64,
}

impl Figures {
    pub(super) fn of(part: &Part, cuts: &[Cut], troubles: usize, in_vain: u64) -> Self {
        let renewals = &part.renewals;
        let mut clear: Vec<_> = renewals.iter().filter(|r| !is_excused(r, cuts)).collect();
        clear.sort_by_key(|renewal| renewal.lateness);
        let (gap, gap_at) = part.longest_gap(cuts);
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

/// What was seen between two moments.
pub(super) struct Part {
    pub(super) begin: Timestamp,
    pub(super) end: Timestamp,
    /// In the order in which they were seen.
    pub(super) renewals: Vec<Renewal>,
    /// Due before the end, and not renewed then: the Secret, and its planned moment.
    pub(super) waiting: Vec<(String, Timestamp)>,
}

impl Part {
    /// The longest gap of all shoots, and where and when it ended; none that a cut of the shoot is to
    /// blame for. A gap is from a renewal, or from when the first of all that was not renewed yet fell
    /// due, to the next renewal, or to the end.
    fn longest_gap(&self, cuts: &[Cut]) -> (Duration, String) {
        let done =
            self.renewals.iter().map(|renewal| (&*renewal.secret, planned(renewal), renewal.at));
        let waiting = self.waiting.iter().map(|(secret, planned)| (&**secret, *planned, self.end));
        let mut by_shoot: BTreeMap<&str, Vec<(Timestamp, Timestamp)>> = BTreeMap::new();
        for (secret, planned, at) in done.chain(waiting).filter(|(_, _, at)| *at <= self.end) {
            by_shoot.entry(shoot(secret)).or_default().push((planned, at));
        }
        let gaps = by_shoot.iter().flat_map(|(shoot, steps)| {
            let before = steps.iter().map(|(_, at)| *at).rev().skip(1).chain([self.begin]);
            let due = steps.iter().rev().scan(Timestamp::MAX, |first, (planned, at)| {
                *first = (*first).min(*planned);
                Some((*first, *at))
            });
            due.zip(before).map(move |((due, at), before)| (*shoot, due.max(before), at))
        });
        let unexcused = gaps.filter(|(shoot, from, to)| !is_away(shoot, *from, *to, cuts));
        let lengths = unexcused.map(|(shoot, from, to)| (to.duration_since(from), shoot, to));
        let told = |(length, shoot, to)| {
            (Duration::try_from(length).unwrap_or_default(), format!("{shoot} until {to}"))
        };
        lengths.max().map(told).unwrap_or_default()
    }
}

fn planned(renewal: &Renewal) -> Timestamp {
    renewal.at - SignedDuration::try_from(renewal.lateness).unwrap()
}

/// The namespace of the shoot of a Secret, NAMESPACE/NAME.
pub(super) fn shoot(secret: &str) -> &str {
    secret.split('/').next().unwrap_or_default()
}

/// Whether its shoot was away, or had just come back, between its planned moment and its end.
fn is_excused(renewal: &Renewal, cuts: &[Cut]) -> bool {
    is_away(shoot(&renewal.secret), planned(renewal), renewal.at, cuts)
}

fn is_away(shoot: &str, from: Timestamp, to: Timestamp, cuts: &[Cut]) -> bool {
    cuts.iter().any(|cut| cut.shoot == shoot && cut.from <= to && from <= cut.to + BACKLOG)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000 + second).unwrap()
    }

    /// A renewal of a shoot by the second in which it fell due and the one in which it was seen.
    fn renewal(shoot: &str, due: i64, seen: i64) -> Renewal {
        let lateness = Duration::from_secs(u64::try_from(seen - due).unwrap());
        Renewal { secret: format!("{shoot}/x"), at: at(seen), lateness }
    }

    fn part(renewals: Vec<Renewal>, waiting: &[(&str, i64)]) -> Part {
        let waiting = waiting.iter().map(|(shoot, due)| (format!("{shoot}/y"), at(*due))).collect();
        Part { begin: at(0), end: at(60), renewals, waiting }
    }

    fn gap(part: &Part, cuts: &[Cut]) -> u64 {
        part.longest_gap(cuts).0.as_secs()
    }

    #[test]
    fn a_gap_begins_when_the_first_falls_due_that_is_not_renewed_whoever_ends_it() {
        let late = vec![renewal("a", 5, 5), renewal("a", 29, 30), renewal("a", 10, 31)];
        assert_eq!(gap(&part(late, &[]), &[]), 20, "from 10, and not the 1 s of who ended it");
        assert_eq!(gap(&part(vec![renewal("a", 5, 5), renewal("a", 40, 41)], &[]), &[]), 1);
    }

    #[test]
    fn a_shoot_that_nobody_serves_has_a_gap_until_the_end() {
        assert_eq!(gap(&part(vec![renewal("a", 5, 5)], &[("b", 20), ("b", 50)]), &[]), 40);
        assert_eq!(
            gap(&part(vec![renewal("a", 5, 5)], &[("a", -9)]), &[]),
            55,
            "since its last one"
        );
    }

    #[test]
    fn a_shoot_that_was_cut_off_meanwhile_is_excused_and_no_other() {
        let cut = |shoot: &str| Cut { shoot: shoot.to_owned(), from: at(8), to: at(12) };
        let late = || part(vec![renewal("a", 10, 30)], &[]);
        assert_eq!(gap(&late(), &[cut("a")]), 0);
        assert_eq!(gap(&late(), &[cut("b")]), 20);
    }
}
