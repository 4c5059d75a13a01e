//! A revocation: asked for once, and then how far it is until it is done.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream::BoxStream};
use perennial_core::{
    generation::{GRACE_MAX, Number},
    name::SecretRef,
};
use perennial_process::supervise::Shutdown;
use perennial_proto::scheduler::v1::{RevocationPhase, RevokeRequest, RevokeResponse};
use perennial_rpc::{
    convert::{duration_from_optional, timestamp},
    status::to_status,
};
use tokio::time;
use tonic::Status;

use super::error::Error;
use crate::board::{Board, TooSlow, Watcher};
use perennial_fleet::revocation::progress::{Phase, Progress};

/// How often is looked whether something changed that is no change of the Secret, such as what holds
/// back every order.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What an operator asks for.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub secret: SecretRef,
    pub generation: Number,
    pub grace: Option<Duration>,
}

impl Ask {
    pub(super) fn read(message: RevokeRequest) -> Result<Self, Error> {
        let RevokeRequest { namespace, name, generation, grace } = message;
        let secret = super::secret(&namespace, &name)?;
        let grace = duration_from_optional("grace", grace).map_err(|_| Error::Grace)?;
        match grace.is_some_and(|grace| grace > GRACE_MAX) {
            true => Err(Error::Grace),
            false => Ok(Self { secret, generation, grace }),
        }
    }
}

/// One message at once and one for each change, until it is done or cannot come to its end.
pub(super) fn stream(
    board: Arc<Board>,
    watcher: Arc<Watcher>,
    secret: SecretRef,
    shutdown: Shutdown,
) -> BoxStream<'static, Result<RevokeResponse, Status>> {
    let messages = async_stream::try_stream! {
        let mut told = None;
        while let Some((at, progress)) = board.revocation(&secret) {
            let progress = progress.map_err(|error| to_status(&Error::from(error)))?;
            let is_done = matches!(progress.phase, Phase::Done { .. });
            if told.as_ref() != Some(&progress) {
                told = Some(progress.clone());
                yield message(at, progress);
            }
            if is_done {
                break;
            }
            let changes = time::timeout(LOOK_INTERVAL, watcher.changes()).await;
            if let Ok(Err(TooSlow)) = changes {
                Err(to_status(&Error::TooSlow))?;
            }
        }
    };
    messages.take_until(shutdown.requested_owned()).boxed()
}

fn message(at: jiff::Timestamp, progress: Progress) -> RevokeResponse {
    let Progress { phase, generation, present, until, detail } = progress;
    let (phase, refused) = match phase {
        Phase::Token => (RevocationPhase::Token, false),
        Phase::Grace => (RevocationPhase::Grace, false),
        Phase::Deleting => (RevocationPhase::Deleting, false),
        Phase::Confirming => (RevocationPhase::Confirming, false),
        Phase::Done { refused } => (RevocationPhase::Done, refused),
    };
    RevokeResponse {
        phase: phase.into(),
        generation,
        present: present.unwrap_or_default(),
        until: until.map(timestamp),
        detail,
        refused,
        at: Some(timestamp(at)),
    }
}
