//! When there is something to do again, if nothing is heard meanwhile.
//!
//! The engine looks at the clock on a short beat and needs none of this. A simulation does: it skips
//! the beats at which a tick could do nothing, and a year has 158 million of them.

use jiff::Timestamp;
use perennial_core::shoot::ShootId;

use super::{
    Fleet,
    take::{HeldBack, SWEEP_INTERVAL},
};

impl Fleet {
    /// The earliest moment, not before `now`, at which [`Fleet::tick`] could do something if nothing
    /// is heard before, on a clock that runs on; `None` where only an event can bring something. To
    /// be asked after a tick.
    #[must_use]
    pub fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.has_revocations() || self.has_campaigns() {
            return Some(now); // they are looked at with every tick
        }
        let held_back = match self.held_back(now) {
            None => None,
            Some(HeldBack::WriterAway(_)) => self.writer.as_ref().map(|away| away.pause.until),
            Some(_) => return None,
        };
        let ready = match self.queue.ready_len() {
            0 => None,
            _ => self.ready_again_at(now),
        };
        let next = [self.queue.next_at(), ready, self.outages.next_probe_at(), held_back];
        let first = next.into_iter().chain([self.next_pause_end(now)]).flatten().min();
        // While all is held back, what falls due waits for the end of that.
        first.max(held_back.filter(|_| first.is_some())).map(|moment| moment.max(now))
    }

    /// When something that is ready may be taken, or is judged anew.
    fn ready_again_at(&self, now: Timestamp) -> Option<Timestamp> {
        let sweep = self.swept.saturating_add(SWEEP_INTERVAL).ok();
        // A rate, or calls that are about to hang: both pass by themselves, and soon.
        let taken = if self.admits(now) {
            let shoots = self.queue.shoots_ready();
            shoots.filter_map(|shoot| self.taken_again_at(now, shoot)).min()
        } else {
            Some(now)
        };
        sweep.into_iter().chain(taken).min()
    }

    /// When a shoot may be served again, where only time keeps it from that.
    fn taken_again_at(&self, now: Timestamp, shoot: &ShootId) -> Option<Timestamp> {
        let member = self.members.shoot(shoot)?;
        if self.pause_of(shoot).is_some() {
            return None; // the end of a pause counts whatever is ready
        }
        let paused = member.pause.filter(|pause| pause.holds(now)).map(|pause| pause.until);
        if paused.is_some() {
            return paused;
        }
        if !self.outages.admits(now, shoot) {
            return self.outages.admits_again_at(shoot);
        }
        let most = self.most_of_shoot();
        let by_rate = !member.gate.rate.admits(now, most.per_second);
        (by_rate || member.admits(now, most)).then_some(now)
    }
}
