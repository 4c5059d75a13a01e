//! The steps between an event and a renewal, each alone: decision, queue, levelling, reduction of a Secret.
//! A step at 100,000 Secrets must cost what it costs at 1,000, or nearly so.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use divan::{Bencher, black_box, counter::ItemsCount};
use jiff::Timestamp;
use perennial_core::{
    decision::{Policy, ShootView, decide},
    inputs::Interpretation,
    issued::{Issued, IssuedFor},
    keys,
    levelling::{Choice, Load, ShootLoad},
    name::SecretRef,
    queue::{Queue, Slot, Urgency},
    reason::Reason,
    record::{Record, SecretView},
    shoot::Reach,
    token::{Claims, TokenHash},
    window::{BASIS_DEFAULT_SECONDS, Plan, Window},
};
use perennial_testing::records::{HOUR, LIFETIME, PLANNED, at, bare, shoot, written};
use serde_json::json;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
const SHOOTS: usize = 250;
const NOW: i64 = 1_800_000_000;

fn main() {
    divan::main();
}

fn name(number: usize) -> String {
    format!("shoot-{}/component-{number}", number % SHOOTS)
}

fn secret(number: usize) -> SecretRef {
    let name = name(number);
    let (namespace, name) = name.split_once('/').unwrap();
    SecretRef::parse(namespace, name).unwrap()
}

/// Whether each of so many Secrets is due, half of which are.
#[divan::bench(args = SIZES)]
fn decide_each(bencher: Bencher<'_, '_>, size: usize) {
    let record = |number: usize| {
        let issued = if number.is_multiple_of(2) { NOW - HOUR } else { NOW - PLANNED - 1 };
        written(&bare(&name(number)), issued, Reason::NothingHeld)
    };
    let records: Vec<Record> = (0..size).map(record).collect();
    let (status, policy) = (shoot("shoot-1", Reach::Reachable), Policy::default());
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        let decided = records
            .iter()
            .map(|record| decide(at(NOW), black_box(record), ShootView::Seen(&status), &policy));
        decided.for_each(|decision| drop(black_box(decision)));
    });
}

/// So many Secrets put into the queue, made ready and taken, each shoot in turn.
#[divan::bench(args = SIZES)]
fn queue_and_take_each(bencher: Bencher<'_, '_>, size: usize) {
    let secrets: Vec<SecretRef> = (0..size).map(secret).collect();
    let slot = |number: usize| Slot {
        at: at(NOW + i64::try_from(number % 3_600).unwrap()),
        urgency: Urgency::Ordinary,
        deadline: at(NOW + 2 * HOUR),
    };
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        let mut queue = Queue::default();
        for (number, secret) in secrets.iter().enumerate() {
            queue.put(secret.clone(), slot(number));
        }
        queue.advance(at(NOW + HOUR));
        while let Some(secret) = queue.take(|_| true) {
            black_box(secret);
        }
    });
}

/// A place in its window for each of so many Secrets, beside all that were placed before.
#[divan::bench(args = SIZES)]
fn place_each(bencher: Bencher<'_, '_>, size: usize) {
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        let (mut load, mut of_shoots) = (Load::default(), vec![ShootLoad::default(); SHOOTS]);
        for number in 0..size {
            let (begin, last) = (NOW + LIFETIME * 72 / 100, NOW + LIFETIME * 80 / 100);
            let widest = NOW + LIFETIME * 30 / 100;
            let choice = Choice { now: NOW, window: begin..=last, widest };
            let of_shoot = &mut of_shoots[number % SHOOTS];
            let second = choice.choose(&load, of_shoot, (number as u64).wrapping_mul(0x9E37_79B9));
            load.put(second);
            of_shoot.put(second);
        }
        black_box(load);
    });
}

/// What an access Secret is reduced to, of so many with a token and a note of ours.
#[divan::bench(args = SIZES)]
fn reduce_each(bencher: Bencher<'_, '_>, size: usize) {
    let (token, annotations) = held();
    let secrets: Vec<SecretRef> = (0..size).map(secret).collect();
    let interpretation = Interpretation::default();
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        for secret in &secrets {
            let view = view(secret, &annotations, Some(token.as_bytes()));
            black_box(Record::reduce(&view, &interpretation));
        }
    });
}

fn view<'a>(
    secret: &'a SecretRef,
    annotations: &'a BTreeMap<String, String>,
    token: Option<&'a [u8]>,
) -> SecretView<'a> {
    static LABELS: BTreeMap<String, String> = BTreeMap::new();
    SecretView {
        secret,
        uid: "0e3de1b6-6dd4-4f27-8f6c-1b54ed1a2b7b",
        labels: &LABELS,
        annotations,
        token,
        kubeconfig: None,
        bundle: None,
        immutable: false,
        terminating: false,
    }
}

/// A token, and the annotations beside it as we write them.
fn held() -> (String, BTreeMap<String, String>) {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = part(json!({
        "aud": ["gardener"], "exp": NOW + LIFETIME, "iat": NOW, "nbf": NOW,
        "iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:kube-system:kube-proxy",
        "kubernetes.io": {"namespace": "kube-system", "serviceaccount": {
            "name": "kube-proxy", "uid": "6f2d2c4e-3b8e-4a55-9a0c-6d8f2d4ce7a1",
        }},
    }));
    let header =
        part(json!({"alg": "RS256", "kid": "Zk3mW1yPq8mJ4l2u0n5v7x9b1c3d5f7g9h1j3k5l7m9"}));
    let token = format!("{header}.{claims}.{}", "A".repeat(342));
    let mut annotations = BTreeMap::from([
        (keys::ACCOUNT_NAME.to_owned(), "kube-proxy".to_owned()),
        (keys::ACCOUNT_NAMESPACE.to_owned(), "kube-system".to_owned()),
    ]);
    let empty = Record::reduce(&view(&secret(0), &annotations, None), &Interpretation::default());
    let (inputs, read) = (empty.inputs.unwrap(), Claims::read(token.as_bytes()).unwrap());
    let plan = Plan::draw(&read, BASIS_DEFAULT_SECONDS, Window::ORDINARY, 0.5);
    let note = Issued::note(IssuedFor {
        token: TokenHash::of(token.as_bytes()),
        claims: &read,
        inputs: &inputs,
        plan,
        reason: Reason::Due,
        written_at: Timestamp::from_second(NOW).unwrap(),
        streak: 0,
        spent: 0,
        left: Vec::new(),
        generation: None,
    });
    annotations.insert(keys::ISSUED.to_owned(), note.to_line());
    annotations.insert(keys::RENEW_TIMESTAMP.to_owned(), plan.latest.to_string());
    (token, annotations)
}
