//! Pausing a shoot, and waiting until this scheduler holds to it.

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    name::Namespace,
    pause::{LENGTH_MAX, Pause},
    stop::StopReason,
};
use perennial_fleet::pauses::PauseOutlook;
use perennial_kube::own_namespace::Made;
use perennial_proto::scheduler::v1 as proto;
use perennial_rpc::convert::timestamp;
use tokio::time;
use tracing::warn;

use super::{Service, error::Error, stop::HEARD_MAX};

impl Service {
    pub(super) async fn pause_shoot(
        &self,
        message: &proto::PauseShootRequest,
        by: String,
    ) -> Result<proto::PauseShootResponse, Error> {
        let Ask { shoot, reason, lasting } = Ask::read(message)?;
        if self.board.read(|fleet, _| fleet.knows_shoot(&shoot)) == Some(false) {
            return Err(Error::NoShootToPause(shoot));
        }
        let (now, held) = self.board.read(|fleet, now| (now, fleet.pauses().get(&shoot).cloned()));
        let asked = Pause::new(reason, by, now, lasting);
        let before = match (message.dry_run, held) {
            (true, held) => held,
            (false, _) => self.store(&shoot, &asked, now).await?,
        };
        let was_paused = before.is_some();
        let pause = before.unwrap_or(asked);
        Ok(proto::PauseShootResponse {
            outlook: Some(self.pause_outlook(&shoot, pause.until)),
            pause: Some(paused(&shoot, &pause)),
            was_paused,
            dry_run: message.dry_run,
        })
    }

    /// Stores a pause and waits until the engine holds to it. Gives back the one that was before.
    async fn store(
        &self,
        shoot: &Namespace,
        pause: &Pause,
        now: Timestamp,
    ) -> Result<Option<Pause>, Error> {
        let switch = &self.handle.switch;
        let made = switch.pause(shoot.clone(), pause.clone(), now).await.map_err(Error::Pauses)?;
        let before = match made {
            Made::New => None,
            Made::Before(before) => Some(before),
            Made::TooMany => return Err(Error::TooManyPauses),
        };
        self.pause_heard(true, shoot, pause.until).await?;
        Ok(before)
    }

    pub(super) async fn resume_shoot(
        &self,
        namespace: &str,
        by: &str,
    ) -> Result<proto::ResumeShootResponse, Error> {
        let shoot = shoot(namespace)?;
        let outlook = self.pause_outlook(&shoot, None);
        let now = self.board.read(|_, now| now);
        let ended = self.handle.switch.resume_shoot(shoot.clone()).await;
        let ended = ended.map_err(Error::Pauses)?.filter(|pause| pause.holds(now));
        if let Some(pause) = &ended {
            warn!(%by, namespace = %shoot, "an operator ended the pause of a shoot: it was {pause}");
        }
        self.pause_heard(false, &shoot, None).await?;
        Ok(proto::ResumeShootResponse {
            ended: ended.map(|pause| paused(&shoot, &pause)),
            outlook: Some(outlook),
        })
    }

    /// Waits until the engine holds to what the seed says; not beyond the end of the pause.
    async fn pause_heard(
        &self,
        paused: bool,
        shoot: &Namespace,
        until: Option<Timestamp>,
    ) -> Result<(), Error> {
        self.handle.look_at_pauses();
        let mut revision = self.board.follow_pauses();
        let is_over = |now| until.is_some_and(|until| until <= now);
        let heard = async {
            loop {
                revision.mark_unchanged();
                let is_heard = |fleet: &perennial_fleet::Fleet, now| {
                    fleet.pauses().contains_key(shoot) == paused || is_over(now)
                };
                if self.board.read(is_heard) || revision.changed().await.is_err() {
                    return;
                }
            }
        };
        time::timeout(HEARD_MAX, heard).await.map_err(|_| Error::SwitchNotHeard)
    }

    fn pause_outlook(&self, shoot: &Namespace, until: Option<Timestamp>) -> proto::PauseOutlook {
        let PauseOutlook {
            secrets,
            waiting,
            unusable,
            expiring,
            expiring_within_hour,
            expiring_within_day,
            first,
        } = self.board.read(|fleet, now| fleet.pause_outlook(now, shoot, until));
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        proto::PauseOutlook {
            secrets: count(secrets),
            waiting: count(waiting),
            unusable: count(unusable),
            expiring: count(expiring),
            expiring_within_hour: count(expiring_within_hour),
            expiring_within_day: count(expiring_within_day),
            first: first
                .into_iter()
                .map(|(at, secret)| proto::Expiry {
                    name: secret.name.into(),
                    at: Some(timestamp(at)),
                })
                .collect(),
        }
    }
}

/// What is asked for.
struct Ask {
    shoot: Namespace,
    reason: StopReason,
    lasting: Option<SignedDuration>,
}

impl Ask {
    fn read(message: &proto::PauseShootRequest) -> Result<Self, Error> {
        let possible = SignedDuration::from_secs(1)..=LENGTH_MAX;
        let lasting = match message.r#for {
            // A negative one, and one too long to be a length, are none.
            Some(length) => {
                let length = std::time::Duration::try_from(length).ok();
                let length = length.and_then(|length| SignedDuration::try_from(length).ok());
                let length = length.filter(|length| possible.contains(length));
                Some(length.ok_or(Error::PauseLength)?)
            }
            None => None,
        };
        Ok(Self {
            shoot: shoot(&message.namespace)?,
            reason: message.reason.parse().map_err(Error::StopReason)?,
            lasting,
        })
    }
}

fn shoot(namespace: &str) -> Result<Namespace, Error> {
    namespace.parse().map_err(|source| Error::Name { field: "namespace", source })
}

/// A pause as a message.
pub(super) fn paused(shoot: &Namespace, pause: &Pause) -> proto::Pause {
    let Pause { reason, by, since, until } = pause.clone();
    proto::Pause {
        namespace: shoot.to_string(),
        reason,
        by,
        since: since.map(timestamp),
        until: until.map(timestamp),
    }
}

/// Pauses that are in force, only of `namespace` where one is given.
pub(super) fn all(
    fleet: &perennial_fleet::Fleet,
    namespace: Option<&Namespace>,
) -> Vec<proto::Pause> {
    let wanted = |shoot: &Namespace| namespace.is_none_or(|namespace| namespace == shoot);
    let pauses = fleet.pauses().iter().filter(|(shoot, _)| wanted(shoot));
    pauses.map(|(shoot, pause)| paused(shoot, pause)).collect()
}
