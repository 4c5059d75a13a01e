//! Which part of the fleet this replica serves.

use perennial_fleet::ownership::Sharing;
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    members: Gauge,
    shoots_served: Gauge,
    members_known: Gauge,
}

impl Metrics {
    pub(super) fn register(&self, ours: &mut Registry) {
        let Self { members, shoots_served, members_known } = self.clone();
        ours.register("members", "Live replicas of the scheduler, as this one sees them", members);
        ours.register(
            "shoots_served",
            "Shoots with access Secrets that this replica serves; the sum over all replicas is the \
             number of shoots",
            shoots_served,
        );
        ours.register(
            "members_known",
            "1 while the Leases of the replicas are read, 0 while what was read last holds on",
            members_known,
        );
    }

    pub(super) fn show(&self, Sharing { members, shoots, is_known }: Sharing) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.members.set(gauge(members));
        self.shoots_served.set(gauge(shoots));
        self.members_known.set(i64::from(is_known));
    }
}
