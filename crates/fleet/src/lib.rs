//! Everything the scheduler knows, and what it orders. Pure: no I/O and no runtime; the present
//! moment is an argument everywhere, so a simulation can drive it through a year.
//!
//! Events go in: what the streams of records and shoots say ([`feed::Event`]), how attempts ended
//! ([`Fleet::finished`]), what an operator asks for ([`Fleet::request`]), whether the fleet is stopped
//! ([`Fleet::hear_of_stop`]) and which shoots are paused ([`Fleet::hear_of_pauses`]). [`Fleet::tick`] gives orders. After each of them [`Fleet::take_effects`] tells what changed for those who watch.
//!
//! Each Secret has one *standing*, decided anew whenever something it depends on changes and once
//! more when it is its turn. Nothing is kept that a restart could lose and a record could not
//! bring back, except attempts and their errors.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    num::NonZeroU32,
};

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    budget::Budget,
    decision::Policy,
    digest::Digest,
    generation::Number,
    levelling::Load,
    name::{SecretName, SecretRef},
    queue::Queue,
    reason::Reason,
    shoot::ShootId,
};

use self::{
    attempts::Pause,
    entry::{Asked, ByCampaign, Standing},
    kept::Kept,
    members::{Member, Members, named},
    seat::Seat,
    shoots::{Shoots, clock_offset},
};

pub mod attempts;
pub mod budget;
mod by_name;
pub mod campaigns;
mod entry;
pub mod explain;
pub mod feed;
pub mod forecast;
mod foresight;
pub mod history;
mod kept;
pub mod limits;
mod load;
mod members;
pub mod observe;
pub mod order;
pub mod outages;
pub mod outcome;
pub mod ownership;
pub mod pauses;
mod records;
pub mod request;
pub mod revocation;
mod rotation;
pub mod schedule;
mod seat;
mod shoots;
mod speakers;
pub mod stats;
pub mod stop;
mod take;
pub mod wake;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

/// Settings that decide what is ordered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Decides when a token is due.
    pub policy: Policy,
    /// Decide and show, and order nothing.
    pub audit: bool,
    /// Most orders in flight at once.
    pub in_flight_max: usize,
    /// Most orders in flight at once for one shoot.
    pub in_flight_per_shoot_max: usize,
    /// Name of the token-issuer's own Secret, which goes first in its shoot (contract, section F).
    pub own_secret: SecretName,
    /// Most orders a second.
    pub rate_max: NonZeroU32,
    /// Most orders a second for one shoot.
    pub rate_per_shoot_max: NonZeroU32,
    /// What every token is to survive; the policy is derived from it already.
    pub budget: Budget,
}

/// The state of all Secrets.
#[derive(Debug)]
pub struct Fleet {
    settings: Settings,
    members: Members,
    shoots: Shoots,
    observations: observe::Observations,
    revocations: revocation::Revocations,
    queue: Queue,
    flights: BTreeMap<SecretRef, Flight>,
    shared: limits::Shared,
    records: RecordsFeed,
    /// Number of the record stream; tells what it has shown from what an earlier one had.
    generation: u32,
    attempts: u64,
    /// Set while the secret-writer cannot be reached.
    writer: Option<WriterAway>,
    /// What else is away.
    outages: outages::Outages,
    /// How many Secrets wait for their first token.
    first_tokens: usize,
    /// How many renewals are planned when.
    load: Load,
    /// Whether orders may leave.
    switch: stop::Switch,
    paused: pauses::Paused,
    ownership: ownership::Ownership,
    campaigns: campaigns::Held,
    effects: Effects,
    ticked: Timestamp,
    swept: Timestamp,
}

/// What changed since the effects were last taken.
#[derive(Debug, Default)]
pub struct Effects {
    /// Secrets whose schedule may read differently now, or that are gone.
    pub changed: BTreeSet<SecretRef>,
    /// Requests of operators that cannot be served after all.
    pub dismissed: Vec<(SecretRef, request::Error)>,
}

/// Whether the set of records is whole and fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecordsFeed {
    /// The first whole set is not in.
    First,
    Whole,
    /// What is kept is a stale view until the next whole set is in.
    Stale,
}

#[derive(Debug)]
struct WriterAway {
    pause: Pause,
    message: String,
}

/// An order that is under way.
#[derive(Debug)]
struct Flight {
    attempt: u64,
    digest: Digest,
    reason: Reason,
    /// See [`revocation::ordered::Ordered::number`].
    generation: Number,
    since: Timestamp,
    /// Planned moment of the token that is replaced, by our clock.
    planned: Option<Timestamp>,
    hang: limits::Hang,
}

impl Fleet {
    /// A fleet that knows nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            members: Members::default(),
            shoots: Shoots::default(),
            observations: observe::Observations::default(),
            revocations: revocation::Revocations::default(),
            queue: Queue::default(),
            flights: BTreeMap::new(),
            shared: limits::Shared::default(),
            records: RecordsFeed::First,
            generation: 0,
            attempts: 0,
            writer: None,
            outages: outages::Outages::default(),
            first_tokens: 0,
            load: Load::default(),
            switch: stop::Switch::default(),
            paused: pauses::Paused::default(),
            ownership: ownership::Ownership::default(),
            campaigns: campaigns::Held::default(),
            effects: Effects::default(),
            ticked: Timestamp::MIN,
            swept: Timestamp::MIN,
        }
    }

    /// What changed since the last call.
    #[must_use]
    pub fn take_effects(&mut self) -> Effects {
        mem::take(&mut self.effects)
    }

    /// Whether the first whole set of records was seen.
    #[must_use]
    pub fn has_records(&self) -> bool {
        self.records != RecordsFeed::First
    }

    /// Whether the first whole set of shoots was seen.
    #[must_use]
    pub fn has_shoots(&self) -> bool {
        self.shoots.has_been_whole()
    }

    /// Decides about one Secret and puts it where it belongs. A Secret whose renewal is under way
    /// stays so: it is decided about when the attempt has ended.
    fn settle(&mut self, now: Timestamp, secret: &SecretRef) {
        if self.flights.contains_key(secret) {
            return;
        }
        let is_ours = self.ownership.is_ours(&secret.namespace);
        let is_wanted = is_ours && self.is_still_wanted(now, secret);
        let Some(member) = self.members.shoot_mut(&secret.namespace) else { return };
        let Some(entry) = member.secrets.get_mut(&secret.name) else { return };
        let view = self.shoots.view(&secret.namespace);
        let own = secret.name == self.settings.own_secret;
        entry.note_outdated(&member.rotation, own);
        let mut asked = Asked { own, revoked: self.revocations.of_queued(now, entry, view) };
        let mut standing = entry.judge(now, view, &self.settings.policy, &asked);
        if entry.requested && !matches!(standing, Standing::Due { .. }) {
            entry.requested = false;
            let error = request::Error::of(secret, &standing, now, view);
            self.effects.dismissed.push((secret.clone(), error));
            standing = entry.judge(now, view, &self.settings.policy, &asked);
        }
        if entry.by_campaign.is_some() && !(is_wanted && matches!(standing, Standing::Due { .. })) {
            entry.by_campaign = ByCampaign::No;
            asked.revoked = self.revocations.of_entry(entry);
            member.fed = member.fed.saturating_sub(1);
            standing = entry.judge(now, view, &self.settings.policy, &asked);
        }
        let seat = Seat {
            secret,
            own,
            // What an operator asked this replica for is ours, whoever serves the shoot.
            asked: is_ours || entry.requested || asked.revoked.is_some(),
            ownership: &self.ownership,
            clock_offset: clock_offset(view),
            entry,
            load_of_shoot: &mut member.load,
            load: &mut self.load,
            queue: &mut self.queue,
            effects: &mut self.effects,
            first_tokens: &mut self.first_tokens,
        };
        seat.take(now, standing);
    }

    fn settle_each(&mut self, now: Timestamp, secrets: Vec<SecretRef>) {
        for secret in secrets {
            self.settle(now, &secret);
        }
    }

    fn settle_all(&mut self, now: Timestamp) {
        let all = self.members.all().map(|(shoot, name, _)| named(shoot, name)).collect();
        self.settle_each(now, all);
    }

    /// Gives a Secret its standing and all that follows from it.
    fn stand(&mut self, now: Timestamp, secret: &SecretRef, standing: Standing) {
        let Some(member) = self.members.shoot_mut(&secret.namespace) else { return };
        let Some(entry) = member.secrets.get_mut(&secret.name) else { return };
        let is_ours = self.ownership.is_ours(&secret.namespace);
        let seat = Seat {
            secret,
            own: secret.name == self.settings.own_secret,
            asked: is_ours || entry.requested || self.revocations.of_entry(entry).is_some(),
            ownership: &self.ownership,
            clock_offset: clock_offset(self.shoots.view(&secret.namespace)),
            entry,
            load_of_shoot: &mut member.load,
            load: &mut self.load,
            queue: &mut self.queue,
            effects: &mut self.effects,
            first_tokens: &mut self.first_tokens,
        };
        seat.take(now, standing);
    }

    /// Forgets a Secret. An attempt that is under way is still counted until it has ended.
    fn forget(&mut self, secret: &SecretRef) {
        let Some(entry) = self.members.remove(secret) else { return };
        self.observations.changed(&secret.namespace);
        self.first_tokens -= usize::from(entry.standing.wants_first_token());
        if entry.by_campaign.is_some() {
            self.unfed(&secret.namespace);
        }
        self.queue.remove(secret);
        entry.planned_second().iter().for_each(|second| self.load.remove(*second));
        if entry.requested {
            let gone = request::Error::NotFound(secret.clone());
            self.effects.dismissed.push((secret.clone(), gone));
        }
        self.effects.changed.insert(secret.clone());
        self.members.tidy(&secret.namespace);
    }

    /// What one of the token-issuers (its `source` number) says of shoots.
    pub fn hear_of_shoots(&mut self, now: Timestamp, source: usize, event: feed::ShootEvent) {
        let about = match &event {
            feed::Event::Upsert(status) => Some(status.shoot.clone()),
            feed::Event::Removed(shoot) => Some(shoot.clone()),
            feed::Event::Opened | feed::Event::Complete | feed::Event::Lost => None,
        };
        let touched = self.shoots.hear(source, event);
        touched.learned.iter().for_each(|shoot| self.observations.untold(source, shoot.clone()));
        for shoot in &touched.returned {
            self.outages.forget_shoot(shoot);
            for entry in self.members.shoot_mut(shoot).into_iter().flat_map(Member::entries_mut) {
                entry.attempts.shoot_returned();
            }
        }
        let secrets: Vec<_> = touched.shoots.iter().flat_map(|s| self.members.of(s)).collect();
        // What a schedule says of its shoot may have changed without its standing.
        self.effects.changed.extend(secrets.iter().cloned());
        if touched.all {
            self.settle_all(now);
            self.review_all(now);
        } else {
            self.settle_each(now, secrets);
            about.iter().for_each(|shoot| self.review(now, shoot));
        }
    }

    /// What a token-issuer says of a ServiceAccount.
    pub fn hear_of_account(&mut self, now: Timestamp, news: feed::AccountNews) {
        let feed::AccountNews { shoot, account, mut seen } = news;
        let account = self.members.share_account(&shoot, account, &mut seen);
        if !self.shoots.hear_of_account(&shoot, &account, seen) {
            return;
        }
        self.settle_those(now, &shoot, |kept| kept.account() == Some(&account));
    }

    /// What a token-issuer says of a target.
    pub fn hear_of_target(&mut self, now: Timestamp, news: feed::TargetNews) {
        let feed::TargetNews { shoot, target, seen } = news;
        if self.shoots.hear_of_target(&shoot, &target, seen) {
            self.settle_those(now, &shoot, |kept| kept.target() == Some(&target));
        }
    }

    /// What a token-issuer says of the generations of a Secret.
    pub fn hear_of_generations(&mut self, now: Timestamp, news: feed::GenerationsNews) {
        let feed::GenerationsNews { shoot, family, seen } = news;
        if self.shoots.hear_of_generations(&shoot, &family, seen) {
            let secret = named(&shoot, &family.secret);
            self.settle(now, &secret);
            // How far its revocation is may read differently without another standing.
            self.effects.changed.extend(self.members.get(&secret).map(|_| secret));
        }
    }

    /// Decides anew about the Secrets of a shoot that ask for something.
    fn settle_those(&mut self, now: Timestamp, shoot: &ShootId, ask: impl Fn(&Kept) -> bool) {
        let Some(member) = self.members.shoot(shoot) else { return };
        let concerned = member.secrets.iter().filter(|(_, entry)| ask(&entry.kept));
        let secrets = concerned.map(|(name, _)| named(shoot, name)).collect();
        self.settle_each(now, secrets);
    }

    /// A clock that was set back makes what lay in the past the future again.
    fn notice_clock(&mut self, now: Timestamp) {
        if now.saturating_add(CLOCK_STEP).is_ok_and(|tolerated| tolerated < self.ticked) {
            self.set_limits_back(now);
            self.review_all(now);
            self.settle_all(now);
        }
        self.ticked = now;
    }
}

/// A clock that is set back by less is not noticed.
const CLOCK_STEP: SignedDuration = SignedDuration::from_secs(2);
