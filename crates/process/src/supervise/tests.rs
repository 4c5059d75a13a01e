use std::future::{pending, ready};

use super::*;

const GRACE: Duration = Duration::from_secs(20);

fn chain(outcome: anyhow::Result<()>) -> String {
    failure::chain(outcome.unwrap_err().as_ref())
}

fn spawn_obedient(tasks: &Tasks, name: &'static str) {
    let shutdown = tasks.shutdown();
    tasks.spawn(name, async move {
        shutdown.requested().await;
        Ok(())
    });
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_was_asked_for_is_no_error() {
    let supervisor = Supervisor::new(GRACE);
    let shutdown = supervisor.shutdown();
    spawn_obedient(&supervisor.tasks(), "server");

    supervisor.run_until(ready(())).await.unwrap();

    assert!(shutdown.is_requested());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_stops_the_others_and_is_named() {
    let supervisor = Supervisor::new(GRACE);
    spawn_obedient(&supervisor.tasks(), "server");
    supervisor.tasks().spawn("watch", async { Err(anyhow!("forbidden").context("list refused")) });

    let error = chain(supervisor.run_until(pending()).await);

    assert_eq!(error, "task watch ended unexpectedly: list refused: forbidden");
}

#[tokio::test(start_paused = true)]
async fn a_clean_end_that_nobody_asked_for_is_an_error() {
    let supervisor = Supervisor::new(GRACE);
    supervisor.tasks().spawn("watch", async { Ok(()) });

    let error = chain(supervisor.run_until(pending()).await);

    assert_eq!(error, "task watch ended unexpectedly: it returned without an error");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error_that_names_the_task() {
    let supervisor = Supervisor::new(GRACE);
    supervisor.tasks().spawn("queue", async { panic!("heap is empty") });

    let error = chain(supervisor.run_until(pending()).await);

    assert_eq!(error, "task queue ended unexpectedly: panicked: heap is empty");
}

#[tokio::test(start_paused = true)]
async fn tasks_started_by_tasks_are_watched_too() {
    let supervisor = Supervisor::new(GRACE);
    let tasks = supervisor.tasks();
    supervisor.tasks().spawn("parent", async move {
        tasks.spawn("child", async { bail!("no route") });
        pending().await
    });

    let error = chain(supervisor.run_until(time::sleep(GRACE)).await);

    assert!(error.ends_with("after: task child ended unexpectedly: no route"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_with_its_grace_and_names_who_was_late() {
    let supervisor = Supervisor::new(GRACE);
    spawn_obedient(&supervisor.tasks(), "server");
    supervisor.tasks().spawn("stubborn", pending());

    let error = chain(supervisor.run_until(ready(())).await);

    assert_eq!(
        error,
        "the drain did not finish within 20s (--drain-grace): still running: stubborn"
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_at_once() {
    let supervisor = Supervisor::new(GRACE);
    let dropped = Arc::new(());
    let held = Arc::clone(&dropped);
    let tracker = supervisor.tasks().tracker;
    supervisor.tasks().spawn("stubborn", async move {
        let _held = held;
        pending().await
    });
    let started = time::sleep(GRACE);

    let error = chain(supervisor.supervise(stream::iter([(), ()])).await);

    assert!(error.starts_with("a second signal cut the drain short"), "{error}");
    assert!(!started.is_elapsed());
    tracker.wait().await; // the task was dropped where it was
    assert_eq!(Arc::strong_count(&dropped), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_draining_does_not_turn_the_stop_into_an_error() {
    let supervisor = Supervisor::new(GRACE);
    let shutdown = supervisor.shutdown();
    supervisor.tasks().spawn("lease", async move {
        shutdown.requested().await;
        bail!("failed to release the lease")
    });

    supervisor.run_until(ready(())).await.unwrap();
}
