//! Between the messages of `proto/` and the domain. Only what can be valid gets in; the way out
//! never fails.

use std::{str::FromStr, time::Duration};

use jiff::{SignedDuration, Timestamp};

mod generation;
mod record;
mod shoot;
mod target;

pub use generation::{
    ends_from_proto, ends_to_proto, family_from_proto, family_to_proto,
    generations_seen_from_proto, generations_seen_to_proto,
};
pub use record::{record_from_proto, record_to_proto};
pub use shoot::{
    account_from_proto, account_seen_from_proto, account_seen_to_proto, account_to_proto,
    endpoint_from_proto, shoot_from_proto, shoot_to_proto,
};
pub use target::{
    delivered_from_proto, delivered_to_proto, left_from_proto, left_to_proto, target_from_proto,
    target_seen_from_proto, target_seen_to_proto, target_to_proto,
};

/// A message that cannot be understood. It names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field {field} {problem}")]
pub struct ConvertError {
    /// Path of the field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl ConvertError {
    pub(crate) fn missing(field: &'static str) -> Self {
        Self { field, problem: "is missing".to_owned() }
    }
}

/// Parses the text of a field.
///
/// # Errors
/// When it is not what the type takes.
pub fn parsed<T: FromStr>(field: &'static str, text: &str) -> Result<T, ConvertError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| ConvertError { field, problem: error.to_string() })
}

/// A moment as a message.
#[must_use]
pub fn timestamp(moment: Timestamp) -> prost_types::Timestamp {
    // jiff rounds towards zero, protobuf wants nanoseconds that are never negative.
    let (mut seconds, mut nanos) = (moment.as_second(), moment.subsec_nanosecond());
    if nanos < 0 {
        seconds -= 1;
        nanos += 1_000_000_000;
    }
    prost_types::Timestamp { seconds, nanos }
}

/// A moment out of a message.
///
/// # Errors
/// When it is missing or out of range.
pub fn timestamp_from(
    field: &'static str,
    message: Option<prost_types::Timestamp>,
) -> Result<Timestamp, ConvertError> {
    let message = message.ok_or_else(|| ConvertError::missing(field))?;
    Timestamp::new(message.seconds, message.nanos)
        .map_err(|_| ConvertError { field, problem: "is out of range".to_owned() })
}

/// A duration as a message; one beyond protobuf's range (10,000 years) becomes the longest.
#[must_use]
pub fn duration(length: Duration) -> prost_types::Duration {
    let nanos = i32::try_from(length.subsec_nanos()).unwrap_or(0);
    prost_types::Duration { seconds: i64::try_from(length.as_secs()).unwrap_or(i64::MAX), nanos }
}

/// A duration out of a message.
///
/// # Errors
/// When it is missing, negative or out of range.
pub fn duration_from(
    field: &'static str,
    message: Option<prost_types::Duration>,
) -> Result<Duration, ConvertError> {
    let message = message.ok_or_else(|| ConvertError::missing(field))?;
    Duration::try_from(message)
        .map_err(|_| ConvertError { field, problem: "is negative or out of range".to_owned() })
}

/// A duration out of a message that may leave it out.
///
/// # Errors
/// When it is negative or out of range.
pub fn duration_from_optional(
    field: &'static str,
    message: Option<prost_types::Duration>,
) -> Result<Option<Duration>, ConvertError> {
    message.map(|message| duration_from(field, Some(message))).transpose()
}

fn signed(offset: SignedDuration) -> prost_types::Duration {
    prost_types::Duration { seconds: offset.as_secs(), nanos: offset.subsec_nanos() }
}

fn signed_from(message: prost_types::Duration) -> SignedDuration {
    SignedDuration::new(message.seconds, message.nanos.clamp(-999_999_999, 999_999_999))
}

#[cfg(test)]
mod tests;
