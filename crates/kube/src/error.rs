//! What can go wrong at an API server.

use std::time::Duration;

use perennial_core::failure::{self, Failure, Kind};

/// Longest text of an API server that is repeated, in characters. It goes into logs and into the
/// trailers of gRPC, and a shoot is someone else's machine.
const TEXT_CHARS_MAX: usize = 600;

/// The `reason` that kube gives to a refusal whose body is no Status. Its `message` is the body.
const NO_STATUS: &str = "Failed to parse error data";

/// Longest pause that an API server can ask for. Tokens live for hours, so whoever believes in a
/// longer one would let them expire because of one wrong answer.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// An error of a call to an API server. The text names the operation; it never holds the body of
/// an answer that could not be parsed, because that body may be a token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer within our own limit; whether the call took effect is unknown.
    #[error("failed to {operation}: no answer within {} s", .limit.as_secs_f32())]
    TimedOut {
        /// What was tried.
        operation: String,
        /// How long we waited.
        limit: Duration,
    },
    /// The API server answered with an error.
    #[error("failed to {operation}: {message}")]
    Refused {
        /// What was tried.
        operation: String,
        /// HTTP status.
        code: u16,
        /// `reason` of the Status, such as `NotFound`.
        reason: String,
        /// `message` of the Status.
        message: String,
        /// `details.kind` of the Status, such as `serviceaccounts`.
        about: Option<String>,
        /// `details.retryAfterSeconds` of the Status, or `Retry-After` where there is no Status;
        /// at most [`RETRY_AFTER_MAX`].
        retry_after: Option<Duration>,
    },
    /// The API server could not be reached, or the connection broke.
    #[error("failed to {operation}: {cause}")]
    Unreachable {
        /// What was tried.
        operation: String,
        /// What broke.
        cause: String,
    },
    /// An answer that makes no sense.
    #[error("failed to {operation}: {problem}")]
    Nonsense {
        /// What was tried.
        operation: String,
        /// What is wrong with the answer; never the answer itself.
        problem: String,
    },
    /// Our own settings or a credential cannot be used.
    #[error("failed to {operation}: {problem}")]
    Unusable {
        /// What was tried.
        operation: String,
        /// What is wrong and what to do.
        problem: String,
    },
}

impl Error {
    /// Sorts an error of kube into ours.
    pub(crate) fn from_kube(operation: &str, error: kube::Error) -> Self {
        let operation = operation.to_owned();
        match error {
            kube::Error::Api(status) => {
                let details = status.details.as_ref();
                let message = match status.reason == NO_STATUS {
                    true => format!("HTTP {} with a body that is no Status", status.code),
                    false => short(&status.message),
                };
                Self::Refused {
                    operation,
                    code: status.code,
                    reason: short(&status.reason),
                    message,
                    about: details.map(|d| short(&d.kind)).filter(|kind| !kind.is_empty()),
                    retry_after: details
                        .map(|d| d.retry_after_seconds)
                        .filter(|seconds| *seconds > 0)
                        .map(|seconds| {
                            Duration::from_secs(u64::from(seconds)).min(RETRY_AFTER_MAX)
                        }),
                }
            }
            // Their texts may quote the body.
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
                Self::Nonsense { operation, problem: "the answer cannot be parsed".to_owned() }
            }
            other if is_too_long(&other) => {
                Self::Nonsense { operation, problem: "the answer is implausibly long".to_owned() }
            }
            other => Self::Unreachable { operation, cause: short(&failure::chain(&other)) },
        }
    }

    /// HTTP status, where the API server gave one.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::TimedOut { .. }
            | Self::Unreachable { .. }
            | Self::Nonsense { .. }
            | Self::Unusable { .. } => None,
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// Whether an answer was cut off by the limit of [`crate::shoot::ANSWER_BYTES_MAX`].
fn is_too_long(error: &kube::Error) -> bool {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |error| error.source())
        .any(|error| error.is::<http_body_util::LengthLimitError>())
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::TimedOut { .. } => Kind::TimedOut,
            Self::Unreachable { .. } => Kind::Unavailable,
            Self::Nonsense { .. } => Kind::Internal,
            Self::Unusable { .. } => Kind::Invalid,
            Self::Refused { code, .. } => match code {
                400 | 405 | 406 | 413 | 415 | 422 => Kind::Invalid,
                401 | 403 => Kind::Denied,
                404 | 410 => Kind::NotFound,
                409 => Kind::Changed,
                429 => Kind::Throttled,
                _ => Kind::Unavailable,
            },
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::TimedOut { .. } => "API_SERVER_TIMED_OUT",
            Self::Unreachable { .. } => "API_SERVER_UNREACHABLE",
            Self::Nonsense { .. } => "API_SERVER_NONSENSE",
            Self::Unusable { .. } => "CREDENTIAL_UNUSABLE",
            Self::Refused { code, .. } => match code {
                401 => "API_SERVER_UNAUTHORIZED",
                403 => "API_SERVER_FORBIDDEN",
                404 => "API_SERVER_NOT_FOUND",
                409 => "API_SERVER_CONFLICT",
                429 => "API_SERVER_THROTTLED",
                _ => "API_SERVER_REFUSED",
            },
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::TimedOut { .. }
            | Self::Unreachable { .. }
            | Self::Nonsense { .. }
            | Self::Unusable { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn the_body_of_a_refusal_that_is_no_status_is_not_repeated() {
        let body = r#"{"status":{"token":"eyJhbGciOi"}}"#;
        let status = Status::failure(body, NO_STATUS).with_code(502);
        let error = Error::from_kube("request a token", kube::Error::Api(status.boxed()));

        let text = error.to_string();
        assert_eq!(text, "failed to request a token: HTTP 502 with a body that is no Status");
        assert!(!format!("{error:?}").contains("eyJ"));
    }
}
