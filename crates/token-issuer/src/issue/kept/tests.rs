use perennial_core::token::ClaimsError;

use super::*;

fn secret(name: &str) -> SecretRef {
    SecretRef { namespace: "shoot--lab--1".parse().unwrap(), name: name.parse().unwrap() }
}

fn now() -> Timestamp {
    Timestamp::from_second(crate::fakes::NOON).unwrap()
}

fn claims(lives_seconds: i64) -> Result<Claims, ClaimsError> {
    Claims::read(crate::fakes::token_of("kube-system/a", lives_seconds).expose().as_bytes())
}

fn issue(kept: &Kept, number: Number, token: &str) {
    let token = Token::new(token.to_owned());
    kept.issued(&secret("a"), number, &token, &claims(3600).unwrap(), now());
}

fn older(kept: &Kept, keep: Number, at: Timestamp) -> Option<String> {
    kept.older(&secret("a"), keep, at).map(|witness| witness.token.expose().to_owned())
}

#[test]
fn d_the_last_token_of_the_generation_before_can_tell_and_then_goes() {
    let kept = Kept::default();
    for (number, token) in [(1, "first"), (1, "second"), (2, "third"), (2, "fourth")] {
        issue(&kept, number, token);
    }
    assert_eq!(older(&kept, 2, now()).as_deref(), Some("second"));
    assert_eq!(older(&kept, 3, now()).as_deref(), Some("fourth"));
    assert_eq!(older(&kept, 1, now()), None);

    let witness = kept.older(&secret("a"), 2, now()).unwrap();
    assert!(!witness.was_taken);
    kept.taken(&secret("a"), &witness);
    assert!(kept.older(&secret("a"), 2, now()).unwrap().was_taken);
    kept.refused(&secret("a"), &witness);
    assert_eq!(older(&kept, 2, now()), None);
    assert!(!format!("{kept:?}").contains("fourth"), "no token is shown");
}

#[test]
fn d_a_token_that_expires_by_itself_proves_nothing() {
    let kept = Kept::default();
    issue(&kept, 1, "first");
    let later = |seconds| now().checked_add(Duration::from_secs(seconds)).unwrap();
    assert!(older(&kept, 2, later(3560)).is_some());
    assert!(older(&kept, 2, later(3580)).is_none());
}

#[test]
fn d_so_many_secrets_and_no_more_have_tokens_kept_and_expired_ones_make_room() {
    let kept = Kept::default();
    let token = Token::new("t".to_owned());
    for number in 0..SECRETS_MAX {
        let secret = secret(&format!("s{number}"));
        kept.issued(&secret, 1, &token, &claims(3600).unwrap(), now());
    }
    issue(&kept, 1, "one too many");
    assert_eq!(kept.lock().len(), SECRETS_MAX);
    assert_eq!(older(&kept, 2, now()), None);
    let hours_later = now().checked_add(Duration::from_secs(7200)).unwrap();
    let token = Token::new("later".to_owned());
    kept.issued(&secret("a"), 1, &token, &claims(3600).unwrap(), hours_later);
    assert_eq!(older(&kept, 2, hours_later).as_deref(), Some("later"));
}
