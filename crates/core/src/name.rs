//! Names as the Kubernetes API server accepts them, so that nothing strange ever enters a URL.
//!
//! Rules: RFC 1123 label for namespaces, RFC 1123 subdomain for Secrets and ServiceAccounts
//! (Kubernetes, "Object Names and IDs").
//!
//! The scheduler holds each name in several places, 100,000 times: so a name is one pointer to a text
//! that is shared, and a clone of it allocates nothing.

use std::{borrow::Borrow, cmp::Ordering, fmt, str::FromStr};

use arcstr::ArcStr;
use serde::{Deserialize, Serialize};

/// Longest RFC 1123 label, in bytes.
const LABEL_BYTES_MAX: usize = 63;
/// Longest RFC 1123 subdomain, in bytes.
const SUBDOMAIN_BYTES_MAX: usize = 253;

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// More bytes than the API server takes.
    #[error("is longer than {max} characters")]
    TooLong {
        /// Longest length in bytes.
        max: usize,
    },
    /// Characters or places of characters that the API server refuses.
    #[error(
        "must be lower-case letters, digits and `-`{dots}, starting and ending with a letter or digit"
    )]
    Malformed {
        /// Continues the sentence where dots are allowed too.
        dots: &'static str,
    },
}

/// Characters of a label, whatever its length.
fn is_label(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| *byte != b'-');
    let bytes = text.as_bytes();
    bytes.iter().copied().all(inside) && edge(bytes.first()) && edge(bytes.last())
}

fn label(text: &str) -> Result<(), NameError> {
    let malformed = NameError::Malformed { dots: "" };
    checked(text, LABEL_BYTES_MAX, is_label(text), malformed)
}

/// Kubernetes bounds the whole subdomain, not its labels.
fn subdomain(text: &str) -> Result<(), NameError> {
    let malformed = NameError::Malformed { dots: " or `.`" };
    checked(text, SUBDOMAIN_BYTES_MAX, text.split('.').all(is_label), malformed)
}

fn checked(text: &str, max: usize, well: bool, malformed: NameError) -> Result<(), NameError> {
    match text.len() {
        0 => Err(NameError::Empty),
        length if length > max => Err(NameError::TooLong { max }),
        _ if well => Ok(()),
        _ => Err(malformed),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $rule:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(ArcStr); // private field: the parser is the only way in

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether both are one text in memory.
            pub(crate) fn is_one(&self, other: &Self) -> bool {
                ArcStr::ptr_eq(&self.0, &other.0)
            }
        }

        // As the texts; what is one text in memory is most of what is compared, and needs no look at it.
        impl Ord for $type {
            fn cmp(&self, other: &Self) -> Ordering {
                match self.is_one(other) {
                    true => Ordering::Equal,
                    false => self.as_str().cmp(other.as_str()),
                }
            }
        }

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                $rule(text).map(|()| Self(text.into()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.as_str().to_owned()
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A namespace, on the seed or in a shoot.
    Namespace,
    label
);
name!(
    /// Name of a Secret.
    SecretName,
    subdomain
);
name!(
    /// Name of a ServiceAccount.
    AccountName,
    subdomain
);
name!(
    /// Id of a campaign: a key of a ConfigMap.
    CampaignId,
    label
);
name!(
    /// Name of a replica of a service: a part of the name of its Lease.
    ReplicaName,
    subdomain
);

/// A Secret on the seed, or in the shoot where the context says so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecretRef {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: SecretName,
}

impl SecretRef {
    /// Parses both parts.
    ///
    /// # Errors
    /// When either is not a name that the API server accepts.
    pub fn parse(namespace: &str, name: &str) -> Result<Self, NameError> {
        Ok(Self { namespace: namespace.parse()?, name: name.parse()? })
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A ServiceAccount in a shoot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountRef {
    /// Its namespace in the shoot.
    pub namespace: Namespace,
    /// Its name.
    pub name: AccountName,
}

impl AccountRef {
    /// Parses `system:serviceaccount:NAMESPACE:NAME`, the subject of a ServiceAccount token.
    #[must_use]
    pub fn from_subject(subject: &str) -> Option<Self> {
        let (namespace, name) = subject.strip_prefix("system:serviceaccount:")?.split_once(':')?;
        Some(Self { namespace: namespace.parse().ok()?, name: name.parse().ok()? })
    }
}

impl fmt::Display for AccountRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl FromStr for AccountRef {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let (namespace, name) = text.split_once('/').ok_or(NameError::Empty)?;
        Ok(Self { namespace: namespace.parse()?, name: name.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_a_label_and_a_secret_name_may_have_dots() {
        assert!("shoot--lab--1".parse::<Namespace>().is_ok());
        assert!("shoot.lab".parse::<Namespace>().is_err());
        assert!("shoot.lab".parse::<SecretName>().is_ok());
        let long_part = "a".repeat(64);
        assert!(long_part.parse::<Namespace>().is_err());
        assert!(long_part.parse::<SecretName>().is_ok());
    }

    #[test]
    fn b10_nothing_that_could_change_a_url_is_a_name() {
        for text in ["", "a/b", "../x", "a%2f", "A", "-a", "a-", "a..b", ".a", "a b", "ä", "a\n"] {
            assert!(text.parse::<SecretName>().is_err(), "{text:?}");
            assert!(text.parse::<Namespace>().is_err(), "{text:?}");
        }
    }

    /// What Kubernetes itself says, see `tests/cluster/spelling`.
    #[derive(Deserialize)]
    struct Row {
        text: String,
        #[serde(default)]
        kinds: Vec<String>,
    }

    #[test]
    fn b10_names_are_those_that_the_api_server_takes() {
        let names = include_str!("../testdata/names.jsonl");
        for Row { text, kinds } in crate::fixtures::table("names", names) {
            let taken = |kind: &str| kinds.iter().any(|taken| taken == kind);
            assert_eq!(text.parse::<Namespace>().is_ok(), taken("namespace"), "{text:?}");
            assert_eq!(text.parse::<AccountName>().is_ok(), taken("serviceaccount"), "{text:?}");
            assert_eq!(text.parse::<SecretName>().is_ok(), taken("secret"), "{text:?}");
        }
    }

    #[test]
    fn the_subject_of_a_token_names_its_account() {
        let account = AccountRef::from_subject("system:serviceaccount:kube-system:kube-proxy");
        assert_eq!(account.map(|a| a.to_string()).as_deref(), Some("kube-system/kube-proxy"));
        assert_eq!(AccountRef::from_subject("system:node:x"), None);
    }
}
