//! A scheduler and a secret-writer around one Secret, under a clock that a test moves.

use std::{sync::Arc, time::Duration};

use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    clock::Clock as _,
    decision::Policy,
    keys,
    name::SecretRef,
    record::Record,
    shoot::{Credential, Reach, ShootStatus},
    signing::{KeyPolls, WITHDRAWN_AFTER},
    window::BASIS_DEFAULT_SECONDS,
};
use perennial_fleet::{
    Fleet, Settings as FleetSettings,
    attempts::Fault,
    feed::{Event as FeedEvent, ShootEvent},
    order::Order,
    request,
};
use perennial_kube::access::Seen;
use perennial_rpc::status::to_status;
use perennial_scheduler::engine::remote::fault::of_status;
use perennial_secret_writer::{
    events::Reporter,
    metrics::Metrics,
    renew::{self, Doubt, Job, Means, Renewals, Settings},
    store::{Event, Store, Subscription},
};
use perennial_testing::clock::ManualClock;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;

use super::ground::{Object, Seed, Shoot, begin};

/// Orders and changes chase each other at most this often within one moment.
const ROUNDS_MAX: usize = 50;

/// What the watch of the secret-writer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// What is there.
    Live,
    /// What was there before the first token, again and again.
    Frozen,
    /// The same, as a new whole set each time.
    FrozenAndRestarting,
}

pub(super) struct World {
    clock: ManualClock,
    /// Half seconds since the begin, by the true time, which is the shoot's.
    half: i64,
    skew: i64,
    shows_clock: bool,
    key_ids: Vec<String>,
    key_polls: KeyPolls,
    shoot: Arc<Shoot>,
    seed: Arc<Seed>,
    first: Seen,
    watch: Watch,
    /// The version that the watch has shown.
    shown: u64,
    writer: Writer,
    fleet: Fleet,
}

/// A secret-writer without gRPC and watch.
struct Writer {
    store: Store,
    renewals: Renewals,
    jobs: mpsc::Receiver<Job>,
    stream: Subscription,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = ManualClock::at(begin());
        let shoot = Arc::new(Shoot::default());
        let seed = Arc::new(Seed::default());
        let first = seed.seen();
        let writer = Writer::start(&clock, &shoot, &seed);
        let (fleet, key_ids) = (fleet(), vec!["key-1".to_owned()]);
        let (watch, shows_clock) = (Watch::Live, true);
        let mut world = Self {
            clock,
            half: 0,
            skew: 0,
            shows_clock,
            key_ids,
            key_polls: KeyPolls::new(WITHDRAWN_AFTER),
            shoot,
            seed,
            first,
            watch,
            shown: 0,
            writer,
            fleet,
        };
        world.open_streams();
        world
    }

    pub(super) fn secret(&self) -> SecretRef {
        self.first.record.secret.clone()
    }

    /// Seconds since the begin at which tokens were issued.
    pub(super) fn issued(&self) -> Vec<i64> {
        self.shoot.lock().issued.clone()
    }

    pub(super) fn advance_to(&mut self, half: i64) {
        self.half = half;
        self.shoot.lock().now = half / 2;
        let now = begin() + SignedDuration::from_millis(half * 500);
        self.clock.set(now + SignedDuration::from_secs(self.skew));
    }

    /// Puts our clock so many seconds ahead of the shoot's.
    pub(super) fn skew(&mut self, seconds: i64) {
        self.skew = seconds;
        self.advance_to(self.half);
    }

    /// Whether the probe has seen the shoot's clock.
    pub(super) fn shows_its_clock(&mut self, yes: bool) {
        self.shows_clock = yes;
    }

    pub(super) fn shows_keys(&mut self, ids: &[&str]) {
        self.key_ids = ids.iter().map(|id| (*id).to_owned()).collect();
    }

    pub(super) fn watch(&mut self, watch: Watch) {
        self.watch = watch;
    }

    /// Whether the token that stands there, and its timestamp, are as we wrote them.
    pub(super) fn holds_ours(&self) -> bool {
        let object = self.seed.lock();
        object.ours.is_some()
            && object.token == object.ours
            && object.annotations.contains_key(keys::RENEW_TIMESTAMP)
    }

    /// What a stranger does.
    pub(super) fn edit(&self, change: impl FnOnce(&mut Object)) {
        let mut object = self.seed.lock();
        change(&mut object);
        object.version += 1;
    }

    /// What an operator does.
    pub(super) fn request(&mut self, secret: &SecretRef) -> Result<(), request::Error> {
        self.fleet.request(self.clock.now(), secret)
    }

    /// Scheduler and secret-writer are started anew and know what stands on the Secret.
    pub(super) fn restart(&mut self) {
        self.writer = Writer::start(&self.clock, &self.shoot, &self.seed);
        self.fleet = fleet();
        self.open_streams();
    }

    /// Lets everything happen that follows at this moment.
    pub(super) async fn settle(&mut self) {
        if self.half % (60 * 2) == 0 {
            self.key_polls.saw(&self.key_ids, self.clock.now());
        }
        self.tell_shoot(FeedEvent::Upsert(self.shoot_status()));
        for _ in 0..ROUNDS_MAX {
            self.show();
            self.stream();
            let orders = self.fleet.tick(self.clock.now());
            if orders.is_empty() {
                return;
            }
            for order in orders {
                self.carry_out(order).await;
            }
        }
        panic!("no rest after {ROUNDS_MAX} rounds at {} s: {:?}", self.half / 2, self.issued());
    }

    fn open_streams(&mut self) {
        self.tell_shoot(FeedEvent::Opened);
        self.tell_shoot(FeedEvent::Upsert(self.shoot_status()));
        self.tell_shoot(FeedEvent::Complete);
        self.fleet.hear_of_records(self.clock.now(), FeedEvent::Opened);
    }

    fn tell_shoot(&mut self, event: ShootEvent) {
        self.fleet.hear_of_shoots(self.clock.now(), 0, event);
    }

    fn shoot_status(&self) -> ShootStatus {
        ShootStatus {
            reach: Reach::Reachable,
            credential: Credential::Own,
            clock_offset: self.shows_clock.then(|| SignedDuration::from_secs(-self.skew)),
            key_ids: self.key_ids.clone(),
            key_history: self.key_polls.history(),
            ..ShootStatus::unseen(self.first.record.secret.namespace.clone())
        }
    }

    /// The watch.
    fn show(&mut self) {
        let store = &self.writer.store;
        let version = self.seed.lock().version;
        match self.watch {
            Watch::Live if self.shown == version => {}
            Watch::Live => store.upsert(self.seed.seen()),
            Watch::Frozen => store.upsert(self.first.clone()),
            Watch::FrozenAndRestarting => {
                store.begin_snapshot();
                store.upsert(self.first.clone());
                store.complete_snapshot();
            }
        }
        self.shown = version;
    }

    /// `WatchAccessSecrets`.
    fn stream(&mut self) {
        while let Some(event) = self.writer.stream.next().now_or_never() {
            let event = match event {
                Event::Upsert(seen) => FeedEvent::Upsert(seen.record.clone()),
                Event::Removed(secret) => FeedEvent::Removed(secret),
                Event::SnapshotComplete => FeedEvent::Complete,
            };
            self.fleet.hear_of_records(self.clock.now(), event);
        }
    }

    /// `RenewToken`.
    async fn carry_out(&mut self, order: Order) {
        let Order {
            attempt,
            secret,
            digest,
            reason,
            window,
            place,
            generation,
            grace,
            ends,
            unproved: _,
        } = order;
        let order = renew::Order {
            secret: secret.clone(),
            digest,
            reason,
            basis_seconds: BASIS_DEFAULT_SECONDS,
            window,
            place,
            generation,
            grace,
            ends,
            request_id: attempt.to_string(),
        };
        let outcome = self.writer.renew(order).await;
        let now = self.clock.now();
        self.fleet.finished(now, &secret, attempt, outcome).expect("the attempt is under way");
    }
}

impl Writer {
    fn start(clock: &ManualClock, shoot: &Arc<Shoot>, seed: &Arc<Seed>) -> Self {
        let metrics = Metrics::new(&mut Registry::default());
        let store = Store::new(Arc::new(clock.clone()));
        let (renewals, jobs) = Renewals::new(Means {
            store: store.clone(),
            issuer: shoot.clone(),
            writer: seed.clone(),
            clock: Arc::new(clock.clone()),
            reporter: Reporter::new(metrics.clone()).0,
            metrics,
            doubt: Doubt::default(),
            settings: Settings {
                interval_min: Duration::from_secs(180),
                in_flight_max: 8,
                audit: false,
            },
        });
        store.begin_snapshot();
        store.upsert(seed.seen());
        store.complete_snapshot();
        let stream = store.subscribe().expect("nobody else follows");
        Self { store, renewals, jobs, stream }
    }

    async fn renew(&mut self, order: renew::Order) -> Result<Record, Fault> {
        let renewal = self.renewals.renew(order);
        let mut renewal = std::pin::pin!(renewal);
        loop {
            tokio::select! {
                outcome = &mut renewal => {
                    return outcome
                        .map(|seen| seen.record)
                        .map_err(|error| of_status(to_status(&error)));
                }
                Some(job) = self.jobs.recv() => job.await,
            }
        }
    }
}

fn fleet() -> Fleet {
    let mut fleet = Fleet::new(FleetSettings {
        policy: Policy::default(),
        in_flight_max: 64,
        in_flight_per_shoot_max: 8,
        audit: false,
        own_secret: "shoot-access-token-issuer".parse().unwrap(),
        rate_max: 1_000.try_into().unwrap(),
        rate_per_shoot_max: 500.try_into().unwrap(),
        budget: Default::default(),
    });
    fleet.hear_of_stop(Timestamp::UNIX_EPOCH, None);
    fleet
}
