//! What an access Secret asks for: its annotations, parsed (contract, section A).
//!
//! A value of [`Inputs`] is valid; [`Inputs::read`] is the only way in. What cannot be granted is
//! an [`Invalid`] that names the key and the remedy (B10).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    go,
    hex::Hex,
    keys,
    name::{AccountName, AccountRef, NameError, Namespace, SecretRef},
};

mod audiences;
mod invalid;
mod labels;

pub use audiences::{AUDIENCE_BYTES_MAX, AUDIENCES_MAX, Audiences, is_audience};
pub use invalid::{Invalid, Place, Problem, Refusal};
pub use labels::{ACCOUNT_LABELS_MAX, is_label_key, is_label_value};

/// Lifetime asked for when the Secret names none (B3).
pub const LIFETIME_DEFAULT_SECONDS: i64 = 12 * 60 * 60;
/// Shortest lifetime that the TokenRequest API accepts.
pub const LIFETIME_MIN_SECONDS: i64 = 10 * 60;
/// Longest lifetime that the TokenRequest API accepts.
pub const LIFETIME_MAX_SECONDS: i64 = 1 << 32;

/// What is hashed of inputs without audiences and target has about this many bytes.
const HASHED_BYTES_USUAL: usize = 192;

/// How Secrets are interpreted; all of it belongs to the secret-writer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interpretation {
    /// Classes that are served; `None` serves every Secret, whatever its class.
    pub classes: Classes,
    /// Audiences where the Secret names none; empty means the API server's own.
    pub audiences: Audiences,
    /// Namespace of the ServiceAccount where the installation fixes one.
    pub account_namespace: Option<Namespace>,
}

/// Which classes of Secrets are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Classes {
    /// Only these.
    Only(BTreeSet<String>),
    /// All, also without a class.
    Any,
}

impl Default for Classes {
    fn default() -> Self {
        Self::Only(BTreeSet::from([keys::CLASS_SHOOT.to_owned()]))
    }
}

impl Interpretation {
    /// Whether a Secret with these labels is ours to serve.
    #[must_use]
    pub fn serves(&self, labels: &BTreeMap<String, String>) -> bool {
        let has_purpose =
            labels.get(keys::PURPOSE).is_some_and(|value| value == keys::PURPOSE_TOKEN_REQUESTOR);
        has_purpose
            && match &self.classes {
                Classes::Any => true,
                Classes::Only(classes) => {
                    labels.get(keys::CLASS).is_some_and(|class| classes.contains(class))
                }
            }
    }
}

/// Where the token stands in the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Data key `token`.
    Token,
    /// User of the current context in the data key `kubeconfig`.
    Kubeconfig,
}

/// What a Secret asks for, valid.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Inputs {
    /// The ServiceAccount in the shoot.
    pub account: AccountRef,
    /// Labels of the ServiceAccount.
    pub account_labels: BTreeMap<String, String>,
    /// Lifetime to ask for, in seconds.
    pub lifetime_seconds: i64,
    /// Audiences to ask for; empty means the API server's own.
    pub audiences: Audiences,
    /// Whether the CA of the shoot goes beside the token.
    pub inject_ca: bool,
    /// Where the token stands.
    pub mode: Mode,
    /// The Secret in the shoot that gets token and CA in place of this one (B7).
    pub target: Option<SecretRef>,
    /// Whether its tokens are bound to a generation, so that they can be revoked (section D).
    pub revocable: bool,
}

impl Inputs {
    /// Reads the annotations of a Secret. `mode` comes from its data keys.
    ///
    /// # Errors
    /// The first annotation that cannot be served, with the remedy.
    pub fn read(
        annotations: &BTreeMap<String, String>,
        mode: Mode,
        interpretation: &Interpretation,
    ) -> Result<Self, Invalid> {
        let annotation = |key| annotations.get(key).map(String::as_str);
        Ok(Self {
            account: account(annotation, interpretation)?,
            account_labels: match annotation(keys::ACCOUNT_LABELS) {
                None | Some("") => BTreeMap::new(),
                Some(text) => labels::read(text)?,
            },
            lifetime_seconds: lifetime(annotation(keys::TOKEN_LIFETIME))?,
            audiences: match annotation(keys::AUDIENCES) {
                None => interpretation.audiences.clone(),
                Some(text) => audiences::read(text)?,
            },
            inject_ca: flag(keys::INJECT_CA, annotation(keys::INJECT_CA))?,
            mode,
            target: target(annotation)?,
            revocable: flag(keys::REVOCABLE, annotation(keys::REVOCABLE))?,
        })
    }

    /// Hash of what decides which token is asked for. Labels, CA and mode are left out: a change
    /// of these needs a write, not another token (contract, section C).
    #[must_use]
    pub fn hash(&self) -> InputsHash {
        let mut fed = String::with_capacity(HASHED_BYTES_USUAL); // in one piece: done for each decision
        let mut field = |name: &str, value: &str| {
            fed.push_str(name);
            // Length first, so that no two different inputs feed the same bytes.
            let _ = write!(fed, ":{}:", value.len()); // a text takes all
            fed.push_str(value);
        };
        field("namespace", self.account.namespace.as_str());
        field("name", self.account.name.as_str());
        field("lifetime", &self.lifetime_seconds.to_string());
        self.audiences.iter().for_each(|audience| field("audience", audience));
        // Nothing where there is none: so the hashes of earlier notes stay what they were.
        if let Some(target) = &self.target {
            field("target-namespace", target.namespace.as_str());
            field("target-name", target.name.as_str());
        }
        if self.revocable {
            field("revocable", "true");
        }
        InputsHash(Hex::of(Sha256::new_with_prefix(fed)))
    }
}

/// Hash of the labels of a ServiceAccount: 64 bits of SHA-256. Labels are compared, never read
/// back, and a fleet has very many accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LabelsHash(pub u64);

impl LabelsHash {
    /// The hash of these labels.
    #[must_use]
    pub fn of(labels: &BTreeMap<String, String>) -> Self {
        let mut hasher = Sha256::new();
        for part in labels.iter().flat_map(|(key, value)| [key, value]) {
            hasher.update(Sha256::digest(part)); // of fixed length, so that parts cannot run together
        }
        let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = hasher.finalize().into();
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

/// Hash of the inputs that a token was made for: 128 bits of SHA-256, in hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InputsHash(Hex<16>);

impl InputsHash {
    /// A hash as another process sent it. Any text will do: it is only compared.
    #[must_use]
    pub fn received(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for InputsHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn account<'a>(
    annotation: impl Fn(&'static str) -> Option<&'a str>,
    interpretation: &Interpretation,
) -> Result<AccountRef, Invalid> {
    let name: AccountName = required(keys::ACCOUNT_NAME, annotation(keys::ACCOUNT_NAME))?;
    let namespace = match &interpretation.account_namespace {
        Some(fixed) => fixed.clone(),
        None => required(keys::ACCOUNT_NAMESPACE, annotation(keys::ACCOUNT_NAMESPACE))?,
    };
    Ok(AccountRef { namespace, name })
}

fn required<T: std::str::FromStr<Err = NameError>>(
    key: &'static str,
    value: Option<&str>,
) -> Result<T, Invalid> {
    let value = value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Invalid::annotation(key, None, Problem::Missing))?;
    value.parse().map_err(|error| Invalid::annotation(key, Some(value), Problem::Name(error)))
}

/// The target. With only one of the two annotations there is none, as with the reference.
fn target<'a>(
    annotation: impl Fn(&'static str) -> Option<&'a str>,
) -> Result<Option<SecretRef>, Invalid> {
    let named = |key| annotation(key).filter(|value| !value.is_empty());
    let both = named(keys::TARGET_NAMESPACE).and(named(keys::TARGET_NAME));
    if both.is_none() {
        return Ok(None);
    }
    Ok(Some(SecretRef {
        namespace: required(keys::TARGET_NAMESPACE, annotation(keys::TARGET_NAMESPACE))?,
        name: required(keys::TARGET_NAME, annotation(keys::TARGET_NAME))?,
    }))
}

/// An empty value is no Go duration: the reference serves such a Secret neither.
fn lifetime(value: Option<&str>) -> Result<i64, Invalid> {
    let Some(text) = value else { return Ok(LIFETIME_DEFAULT_SECONDS) };
    let invalid = |problem| Invalid::annotation(keys::TOKEN_LIFETIME, Some(text), problem);
    let seconds = go::duration(text).ok_or_else(|| invalid(Problem::NotADuration))?.as_secs();
    match (LIFETIME_MIN_SECONDS..=LIFETIME_MAX_SECONDS).contains(&seconds) {
        true => Ok(seconds),
        false => Err(invalid(Problem::LifetimeOutOfRange)),
    }
}

fn flag(key: &'static str, value: Option<&str>) -> Result<bool, Invalid> {
    match value {
        None | Some("") => Ok(false),
        Some(text) => {
            go::boolean(text).ok_or_else(|| Invalid::annotation(key, Some(text), Problem::NotABool))
        }
    }
}

#[cfg(test)]
mod tests;
