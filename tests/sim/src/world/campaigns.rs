//! Campaigns: an operator begins them, replicas hear of them and carry them out, and what they say of
//! them is compared with what is true.
//!
//! A token counts as new by clocks: `iat` is whole seconds of a shoot's clock, whose offset is known to
//! a second or two, and the moment since when is of the clock of the replica that was asked. By so much as
//! those are wrong now, and by no more, a replica may take an older token for a new one, or a new one for
//! an older.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use perennial_core::{
    campaign::{CAMPAIGNS_MAX, Campaign, Campaigns, LEAD, Selection, Wanted},
    invariants::{campaign_ends_in_time, done_means_written},
    name::CampaignId,
};
use perennial_fleet::campaigns::{Phase, Progress};
use serde::Serialize;

use super::{Broke, What, World};
use crate::{
    faults::{Fault, OfReplica, Outage, Scope},
    time::{MINUTE, Ms, SECOND},
    trace::Step,
};

mod truth;

/// An operator who is refused asks again after so long.
const ASKED_AGAIN: Ms = 30 * SECOND;
/// How often it is looked whether campaigns get on.
pub(super) const LOOK: Ms = 20 * SECOND;
/// `iat`, and the moment since when, are whole seconds each.
const SECONDS: Ms = 2 * SECOND;
/// Others have taken the place of a replica that is gone, or one that came is in its place.
const SETTLED: Ms = 15 * SECOND;

/// What an operator wants.
#[derive(Clone, Copy, Debug)]
pub enum Want {
    /// New tokens everywhere.
    NewEverywhere,
    /// New tokens of a shoot.
    New(usize),
    /// No token of the key that a shoot signs with until it is exchanged, which is then.
    OtherKey(usize, Ms),
}

/// When he wants it.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// The moment.
    pub at: Ms,
    /// What.
    pub want: Want,
}

/// Figures of campaigns.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// How many began.
    pub begun: usize,
    /// How many of them a replica called done, and every token was as wanted.
    pub done: usize,
    /// Tokens that were asked for because of them.
    pub tokens: u64,
    /// Those of them for a token that was new already: clocks were wrong by more than that.
    pub again_by_clocks: u64,
    /// Those of them for a token that was new already: the secret-writer's watch was behind.
    pub again_by_stale_views: u64,
    /// From the begin until the first replica called it done.
    pub longest_seconds: f64,
    /// The same from the end of the last fault that concerned it.
    pub longest_unhindered_seconds: f64,
}

/// What is true of campaigns.
#[derive(Debug)]
pub(super) struct Desk {
    wishes: Vec<Wish>,
    pub figures: Figures,
    all: BTreeMap<CampaignId, Case>,
    /// Faults that concern everybody or one replica, and those of each shoot.
    common: Trouble,
    of_shoot: Vec<Trouble>,
    /// Since when a replica runs without a break.
    since: Vec<Ms>,
}

#[derive(Debug)]
struct Case {
    campaign: Campaign,
    shoot: Option<usize>,
    begun: Ms,
    /// The clock of the replica that was asked, minus the true one.
    ahead: Ms,
    /// Which start of each replica has called it done.
    said: Vec<Option<u32>>,
    is_done: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    lasts: usize,
    until: Ms,
}

impl Trouble {
    fn begins(&mut self, now: Ms) {
        self.lasts += 1;
        self.until = self.until.max(now);
    }

    fn ends(&mut self, at: Ms) {
        self.lasts = self.lasts.saturating_sub(1);
        self.until = self.until.max(at);
    }

    /// Since when there is none.
    fn over(self) -> Option<Ms> {
        (self.lasts == 0).then_some(self.until)
    }
}

impl Desk {
    pub(super) fn new(wishes: Vec<Wish>, replicas: usize, shoots: usize) -> Self {
        Self {
            wishes,
            figures: Figures::default(),
            all: BTreeMap::new(),
            common: Trouble::default(),
            of_shoot: vec![Trouble::default(); shoots],
            since: vec![0; replicas],
        }
    }

    pub(super) fn wishes(&self) -> impl Iterator<Item = (usize, Ms)> {
        self.wishes.iter().enumerate().map(|(number, wish)| (number, wish.at))
    }

    /// An outage begins or ends: until when is it a reason for a campaign to wait?
    pub(super) fn fault(&mut self, now: Ms, fault: Fault, begins: bool) {
        let trouble = match fault.scope() {
            Scope::Shoot(shoot) => &mut self.of_shoot[shoot],
            Scope::All => &mut self.common,
        };
        let settled = now + SETTLED;
        match fault {
            // Its moments matter, and not its length.
            Fault::KeyExchange(_) | Fault::ShootClock(..) | Fault::Clock(..) => {
                trouble.until = trouble.until.max(now);
            }
            Fault::Replica(
                replica,
                OfReplica::Crash
                | OfReplica::Lost
                | OfReplica::Stands
                | OfReplica::Leaves
                | OfReplica::Joins,
            ) => {
                trouble.until = trouble.until.max(settled);
                self.since[replica] = settled;
            }
            Fault::Replica(replica, _) if !begins => {
                trouble.ends(settled);
                self.since[replica] = settled;
            }
            _ if begins => trouble.begins(now),
            _ => trouble.ends(settled),
        }
    }

    fn calm_since(&self, shoot: usize) -> Option<Ms> {
        Some(self.common.over()?.max(self.of_shoot[shoot].over()?))
    }
}

impl Case {
    /// True moment from which on a right clock sees it run.
    fn runs_from(&self) -> Ms {
        let lead = Ms::try_from(LEAD.as_millis()).unwrap_or(0);
        self.begun + self.ahead.max(0) + lead
    }

    fn shoots(&self, all: usize) -> std::ops::Range<usize> {
        self.shoot.map_or(0..all, |shoot| shoot..shoot + 1)
    }
}

impl World {
    pub(super) fn begin_campaign(&mut self, number: usize) {
        let Wish { want, .. } = self.desk.wishes[number];
        if !self.store_campaign(want) {
            self.agenda.put(self.now + ASKED_AGAIN, What::BeginCampaign(number));
        }
    }

    /// Asks one of the replicas; whether it took the campaign.
    fn store_campaign(&mut self, want: Want) -> bool {
        let replica = self.draw.index(self.schedulers.len());
        let asked = &self.schedulers[replica];
        if !asked.runs() || !asked.reaches.seed || !self.seed.is_prompt() {
            return false;
        }
        let (now, ahead) = (asked.now(self.now), asked.ahead);
        let (shoot, wanted) = match want {
            Want::NewEverywhere => (None, None),
            Want::New(shoot) => (Some(shoot), None),
            Want::OtherKey(shoot, exchange) => {
                match self.shoots[shoot].key_before(self.now < exchange) {
                    Some(key) => (Some(shoot), Some(key)),
                    None => return true, // it was exchanged twice, and the former one is long forgotten
                }
            }
        };
        let id = shoot.map(|shoot| self.town.shoots[shoot].id.clone());
        let since = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
        let wanted = match (wanted, &id) {
            (Some(key), Some(id)) if !asked.fleet.keys_seen(id).contains(&*key) => return false,
            (Some(key), _) => Wanted::NotSignedBy(key.to_string()),
            (None, _) => Wanted::IssuedSince(since),
        };
        let reason = "incident".parse().expect("a word");
        let campaign = Campaign::new(
            reason,
            "operator".to_owned(),
            now,
            Selection { shoot: id, labels: None },
            wanted,
        );
        let id: CampaignId = format!("c-{}", now.as_millisecond()).parse().expect("a label");
        if self.seed.campaigns.contains_key(&id) || !self.has_room_for_campaign() {
            return false;
        }
        self.trace.of_world(self.now, replica as u64, Step::Begun, now.as_millisecond());
        self.seed.campaigns.insert(id.clone(), campaign.clone());
        let (begun, said) = (self.now, vec![None; self.schedulers.len()]);
        let case = Case { campaign, shoot, begun, ahead, said, is_done: false };
        self.desk.all.insert(id, case);
        self.desk.figures.begun += 1;
        self.all_replicas().for_each(|replica| self.send_campaigns(replica));
        true
    }

    /// An operator deletes one that is done for each that is too many.
    fn has_room_for_campaign(&mut self) -> bool {
        let campaigns: &mut Campaigns = &mut self.seed.campaigns;
        if campaigns.len() < CAMPAIGNS_MAX {
            return true;
        }
        let is_over = |id: &&CampaignId| self.desk.all.get(*id).is_none_or(|case| case.is_done);
        let Some(old) = campaigns.keys().find(is_over).cloned() else { return false };
        campaigns.remove(&old);
        self.desk.all.remove(&old);
        true
    }

    /// The watch of a replica shows it all campaigns, now or when it reaches the seed again.
    pub(super) fn send_campaigns(&mut self, replica: usize) {
        if self.desk.wishes.is_empty() {
            return;
        }
        let at = self.now + self.draw.latency(2, 10);
        self.agenda.put(at, What::Campaigns(replica, self.schedulers[replica].epoch));
    }

    pub(super) fn show_campaigns(&mut self, replica: usize, epoch: u32) {
        let scheduler = &mut self.schedulers[replica];
        if !scheduler.is_up || scheduler.epoch != epoch {
            return; // its next start reads them
        }
        let guards = scheduler.keeper.as_ref().map(|keeper| keeper.guards());
        if guards.is_some_and(|guards| !guards.hears_campaigns) {
            return;
        }
        if scheduler.reaches.seed && self.seed.is_prompt() {
            return scheduler.hear_of_campaigns(self.now, self.seed.campaigns.clone());
        }
        let at = self.now + self.draw.between(SECOND, 5 * SECOND);
        self.agenda.put(at, What::Campaigns(replica, epoch));
    }

    /// What a replica says of campaigns after a tick.
    pub(super) fn hear_what_is_done(&mut self, replica: usize) -> Result<(), Broke> {
        let scheduler = &self.schedulers[replica];
        let is_open = |case: &Case| case.said[replica] != Some(scheduler.epoch);
        let open = self.desk.all.iter().filter(|(_, case)| is_open(case));
        let said = |id: &CampaignId| {
            let (_, progress) = scheduler.fleet.campaign(id)?;
            self.says_done(replica, &progress).then(|| id.clone())
        };
        let said: Vec<CampaignId> = open.filter_map(|(id, _)| said(id)).collect();
        said.into_iter().try_for_each(|id| self.is_done(replica, &id))
    }

    fn says_done(&self, replica: usize, progress: &Progress) -> bool {
        let keeper = self.schedulers[replica].keeper.as_ref();
        let waits = || progress.looked.is_none() || progress.to_do > 0;
        match keeper.is_none_or(|keeper| keeper.guards().counts_written) {
            true => progress.phase == Phase::Done,
            false => !waits() && progress.awaited.is_empty(),
        }
    }

    fn is_done(&mut self, replica: usize, id: &CampaignId) -> Result<(), Broke> {
        let case = &self.desk.all[id];
        let shoots = case.shoots(self.town.shoots.len());
        let secrets = shoots.clone().flat_map(|shoot| self.town.shoots[shoot].secrets.clone());
        let mut left = secrets.filter(|secret| self.is_unmet(*secret, case, Some(replica)));
        let (first, more) = (left.next(), left.count());
        if let Some(first) = first {
            return done_means_written(more + 1).map_err(|broken| (first, broken));
        }
        let hindered = shoots.filter_map(|shoot| self.desk.calm_since(shoot)).max();
        let (now, epoch) = (self.now, self.schedulers[replica].epoch);
        let Some(case) = self.desk.all.get_mut(id) else { return Ok(()) };
        case.said[replica] = Some(epoch);
        if !std::mem::replace(&mut case.is_done, true) {
            self.trace.of_world(now, replica as u64, Step::Done, case.begun);
            let figures = &mut self.desk.figures;
            figures.done += 1;
            let seconds = |since: Ms| (now - since).max(0) as f64 / SECOND as f64;
            figures.longest_seconds = figures.longest_seconds.max(seconds(case.begun));
            let from = case.runs_from().max(hindered.unwrap_or(now));
            figures.longest_unhindered_seconds =
                figures.longest_unhindered_seconds.max(seconds(from));
        }
        Ok(())
    }

    /// Whether campaigns get on where nothing keeps them from that.
    pub(super) fn look_at_campaigns(&mut self) -> Result<(), Broke> {
        self.agenda.put(self.now + LOOK, What::LookAtCampaigns);
        let all = self.town.shoots.len();
        for case in self.desk.all.values() {
            let mut calm = Some(case.runs_from());
            for shoot in case.shoots(all) {
                let since = self.desk.calm_since(shoot).map(|since| since.max(case.runs_from()));
                calm = calm.zip(since).map(|(one, other)| one.max(other));
                let Some(since) = since.filter(|_| !case.is_done) else { continue };
                let mut secrets = self.town.shoots[shoot].secrets.clone();
                if let Some(left) = secrets.find(|secret| self.is_unmet(*secret, case, None)) {
                    let waited = SignedDuration::from_millis(self.now - since);
                    campaign_ends_in_time(waited).map_err(|broken| (left, broken))?;
                }
            }
            let Some(calm) = calm else { continue };
            for (replica, scheduler) in self.schedulers.iter().enumerate() {
                let since = calm.max(self.desk.since[replica]);
                let says = !scheduler.runs() || case.said[replica] == Some(scheduler.epoch);
                let waited = SignedDuration::from_millis(self.now - since);
                let first = self.town.shoots[case.shoots(all).start].secrets.start;
                let ends = campaign_ends_in_time(waited).map_err(|broken| (first, broken));
                if !says && ends.is_err() && !self.looks_old(replica, case) {
                    return ends;
                }
            }
        }
        Ok(())
    }

    /// Figures of campaigns; `None` where nobody wants any.
    #[must_use]
    pub fn campaigns(&self) -> Option<Figures> {
        (!self.desk.wishes.is_empty()).then(|| self.desk.figures.clone())
    }
}

/// Wishes in `span`, and the exchanges of keys that some of them are about.
#[must_use]
pub fn draw(
    shoots: usize,
    (calm, span): (Ms, Ms),
    interval: Ms,
    draw: &mut crate::draw::Draw,
) -> (Vec<Wish>, Vec<Outage>) {
    let (mut wishes, mut exchanges) = (Vec::new(), Vec::new());
    let moments = draw.moments(span, interval);
    for (number, at) in moments.into_iter().filter(|at| *at >= calm).enumerate() {
        let shoot = (number * 7 + draw.index(3)) % shoots;
        let want = match draw.index(8) {
            0 | 1 => Want::NewEverywhere,
            2..=4 => Want::New(shoot),
            _ => {
                let begin = (at + draw.between(-30 * MINUTE, 5 * MINUTE)).max(calm);
                let length = 13 * crate::time::HOUR;
                exchanges.push(Outage { fault: Fault::KeyExchange(shoot), begin, length });
                Want::OtherKey(shoot, begin)
            }
        };
        wishes.push(Wish { at, want });
    }
    (wishes, exchanges)
}
