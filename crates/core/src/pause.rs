//! Pauses: while a shoot is paused, no scheduler orders anything for its Secrets.
//!
//! All of them stand in one ConfigMap in the services' own namespace: a key is the namespace of a
//! shoot, its value one line of JSON that says who, when, why, and until when. Nothing of the value is
//! needed: whoever has nothing but `kubectl` left writes an empty one, or some words that are the
//! reason, and that pauses too, without an end.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    name::Namespace,
    stop::{NO_REASON, REASON_CHARS_MAX, SOMEBODY, StopReason, shown},
};

/// Name of the ConfigMap.
pub const NAME: &str = "perennial-pauses";

/// Most pauses that are made. Whoever pauses more means the fleet. A ConfigMap holds 1 MiB: a reason
/// has at most 500 characters of 4 bytes, a SPIFFE id 2,048 bytes, a namespace 63, the rest 140.
pub const PAUSES_MAX: usize = 200;
const _: () = assert!(PAUSES_MAX * (REASON_CHARS_MAX * 4 + 2_048 + 63 + 140) < 1024 * 1024);

/// Longest pause with an end, a year. Whoever wants it longer gives none.
pub const LENGTH_MAX: SignedDuration = SignedDuration::from_hours(365 * 24);

/// A pause of one shoot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// Why; fit to be shown, and never empty.
    pub reason: String,
    /// Who: the SPIFFE id of an operator, or that somebody did it by hand.
    pub by: String,
    /// Since when, by the clock of the scheduler that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When it is over by itself; `None` means when somebody ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Pauses by the namespace of their shoot.
pub type Pauses = BTreeMap<Namespace, Pause>;

impl Pause {
    /// A pause by `by` from this moment on, cut to whole seconds as it is stored.
    #[must_use]
    pub fn new(
        reason: StopReason,
        by: String,
        since: Timestamp,
        lasting: Option<SignedDuration>,
    ) -> Self {
        let whole = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at);
        let end = |length| whole(since.saturating_add(length).unwrap_or(Timestamp::MAX));
        let until = lasting.map(end);
        Self { reason: reason.into(), by, since: Some(whole(since)), until }
    }

    /// What the value of a key says. Whatever is missing or nonsense, it is a pause.
    #[must_use]
    pub fn read(value: &str) -> Self {
        let stored = match serde_json::from_str::<Value>(value) {
            Ok(Value::Object(stored)) => stored,
            Ok(_) | Err(_) => Map::from_iter([("reason".to_owned(), value.into())]),
        };
        let text = |key: &str| stored.get(key).and_then(Value::as_str);
        let words = |key| text(key).map(shown).filter(|text| !text.is_empty());
        let moment = |key| text(key).and_then(|text| text.trim().parse().ok());
        Self {
            reason: words("reason").unwrap_or_else(|| NO_REASON.to_owned()),
            by: words("by").unwrap_or_else(|| SOMEBODY.to_owned()),
            since: moment("since"),
            until: moment("until"),
        }
    }

    /// The value that says the same.
    #[must_use]
    pub fn value(&self) -> String {
        serde_json::to_string(self).expect("strings and moments are JSON")
    }

    /// Whether it is in force: an end that has come ends it.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// What the keys of the ConfigMap say. A key that is no namespace pauses nothing.
#[must_use]
pub fn read(data: &BTreeMap<String, String>) -> Pauses {
    let pause = |(key, value): (&String, &String)| Some((key.parse().ok()?, Pause::read(value)));
    data.iter().filter_map(pause).collect()
}

/// `paused by spiffe://… since 2026-11-23T20:00:00Z until 2026-11-23T22:00:00Z: migration`
impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, by, since, until } = self;
        write!(f, "paused by {by}")?;
        since.iter().try_for_each(|since| write!(f, " since {since:.0}"))?;
        until.iter().try_for_each(|until| write!(f, " until {until:.0}"))?;
        write!(f, ": {reason}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn migration(lasting: Option<SignedDuration>) -> Pause {
        let since = Timestamp::new(7, 900_000_000).unwrap();
        Pause::new("migration".parse().unwrap(), "spiffe://x".to_owned(), since, lasting)
    }

    #[test]
    fn what_is_stored_says_the_same_when_it_is_read() {
        let with_end = migration(Some(SignedDuration::from_hours(2)));
        assert_eq!(
            with_end.value(),
            r#"{"reason":"migration","by":"spiffe://x","since":"1970-01-01T00:00:07Z","until":"1970-01-01T02:00:07Z"}"#
        );
        for pause in [with_end, migration(None)] {
            assert_eq!(Pause::read(&pause.value()), pause);
        }
        let shown = migration(Some(SignedDuration::from_secs(60))).to_string();
        let expected = "paused by spiffe://x since 1970-01-01T00:00:07Z until 1970-01-01T00:01:07Z: \
                        migration";
        assert_eq!(shown, expected);
    }

    #[test]
    fn whatever_stands_in_it_by_hand_it_is_a_pause_without_an_end() {
        for value in ["", " \n ", "{}", r#"{"reason": 5, "by": "", "until": "tomorrow"}"#] {
            let pause = Pause::read(value);
            assert_eq!(
                (pause.reason.as_str(), pause.by.as_str()),
                (NO_REASON, SOMEBODY),
                "{value}"
            );
            assert_eq!((pause.since, pause.until), (None, None), "{value}");
            assert!(pause.holds(Timestamp::MAX), "{value}");
        }
        for words in ["incident 4711", "5", "[\"incident 4711\"]"] {
            assert_eq!(Pause::read(words).reason, words, "words are the reason");
        }
    }

    #[test]
    fn what_was_written_by_hand_can_end_no_line_and_shows_no_token() {
        let long = Pause::read(&format!("a\nb\u{1b}[2J{}", "x".repeat(2_000))).reason;
        assert!(long.starts_with("a b [2Jxx") && long.chars().count() == REASON_CHARS_MAX);
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0";
        let pause = Pause::read(&format!(r#"{{"reason": "{token} leaked", "by": "{token}"}}"#));
        assert_eq!(
            (pause.reason.as_str(), pause.by.as_str()),
            ("(not shown) leaked", "(not shown)")
        );
    }

    #[test]
    fn a_pause_with_an_end_is_over_at_that_moment() {
        let pause = migration(Some(SignedDuration::from_secs(60)));
        assert_eq!(pause.until, Some(at(67)));
        assert!(pause.holds(at(66)) && !pause.holds(at(67)));
    }

    #[test]
    fn a_key_that_is_no_namespace_pauses_nothing_and_hides_no_other() {
        let data = [("shoot--a--1", ""), ("Shoot_1", ""), ("a.b", "x")];
        let data = data.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let pauses = read(&data);
        assert_eq!(pauses.keys().map(Namespace::as_str).collect::<Vec<_>>(), ["shoot--a--1"]);
    }
}
