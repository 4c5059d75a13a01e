//! Small numbers, and what they stand for: real annotations, tokens, records and decisions.
//!
//! A state of a model is hashed a million times, so it holds numbers. Whatever is decided is decided
//! on what they stand for, by `perennial-core`; each answer is kept, because few are different.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    decision::{Decision, Policy, ShootView, as_seen, decide},
    inputs::{Interpretation, Mode},
    issued::{Issued, IssuedFor},
    keys,
    name::SecretRef,
    reason::Reason,
    record::{Record, SecretView},
    shoot::{Reach, ShootStatus},
    target::{TargetHeld, TargetSeen, TargetState},
    token::{Claims, TokenHash},
    window::{BASIS_DEFAULT_SECONDS, Plan, Window},
};
use serde_json::json;

/// A moment: ticks since the model began.
pub type Tick = u8;
/// Seconds in a tick: longer than every doubt of `core` about two streams or clocks (3 s), and the usual
/// grace of a revocation is two of them.
pub const TICK_SECONDS: i64 = 120;
/// Lifetime of every token.
pub(crate) const LIFETIME_SECONDS: i64 = 12 * 3_600;
/// The first token is so old when the model begins: *latest* was at 9.6 h, so it is due.
pub(crate) const BEGIN_SECONDS: i64 = 10 * 3_600;

/// A token that the shoot issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// The how-manieth; 0 is the one that is there at the beginning.
    pub serial: u8,
    /// Its `iat`.
    pub at: Tick,
    /// Of which account.
    pub account: u8,
}

impl Token {
    /// The one that is there at the beginning, ten hours old.
    pub const FIRST: Self = Self { serial: 0, at: 0, account: 0 };

    fn issued_at(self) -> i64 {
        if self.serial == 0 { 0 } else { seconds(self.at) }
    }

    fn text(self) -> String {
        let issued_at = self.issued_at();
        let claims = json!({
            "iat": issued_at, "exp": issued_at + LIFETIME_SECONDS, "iss": "https://shoot.example",
            "sub": format!("system:serviceaccount:kube-system:account-{}", self.account),
        });
        signed(&claims, self.serial)
    }

    /// What it says of itself.
    #[must_use]
    pub fn claims(self) -> Rc<Claims> {
        kept(&CLAIMS, self, || {
            Claims::read(self.text().as_bytes()).expect("a token that reads well")
        })
    }

    fn hash(self) -> TokenHash {
        TokenHash::of(self.text().as_bytes())
    }
}

/// What was noted, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Note {
    /// About which token.
    pub token: Token,
    /// By the clock of the secret-writer.
    pub at: Tick,
    /// Whether it was made for a target.
    pub in_target: bool,
}

/// All of an access Secret that a decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Content {
    /// `metadata.uid`
    pub uid: u8,
    /// The account that it asks for.
    pub account: u8,
    /// Whether it names a target.
    pub in_target: bool,
    /// The token beside the note.
    pub token: Option<Token>,
    /// `perennial.dev/issued`
    pub note: Option<Note>,
    /// Whether the renew timestamp is there.
    pub stamp: bool,
}

impl Content {
    /// Just made.
    #[must_use]
    pub const fn bare(in_target: bool) -> Self {
        Self { uid: 0, account: 0, in_target, token: None, note: None, stamp: false }
    }

    /// The same with this token, as one patch writes it.
    #[must_use]
    pub fn written(self, token: Token, at: Tick) -> Self {
        let note = Note { token, at, in_target: self.in_target };
        let token = (!self.in_target).then_some(token);
        Self { token, note: Some(note), stamp: true, ..self }
    }

    /// Its record, as the secret-writer reduces it.
    #[must_use]
    pub fn record(self) -> Rc<Record> {
        kept(&RECORDS, self, || self.reduce())
    }

    fn reduce(self) -> Record {
        let text = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let account = format!("account-{}", self.account);
        let mut annotations = BTreeMap::from(
            [(keys::ACCOUNT_NAME, account.as_str()), (keys::ACCOUNT_NAMESPACE, "kube-system")]
                .map(text),
        );
        if self.in_target {
            let target = [(keys::TARGET_NAME, "target"), (keys::TARGET_NAMESPACE, "default")];
            annotations.extend(target.map(text));
        }
        let uid = self.uid.to_string();
        let token = self.token.map(Token::text);
        let reduced = |annotations: &BTreeMap<String, String>| {
            let view = SecretView {
                secret: &secret(),
                uid: &uid,
                labels: &BTreeMap::new(),
                annotations,
                token: token.as_deref().map(str::as_bytes),
                kubeconfig: None,
                bundle: None,
                immutable: false,
                terminating: false,
            };
            Record::reduce(&view, &Interpretation::default())
        };
        if let Some(note) = self.note {
            let claims = note.token.claims();
            let plan = Plan::draw(&claims, BASIS_DEFAULT_SECONDS, Window::ORDINARY, 0.5);
            let asks = Content {
                account: note.token.account,
                in_target: note.in_target,
                ..Self::bare(false)
            };
            let asked = asks.record();
            let line = Issued::note(IssuedFor {
                token: note.token.hash(),
                claims: &claims,
                inputs: asked.inputs.as_ref().expect("what the model asks for is valid"),
                plan,
                reason: Reason::Due,
                written_at: moment(note.at, note.token),
                streak: 0,
                spent: 0,
                left: Vec::new(),
                generation: None,
            });
            annotations.insert(keys::ISSUED.to_owned(), line.to_line());
            if self.stamp {
                annotations.insert(keys::RENEW_TIMESTAMP.to_owned(), plan.latest.to_string());
            }
        }
        reduced(&annotations)
    }
}

/// What the scheduler was told of the target: what stands there, and when somebody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Looked {
    /// What stands there.
    pub held: Option<Token>,
    /// When.
    pub at: Tick,
}

/// What the scheduler decides, by `core::decision`.
#[must_use]
pub fn decided(now: Tick, seen: Content, looked: Option<Looked>) -> Rc<Decision> {
    kept(&DECISIONS, (now, seen, looked), || {
        let (record, status) = (seen.record(), status(now, seen, looked));
        decide(at(now), &record, ShootView::Seen(&status), &Policy::default())
    })
}

/// What the Secret holds with what was seen of its target, by `core::decision`.
#[must_use]
pub fn held(now: Tick, seen: Content, looked: Option<Looked>) -> Rc<Record> {
    kept(&HELD, (now, seen, looked), || {
        let (record, status) = (seen.record(), status(now, seen, looked));
        as_seen(at(now), &record, ShootView::Seen(&status)).record.into_owned()
    })
}

fn status(now: Tick, seen: Content, looked: Option<Looked>) -> ShootStatus {
    let mut status = ShootStatus {
        reach: Reach::Reachable,
        clock_offset: Some(SignedDuration::ZERO),
        checked_at: Some(at(now)),
        ..ShootStatus::unseen(secret().namespace)
    };
    let record = seen.record();
    let target = record.inputs.as_ref().ok().and_then(|inputs| inputs.target.clone());
    if let (Some(target), Some(looked)) = (target, looked) {
        let held = looked.held.map_or(TargetHeld::Nothing, |token| TargetHeld::Token {
            claims: Box::new(Claims::clone(&token.claims())),
            sha256: token.hash(),
        });
        let state = TargetState::Present { held, mode: Mode::Token, ca: None };
        status.targets.insert(target, TargetSeen { state, at: at(looked.at) });
    }
    status
}

/// The moment of a tick.
#[must_use]
pub fn at(tick: Tick) -> Timestamp {
    Timestamp::from_second(seconds(tick)).expect("a moment of the year 1970")
}

fn moment(tick: Tick, token: Token) -> Timestamp {
    let second = if token.serial == 0 { 0 } else { seconds(tick) };
    Timestamp::from_second(second).expect("a moment of the year 1970")
}

pub(crate) fn seconds(tick: Tick) -> i64 {
    BEGIN_SECONDS + i64::from(tick) * TICK_SECONDS
}

/// A token with these claims.
pub(crate) fn signed(claims: &serde_json::Value, serial: u8) -> String {
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(&json!({"alg": "RS256", "kid": "key-1", "typ": "JWT"}));
    format!("{header}.{}.signature{serial}", part(claims))
}

pub(crate) fn secret() -> SecretRef {
    SecretRef::parse("shoot--lab--1", "access").expect("two good names")
}

pub(crate) type Kept<K, V> = RefCell<HashMap<K, Rc<V>>>;

thread_local! {
    static CLAIMS: Kept<Token, Claims> = RefCell::default();
    static RECORDS: Kept<Content, Record> = RefCell::default();
    static DECISIONS: Kept<(Tick, Content, Option<Looked>), Decision> = RefCell::default();
    static HELD: Kept<(Tick, Content, Option<Looked>), Record> = RefCell::default();
}

pub(crate) fn kept<K: Copy + Eq + std::hash::Hash, V>(
    all: &'static std::thread::LocalKey<Kept<K, V>>,
    key: K,
    make: impl FnOnce() -> V,
) -> Rc<V> {
    if let Some(known) = all.with_borrow(|all| all.get(&key).cloned()) {
        return known;
    }
    let made = Rc::new(make());
    all.with_borrow_mut(|all| all.insert(key, Rc::clone(&made)));
    made
}
