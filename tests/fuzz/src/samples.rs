//! Access Secrets at random. What is wrong with one is known because it was put there, never by
//! asking the code that is tested.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fastrand::Rng;
use perennial_core::keys;
use serde_json::{Value, json};

mod accounts;
mod durations;
mod kubeconfigs;
mod labels;
mod names;
mod values;

pub use accounts::Account;

/// Different ServiceAccounts of right Secrets.
pub const ACCOUNTS: u64 = 40;
/// Names of the accounts of wrong Secrets begin with it: an account or a call of that name at a shoot
/// is one too many.
pub const WRONG_ACCOUNT: &str = "wrong-";

/// An access Secret without a name.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its data.
    pub data: BTreeMap<String, Vec<u8>>,
    /// What is wrong with it; nothing with a right one.
    pub mistakes: Vec<Mistake>,
}

/// One thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key it stands in.
    pub key: &'static str,
    /// Its stable name, such as `DURATION_INVALID`.
    pub reason: &'static str,
}

impl Mistake {
    /// The name as Events write it, such as `DurationInvalid`.
    #[must_use]
    pub fn event_reason(&self) -> String {
        let word = |word: &str| word[..1].to_owned() + &word[1..].to_lowercase();
        self.reason.split('_').map(word).collect()
    }
}

impl Sample {
    /// A Secret that can be served.
    #[must_use]
    pub fn right(number: u64) -> Self {
        let rng = &mut Rng::with_seed(number);
        let account = Account::of(rng.u64(..ACCOUNTS));
        let mut sample =
            Self { annotations: BTreeMap::new(), data: BTreeMap::new(), mistakes: Vec::new() };
        sample.set(keys::ACCOUNT_NAME, account.name);
        sample.set(keys::ACCOUNT_NAMESPACE, account.namespace.to_owned());
        if !account.labels.is_empty() || rng.bool() {
            sample.set(keys::ACCOUNT_LABELS, labels::spell(rng, &account.labels));
        }
        if rng.bool() {
            sample.set(keys::TOKEN_LIFETIME, durations::right(rng));
        }
        if rng.bool() {
            sample.set(keys::INJECT_CA, values::boolean(rng));
        }
        if rng.u8(..3) == 0 {
            sample.set(keys::AUDIENCES, values::audiences(rng));
        }
        if rng.u8(..6) == 0 {
            sample.set(keys::REVOCABLE, values::boolean(rng));
        }
        // One of the two alone names no target, whatever it says.
        if rng.u8(..8) == 0 {
            sample.set(keys::TARGET_NAME, values::text(rng));
        }
        if rng.u8(..4) == 0 {
            sample.annotations.insert(values::foreign_key(rng), values::text(rng));
        }
        // What we wrote and somebody spoilt is no mistake: it is written anew.
        if rng.u8(..8) == 0 {
            sample.set(keys::RENEW_TIMESTAMP, values::text(rng));
        }
        if rng.u8(..8) == 0 {
            sample.set(keys::ISSUED, values::text(rng));
        }
        match rng.u8(..10) {
            0..=2 => sample.put(keys::DATA_KUBECONFIG, kubeconfigs::right(rng).into_bytes()),
            3 | 4 => sample.put(keys::DATA_TOKEN, values::bytes(rng)),
            _ => {}
        }
        sample
    }

    /// A Secret with one to three mistakes. Its account is one of [`WRONG_ACCOUNT`], unless that is a
    /// mistake.
    #[must_use]
    pub fn wrong(number: u64) -> Self {
        let rng = &mut Rng::with_seed(number.wrapping_add(1 << 32));
        let mut sample = Self::corrected(number);
        let count = [1, 1, 1, 1, 1, 2, 2, 3][rng.usize(..8)];
        let mut kinds = Kind::ALL;
        rng.shuffle(&mut kinds);
        for kind in kinds.into_iter().take(count) {
            let mistake = sample.spoil(kind, rng);
            sample.mistakes.retain(|other| other.key != mistake.key); // it took its place
            sample.mistakes.push(mistake);
        }
        sample
    }

    /// The same Secret as [`Sample::wrong`] without its mistakes.
    #[must_use]
    pub fn corrected(number: u64) -> Self {
        let mut sample = Self::right(number);
        sample.set(keys::ACCOUNT_NAME, format!("{WRONG_ACCOUNT}{number}"));
        sample
    }

    /// The object, of class `shoot`.
    #[must_use]
    pub fn manifest(&self, namespace: &str, name: &str) -> Value {
        let data: BTreeMap<_, _> =
            self.data.iter().map(|(key, value)| (key, STANDARD.encode(value))).collect();
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"namespace": namespace, "name": name, "annotations": self.annotations,
                "labels": {keys::PURPOSE: keys::PURPOSE_TOKEN_REQUESTOR, keys::CLASS: keys::CLASS_SHOOT}},
            "data": data,
        })
    }

    fn set(&mut self, key: &str, value: String) {
        self.annotations.insert(key.to_owned(), value);
    }

    fn set_unless_spoilt(&mut self, key: &str, value: String) {
        if self.mistakes.iter().all(|mistake| mistake.key != key) {
            self.set(key, value);
        }
    }

    fn put(&mut self, key: &str, value: Vec<u8>) {
        self.data.insert(key.to_owned(), value);
    }

    /// Puts a mistake of this kind in.
    fn spoil(&mut self, kind: Kind, rng: &mut Rng) -> Mistake {
        let (key, reason) = kind.of();
        let value = match kind {
            Kind::NoName | Kind::NoNamespace if rng.bool() => {
                self.annotations.remove(key);
                return Mistake { key, reason };
            }
            Kind::NoName | Kind::NoNamespace => String::new(),
            Kind::Name => names::bad(rng, names::Rule::Subdomain),
            Kind::Namespace => names::bad(rng, names::Rule::Label),
            Kind::Duration => durations::bad(rng),
            Kind::Lifetime => durations::out_of_range(rng),
            Kind::Labels => labels::bad(rng),
            Kind::Bool => values::bad_boolean(rng),
            Kind::Revocable => values::bad_boolean(rng),
            Kind::Audiences => values::bad_audiences(rng),
            Kind::TargetNamespace => {
                self.set_unless_spoilt(
                    keys::TARGET_NAME,
                    names::right(rng, names::Rule::Subdomain),
                );
                names::bad(rng, names::Rule::Label)
            }
            Kind::TargetName => {
                self.set_unless_spoilt(
                    keys::TARGET_NAMESPACE,
                    names::right(rng, names::Rule::Label),
                );
                names::bad(rng, names::Rule::Subdomain)
            }
            Kind::Kubeconfig => {
                self.put(key, kubeconfigs::bad(rng));
                return Mistake { key, reason };
            }
        };
        self.set(key, value);
        Mistake { key, reason }
    }
}

/// A kind of mistake.
#[derive(Clone, Copy)]
enum Kind {
    NoName,
    NoNamespace,
    Name,
    Namespace,
    Duration,
    Lifetime,
    Labels,
    Bool,
    Revocable,
    Audiences,
    TargetNamespace,
    TargetName,
    Kubeconfig,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::NoName,
        Self::NoNamespace,
        Self::Name,
        Self::Namespace,
        Self::Duration,
        Self::Lifetime,
        Self::Labels,
        Self::Bool,
        Self::Revocable,
        Self::Audiences,
        Self::TargetNamespace,
        Self::TargetName,
        Self::Kubeconfig,
    ];

    /// Its key and its name.
    const fn of(self) -> (&'static str, &'static str) {
        match self {
            Self::NoName => (keys::ACCOUNT_NAME, "ANNOTATION_MISSING"),
            Self::NoNamespace => (keys::ACCOUNT_NAMESPACE, "ANNOTATION_MISSING"),
            Self::Name => (keys::ACCOUNT_NAME, "NAME_INVALID"),
            Self::Namespace => (keys::ACCOUNT_NAMESPACE, "NAME_INVALID"),
            Self::Duration => (keys::TOKEN_LIFETIME, "DURATION_INVALID"),
            Self::Lifetime => (keys::TOKEN_LIFETIME, "LIFETIME_OUT_OF_RANGE"),
            Self::Labels => (keys::ACCOUNT_LABELS, "LABELS_INVALID"),
            Self::Bool => (keys::INJECT_CA, "BOOL_INVALID"),
            Self::Revocable => (keys::REVOCABLE, "BOOL_INVALID"),
            Self::TargetNamespace => (keys::TARGET_NAMESPACE, "NAME_INVALID"),
            Self::TargetName => (keys::TARGET_NAME, "NAME_INVALID"),
            Self::Audiences => (keys::AUDIENCES, "AUDIENCE_INVALID"),
            Self::Kubeconfig => (keys::DATA_KUBECONFIG, "KUBECONFIG_INVALID"),
        }
    }
}
