use futures::FutureExt as _;
use jiff::SignedDuration;
use perennial_core::pause::Pause;
use perennial_proto::scheduler::v1::{self as proto, Pauses};

use super::{stop::Refusing, *};
use crate::stop::Handle;

fn asking(dry_run: bool) -> PauseShootRequest {
    PauseShootRequest {
        namespace: "shoot-1".to_owned(),
        reason: "migration".to_owned(),
        r#for: None,
        dry_run,
    }
}

fn lasting(seconds: i64) -> PauseShootRequest {
    let mut length = perennial_rpc::convert::duration(Duration::ZERO);
    length.seconds = seconds;
    PauseShootRequest { r#for: Some(length), ..asking(false) }
}

fn migration() -> Pause {
    Pause::new("migration".parse().unwrap(), "spiffe://x".to_owned(), at(0), None)
}

impl Desk {
    async fn pause(&self, message: PauseShootRequest) -> Result<PauseShootResponse, Status> {
        Scheduler::pause_shoot(&self.service, Request::new(message)).await.map(Response::into_inner)
    }

    fn hear(&self, pauses: &[(&str, Pause)]) {
        let pauses = pauses.iter().map(|(shoot, pause)| (shoot.parse().unwrap(), pause.clone()));
        self.board.update(|fleet, now| fleet.hear_of_pauses(now, pauses.collect()));
    }

    async fn refusal(&self, message: PauseShootRequest) -> (Code, String) {
        let status = self.pause(message).await.unwrap_err();
        (status.code(), reason(&status))
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_answered_once_this_scheduler_holds_to_it_and_not_before() {
    let desk = Desk::of(&["shoot-1/a"]);
    let pausing = desk.pause(asking(false));
    tokio::pin!(pausing);
    assert!(pausing.as_mut().now_or_never().is_none(), "the engine has not heard of it");
    desk.hear(&[("shoot-1", migration())]);
    let answer = pausing.await.unwrap();
    assert_eq!((answer.pause.unwrap().reason.as_str(), answer.was_paused), ("migration", false));
    assert_eq!(answer.outlook.unwrap().first[0].name, "a");

    let request = ResumeShootRequest { namespace: "shoot-1".to_owned() };
    let status = Scheduler::resume_shoot(&desk.service, Request::new(request)).await.unwrap_err();
    let told = (status.code(), reason(&status));
    assert_eq!(told, (Code::DeadlineExceeded, "SWITCH_NOT_HEARD".to_owned()), "and nobody says so");
}

#[tokio::test]
async fn who_only_asks_is_told_what_expires_and_nothing_is_stored() {
    let desk = Desk::of(&["shoot-1/a"]);
    let answer = desk.pause(PauseShootRequest { dry_run: true, ..lasting(86_400) }).await;
    let answer = answer.unwrap();
    assert!(answer.dry_run && !answer.was_paused);
    let until = answer.pause.unwrap().until.unwrap();
    assert_eq!((until.seconds, answer.outlook.unwrap().expiring), (86_400, 1));
    assert!(desk.board.read(|fleet, _| fleet.pauses().is_empty()));

    desk.hear(&[("shoot-1", migration())]);
    let answer = desk.pause(asking(true)).await.unwrap();
    assert_eq!((answer.was_paused, answer.pause.unwrap().until), (true, None), "the one in force");
}

#[tokio::test]
async fn what_makes_no_pause_is_refused() {
    let desk = Desk::of(&["shoot-1/a"]);
    let invalid = |reason: &str| (Code::InvalidArgument, reason.to_owned());
    let unreadable = PauseShootRequest { reason: "a\nb".to_owned(), ..asking(false) };
    assert_eq!(desk.refusal(unreadable).await, invalid("STOP_REASON_INVALID"));
    let nameless = PauseShootRequest { namespace: "Shoot".to_owned(), ..asking(false) };
    assert_eq!(desk.refusal(nameless).await, invalid("NAME_INVALID"));
    for seconds in [-1, 0, 365 * 86_400 + 1, i64::MAX] {
        let asked = lasting(seconds);
        assert_eq!(desk.refusal(asked).await, invalid("PAUSE_LENGTH_INVALID"), "{seconds}");
    }
    let unknown = PauseShootRequest { namespace: "shoot-9".to_owned(), ..asking(false) };
    assert_eq!(desk.refusal(unknown.clone()).await, (Code::NotFound, "SHOOT_NOT_FOUND".to_owned()));
    desk.board.update(|fleet, now| fleet.hear_of_records(now, feed::Event::Lost));
    let answer = desk.pause(PauseShootRequest { dry_run: true, ..unknown }).await;
    assert_eq!(answer.unwrap().outlook.unwrap().secrets, 0, "it may be there");
}

#[tokio::test]
async fn where_the_seed_refuses_the_answer_names_the_config_map() {
    let desk = Desk::of(&["shoot-1/a"]);
    let replica = Arc::new(Replica { name: "scheduler-0".to_owned(), since: at(0) });
    let (handle, _) = Handle::new(Arc::new(Refusing));
    let (sender, _) = mpsc::channel(1);
    let board = Arc::clone(&desk.board);
    let service = Service::new(board, sender, desk.supervisor.shutdown(), replica, handle);
    let paused = Scheduler::pause_shoot(&service, Request::new(asking(false))).await.unwrap_err();
    let request = ResumeShootRequest { namespace: "shoot-1".to_owned() };
    let resumed = Scheduler::resume_shoot(&service, Request::new(request)).await.unwrap_err();
    for status in [paused, resumed] {
        assert_eq!(status.code(), Code::PermissionDenied);
        assert!(status.message().contains("ConfigMap perennial-pauses"), "{}", status.message());
    }
}

#[tokio::test]
async fn whoever_lists_explains_or_watches_sees_the_pause_and_its_end() {
    let desk = Desk::of(&["shoot-1/a"]);
    desk.hear(&[("shoot-1", migration()), ("shoot-2", migration())]);
    let list = async |namespace: &str| {
        let namespace = namespace.to_owned();
        let request = ListSchedulesRequest { namespace, ..ListSchedulesRequest::default() };
        desk.service.list_schedules(Request::new(request)).await.unwrap().into_inner()
    };
    let all = list("").await;
    assert_eq!((all.pauses.len(), all.schedules[0].paused), (2, true));
    let expected = proto::Pause {
        namespace: "shoot-1".to_owned(),
        reason: "migration".to_owned(),
        by: "spiffe://x".to_owned(),
        since: Some(perennial_rpc::convert::timestamp(at(0))),
        until: None,
    };
    assert_eq!(list("shoot-1").await.pauses, std::slice::from_ref(&expected));
    let GetScheduleRequest { namespace, name } = desk.get("shoot-1/a");
    let request = ExplainScheduleRequest { namespace, name };
    let explained = desk.service.explain_schedule(Request::new(request)).await.unwrap();
    assert_eq!(explained.into_inner().explanation.unwrap().pause, Some(expected.clone()));

    let watch = Request::new(WatchSchedulesRequest { namespace: "shoot-1".to_owned() });
    let stream = desk.service.watch_schedules(watch).await.unwrap();
    let mut events = stream.into_inner().map(|message| message.unwrap().event.unwrap());
    let paused = Event::Pauses(Pauses { pauses: vec![expected] });
    assert_eq!(events.next().await, Some(paused), "before everything else");
    assert!(matches!(events.next().await, Some(Event::Upsert(_))));
    assert!(matches!(events.next().await, Some(Event::SnapshotComplete(_))));
    desk.hear(&[]);
    let mut told = [events.next().await.unwrap(), events.next().await.unwrap()];
    told.sort_by_key(|event| matches!(event, Event::Upsert(_)));
    assert_eq!(told[0], Event::Pauses(Pauses::default()));
    assert!(matches!(&told[1], Event::Upsert(schedule) if !schedule.paused));
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_over_before_it_is_heard_of_is_answered_too() {
    let desk = Desk::of(&["shoot-1/a"]);
    let pausing = desk.pause(lasting(1));
    tokio::pin!(pausing);
    assert!(pausing.as_mut().now_or_never().is_none());
    desk.clock.set(at(1));
    let short = Pause { until: Some(at(1)), ..migration() };
    desk.hear(&[("shoot-1", short)]);
    desk.hear(&[(
        "shoot-2",
        Pause::new("x".parse().unwrap(), String::new(), at(0), Some(SignedDuration::from_hours(1))),
    )]);
    assert!(!pausing.await.unwrap().was_paused);
}
