//! Section D: what an operator asks for, what is seen from outside, and every crash in between.

use perennial_core::{
    decision::bound_to,
    generation::{Family, Generation, GenerationsSeen, Number},
};
use proptest::prelude::*;

use super::*;
use crate::{
    feed::GenerationsNews,
    fixtures::{bound, revocable},
    outcome::Answer,
    revocation::progress::{Phase, Progress},
};

mod asking;
mod campaigns;
mod crashes;
mod ends;

const NAME: &str = "shoot-1/a";

/// A revocable Secret, its shoot, and both services that work on them.
struct Stage {
    world: World,
    record: Record,
    present: Vec<Generation>,
    /// Tokens that were issued since the first one.
    tokens: usize,
    /// Whether the token-issuer remembers an old token that it can try.
    old_token_at_hand: bool,
}

/// Where a service crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    /// Before anything is done.
    Ordered,
    /// The generation is made, or deleted, and no token is written.
    InShoot,
    /// The token is written, and the answer is lost.
    Written,
}

fn generation(number: Number, grace: Option<Duration>, made: i64) -> Generation {
    Generation { number, uid: format!("uid-{number}").into(), grace, made: Some(at(made)) }
}

impl Stage {
    /// A token of generation 1, written at 0.
    fn new() -> Self {
        let record = bound(&written(&revocable(NAME), 0, Reason::NothingHeld), 1, None);
        let present = vec![generation(1, None, 0)];
        let world = World::empty();
        let mut stage = Self { world, record, present, tokens: 0, old_token_at_hand: true };
        stage.world.now = 100;
        stage.restart();
        stage
    }

    /// Another scheduler, which sees what is there.
    fn restart(&mut self) {
        let now = self.world.now;
        self.world = World { fleet: running(settings(64, 8)), now };
        self.world.shoots(&reachable());
        self.world.records(std::slice::from_ref(&self.record));
        self.show();
    }

    /// What the streams say.
    fn show(&mut self) {
        self.world.record(Event::Upsert(self.record.clone()));
        let family = Family::new(&"kube-system".parse().unwrap(), &self.record.secret);
        let seen = GenerationsSeen { present: self.present.clone(), at: at(self.world.now) };
        let news = GenerationsNews { shoot: "shoot-1".parse().unwrap(), family, seen };
        self.world.fleet.hear_of_generations(at(self.world.now), news);
    }

    fn revoke(&mut self, generation: Number, grace: Option<u64>) -> Result<Number, request::Error> {
        let grace = grace.map(Duration::from_secs);
        self.world.fleet.revoke(at(self.world.now), &secret(NAME), generation, grace)
    }

    fn progress(&self) -> Progress {
        self.world.fleet.revocation(at(self.world.now), &secret(NAME)).unwrap().unwrap()
    }

    fn phase(&self) -> Phase {
        self.progress().phase
    }

    fn numbers(&self) -> Vec<Number> {
        self.present.iter().map(|generation| generation.number).collect()
    }

    /// What the secret-writer and the token-issuer do, up to where they crash.
    fn carry_out(&mut self, order: &Order, crash: Option<Crash>) -> Option<Answer> {
        if crash == Some(Crash::Ordered) {
            return None;
        }
        if order.reason == Reason::GenerationLeft {
            let keep = bound_to(&self.record).unwrap();
            assert!(self.numbers().contains(&keep), "what is kept is there");
            let before = self.present.len();
            let goes = |number| number < keep && number <= order.generation;
            self.present.retain(|generation| !goes(generation.number));
            let refused = self.old_token_at_hand && self.present.len() < before;
            let answer = Answer { record: self.record.clone(), old_token_refused: refused };
            return crash.is_none().then_some(answer);
        }
        if order.reason == Reason::GraceShortened {
            let note = self.record.issued.as_mut().unwrap();
            let noted =
                note.generation.take().unwrap().with(at(self.world.now), order.ends.clone());
            note.generation = Some(Box::new(noted));
            self.record.digest =
                Digest::received(format!("{} {:?}", self.record.digest, order.ends));
            let answer = Answer { record: self.record.clone(), old_token_refused: false };
            return crash.is_none().then_some(answer);
        }
        let newest = self.present.last().map_or(0, |newest| newest.number);
        let number = order.generation.max(newest).max(1);
        if number > newest {
            self.present.push(generation(number, order.grace, self.world.now));
        }
        self.tokens += 1;
        if crash == Some(Crash::InShoot) {
            return None;
        }
        let now = self.world.now;
        let before = self.record.issued.as_ref().and_then(|note| note.generation.as_ref());
        let (older_until, mut ends) = match before {
            Some(before) if before.number == number => (before.older_until, before.ends(None)),
            before => (
                order.grace.and_then(|grace| at(now).checked_add(grace).ok()),
                before.map(|before| before.ends(None)).unwrap_or_default(),
            ),
        };
        ends.merge(&order.ends);
        let mut record = bound(&written(&self.record, now, order.reason), number, older_until);
        let note = record.issued.as_mut().unwrap();
        note.generation =
            note.generation.take().map(|noted| Box::new(noted.with(at(now), ends.clone())));
        self.record = record;
        let answer = Answer { record: self.record.clone(), old_token_refused: false };
        crash.is_none().then_some(answer)
    }

    /// Lets time pass to that second, and everything happen that is ordered.
    fn run_to(&mut self, end: i64) {
        while self.world.now < end {
            let now = self.world.now + 1;
            for order in self.world.tick_at(now) {
                let answer = self.carry_out(&order, None).unwrap();
                let (secret, attempt) = (&order.secret, order.attempt);
                self.world.fleet.finished(at(now), secret, attempt, Ok(answer)).unwrap();
                self.show();
            }
        }
    }

    /// The first order up to that second.
    fn order(&mut self, end: i64) -> Order {
        let order = self.world.next_order(end);
        order.unwrap_or_else(|| panic!("no order; {:?}", self.progress())).1
    }

    /// Ends an attempt whose service crashed.
    fn lose(&mut self, order: &Order) {
        self.world.end(order, Err(fault(Kind::TimedOut)));
    }
}
