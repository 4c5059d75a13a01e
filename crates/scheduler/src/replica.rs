//! This scheduler among its like.

use jiff::Timestamp;
use perennial_core::name::{NameError, ReplicaName};
use perennial_process::start::StartError;

/// Who answers, and since when it can know anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// `--replica-name`
    pub name: String,
    /// When it started. It tells the attempts of two lives of one process apart.
    pub since: Timestamp,
}

impl Replica {
    /// Id of an attempt, for the logs of all services.
    #[must_use]
    pub fn request_id(&self, attempt: u64) -> String {
        format!("{:x}-{attempt}", self.since.as_microsecond())
    }
}

/// The name that was given, or that of this machine, which in a Pod is that of the Pod. It is a part
/// of the name of a Lease.
///
/// # Errors
/// When it is not one that the API server accepts.
pub fn name(given: Option<String>) -> Result<ReplicaName, StartError> {
    let (name, whose) = match given {
        Some(name) => (name, "--replica-name"),
        None => (host_name().to_lowercase(), "the host name, taken for want of --replica-name,"),
    };
    name.parse().map_err(|error: NameError| {
        StartError::usage(format!("{whose} {name:?} {error}: it names the Lease of this replica"))
    })
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
