//! Campaigns: one ConfigMap, a key for each.

use futures::Stream;
use jiff::Timestamp;
use perennial_core::{
    campaign::{self, CAMPAIGNS_MAX, Campaign, Campaigns, KEPT, NAME},
    failure::{Failure as _, Kind},
    name::CampaignId,
};

use super::{
    OwnNamespace,
    keys::{Key, TRIES_MAX, data_of},
    watch::{Change, Guarded, Watched},
};
use crate::error::Error;

impl OwnNamespace {
    /// Which campaigns there are. Watches until dropped; never ends by itself. Each item of `looks` has the
    /// ConfigMap looked at at once, whatever the watch does. Errors are told and tried again as those of
    /// [`crate::access::AccessSecrets::watch`].
    pub fn watch_campaigns<L: Stream<Item = ()> + Send>(
        &self,
        looks: L,
    ) -> impl Stream<Item = Change<Campaigns>> + Send + use<L> {
        let operation = "watch the campaigns, ConfigMap perennial-campaigns";
        let read = |object: Option<&Guarded>| campaign::read(&data_of(object));
        self.follow(Watched { name: NAME, operation, read }, looks)
    }

    /// Stores a new campaign. Those that are too old to be kept, and then those that were cancelled, make
    /// room for it. Gives back whether there was room.
    ///
    /// # Errors
    /// Those of the API server; [`Kind::Changed`] where others wrote in between again and again.
    pub async fn start_campaign(
        &self,
        id: &CampaignId,
        campaign: &Campaign,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tries = 1;
        loop {
            let (held, _) = self.look(NAME).await?;
            let data = data_of(held.as_ref());
            let is_full = data.len() >= CAMPAIGNS_MAX;
            let goes = |value: &str| is_old(value, now) || (is_full && is_cancelled(value));
            let gone: Vec<_> = data.iter().filter(|(_, value)| goes(value)).collect();
            let written = match gone.is_empty() {
                true if is_full => return Ok(false),
                true => self.apply(NAME, key(id, campaign), held.as_ref()).await.map(|()| true),
                false => self.remove(NAME, &gone).await.map(|()| false),
            };
            match written {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) if error.kind() == Kind::Changed && tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Notes that a campaign is ended. Gives it back as it is then; `None` where there is none.
    ///
    /// # Errors
    /// Those of the API server; [`Kind::Changed`] where others wrote in between again and again.
    pub async fn cancel_campaign(
        &self,
        id: &CampaignId,
        now: Timestamp,
    ) -> Result<Option<Campaign>, Error> {
        let mut tries = 1;
        loop {
            let (held, _) = self.look(NAME).await?;
            let Some(campaign) = campaign::read(&data_of(held.as_ref())).remove(id) else {
                return Ok(None);
            };
            let cancelled = Some(campaign.cancelled.unwrap_or(now));
            let campaign = Campaign { cancelled, ..campaign };
            match self.apply(NAME, key(id, &campaign), held.as_ref()).await {
                Ok(()) => return Ok(Some(campaign)),
                Err(error) if error.kind() == Kind::Changed && tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

fn key(id: &CampaignId, campaign: &Campaign) -> Key {
    Key { kind: "campaign", key: id.to_string(), value: campaign.value() }
}

/// What is no campaign stays: somebody may be writing it.
fn is_old(value: &str, now: Timestamp) -> bool {
    Campaign::read(value).is_some_and(|campaign| now.duration_since(campaign.since) > KEPT)
}

fn is_cancelled(value: &str) -> bool {
    Campaign::read(value).is_some_and(|campaign| campaign.cancelled.is_some())
}
