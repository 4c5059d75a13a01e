//! What a proxy does with connections.

use std::{fmt, str::FromStr, time::Duration};

use anyhow::{Result, bail};

/// What a proxy does with connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Passes everything on.
    #[default]
    Open,
    /// Passes everything on, each piece so much later, in both directions.
    Delay(Duration),
    /// Takes connections and passes nothing on, as a server that hangs.
    Swallow,
    /// Refuses new connections and has cut the old ones, as a server that is gone.
    Cut,
}

impl Mode {
    /// How long a piece is held back; none while nothing goes through.
    pub(super) const fn pause(self) -> Option<Duration> {
        match self {
            Self::Open => Some(Duration::ZERO),
            Self::Delay(pause) => Some(pause),
            Self::Swallow | Self::Cut => None,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Delay(pause) => write!(f, "delay {}ms", pause.as_millis()),
            Self::Swallow => f.write_str("swallow"),
            Self::Cut => f.write_str("cut"),
        }
    }
}

impl FromStr for Mode {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text.trim() {
            "open" => Self::Open,
            "swallow" => Self::Swallow,
            "cut" => Self::Cut,
            other => match other.strip_prefix("delay ") {
                Some(pause) => Self::Delay(perennial_process::args::duration(pause)?),
                None => bail!("{other:?} is no mode of a proxy"),
            },
        })
    }
}
