//! Campaigns: begun, ended, and watched until they are done.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream::BoxStream};
use jiff::Timestamp;
use perennial_core::{
    campaign::{Campaign, Selection, Wanted},
    generation::{GRACE_DEFAULT, GRACE_MAX},
    name::CampaignId,
    selector::Selector,
    shoot::ShootId,
};
use perennial_fleet::{
    Fleet,
    campaigns::{Awaits, Left, Phase, Progress},
};
use perennial_process::supervise::Shutdown;
use perennial_proto::scheduler::v1::{self as proto, start_campaign_request as ask};
use perennial_rpc::convert::{duration, duration_from_optional, timestamp};
use tokio::time;
use tonic::Status;
use tracing::warn;

use super::{Service, error::Error, stop::HEARD_MAX};
use crate::board::Board;

/// How often those who watch are told.
const TELL_INTERVAL: Duration = Duration::from_secs(1);
/// Most bytes of the id of a key: `kid` has 43 as a rule.
const KEY_BYTES_MAX: usize = 253;

pub(super) type Stream = BoxStream<'static, Result<proto::WatchCampaignResponse, Status>>;

impl Service {
    pub(super) async fn start_campaign(
        &self,
        message: proto::StartCampaignRequest,
        by: String,
    ) -> Result<proto::StartCampaignResponse, Error> {
        let now = self.board.read(|_, now| now);
        let campaign = read(message, by, now)?;
        self.board.read(|fleet, _| check(fleet, &campaign))?;
        let id = new_id(now);
        let switch = &self.handle.switch;
        let stored = switch.start_campaign(id.clone(), campaign.clone(), now).await;
        if !stored.map_err(Error::Campaigns)? {
            return Err(Error::TooManyCampaigns);
        }
        warn!(%id, by = %campaign.by, "an operator began a campaign: {}", campaign.reason);
        self.campaign_heard(|fleet| fleet.campaign(&id).is_some()).await?;
        Ok(proto::StartCampaignResponse { campaign: Some(told(&id, &campaign)) })
    }

    pub(super) async fn cancel_campaign(
        &self,
        id: &str,
        by: &str,
    ) -> Result<proto::CancelCampaignResponse, Error> {
        let id = self.known(id)?;
        let now = self.board.read(|_, now| now);
        let cancelled = self.handle.switch.cancel_campaign(id.clone(), now).await;
        if cancelled.map_err(Error::Campaigns)?.is_none() {
            return Err(Error::NoCampaign(id.to_string()));
        }
        warn!(%id, %by, "an operator ended a campaign");
        let is_over = |fleet: &Fleet| {
            fleet.campaign(&id).is_none_or(|(campaign, _)| campaign.cancelled.is_some())
        };
        self.campaign_heard(is_over).await?;
        Ok(proto::CancelCampaignResponse { progress: self.progress(&id) })
    }

    pub(super) fn get_campaign(&self, id: &str) -> Result<proto::GetCampaignResponse, Error> {
        let id = self.known(id)?;
        Ok(proto::GetCampaignResponse { progress: self.progress(&id) })
    }

    pub(super) fn list_campaigns(&self) -> proto::ListCampaignsResponse {
        let campaigns = self.board.read(|fleet, now| {
            let all = fleet.campaigns().into_iter();
            all.map(|(id, c, progress)| shown(fleet, now, &id, &c, &progress)).collect()
        });
        proto::ListCampaignsResponse { campaigns }
    }

    pub(super) fn watch_campaign(&self, id: &str) -> Result<Stream, Error> {
        let id = self.known(id)?;
        // It is looked at by the second; whoever watches Secrets counts for the bound on watchers.
        let watcher = self.board.watch(None).ok_or(Error::TooManyWatchers)?;
        let (board, shutdown) = (Arc::clone(&self.board), self.shutdown.clone());
        let events = async_stream::stream! {
            let _place = watcher;
            let mut beat = time::interval(TELL_INTERVAL);
            let mut before = None;
            loop {
                beat.tick().await;
                let Some(progress) = progress(&board, &id) else { return };
                let is_over = progress.phase() != proto::CampaignPhase::Running;
                if before.as_ref() != Some(&progress) {
                    before = Some(progress.clone());
                    yield Ok(proto::WatchCampaignResponse { progress: Some(progress) });
                }
                if is_over {
                    return;
                }
            }
        };
        Ok(take_until(events, shutdown))
    }

    fn known(&self, id: &str) -> Result<CampaignId, Error> {
        let unknown = || Error::NoCampaign(id.to_owned());
        let id: CampaignId = id.parse().map_err(|_| unknown())?;
        let is_known = self.board.read(|fleet, _| fleet.campaign(&id).is_some());
        if is_known { Ok(id) } else { Err(unknown()) }
    }

    fn progress(&self, id: &CampaignId) -> Option<proto::CampaignProgress> {
        progress(&self.board, id)
    }

    /// Waits until the engine holds to what the seed says.
    async fn campaign_heard(&self, is_so: impl Fn(&Fleet) -> bool) -> Result<(), Error> {
        self.handle.look_at_campaigns();
        let mut revision = self.board.follow_campaigns();
        let heard = async {
            loop {
                revision.mark_unchanged();
                if self.board.read(|fleet, _| is_so(fleet)) || revision.changed().await.is_err() {
                    return;
                }
            }
        };
        time::timeout(HEARD_MAX, heard).await.map_err(|_| Error::SwitchNotHeard)
    }
}

fn take_until(
    events: impl futures::Stream<Item = Result<proto::WatchCampaignResponse, Status>> + Send + 'static,
    shutdown: Shutdown,
) -> Stream {
    events.take_until(shutdown.requested_owned()).boxed()
}

/// Ids sort by the moment in which campaigns began.
fn new_id(now: Timestamp) -> CampaignId {
    let id = format!("c-{}", now.as_millisecond());
    id.parse().expect("digits and a letter are a label")
}

fn read(
    message: proto::StartCampaignRequest,
    by: String,
    now: Timestamp,
) -> Result<Campaign, Error> {
    let proto::StartCampaignRequest { namespace, all, reason, label_selector, grace, wanted } =
        message;
    let shoot: Option<ShootId> = super::namespace(&namespace)?;
    let labels = Some(label_selector).filter(|text| !text.is_empty());
    let labels: Option<Selector> =
        labels.map(|text| text.parse()).transpose().map_err(Error::Selector)?;
    if shoot.is_some() && all || shoot.is_none() && !all && labels.is_none() {
        return Err(Error::Selection);
    }
    let reason = reason.parse().map_err(Error::StopReason)?;
    let since = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let key = |key: String| match key.len() {
        1..=KEY_BYTES_MAX if shoot.is_some() && key.is_ascii() => Ok(key),
        _ => Err(Error::Key),
    };
    let grace = duration_from_optional("grace", grace).map_err(|_| Error::Grace)?;
    let wanted = match wanted {
        Some(ask::Wanted::RevokedFromNow(true)) => {
            Wanted::Revoked { before: since, grace: whole_seconds(grace)? }
        }
        _ if grace.is_some() => return Err(Error::Wanted),
        Some(ask::Wanted::IssuedFromNow(true)) => Wanted::IssuedSince(since),
        Some(ask::Wanted::SignedBy(id)) => Wanted::SignedBy(key(id)?),
        Some(ask::Wanted::NotSignedBy(id)) => Wanted::NotSignedBy(key(id)?),
        Some(ask::Wanted::IssuedFromNow(false) | ask::Wanted::RevokedFromNow(false)) | None => {
            return Err(Error::Wanted);
        }
    };
    Ok(Campaign::new(reason, by, since, Selection { shoot, labels }, wanted))
}

/// Whole seconds, as it is stored and as a generation notes it.
fn whole_seconds(grace: Option<Duration>) -> Result<Duration, Error> {
    match grace.unwrap_or(GRACE_DEFAULT) {
        grace if grace > GRACE_MAX => Err(Error::Grace),
        grace => Ok(Duration::from_secs(grace.as_secs())),
    }
}

/// Whether it makes sense by what is known: a typing error must not read as *done*.
fn check(fleet: &Fleet, campaign: &Campaign) -> Result<(), Error> {
    let Selection { shoot, labels } = &campaign.selection;
    if let Some(shoot) = shoot.as_ref().filter(|shoot| fleet.knows_shoot(shoot) == Some(false)) {
        return Err(Error::NoShoot(shoot.clone()));
    }
    if let Some(labels) = labels.as_ref().filter(|_| !fleet.selects_any(&campaign.selection)) {
        return Err(Error::NothingSelected(labels.clone()));
    }
    let Some(shoot) = shoot else { return Ok(()) };
    let (key, keys) = match &campaign.wanted {
        Wanted::IssuedSince(_) | Wanted::Revoked { .. } => return Ok(()),
        Wanted::SignedBy(key) => (key, fleet.published_keys(shoot)),
        Wanted::NotSignedBy(key) => (key, fleet.keys_seen(shoot)),
    };
    match keys.is_empty() || keys.contains(key) {
        true => Ok(()),
        false => Err(Error::NoKey(key.clone(), keys.into_iter().collect::<Vec<_>>().join(", "))),
    }
}

fn progress(board: &Board, id: &CampaignId) -> Option<proto::CampaignProgress> {
    board.read(|fleet, now| {
        let (campaign, progress) = fleet.campaign(id)?;
        Some(shown(fleet, now, id, &campaign, &progress))
    })
}

fn told(id: &CampaignId, campaign: &Campaign) -> proto::Campaign {
    let Campaign { reason, by, since, selection, wanted, cancelled } = campaign.clone();
    let Selection { shoot, labels } = selection;
    let grace = match &wanted {
        Wanted::Revoked { grace, .. } => Some(duration(*grace)),
        _ => None,
    };
    proto::Campaign {
        id: id.to_string(),
        reason,
        by,
        since: Some(timestamp(since)),
        namespace: shoot.map(|shoot| shoot.to_string()).unwrap_or_default(),
        label_selector: labels.map(|labels| labels.to_string()).unwrap_or_default(),
        grace,
        cancelled_at: cancelled.map(timestamp),
        wanted: Some(match wanted {
            Wanted::IssuedSince(moment) => proto::campaign::Wanted::IssuedSince(timestamp(moment)),
            Wanted::SignedBy(key) => proto::campaign::Wanted::SignedBy(key),
            Wanted::NotSignedBy(key) => proto::campaign::Wanted::NotSignedBy(key),
            Wanted::Revoked { before, .. } => {
                proto::campaign::Wanted::RevokedBefore(timestamp(before))
            }
        }),
    }
}

fn shown(
    fleet: &Fleet,
    now: Timestamp,
    id: &CampaignId,
    campaign: &Campaign,
    progress: &Progress,
) -> proto::CampaignProgress {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let left = |why: &str, message: &str, left: &Left| proto::CampaignLeft {
        why: why.to_owned(),
        message: message.to_owned(),
        count: count(left.count),
        first: left.first.iter().map(ToString::to_string).collect(),
    };
    let awaited = progress.awaited.iter().map(|(why, secrets)| match why {
        Awaits::Failing(message) => left(why.as_str(), message, secrets),
        why => left(why.as_str(), "", secrets),
    });
    let cannot = progress.cannot.iter().map(|(why, secrets)| left(why.as_str(), "", secrets));
    let is_running = progress.phase == Phase::Running;
    proto::CampaignProgress {
        campaign: Some(told(id, campaign)),
        phase: phase(progress.phase).into(),
        total: count(progress.total),
        done: count(progress.done),
        to_do: count(progress.to_do),
        under_way: count(progress.under_way),
        awaited: awaited.collect(),
        cannot: cannot.collect(),
        per_second: progress.per_second,
        ends_at: progress.ends_at().map(timestamp),
        held_back: fleet.why_nothing_is_ordered(now).filter(|_| is_running).unwrap_or_default(),
        ended_at: progress.ended.map(timestamp),
        refused_from: progress.refused_from.map(timestamp),
    }
}

const fn phase(phase: Phase) -> proto::CampaignPhase {
    match phase {
        Phase::Running => proto::CampaignPhase::Running,
        Phase::Done => proto::CampaignPhase::Done,
        Phase::Incomplete => proto::CampaignPhase::Incomplete,
        Phase::Cancelled => proto::CampaignPhase::Cancelled,
    }
}
