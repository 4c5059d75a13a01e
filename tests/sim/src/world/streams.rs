//! What the scheduler hears: records from the secret-writer, looks at shoots from the token-issuer.

use perennial_core::record::Record;
use perennial_fleet::feed::Event;

use super::{What, World};
use crate::{
    issuer::{LOOK_LIMIT, Looked},
    time::{MINUTE, Ms, SECOND},
    trace::Step,
};

/// Longest pause before a stream is opened again.
const REOPEN_MAX: Ms = 5 * SECOND;

impl World {
    fn record_for_stream(&self, secret: usize, as_of: Ms) -> Record {
        let standing = &self.seed.secrets[secret];
        let seen = match as_of < standing.written {
            true => standing.as_of(as_of), // it was sent before that was written
            false => self.writer.sees(secret, standing),
        };
        Record { memory: self.writer.memory(secret, seen), ..seen.clone() }
    }

    /// A record has changed in the secret-writer, and goes out by its stream.
    pub(super) fn tell_record(&mut self, secret: usize) {
        if !self.scheduler.records.0 || !self.links.scheduler_to_writer {
            return; // the next whole set has it
        }
        let at = self.links.last_record.max(self.now + self.links.lag);
        self.links.last_record = at;
        let stream = self.scheduler.records.1;
        self.agenda.put(at, What::Shown { secret, as_of: self.now, stream });
    }

    pub(super) fn show(&mut self, secret: usize, as_of: Ms, stream: u32) {
        if !self.scheduler.is_up || self.scheduler.records != (true, stream) {
            return;
        }
        self.trace.of_secret(self.now, secret, Step::Shown, as_of);
        let record = self.record_for_stream(secret, as_of);
        self.scheduler.hear_of_record(self.now, Event::Upsert(record));
    }

    pub(super) fn open_records(&mut self) {
        let is_possible =
            self.scheduler.is_up && self.writer.is_up && self.links.scheduler_to_writer;
        if !is_possible || self.scheduler.records.0 {
            return; // whatever hinders it opens it when that ends
        }
        let records: Vec<_> =
            (0..self.town.secrets.len()).map(|s| self.record_for_stream(s, self.now)).collect();
        self.scheduler.hear_all_records(self.now, records.into_iter());
        self.links.last_record = self.now;
    }

    pub(super) fn open_shoots(&mut self) {
        let is_possible =
            self.scheduler.is_up && self.issuer.is_up && self.links.scheduler_to_issuer;
        if !is_possible || self.scheduler.hears_shoots {
            return;
        }
        let says = |(number, home): (usize, &crate::town::Home)| self.issuer.says(number, &home.id);
        let statuses: Vec<_> = self.town.shoots.iter().enumerate().map(says).collect();
        self.scheduler.hear_all_shoots(self.now, self.issuer.ahead, statuses.into_iter());
    }

    /// Both streams are tried again soon.
    pub(super) fn reopen(&mut self) {
        let (first, second) =
            (self.draw.between(200, REOPEN_MAX), self.draw.between(200, REOPEN_MAX));
        self.agenda.put(self.now + first, What::OpenRecords);
        self.agenda.put(self.now + second, What::OpenShoots);
    }

    /// A clock was set: where the token-issuer's messages show it, its stream is opened anew.
    pub(super) fn compare_clocks(&mut self) {
        if self.scheduler.hears_shoots && self.scheduler.notices_clocks(self.issuer.ahead) {
            self.scheduler.lose_shoots(self.now);
            self.reopen();
        }
    }

    pub(super) fn look_at_all(&mut self) {
        for shoot in 0..self.town.shoots.len() {
            let after = self.draw.between(0, 2 * SECOND);
            self.agenda.put(self.now + after, What::Look(shoot, self.issuer.epoch));
        }
    }

    pub(super) fn look_soon(&mut self, shoot: usize) {
        let at = self.issuer.look_soon(self.now, shoot);
        if self.issuer.reaches(shoot) {
            self.agenda.put(at, What::Look(shoot, self.issuer.epoch));
        }
    }

    /// Something has changed at a shoot: the next look shows it.
    pub(super) fn look_in_turn(&mut self, shoot: usize) {
        let at = self.issuer.next_look(self.now, shoot);
        self.agenda.put(at, What::Look(shoot, self.issuer.epoch));
    }

    pub(super) fn look(&mut self, shoot: usize, issuer: u32) {
        if !self.issuer.is_up || issuer != self.issuer.epoch {
            return;
        }
        match self.issuer.look(self.now, shoot, &self.shoots[shoot]) {
            Looked::Waits => {
                self.agenda.put(self.now + LOOK_LIMIT, What::LookEnds(shoot, issuer));
                return;
            }
            Looked::News => self.tell_shoot(shoot),
            Looked::Same => {}
        }
        if self.issuer.looks_again(shoot) {
            self.agenda.put(self.now + MINUTE, What::Look(shoot, issuer));
        }
    }

    pub(super) fn look_ends(&mut self, shoot: usize, issuer: u32) {
        if !self.issuer.is_up || issuer != self.issuer.epoch {
            return;
        }
        if self.issuer.failed(self.now, shoot) == Looked::News {
            self.tell_shoot(shoot);
        }
        if self.shoots[shoot].health.answers() {
            self.look_in_turn(shoot); // it came back during the look
        }
    }

    fn tell_shoot(&mut self, shoot: usize) {
        let reaches = i64::from(self.issuer.reaches(shoot));
        self.trace.of_world(self.now, shoot as u64, Step::Looked, reaches);
        if self.scheduler.is_up && self.scheduler.hears_shoots && self.links.scheduler_to_issuer {
            let status = self.issuer.says(shoot, &self.town.shoots[shoot].id);
            self.scheduler.hear_of_shoot(self.now, shoot, status);
        }
    }

    /// The watch of the secret-writer has caught up, and shows what it had not.
    pub(super) fn catch_up(&mut self, writer: u32) {
        if writer != self.writer.epoch || !self.writer.is_up {
            return;
        }
        let view = self.writer.view;
        self.writer.catch_up();
        for secret in 0..self.town.secrets.len() {
            if self.seed.secrets[secret].written > view {
                self.tell_record(secret);
            }
        }
    }
}
