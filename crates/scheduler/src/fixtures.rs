//! Records, shoots and answers for the unit tests of this crate.

use futures::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use perennial_core::{
    digest::Digest,
    failure::Kind,
    generation::{Bound, Family, Noted, Number},
    inputs::{Inputs, Mode, Refusal},
    issued::Issued,
    name::SecretRef,
    reason::Reason,
    record::{Held, Record, Stamp},
    shoot::{Credential, Reach, ShootStatus},
    stop::Stop,
    storm::{AT_ONCE_MAX, Memory},
    token::{Claims, TokenHash},
    window::{Plan, Window},
};
use perennial_kube::own_namespace::Change;

use crate::{
    fleet::attempts::{Blame, Fault},
    stop::Switch,
};

pub(crate) const HOUR: i64 = 3_600;
/// Lifetime of the tokens here; the middle of their window is 9 h 7 m 12 s after issue.
pub(crate) const LIFETIME: i64 = 12 * HOUR;
pub(crate) const PLANNED: i64 = LIFETIME * 76 / 100;

/// Seconds since the epoch.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// `shoot-1/etcd`
pub(crate) fn secret(text: &str) -> SecretRef {
    let (namespace, name) = text.split_once('/').unwrap();
    SecretRef::parse(namespace, name).unwrap()
}

/// A Secret that was just made and holds nothing.
pub(crate) fn bare(text: &str) -> Record {
    let inputs = Inputs {
        account: "kube-system/kube-proxy".parse().unwrap(),
        account_labels: [].into(),
        lifetime_seconds: LIFETIME,
        audiences: Vec::new(),
        inject_ca: false,
        mode: Mode::Token,
        target: None,
        revocable: false,
    };
    Record {
        secret: secret(text),
        uid: format!("uid of {text}"),
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

/// The record as the secret-writer writes it at `seconds`.
pub(crate) fn written(record: &Record, seconds: i64, reason: Reason) -> Record {
    let inputs = record.inputs.as_ref().unwrap();
    let claims = Claims {
        issued_at: at(seconds),
        expires_at: at(seconds + LIFETIME),
        issuer: "https://shoot.example".to_owned(),
        account: inputs.account.clone(),
        account_uid: None,
        audiences: Vec::new(),
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
pub(crate) fn bound(record: &Record, number: Number, older_until: Option<Timestamp>) -> Record {
    let family = Family::new(&"kube-system".parse().unwrap(), &record.secret);
    let mut record = record.clone();
    let (uid, name) = (format!("uid-{number}"), family.name(number).to_string());
    if let Held::Token(claims) = &mut record.held {
        claims.bound = Some(Box::new(Bound { name, uid: uid.clone() }));
    }
    let note = record.issued.as_mut().unwrap();
    note.generation = Some(Box::new(Noted { number, uid, older_until }));
    record
}

/// A revocable Secret that was just made.
pub(crate) fn revocable(name: &str) -> Record {
    let mut record = bare(name);
    record.inputs.as_mut().unwrap().revocable = true;
    record
}

/// A Secret whose token was issued at `seconds`.
pub(crate) fn fresh(text: &str, seconds: i64) -> Record {
    written(&bare(text), seconds, Reason::NothingHeld)
}

/// Somebody removed the timestamp.
pub(crate) fn without_timestamp(record: &Record, streak: u32) -> Record {
    let memory = record.memory.map(|memory| Memory { streak, spent: AT_ONCE_MAX, ..memory });
    let digest = Digest::received(format!("{} without timestamp", record.digest));
    Record { stamp: Stamp::Absent, memory, digest, ..record.clone() }
}

/// A Secret that asks for something impossible.
pub(crate) fn invalid(text: &str) -> Record {
    let refusal = Refusal {
        reason: "DURATION_INVALID".to_owned(),
        key: "token-expiration-duration".to_owned(),
        message: "annotation token-expiration-duration (\"soon\") is not a Go duration".to_owned(),
    };
    let digest = Digest::received(format!("{text} invalid"));
    Record { inputs: Err(refusal), digest, ..bare(text) }
}

/// The state of a shoot.
pub(crate) fn shoot(name: &str, reach: Reach) -> ShootStatus {
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

/// A failure that says something of the Secret.
pub(crate) fn fault(kind: Kind) -> Fault {
    Fault {
        kind,
        reason: "TESTED".to_owned(),
        message: format!("it is {}", kind.as_str()),
        retry_after: None,
        blame: Blame::Secret,
    }
}

/// What decides in tests of engine and service.
pub(crate) fn settings() -> crate::fleet::Settings {
    crate::fleet::Settings {
        policy: perennial_core::decision::Policy::default(),
        in_flight_max: 64,
        in_flight_per_shoot_max: 8,
        audit: false,
        own_secret: "shoot-access-token-issuer".parse().unwrap(),
    }
}

/// A stop switch that nobody throws.
#[derive(Debug)]
pub(crate) struct Unthrown;

impl Switch for Unthrown {
    fn watch(&self, _: BoxStream<'static, ()>) -> BoxStream<'static, Change> {
        stream::iter([Change::Known(None)]).chain(stream::pending()).boxed()
    }

    fn stop(&self, stop: Stop) -> BoxFuture<'static, Result<(Stop, bool), perennial_kube::Error>> {
        async { Ok((stop, false)) }.boxed()
    }

    fn resume(&self) -> BoxFuture<'static, Result<Option<Stop>, perennial_kube::Error>> {
        async { Ok(None) }.boxed()
    }
}
