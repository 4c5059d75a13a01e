use perennial_core::shoot::Hibernation;

use super::*;

impl Lab {
    /// The annotation is set, or goes.
    fn sleeps(&self, yes: bool) {
        let (turn, here) = match yes {
            true => (Hibernation::Hibernated, shoot(1)),
            false => (Hibernation::Awake, shoot(1)),
        };
        assert!(self.directory.hibernate(&here, &turn).is_some(), "it is news");
        match yes {
            true => self.probes.hibernated(&here),
            false => self.probes.woken(&here),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_shoot_that_hibernates_is_looked_at_six_times_an_hour_and_stays_unknown() {
    let lab = Lab::new();
    lab.pass(1).await;
    lab.sleeps(true);
    let before = (lab.status().reach, lab.status().hibernated);
    assert_eq!(before, (Reach::Unknown, true), "what was seen before says nothing");
    assert!(lab.directory.client_in_use(&shoot(1)).is_none(), "nobody watches it");
    lab.world.set().up.clear();
    lab.world.calls();
    lab.probes.soon(&shoot(1));
    lab.probes.changed(&shoot(1));
    lab.pass(60 * 60 - 2).await;
    let calls = lab.world.calls();
    assert_eq!(calls.iter().filter(|call| call.starts_with("own")).count(), 5, "{calls:?}");
    assert_eq!((lab.status().reach, lab.status().hibernated), before);
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn when_it_wakes_it_is_looked_at_at_once_and_then_as_one_that_is_away() {
    let lab = Lab::new();
    lab.pass(1).await;
    lab.sleeps(true);
    lab.world.set().up.clear();
    lab.pass(3_000).await;
    lab.world.calls();
    lab.sleeps(false);
    assert_eq!(lab.status().reach, Reach::Unreachable, "until it answered");
    lab.pass(1).await;
    assert!(!lab.world.calls().is_empty(), "at once");
    lab.pass(100).await;
    assert_eq!(lab.status().reach, Reach::Unreachable);
    lab.world.set().up.insert(HERE);
    lab.pass(16).await;
    let woken = lab.status();
    assert_eq!((woken.reach, woken.credential), (Reach::Reachable, Credential::Own));
    assert!(lab.directory.client_in_use(&shoot(1)).is_some());
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_annotation_is_found_within_ten_minutes() {
    let lab = Lab::new();
    lab.pass(1).await;
    lab.sleeps(true);
    lab.pass(590).await;
    assert!(!lab.status().answers_in_hibernation(), "it may be shut down only now");
    lab.pass(15).await;
    let found = lab.status();
    assert!(found.answers_in_hibernation());
    assert!(found.detail.contains("remove perennial.dev/hibernated"), "{}", found.detail);
    assert!(lab.directory.client_in_use(&shoot(1)).is_none(), "nothing is done there all the same");
    lab.world.set().up.clear();
    lab.pass(601).await;
    assert!(!lab.status().answers_in_hibernation());
    lab.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_process_is_ready_without_a_look_at_shoots_that_hibernate() {
    let world = World::new();
    let directory = world.empty_directory();
    directory.upsert(&shoot(1), Which::Own, &Ok(token_at(HERE, "own")));
    directory.hibernate(&shoot(1), &Hibernation::Hibernated);
    world.set().hangs = true;
    let lab = Lab::asleep(world, directory);
    lab.directory.complete();
    lab.pass(1).await;
    assert!(lab.readiness.is_ready());
    assert!(lab.world.calls().is_empty());
    lab.stop().await;
}

impl Lab {
    /// One whose only shoot hibernates from the begin.
    fn asleep(world: World, directory: Arc<Directory>) -> Self {
        let lab = Self::with(world, directory);
        lab.probes.hibernated(&shoot(1));
        lab
    }
}
