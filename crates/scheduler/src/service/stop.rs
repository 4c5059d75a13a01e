//! Throwing the stop switch, and waiting until this scheduler holds to it.

use std::time::Duration;

use perennial_core::stop::Stop;
use perennial_proto::scheduler::v1 as proto;
use perennial_rpc::{authorize::Peer, convert::timestamp};
use tokio::time;
use tracing::warn;

use super::{Service, convert, error::Error};
use perennial_fleet::stop::{Outlook, Switch};

/// Longest wait until this scheduler has heard of what was stored. A look takes at most 10 s, and
/// one may be under way. The server gives up after 60 s: 3 × 10 s for the calls before, and this.
pub(super) const HEARD_MAX: Duration = Duration::from_secs(20);

/// Who throws the switch where the connection does not say, which only tests get to see.
const NOBODY: &str = "an operator";

/// Who calls.
pub(super) fn caller<T>(request: &tonic::Request<T>) -> String {
    Peer::of(request).map_or_else(|| NOBODY.to_owned(), |peer| peer.id.to_string())
}

impl Service {
    pub(super) async fn stop_fleet(
        &self,
        reason: &str,
        by: String,
    ) -> Result<proto::StopResponse, Error> {
        let reason = reason.parse().map_err(Error::StopReason)?;
        let stop = self.board.read(|_, now| Stop::new(reason, by, now));
        let (stop, was_stopped) = self.handle.switch.stop(stop).await.map_err(Error::Switch)?;
        self.heard(|switch| matches!(switch, Switch::Stopped(_))).await?;
        Ok(proto::StopResponse {
            stopped: Some(stopped(&stop)),
            was_stopped,
            outlook: Some(self.outlook()),
        })
    }

    pub(super) async fn resume_fleet(&self, by: &str) -> Result<proto::ResumeResponse, Error> {
        // As it is while nothing is ordered: the watch may be sooner than the answer to our own write.
        let outlook = self.outlook();
        let ended = self.handle.switch.resume().await.map_err(Error::Switch)?;
        if let Some(stop) = &ended {
            warn!(%by, "an operator ended the stop of the fleet: it was {stop}");
        }
        self.heard(|switch| matches!(switch, Switch::Running)).await?;
        Ok(proto::ResumeResponse { ended: ended.as_ref().map(stopped), outlook: Some(outlook) })
    }

    /// Waits until the engine holds to what the seed says.
    async fn heard(&self, wanted: impl Fn(&Switch) -> bool) -> Result<(), Error> {
        self.handle.look();
        let mut switch = self.board.follow_switch();
        let heard = switch.wait_for(wanted);
        match time::timeout(HEARD_MAX, heard).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Error::SwitchNotHeard),
        }
    }

    fn outlook(&self) -> proto::Outlook {
        let Outlook { waiting, unusable, expiring_within_hour, next } =
            self.board.read(|fleet, now| fleet.outlook(now));
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let (next_expiry, next_to_expire) = next.unzip();
        proto::Outlook {
            waiting: count(waiting),
            unusable: count(unusable),
            expiring_within_hour: count(expiring_within_hour),
            next_expiry: next_expiry.map(timestamp),
            next_to_expire: next_to_expire.map(convert::secret_name),
        }
    }
}

/// A stop as a message.
pub(super) fn stopped(stop: &Stop) -> proto::Stopped {
    let Stop { reason, by, since } = stop.clone();
    proto::Stopped { reason, by, since: since.map(timestamp) }
}
