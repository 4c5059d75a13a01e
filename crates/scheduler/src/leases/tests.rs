use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use perennial_core::failure::Kind;
use perennial_process::{ready::Readiness, supervise::Supervisor};
use perennial_testing::clock::ShiftedClock;

use super::*;

/// tokio's paused clock.
#[derive(Debug)]
struct Paused(time::Instant);

impl Paused {
    #[expect(clippy::disallowed_methods, reason = "a measure on tokio's paused clock")]
    fn new() -> Self {
        Self(time::Instant::now())
    }
}

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_000_000).unwrap() + self.0.elapsed()
    }
}

/// Leases as a seed keeps them: each write is another version.
#[derive(Debug, Default)]
struct Seed {
    leases: Mutex<(u64, BTreeMap<ReplicaName, u64>)>,
    is_away: AtomicBool,
}

impl Seed {
    fn write(&self, name: &str) {
        let mut leases = self.leases.lock().unwrap();
        leases.0 += 1;
        let version = leases.0;
        leases.1.insert(name.parse().unwrap(), version);
    }

    fn names(&self) -> Vec<String> {
        self.leases.lock().unwrap().1.keys().map(ToString::to_string).collect()
    }

    fn answer<T: Send + 'static>(&self, answer: T) -> BoxFuture<'static, Result<T, Error>> {
        let answer = match self.is_away.load(Ordering::Relaxed) {
            true => Err(Error::TimedOut { operation: "test".to_owned(), limit: CALL_MAX }),
            false => Ok(answer),
        };
        async { answer }.boxed()
    }
}

impl Leases for Seed {
    fn renew(&self, replica: &ReplicaName, _: Timestamp) -> BoxFuture<'static, Result<(), Error>> {
        if !self.is_away.load(Ordering::Relaxed) {
            self.write(replica.as_str());
        }
        self.answer(())
    }

    fn all(&self) -> BoxFuture<'static, Result<Vec<(ReplicaName, String)>, Error>> {
        let leases = self.leases.lock().unwrap();
        let all = leases.1.iter().map(|(name, version)| (name.clone(), version.to_string()));
        self.answer(all.collect())
    }

    fn delete(&self, replica: &ReplicaName) -> BoxFuture<'static, Result<(), Error>> {
        self.leases.lock().unwrap().1.remove(replica);
        self.answer(())
    }
}

struct World {
    seed: Arc<Seed>,
    clock: ShiftedClock,
    inputs: mpsc::Receiver<Input>,
    looks: Arc<Notify>,
    readiness: Readiness,
}

/// Plays `test` beside the task of replica `a`, in paused time, and gives back the seed as it is once
/// that has ended.
async fn beside<T: Future<Output = World>>(test: impl FnOnce(World) -> T) -> Arc<Seed> {
    let (seed, clock) = (Arc::new(Seed::default()), ShiftedClock::new(Arc::new(Paused::new())));
    let (sender, inputs) = mpsc::channel(64);
    let (looks, readiness) = (Arc::new(Notify::new()), Readiness::new());
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let keeper = Keeper {
        leases: Arc::clone(&seed) as Arc<dyn Leases>,
        me: "a".parse().unwrap(),
        clock: Arc::clone(&shared),
        inputs: sender,
        looks: Arc::clone(&looks),
        outage: Outage::new(readiness.gate("leases"), RIGHTS, shared),
    };
    let world = World { seed: Arc::clone(&seed), clock, inputs, looks, readiness };
    let supervisor = Supervisor::new(Duration::from_secs(5));
    let (tasks, keeping) = (supervisor.tasks(), keeper.keep(supervisor.shutdown()));
    tasks.spawn("leases", async move { Ok(keeping.await?) });
    let played = async { drop(test(world).await) };
    supervisor.run_until(played).await.unwrap();
    seed
}

impl World {
    async fn view(&mut self) -> perennial_core::membership::View {
        match self.inputs.recv().await.unwrap() {
            Input::Members { view, .. } => view,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_replica_serves_at_once_and_leaves_no_lease_behind() {
    let seed = beside(async |mut world: World| {
        let view = world.view().await;
        assert!(view.is_settled && view.live.len() == 1);
        assert!(world.readiness.is_ready());
        assert_eq!(world.seed.names(), ["a"]);
        world
    })
    .await;
    assert_eq!(seed.names(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn another_one_is_waited_for_and_counted_out_when_it_falls_silent() {
    beside(async |mut world: World| {
        world.seed.write("b");
        let mut settled_with_b = None;
        for beat in 0..20_u64 {
            let view = world.view().await;
            if view.live.len() == 2 && view.is_settled {
                settled_with_b.get_or_insert(2 * beat);
            }
            if view.live.len() == 1 {
                // Its last renewal was seen at 4 s.
                assert_eq!((settled_with_b, 2 * beat), (Some(6), 10));
                return world;
            }
            if beat == 1 {
                world.seed.write("b");
            }
        }
        panic!("b is live for ever");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn while_the_seed_is_away_nothing_is_told_for_as_long_as_a_lease_lives_and_then_that_it_is_lost()
 {
    beside(async |mut world: World| {
        let first = world.view().await;
        world.seed.is_away.store(true, Ordering::Relaxed);
        let before = world.clock.now();
        assert!(matches!(world.inputs.recv().await.unwrap(), Input::MembersLost));
        let silent = world.clock.now().duration_since(before).unsigned_abs();
        assert!((LIVE..LIVE + 2 * BEAT).contains(&silent), "{silent:?}");
        world.seed.is_away.store(false, Ordering::Relaxed);
        loop {
            match world.inputs.recv().await.unwrap() {
                Input::Members { view, .. } => break assert_eq!(view, first),
                Input::MembersLost => {}
                other => panic!("{other:?}"),
            }
        }
        world
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_stood_still_joins_anew_and_is_told_at_once() {
    beside(async |mut world: World| {
        world.seed.write("b");
        while !world.view().await.is_settled {
            world.seed.write("b");
        }
        world.clock.advance(LIVE);
        world.seed.write("b");
        let before = world.clock.now();
        world.looks.notify_one();
        let view = world.view().await;
        assert!(!view.is_settled && view.live.len() == 2);
        assert_eq!(world.clock.now(), before, "without waiting for the beat");
        world
    })
    .await;
}

#[test]
fn a_refusal_names_the_role() {
    assert!(RIGHTS.contains("scheduler-rbac.yaml"));
    let error = Error::TimedOut { operation: String::new(), limit: CALL_MAX };
    assert_eq!(perennial_core::failure::Failure::kind(&error), Kind::TimedOut);
}
