use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use perennial_core::{
    inputs::Interpretation,
    issued::{Issued, IssuedFor, Left},
    keys,
    name::SecretRef,
    reason::Reason,
    record::{Held, OtherWriter, Record, SecretView},
    token::{Claims, TokenHash},
    window::{Plan, Window},
};

use super::*;

fn token() -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"key-1"}"#);
    let claims = URL_SAFE_NO_PAD.encode(
        r#"{"iat":1000,"exp":44200,"iss":"shoot","sub":"system:serviceaccount:kube-system:a",
        "aud":["gardener"],"kubernetes.io":{"serviceaccount":{"uid":"u"}}}"#,
    );
    format!("{header}.{claims}.c2lnbmF0dXJl")
}

fn record(annotate: impl Fn(&mut BTreeMap<String, String>), token: Option<&str>) -> Record {
    let mut annotations = BTreeMap::from([
        (keys::ACCOUNT_NAME.to_owned(), "a".to_owned()),
        (keys::ACCOUNT_NAMESPACE.to_owned(), "kube-system".to_owned()),
    ]);
    annotate(&mut annotations);
    let view = SecretView {
        secret: &SecretRef::parse("shoot--lab--1", "access").unwrap(),
        uid: "uid",
        labels: &BTreeMap::new(),
        annotations: &annotations,
        token: token.map(str::as_bytes),
        kubeconfig: None,
        bundle: None,
        immutable: false,
        terminating: false,
    };
    Record::reduce(&view, &Interpretation::default())
}

/// A Secret as we left it.
fn renewed() -> Record {
    let token = token();
    let claims = Claims::read(token.as_bytes()).unwrap();
    let plan = Plan::draw(&claims, 86_400, Window::ORDINARY, 0.5);
    let note = Issued::note(IssuedFor {
        token: TokenHash::of(token.as_bytes()),
        claims: &claims,
        inputs: record(|_| {}, None).inputs.as_ref().unwrap(),
        plan,
        reason: Reason::Due,
        written_at: claims.issued_at,
        streak: 2,
        spent: 3,
        left: Vec::new(),
        generation: None,
    });
    let annotate = |annotations: &mut BTreeMap<String, String>| {
        annotations.insert(keys::ISSUED.to_owned(), note.to_line());
        annotations.insert(keys::RENEW_TIMESTAMP.to_owned(), plan.latest.to_string());
    };
    record(annotate, Some(&token))
}

#[test]
fn a_record_comes_back_as_it_went() {
    let invalid = |annotations: &mut BTreeMap<String, String>| {
        annotations.insert(keys::TOKEN_LIFETIME.to_owned(), "soon".to_owned());
    };
    let spoilt = Record {
        other_writer: Some(Box::new(OtherWriter {
            manager: "stranger".to_owned(),
            at: Some(Timestamp::UNIX_EPOCH),
        })),
        ..record(|_| {}, Some("x"))
    };
    let mut aimed = renewed();
    let target = SecretRef::parse("kube-system", "target").ok();
    let left = Left { secret: target.clone().unwrap(), sha256: TokenHash::of(b"x") };
    aimed.inputs.as_mut().unwrap().target.clone_from(&target);
    aimed.left = vec![left.clone()];
    let note = aimed.issued.as_mut().unwrap();
    (note.target, note.left) = (target, vec![left]);
    let in_target = Record { held: Held::InTarget, ..record(|_| {}, None) };
    let cases = [
        aimed,
        in_target,
        spoilt,
        renewed(),
        record(|_| {}, None),
        record(|_| {}, Some("x")),
        record(invalid, None),
    ];
    for record in cases {
        assert_eq!(record_from_proto(record_to_proto(&record)).unwrap(), record);
    }
}

#[test]
fn a_message_with_a_name_that_is_none_is_refused() {
    let message = perennial_proto::writer::v1::AccessSecret {
        name: "../etc".to_owned(),
        ..record_to_proto(&renewed())
    };
    assert_eq!(record_from_proto(message).unwrap_err().field, "record.name");
}

#[test]
fn moments_before_the_epoch_keep_their_nanoseconds_positive() {
    let moment = Timestamp::new(-5, -250_000_000).unwrap();
    let message = timestamp(moment);
    assert!(message.nanos >= 0);
    assert_eq!(timestamp_from("x", Some(message)), Ok(moment));
}
