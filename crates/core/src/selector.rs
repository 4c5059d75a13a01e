//! Label selectors, read as `kubectl -l` reads them (apimachinery `labels.Parse`; the tests compare with
//! what that says of the same texts).

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    inputs::{is_label_key, is_label_value},
    labels::Labels,
    quote::cut,
};

mod parse;

/// Longest selector, in bytes.
pub const SELECTOR_BYTES_MAX: usize = 1_024;

/// What labels must be. It demands something: who wants all says so in another way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Requirement {
    key: String,
    demand: Demand,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Demand {
    Exists,
    Absent,
    In(BTreeSet<String>),
    /// A label that is not there has none of the values.
    NotIn(BTreeSet<String>),
    Above(i64),
    Below(i64),
}

/// Why a text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "each says it")]
pub enum SelectorError {
    #[error("it demands nothing; write for example app=etcd, 'app in (a,b)' or !app")]
    Empty,
    #[error("it is longer than {SELECTOR_BYTES_MAX} bytes")]
    TooLong,
    #[error(
        "{found} stands where {expected} should; write for example app=etcd, 'app in (a,b)' or !app"
    )]
    Syntax { found: String, expected: &'static str },
    #[error("\"{0}\" is no key of a label")]
    Key(String),
    #[error("\"{0}\" is no value of a label")]
    Value(String),
    #[error("\"{0}\" is no whole number, as < and > need one")]
    Number(String),
}

impl Selector {
    /// Whether labels are as demanded.
    #[must_use]
    pub fn selects(&self, labels: &Labels) -> bool {
        self.0.iter().all(|requirement| requirement.is_met(labels.get(&requirement.key)))
    }
}

impl Requirement {
    fn new(key: &str, demand: Demand) -> Result<Self, SelectorError> {
        if !is_label_key(key) {
            return Err(SelectorError::Key(cut(key)));
        }
        if let Demand::In(values) | Demand::NotIn(values) = &demand
            && let Some(value) = values.iter().find(|value| !is_label_value(value))
        {
            return Err(SelectorError::Value(cut(value)));
        }
        Ok(Self { key: key.to_owned(), demand })
    }

    fn is_met(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.demand {
            Demand::Exists => value.is_some(),
            Demand::Absent => value.is_none(),
            Demand::In(values) => value.is_some_and(|value| values.contains(value)),
            Demand::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Demand::Above(bound) => number().is_some_and(|number| number > *bound),
            Demand::Below(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        if text.len() > SELECTOR_BYTES_MAX {
            return Err(SelectorError::TooLong);
        }
        let selector = Self(parse::requirements(text)?);
        match selector.0.is_empty() {
            true => Err(SelectorError::Empty),
            // As it is stored it must be read again.
            false if selector.to_string().len() > SELECTOR_BYTES_MAX => Err(SelectorError::TooLong),
            false => Ok(selector),
        }
    }
}

impl TryFrom<String> for Selector {
    type Error = SelectorError;

    fn try_from(text: String) -> Result<Self, SelectorError> {
        text.parse()
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.to_string()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, requirement) in self.0.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, demand } = self;
        let join = |values: &BTreeSet<String>| values.iter().cloned().collect::<Vec<_>>().join(",");
        match demand {
            Demand::Exists => write!(f, "{key}"),
            Demand::Absent => write!(f, "!{key}"),
            Demand::In(values) if values.len() == 1 => write!(f, "{key}={}", join(values)),
            Demand::NotIn(values) if values.len() == 1 => write!(f, "{key}!={}", join(values)),
            Demand::In(values) => write!(f, "{key} in ({})", join(values)),
            Demand::NotIn(values) => write!(f, "{key} notin ({})", join(values)),
            Demand::Above(bound) => write!(f, "{key}>{bound}"),
            Demand::Below(bound) => write!(f, "{key}<{bound}"),
        }
    }
}

#[cfg(test)]
mod tests;
