//! This scheduler among its like.

use jiff::Timestamp;

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

/// The name of this machine, which in a Pod is that of the Pod.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
