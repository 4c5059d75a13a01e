//! Messages as the canonical JSON of protobuf: names in lowerCamelCase, times in RFC 3339, fields
//! that are empty, zero or false left out. It is as stable as `proto/`.

use std::{
    io::{self, Write as _},
    sync::LazyLock,
};

use perennial_proto::{
    FILE_DESCRIPTOR_SET, cli::v1 as cli, issuer::v1 as issuer, scheduler::v1 as scheduler,
};
use prost_reflect::{DescriptorPool, DynamicMessage, prost};

use crate::error::CliError;

/// A message that is printed.
pub trait Shown: prost::Message {
    /// Its full name.
    const NAME: &'static str;
}

macro_rules! shown {
    ($($type:ty = $name:literal),* $(,)?) => {
        $(impl Shown for $type {
            const NAME: &'static str = $name;
        })*
        #[cfg(test)]
        const NAMES: &[&str] = &[$($name),*];
    };
}

shown! {
    cli::Kubeconfig = "perennial.cli.v1.Kubeconfig",
    cli::Renewed = "perennial.cli.v1.Renewed",
    cli::Status = "perennial.cli.v1.Status",
    issuer::Shoot = "perennial.issuer.v1.Shoot",
    scheduler::CampaignProgress = "perennial.scheduler.v1.CampaignProgress",
    scheduler::CancelCampaignResponse = "perennial.scheduler.v1.CancelCampaignResponse",
    scheduler::GetBudgetResponse = "perennial.scheduler.v1.GetBudgetResponse",
    scheduler::GetCampaignResponse = "perennial.scheduler.v1.GetCampaignResponse",
    scheduler::ListCampaignsResponse = "perennial.scheduler.v1.ListCampaignsResponse",
    scheduler::StartCampaignResponse = "perennial.scheduler.v1.StartCampaignResponse",
    scheduler::Explanation = "perennial.scheduler.v1.Explanation",
    scheduler::ForecastResponse = "perennial.scheduler.v1.ForecastResponse",
    scheduler::ListSchedulesResponse = "perennial.scheduler.v1.ListSchedulesResponse",
    scheduler::PauseShootResponse = "perennial.scheduler.v1.PauseShootResponse",
    scheduler::ResumeShootResponse = "perennial.scheduler.v1.ResumeShootResponse",
    scheduler::ResumeResponse = "perennial.scheduler.v1.ResumeResponse",
    scheduler::RevokeResponse = "perennial.scheduler.v1.RevokeResponse",
    scheduler::Schedule = "perennial.scheduler.v1.Schedule",
    scheduler::StopResponse = "perennial.scheduler.v1.StopResponse",
    scheduler::WatchSchedulesResponse = "perennial.scheduler.v1.WatchSchedulesResponse",
}

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("made together with this binary")
});

/// The message on one line.
///
/// # Errors
/// When a value has no JSON, such as a time after the year 9999.
pub fn line<M: Shown>(message: &M) -> Result<String, CliError> {
    serde_json::to_string(&dynamic(message)?).map_err(nonsense)
}

/// The message on many lines, to be read by people too.
///
/// # Errors
/// When a value has no JSON, such as a time after the year 9999.
pub fn pretty<M: Shown>(message: &M) -> Result<String, CliError> {
    serde_json::to_string_pretty(&dynamic(message)?).map_err(nonsense)
}

/// Prints it on many lines.
///
/// # Errors
/// When it has no JSON or stdout is gone.
pub fn print<M: Shown>(message: &M) -> Result<(), CliError> {
    writeln!(io::stdout(), "{}", pretty(message)?).map_err(CliError::Output)
}

/// Prints it on one line.
///
/// # Errors
/// When it has no JSON or stdout is gone.
pub fn print_line<M: Shown>(message: &M) -> Result<(), CliError> {
    writeln!(io::stdout(), "{}", line(message)?).map_err(CliError::Output)
}

fn dynamic<M: Shown>(message: &M) -> Result<DynamicMessage, CliError> {
    let descriptor = POOL.get_message_by_name(M::NAME).expect("a test looks for every name");
    let mut dynamic = DynamicMessage::new(descriptor);
    dynamic.transcode_from(message).map_err(nonsense)?;
    Ok(dynamic)
}

fn nonsense(error: impl std::fmt::Display) -> CliError {
    CliError::Nonsense(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_in_the_descriptor_set() {
        for name in NAMES {
            assert!(POOL.get_message_by_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_schedule_is_canonical_json() {
        let schedule = scheduler::Schedule {
            name: "etcd".to_owned(),
            state: scheduler::State::BackingOff.into(),
            next_at: Some(prost_types::Timestamp { seconds: 60, nanos: 0 }),
            renewals: 3,
            ..scheduler::Schedule::default()
        };
        assert_eq!(
            line(&schedule).unwrap(),
            r#"{"name":"etcd","state":"STATE_BACKING_OFF","nextAt":"1970-01-01T00:01:00Z","renewals":"3"}"#
        );
    }

    #[test]
    fn what_has_no_json_is_an_error_and_no_panic() {
        let at = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 });
        let schedule = scheduler::Schedule { next_at: at, ..scheduler::Schedule::default() };
        assert!(matches!(line(&schedule), Err(CliError::Nonsense(_))));
    }
}
