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
use perennial_fleet::{Settings, order::Order};

use crate::{
    agenda::Agenda,
    draw::Draw,
    faults::Outage,
    issuer::Issuer,
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
mod recovery;
mod renewal;
mod streams;

use recovery::Recoveries;
pub use recovery::Recovery;
use renewal::Flights;

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
    scheduler: Scheduler,
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
    scheduler_to_writer: bool,
    scheduler_to_issuer: bool,
    writer_to_issuer: bool,
    /// How much later records come.
    lag: Ms,
    /// When the last one came.
    last_record: Ms,
}

/// What happens at a moment.
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
        secret: usize,
        as_of: Ms,
        stream: u32,
    },
    /// The token-issuer looks at a shoot, if it was not started anew meanwhile.
    Look(usize, u32),
    /// A look has found nothing.
    LookEnds(usize, u32),
    /// The scheduler opens its stream of records.
    OpenRecords,
    /// The scheduler opens its stream of shoots.
    OpenShoots,
    /// The scheduler notices that the secret-writer is cut off.
    NoticeCut(u32),
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
        let Plan { size, seed, outages, settings, basis_seconds, limits, guards } = plan;
        let town = Town::new(size, &mut Draw::new(seed, 1));
        let mut draw = Draw::new(seed, 2);
        let mut skew = |most: Ms| draw.between(-most, most);
        let shoots = town.shoots.iter().map(|_| Shoot::new(skew(30 * SECOND))).collect();
        // Calls that hang are set aside, three for each place.
        let own = (4 * settings.in_flight_max, settings.in_flight_per_shoot_max);
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
            scheduler: Scheduler::new(settings, size.shoots, skew(SECOND)),
            flights: Flights::default(),
            links: Links {
                scheduler_to_writer: true,
                scheduler_to_issuer: true,
                writer_to_issuer: true,
                lag: 2,
                last_record: 0,
            },
            outages,
            recoveries: Recoveries::new(size.tokens),
            groups: vec![0; size.shoots],
            draw,
            town,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for number in 0..self.outages.len() {
            let Outage { begin, length, .. } = self.outages[number];
            self.agenda.put(begin, What::Begin(number));
            self.agenda.put(begin + length, What::End(number));
        }
        self.look_at_all();
        self.agenda.put(0, What::OpenShoots);
        self.agenda.put(0, What::OpenRecords);
        self.agenda.put(AUDIT_INTERVAL, What::Audit);
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
            let next = self.agenda.next_at().into_iter().chain(self.scheduler.next_beat()).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return Ok(());
            };
            self.now = next;
            while let Some(what) = self.agenda.take(next) {
                self.happen(what).map_err(|broke| self.violation(broke))?;
            }
            for order in self.scheduler.tick(next) {
                self.carry_out(order).map_err(|broke| self.violation(broke))?;
            }
        }
    }

    fn happen(&mut self, what: What) -> Result<(), Broke> {
        match what {
            What::Issued(flight) => self.issued(flight)?,
            What::Written(flight) => self.written(flight)?,
            What::Failed(flight, refusal) => self.failed(flight, refusal),
            What::Refused(flight, refusal) => self.answer(flight, Err(refusal)),
            What::Shown { secret, as_of, stream } => self.show(secret, as_of, stream),
            What::Look(shoot, issuer) => self.look(shoot, issuer),
            What::LookEnds(shoot, issuer) => self.look_ends(shoot, issuer),
            What::OpenRecords => self.open_records(),
            What::OpenShoots => self.open_shoots(),
            What::NoticeCut(scheduler) => self.notice_cut(scheduler),
            What::CatchUp(writer) => self.catch_up(writer),
            What::Begin(outage) => self.outage_begins(outage)?,
            What::End(outage) => self.outage_ends(outage),
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

    fn shoot_of(&self, order: &Order) -> usize {
        let secret = self.town.number(&order.secret).expect("orders are of Secrets of the town");
        self.town.secrets[secret].shoot
    }
}
