use std::time::Duration;

use futures::{FutureExt as _, future::BoxFuture};
use perennial_core::{failure::Kind, reason::Reason, record::Record, shoot::Reach};
use perennial_process::{ready::Readiness, supervise::Supervisor};
use perennial_testing::clock::ManualClock;
use prometheus_client::registry::Registry;
use tokio::sync::oneshot;

use super::*;
use crate::fixtures::{PLANNED, at, bare, fault, fresh, secret, settings, shoot, written};
use perennial_fleet::{feed::Event, schedule::State};

mod following;
mod stopping;

const GRACE: Duration = Duration::from_secs(30);

/// A secret-writer that answers when the test says so.
#[derive(Debug)]
struct Writer(mpsc::UnboundedSender<(Order, oneshot::Sender<Result<Record, Fault>>)>);

impl Renew for Writer {
    fn renew(&self, order: &Order) -> BoxFuture<'static, Result<Answer, Fault>> {
        let (answer, answered) = oneshot::channel();
        self.0.send((order.clone(), answer)).unwrap();
        answered.map(|answer| answer.unwrap().map(Answer::from)).boxed()
    }
}

/// Token-issuers that take whatever they are told.
#[derive(Debug)]
struct Deaf;

impl Observe for Deaf {
    fn observe(&self, _: &Observation) -> BoxFuture<'static, Result<(), Remote>> {
        async { Ok(()) }.boxed()
    }
}

/// An engine that runs, with everything around it in the hands of the test.
struct Bench {
    board: Arc<Board>,
    clock: ManualClock,
    readiness: Readiness,
    inputs: mpsc::Sender<Input>,
    requests: mpsc::Sender<Request>,
    orders: mpsc::UnboundedReceiver<(Order, oneshot::Sender<Result<Record, Fault>>)>,
}

impl Bench {
    fn new(supervisor: &Supervisor) -> Self {
        let clock = ManualClock::at(at(0));
        let board = Board::new(settings(), Arc::new(clock.clone()));
        let readiness = Readiness::new();
        let (inputs, from_streams) = mpsc::channel(INPUTS_MAX);
        let (requests, from_operators) = mpsc::channel(8);
        let (writer, orders) = mpsc::unbounded_channel();
        let engine = Engine::new(Parts {
            board: Arc::clone(&board),
            renew: Arc::new(Writer(writer)),
            observe: Arc::new(Deaf),
            inputs: from_streams,
            requests: from_operators,
            gates: Gates::add(&readiness),
            metrics: Metrics::register(&mut Registry::default()),
            looks: Arc::default(),
        });
        let shutdown = supervisor.shutdown();
        supervisor.tasks().spawn("engine", async move {
            engine.run(shutdown, GRACE).await;
            Ok(())
        });
        Self { board, clock, readiness, inputs, requests, orders }
    }

    async fn say(&self, input: Input) {
        self.inputs.send(input).await.unwrap();
    }

    async fn first_sets(&self, records: &[Record]) {
        self.say(Input::Stop(None)).await;
        self.say(Input::Records(Event::Opened)).await;
        for record in records {
            self.say(Input::Records(Event::Upsert(record.clone()))).await;
        }
        self.say(Input::Records(Event::Complete)).await;
        self.say(Input::Shoots(0, Event::Opened)).await;
        self.say(Input::Shoots(0, Event::Upsert(shoot("shoot-1", Reach::Reachable)))).await;
        self.say(Input::Shoots(0, Event::Complete)).await;
    }

    async fn ask(&self, name: &str) -> oneshot::Receiver<Result<Schedule, request::Error>> {
        let (request, outcome) = Request::new(secret(name));
        self.requests.send(request).await.unwrap();
        outcome
    }
}

async fn running(test: impl AsyncFnOnce(Bench)) {
    let supervisor = Supervisor::new(GRACE);
    let bench = Bench::new(&supervisor);
    supervisor.run_until(test(bench)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_falls_due_is_renewed_and_whoever_watches_sees_it() {
    running(async |mut bench: Bench| {
        bench.first_sets(&[fresh("shoot-1/a", 0)]).await;
        let watcher = bench.board.watch(None).unwrap();
        bench.clock.set(at(PLANNED));
        let (order, answer) = bench.orders.recv().await.unwrap();
        assert_eq!((&order.secret, order.reason), (&secret("shoot-1/a"), Reason::Due));
        assert_eq!(bench.board.schedule(&order.secret).unwrap().state, State::Renewing);
        let _ = watcher.changes().await.unwrap();
        answer.send(Ok(written(&fresh("shoot-1/a", 0), PLANNED, Reason::Due))).unwrap();
        assert!(watcher.changes().await.unwrap().contains(&order.secret));
        let schedule = bench.board.schedule(&order.secret).unwrap();
        assert_eq!((schedule.state, schedule.renewals), (State::Fresh, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_when_both_first_sets_are_in_and_says_what_is_missing() {
    running(async |mut bench: Bench| {
        bench.say(Input::NoRecords("secret-writer:8443: connection refused".to_owned())).await;
        time::sleep(BEAT).await;
        let missing = bench.readiness.report();
        assert_eq!(missing[0].reason, "secret-writer:8443: connection refused");
        assert_eq!(missing[1].gate, "first whole set of shoots");
        bench.first_sets(&[bare("shoot-1/a")]).await;
        let _order = bench.orders.recv().await.unwrap();
        assert!(bench.readiness.is_ready());
        bench.say(Input::NoRecords("broke".to_owned())).await;
        time::sleep(BEAT).await;
        assert!(bench.readiness.is_ready(), "a stream that breaks later does not undo it");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_a_renewal_gets_its_outcome() {
    running(async |mut bench: Bench| {
        bench.first_sets(&[fresh("shoot-1/a", 0)]).await;
        time::sleep(BEAT).await;
        let outcome = bench.ask("shoot-1/a").await;
        let (order, answer) = bench.orders.recv().await.unwrap();
        let again = bench.ask("shoot-1/a").await.await.unwrap();
        assert_eq!(again, Err(request::Error::UnderWay(secret("shoot-1/a"))));
        answer.send(Ok(written(&fresh("shoot-1/a", 0), 1, order.reason))).unwrap();
        let renewal = outcome.await.unwrap().unwrap().last_renewal.unwrap();
        assert_eq!((renewal.at, renewal.reason), (at(1), Reason::Requested));

        let outcome = bench.ask("shoot-1/a").await;
        let (_, answer) = bench.orders.recv().await.unwrap();
        answer.send(Err(fault(Kind::Denied))).unwrap();
        let failed = request::Error::Failed(secret("shoot-1/a"), fault(Kind::Denied));
        assert_eq!(outcome.await.unwrap(), Err(failed));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_orders_nothing_more_and_lets_what_is_under_way_end() {
    let supervisor = Supervisor::new(GRACE);
    let mut bench = Bench::new(&supervisor);
    let board = Arc::clone(&bench.board);
    bench.first_sets(&[bare("shoot-1/a")]).await;
    let (stop, stopped) = oneshot::channel();
    let test = async {
        let (_, answer) = bench.orders.recv().await.unwrap();
        stop.send(()).unwrap();
        time::sleep(BEAT).await;
        bench.say(Input::Records(Event::Upsert(bare("shoot-1/b")))).await;
        time::sleep(BEAT).await;
        assert!(bench.orders.try_recv().is_err());
        answer.send(Ok(fresh("shoot-1/a", 0))).unwrap();
    };
    let (ended, ()) = tokio::join!(supervisor.run_until(stopped.map(drop)), test);
    ended.unwrap();
    assert_eq!(board.schedule(&secret("shoot-1/a")).unwrap().state, State::Fresh);
}
