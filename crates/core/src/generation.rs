//! Generations: what the tokens of a revocable access Secret are bound to (contract, section D).
//!
//! A generation is an empty Secret in the shoot, beside the ServiceAccount. The API server refuses
//! every token that is bound to it as soon as it is gone, so its deletion revokes them all. An
//! access Secret has one generation at a time; while it is revoked, two:
//!
//! ```text
//!          n made    first token revoked: n+1 made, token written     grace over    n deleted
//! n        ├──────────────────────────────────────────────┼──────────────────┤
//! n+1                                       ├────────────────────────────────────────────►
//! ```
//!
//! Every step is seen from outside: n+1 is there while the token is of n: renew; the token is of
//! n+1 while n is there: delete n once the grace is over.

use std::{fmt, str::FromStr, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::ends::{ENDS_MAX, End, Ends};

use crate::{
    hex::hex,
    name::{Namespace, SecretName, SecretRef},
    token::Claims,
};

mod ends;

/// How long tokens of a former generation live on after the new one is written. A mounted Secret
/// takes up to 2 minutes to reach its files, and client-go reads those once a minute: 3 minutes,
/// and one to spare.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(4 * 60);
/// Longest grace. Whoever can wait longer can wait for the ordinary renewal.
pub const GRACE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// For so long the API server may go on taking a token after what it was bound to is gone: its own
/// cache keeps an answer for 10 s (measured: 10 to 11 s), and 30 s are sure.
pub const REFUSED_WITHIN: Duration = Duration::from_secs(30);

const PREFIX: &str = "perennial-generation-";

/// The number of a generation; the first one is 1.
pub type Number = u32;

/// All generations of one access Secret that are in one namespace of its shoot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family {
    /// The namespace in the shoot: that of the ServiceAccount.
    pub namespace: Namespace,
    /// Name of the access Secret on the seed, in the namespace of the shoot. Not its uid: whoever
    /// makes it anew, or moves it to another seed, goes on with its generations.
    pub secret: SecretName,
}

impl Family {
    /// The generations of an access Secret whose ServiceAccount is in this namespace.
    #[must_use]
    pub fn new(namespace: &Namespace, secret: &SecretRef) -> Self {
        Self { namespace: namespace.clone(), secret: secret.name.clone() }
    }

    /// Name of one of them.
    #[must_use]
    pub fn name(&self, number: Number) -> SecretName {
        let name = format!("{PREFIX}{}-{number}", self.id());
        name.parse().expect("lower-case letters, digits and dashes, 48 at most")
    }

    /// Which one has this name; `None` where it is none of them.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<Number> {
        let (id, number) = parts(name)?;
        (id == self.id()).then_some(number)
    }

    /// What stands for the access Secret in their names: its own may be too long to be part of one.
    #[must_use]
    pub fn id(&self) -> String {
        hex(&Sha256::digest(self.secret.as_str())[..8])
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{PREFIX}{}-…", self.namespace, self.id())
    }
}

/// Whether a Secret of this name is a generation, whosever.
#[must_use]
pub fn is_one(name: &str) -> bool {
    parts(name).is_some()
}

/// [`Family::id`] and number, off the name of a generation, whosever.
#[must_use]
pub fn parts(name: &str) -> Option<(&str, Number)> {
    let (id, number) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let number = Number::from_str(number).ok().filter(|n| *n > 0 && n.to_string() == number)?;
    (id.len() == 16).then_some((id, number))
}

/// The object a token is bound to, as its claims name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bound {
    /// Name of a Secret in the namespace of the ServiceAccount.
    pub name: String,
    /// Its uid: another Secret of the same name does not bring the token back.
    pub uid: String,
}

/// What a note says of the generation of its token.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Noted {
    /// Which one.
    pub number: Number,
    /// UID of its Secret.
    pub uid: String,
    /// Until then older generations may live; absent where none was revoked. By our clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_until: Option<Timestamp>,
    /// Those of them that go sooner: they were promised to, before the last one was revoked. A
    /// version that does not know this lets them live until `older_until`.
    #[serde(default, skip_serializing_if = "Ends::is_empty")]
    pub sooner: Ends,
}

impl Noted {
    /// What to note of a token with these claims; `None` where it is bound to none of the family.
    #[must_use]
    pub fn of(family: &Family, claims: &Claims, older_until: Option<Timestamp>) -> Option<Self> {
        let bound = claims.bound.as_ref()?;
        let number = family.number(&bound.name)?;
        let sooner = Ends::default();
        Some(Self { number, uid: bound.uid.clone(), older_until, sooner })
    }
}

/// A generation that is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Generation {
    /// Which one.
    pub number: Number,
    /// `metadata.uid`
    pub uid: Box<str>,
    /// For how long older ones live on after a token of this one is written, as whoever made it was
    /// told; absent where none was to be revoked.
    pub grace: Option<Duration>,
    /// When it was made, by the shoot's clock, whole seconds; absent until a list or a watch has told.
    pub made: Option<Timestamp>,
}

/// The generations of an access Secret, as they were last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationsSeen {
    /// All that are there, in order of their numbers. One that is being deleted is not.
    pub present: Vec<Generation>,
    /// When, by the clock of whoever saw it.
    pub at: Timestamp,
}

impl GenerationsSeen {
    /// Whether that one is there, and not another of its name.
    #[must_use]
    pub fn has(&self, number: Number, uid: &str) -> bool {
        self.present.iter().any(|seen| seen.number == number && *seen.uid == *uid)
    }

    /// The newest.
    #[must_use]
    pub fn newest(&self) -> Option<&Generation> {
        self.present.last()
    }

    /// Whether one is there that is older than `number`.
    #[must_use]
    pub fn has_older(&self, number: Number) -> bool {
        self.present.first().is_some_and(|oldest| oldest.number < number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(secret: &str) -> Family {
        Family { namespace: "kube-system".parse().unwrap(), secret: secret.parse().unwrap() }
    }

    #[test]
    fn d_a_generation_is_known_by_its_name_and_only_to_its_own_family() {
        let (proxy, longest) = (family("kube-proxy"), family(&"x".repeat(253)));
        for number in [1, 9, 10, Number::MAX] {
            let name = proxy.name(number);
            assert_eq!(proxy.number(name.as_str()), Some(number));
            assert_eq!(longest.number(name.as_str()), None);
            assert!(is_one(name.as_str()) && longest.name(number).as_str().len() <= 63);
        }
        let name = proxy.name(7).to_string();
        for other in ["-07", "-0", "-", "-+7", "-7-7", "", "-99999999999"] {
            let name = name.replace("-7", other);
            assert!(!is_one(&name) && proxy.number(&name).is_none(), "{name}");
        }
        assert!(!is_one("perennial-generation-0-7") && !is_one("shoot-access"));
    }
}
