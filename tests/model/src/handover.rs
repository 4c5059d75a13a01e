//! Which replica of the scheduler orders for a shoot, while replicas come, go, stand still and wake.
//!
//! Each renews a Lease of its own and looks at the others' every [`BEAT`] seconds at least. Who is live
//! is told by what was *seen to change*, by one's own clock; ages count up to their bound, so time goes
//! on for ever and the states are few. The first of the live ones by number serves the shoot, as the
//! greatest hash does in the product.

use jiff::SignedDuration;
use perennial_core::invariants::{Invariant, hand_over_in_time, one_owner_at_a_time};
use stateright::{Model, Property};

use crate::check::{Judged, note, properties};

/// A replica renews its Lease and looks at the others' this often, in seconds.
pub const BEAT: u8 = 2;
/// A Lease that was not seen to change for so long is that of a dead replica, in seconds.
pub const LIVE: u8 = 6;
/// A joiner orders nothing before the others had two looks and a second, in seconds. Who looked last
/// so long ago must not order by it: a joiner may have settled since.
pub const SETTLE: u8 = 5;
/// Beyond it a gap is not counted on.
const GAP_MAX: u8 = 20;
/// After the seed was away two may believe that they serve the shoot until each has looked and what was lost
/// has come to count, in seconds.
const CALM: u8 = LIVE + BEAT;

/// What a replica holds to.
#[derive(Clone, Copy, Debug)]
pub struct Guards {
    /// A joiner lets the others see it before it orders.
    pub settles: bool,
    /// Who stood still looks anew before it orders.
    pub rereads: bool,
    /// Who sees that another one serves the shoot stops at once.
    pub stops: bool,
    /// A Lease that nobody renews is that of a dead replica.
    pub counts_out: bool,
}

impl Guards {
    /// As it should be.
    pub const ALL: Self = Self { settles: true, rereads: true, stops: true, counts_out: true };
}

/// A size, and what may fail in it.
#[derive(Clone, Copy, Debug)]
pub struct HandOver {
    /// How many replicas.
    pub replicas: u8,
    /// How many of them run at the beginning, and know each other.
    pub running: u8,
    /// How often what may fail.
    pub budget: Budget,
    /// What is held to.
    pub guards: Guards,
}

/// How often what may fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// A replica dies.
    pub crashes: u8,
    /// One starts.
    pub starts: u8,
    /// One stands still for some time.
    pub pauses: u8,
    /// The seed is away for some time.
    pub aways: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Runs {
    Up,
    Paused,
    Down,
}

/// What a replica knows of another one's Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Known {
    /// Seconds since it was seen to change, up to [`LIVE`].
    age: u8,
    /// It was renewed since the last look.
    renewed: bool,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Replica {
    runs: Runs,
    has_lease: bool,
    /// Seconds since its last try to look, up to [`LIVE`].
    tried: u8,
    /// Seconds since it joined, up to [`SETTLE`]; `None` before its first look.
    joined: Option<u8>,
    /// Its last try failed.
    blind: bool,
    known: Vec<Option<Known>>,
    /// Whether it served the shoot by its last look.
    serves: bool,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    replicas: Vec<Replica>,
    seed_up: bool,
    /// Seconds since it is back, up to [`CALM`].
    calm: u8,
    /// Seconds in which nobody ordered.
    gap: u8,
    budget: Budget,
    broken: Option<Invariant>,
}

/// A step; numbers are replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A second goes by.
    Second,
    /// It renews its Lease and looks at the others'.
    Beat(u8),
    /// It starts.
    Start(u8),
    /// It dies, and leaves its Lease.
    Crash(u8),
    /// It stands still.
    Pause(u8),
    /// It goes on.
    Wake(u8),
    /// Nobody reaches the seed.
    SeedAway,
    /// It is back.
    SeedBack,
}

impl Judged for State {
    fn broken(&self) -> Option<Invariant> {
        self.broken
    }
}

impl Model for HandOver {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let known = |me: u8| {
            let other = move |other| {
                let both = other != me && other < self.running && me < self.running;
                both.then_some(Known { age: 0, renewed: false })
            };
            (0..self.replicas).map(other).collect()
        };
        let replica = |me| Replica {
            runs: if me < self.running { Runs::Up } else { Runs::Down },
            has_lease: me < self.running,
            tried: 0,
            joined: (me < self.running).then_some(SETTLE),
            blind: false,
            known: known(me),
            serves: me == 0 && self.running > 0,
        };
        let replicas = (0..self.replicas).map(replica).collect();
        vec![State {
            replicas,
            seed_up: true,
            calm: CALM,
            gap: 0,
            budget: self.budget,
            broken: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() {
            return;
        }
        let is_late = |replica: &Replica| replica.runs == Runs::Up && replica.tried >= BEAT;
        if !state.replicas.iter().any(is_late) {
            actions.push(Action::Second);
        }
        let Budget { crashes, starts, pauses, aways } = state.budget;
        for (me, replica) in (0..).zip(&state.replicas) {
            match replica.runs {
                Runs::Up => {
                    actions.push(Action::Beat(me));
                    if crashes > 0 {
                        actions.push(Action::Crash(me));
                    }
                    if pauses > 0 {
                        actions.push(Action::Pause(me));
                    }
                }
                Runs::Paused => actions.push(Action::Wake(me)),
                Runs::Down if starts > 0 => actions.push(Action::Start(me)),
                Runs::Down => {}
            }
        }
        match state.seed_up {
            true if aways > 0 => actions.push(Action::SeedAway),
            true => {}
            false => actions.push(Action::SeedBack),
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Second => Self::second(&mut state),
            Action::Beat(me) => self.beat(&mut state, me.into()),
            Action::Start(me) => {
                state.budget.starts -= 1;
                let known = vec![None; self.replicas.into()];
                let replica = &mut state.replicas[usize::from(me)];
                (replica.runs, replica.tried, replica.joined) = (Runs::Up, 0, None);
                (replica.blind, replica.known, replica.serves) = (false, known, false);
            }
            Action::Crash(me) => {
                state.budget.crashes -= 1;
                state.replicas[usize::from(me)].runs = Runs::Down;
                state.gap = 0; // each failure begins a hand-over of its own
            }
            Action::Pause(me) => {
                state.budget.pauses -= 1;
                state.replicas[usize::from(me)].runs = Runs::Paused;
                state.gap = 0; // as above
            }
            Action::Wake(me) => {
                state.replicas[usize::from(me)].runs = Runs::Up;
                state.gap = 0; // it comes back as a joiner, and the others know it as live
            }
            Action::SeedAway => {
                state.budget.aways -= 1;
                state.seed_up = false;
            }
            Action::SeedBack => (state.seed_up, state.calm, state.gap) = (true, 0, 0),
        }
        let owners = state.replicas.iter().filter(|replica| self.orders(replica)).count();
        if state.seed_up && state.calm == CALM {
            note(&mut state.broken, one_owner_at_a_time(owners));
        }
        let somebody_runs = state.replicas.iter().any(|replica| replica.runs == Runs::Up);
        if owners > 0 || !somebody_runs || !state.seed_up {
            state.gap = 0;
        }
        note(&mut state.broken, hand_over_in_time(SignedDuration::from_secs(state.gap.into())));
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let other = Property::sometimes("another one serves", |_, state: &State| {
            state.replicas.iter().skip(1).any(|replica| replica.serves)
        });
        let mut all = properties();
        all.push(other);
        all
    }
}

impl HandOver {
    /// Whether it would order now.
    fn orders(&self, replica: &Replica) -> bool {
        let is_fresh = replica.tried < SETTLE || !self.guards.rereads;
        replica.runs == Runs::Up && replica.serves && is_fresh
    }

    fn second(state: &mut State) {
        state.gap = (state.gap + 1).min(GAP_MAX);
        state.calm = (state.calm + 1).min(CALM);
        for replica in &mut state.replicas {
            replica.tried = (replica.tried + 1).min(LIVE);
            replica.joined = replica.joined.map(|joined| (joined + 1).min(SETTLE));
            for known in replica.known.iter_mut().flatten() {
                known.age = (known.age + 1).min(LIVE);
            }
        }
    }

    fn beat(&self, state: &mut State, me: usize) {
        let replica = &mut state.replicas[me];
        if std::mem::take(&mut replica.tried) >= SETTLE && self.guards.rereads {
            (replica.joined, replica.serves) = (None, false);
            replica.known.fill(None);
        }
        if !state.seed_up {
            replica.blind = true; // what it served it serves
            return;
        }
        for other in state.replicas.iter_mut() {
            if let Some(known) = &mut other.known[me] {
                known.renewed = true;
            }
        }
        state.replicas[me].has_lease = true;
        let leases: Vec<bool> = state.replicas.iter().map(|replica| replica.has_lease).collect();
        let replica = &mut state.replicas[me];
        let was_blind = std::mem::take(&mut replica.blind); // what nobody could see has not grown old
        for (other, has_lease) in leases.into_iter().enumerate() {
            if other == me || !has_lease {
                continue;
            }
            let known = replica.known[other].get_or_insert(Known { age: 0, renewed: true });
            if std::mem::take(&mut known.renewed) || was_blind {
                known.age = 0;
            }
        }
        let joined = *replica.joined.get_or_insert(0);
        let is_live = |known: &Option<Known>| {
            known.is_some_and(|known| known.age < LIVE || !self.guards.counts_out)
        };
        let is_first = !replica.known[..me].iter().any(is_live);
        let is_alone = !replica.known.iter().any(is_live);
        let is_settled = is_alone || joined >= SETTLE || !self.guards.settles;
        let keeps = replica.serves && !self.guards.stops;
        replica.serves = (is_first && is_settled) || keeps;
    }
}
