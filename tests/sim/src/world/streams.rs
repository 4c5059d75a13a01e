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

    /// A record has changed in the secret-writer, and goes out by its streams.
    pub(super) fn tell_record(&mut self, secret: usize) {
        let (now, lag) = (self.now, self.links.lag);
        for (replica, scheduler) in self.schedulers.iter_mut().enumerate() {
            if !scheduler.records.0 || !scheduler.reaches.writer {
                continue; // the next whole set has it
            }
            scheduler.last_record = scheduler.last_record.max(now + lag);
            let (at, stream) = (scheduler.last_record, scheduler.records.1);
            self.agenda.put(at, What::Shown { replica, secret, as_of: now, stream });
        }
    }

    pub(super) fn show(&mut self, replica: usize, secret: usize, as_of: Ms, stream: u32) {
        let scheduler = &self.schedulers[replica];
        if !scheduler.is_up || scheduler.records != (true, stream) {
            return;
        }
        self.trace.of_secret(self.now, secret, Step::Shown, as_of);
        let record = self.record_for_stream(secret, as_of);
        self.schedulers[replica].hear_of_record(self.now, Event::Upsert(record));
    }

    pub(super) fn open_records(&mut self, replica: usize) {
        let scheduler = &self.schedulers[replica];
        let is_possible = scheduler.is_up && self.writer.is_up && scheduler.reaches.writer;
        if !is_possible || scheduler.records.0 {
            return; // whatever hinders it opens it when that ends
        }
        let records: Vec<_> =
            (0..self.town.secrets.len()).map(|s| self.record_for_stream(s, self.now)).collect();
        let scheduler = &mut self.schedulers[replica];
        scheduler.hear_all_records(self.now, records.into_iter());
        scheduler.last_record = self.now;
    }

    pub(super) fn open_shoots(&mut self, replica: usize) {
        let scheduler = &self.schedulers[replica];
        let is_possible = scheduler.is_up && self.issuer.is_up && scheduler.reaches.issuer;
        if !is_possible || scheduler.hears_shoots {
            return;
        }
        let says = |(number, home): (usize, &crate::town::Home)| self.issuer.says(number, &home.id);
        let statuses: Vec<_> = self.town.shoots.iter().enumerate().map(says).collect();
        let scheduler = &mut self.schedulers[replica];
        scheduler.hear_all_shoots(self.now, self.issuer.ahead, statuses.into_iter());
    }

    /// Both streams are tried again soon.
    pub(super) fn reopen(&mut self, replica: usize) {
        let (first, second) =
            (self.draw.between(200, REOPEN_MAX), self.draw.between(200, REOPEN_MAX));
        self.agenda.put(self.now + first, What::OpenRecords(replica));
        self.agenda.put(self.now + second, What::OpenShoots(replica));
    }

    /// A clock was set: where the token-issuer's messages show it, its stream is opened anew.
    pub(super) fn compare_clocks(&mut self, replica: usize) {
        let scheduler = &self.schedulers[replica];
        if scheduler.hears_shoots && scheduler.notices_clocks(self.issuer.ahead) {
            self.lose_shoots(replica);
            self.reopen(replica);
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
        for replica in self.all_replicas() {
            let scheduler = &self.schedulers[replica];
            if scheduler.is_up && scheduler.hears_shoots && scheduler.reaches.issuer {
                let status = self.issuer.says(shoot, &self.town.shoots[shoot].id);
                self.tell_status(replica, shoot, status);
            }
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
