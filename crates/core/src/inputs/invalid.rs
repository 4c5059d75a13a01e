//! Why a Secret cannot be served, in words that say which key, why, and what to do (B10).

use std::fmt;

use super::{ACCOUNT_LABELS_MAX, AUDIENCE_BYTES_MAX, AUDIENCES_MAX};
use crate::{kubeconfig::KubeconfigError, name::NameError, quote::cut};

/// A Secret that asks for something impossible.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Invalid {
    /// What kind of key it is, `annotation` or `data key`.
    pub place: Place,
    /// The key.
    pub key: &'static str,
    /// Its value, cut to 80 characters and without what looks like a token; never from `data`,
    /// which may hold credentials.
    pub value: Option<String>,
    /// What is wrong with it.
    pub problem: Problem,
}

/// Where the key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// `metadata.annotations`
    Annotation,
    /// `data`
    Data,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// Required and not there.
    Missing,
    /// Not a name.
    Name(NameError),
    /// Not a Go duration.
    NotADuration,
    /// A lifetime that the TokenRequest API refuses.
    LifetimeOutOfRange,
    /// Not a Go bool.
    NotABool,
    /// An audience that is empty, too long or has control characters, or too many of them.
    Audience,
    /// Not a JSON object from string to string.
    NotALabelObject,
    /// More labels than anybody needs.
    TooManyLabels,
    /// A label that the API server would refuse.
    Label {
        /// The key of that label, cut.
        label: String,
    },
    /// A kubeconfig into which no token can be put.
    Kubeconfig(KubeconfigError),
}

/// An [`Invalid`] as it is handed on: what a record keeps and what another process is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// Stable, upper-case name of the problem, such as `DURATION_INVALID`.
    pub reason: String,
    /// The key that is wrong.
    pub key: String,
    /// Key, value where harmless, problem and remedy in one sentence.
    pub message: String,
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self {
            reason: invalid.reason().to_owned(),
            key: invalid.key.to_owned(),
            message: invalid.to_string(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Invalid {
    pub(crate) fn annotation(key: &'static str, value: Option<&str>, problem: Problem) -> Self {
        Self { place: Place::Annotation, key, value: value.map(cut), problem }
    }

    pub(crate) fn data(key: &'static str, problem: Problem) -> Self {
        Self { place: Place::Data, key, value: None, problem }
    }

    /// Stable, upper-case name of the problem: one per mistake, so that Events of two mistakes
    /// are two Events.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match &self.problem {
            Problem::Missing => "ANNOTATION_MISSING",
            Problem::Name(_) => "NAME_INVALID",
            Problem::NotADuration => "DURATION_INVALID",
            Problem::LifetimeOutOfRange => "LIFETIME_OUT_OF_RANGE",
            Problem::NotABool => "BOOL_INVALID",
            Problem::Audience => "AUDIENCE_INVALID",
            Problem::NotALabelObject | Problem::TooManyLabels | Problem::Label { .. } => {
                "LABELS_INVALID"
            }
            Problem::Kubeconfig(_) => "KUBECONFIG_INVALID",
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Annotation => write!(f, "annotation {}", self.key)?,
            Place::Data => write!(f, "data key {}", self.key)?,
        }
        if let Some(value) = &self.value {
            write!(f, " (\"{value}\")")?;
        }
        match &self.problem {
            Problem::Missing => f.write_str(" is missing; set it"),
            Problem::Name(error) => write!(f, " {error}; correct it"),
            Problem::NotADuration => {
                f.write_str(" is not a Go duration; write it like 12h or 1h30m")
            }
            Problem::LifetimeOutOfRange => f.write_str(
                " is outside what the TokenRequest API accepts; choose between 10m and 1193046h",
            ),
            Problem::NotABool => f.write_str(" is not a Go bool; write true or false"),
            Problem::Audience => write!(
                f,
                " has an empty, unprintable or too long audience, or too many; write at most \
                 {AUDIENCES_MAX} of up to {AUDIENCE_BYTES_MAX} bytes, separated by one comma"
            ),
            Problem::NotALabelObject => f.write_str(
                " is not a JSON object from string to string; write it like {\"app\":\"x\"}",
            ),
            Problem::TooManyLabels => {
                write!(f, " has too many labels; keep at most {ACCOUNT_LABELS_MAX}")
            }
            Problem::Label { label } => write!(
                f,
                " has the label \"{label}\", which Kubernetes refuses; correct its key or value"
            ),
            Problem::Kubeconfig(error) => write!(f, " cannot take a token: {error}"),
        }
    }
}
