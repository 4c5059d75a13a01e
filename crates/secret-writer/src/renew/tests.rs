use std::{future::Future, sync::Arc};

use perennial_core::{failure::Kind, keys, reason::Reason, window::Window};
use perennial_kube::access::{Put, ResourceVersion};
use perennial_process::supervise::Supervisor;
use perennial_rpc::status::Remote;
use perennial_testing::clock::ManualClock;
use prometheus_client::registry::Registry;
use tonic::Status;

use super::*;
use crate::fixtures::{FakeIssuer, FakeWriter, SecretBuilder, at, jwt, secret_ref};

mod revocation;
mod storm;
mod writes;

/// A secret-writer without a network, and one access Secret `a` without a token.
pub(super) struct Bench {
    clock: ManualClock,
    pub(super) issuer: Arc<FakeIssuer>,
    pub(super) writer: Arc<FakeWriter>,
    pub(super) store: Store,
    pub(super) renewals: Renewals,
    jobs: Option<mpsc::Receiver<Job>>,
    registry: Registry,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(Settings {
            interval_min: Duration::from_secs(180),
            in_flight_max: 2,
            audit: false,
        })
    }

    fn with(settings: Settings) -> Self {
        let clock = ManualClock::at(at(0));
        let issuer = Arc::new(FakeIssuer::new(&clock));
        let writer = Arc::new(FakeWriter::default());
        let store = Store::new(Arc::new(clock.clone()));
        store.begin_snapshot();
        store.upsert(SecretBuilder::new("a").seen(1));
        store.complete_snapshot();
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        let (renewals, jobs) = Renewals::new(Means {
            store: store.clone(),
            issuer: issuer.clone(),
            writer: writer.clone(),
            clock: Arc::new(clock.clone()),
            reporter: Reporter::new(metrics.clone()).0,
            metrics,
            doubt: Doubt::default(),
            settings,
        });
        Self { clock, issuer, writer, store, renewals, jobs: Some(jobs), registry }
    }

    pub(super) fn order(&self, reason: Reason) -> Order {
        order(self.store.get(&secret_ref("a")).unwrap().record.digest.clone(), reason)
    }

    async fn renew(&self, reason: Reason) -> Result<Box<Seen>, RenewError> {
        self.renewals.renew(self.order(reason)).await
    }

    /// Runs `test` beside the task that works off renewals.
    pub(super) async fn run(mut self, test: impl AsyncFnOnce(&Self)) {
        let jobs = self.jobs.take().unwrap();
        let supervisor = Supervisor::new(Duration::from_secs(60));
        let shutdown = supervisor.shutdown();
        supervisor.tasks().spawn("renewals", async move {
            run(jobs, shutdown).await;
            Ok(())
        });
        supervisor.run_until(test(&self)).await.unwrap();
    }
}

fn order(digest: perennial_core::digest::Digest, reason: Reason) -> Order {
    Order {
        secret: secret_ref("a"),
        digest,
        reason,
        basis_seconds: 86_400,
        window: Window::ORDINARY,
        place: 0.5,
        generation: 0,
        grace: None,
        ends: Default::default(),
        request_id: "request-1".to_owned(),
    }
}

fn kind(outcome: Result<Box<Seen>, RenewError>) -> (Kind, String) {
    let error = outcome.unwrap_err();
    (error.kind(), error.reason().to_owned())
}

fn told(kind: Kind, reason: &str) -> (Kind, String) {
    (kind, reason.to_owned())
}

/// Lets every task go as far as it can.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn started<F: Future + Unpin>(mut future: F) -> F {
    for _ in 0..20 {
        assert!(futures::poll!(&mut future).is_pending());
        tokio::task::yield_now().await;
    }
    future
}

#[tokio::test]
async fn in_audit_mode_every_order_is_refused_and_nobody_is_called() {
    let audit = Settings { interval_min: Duration::from_secs(180), in_flight_max: 2, audit: true };
    Bench::with(audit)
        .run(async |bench| {
            let refused = bench.renew(Reason::Requested).await;
            assert_eq!(kind(refused), told(Kind::Held, "AUDIT_MODE"));
            let digest = bench.order(Reason::CaChanged).digest;
            let repair = Repair {
                secret: secret_ref("a"),
                digest,
                reason: Reason::CaChanged,
                up_to: None,
                unproved: false,
                ends: Default::default(),
                request_id: String::new(),
            };
            let outcome = bench.renewals.repair(repair).await.map(|repaired| repaired.seen);
            assert_eq!(kind(outcome), told(Kind::Held, "AUDIT_MODE"));
            assert_eq!((bench.issuer.asked(), bench.writer.orders()), (0, 0));
        })
        .await;
}

#[tokio::test]
async fn a_renewal_is_issued_once_written_once_and_noted() {
    Bench::new()
        .run(async |bench| {
            bench.clock.set(at(1_000));
            let seen = bench.renew(Reason::NothingHeld).await.unwrap();
            let note = seen.record.issued.as_ref().unwrap();
            assert_eq!((note.at, note.streak, note.reason), (at(1_000), 0, Reason::NothingHeld));
            assert_eq!(note.renew_at, at(1_000 + 36_000 * 76 / 100), "the middle of the window");
            assert_eq!(*bench.store.get(&secret_ref("a")).unwrap(), *seen);
            assert_eq!((bench.issuer.asked(), bench.writer.orders()), (1, 1));
            let order = bench.writer.orders.lock().unwrap()[0].clone();
            assert_eq!(order.latest, at(1_000 + 36_000 * 80 / 100));
            assert!(matches!(order.put, Put::Token { ca_pem: None, .. }), "no CA is asked for");
        })
        .await;
}

#[tokio::test]
async fn nothing_is_issued_for_a_secret_that_is_not_the_one_decided_on() {
    Bench::new()
        .run(async |bench| {
            let stale = bench.order(Reason::NothingHeld);
            bench.store.upsert(SecretBuilder::new("a").token("x").seen(2));
            let outcome = bench.renewals.renew(stale).await;
            assert_eq!(kind(outcome), told(Kind::Changed, "RECORD_CHANGED"));
            bench.store.remove(&secret_ref("a"), &ResourceVersion::new("3".to_owned()));
            let gone = order(perennial_core::digest::Digest::received("d".to_owned()), Reason::Due);
            let outcome = bench.renewals.renew(gone).await;
            assert_eq!(kind(outcome), told(Kind::NotFound, "ACCESS_SECRET_NOT_FOUND"));
            assert_eq!(bench.issuer.asked(), 0);
        })
        .await;
}

#[tokio::test]
async fn b10_b11_nothing_is_issued_for_what_is_impossible_or_cannot_be_written() {
    Bench::new()
        .run(async |bench| {
            let soon = SecretBuilder::new("a").annotated(keys::TOKEN_LIFETIME, "soon");
            bench.store.upsert(soon.seen(2));
            let outcome = bench.renew(Reason::NothingHeld).await;
            assert_eq!(kind(outcome), told(Kind::Invalid, "DURATION_INVALID"));
            bench.store.upsert(SecretBuilder::new("a").immutable().seen(3));
            let outcome = bench.renew(Reason::NothingHeld).await;
            assert_eq!(kind(outcome), told(Kind::Held, "SECRET_IMMUTABLE"));
            assert_eq!(bench.issuer.asked(), 0);
        })
        .await;
}

#[tokio::test]
async fn one_renewal_of_a_secret_at_a_time_and_no_more_than_the_limit_in_all() {
    Bench::new()
        .run(async |bench| {
            bench.issuer.may_answer.forget_permits(usize::MAX);
            let first = started(Box::pin(bench.renew(Reason::NothingHeld))).await;
            let second = bench.renew(Reason::NothingHeld).await;
            let error = second.as_ref().unwrap_err();
            assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
            assert_eq!(kind(second), told(Kind::Held, "RENEWAL_UNDER_WAY"));

            bench.store.upsert(SecretBuilder::new("b").seen(2));
            bench.store.upsert(SecretBuilder::new("c").seen(3));
            let other = |name: &str| {
                let secret = secret_ref(name);
                let digest = bench.store.get(&secret).unwrap().record.digest.clone();
                bench.renewals.renew(Order { secret, ..order(digest, Reason::NothingHeld) })
            };
            let of_b = started(Box::pin(other("b"))).await;
            let outcome = other("c").await;
            assert_eq!(kind(outcome), told(Kind::Throttled, "RENEWALS_IN_FLIGHT_MAX"));
            bench.issuer.may_answer.add_permits(2);
            let (first, of_b) = futures::join!(first, of_b);
            assert!(first.is_ok() && of_b.is_ok());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_token_issuer_that_never_answers_is_given_up_and_frees_the_secret() {
    Bench::new()
        .run(async |bench| {
            bench.issuer.may_answer.forget_permits(usize::MAX);
            let outcome = bench.renew(Reason::NothingHeld).await;
            assert_eq!(kind(outcome), told(Kind::TimedOut, "RENEWAL_TIMED_OUT"));
            bench.issuer.may_answer.add_permits(1);
            assert!(bench.renew(Reason::NothingHeld).await.is_ok());
        })
        .await;
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_its_renewal() {
    Bench::new()
        .run(async |bench| {
            bench.issuer.may_answer.forget_permits(usize::MAX);
            let call = started(Box::pin(bench.renew(Reason::NothingHeld))).await;
            drop(call);
            bench.issuer.may_answer.add_permits(1);
            settle().await;
            assert_eq!(bench.writer.orders(), 1);
            assert!(bench.store.get(&secret_ref("a")).unwrap().record.issued.is_some());
        })
        .await;
}

#[tokio::test]
async fn a_renewal_in_flight_is_finished_before_the_process_ends() {
    let bench = Bench::new();
    let (issuer, writer) = (bench.issuer.clone(), bench.writer.clone());
    issuer.may_answer.forget_permits(usize::MAX);
    let supervised = bench.run(async |bench| {
        drop(started(Box::pin(bench.renew(Reason::NothingHeld))).await);
    });
    let supervised = started(Box::pin(supervised)).await;
    issuer.may_answer.add_permits(1);
    supervised.await;
    assert_eq!(writer.orders(), 1);
}

#[tokio::test]
async fn a_token_that_does_not_fit_is_never_written() {
    Bench::new()
        .run(async |bench| {
            for token in ["garbage".to_owned(), jwt("other", 0)] {
                bench.issuer.will_answer(Ok(token));
                let outcome = bench.renew(Reason::NothingHeld).await;
                assert_eq!(kind(outcome), told(Kind::Internal, "TOKEN_UNFIT"));
            }
            assert_eq!(bench.writer.orders(), 0);
        })
        .await;
}

#[tokio::test]
async fn a_secret_that_changed_meanwhile_is_not_written() {
    Bench::new()
        .run(async |bench| {
            bench.issuer.may_answer.forget_permits(usize::MAX);
            let call = started(Box::pin(bench.renew(Reason::NothingHeld))).await;
            bench
                .store
                .upsert(SecretBuilder::new("a").annotated(keys::TOKEN_LIFETIME, "1h").seen(2));
            bench.issuer.may_answer.add_permits(1);
            assert_eq!(kind(call.await), told(Kind::Changed, "RECORD_CHANGED"));
            assert_eq!(bench.writer.orders(), 0);
        })
        .await;
}

#[tokio::test]
async fn what_the_write_found_instead_is_known_at_once() {
    Bench::new()
        .run(async |bench| {
            let now = SecretBuilder::new("a").token("of a stranger").seen(7);
            let found = now.clone();
            bench.writer.will_answer(Box::new(move |_| Ok(Outcome::Changed(Some(found.clone())))));
            let outcome = bench.renew(Reason::NothingHeld).await;
            assert_eq!(kind(outcome), told(Kind::Changed, "RECORD_CHANGED"));
            let held = bench.store.get(&secret_ref("a")).unwrap();
            assert_eq!(held.record.digest, now.record.digest);
            assert!(held.record.memory.is_some(), "a token was issued, written or not");
        })
        .await;
}

#[tokio::test]
async fn the_words_of_the_token_issuer_reach_the_caller() {
    Bench::new()
        .run(async |bench| {
            let busy = Remote::from(Status::resource_exhausted("the shoot asks to slow down"));
            bench.issuer.will_answer(Err(busy));
            let error = bench.renew(Reason::NothingHeld).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Throttled);
            assert!(error.to_string().ends_with("the shoot asks to slow down"), "{error}");
            let memory = bench.store.get(&secret_ref("a")).unwrap().record.memory;
            assert_eq!(memory, None, "nothing was issued");
        })
        .await;
}

#[tokio::test]
async fn an_ordinary_renewal_is_settled_and_starts_no_streak() {
    Bench::new()
        .run(async |bench| {
            let mut now = 0;
            for _ in 0..5 {
                bench.clock.set(at(now));
                let seen = bench.renew(Reason::Due).await.unwrap();
                let note = seen.record.issued.as_ref().unwrap();
                assert_eq!(note.streak, 0);
                now = note.renew_at.as_second();
            }
        })
        .await;
}

#[tokio::test]
async fn the_first_snapshot_must_be_in() {
    let bench = Bench::new();
    let empty =
        Means { store: Store::new(Arc::new(bench.clock.clone())), ..bench.renewals.means.clone() };
    let (renewals, _jobs) = Renewals::new(empty);
    let outcome = renewals.renew(bench.order(Reason::NothingHeld)).await;
    assert_eq!(kind(outcome), told(Kind::Unavailable, "SNAPSHOT_INCOMPLETE"));
}
