//! What the scheduler counts. Labels are names of states, reasons and classes of failure, never
//! of Secrets.

use perennial_core::{failure::Kind, reason::Reason};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use self::limits::Limits;
use perennial_fleet::{attempts::Fault, outcome::Finished, schedule::State, stats::Stats};

mod budget;
mod limits;
mod sharing;

/// Bounds of lateness in seconds. A healthy fleet stays under one second: the beat of 200 ms and
/// one renewal.
const LATENESS_SECONDS: [f64; 11] =
    [0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0];

/// Of every metric.
pub const PREFIX: &str = "perennial_scheduler";

/// All metrics of the scheduler.
#[derive(Clone, Debug)]
pub struct Metrics {
    renewals: Family<RenewalLabels, Counter>,
    secrets: Family<StateLabels, Gauge>,
    in_flight: Gauge,
    ready: Gauge,
    overdue: Gauge,
    audit: Gauge,
    stopped: Gauge,
    switch_failures: Family<KindLabels, Counter>,
    keys_untold: Gauge,
    shoots_paused: Gauge,
    paused_overdue: Gauge,
    paused_expiring: Gauge,
    planned_next_hour: Gauge,
    lateness: Histogram,
    limits: Limits,
    outages: Family<ClassLabels, Gauge>,
    sharing: sharing::Metrics,
    budget: budget::Metrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RenewalLabels {
    result: &'static str,
    reason: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    class: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

impl Metrics {
    /// Registers all of them, `perennial_scheduler_…`.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            renewals: Family::default(),
            secrets: Family::default(),
            in_flight: Gauge::default(),
            ready: Gauge::default(),
            overdue: Gauge::default(),
            audit: Gauge::default(),
            stopped: Gauge::default(),
            switch_failures: Family::default(),
            keys_untold: Gauge::default(),
            shoots_paused: Gauge::default(),
            paused_overdue: Gauge::default(),
            paused_expiring: Gauge::default(),
            planned_next_hour: Gauge::default(),
            lateness: Histogram::new(LATENESS_SECONDS),
            limits: Limits::default(),
            outages: Family::default(),
            sharing: sharing::Metrics::default(),
            budget: budget::Metrics::default(),
        };
        let ours = registry.sub_registry_with_prefix(PREFIX);
        metrics.limits.register(ours);
        metrics.sharing.register(ours);
        metrics.budget.register(ours);
        let Self { renewals, secrets, in_flight, ready, overdue, .. } = metrics.clone();
        let Self { audit, stopped, switch_failures, keys_untold, lateness, .. } = metrics.clone();
        ours.register(
            "renewals",
            "Attempts that ended, by result (renewed, repaired or the class of the failure) and reason",
            renewals,
        );
        ours.register("secrets", "Access Secrets by state", secrets);
        ours.register("in_flight", "Renewals under way", in_flight);
        ours.register("ready", "Secrets that are due and wait for the limits", ready);
        ours.register(
            "outages",
            "What is away as a whole and so gets one order at a time, by class (seed, token_issuer, \
             shoot); shoots count whose probe says otherwise",
            metrics.outages.clone(),
        );
        ours.register("overdue", "Secrets past their latest moment of renewal", overdue);
        ours.register("audit", "1 in audit mode, where nothing is renewed, else 0", audit);
        ours.register(
            "stopped",
            "1 while the fleet is stopped and nothing is ordered, else 0",
            stopped,
        );
        ours.register(
            "switch_failures",
            "Times that the seed did not say whether the fleet is stopped, by class of the failure; what \
             it said last holds meanwhile",
            switch_failures,
        );
        ours.register(
            "signing_keys_untold",
            "Secrets whose token names a signing key that its shoot does not publish, where it cannot \
             be told whether it was withdrawn",
            keys_untold,
        );
        ours.register(
            "planned_renewals_next_hour",
            "Renewals that are planned for the next hour; see `perennial forecast`",
            metrics.planned_next_hour.clone(),
        );
        ours.register(
            "lateness_seconds",
            "From the planned moment to the written Secret, for renewals that fell due",
            lateness,
        );
        metrics.register_pauses(ours);
        metrics
    }

    fn register_pauses(&self, ours: &mut Registry) {
        let Self { shoots_paused, paused_overdue, paused_expiring, .. } = self.clone();
        ours.register(
            "shoots_paused",
            "Shoots that are paused, so that nothing is ordered for them",
            shoots_paused,
        );
        ours.register(
            "paused_overdue",
            "Secrets of paused shoots past their latest moment of renewal; overdue counts them too",
            paused_overdue,
        );
        ours.register(
            "paused_expiring",
            "Tokens of paused shoots that expire before the pause ends; within the hour where it has no \
             end",
            paused_expiring,
        );
    }

    pub(crate) fn finished(&self, finished: &Finished, fault: Option<&Fault>) {
        let done = if finished.reason.needs_token() { "renewed" } else { "repaired" };
        let result = fault.map_or(done, |fault| fault.kind.as_str());
        self.count(result, finished.reason);
        if let Some(lateness) = finished.lateness {
            self.lateness.observe(lateness.as_secs_f64());
        }
    }

    /// The seed did not say whether the fleet is stopped.
    pub(crate) fn switch_failed(&self, kind: Kind) {
        self.switch_failures.get_or_create(&KindLabels { kind: kind.as_str() }).inc();
    }

    fn count(&self, result: &'static str, reason: Reason) {
        let labels = RenewalLabels { result, reason: reason.as_str() };
        self.renewals.get_or_create(&labels).inc();
    }

    pub(crate) fn show(&self, stats: &Stats) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        for state in State::ALL {
            let count = stats.secrets.get(&state).copied().unwrap_or_default();
            let labels = StateLabels { state: state.as_str() };
            self.secrets.get_or_create(&labels).set(gauge(count));
        }
        self.in_flight.set(gauge(stats.in_flight));
        self.ready.set(gauge(stats.ready));
        self.overdue.set(gauge(stats.overdue));
        self.audit.set(i64::from(stats.audit));
        self.stopped.set(i64::from(stats.stopped));
        self.keys_untold.set(gauge(stats.keys_untold));
        self.limits.show(&stats.limits, stats.foreseen);
        for (class, count) in ["seed", "token_issuer", "shoot"].into_iter().zip(stats.outages) {
            self.outages.get_or_create(&ClassLabels { class }).set(gauge(count));
        }
        self.shoots_paused.set(gauge(stats.paused.shoots));
        self.paused_overdue.set(gauge(stats.paused.overdue));
        self.paused_expiring.set(gauge(stats.paused.expiring));
        self.planned_next_hour.set(gauge(stats.planned_next_hour));
        self.sharing.show(stats.sharing);
        self.budget.show(stats.budget.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use perennial_core::foresight::Foreseen;
    use perennial_fleet::{budget::Survival, limits::View, ownership::Sharing, pauses::PauseStats};

    use super::*;

    #[test]
    fn names_and_labels_are_those_of_the_documentation() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let lateness = Some(Duration::from_millis(300));
        let finished =
            Finished { reason: Reason::Due, took: Duration::ZERO, lateness, turns: Vec::new() };
        metrics.finished(&finished, None);
        metrics.switch_failed(Kind::Denied);
        let stats = Stats {
            outages: [1, 0, 2],
            overdue: 3,
            audit: true,
            keys_untold: 2,
            planned_next_hour: 5,
            budget: Some(Survival { least_seconds: Some(900), ..Survival::default() }),
            sharing: Sharing { members: 3, shoots: 40, is_known: true },
            ..Stats::default()
        };
        let foreseen = Foreseen { late: 7, expire: 4 };
        let limits = View { in_flight: 64, per_second: 250.5, hanging: 5, shoots_slowed: 2 };
        let paused = PauseStats { shoots: 4, overdue: 5, expiring: 6 };
        metrics.show(&Stats { stopped: true, foreseen, limits, paused, ..stats });
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
        for line in [
            r#"perennial_scheduler_renewals_total{result="renewed",reason="due"} 1"#,
            r#"perennial_scheduler_secrets{state="fresh"} 0"#,
            r#"perennial_scheduler_outages{class="seed"} 1"#,
            r#"perennial_scheduler_outages{class="shoot"} 2"#,
            "perennial_scheduler_in_flight 0",
            "perennial_scheduler_ready 0",
            "perennial_scheduler_overdue 3",
            "perennial_scheduler_audit 1",
            "perennial_scheduler_stopped 1",
            r#"perennial_scheduler_switch_failures_total{kind="denied"} 1"#,
            "perennial_scheduler_signing_keys_untold 2",
            "perennial_scheduler_will_be_late 7",
            "perennial_scheduler_will_expire 4",
            "perennial_scheduler_limit_in_flight 64",
            "perennial_scheduler_limit_rate 250.5",
            "perennial_scheduler_hanging 5",
            "perennial_scheduler_shoots_slowed 2",
            "perennial_scheduler_shoots_paused 4",
            "perennial_scheduler_paused_overdue 5",
            "perennial_scheduler_paused_expiring 6",
            "perennial_scheduler_planned_renewals_next_hour 5",
            "perennial_scheduler_members 3",
            r#"perennial_scheduler_budget_broken{reason="overdue"} 0"#,
            "perennial_scheduler_budget_least_seconds 900",
            "perennial_scheduler_shoots_served 40",
            "perennial_scheduler_members_known 1",
            r#"perennial_scheduler_lateness_seconds_bucket{le="0.5"} 1"#,
        ] {
            assert!(page.contains(line), "{line} is missing in\n{page}");
        }
    }
}
