//! What the tokens of one shoot say together of keys and issuers.

use std::{cmp::Ordering, collections::BTreeMap};

use arcstr::ArcStr;
use jiff::Timestamp;

use crate::record::{Held, Record};

/// What one token says: who signed and issued it, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    issued_at: Timestamp,
    by: By,
}

impl Mark {
    /// The testimony of a token that we wrote.
    #[must_use]
    pub fn new(issued_at: Timestamp, key_id: Option<ArcStr>, issuer: ArcStr) -> Self {
        Self { issued_at, by: By { key: key_id.unwrap_or_default(), issuer } }
    }

    /// The testimony of a Secret; none unless it holds a token that we wrote.
    #[must_use]
    pub fn of(record: &Record) -> Option<Self> {
        let (Held::Token(claims), Some(_)) = (&record.held, &record.issued) else { return None };
        Some(Self::new(claims.issued_at, claims.key_id.clone(), claims.issuer.clone()))
    }
}

/// Who signs and issues.
#[derive(Clone, Debug, PartialEq, Eq)]
struct By {
    /// A token that names no key is of one more key, which is in no set.
    key: ArcStr,
    issuer: ArcStr,
}

// As the texts, which nearly always are one in memory.
impl Ord for By {
    fn cmp(&self, other: &Self) -> Ordering {
        let of = |own: &ArcStr, other: &ArcStr| match ArcStr::ptr_eq(own, other) {
            true => Ordering::Equal,
            false => own.cmp(other),
        };
        of(&self.key, &other.key).then_with(|| of(&self.issuer, &other.issuer))
    }
}

impl PartialOrd for By {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How many tokens were issued when, by whom. Adding and removing take no look at the others.
///
/// Moments are whole seconds, as they are in tokens, because there is one for each token of a fleet.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<By, Moments>);

type Moments = BTreeMap<i64, u32>;

/// The tokens of one key, or of one issuer.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: i64,
    /// The last one that is not from the future.
    last: Option<i64>,
}

impl Marks {
    /// Counts a token in.
    pub fn add(&mut self, mark: &Mark) {
        let at = mark.issued_at.as_second();
        match self.0.get_mut(&mark.by) {
            Some(moments) => *moments.entry(at).or_default() += 1,
            None => drop(self.0.insert(mark.by.clone(), BTreeMap::from([(at, 1)]))),
        }
    }

    /// Counts it out again.
    pub fn remove(&mut self, mark: &Mark) {
        let (by, at) = (&mark.by, mark.issued_at.as_second());
        let Some(moments) = self.0.get_mut(by) else { return };
        if let Some(count) = moments.get_mut(&at) {
            *count -= 1;
            if *count == 0 {
                moments.remove(&at);
            }
        }
        if moments.is_empty() {
            self.0.remove(by);
        }
    }

    /// Whether all tokens are of one key and one issuer.
    #[must_use]
    pub fn are_of_one(&self) -> bool {
        self.0.len() < 2
    }

    /// Ids of the keys of the newest token, or tokens, not issued after `until`.
    pub(super) fn newest_keys(&self, until: Timestamp) -> Vec<&str> {
        newest(&self.keys(until))
    }

    /// When this key signed last, not after `until`.
    pub(super) fn last_signed(&self, key_id: &str, until: Timestamp) -> Option<Timestamp> {
        let of_key = self.0.iter().filter(|(by, _)| by.key == key_id);
        let last = of_key.filter_map(|(_, moments)| last(moments, until)).max()?;
        Timestamp::from_second(last).ok()
    }

    /// The issuer all of whose tokens are newer than every token of any other, where there is
    /// another.
    pub(super) fn successor(&self, until: Timestamp) -> Option<&str> {
        if self.are_of_one() {
            return None; // nobody to succeed, as nearly always
        }
        successor(&self.spans(until, |by| &by.issuer))
    }

    /// The same of keys, with the moment of its newest token.
    pub(super) fn next_key(&self, until: Timestamp) -> Option<(&str, Timestamp)> {
        if self.are_of_one() {
            return None;
        }
        let key = successor(&self.keys(until))?;
        Some((key, self.last_signed(key, until)?))
    }

    fn keys(&self, until: Timestamp) -> BTreeMap<&str, Span> {
        self.spans(until, |by| &by.key)
    }

    fn spans(&self, until: Timestamp, of: fn(&By) -> &ArcStr) -> BTreeMap<&str, Span> {
        let mut spans = BTreeMap::<_, Span>::new();
        for (by, moments) in &self.0 {
            let Some((first, _)) = moments.first_key_value() else { continue };
            let (first, last) = (*first, last(moments, until));
            let join = |span: &mut Span| {
                *span = Span { first: first.min(span.first), last: last.max(span.last) };
            };
            spans.entry(of(by).as_str()).and_modify(join).or_insert(Span { first, last });
        }
        spans
    }
}

fn successor<'a>(spans: &BTreeMap<&'a str, Span>) -> Option<&'a str> {
    let [newest] = newest(spans)[..] else { return None };
    let first = spans.get(newest)?.first;
    let others = spans.iter().filter(|(other, _)| **other != newest);
    let mut others = others.filter_map(|(_, span)| span.last).peekable();
    (others.peek().is_some() && others.all(|last| last < first)).then_some(newest)
}

fn newest<'a>(spans: &BTreeMap<&'a str, Span>) -> Vec<&'a str> {
    let newest = spans.values().filter_map(|span| span.last).max();
    let is_newest = |span: &Span| span.last.is_some() && span.last == newest;
    spans.iter().filter(|(_, span)| is_newest(span)).map(|(by, _)| *by).collect()
}

fn last(moments: &Moments, until: Timestamp) -> Option<i64> {
    moments.range(..=until.as_second()).next_back().map(|(moment, _)| *moment)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::at;

    fn mark((second, by): (i64, u8)) -> Mark {
        let (key_id, issuer) = (Some(format!("key-{by}").into()), format!("https://{by}").into());
        Mark::new(at(second), key_id, issuer)
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
            prop_assert_eq!(all, expected);
        }
    }
}
