//! Records of access Secrets and states of shoots, as the scheduler hears of them.

#![expect(clippy::unwrap_used, reason = "tests give names and moments that are good")]

use jiff::Timestamp;
use perennial_core::{
    digest::Digest,
    generation::{Bound, Ends, Family, Noted, Number},
    inputs::{Audiences, Inputs, Mode, Refusal},
    issued::Issued,
    labels::Labels,
    name::SecretRef,
    reason::Reason,
    record::{Held, Record, Stamp},
    shoot::{Credential, Reach, ShootStatus},
    storm::{AT_ONCE_MAX, Memory},
    token::{Claims, TokenHash},
    window::{Plan, Window},
};

/// Seconds in an hour.
pub const HOUR: i64 = 3_600;
/// Lifetime of the tokens here; the middle of their window is 9 h 7 m 12 s after issue.
pub const LIFETIME: i64 = 12 * HOUR;
pub const PLANNED: i64 = LIFETIME * 76 / 100;

/// Seconds since the epoch.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// `shoot-1/etcd`
pub fn secret(text: &str) -> SecretRef {
    let (namespace, name) = text.split_once('/').unwrap();
    SecretRef::parse(namespace, name).unwrap()
}

/// A Secret that was just made and holds nothing.
pub fn bare(text: &str) -> Record {
    let inputs = Inputs {
        account: "kube-system/kube-proxy".parse().unwrap(),
        account_labels: [].into(),
        lifetime_seconds: LIFETIME,
        audiences: Audiences::default(),
        inject_ca: false,
        mode: Mode::Token,
        target: None,
        revocable: false,
    };
    Record {
        secret: secret(text),
        uid: format!("uid of {text}").into(),
        labels: Labels::default(),
        inputs: Ok(inputs),
        held: Held::Nothing,
        issued: None,
        stamp: Stamp::Absent,
        obstacle: None,
        ca: None,
        left: Vec::new(),
        memory: None,
        other_writer: None,
        digest: Digest::received(format!("{text} bare")),
    }
}

/// Labels with one label.
pub fn labels(key: &str, value: &str) -> Labels {
    Labels::of(&[(key.to_owned(), value.to_owned())].into())
}

/// The record as the secret-writer writes it at `seconds`.
pub fn written(record: &Record, seconds: i64, reason: Reason) -> Record {
    let inputs = record.inputs.as_ref().unwrap();
    let claims = Claims {
        issued_at: at(seconds),
        expires_at: at(seconds + LIFETIME),
        issuer: "https://shoot.example".into(),
        account: inputs.account.clone(),
        account_uid: None,
        audiences: Audiences::default(),
        key_id: None,
        bound: None,
    };
    let plan = Plan::draw(&claims, 24 * HOUR, Window::ORDINARY, 0.5);
    let note = Issued {
        sha256: TokenHash::of(format!("{} {seconds}", record.secret).as_bytes()),
        inputs: inputs.hash(),
        iat: claims.issued_at,
        exp: claims.expires_at,
        kid: None,
        iss: claims.issuer.clone(),
        uid: None,
        renew_at: plan.planned,
        reason,
        at: at(seconds),
        streak: 0,
        spent: 0,
        target: inputs.target.clone(),
        left: Vec::new(),
        generation: None,
    };
    Record {
        held: Held::Token(claims),
        stamp: Stamp::At(plan.latest),
        memory: Some(note.memory()),
        digest: Digest::received(format!("{} written at {seconds}", record.secret)),
        issued: Some(note),
        ..record.clone()
    }
}

/// The same, with its token bound to this generation, as the secret-writer notes it.
pub fn bound(record: &Record, number: Number, older_until: Option<Timestamp>) -> Record {
    let family = Family::new(&"kube-system".parse().unwrap(), &record.secret);
    let mut record = record.clone();
    let (uid, name) = (format!("uid-{number}"), family.name(number).to_string());
    if let Held::Token(claims) = &mut record.held {
        claims.bound = Some(Box::new(Bound { name, uid: uid.clone() }));
    }
    let note = record.issued.as_mut().unwrap();
    let sooner = Ends::default();
    note.generation = Some(Box::new(Noted { number, uid, older_until, sooner }));
    record
}

/// A revocable Secret that was just made.
pub fn revocable(name: &str) -> Record {
    let mut record = bare(name);
    record.inputs.as_mut().unwrap().revocable = true;
    record
}

/// A Secret whose token was issued at `seconds`.
pub fn fresh(text: &str, seconds: i64) -> Record {
    written(&bare(text), seconds, Reason::NothingHeld)
}

/// Somebody removed the timestamp.
pub fn without_timestamp(record: &Record, streak: u32) -> Record {
    let memory = record.memory.map(|memory| Memory { streak, spent: AT_ONCE_MAX, ..memory });
    let digest = Digest::received(format!("{} without timestamp", record.digest));
    Record { stamp: Stamp::Absent, memory, digest, ..record.clone() }
}

/// A Secret that asks for something impossible.
pub fn invalid(text: &str) -> Record {
    let refusal = Refusal {
        reason: "DURATION_INVALID".to_owned(),
        key: "token-expiration-duration".to_owned(),
        message: "annotation token-expiration-duration (\"soon\") is not a Go duration".to_owned(),
    };
    let digest = Digest::received(format!("{text} invalid"));
    Record { inputs: Err(refusal), digest, ..bare(text) }
}

/// The state of a shoot.
pub fn shoot(name: &str, reach: Reach) -> ShootStatus {
    let detail = match reach {
        Reach::Unreachable => "connection refused".to_owned(),
        Reach::Refused => "no credential is taken".to_owned(),
        Reach::Reachable | Reach::Unknown => String::new(),
    };
    ShootStatus {
        reach,
        credential: Credential::Own,
        detail,
        ..ShootStatus::unseen(name.parse().unwrap())
    }
}
