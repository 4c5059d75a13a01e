//! A fleet of the size of a large one, as streams bring it: every text of a record is one of its own,
//! as it comes off the wire, and as long as the real ones are.

#![expect(clippy::unwrap_used, reason = "tests give names and moments that are good")]

use perennial_core::{
    digest::Digest,
    inputs::{Audiences, Inputs, LabelsHash, Mode},
    issued::Issued,
    keys,
    labels::Labels,
    name::{AccountRef, SecretRef},
    reason::Reason,
    record::{Held, Record, Stamp},
    shoot::{AccountSeen, AccountState, Reach, ShootId, ShootStatus},
    signing::KeyHistory,
    token::{Claims, TokenHash},
    window::{Plan, Window},
};

use crate::records::{self, HOUR, LIFETIME, at};

/// One Secret in so many has labels for its account.
const ONE_HAS_LABELS_IN: usize = 20;

/// So many Secrets over so many shoots.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    pub secrets: usize,
    pub shoots: usize,
}

impl Crowd {
    /// Records in the order in which a list of them comes. Their tokens were issued over one interval
    /// of renewal that ends at `until`, so that their renewals are level.
    pub fn records(self, until: i64) -> impl Iterator<Item = Record> {
        let interval = LIFETIME * 76 / 100;
        (0..self.secrets).map(move |number| {
            let back = (number * 7_919 % self.secrets) as i64 * interval / self.secrets as i64;
            written(&bare(self.secret(number), number), until - back, Reason::NothingHeld)
        })
    }

    /// `shoot--project7--cluster-0007-production/shoot-access-component-0042-manager`
    pub fn secret(self, number: usize) -> SecretRef {
        let per_shoot = self.secrets.div_ceil(self.shoots);
        let (shoot, name) = (number / per_shoot, number % per_shoot);
        SecretRef::parse(&shoot_name(shoot), &format!("shoot-access-component-{name:04}-manager"))
            .unwrap()
    }

    /// Shoots that are reached, with a settled key set.
    pub fn statuses(self) -> impl Iterator<Item = ShootStatus> {
        (0..self.shoots).map(|number| {
            let shoot = shoot_name(number);
            let key_history = KeyHistory { settled_since: Some(at(0)), retired: Vec::new() };
            let clock_offset = Some(jiff::SignedDuration::ZERO);
            let key_ids = vec![key_id(&shoot)];
            let known = ShootStatus {
                key_ids,
                key_history,
                clock_offset,
                ..records::shoot(&shoot, Reach::Reachable)
            };
            ShootStatus { checked_at: Some(at(0)), ..known }
        })
    }

    /// Every ServiceAccount as it was seen at `seconds`.
    pub fn accounts(
        self,
        seconds: i64,
    ) -> impl Iterator<Item = (ShootId, AccountRef, AccountSeen)> {
        (0..self.secrets).map(move |number| {
            let SecretRef { namespace, .. } = self.secret(number);
            let uid = uid("account", number).as_str().into();
            let labels = LabelsHash::of(&labels(number));
            let state = AccountState::Present { uid, automount_off: true, labels };
            (namespace, account(number), AccountSeen { state, at: at(seconds) })
        })
    }
}

/// The record as the secret-writer writes it at `seconds`, each text of it anew.
pub fn written(record: &Record, seconds: i64, reason: Reason) -> Record {
    let inputs = record.inputs.as_ref().unwrap();
    let number = number(record);
    let shoot = record.secret.namespace.as_str();
    let claims = Claims {
        issued_at: at(seconds),
        expires_at: at(seconds + LIFETIME),
        issuer: format!("https://api.{shoot}.internal.example.com").into(),
        account: account(number),
        account_uid: Some(uid("account", number).into()),
        audiences: audiences(),
        key_id: Some(key_id(shoot).into()),
        bound: None,
    };
    let plan = Plan::draw(&claims, 24 * HOUR, Window::ORDINARY, 0.5);
    let note = Issued {
        sha256: TokenHash::of(format!("{} {seconds}", record.secret).as_bytes()),
        inputs: inputs.hash(),
        iat: claims.issued_at,
        exp: claims.expires_at,
        kid: Some(key_id(shoot).into()),
        iss: claims.issuer.as_str().into(),
        uid: Some(uid("account", number).into()),
        renew_at: plan.planned,
        reason,
        at: at(seconds),
        streak: 0,
        spent: 0,
        target: None,
        left: Vec::new(),
        generation: None,
    };
    Record {
        held: Held::Token(claims),
        stamp: Stamp::At(plan.latest),
        memory: Some(note.memory()),
        digest: digest(&format!("{} {seconds}", record.secret)),
        issued: Some(note),
        ..bare(SecretRef::parse(shoot, record.secret.name.as_str()).unwrap(), number)
    }
}

/// A Secret that holds nothing yet.
pub fn bare(secret: SecretRef, number: usize) -> Record {
    let inputs = Inputs {
        account: account(number),
        account_labels: labels(number),
        lifetime_seconds: LIFETIME,
        audiences: audiences(),
        inject_ca: false,
        mode: Mode::Token,
        target: None,
        revocable: false,
    };
    let (uid, digest) = (uid("secret", number).into(), digest(&secret.to_string()));
    let labels = Labels::of(&purpose_and_class());
    Record { secret, uid, labels, digest, inputs: Ok(inputs), ..records::bare("none/none") }
}

/// What tells it from the others of its crowd stands in its account.
fn number(record: &Record) -> usize {
    let name = record.inputs.as_ref().unwrap().account.name.as_str();
    name.split('-').nth(1).unwrap().parse().unwrap()
}

fn shoot_name(number: usize) -> String {
    format!("shoot--project{}--cluster-{number:04}-production", number % 10)
}

fn account(number: usize) -> AccountRef {
    format!("kube-system/component-{number:06}-manager").parse().unwrap()
}

fn audiences() -> Audiences {
    vec!["https://kubernetes.default.svc.cluster.local".to_owned()].into()
}

fn labels(number: usize) -> std::collections::BTreeMap<String, String> {
    let has_labels = number.is_multiple_of(ONE_HAS_LABELS_IN);
    let label = || ("app.kubernetes.io/managed-by".to_owned(), "control-plane".to_owned());
    has_labels.then(label).into_iter().collect()
}

/// The labels that Gardener gives an access Secret.
fn purpose_and_class() -> std::collections::BTreeMap<String, String> {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    [label(keys::PURPOSE, keys::PURPOSE_TOKEN_REQUESTOR), label(keys::CLASS, keys::CLASS_SHOOT)]
        .into()
}

fn uid(of: &str, number: usize) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{of} {number}").as_bytes()).to_string()
}

/// Of 43 characters, as the API server makes them of the hash of a key.
fn key_id(shoot: &str) -> String {
    TokenHash::of(shoot.as_bytes()).to_string()[..43].to_owned()
}

/// 128 bits in hex, as the secret-writer makes it.
fn digest(of: &str) -> Digest {
    Digest::received(TokenHash::of(of.as_bytes()).to_string()[..32].to_owned())
}
