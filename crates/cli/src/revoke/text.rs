//! A revocation as text. Pure.

use jiff::Timestamp;
use perennial_core::{length::length, name::SecretRef};
use perennial_proto::scheduler::v1::{RevocationPhase, RevokeResponse};

use crate::moment;

/// The line that tells what is new since the message before; `None` where only a moment moved.
#[must_use]
pub fn news(
    before: Option<&RevokeResponse>,
    message: &RevokeResponse,
    now: Timestamp,
) -> Option<String> {
    let told = |message: &RevokeResponse| {
        let until = message.until.filter(|_| message.phase() == RevocationPhase::Grace);
        (message.generation, message.phase(), message.detail.clone(), until)
    };
    if before.map(told) == Some(told(message)) {
        return None;
    }
    let until = message
        .until
        .as_ref()
        .map_or_else(String::new, |until| format!(" until {}", moment::both(Some(until), now)));
    let detail = match message.detail.as_str() {
        "" => String::new(),
        detail => format!(": {detail}"),
    };
    Some(format!("{}{until}{detail}", state(message)))
}

/// What is being done, without moments.
#[must_use]
pub fn state(message: &RevokeResponse) -> String {
    let RevokeResponse { generation, present, refused, .. } = message;
    match message.phase() {
        RevocationPhase::Unspecified => "an answer of a newer scheduler".to_owned(),
        RevocationPhase::Token => {
            format!("revoking generation {generation}: waits for a token of a newer one")
        }
        RevocationPhase::Grace => format!(
            "a token of generation {present} is written; consumers take it up, and tokens of \
             generation {generation} go on working"
        ),
        RevocationPhase::Deleting => format!("deletes generation {generation} in the shoot"),
        RevocationPhase::Confirming => {
            format!("generation {generation} is gone; waits for an old token to be refused")
        }
        RevocationPhase::Done if *refused => {
            format!("done: the shoot refuses tokens of generation {generation} (one was tried)")
        }
        RevocationPhase::Done => format!(
            "done: generation {generation} has been gone for 30 s, longer than any API server goes \
             on taking its tokens"
        ),
    }
}

/// The line that stays on the terminal and counts down; `None` once it is done.
#[must_use]
pub fn countdown(message: &RevokeResponse, now: Timestamp) -> Option<String> {
    let what = match message.phase() {
        RevocationPhase::Token => "token",
        RevocationPhase::Grace => "grace",
        RevocationPhase::Deleting => "deleting",
        RevocationPhase::Confirming => "confirming",
        RevocationPhase::Done | RevocationPhase::Unspecified => return None,
    };
    let left = message.until.as_ref().map(|until| until.seconds.saturating_sub(now.as_second()));
    Some(match left {
        Some(left) if left > 0 => format!("  {what}  {} left", length(left)),
        _ => format!("  {what}  …"),
    })
}

/// What whoever stops watching is told.
#[must_use]
pub fn left(secret: &SecretRef, last: Option<&RevokeResponse>) -> String {
    match last {
        Some(last) => format!(
            "it goes on without us; `perennial revoke {secret} --generation {}` shows how far it is",
            last.generation
        ),
        None => format!(
            "whether it was asked for is unknown; `perennial explain {secret}` shows what is so"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(phase: RevocationPhase, until: Option<i64>, detail: &str) -> RevokeResponse {
        let until = until.map(|seconds| prost_types::Timestamp { seconds, nanos: 0 });
        RevokeResponse {
            phase: phase.into(),
            generation: 1,
            present: 2,
            until,
            detail: detail.to_owned(),
            refused: true,
            at: None,
        }
    }

    #[test]
    fn d_each_phase_has_a_line_and_the_terminal_counts_down() {
        use RevocationPhase::{Confirming, Deleting, Done, Grace, Token};

        let now = Timestamp::from_second(100).unwrap();
        let secret = SecretRef::parse("shoot--lab--1", "etcd").unwrap();
        let passed = RevokeResponse { refused: false, ..message(Done, None, "") };
        let messages = [
            message(Token, None, ""),
            message(Token, Some(140), "tokens issued in a row before the planned moment: 3"),
            message(Token, None, "the shoot is not reached: connection refused"),
            message(Grace, Some(340), ""),
            message(Grace, Some(160), ""),
            message(Deleting, None, ""),
            message(Confirming, Some(130), ""),
            message(Done, None, ""),
            passed,
        ];
        let mut shown = String::new();
        let mut before = None;
        for message in &messages {
            let line = news(before, message, now).unwrap_or_else(|| "nothing new".to_owned());
            shown += &format!("{line}\n{}\n", countdown(message, now).unwrap_or_default());
            before = Some(message);
        }
        shown += &format!("{}\n{}\n", left(&secret, before), left(&secret, None));
        insta::assert_snapshot!("phases", shown);
    }

    #[test]
    fn d_a_moment_that_moves_while_a_token_is_waited_for_is_no_news() {
        let now = Timestamp::from_second(100).unwrap();
        let (one, other) = (
            message(RevocationPhase::Token, Some(140), "held"),
            message(RevocationPhase::Token, Some(150), "held"),
        );
        assert_eq!(news(Some(&one), &other, now), None);
    }
}
