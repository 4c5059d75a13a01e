//! Campaigns as they bear on the fleet: what is to be renewed for them is put into the queue, a few of each
//! shoot at a time, and how far they are is counted.
//!
//! Once a second ([`look_interval`]) the whole selection of each campaign that runs is looked at; what that finds is
//! true whatever happened before. Between two looks the
//! queue is filled up. A Secret that is renewed for a campaign is as urgent as its token is old, so what
//! falls due by itself goes first.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    campaign::{Campaign, Campaigns, Selection, Token, Verdict, Wanted},
    name::{CampaignId, SecretName, SecretRef},
    shoot::ShootId,
};

use super::{
    Fleet, RecordsFeed,
    attempts::Why,
    entry::{ByCampaign, Entry, Standing},
    members::{Member, named},
    schedule::words,
    stats::look_interval,
};

mod generations;
mod progress;

pub use progress::{Awaits, Left, Phase, Progress};

/// While a shoot signs by another key than is wanted, one token is issued this often to see whether it
/// still does: what else falls due there says it too.
const CANARY_INTERVAL: SignedDuration = SignedDuration::from_secs(60);
/// Ready Secrets, for each place of `--in-flight-max`, above which campaigns put none into the queue.
const READY_SHARE: usize = 2;

/// What is known of campaigns.
#[derive(Debug, Default)]
pub(super) struct Held {
    told: Campaigns,
    runs: BTreeMap<CampaignId, Run>,
    looked: Option<Timestamp>,
    revision: u64,
}

/// How far one is.
#[derive(Debug, Default)]
struct Run {
    progress: Progress,
    /// What is to be put into the queue, by shoot, until the next look.
    to_feed: BTreeMap<ShootId, Vec<SecretName>>,
    /// What could not be put into the queue when it was tried last, and why.
    blocked: BTreeMap<SecretRef, Awaits>,
    /// When a shoot was asked last by which key it signs.
    canaries: BTreeMap<ShootId, Timestamp>,
}

impl Fleet {
    /// Which campaigns there are, by all that the seed says. What is under way ends.
    pub fn hear_of_campaigns(&mut self, now: Timestamp, campaigns: Campaigns) {
        if self.campaigns.told == campaigns {
            return;
        }
        self.campaigns.runs.retain(|id, _| campaigns.contains_key(id));
        for (id, campaign) in &campaigns {
            let run = self.campaigns.runs.entry(id.clone()).or_default();
            run.progress.cancel(campaign);
            run.to_feed.clear();
        }
        self.campaigns.told = campaigns;
        self.campaigns.looked = None;
        self.campaigns.revision += 1;
        let fed = self.members.by_shoot().filter(|(_, member)| member.fed > 0);
        let fed: Vec<_> = fed.map(|(shoot, _)| shoot.clone()).collect();
        fed.iter().for_each(|shoot| self.take_back(now, shoot)); // those that go on feed anew
    }

    fn take_back(&mut self, now: Timestamp, shoot: &ShootId) {
        let Some(member) = self.members.shoot_mut(shoot) else { return };
        member.fed = 0;
        let fed = member.entries_mut().filter(|entry| entry.by_campaign.is_some());
        fed.for_each(|entry| entry.by_campaign = ByCampaign::No);
        let secrets: Vec<_> = self.members.of(shoot).collect();
        self.settle_each(now, secrets);
    }

    /// Another number whenever there are others.
    #[must_use]
    pub const fn campaigns_revision(&self) -> u64 {
        self.campaigns.revision
    }

    /// All campaigns and how far each is, as last looked at.
    #[must_use]
    pub fn campaigns(&self) -> Vec<(CampaignId, Campaign, Progress)> {
        let progress = |id| self.campaigns.runs.get(id).map(|run| run.progress.clone());
        let all = self.campaigns.told.iter();
        all.map(|(id, c)| (id.clone(), c.clone(), progress(id).unwrap_or_default())).collect()
    }

    /// One of them.
    #[must_use]
    pub fn campaign(&self, id: &CampaignId) -> Option<(Campaign, Progress)> {
        let campaign = self.campaigns.told.get(id)?.clone();
        Some((campaign, self.campaigns.runs.get(id)?.progress.clone()))
    }

    /// Whether any Secret is in a selection.
    #[must_use]
    pub fn selects_any(&self, selection: &Selection) -> bool {
        let mut all = self.members.all().filter(|(shoot, _, _)| selection.has_shoot(shoot));
        all.any(|(_, _, entry)| selection.has_labels(entry.kept.labels()))
    }

    /// Ids of the keys that a shoot publishes; none where that is not known.
    #[must_use]
    pub fn published_keys(&self, shoot: &ShootId) -> BTreeSet<String> {
        self.shoots.key_set(shoot).ids.into_iter().map(str::to_owned).collect()
    }

    /// The same, and those that signed a token of the shoot.
    #[must_use]
    pub fn keys_seen(&self, shoot: &ShootId) -> BTreeSet<String> {
        let entries = self.members.shoot(shoot).into_iter().flat_map(|m| m.secrets.values());
        let signed = entries.filter_map(|entry| entry.kept.key_id()).map(str::to_owned);
        signed.chain(self.published_keys(shoot)).collect()
    }

    /// What holds back every order, in words.
    #[must_use]
    pub fn why_nothing_is_ordered(&self, now: Timestamp) -> Option<String> {
        self.held_back(now).map(words::held_back)
    }

    /// A campaign that wants another token in a Secret.
    pub(super) fn campaign_of(
        &self,
        now: Timestamp,
        secret: &SecretRef,
    ) -> Option<(&CampaignId, &Campaign)> {
        let wants_another = |verdict| matches!(verdict, Verdict::ToDo | Verdict::KeyNotUsed);
        self.campaigns_about(now, secret, wants_another).next()
    }

    /// Whether a Secret that a campaign put into the queue still wants another token for one: it may have
    /// been replaced since the campaign was looked at.
    pub(super) fn is_still_wanted(&self, now: Timestamp, secret: &SecretRef) -> bool {
        let is_fed = |entry: &Entry| entry.by_campaign.is_some();
        !self.campaigns.told.is_empty()
            && self.members.get(secret).is_some_and(is_fed)
            && self.campaign_of(now, secret).is_some()
    }

    /// The campaigns that run and have a Secret in their selection, to which it stands like this. Whether
    /// another token would be as wanted makes no difference here.
    fn campaigns_about(
        &self,
        now: Timestamp,
        secret: &SecretRef,
        stands: impl Fn(Verdict) -> bool,
    ) -> impl Iterator<Item = (&CampaignId, &Campaign)> {
        let (shoot, entry) = (&secret.namespace, self.members.get(secret));
        self.campaigns.told.iter().filter(move |(_, campaign)| {
            entry.is_some_and(|entry| {
                campaign.runs(now)
                    && selects(campaign, shoot, entry)
                    && stands(self.verdict(now, campaign, shoot, entry, None))
            })
        })
    }

    fn verdict(
        &self,
        now: Timestamp,
        campaign: &Campaign,
        shoot: &ShootId,
        entry: &Entry,
        newest: Option<Token<'_>>,
    ) -> Verdict {
        if let Some(cannot) = entry.kept.is_hopeless() {
            return Verdict::Cannot(cannot);
        }
        campaign.judge(self.token(shoot, entry), newest, || self.binding(now, shoot, entry))
    }

    /// Whether one may have something to do.
    pub(super) fn has_campaigns(&self) -> bool {
        self.campaigns.told.iter().any(|(id, campaign)| {
            let run = self.campaigns.runs.get(id);
            campaign.cancelled.is_none() && run.is_none_or(|run| !run.progress.is_over())
        })
    }

    /// One that a campaign put into the queue left it.
    pub(super) fn unfed(&mut self, shoot: &ShootId) {
        if let Some(member) = self.members.shoot_mut(shoot) {
            member.fed = member.fed.saturating_sub(1);
        }
    }

    /// Looks how far campaigns are, and puts into the queue what is to be renewed for them.
    pub(super) fn drive_campaigns(&mut self, now: Timestamp) {
        if self.campaigns.told.is_empty() || self.records != RecordsFeed::Whole {
            return;
        }
        let waited = self.campaigns.looked.map(|looked| now.duration_since(looked));
        let running = self.campaigns.runs.values().filter(|run| !run.progress.is_over());
        let interval = look_interval(running.map(|run| run.progress.total).sum());
        if waited.is_none_or(|waited| waited.is_negative() || waited.unsigned_abs() >= interval) {
            self.campaigns.looked = Some(now);
            self.look_at_campaigns(now);
        }
        if self.held_back(now).is_none() {
            self.feed(now);
        }
    }

    fn look_at_campaigns(&mut self, now: Timestamp) {
        let mut runs = std::mem::take(&mut self.campaigns.runs);
        for (id, campaign) in &self.campaigns.told {
            let Some(run) = runs.get_mut(id) else { continue };
            if campaign.runs(now) && !run.progress.is_over() {
                self.look(now, campaign, run);
            }
        }
        self.campaigns.runs = runs;
    }

    /// Judges every Secret of a selection.
    fn look(&self, now: Timestamp, campaign: &Campaign, run: &mut Run) {
        let mut next = run.progress.begin_look();
        run.to_feed.clear();
        let shoots = self.members.by_shoot().filter(|(id, _)| campaign.selection.has_shoot(id));
        for (shoot, member) in shoots {
            let (newest, is_paused) = (self.newest(shoot, member), self.pause_of(shoot).is_some());
            for (name, entry) in member.secrets.iter().filter(|(_, e)| selects(campaign, shoot, e))
            {
                match self.verdict(now, campaign, shoot, entry, newest) {
                    Verdict::Done => next.done += 1,
                    Verdict::NoToken => next.awaits(&Awaits::NoToken, shoot, name),
                    Verdict::NotBound => next.awaits(&Awaits::NotBound, shoot, name),
                    Verdict::Unseen => next.awaits(&Awaits::Unseen, shoot, name),
                    Verdict::OlderLeft => next.awaits(&Awaits::Grace, shoot, name),
                    Verdict::Cannot(cannot) => next.cannot(cannot, shoot, name),
                    Verdict::KeyNotUsed => {
                        next.awaits(&Awaits::KeyNotUsed, shoot, name);
                        if self.is_canary(now, campaign, shoot, run) {
                            run.canaries.insert(shoot.clone(), now);
                            run.to_feed.insert(shoot.clone(), vec![name.clone()]);
                        }
                    }
                    Verdict::ToDo => {
                        let secret = named(shoot, name);
                        let is_under_way =
                            entry.by_campaign.is_some() || self.flights.contains_key(&secret);
                        match run.blocked.remove(&secret) {
                            _ if is_under_way => next.under_way += 1,
                            _ if is_paused => next.awaits(&Awaits::Paused, shoot, name),
                            Some(why) => next.awaits(&why, shoot, name),
                            None => next.to_do += 1,
                        }
                        if !is_under_way && !is_paused && self.is_ours(shoot) {
                            run.to_feed.entry(shoot.clone()).or_default().push(name.clone());
                        }
                    }
                }
            }
        }
        run.blocked.clear();
        let confirms = matches!(campaign.wanted, Wanted::Revoked { .. });
        run.progress.end_look(now, next, confirms);
    }

    /// Whether one token is to be issued to see by which key the shoot signs.
    fn is_canary(&self, now: Timestamp, campaign: &Campaign, shoot: &ShootId, run: &Run) -> bool {
        let last = run.canaries.get(shoot).map(|last| now.duration_since(*last));
        let keys = self.shoots.key_set(shoot).ids;
        last.is_none_or(|ago| ago >= CANARY_INTERVAL || ago.is_negative())
            && campaign.wanted.is_possible(keys)
            && self.is_ours(shoot)
    }

    fn token<'a>(&self, shoot: &ShootId, entry: &'a Entry) -> Option<Token<'a>> {
        let issued_at = self.our_clock(shoot, entry.kept.issued_at()?);
        Some(Token { issued_at, key_id: entry.kept.key_id() })
    }

    fn newest<'a>(&self, shoot: &ShootId, member: &'a Member) -> Option<Token<'a>> {
        let tokens = member.secrets.values().filter_map(|entry| self.token(shoot, entry));
        tokens.max_by_key(|token| token.issued_at)
    }

    /// Fills the queue up, in turn by shoot.
    fn feed(&mut self, now: Timestamp) {
        let mut runs = std::mem::take(&mut self.campaigns.runs);
        let ready_max = self.most().in_flight.saturating_mul(READY_SHARE);
        for (id, run) in &mut runs {
            let Run { to_feed, blocked, .. } = run;
            let purpose = match self.campaigns.told.get(id).map(|campaign| &campaign.wanted) {
                Some(Wanted::Revoked { .. }) => ByCampaign::Revocation,
                _ => ByCampaign::Renewal,
            };
            to_feed.retain(|shoot, names| {
                while self.queue.ready_len() < ready_max && self.has_room_for_campaigns(shoot) {
                    let Some(name) = names.pop() else { return false };
                    let secret = named(shoot, &name);
                    if let Some(why) = self.put_forward(now, &secret, purpose) {
                        blocked.insert(secret, why);
                    }
                }
                true
            });
        }
        self.campaigns.runs = runs;
    }

    fn has_room_for_campaigns(&self, shoot: &ShootId) -> bool {
        let most = self.settings.in_flight_per_shoot_max;
        self.pause_of(shoot).is_none()
            && self.members.shoot(shoot).is_some_and(|member| member.fed < most)
    }

    /// Puts one Secret into the queue; why it cannot be, where it cannot.
    fn put_forward(
        &mut self,
        now: Timestamp,
        secret: &SecretRef,
        purpose: ByCampaign,
    ) -> Option<Awaits> {
        if self.flights.contains_key(secret) {
            return None;
        }
        let view = self.shoots.view(&secret.namespace);
        let own = secret.name == self.settings.own_secret;
        let entry = self.members.get_mut(secret).filter(|entry| !entry.by_campaign.is_some())?;
        entry.by_campaign = purpose;
        let revoked = self.revocations.of_queued(now, entry, view);
        let asked = super::entry::Asked { own, revoked };
        let standing = entry.judge(now, view, &self.settings.policy, &asked);
        let why = match &standing {
            Standing::Due { .. } => None,
            Standing::Waiting { why: Why::Storm | Why::HeldByWriter, .. } => Some(Awaits::Held),
            Standing::Waiting { .. } => {
                let failure = entry.attempts.last_failure.as_ref();
                Some(Awaits::Failing(
                    failure.map_or_else(String::new, |failure| failure.trouble.message.to_string()),
                ))
            }
            Standing::Parked { away, .. } => Some(Awaits::Shoot(*away)),
            Standing::Fresh { .. }
            | Standing::Renewing { .. }
            | Standing::Invalid(_)
            | Standing::Obstructed(_) => Some(Awaits::Held),
        };
        match why {
            None => {
                if let Some(member) = self.members.shoot_mut(&secret.namespace) {
                    member.fed += 1;
                }
                self.stand(now, secret, standing);
            }
            Some(_) => entry.by_campaign = ByCampaign::No,
        }
        why
    }
}

/// Whether it is about this Secret.
fn selects(campaign: &Campaign, shoot: &ShootId, entry: &Entry) -> bool {
    campaign.selection.has_shoot(shoot) && campaign.selection.has_labels(entry.kept.labels())
}
