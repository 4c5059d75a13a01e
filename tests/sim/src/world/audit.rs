//! What is asked of every Secret: has its token expired, and is it known when it is late.

use jiff::Timestamp;
use perennial_core::{
    invariants::{every_overdue_secret_is_known_to_be_overdue, no_expired_second},
    record::Stamp,
};

use super::{AUDIT_INTERVAL, Broke, What, World};
use crate::time::{HOUR, Ms, SECOND, stamp, true_moment};

/// Every so many audits it is asked whether who is late is known to be late: that counts everybody.
const COUNTED_EVERY: Ms = 12;
/// A Secret counts as overdue when it is late by so much: 5 s of grace by the fleet's own rule, and
/// what two clocks may differ by.
const SURELY_OVERDUE: Ms = 90 * SECOND;

impl World {
    /// The token of a Secret goes, and was it any good until now?
    pub(super) fn replace(&mut self, secret: usize) -> Result<(), Broke> {
        let tenant = &self.town.secrets[secret];
        let shoot = &self.shoots[tenant.shoot];
        let Some(claims) = self.seed.secrets[secret].record.held.claims() else { return Ok(()) };
        let expired = self.now - true_moment(claims.expires_at, shoot.ahead);
        if self.now <= shoot.excused_until {
            self.excused_expired += expired.max(0);
            return Ok(());
        }
        no_expired_second(claims, stamp(self.now, shoot.ahead)).map_err(|broken| (secret, broken))
    }

    /// Looks at everybody.
    pub(super) fn audit(&mut self) -> Result<(), Broke> {
        self.agenda.put(self.now + AUDIT_INTERVAL, What::Audit);
        for (secret, tenant) in self.town.secrets.iter().enumerate() {
            let shoot = &self.shoots[tenant.shoot];
            let claims = self.seed.secrets[secret].record.held.claims();
            let Some(claims) = claims.filter(|_| self.now > shoot.excused_until) else { continue };
            no_expired_second(claims, stamp(self.now, shoot.ahead))
                .map_err(|broken| (secret, broken))?;
        }
        if (self.now / HOUR) % COUNTED_EVERY == 0 {
            return self.audit_overdue();
        }
        Ok(())
    }

    /// Where the scheduler hears all, it knows who is late.
    pub(super) fn audit_overdue(&mut self) -> Result<(), Broke> {
        let hears = self.links.lag < SECOND && self.writer.view == Ms::MAX;
        let hear = self.schedulers.iter().filter(|scheduler| {
            hears && scheduler.runs() && scheduler.records.0 && scheduler.hears_shoots
        });
        let known = hear.map(|scheduler| scheduler.fleet.stats(scheduler.now(self.now)).overdue);
        let Some(known) = known.min() else { return Ok(()) };
        let is_overdue = |secret: usize| {
            let Stamp::At(latest) = self.seed.secrets[secret].record.stamp else { return false };
            let ahead = self.shoots[self.town.secrets[secret].shoot].ahead;
            let now: Timestamp = stamp(self.now - SURELY_OVERDUE, ahead);
            latest < now
        };
        let mut overdue = (0..self.town.secrets.len()).filter(|secret| is_overdue(*secret));
        let (first, more) = (overdue.next(), overdue.count());
        self.overdue_most = self.overdue_most.max(known);
        let Some(first) = first else { return Ok(()) };
        every_overdue_secret_is_known_to_be_overdue(more + 1, known)
            .map_err(|broken| (first, broken))
    }
}
