//! The memory of polls of one key set. It lives in the process that polls.

use std::time::Duration;

use jiff::Timestamp;

/// Fewest polls that must have shown the same set before anything follows from it.
pub const POLLS_MIN: u32 = 3;
/// Default of the time that lies between the first and the last of them.
pub const WITHDRAWN_AFTER: Duration = Duration::from_secs(2 * 60);
/// Most keys that are remembered after they left the set, the latest first. An API server has a
/// handful of keys in all.
const RETIRED_MAX: usize = 32;

/// What the polls so far say beside the last set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyHistory {
    /// When the first of an unbroken row of polls began that all showed the present set, by our
    /// clock; `None` until that row is long enough.
    pub settled_since: Option<Timestamp>,
    /// Ids of keys that an earlier poll of this process showed and the last one did not, sorted.
    pub retired: Vec<String>,
}

/// The polls of one key set. A restart forgets them, which withdraws no key.
#[derive(Clone, Debug)]
pub struct KeyPolls {
    after: Duration,
    row: Option<Row>,
    retired: Vec<String>, // the latest last
}

/// Polls in a row that showed the same set.
#[derive(Clone, Debug)]
struct Row {
    ids: Vec<String>,
    first: Timestamp,
    last: Timestamp,
    polls: u32,
}

impl KeyPolls {
    /// No polls yet. A set is settled when it has been the same for so long.
    #[must_use]
    pub const fn new(after: Duration) -> Self {
        Self { after, row: None, retired: Vec::new() }
    }

    /// A poll that began at `at` showed these ids.
    pub fn saw(&mut self, ids: &[String], at: Timestamp) {
        match &mut self.row {
            // A clock that was set back says nothing of the time between.
            Some(row) if row.ids == ids && row.last <= at => {
                row.last = at;
                row.polls = row.polls.saturating_add(1);
            }
            row => {
                let before = row.replace(Row { ids: ids.to_vec(), first: at, last: at, polls: 1 });
                self.retire(before.map(|row| row.ids).unwrap_or_default(), ids);
            }
        }
    }

    fn retire(&mut self, before: Vec<String>, now: &[String]) {
        self.retired.retain(|id| !now.contains(id));
        let gone = before.into_iter().filter(|id| !now.contains(id));
        for id in gone {
            self.retired.retain(|retired| *retired != id);
            self.retired.push(id);
        }
        let surplus = self.retired.len().saturating_sub(RETIRED_MAX);
        self.retired.drain(..surplus);
    }

    /// What follows from them.
    #[must_use]
    pub fn history(&self) -> KeyHistory {
        let settled = self.row.as_ref().filter(|row| {
            let took = Duration::try_from(row.last.duration_since(row.first)).unwrap_or_default();
            row.polls >= POLLS_MIN && took >= self.after
        });
        let mut retired = self.retired.clone();
        retired.sort();
        KeyHistory { settled_since: settled.map(|row| row.first), retired }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::at;

    fn ids(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn polls(seen: &[(i64, &str)]) -> KeyHistory {
        let mut polls = KeyPolls::new(WITHDRAWN_AFTER);
        seen.iter().for_each(|(second, set)| polls.saw(&ids(set), at(*second)));
        polls.history()
    }

    #[test]
    fn c_a_key_set_settles_with_the_third_poll_over_two_minutes() {
        let settled = |seen: &[(i64, &str)]| polls(seen).settled_since;
        assert_eq!(settled(&[(0, "a b"), (60, "b"), (120, "b")]), None, "two polls");
        assert_eq!(settled(&[(60, "b"), (61, "b"), (62, "b"), (179, "b")]), None, "too fast");
        assert_eq!(settled(&[(0, "a b"), (60, "b"), (120, "b"), (180, "b")]), Some(at(60)));
        assert_eq!(polls(&[(0, "a b"), (60, "b")]).retired, ["a"]);
    }

    #[test]
    fn a_key_that_comes_back_is_not_retired_and_the_row_begins_anew() {
        let history = polls(&[(0, "a b"), (60, "b"), (120, "b"), (180, "a b"), (240, "b")]);
        assert_eq!(history, KeyHistory { settled_since: None, retired: ids("a") });
        assert_eq!(polls(&[(0, "a"), (60, "b"), (120, "a")]).retired, ids("b"));
    }

    #[test]
    fn a_clock_that_is_set_back_begins_a_new_row() {
        let seen = [(1_000, "b"), (1_060, "b"), (100, "b"), (160, "b")];
        assert_eq!(polls(&seen).settled_since, None);
    }

    proptest! {
        #[test]
        fn b12_a_set_that_flips_between_replicas_never_settles(
            rhythm in prop::collection::vec(1_usize..3, 1..200), pause in 30_i64..61,
        ) {
            let mut polls = KeyPolls::new(WITHDRAWN_AFTER);
            let mut second = 0;
            for (turn, length) in rhythm.into_iter().enumerate() {
                for _ in 0..length {
                    second += pause;
                    polls.saw(&ids(["a b", "b"][turn % 2]), at(second));
                    prop_assert_eq!(polls.history().settled_since, None);
                }
            }
        }

        #[test]
        fn what_is_remembered_has_a_bound(sets in prop::collection::vec(0_u32..10_000, 0..300)) {
            let mut polls = KeyPolls::new(WITHDRAWN_AFTER);
            for (second, set) in sets.iter().enumerate() {
                polls.saw(&[set.to_string()], at(second as i64));
                let retired = polls.history().retired;
                prop_assert!(retired.len() <= RETIRED_MAX && !retired.contains(&set.to_string()));
            }
        }
    }
}
