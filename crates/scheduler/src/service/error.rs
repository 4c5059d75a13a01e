//! What an operator is told when a call fails.

use std::time::Duration;

use perennial_core::{
    failure::{Failure, Kind},
    name::{NameError, SecretRef},
};

use crate::fleet::request;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Not the name of a namespace or Secret.
    #[error("field {field} {source}")]
    Name { field: &'static str, source: NameError },
    /// Not a token of ours.
    #[error("page_token is not one that ListSchedules gave; begin with an empty one")]
    PageToken,
    /// Too many streams.
    #[error("too many watch schedules already; close a stream first")]
    TooManyWatchers,
    /// The caller took too little too late.
    #[error("more schedules changed than can be kept for a slow reader; open the stream anew")]
    TooSlow,
    /// Still waiting for the outcome.
    #[error("{0} is not renewed yet; it stays ahead of the queue, look at its schedule")]
    StillUnderWay(SecretRef),
    /// The renewal.
    #[error(transparent)]
    Request(#[from] request::Error),
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Name { .. } | Self::PageToken => Kind::Invalid,
            Self::TooManyWatchers | Self::TooSlow => Kind::Throttled,
            Self::StillUnderWay(_) => Kind::TimedOut,
            Self::Request(error) => error.kind(),
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Name { .. } => "NAME_INVALID",
            Self::PageToken => "PAGE_TOKEN_INVALID",
            Self::TooManyWatchers => "TOO_MANY_WATCHERS",
            Self::TooSlow => "WATCHER_TOO_SLOW",
            Self::StillUnderWay(_) => "STILL_UNDER_WAY",
            Self::Request(error) => error.reason(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Request(error) => error.retry_after(),
            Self::Name { .. }
            | Self::PageToken
            | Self::TooManyWatchers
            | Self::TooSlow
            | Self::StillUnderWay(_) => None,
        }
    }
}
