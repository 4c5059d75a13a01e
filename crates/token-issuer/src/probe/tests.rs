use perennial_core::shoot::Credential;
use perennial_kube::shoot_secrets::{RereadQueue, Which, rereads};
use perennial_process::{ready::Readiness, supervise::Supervisor};
use prometheus_client::registry::Registry;

use super::*;
use crate::fakes::{HERE, World, shoot, status, token_at};

mod hibernation;

const GRACE: Duration = Duration::from_secs(1);

/// A prober that runs under paused time; the wall clock is moved along by [`Lab::pass`].
struct Lab {
    world: World,
    directory: Arc<Directory>,
    probes: Arc<Probes>,
    readiness: Readiness,
    supervisor: Supervisor,
    _queue: RereadQueue,
}

impl Lab {
    fn with(world: World, directory: Arc<Directory>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(world.set().clock.clone());
        let probes = Arc::new(Probes::new(Duration::from_secs(60), clock));
        let (readiness, supervisor) = (Readiness::new(), Supervisor::new(GRACE));
        let (rereads, queue) = rereads();
        let prober = Prober {
            probes: Arc::clone(&probes),
            directory: Arc::clone(&directory),
            in_flight_max: 2,
            gate: readiness.gate("first look at each shoot"),
            metrics: Metrics::register(&mut Registry::default()),
            rereads,
        };
        for listed in directory.list() {
            probes.changed(&listed.status.shoot);
        }
        let shutdown = supervisor.shutdown();
        supervisor.tasks().spawn("probes", async move {
            prober.run(shutdown).await;
            Ok(())
        });
        Self { world, directory, probes, readiness, supervisor, _queue: queue }
    }

    fn new() -> Self {
        let world = World::new();
        let directory = world.directory();
        Self::with(world, directory)
    }

    /// Lets time pass, tick by tick.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds * 4 {
            self.world.set().clock.advance(TICK);
            time::sleep(TICK).await;
        }
    }

    fn status(&self) -> ShootStatus {
        status(&self.directory, &shoot(1))
    }

    async fn stop(self) {
        self.supervisor.run_until(std::future::ready(())).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_tells_reach_credential_keys_and_clock() {
    let lab = Lab::new();
    lab.world.set().clock_offset = -90;
    lab.pass(1).await;
    let seen = lab.status();
    assert_eq!((seen.reach, seen.credential), (Reach::Reachable, Credential::Own));
    assert_eq!(seen.key_ids, ["key-1"]);
    assert_eq!(seen.clock_offset.map(|offset| offset.as_secs()), Some(-90));
    assert_eq!(seen.detail, "");
    assert_eq!(lab.world.calls(), ["own: probe"]);
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn each_shoot_costs_one_call_in_an_interval() {
    let lab = Lab::new();
    lab.pass(61).await;
    lab.world.calls();
    lab.pass(600).await;
    assert_eq!(lab.world.calls().len(), 10);
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_bootstrap_credential_is_found_and_left_again() {
    let lab = Lab::new();
    lab.world.set().known.remove("own");
    lab.pass(1).await;
    assert_eq!(lab.status().credential, Credential::Bootstrap);
    lab.world.set().known.insert("own".to_owned());
    lab.pass(60).await;
    assert_eq!(lab.status().credential, Credential::Own);
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn c_a_shoot_that_is_away_and_comes_back_is_noticed_within_30_s() {
    let lab = Lab::new();
    lab.pass(1).await;
    lab.world.set().up.clear();
    lab.probes.soon(&shoot(1));
    lab.pass(300).await;
    let away = lab.status();
    assert_eq!((away.reach, away.credential), (Reach::Unreachable, Credential::None));
    assert!(away.detail.contains("https://here:6443 does not answer"), "{}", away.detail);

    lab.world.set().up.insert(HERE);
    lab.pass(30).await;
    assert_eq!(lab.status().reach, Reach::Reachable);
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn f_where_no_credential_is_taken_it_says_what_to_do() {
    let lab = Lab::new();
    lab.world.set().known.clear();
    lab.pass(1).await;
    let seen = lab.status();
    assert_eq!((seen.reach, seen.credential), (Reach::Refused, Credential::None));
    assert!(
        seen.detail.ends_with(
            "; put a kubeconfig with a valid credential into shoot-bootstrap-token-issuer"
        ),
        "{}",
        seen.detail
    );

    lab.world.set().known.insert("bootstrap-2".to_owned());
    let renewed = crate::fakes::certificate_at(HERE, "bootstrap-2");
    lab.directory.upsert(&shoot(1), Which::Bootstrap, &Ok(renewed));
    lab.probes.changed(&shoot(1));
    lab.pass(1).await;
    assert_eq!(lab.status().credential, Credential::Bootstrap, "healed without a restart");
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_shoot_that_hides_its_key_set_is_reached_all_the_same() {
    let lab = Lab::new();
    lab.world.set().forbidden = ["own".to_owned(), "bootstrap".to_owned()].into();
    lab.pass(1).await;
    let seen = lab.status();
    assert_eq!((seen.reach, seen.credential), (Reach::Reachable, Credential::Own));
    assert!(seen.detail.contains("system:service-account-issuer-discovery"), "{}", seen.detail);
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn f_an_own_credential_without_grants_is_not_taken_up_before_it_may_work() {
    let lab = Lab::new();
    lab.pass(1).await;
    lab.world.set().up.clear();
    lab.probes.soon(&shoot(1));
    lab.pass(2).await;
    lab.world.set().up.insert(HERE);
    lab.world.set().forbidden.insert("own".to_owned());
    lab.pass(30).await;
    assert_eq!(lab.status().credential, Credential::Bootstrap);

    // Its key set is shown again, but it may not create tokens: that comes only later.
    lab.world.set().forbidden.clear();
    lab.world.set().proofs_denied = 1;
    lab.probes.changed(&shoot(1));
    lab.pass(1).await;
    assert_eq!(lab.status().credential, Credential::Bootstrap);
    lab.probes.changed(&shoot(1));
    lab.pass(1).await;
    assert_eq!(lab.status().credential, Credential::Own);
    assert_eq!(lab.status().own_refused, None, "it was known all the time");
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_shoot_does_not_keep_the_process_unready() {
    let world = World::new();
    let directory = world.empty_directory();
    for number in 1..=5 {
        directory.upsert(&shoot(number), Which::Own, &Ok(token_at(HERE, "own")));
    }
    world.set().hangs = true;
    let lab = Lab::with(world, directory);
    lab.pass(9).await;
    assert_eq!(lab.world.calls().len(), 2, "no more at once than the limit admits");
    lab.directory.complete();
    assert!(!lab.readiness.is_ready());

    lab.pass(25).await; // five shoots, two at once, 10 s each
    assert!(lab.readiness.is_ready());
    assert_eq!(lab.status().reach, Reach::Unreachable);
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_any_shoot_the_process_is_ready_once_the_first_lists_are_in() {
    let world = World::new();
    let directory = world.empty_directory();
    let lab = Lab::with(world, directory);
    lab.pass(1).await;
    assert!(!lab.readiness.is_ready());
    lab.directory.complete();
    lab.pass(1).await;
    assert!(lab.readiness.is_ready());
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn c_a_key_that_left_is_told_and_that_the_set_is_settled_with_the_third_look() {
    let lab = Lab::new();
    let show = |keys: &[&str]| {
        lab.world.set().key_ids = keys.iter().map(|&key| key.to_owned()).collect();
    };
    show(&["key-1", "key-2"]);
    lab.pass(61).await;
    show(&["key-2"]);
    lab.pass(60).await;
    let history = lab.status().key_history;
    assert_eq!((history.retired, history.settled_since), (vec!["key-1".to_owned()], None));
    lab.pass(60).await;
    assert_eq!(lab.status().key_history.settled_since, None, "two looks");
    lab.pass(61).await;
    let settled = lab.status().key_history.settled_since.unwrap();
    assert!(settled.as_second() - crate::fakes::NOON > 60, "the first look without it");
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn b12_a_key_set_that_flips_between_replicas_never_settles() {
    let lab = Lab::new();
    for round in 0..20 {
        let keys: &[&str] = if round % 2 == 0 { &["key-1", "key-2"] } else { &["key-2"] };
        lab.world.set().key_ids = keys.iter().map(|&key| key.to_owned()).collect();
        lab.pass(90).await;
        assert_eq!(lab.status().key_history.settled_since, None);
    }
    lab.stop().await;
}
