//! One seed, its shoots, and the three services, in virtual time and on one thread.
//!
//! ```text
//! tick ─► order ─► permit ─► the shoot is asked ─► issued ─► the seed is asked ─► written ─► finished
//!  ▲                 └ refused      └ failed          └ lost       └ failed          │
//!  └──────────────────────────────── streams of records and shoots ◄─────────────────┘
//! ```
//!
//! Events come off an agenda; after each batch of one moment the fleet ticks, as the engine does,
//! and else on the beat at which it has something to do. Beats, looks and messages that would
//! change nothing are skipped.

use perennial_core::invariants::Broken;
use perennial_fleet::Settings;

use crate::{
    agenda::Agenda,
    draw::Draw,
    faults::Outage,
    issuer::Issuer,
    keeper::{self, Keeper},
    lateness::Lateness,
    ledger::Ledger,
    refusal::Refusal,
    scheduler::Scheduler,
    seed::Seed,
    shoot::Shoot,
    time::{HOUR, Ms, SECOND},
    town::{Size, Town},
    trace::{LastEvents, Trace},
    writer::{Guards, Writer},
};

mod audit;
mod breaks;
pub mod campaigns;
mod leases;
mod owners;
mod recovery;
mod renewal;
mod replicas;
mod streams;

use campaigns::{Desk, Wish};
use leases::OfLease;
use owners::Owners;
pub use owners::Sharing;
use recovery::Recoveries;
pub use recovery::Recovery;
use renewal::Flights;
use replicas::Mail;

/// How often every Secret is looked at for an expired token.
const AUDIT_INTERVAL: Ms = HOUR;

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How big it is.
    pub size: Size,
    /// Everything that is drawn is drawn from it.
    pub seed: u64,
    /// What goes wrong.
    pub outages: Vec<Outage>,
    /// Settings of the scheduler.
    pub settings: Settings,
    /// The basis that its orders carry; another one than it reckons with is a mistake that must show.
    pub basis_seconds: i64,
    /// What the scheduler must hold to, if it is not what it is set to.
    pub limits: Option<(usize, usize)>,
    /// What the secret-writer holds to.
    pub guards: Guards,
    /// The replicas of the scheduler.
    pub team: Team,
}

/// The replicas of the scheduler.
#[derive(Clone, Debug)]
pub struct Team {
    /// Those that run from the begin.
    pub running: usize,
    /// Those that may be added.
    pub spare: usize,
    /// Whether they keep Leases; one that does not is the only one.
    pub has_leases: bool,
    /// What they hold to.
    pub guards: keeper::Guards,
    /// Campaigns that an operator wants.
    pub wishes: Vec<Wish>,
}

impl Team {
    /// A single one that knows of no others.
    pub const ALONE: Self = Self {
        running: 1,
        spare: 0,
        has_leases: false,
        guards: keeper::Guards::ALL,
        wishes: Vec::new(),
    };
}

/// The world.
#[derive(Debug)]
pub struct World {
    /// The true time.
    pub now: Ms,
    /// Who lives there.
    pub town: Town,
    /// What was counted.
    pub ledger: Ledger,
    /// From the planned moment to the written Secret, of renewals that were due.
    pub lateness: Vec<Lateness>,
    /// What happened.
    pub trace: Trace,
    /// Seconds of expired tokens that nobody could prevent.
    pub excused_expired: Ms,
    /// How many Secrets were known to be overdue at the worst audit.
    pub overdue_most: usize,
    limits: (usize, usize),
    basis_seconds: i64,
    agenda: Agenda<What>,
    draw: Draw,
    shoots: Vec<Shoot>,
    seed: Seed,
    writer: Writer,
    issuer: Issuer,
    schedulers: Vec<Scheduler>,
    /// What reached a replica while it stood still.
    inboxes: Vec<Vec<Mail>>,
    owners: Owners,
    desk: Desk,
    flights: Flights,
    links: Links,
    outages: Vec<Outage>,
    recoveries: Recoveries,
    /// How lateness of a shoot is counted: an index into `lateness`.
    groups: Vec<usize>,
}

/// Who reaches whom.
#[derive(Clone, Copy, Debug)]
struct Links {
    writer_to_issuer: bool,
    /// How much later records come.
    lag: Ms,
}

/// What happens at a moment. The first number of what concerns a replica of the scheduler is its own.
#[derive(Clone, Copy, Debug)]
enum What {
    /// A shoot has made a token.
    Issued(usize),
    /// A patch reaches the seed.
    Written(usize),
    /// The secret-writer has given up.
    Failed(usize, Refusal),
    /// The scheduler gets an answer that cost nothing.
    Refused(usize, Refusal),
    /// A record is shown as it was then, by a stream.
    Shown {
        replica: usize,
        secret: usize,
        as_of: Ms,
        stream: u32,
    },
    /// The token-issuer looks at a shoot, if it was not started anew meanwhile.
    Look(usize, u32),
    /// A look has found nothing.
    LookEnds(usize, u32),
    /// The scheduler opens its stream of records.
    OpenRecords(usize),
    /// The scheduler opens its stream of shoots.
    OpenShoots(usize),
    /// The scheduler notices that the secret-writer is cut off.
    NoticeCut(usize, u32),
    /// Of the Lease of a replica, if that is still its start or its beat of this number.
    Lease(usize, OfLease, u32),
    /// What is excused counts from now on.
    Calm,
    /// An operator begins the campaign that he wants.
    BeginCampaign(usize),
    /// A replica is shown all campaigns, if that is still its start.
    Campaigns(usize, u32),
    LookAtCampaigns,
    /// The watch of the secret-writer catches up.
    CatchUp(u32),
    Begin(usize),
    End(usize),
    Audit,
}

/// An invariant that does not hold, with all it takes to see it again.
#[derive(Debug, thiserror::Error)]
#[error("seed {seed}, {at}, {secret}: {broken}\nits last events:\n{last}")]
pub struct Violation {
    /// The seed.
    pub seed: u64,
    /// When.
    pub at: jiff::Timestamp,
    /// Which Secret, or what else.
    pub secret: String,
    /// What does not hold.
    #[source]
    pub broken: Broken,
    /// What happened to that Secret.
    pub last: Box<LastEvents>,
}

/// An invariant that does not hold for a Secret.
type Broke = (usize, Broken);

impl World {
    /// At its begin: no Secret has a token.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let Plan { size, seed, outages, settings, basis_seconds, limits, guards, team } = plan;
        let town = Town::new(size, &mut Draw::new(seed, 1));
        let mut draw = Draw::new(seed, 2);
        let mut skew = |most: Ms| draw.between(-most, most);
        let shoots = town.shoots.iter().map(|_| Shoot::new(skew(30 * SECOND))).collect();
        let count = team.running + team.spare;
        // Calls that hang are set aside, three for each place; the part of each replica is rounded up.
        let places = settings.in_flight_max + count - 1;
        let own = (4 * places, settings.in_flight_per_shoot_max);
        let mut world = Self {
            now: 0,
            ledger: Ledger::new(size.tokens),
            lateness: vec![Lateness::default()],
            trace: Trace::new(size.tokens, seed),
            excused_expired: 0,
            overdue_most: 0,
            limits: limits.unwrap_or(own),
            basis_seconds,
            agenda: Agenda::default(),
            shoots,
            seed: Seed::new(&town),
            writer: Writer::new(size.tokens, skew(SECOND), guards),
            issuer: Issuer::new(size.shoots, skew(SECOND)),
            schedulers: (0..count)
                .map(|number| {
                    let keeper = team.has_leases.then(|| Keeper::new(number, team.guards));
                    Scheduler::new(settings.clone(), size.shoots, skew(SECOND), keeper)
                })
                .collect(),
            inboxes: (0..count).map(|_| Vec::new()).collect(),
            owners: Owners::new(count, size.shoots),
            desk: Desk::new(team.wishes, count, size.shoots),
            flights: Flights::default(),
            links: Links { writer_to_issuer: true, lag: 2 },
            outages,
            recoveries: Recoveries::new(size.tokens),
            groups: vec![0; size.shoots],
            draw,
            town,
        };
        world.begin(team.running);
        world
    }

    fn begin(&mut self, running: usize) {
        for number in 0..self.outages.len() {
            let Outage { begin, length, .. } = self.outages[number];
            self.agenda.put(begin, What::Begin(number));
            self.agenda.put(begin + length, What::End(number));
        }
        self.look_at_all();
        for replica in 0..self.schedulers.len() {
            self.schedulers[replica].is_member = replica < running;
            self.schedulers[replica].is_up = replica < running;
        }
        for replica in 0..running {
            self.agenda.put(0, What::OpenShoots(replica));
            self.agenda.put(0, What::OpenRecords(replica));
            self.begin_beats(replica);
        }
        self.agenda.put(AUDIT_INTERVAL, What::Audit);
        for (number, at) in self.desk.wishes().collect::<Vec<_>>() {
            self.agenda.put(at, What::BeginCampaign(number));
        }
        if self.desk.wishes().next().is_some() {
            self.agenda.put(campaigns::LOOK, What::LookAtCampaigns);
        }
    }

    /// Has the lateness of this shoot counted apart from that of the others.
    pub fn count_apart(&mut self, shoot: usize) {
        self.lateness.resize_with(2, Lateness::default);
        self.groups[shoot] = 1;
    }

    /// Outages that everybody has recovered from, or would have.
    #[must_use]
    pub fn recoveries(&self) -> &[Recovery] {
        self.recoveries.all()
    }

    /// Lets time pass until then.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn run(&mut self, until: Ms) -> Result<(), Box<Violation>> {
        loop {
            let beats = self.schedulers.iter().filter_map(Scheduler::next_beat);
            let next = self.agenda.next_at().into_iter().chain(beats).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return Ok(());
            };
            self.now = next;
            while let Some(what) = self.agenda.take(next) {
                self.happen(what).map_err(|broke| self.violation(broke))?;
            }
            for replica in 0..self.schedulers.len() {
                self.tick(replica).map_err(|broke| self.violation(broke))?;
            }
            self.look_at_owners().map_err(|broke| self.violation(broke))?;
        }
    }

    /// What a replica orders now is carried out.
    fn tick(&mut self, replica: usize) -> Result<(), Broke> {
        for order in self.schedulers[replica].tick(self.now) {
            self.carry_out(replica, order)?;
        }
        if !self.seed.campaigns.is_empty() {
            self.hear_what_is_done(replica)?;
        }
        if std::mem::take(&mut self.schedulers[replica].wants_look) {
            return self.look_at_leases(replica);
        }
        Ok(())
    }

    fn happen(&mut self, what: What) -> Result<(), Broke> {
        if self.is_held(what) {
            return Ok(());
        }
        match what {
            What::Issued(flight) => self.issued(flight)?,
            What::Written(flight) => self.written(flight)?,
            What::Failed(flight, refusal) => self.failed(flight, refusal),
            What::Refused(flight, refusal) => self.answer(flight, Err(refusal)),
            What::Shown { replica, secret, as_of, stream } => {
                self.show(replica, secret, as_of, stream);
            }
            What::Look(shoot, issuer) => self.look(shoot, issuer),
            What::LookEnds(shoot, issuer) => self.look_ends(shoot, issuer),
            What::OpenRecords(replica) => self.open_records(replica),
            What::OpenShoots(replica) => self.open_shoots(replica),
            What::NoticeCut(replica, epoch) => self.notice_cut(replica, epoch),
            What::Lease(replica, of, number) => self.lease(replica, of, number)?,
            What::Calm => self.owners.is_stale = true,
            What::BeginCampaign(number) => self.begin_campaign(number),
            What::Campaigns(replica, epoch) => self.show_campaigns(replica, epoch),
            What::LookAtCampaigns => self.look_at_campaigns()?,
            What::CatchUp(writer) => self.catch_up(writer),
            What::Begin(outage) => self.outage_begins(outage)?,
            What::End(outage) => self.outage_ends(outage)?,
            What::Audit => self.audit()?,
        }
        Ok(())
    }

    fn violation(&self, (secret, broken): Broke) -> Box<Violation> {
        Box::new(Violation {
            seed: self.trace.seed(),
            at: crate::time::stamp(self.now, 0),
            secret: self.town.secrets[secret].bare.secret.to_string(),
            broken,
            last: Box::new(self.trace.last_of(secret)),
        })
    }
}
