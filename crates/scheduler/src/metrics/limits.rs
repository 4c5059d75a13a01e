//! The limits at present, and what will not be done in time under them.

use std::sync::atomic::AtomicU64;

use perennial_core::foresight::Foreseen;
use perennial_fleet::limits::View;
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    in_flight: Gauge,
    rate: Gauge<f64, AtomicU64>,
    hanging: Gauge,
    shoots_slowed: Gauge,
    will_be_late: Gauge,
    will_expire: Gauge,
}

impl Limits {
    pub(super) fn register(&self, ours: &mut Registry) {
        let Self { in_flight, rate, hanging, shoots_slowed, will_be_late, will_expire } =
            self.clone();
        ours.register(
            "limit_in_flight",
            "Most renewals under way at present, without those that hang",
            in_flight,
        );
        ours.register("limit_rate", "Most renewals ordered a second at present", rate);
        ours.register(
            "hanging",
            "Renewals under way for much longer than usual, which hold no place of the others",
            hanging,
        );
        ours.register(
            "shoots_slowed",
            "Shoots that get fewer renewals than the flags allow, because of how they answer",
            shoots_slowed,
        );
        ours.register(
            "will_be_late",
            "Secrets that will pass their latest moment of renewal at the present rate",
            will_be_late,
        );
        ours.register(
            "will_expire",
            "Secrets whose token will expire before it is renewed at the present rate",
            will_expire,
        );
    }

    pub(super) fn show(&self, limits: &View, foreseen: Foreseen) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.in_flight.set(gauge(limits.in_flight));
        self.rate.set(limits.per_second);
        self.hanging.set(gauge(limits.hanging));
        self.shoots_slowed.set(gauge(limits.shoots_slowed));
        self.will_be_late.set(gauge(foreseen.late));
        self.will_expire.set(gauge(foreseen.expire));
    }
}
