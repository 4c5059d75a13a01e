//! The global stop switch, the pauses of shoots and the campaigns: how they are followed, and where they
//! are made.
//!
//! The seed holds it ([`perennial_core::stop`]), and what the seed says is the only truth: also whoever
//! throws it here waits until the watch, or a look of its own, has said so. [`follow`] hands that to
//! the engine.

use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::BoxStream};
use jiff::Timestamp;
use perennial_core::{
    campaign::{Campaign, Campaigns},
    name::{CampaignId, Namespace},
    pause::{Pause, Pauses},
    stop::Stop,
};
use perennial_kube::{
    Error,
    own_namespace::{Change, Made, OwnNamespace},
};
use tokio::sync::mpsc;

pub mod follow;

/// Looks that are asked for and not begun. Beyond, one of those does for all.
const LOOKS_MAX: usize = 8;

/// Where the switch is.
pub trait Switch: Send + Sync + std::fmt::Debug + 'static {
    /// Tells of it until dropped, and looks at once for each item of `looks`.
    fn watch(&self, looks: BoxStream<'static, ()>) -> BoxStream<'static, Change<Option<Stop>>>;
    /// Stops; the stop in force, and whether it was before. Must end by itself.
    fn stop(&self, stop: Stop) -> BoxFuture<'static, Result<(Stop, bool), Error>>;
    /// Ends the stop in force and gives it back. Must end by itself.
    fn resume(&self) -> BoxFuture<'static, Result<Option<Stop>, Error>>;
    /// Tells of pauses until dropped, and looks at once for each item of `looks`.
    fn watch_pauses(&self, looks: BoxStream<'static, ()>) -> BoxStream<'static, Change<Pauses>>;
    /// Pauses a shoot that is not paused at that moment. Must end by itself.
    fn pause(
        &self,
        shoot: Namespace,
        pause: Pause,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<Made, Error>>;
    /// Ends the pause of a shoot and gives it back. Must end by itself.
    fn resume_shoot(&self, shoot: Namespace) -> BoxFuture<'static, Result<Option<Pause>, Error>>;
    /// Tells of campaigns until dropped, and looks at once for each item of `looks`.
    fn watch_campaigns(
        &self,
        looks: BoxStream<'static, ()>,
    ) -> BoxStream<'static, Change<Campaigns>>;
    /// Stores a campaign; whether there was room. Must end by itself.
    fn start_campaign(
        &self,
        id: CampaignId,
        campaign: Campaign,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<bool, Error>>;
    /// Ends a campaign and gives it back. Must end by itself.
    fn cancel_campaign(
        &self,
        id: CampaignId,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<Option<Campaign>, Error>>;
}

impl Switch for OwnNamespace {
    fn watch(&self, looks: BoxStream<'static, ()>) -> BoxStream<'static, Change<Option<Stop>>> {
        self.watch_stop(looks).boxed()
    }

    fn stop(&self, stop: Stop) -> BoxFuture<'static, Result<(Stop, bool), Error>> {
        let own = self.clone();
        async move { Self::stop(&own, &stop).await }.boxed()
    }

    fn resume(&self) -> BoxFuture<'static, Result<Option<Stop>, Error>> {
        let own = self.clone();
        async move { Self::resume(&own).await }.boxed()
    }

    fn watch_pauses(&self, looks: BoxStream<'static, ()>) -> BoxStream<'static, Change<Pauses>> {
        Self::watch_pauses(self, looks).boxed()
    }

    fn pause(
        &self,
        shoot: Namespace,
        pause: Pause,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<Made, Error>> {
        let own = self.clone();
        async move { Self::pause(&own, &shoot, &pause, now).await }.boxed()
    }

    fn resume_shoot(&self, shoot: Namespace) -> BoxFuture<'static, Result<Option<Pause>, Error>> {
        let own = self.clone();
        async move { Self::resume_shoot(&own, &shoot).await }.boxed()
    }

    fn watch_campaigns(
        &self,
        looks: BoxStream<'static, ()>,
    ) -> BoxStream<'static, Change<Campaigns>> {
        Self::watch_campaigns(self, looks).boxed()
    }

    fn start_campaign(
        &self,
        id: CampaignId,
        campaign: Campaign,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<bool, Error>> {
        let own = self.clone();
        async move { Self::start_campaign(&own, &id, &campaign, now).await }.boxed()
    }

    fn cancel_campaign(
        &self,
        id: CampaignId,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<Option<Campaign>, Error>> {
        let own = self.clone();
        async move { Self::cancel_campaign(&own, &id, now).await }.boxed()
    }
}

/// The switch for those who throw it.
#[derive(Clone, Debug)]
pub struct Handle {
    /// Where it is.
    pub switch: Arc<dyn Switch>,
    looks: mpsc::Sender<()>,
    looks_at_pauses: mpsc::Sender<()>,
    looks_at_campaigns: mpsc::Sender<()>,
}

/// Looks that somebody asked for; [`follow`] takes them.
#[derive(Debug)]
pub struct Looks {
    stop: mpsc::Receiver<()>,
    pauses: mpsc::Receiver<()>,
    campaigns: mpsc::Receiver<()>,
}

impl Handle {
    /// A handle, and what it asks for.
    #[must_use]
    pub fn new(switch: Arc<dyn Switch>) -> (Self, Looks) {
        let (looks, stop) = mpsc::channel(LOOKS_MAX);
        let (looks_at_pauses, pauses) = mpsc::channel(LOOKS_MAX);
        let (looks_at_campaigns, campaigns) = mpsc::channel(LOOKS_MAX);
        let handle = Self { switch, looks, looks_at_pauses, looks_at_campaigns };
        (handle, Looks { stop, pauses, campaigns })
    }

    /// Has the switch looked at soon, whatever the watch does.
    pub fn look(&self) {
        let _ = self.looks.try_send(()); // where there is no room, looks enough are to come
    }

    /// The same of the pauses.
    pub fn look_at_pauses(&self) {
        let _ = self.looks_at_pauses.try_send(()); // as above
    }

    /// The same of the campaigns.
    pub fn look_at_campaigns(&self) {
        let _ = self.looks_at_campaigns.try_send(()); // as above
    }
}
