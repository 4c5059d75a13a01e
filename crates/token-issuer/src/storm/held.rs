//! Why a request has to wait.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::{
    failure::{Failure, Kind},
    name::SecretRef,
    shoot::ShootId,
};

/// What somebody who was refused for work in flight should wait. An issue takes some 20 ms.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a request has to wait.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Held {
    /// Another token so soon would be a storm (B12).
    #[error("Secret {secret} gets no other token before {until}{}", because(.dropped.as_deref()))]
    Storm {
        /// Which Secret.
        secret: SecretRef,
        /// When it may.
        until: Timestamp,
        /// How long that is.
        left: Duration,
        /// Reason why the last token was not passed on, where it was not.
        dropped: Option<String>,
    },
    /// One token per Secret at a time.
    #[error("a token for Secret {secret} is being issued already")]
    UnderWay {
        /// Which Secret.
        secret: SecretRef,
    },
    /// As many issues of one shoot are under way as are admitted.
    #[error(
        "{max} tokens of shoot {shoot} are being issued already \
         (--issues-in-flight-per-shoot-max); try again"
    )]
    ShootBusy {
        /// Which shoot.
        shoot: ShootId,
        /// The limit.
        max: usize,
    },
}

fn because(dropped: Option<&str>) -> String {
    match dropped {
        Some(reason) => format!(": the last one was issued and not passed on ({reason})"),
        None => ": too many were issued for it in a short time".to_owned(),
    }
}

impl Held {
    pub(super) fn storm(
        secret: &SecretRef,
        now: Timestamp,
        until: Timestamp,
        dropped: Option<String>,
    ) -> Self {
        let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        Self::Storm { secret: secret.clone(), until, left, dropped }
    }
}

impl Failure for Held {
    fn kind(&self) -> Kind {
        match self {
            Self::Storm { .. } | Self::UnderWay { .. } => Kind::Held,
            Self::ShootBusy { .. } => Kind::Throttled,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Storm { .. } => "ISSUE_HELD",
            Self::UnderWay { .. } => "ISSUE_UNDER_WAY",
            Self::ShootBusy { .. } => "SHOOT_BUSY",
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Storm { left, .. } => Some(*left),
            Self::UnderWay { .. } | Self::ShootBusy { .. } => Some(PAUSE),
        }
    }
}
