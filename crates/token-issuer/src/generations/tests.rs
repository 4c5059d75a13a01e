use std::time::Duration;

use perennial_process::supervise::Supervisor;
use tokio::{sync::mpsc::UnboundedSender, time};

use super::*;
use crate::{
    directory::Purpose,
    fakes::{
        World,
        generations::{family, generation},
        refused, shoot,
    },
    follow::Follower,
    probe::Probes,
    shoot::generations::GenerationChange,
};

impl Generations {
    /// As if a list had said so.
    pub(crate) fn listed_for_tests(
        &self,
        shoot: &ShootId,
        family: &Family,
        found: &[SeenGeneration],
    ) {
        self.listed(&place(shoot, family), found, self.clock.now());
    }
}

/// A shoot that is reached, in which a family is observed; its watch is in the hands of the test.
/// Time is paused: whatever can happen has happened when [`Lab::settle`] is back.
struct Lab {
    world: World,
    generations: Arc<Generations>,
    _supervisor: Supervisor,
}

impl Lab {
    async fn new() -> Self {
        let world = World::new();
        let (directory, clock) = (world.directory(), world.set().clock.clone());
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let generations = Arc::new(Generations::new(Arc::clone(&clock)));
        let probes = Arc::new(Probes::new(Duration::from_secs(60), Arc::clone(&clock)));
        let metrics = Metrics::default();
        let watches = metrics.watches.clone();
        let what = Arc::new(GenerationWatch::new(Arc::clone(&generations), probes, metrics));
        let follower = Follower { what, directory: Arc::clone(&directory), watches };
        let supervisor = Supervisor::new(Duration::from_secs(1));
        let shutdown = supervisor.shutdown();
        supervisor.tasks().spawn("generation watches", async move {
            follower.run(shutdown).await;
            Ok(())
        });
        let ways = directory.ways(&shoot(1), Purpose::Issue).unwrap();
        directory.worked(&shoot(1), &ways, ways.candidates[0].which, clock.now());
        generations.observe(&shoot(1), [family()].into()).unwrap();
        let lab = Self { world, generations, _supervisor: supervisor };
        lab.settle().await;
        lab
    }

    async fn settle(&self) {
        time::sleep(Duration::from_secs(2)).await;
    }

    /// How many watches were begun, and the newest.
    fn watches(&self) -> (usize, UnboundedSender<GenerationChange>) {
        let watches = &self.world.set().generation_watches;
        (watches.len(), watches.last().unwrap().clone())
    }

    fn tell(&self, change: GenerationChange) {
        self.watches().1.send(change).unwrap();
    }

    async fn list(&self, found: &[SeenGeneration]) {
        self.tell(GenerationChange::ListBegins);
        found.iter().for_each(|seen| self.tell(GenerationChange::Listed(seen.clone())));
        self.tell(GenerationChange::ListComplete);
        self.settle().await;
    }

    /// Numbers that are told to be there; `None` where nothing is told.
    fn told(&self) -> Option<Vec<Number>> {
        let told = self.generations.of(&shoot(1)).pop()?;
        Some(told.seen.present.iter().map(|generation| generation.number).collect())
    }
}

#[tokio::test(start_paused = true)]
async fn d_one_watch_in_each_namespace_with_a_family_tells_of_it() {
    let lab = Lab::new().await;
    assert_eq!((lab.watches().0, lab.told()), (1, None));
    lab.list(&[generation(1, "a")]).await;
    assert_eq!(lab.told(), Some(vec![1]));
    lab.tell(GenerationChange::Upsert(generation(2, "b")));
    lab.tell(GenerationChange::Removed(generation(1, "a")));
    lab.settle().await;
    assert_eq!(lab.told(), Some(vec![2]));
    assert_eq!(lab.world.calls(), ["own: watch generations in kube-system"]);
    let (told, cursor) = lab.generations.since(0, 10);
    assert_eq!((told.len(), cursor), (1, 3), "three changes, and the last one is kept");

    lab.generations.observe(&shoot(1), BTreeSet::new()).unwrap();
    lab.settle().await;
    assert!(lab.watches().1.is_closed(), "nobody asks for it any more");
    assert_eq!(lab.told(), None);
}

#[tokio::test(start_paused = true)]
async fn d_where_the_watch_is_refused_nothing_is_told_and_it_is_tried_with_growing_pauses() {
    let lab = Lab::new().await;
    for (before, pause) in [(1, 1), (2, 2), (3, 4)] {
        lab.tell(GenerationChange::Trouble(refused(403, Some("secrets"))));
        time::sleep(Duration::from_millis(1000 * pause - 100)).await;
        assert_eq!((lab.watches().0, lab.told()), (before, None));
        time::sleep(Duration::from_millis(200)).await;
        assert_eq!(lab.watches().0, before + 1);
    }
    lab.list(&[]).await;
    assert_eq!(lab.told(), Some(vec![]), "somebody granted it");
}

#[tokio::test(start_paused = true)]
async fn d_a_token_that_came_during_a_list_has_another_list_follow() {
    let lab = Lab::new().await;
    lab.tell(GenerationChange::ListBegins);
    lab.settle().await;
    let granted = Generation { number: 1, uid: "a".into(), grace: None, made: None };
    lab.generations.granted(&shoot(1), &family(), granted);
    lab.tell(GenerationChange::ListComplete);
    lab.settle().await;
    assert_eq!((lab.watches().0, lab.told()), (2, Some(vec![1])));
    lab.world.set().clock.advance(Duration::from_secs(1));
    lab.list(&[]).await;
    assert_eq!((lab.watches().0, lab.told()), (2, Some(vec![])));
}

#[tokio::test(start_paused = true)]
async fn d_a_list_that_hangs_ends_and_the_watch_begins_anew() {
    let lab = Lab::new().await;
    lab.tell(GenerationChange::ListBegins);
    time::sleep(Duration::from_secs(13)).await;
    assert_eq!((lab.watches().0, lab.told()), (2, None), "10 s, and a pause of 1 s");
}

#[test]
fn d_too_many_namespaces_of_a_shoot_are_said_and_too_many_families_refused() {
    let world = World::new();
    let generations = Generations::new(Arc::new(world.set().clock.clone()));
    let in_namespace =
        |number: usize| Family { namespace: format!("n{number}").parse().unwrap(), ..family() };
    let many = (0..WATCHED_MAX + 3).map(in_namespace).collect();
    assert_eq!(generations.observe(&shoot(1), many), Ok(3));
    assert_eq!(generations.observed().len(), WATCHED_MAX);
    let too_many = (0..=OBSERVED_MAX)
        .map(|number| Family { secret: format!("s{number}").parse().unwrap(), ..family() });
    let refused = generations.observe(&shoot(2), too_many.collect());
    assert!(matches!(refused, Err(Error::TooMany { .. })), "{refused:?}");
    assert_eq!(generations.observed().len(), WATCHED_MAX, "what was observed still is");
}
