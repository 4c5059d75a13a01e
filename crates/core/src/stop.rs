//! The global stop switch: while the fleet is stopped, no scheduler orders anything.
//!
//! It is a ConfigMap in the services' own namespace that is there or not. Its keys say who stopped,
//! when and why, and none of them is needed: whoever has nothing but `kubectl` left makes an empty
//! one, and that stops too.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::Timestamp;

use crate::quote::{is_shown, without_tokens};

/// Name of the ConfigMap.
pub const NAME: &str = "perennial-stop";
/// Key: why, in words.
pub const KEY_REASON: &str = "reason";
/// Key: who stopped.
pub const KEY_BY: &str = "by";
/// Key: since when, RFC 3339.
pub const KEY_SINCE: &str = "since";

/// Longest reason, in characters: it stands in every answer, and on a terminal in a few lines.
pub const REASON_CHARS_MAX: usize = 500;
/// What is said where whoever stopped by hand gave no reason.
pub const NO_REASON: &str = "no reason given";
/// Who is said to have stopped where nobody knows.
pub(crate) const SOMEBODY: &str = "somebody by hand";

/// Why an operator stops the fleet, or pauses a shoot: some words on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopReason(String);

impl StopReason {
    /// The words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<StopReason> for String {
    fn from(reason: StopReason) -> Self {
        reason.0
    }
}

/// What is wrong with a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReasonError {
    /// Nothing is said.
    #[error("a reason is needed: whoever finds it so must know why")]
    Empty,
    /// Too much is said.
    #[error("a reason has at most {REASON_CHARS_MAX} characters, this one has {0}")]
    TooLong(usize),
    /// Something that a terminal would not show.
    #[error("a reason is one line without control characters; character {0} is one")]
    Unseen(usize),
}

impl FromStr for StopReason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<Self, ReasonError> {
        let text = text.trim();
        let length = text.chars().count();
        if text.is_empty() {
            return Err(ReasonError::Empty);
        }
        if length > REASON_CHARS_MAX {
            return Err(ReasonError::TooLong(length));
        }
        match text.chars().position(|c| !is_shown(c)) {
            Some(place) => Err(ReasonError::Unseen(place + 1)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

/// A stop that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Why; fit to be shown, and never empty.
    pub reason: String,
    /// Who: the SPIFFE id of an operator, or what is known of whoever did it by hand.
    pub by: String,
    /// Since when, by the clock of whoever stopped.
    pub since: Option<Timestamp>,
}

impl Stop {
    /// A stop by `by` at this moment.
    #[must_use]
    pub fn new(reason: StopReason, by: String, since: Timestamp) -> Self {
        Self { reason: reason.into(), by, since: Some(since) }
    }

    /// What the keys of a ConfigMap say. Whatever is missing or nonsense, it is a stop; `made` and
    /// `maker` (when the object was made, and the program that made it) stand in.
    #[must_use]
    pub fn read(
        data: &BTreeMap<String, String>,
        made: Option<Timestamp>,
        maker: Option<&str>,
    ) -> Self {
        let shown = |key| data.get(key).map(|text| shown(text)).filter(|text| !text.is_empty());
        let maker = || maker.map_or(SOMEBODY.to_owned(), |name| format!("{SOMEBODY} ({name})"));
        Self {
            reason: shown(KEY_REASON).unwrap_or_else(|| NO_REASON.to_owned()),
            by: shown(KEY_BY).unwrap_or_else(maker),
            since: data.get(KEY_SINCE).and_then(|text| text.trim().parse().ok()).or(made),
        }
    }

    /// The keys that say the same.
    #[must_use]
    pub fn keys(&self) -> BTreeMap<&'static str, String> {
        let since = self.since.map(|since| (KEY_SINCE, format!("{since:.0}")));
        let told = [(KEY_REASON, self.reason.clone()), (KEY_BY, self.by.clone())];
        told.into_iter().chain(since).collect()
    }
}

/// `stopped by spiffe://… since 2026-11-23T20:00:00Z: wrong tokens`
impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, by, since } = self;
        match since {
            Some(since) => write!(f, "stopped by {by} since {since:.0}: {reason}"),
            None => write!(f, "stopped by {by}: {reason}"),
        }
    }
}

/// What somebody wrote by hand, on one line of bounded length, and never a token.
pub(crate) fn shown(text: &str) -> String {
    let clean = |c: char| if is_shown(c) { c } else { ' ' };
    let cut: String = text.trim().chars().take(REASON_CHARS_MAX).map(clean).collect();
    without_tokens(cut.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn by_hand(pairs: &[(&str, &str)]) -> Stop {
        let data = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Stop::read(&data.collect(), Some(at(60)), Some("kubectl-create"))
    }

    #[test]
    fn a_reason_is_some_words_on_one_line() {
        assert_eq!("  wrong tokens\n".parse(), Ok(StopReason("wrong tokens".to_owned())));
        assert_eq!(" \n".parse::<StopReason>(), Err(ReasonError::Empty));
        assert_eq!("ä".repeat(500).parse::<StopReason>().map(|r| r.0.chars().count()), Ok(500));
        assert_eq!("ä".repeat(501).parse::<StopReason>(), Err(ReasonError::TooLong(501)));
        for unseen in ["a\nb", "a\u{1b}[2Jb", "a\u{202e}b", "a\0b"] {
            assert_eq!(unseen.parse::<StopReason>(), Err(ReasonError::Unseen(2)), "{unseen:?}");
        }
    }

    #[test]
    fn what_is_stored_says_the_same_when_it_is_read() {
        let stop = Stop::new("wrong tokens".parse().unwrap(), "spiffe://x/ns/y".to_owned(), at(7));
        let stored = stop.keys().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        assert_eq!(Stop::read(&stored, Some(at(60)), None), stop);
        assert_eq!(
            stop.to_string(),
            "stopped by spiffe://x/ns/y since 1970-01-01T00:00:07Z: wrong tokens"
        );
    }

    #[test]
    fn whatever_stands_in_it_by_hand_it_is_a_stop() {
        let empty = by_hand(&[]);
        assert_eq!((empty.reason.as_str(), empty.since), (NO_REASON, Some(at(60))));
        assert_eq!(empty.by, "somebody by hand (kubectl-create)");
        let blank = by_hand(&[("reason", " \n "), ("since", "yesterday"), ("more", "x")]);
        assert_eq!(blank, empty);
        assert_eq!(Stop::read(&BTreeMap::new(), None, None).by, SOMEBODY);
    }

    #[test]
    fn what_was_written_by_hand_can_end_no_line_and_shows_no_token() {
        let long = by_hand(&[("reason", &format!("a\nb\u{1b}[2J{}", "x".repeat(2_000)))]).reason;
        assert!(long.starts_with("a b [2Jxx") && long.chars().count() == REASON_CHARS_MAX);
        let token = by_hand(&[("reason", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0 leaked")]).reason;
        assert_eq!(token, "(not shown) leaked");
    }
}
