//! What the tokens of one shoot say together of keys and issuers.

use std::collections::BTreeMap;

use arcstr::ArcStr;
use jiff::Timestamp;

use crate::record::{Held, Record};

/// What one token says: who signed and issued it, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    issued_at: Timestamp,
    key_id: Option<ArcStr>,
    issuer: ArcStr,
}

impl Mark {
    /// The testimony of a Secret; none unless it holds a token that we wrote.
    #[must_use]
    pub fn of(record: &Record) -> Option<Self> {
        let (Held::Token(claims), Some(_)) = (&record.held, &record.issued) else { return None };
        Some(Self {
            issued_at: claims.issued_at,
            key_id: claims.key_id.clone(),
            issuer: claims.issuer.clone(),
        })
    }

    /// Whether `record` says the same.
    #[must_use]
    pub fn is_of(mark: Option<&Self>, record: &Record) -> bool {
        let (Held::Token(claims), Some(_)) = (&record.held, &record.issued) else {
            return mark.is_none();
        };
        mark.is_some_and(|mark| {
            mark.issued_at == claims.issued_at
                && mark.key_id == claims.key_id
                && mark.issuer == claims.issuer
        })
    }
}

/// How many tokens were issued when, by whom. Adding and removing take no look at the others.
#[derive(Debug, Default)]
pub struct Marks {
    keys: Moments,
    issuers: Moments,
}

type Moments = BTreeMap<ArcStr, BTreeMap<Timestamp, u32>>;

impl Marks {
    /// Counts a token in.
    pub fn add(&mut self, mark: &Mark) {
        let add = |moments: &mut Moments, by: ArcStr| {
            let moments = moments.entry(by).or_default();
            *moments.entry(mark.issued_at).or_default() += 1;
        };
        // A token that names no key is one more key, which is in no set.
        add(&mut self.keys, mark.key_id.clone().unwrap_or_default());
        add(&mut self.issuers, mark.issuer.clone());
    }

    /// Counts it out again.
    pub fn remove(&mut self, mark: &Mark) {
        let remove = |moments: &mut Moments, by: &str| {
            let Some(counts) = moments.get_mut(by) else { return };
            if let Some(count) = counts.get_mut(&mark.issued_at) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&mark.issued_at);
                }
            }
            if counts.is_empty() {
                moments.remove(by);
            }
        };
        remove(&mut self.keys, mark.key_id.as_deref().unwrap_or_default());
        remove(&mut self.issuers, &mark.issuer);
    }

    /// Ids of the keys of the newest token, or tokens, not issued after `until`.
    pub(super) fn newest_keys(&self, until: Timestamp) -> Vec<&str> {
        newest(&self.keys, until)
    }

    /// When this key signed last, not after `until`.
    pub(super) fn last_signed(&self, key_id: &str, until: Timestamp) -> Option<Timestamp> {
        last(self.keys.get(key_id)?, until)
    }

    /// The issuer all of whose tokens are newer than every token of any other, where there is
    /// another.
    pub(super) fn successor(&self, until: Timestamp) -> Option<&str> {
        successor(&self.issuers, until)
    }

    /// The same of keys, with the moment of its newest token.
    pub(super) fn next_key(&self, until: Timestamp) -> Option<(&str, Timestamp)> {
        let key = successor(&self.keys, until)?;
        Some((key, self.last_signed(key, until)?))
    }
}

fn successor(moments: &Moments, until: Timestamp) -> Option<&str> {
    let [newest] = newest(moments, until)[..] else { return None };
    let (first, _) = moments.get(newest)?.first_key_value()?;
    let mut others = moments
        .iter()
        .filter(|(other, _)| other.as_str() != newest)
        .filter_map(|(_, moments)| last(moments, until))
        .peekable();
    (others.peek().is_some() && others.all(|last| last < *first)).then_some(newest)
}

fn newest(moments: &Moments, until: Timestamp) -> Vec<&str> {
    let lasts = || moments.iter().filter_map(|(by, m)| Some((last(m, until)?, by.as_str())));
    let newest = lasts().map(|(last, _)| last).max();
    lasts().filter(|(last, _)| Some(*last) == newest).map(|(_, by)| by).collect()
}

fn last(moments: &BTreeMap<Timestamp, u32>, until: Timestamp) -> Option<Timestamp> {
    moments.range(..=until).next_back().map(|(moment, _)| *moment)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::at;

    fn mark((second, by): (i64, u8)) -> Mark {
        let (key_id, issuer) = (Some(format!("key-{by}").into()), format!("https://{by}").into());
        Mark { issued_at: at(second), key_id, issuer }
    }

    fn marks(of: &[(i64, u8)]) -> Marks {
        let mut marks = Marks::default();
        of.iter().for_each(|&token| marks.add(&mark(token)));
        marks
    }

    #[test]
    fn c_an_issuer_succeeds_another_only_if_no_tokens_of_the_two_were_issued_by_turns() {
        let successor = |of: &[(i64, u8)]| marks(of).successor(at(1_000)).map(str::to_owned);
        assert_eq!(successor(&[(1, 1), (2, 1)]), None, "nobody to succeed");
        assert_eq!(successor(&[(1, 1), (2, 1), (3, 2)]).as_deref(), Some("https://2"));
        assert_eq!(successor(&[(1, 1), (2, 2), (3, 3)]).as_deref(), Some("https://3"));
        assert_eq!(successor(&[(1, 1), (2, 2), (3, 1), (4, 2)]), None, "by turns");
        assert_eq!(successor(&[(1, 1), (3, 1), (3, 2)]), None, "in the same second");
    }

    #[test]
    fn c_clock_a_token_from_the_future_testifies_nothing() {
        let marks = marks(&[(1, 1), (2, 1), (50_000, 2)]);
        assert_eq!(marks.successor(at(1_000)), None);
        assert_eq!(marks.newest_keys(at(1_000)), ["key-1"]);
        assert_eq!(marks.successor(at(60_000)), Some("https://2"));
    }

    proptest! {
        #[test]
        fn what_was_counted_out_leaves_no_trace(
            kept in prop::collection::vec((0_i64..50, 0_u8..4), 0..20),
            gone in prop::collection::vec((0_i64..50, 0_u8..4), 0..20),
        ) {
            let expected = marks(&kept);
            let mut all = marks(&kept);
            gone.iter().for_each(|&token| all.add(&mark(token)));
            gone.iter().for_each(|&token| all.remove(&mark(token)));
            prop_assert_eq!(all.keys, expected.keys);
            prop_assert_eq!(all.issuers, expected.issuers);
        }
    }
}
