//! The limits as an operator sees them.

use jiff::Timestamp;
use perennial_core::{limits::Answer, shoot::ShootId};

use crate::Fleet;

/// What all shoots share.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Most orders under way at present, without those that hang.
    pub in_flight: usize,
    /// Most orders a second at present.
    pub per_second: f64,
    /// Orders under way that hang, and hold no place any more.
    pub hanging: usize,
    /// Shoots whose limits are below the most at present.
    pub shoots_slowed: usize,
}

/// The limits of one shoot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShootLimits {
    /// Most orders under way at present.
    pub limit_in_flight: usize,
    /// Orders under way.
    pub in_flight: usize,
    /// Most orders a second at present.
    pub rate: f64,
    /// Why they are below the most; empty where they are not.
    pub slowed_because: String,
}

impl Fleet {
    pub(crate) fn limits(&self, now: Timestamp) -> View {
        let (most, of_shoot, gate) = (self.most(), self.most_of_shoot(), &self.shared.gate);
        let slowed = self.members.shoots().filter(|member| {
            member.hanging > 0
                || member.gate.concurrency.slowed(of_shoot.in_flight).is_some()
                || member.gate.rate.per_second(now, of_shoot.per_second) < of_shoot.per_second
        });
        View {
            in_flight: gate.concurrency.limit(most.in_flight),
            per_second: gate.rate.per_second(now, most.per_second),
            hanging: self.shared.aside,
            shoots_slowed: slowed.count(),
        }
    }

    pub(crate) fn limits_of(&self, now: Timestamp, shoot: &ShootId) -> ShootLimits {
        let (most, member) = (self.most_of_shoot(), self.members.shoot(shoot));
        let Some(member) = member else { return ShootLimits::default() };
        let concurrency = member.gate.concurrency;
        let limit = concurrency.limit(most.in_flight);
        let rate = member.gate.rate.per_second(now, most.per_second);
        let slowed_because = match concurrency.slowed(most.in_flight) {
            _ if member.hanging > 0 => "a call to it hangs",
            Some(Answer::Throttled) => "it asked to slow down",
            Some(Answer::TimedOut) => "it did not answer in time",
            Some(Answer::Slow) => "it answers much slower than usual",
            Some(Answer::Quick) | None if rate < most.per_second => "it asked to slow down",
            Some(Answer::Quick) | None => "",
        };
        ShootLimits {
            limit_in_flight: if member.hanging > 0 { 1 } else { limit },
            in_flight: member.in_flight,
            rate,
            slowed_because: slowed_because.to_owned(),
        }
    }
}
