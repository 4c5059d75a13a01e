//! What the token-issuer counts, as `perennial_token_issuer_…`.

use std::{
    fmt::{self, Debug},
    sync::Arc,
    time::Duration,
};

use perennial_core::shoot::{Credential, Reach};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{
        MetricType,
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use crate::{directory::Listed, issue::Issuer};

type Outcome = [(&'static str, &'static str); 1];

/// The counters. Clones are the same ones.
#[derive(Clone, Debug)]
pub struct Metrics {
    issues: Family<Outcome, Counter>,
    issue_seconds: Histogram,
    accounts_created: Counter,
    probes: Family<Outcome, Counter>,
    /// Secrets of the fixed names outside of the namespaces that may hold a shoot.
    pub ignored: Gauge,
}

impl Metrics {
    /// Registers the counters.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let this = Self {
            issues: Family::default(),
            // 5 ms, doubling to 20 s; an issue is cut at 25 s.
            issue_seconds: Histogram::new(exponential_buckets(0.005, 2.0, 13)),
            accounts_created: Counter::default(),
            probes: Family::default(),
            ignored: Gauge::default(),
        };
        let ours = registry.sub_registry_with_prefix(PREFIX);
        let help = "Answers to IssueToken, by outcome (ok, or the kind of the failure)";
        ours.register("issues", help, this.issues.clone());
        let help = "Time of an IssueToken, in seconds";
        ours.register("issue_duration_seconds", help, this.issue_seconds.clone());
        let help = "ServiceAccounts that were missing in a shoot and were made";
        ours.register("accounts_created", help, this.accounts_created.clone());
        let help = "Looks at shoots, by outcome (reached, not_reached)";
        ours.register("probes", help, this.probes.clone());
        let help = "Secrets that would tell of a shoot, in namespaces that --shoot-namespace does not \
                    admit";
        ours.register("shoot_secrets_ignored", help, this.ignored.clone());
        this
    }

    /// An IssueToken was answered: `ok` or the kind of the failure.
    pub fn issued(&self, outcome: &'static str, took: Duration) {
        self.issues.get_or_create(&[("outcome", outcome)]).inc();
        self.issue_seconds.observe(took.as_secs_f64());
    }

    /// A ServiceAccount was made.
    pub fn account_created(&self) {
        self.accounts_created.inc();
    }

    /// A look at a shoot ended.
    pub fn probed(&self, reached: bool) {
        let outcome = if reached { "reached" } else { "not_reached" };
        self.probes.get_or_create(&[("outcome", outcome)]).inc();
    }
}

/// Of every metric.
pub const PREFIX: &str = "perennial_token_issuer";

/// Registers what is read off the state whenever somebody looks.
pub fn register_state(registry: &mut Registry, issuer: Arc<Issuer>) {
    let ours = registry.sub_registry_with_prefix(PREFIX);
    ours.register_collector(Box::new(State(issuer)));
}

#[derive(Debug)]
struct State(Arc<Issuer>);

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let shoots = self.0.directory.list();
        let help = "Shoots that are known, by whether they are reached, or hibernate";
        let mut family = encoder.encode_descriptor("shoots", help, None, MetricType::Gauge)?;
        for (reach, name) in [
            (Reach::Unknown, "unknown"),
            (Reach::Reachable, "reachable"),
            (Reach::Unreachable, "unreachable"),
            (Reach::Refused, "refused"),
        ] {
            let awake = shoots.iter().filter(|listed| !listed.status.hibernated);
            let count = awake.filter(|listed| listed.status.reach == reach).count();
            let labels = [("reach", name)];
            gauge(count).encode(family.encode_family(&labels)?)?;
        }
        let hibernated = shoots.iter().filter(|listed| listed.status.hibernated).count();
        gauge(hibernated).encode(family.encode_family(&[("reach", "hibernated")])?)?;
        let help = "Shoots that are known, by the credential that is in use";
        let mut family =
            encoder.encode_descriptor("shoots_by_credential", help, None, MetricType::Gauge)?;
        for (credential, name) in [
            (Credential::None, "none"),
            (Credential::Bootstrap, "bootstrap"),
            (Credential::Own, "own"),
        ] {
            let in_use = |listed: &&Listed| listed.status.credential == credential;
            let labels = [("credential", name)];
            gauge(shoots.iter().filter(in_use).count()).encode(family.encode_family(&labels)?)?;
        }
        let help = "IssueTokens under way";
        let one = encoder.encode_descriptor("issues_in_flight", help, None, MetricType::Gauge)?;
        gauge(self.0.in_flight()).encode(one)?;
        let help = "Secrets whose last tokens are remembered against a storm";
        let name = "secrets_remembered";
        let one = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        gauge(self.0.storms.remembered()).encode(one)
    }
}

fn gauge(count: usize) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX))
}
