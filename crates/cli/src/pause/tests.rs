use perennial_proto::scheduler::v1::Expiry;

use super::*;

fn at(seconds: i64) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds, nanos: 0 }
}

fn now() -> Timestamp {
    Timestamp::from_second(120).unwrap()
}

fn migration(until: Option<i64>) -> Pause {
    Pause {
        namespace: "shoot-1".to_owned(),
        reason: "migration".to_owned(),
        by: "spiffe://x".to_owned(),
        since: Some(at(60)),
        until: until.map(at),
    }
}

fn answer(expiring: u64, until: Option<i64>) -> PauseShootResponse {
    let expiry = |name: &str, seconds| Expiry { name: name.to_owned(), at: Some(at(seconds)) };
    let outlook = PauseOutlook {
        secrets: 3,
        unusable: 1,
        expiring,
        expiring_within_hour: expiring,
        expiring_within_day: 2,
        first: vec![expiry("etcd", 1_920), expiry("proxy", 2_000)],
        ..PauseOutlook::default()
    };
    PauseShootResponse {
        pause: Some(migration(until)),
        outlook: Some(outlook),
        ..PauseShootResponse::default()
    }
}

#[test]
fn whoever_pauses_is_warned_of_each_token_that_expires_meanwhile() {
    let told = paused(&answer(2, Some(7_320)), now());
    let expected = [
        "Shoot shoot-1 is paused by spiffe://x since 1970-01-01T00:01:00Z (1m00s ago) until \
         1970-01-01T02:02:00Z (in 2h00m): migration",
        "Nothing is ordered for its 3 Secrets; what is under way ends.",
        "WARNING: 2 tokens expire before it ends, first that of shoot-1/etcd, 1970-01-01T00:32:00Z (in \
         30m00s).",
        "  shoot-1/proxy expires 1970-01-01T00:33:20Z (in 31m20s)",
        "1 Secret has no usable token now, and would get none meanwhile.",
        "It ends by itself, or sooner: perennial resume shoot-1",
    ];
    assert_eq!(told, expected);
}

#[test]
fn without_an_end_the_next_hour_and_day_are_told() {
    let mut asked = answer(0, None);
    (asked.dry_run, asked.was_paused) = (true, false);
    let told = paused(&asked, now());
    assert!(told[0].starts_with("Shoot shoot-1 would be paused by spiffe://x"), "{told:?}");
    assert!(
        told[2].starts_with("No token expires within the hour; the next is that of shoot-1/etcd")
    );
    assert_eq!(told[3], "Until it is ended, 0 within the hour and 2 within 24 h.");
    assert_eq!(told.last().unwrap(), "To end it: perennial resume shoot-1");
    asked.was_paused = true;
    assert_eq!(paused(&asked, now())[1], "It was so before, and that pause stays as it is.");
}

#[test]
fn whoever_resumes_is_told_what_it_was_and_what_goes_now() {
    let outlook = Some(PauseOutlook { waiting: 7, ..PauseOutlook::default() });
    let ended = ResumeShootResponse { ended: Some(migration(None)), outlook };
    let told = resumed("shoot-1", &ended, now());
    assert!(
        told[0].starts_with("Shoot shoot-1 is resumed; it was paused by spiffe://x since 1970")
    );
    assert!(
        told[0].ends_with(": migration") && told[1].starts_with("7 Secrets fell due"),
        "{told:?}"
    );
    let nothing = resumed("shoot-1", &ResumeShootResponse::default(), now());
    assert_eq!(nothing, ["Shoot shoot-1 was not paused; nothing has changed."]);
}

#[test]
fn many_pauses_are_a_few_lines() {
    assert_eq!(all(&vec![migration(None); TOLD_MAX], now()).len(), TOLD_MAX);
    let lines = all(&vec![migration(None); TOLD_MAX + 2], now());
    assert_eq!(
        (lines.len(), lines[TOLD_MAX].contains("and 2 paused shoots more")),
        (TOLD_MAX + 1, true)
    );
}
