//! What a person at night reads: fleets in ten kinds of trouble and more, explained by the service
//! and shown by the command line. Each answer names cause and remedy, and is kept as a snapshot.

use perennial_cli::explain::text;
use perennial_core::{failure::Kind, record::Record, shoot::ShootStatus};
use perennial_proto::scheduler::v1::Explanation;

use super::*;
use crate::fixtures::{HOUR, LIFETIME, PLANNED};
use perennial_fleet::{
    attempts::{Blame, Fault},
    order::Order,
};

mod healthy;
mod secrets;
mod services;
mod shoots;

/// 2026-11-23 08:00:00Z, when the tokens here were issued.
const BEGIN: i64 = 1_795_420_800;
const NAME: &str = "shoot--lab--1/shoot-access-kube-scheduler";

/// A scheduler since two hours before [`BEGIN`], and what it hears.
struct Stage {
    clock: ManualClock,
    board: Arc<Board>,
    service: Service,
    _supervisor: Supervisor,
}

impl Stage {
    /// A stage at [`BEGIN`], with one Secret and its shoot.
    fn with(record: &Record, shoots: &[ShootStatus]) -> Self {
        let stage = Self::empty();
        for shoot in shoots {
            stage.hear_shoot(feed::Event::Upsert(shoot.clone()));
        }
        stage.hear_shoot(feed::Event::Complete);
        stage.hear(feed::Event::Upsert(record.clone()));
        stage.hear(feed::Event::Complete);
        stage
    }

    fn empty() -> Self {
        let clock = ManualClock::at(at(BEGIN));
        let board = Board::new(settings(), Arc::new(clock.clone()));
        let supervisor = Supervisor::new(Duration::from_secs(1));
        let name = "scheduler-7d9f-x2x4k".to_owned();
        let replica = Arc::new(Replica { name, since: at(BEGIN - 2 * HOUR) });
        let (requests, _) = mpsc::channel(1);
        let (handle, _) = Handle::new(Arc::new(Unthrown));
        board.update(|fleet, now| fleet.hear_of_stop(now, None));
        let service =
            Service::new(Arc::clone(&board), requests, supervisor.shutdown(), replica, handle);
        let stage = Self { clock, board, service, _supervisor: supervisor };
        stage.hear_shoot(feed::Event::Opened);
        stage.hear(feed::Event::Opened);
        stage
    }

    fn hear(&self, event: feed::RecordEvent) {
        self.board.update(|fleet, now| fleet.hear_of_records(now, event));
    }

    fn hear_shoot(&self, event: feed::ShootEvent) {
        self.board.update(|fleet, now| fleet.hear_of_shoots(now, 0, event));
    }

    /// So long after [`BEGIN`].
    fn at(&self, seconds: i64) {
        self.clock.set(at(BEGIN + seconds));
    }

    /// The order of this moment.
    fn order(&self) -> Order {
        let (mut orders, _) = self.board.update(|fleet, now| fleet.tick(now));
        assert_eq!(orders.len(), 1, "{orders:?}");
        orders.pop().unwrap()
    }

    /// The order of this moment, which takes 43 ms and fails.
    fn fail(&self, fault: &Fault) {
        let order = self.order();
        self.clock.advance(Duration::from_millis(43));
        let outcome = Err::<Record, _>(fault.clone());
        let end = |fleet: &mut perennial_fleet::Fleet, now| {
            fleet.finished(now, &order.secret, order.attempt, outcome)
        };
        assert!(self.board.update(end).0.is_some());
    }

    async fn explain(&self) -> Explanation {
        let (namespace, name) = NAME.split_once('/').unwrap();
        let request =
            ExplainScheduleRequest { namespace: namespace.to_owned(), name: name.to_owned() };
        let answer = self.service.explain_schedule(Request::new(request)).await.unwrap();
        answer.into_inner().explanation.unwrap()
    }

    /// What the command line shows. In trouble, its third and fourth lines are cause and remedy.
    async fn shown(&self, expected: State) -> String {
        let explanation = self.explain().await;
        let schedule = explanation.schedule.as_ref().unwrap();
        assert_eq!(schedule.state(), expected, "{explanation:?}");
        let verdict = explanation.verdict.as_ref().unwrap();
        assert!(!verdict.cause.is_empty(), "{explanation:?}");
        let lines = text::lines(&explanation);
        let is_command = |line: &str| line.starts_with("  run ");
        let wide = lines.iter().find(|line| line.chars().count() > 100 && !is_command(line));
        assert_eq!(wide, None, "too wide to be read");
        assert!(lines[2].trim_start().starts_with("cause"), "{lines:?}");
        lines.join("\n")
    }

    /// The same for one in trouble.
    async fn trouble(&self, expected: State) -> String {
        let verdict = self.explain().await.verdict.unwrap();
        assert!(!verdict.remedy.is_empty(), "no remedy: {verdict:?}");
        self.shown(expected).await
    }
}

/// A Secret whose token was issued at [`BEGIN`] and is signed by `key-1`.
fn held() -> Record {
    let mut record = fresh(NAME, BEGIN);
    if let perennial_core::record::Held::Token(claims) = &mut record.held {
        claims.key_id = Some("key-1".into());
        claims.account_uid = Some("3c1f5b0e-6a1e-4d5f-9d3b-6b8f0f6f1c55".into());
        claims.audiences = vec!["gardener".to_owned()].into();
    }
    record
}

fn reached() -> ShootStatus {
    ShootStatus {
        clock_offset: Some(jiff::SignedDuration::ZERO),
        checked_at: Some(at(BEGIN - 60)),
        key_ids: vec!["key-1".to_owned()],
        own_refused: None,
        key_history: perennial_core::signing::KeyHistory::default(),
        ..shoot("shoot--lab--1", Reach::Reachable)
    }
}

fn fault(kind: Kind, reason: &str, message: &str) -> Fault {
    Fault {
        kind,
        reason: reason.to_owned(),
        message: format!("failed to get a token for Secret {NAME}: {message}"),
        retry_after: None,
        blame: Blame::Secret,
    }
}

const SHOOT: &str = "shoot shoot--lab--1";

#[tokio::test]
async fn what_is_not_there_cannot_be_explained() {
    let stage = Stage::with(&held(), &[reached()]);
    let explain = async |namespace: &str, name: &str| {
        let request =
            ExplainScheduleRequest { namespace: namespace.to_owned(), name: name.to_owned() };
        stage.service.explain_schedule(Request::new(request)).await.unwrap_err().code()
    };
    assert_eq!(explain("shoot--lab--1", "nobody").await, Code::NotFound);
    assert_eq!(explain("shoot--lab--1", "No_Name").await, Code::InvalidArgument);
}
