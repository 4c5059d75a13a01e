//! A whole Secret, reduced and decided on.
//!
//! An input is a byte of flags and then fields, each with 0xff before it: a byte that chooses a key,
//! and the value. So an engine can change, double and swap them. What is no UTF-8 cannot stand in an
//! annotation and is passed over; of one key the last counts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use perennial_core::{
    decision::{Decision, Policy, ShootView, decide, decide_requested},
    inputs::{Classes, Interpretation},
    keys,
    name::SecretRef,
    record::{Held, Record, SecretView},
};

use super::issued::renewed;
use crate::samples::Sample;

const BREAK: u8 = 0xff;
/// Keys that a field can choose.
const KEYS: [&str; 13] = [
    keys::ACCOUNT_NAME,
    keys::ACCOUNT_NAMESPACE,
    keys::ACCOUNT_LABELS,
    keys::TOKEN_LIFETIME,
    keys::INJECT_CA,
    keys::TARGET_NAME,
    keys::TARGET_NAMESPACE,
    keys::AUDIENCES,
    keys::REVOCABLE,
    keys::RENEW_TIMESTAMP,
    keys::ISSUED,
    keys::DATA_TOKEN,
    keys::DATA_KUBECONFIG,
];
/// The last of them are keys of `data`.
const DATA_KEYS: usize = 2;

/// What an input says.
struct Fields<'a> {
    flags: u8,
    annotations: BTreeMap<String, String>,
    data: BTreeMap<&'static str, &'a [u8]>,
}

pub(super) fn seeds(number: u64) -> Vec<Vec<u8>> {
    let right = Sample::right(number);
    let mut all = vec![encode(&right), encode(&Sample::wrong(number))];
    if let Some((token, note)) = renewed(number, &right) {
        let mut held = right;
        held.annotations.insert(keys::ISSUED.to_owned(), note.to_line());
        held.annotations.insert(keys::RENEW_TIMESTAMP.to_owned(), note.renew_at.to_string());
        held.data = BTreeMap::from([(keys::DATA_TOKEN.to_owned(), token.into_bytes())]);
        all.push(encode(&held));
    }
    all
}

fn encode(sample: &Sample) -> Vec<u8> {
    let mut bytes = vec![0];
    let annotations = sample.annotations.iter().map(|(key, value)| (key, value.as_bytes()));
    let data = sample.data.iter().map(|(key, value)| (key, value.as_slice()));
    for (key, value) in annotations.chain(data) {
        let index = (0_u8..).zip(KEYS).find(|(_, known)| known == key);
        if let Some((index, _)) = index {
            bytes.extend([BREAK, index]);
            bytes.extend_from_slice(value);
        }
    }
    bytes
}

fn decode(bytes: &[u8]) -> Fields<'_> {
    let (flags, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let mut fields = Fields { flags: *flags, annotations: BTreeMap::new(), data: BTreeMap::new() };
    for field in rest.split(|byte| *byte == BREAK) {
        let Some((index, value)) = field.split_first() else { continue };
        let index = usize::from(*index) % KEYS.len();
        if index >= KEYS.len() - DATA_KEYS {
            fields.data.insert(KEYS[index], value);
        } else if let Ok(text) = std::str::from_utf8(value) {
            fields.annotations.insert(KEYS[index].to_owned(), text.to_owned());
        }
    }
    fields
}

pub(super) fn run(bytes: &[u8]) {
    let Fields { flags, annotations, data } = decode(bytes);
    let flag = |bit: u8| flags & (1 << bit) != 0;
    let interpretation = Interpretation {
        classes: if flag(0) { Classes::Any } else { Classes::default() },
        audiences: if flag(1) { vec!["gardener".to_owned()] } else { Vec::new() }.into(),
        account_namespace: flag(2).then(|| "fixed".parse().expect("a name")),
    };
    let secret = SecretRef::parse("shoot--lab--1", "shoot-access-x").expect("names");
    let view = SecretView {
        secret: &secret,
        uid: "uid-1",
        labels: &BTreeMap::new(),
        annotations: &annotations,
        token: data.get(keys::DATA_TOKEN).copied(),
        kubeconfig: data.get(keys::DATA_KUBECONFIG).copied(),
        bundle: data.get(keys::DATA_BUNDLE).copied(),
        immutable: flag(3),
        terminating: flag(4),
    };
    let record = Record::reduce(&view, &interpretation);
    assert_eq!(record, Record::reduce(&view, &interpretation), "the same for the same Secret");
    hides_what_stands_for_a_token(&record, data.get(keys::DATA_TOKEN).copied().unwrap_or_default());
    if let Err(refusal) = &record.inputs {
        assert!(KEYS.contains(&&*refusal.key), "{refusal:?}");
        is_a_good_message(&refusal.message, &refusal.key);
    }
    for seconds in [0, 1_800_000_000, 4_100_000_000, 200_000_000_000] {
        decides(&record, Timestamp::from_second(seconds).expect("a time"));
    }
}

fn decides(record: &Record, now: Timestamp) {
    let (shoot, policy) = (ShootView::Unknown, Policy::default());
    let decision = decide(now, record, shoot, &policy);
    assert_eq!(decision, decide(now, record, shoot, &policy), "the same for the same record");
    let requested = decide_requested(now, record, shoot, &policy);
    match (&record.obstacle, &record.inputs) {
        (Some(_), _) => assert!(matches!(decision, Decision::Obstructed(_)), "{decision:?}"),
        (None, Err(_)) => {
            assert!(matches!(decision, Decision::Invalid(_)), "{decision:?}");
            assert_eq!(decision, requested, "nothing is issued, whoever asks");
        }
        (None, Ok(_)) => {
            let kept = matches!(decision, Decision::Keep { .. });
            assert!(!kept || record.held.claims().is_some(), "{record:?}");
            assert!(record.held != Held::Nothing || !kept);
        }
    }
}

/// It names the key, says what to do, and is short, of one line, and without anything unseen.
pub(super) fn is_a_good_message(message: &str, key: &str) {
    assert!(message.contains(key), "{message}");
    assert!(message.len() < 900, "{} bytes: {message}", message.len());
    let unseen = |c: char| c.is_control() || ('\u{200b}'..='\u{200f}').contains(&c);
    assert!(!message.chars().any(unseen), "{message:?}");
    assert!(message.contains("; "), "it says what to do: {message}");
}

/// Of what stands for a token nothing is in the record but claims, should it have some.
fn hides_what_stands_for_a_token(record: &Record, token: &[u8]) {
    let Some(tail) = std::str::from_utf8(token).ok().and_then(|text| text.rsplit('.').next())
    else {
        return;
    };
    // Long, so that it is not by chance part of what the Secret says openly.
    if tail.len() >= 24 && record.held.claims().is_none() {
        let shown = format!("{:?}", record.held);
        assert!(!shown.contains(tail), "{shown}");
    }
}
