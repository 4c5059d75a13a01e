//! Flags that all services share, to be flattened into the `Parser` of each.
//!
//! Each flag can be given as an environment variable too; the flag wins.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{
    Args, ValueEnum,
    builder::{OsStringValueParser, TypedValueParser},
};
use jiff::SignedDuration;
use perennial_core::inputs::is_audience;

use crate::telemetry::Directives;

/// For a flag whose path may be empty, because an empty environment variable means none. clap takes
/// an empty path for wrong usage.
pub fn optional_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// How and what to log, and where traces go.
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// Form of a log line
    #[arg(long, env = "PERENNIAL_LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,

    /// What to log: a level, or directives such as info,perennial_scheduler=debug. The HTTP and
    /// Kubernetes clients stay capped whatever is given here, because they print credentials
    #[arg(long, env = "PERENNIAL_LOG_LEVEL", value_name = "DIRECTIVES", default_value = "info")]
    pub log_level: Directives,

    #[command(flatten)]
    pub trace: TraceArgs,
}

/// Where traces go.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct TraceArgs {
    /// URL of an OTLP collector (gRPC) that takes our spans, such as http://collector:4317; empty
    /// means none. Log lines have their trace_id either way
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        value_parser = endpoint,
        default_value = "",
        hide_default_value = true
    )]
    pub otlp_endpoint: String,

    /// PEM file with the CA of a collector that is reached by https; without it, the CAs of this
    /// machine
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_CERTIFICATE",
        value_name = "FILE",
        value_parser = optional_path()
    )]
    pub otlp_ca: Option<PathBuf>,

    /// Share of the traces begun here that are exported, 0 to 1. A trace that a caller began is
    /// exported if the caller's is
    #[arg(
        long,
        env = "PERENNIAL_TRACE_RATIO",
        value_name = "SHARE",
        value_parser = share,
        default_value = "1"
    )]
    pub trace_ratio: f64,
}

fn endpoint(text: &str) -> Result<String, &'static str> {
    match text.is_empty() || text.starts_with("http://") || text.starts_with("https://") {
        true => Ok(text.to_owned()),
        false => Err("write it as http://host:port or https://host:port"),
    }
}

fn share(text: &str) -> Result<f64, &'static str> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or("must be between 0 and 1")
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// One line of text.
    Text,
}

/// Where the admin port listens.
#[derive(Args, Clone, Debug)]
pub struct AdminArgs {
    /// Address of /healthz, /readyz and /metrics (plain HTTP)
    #[arg(long, env = "PERENNIAL_ADMIN_ADDR", default_value = "0.0.0.0:8080")]
    pub admin_addr: SocketAddr,
}

/// How long a stop may take.
#[derive(Args, Clone, Debug)]
pub struct DrainArgs {
    /// Longest time to finish what is in flight after SIGTERM or SIGINT; a second signal ends at
    /// once. Keep it under terminationGracePeriodSeconds
    #[arg(long, env = "PERENNIAL_DRAIN_GRACE", value_parser = duration, default_value = "20s")]
    pub drain_grace: Duration,
}

/// Reads one audience, without the space around it. For clap's `value_parser`, behind a
/// `value_delimiter`.
///
/// # Errors
///
/// When it is empty, longer than 253 bytes or has control characters.
pub fn audience(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    match is_audience(text) {
        true => Ok(text.to_owned()),
        false => {
            Err("empty, unprintable or longer than 253 bytes; separate audiences by one comma")
        }
    }
}

/// Reads a positive duration such as `8s`, `1h30m` or `24h`. For clap's `value_parser`.
///
/// # Errors
///
/// [`DurationError`] when the text is not a duration or is not positive.
pub fn duration(text: &str) -> Result<Duration, DurationError> {
    let signed: SignedDuration = text.parse().map_err(DurationError::Syntax)?;
    match Duration::try_from(signed) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) | Err(_) => Err(DurationError::NotPositive),
    }
}

/// Why a text is no duration for a flag.
#[derive(Debug, thiserror::Error)]
pub enum DurationError {
    /// It does not read as a duration.
    #[error("not a duration; write it as 8s, 1h30m or 24h")]
    Syntax(#[source] jiff::Error),
    /// It is zero or negative.
    #[error("must be longer than zero")]
    NotPositive,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_write_them() {
        let seconds = |text| duration(text).unwrap().as_secs();

        assert_eq!(seconds("8s"), 8);
        assert_eq!(seconds("1h30m"), 5400);
        assert_eq!(seconds("24h"), 86_400);
    }

    #[test]
    fn a_duration_must_be_positive_and_have_a_unit() {
        assert!(matches!(duration("0s"), Err(DurationError::NotPositive)));
        assert!(matches!(duration("-8s"), Err(DurationError::NotPositive)));
        assert!(matches!(duration("8"), Err(DurationError::Syntax(_))));
        assert!(matches!(duration(""), Err(DurationError::Syntax(_))));
    }
}
