use std::time::Duration;

use perennial_core::target::TargetView;
use perennial_process::supervise::Supervisor;

use super::*;
use crate::fakes::{World, shoot};

fn target(number: usize) -> SecretRef {
    SecretRef::parse("kube-system", &format!("target-{number:03}")).unwrap()
}

fn named(numbers: std::ops::Range<usize>) -> BTreeSet<SecretRef> {
    numbers.map(target).collect()
}

fn empty() -> TargetState {
    TargetView::default().state()
}

fn news(targets: &Targets, version: u64) -> (Vec<String>, u64) {
    let (news, version) = targets.news(version, |_| true);
    (news.into_iter().map(|(_, target, _)| target.name.to_string()).collect(), version)
}

#[test]
fn each_stream_is_told_once_of_each_change() {
    let targets = Targets::default();
    let at = Timestamp::UNIX_EPOCH;
    targets.set(&shoot(1), &named(0..2));
    assert_eq!(news(&targets, 0).0, [""; 0], "nothing was seen yet");
    targets.saw(&shoot(1), &target(0), TargetState::Absent, at);
    let (told, version) = news(&targets, 0);
    assert_eq!(told, ["target-000"]);
    targets.saw(&shoot(1), &target(0), TargetState::Absent, at);
    assert_eq!(news(&targets, version).0, [""; 0], "it is as it was");
    targets.saw(&shoot(1), &target(0), empty(), at);
    assert_eq!(news(&targets, version).0, ["target-000"]);
    assert_eq!(news(&targets, 0).0, ["target-000"], "a new stream");
}

#[test]
fn what_is_not_named_any_more_is_forgotten() {
    let targets = Targets::default();
    targets.set(&shoot(1), &named(0..2));
    targets.saw(&shoot(1), &target(0), empty(), Timestamp::UNIX_EPOCH);
    targets.set(&shoot(1), &named(1..2));
    targets.saw(&shoot(1), &target(0), TargetState::Absent, Timestamp::UNIX_EPOCH);
    assert_eq!(news(&targets, 0).0, [""; 0]);
    targets.keep_shoots(|_| false);
    assert!(targets.wanted().is_empty());
}

#[test]
fn no_shoot_has_more_watches_than_a_connection_can_take() {
    let targets = Targets::default();
    assert_eq!(targets.set(&shoot(1), &named(0..100)), 100 - WATCHED_MAX);
    assert_eq!(targets.wanted().len(), WATCHED_MAX);
}

#[tokio::test(start_paused = true)]
async fn b7_each_target_that_matters_is_watched_until_it_does_not() {
    let world = World::new();
    world.set().targets.insert(target(0).to_string(), "x".to_owned());
    let targets = std::sync::Arc::new(Targets::default());
    let supervisor = Supervisor::new(Duration::from_secs(1));
    let follower = follow::Follower {
        targets: std::sync::Arc::clone(&targets),
        directory: world.directory(),
        clock: std::sync::Arc::new(world.set().clock.clone()),
    };
    let shutdown = supervisor.shutdown();
    let following = follower.run(shutdown);
    let told = async {
        let mut changed = targets.subscribe();
        targets.set(&shoot(1), &named(0..2));
        while news(&targets, 0).0.len() < 2 {
            changed.changed().await.unwrap();
        }
        targets.news(0, |_| true).0.into_iter().map(|(_, _, seen)| seen.state).collect::<Vec<_>>()
    };
    let seen = tokio::select! { seen = told => seen, () = following => panic!("it ended") };
    assert!(matches!(seen[0], TargetState::Present { .. }), "{seen:?}");
    assert_eq!(seen[1], TargetState::Absent);
}
