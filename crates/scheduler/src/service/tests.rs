use futures::StreamExt as _;
use perennial_core::shoot::Reach;
use perennial_process::supervise::Supervisor;
use perennial_proto::scheduler::v1::{State, watch_schedules_response::Event};
use perennial_testing::clock::ManualClock;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::fixtures::{Unthrown, at, bare, fresh, secret as named, settings, shoot};
use perennial_fleet::feed;

mod explain;
mod pause;
mod revoke;
mod stop;

/// A service over a fleet of these names, without an engine.
struct Desk {
    board: Arc<Board>,
    clock: ManualClock,
    service: Service,
    requests: mpsc::Receiver<engine::Request>,
    supervisor: Supervisor,
}

impl Desk {
    fn of(names: &[&str]) -> Self {
        let now = at(0);
        let clock = ManualClock::at(now);
        let board = Board::new(settings(), Arc::new(clock.clone()));
        board.update(|fleet, _| {
            fleet.hear_of_stop(now, None);
            fleet.hear_of_records(now, feed::Event::Opened);
            for name in names {
                fleet.hear_of_records(now, feed::Event::Upsert(fresh(name, 0)));
            }
            fleet.hear_of_records(now, feed::Event::Complete);
            let status = shoot("shoot-1", Reach::Reachable);
            fleet.hear_of_shoots(now, 0, feed::Event::Upsert(status));
        });
        let (sender, requests) = mpsc::channel(1);
        let supervisor = Supervisor::new(Duration::from_secs(1));
        let replica = Arc::new(Replica { name: "scheduler-0".to_owned(), since: now });
        let (handle, _) = Handle::new(Arc::new(Unthrown));
        let service =
            Service::new(Arc::clone(&board), sender, supervisor.shutdown(), replica, handle);
        Self { board, clock, service, requests, supervisor }
    }

    async fn page(&self, size: u32, token: &str) -> (Vec<String>, String) {
        let message = ListSchedulesRequest {
            page_size: size,
            page_token: token.to_owned(),
            ..ListSchedulesRequest::default()
        };
        let answer = self.service.list_schedules(Request::new(message)).await.unwrap();
        let ListSchedulesResponse { schedules, next_page_token, .. } = answer.into_inner();
        (schedules.into_iter().map(|schedule| schedule.name).collect(), next_page_token)
    }

    fn get(&self, name: &str) -> GetScheduleRequest {
        let (namespace, name) = name.split_once('/').unwrap();
        GetScheduleRequest { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().expect("an ErrorInfo").reason
}

#[tokio::test]
async fn a_list_is_paged_and_the_last_page_says_so() {
    let desk = Desk::of(&["shoot-1/a", "shoot-1/b", "shoot-2/c"]);
    assert_eq!(desk.page(0, "").await.0, ["a", "b", "c"]);
    let (first, token) = desk.page(2, "").await;
    assert_eq!(first, ["a", "b"]);
    assert_eq!(desk.page(2, &token).await, (vec!["c".to_owned()], String::new()));
    assert_eq!(desk.page(3, "").await.1, "", "a page that is just full is the last");
}

#[tokio::test]
async fn a_schedule_is_found_by_name_and_nonsense_is_told_apart_from_nothing() {
    let desk = Desk::of(&["shoot-1/a"]);
    let get = async |name| {
        let request = Request::new(desk.get(name));
        desk.service.get_schedule(request).await.map(|a| a.into_inner().schedule.unwrap())
    };
    let schedule = get("shoot-1/a").await.unwrap();
    assert_eq!(schedule.state(), State::Fresh);
    assert_eq!(schedule.last_renewal.unwrap().reason, "nothing_held");
    let none = get("shoot-1/none").await.unwrap_err();
    assert_eq!((none.code(), reason(&none).as_str()), (Code::NotFound, "SECRET_NOT_FOUND"));
    let nonsense = get("shoot-1/No").await.unwrap_err();
    assert_eq!(
        (nonsense.code(), reason(&nonsense).as_str()),
        (Code::InvalidArgument, "NAME_INVALID")
    );
}

#[tokio::test]
async fn a_watch_sends_the_set_then_a_mark_then_changes_and_ends_with_the_service() {
    let desk = Desk::of(&["shoot-1/a", "shoot-1/b", "shoot-2/c"]);
    let request = WatchSchedulesRequest { namespace: "shoot-1".to_owned() };
    let stream = desk.service.watch_schedules(Request::new(request)).await.unwrap();
    let mut names = stream.into_inner().map(|message| match message.unwrap().event.unwrap() {
        Event::Upsert(schedule) => schedule.name,
        Event::Removed(secret) => format!("no {}", secret.name),
        Event::SnapshotComplete(_) => "mark".to_owned(),
        turned @ (Event::Stopped(_) | Event::Resumed(_) | Event::Pauses(_)) => {
            panic!("nobody stopped: {turned:?}")
        }
    });
    let watching = async {
        let set: Vec<_> = names.by_ref().take(3).collect().await;
        assert_eq!(set, ["a", "b", "mark"]);
        desk.board.update(|fleet, now| {
            fleet.hear_of_records(now, feed::Event::Upsert(bare("shoot-2/other")));
            fleet.hear_of_records(now, feed::Event::Upsert(bare("shoot-1/new")));
            fleet.hear_of_records(now, feed::Event::Removed(named("shoot-1/a")));
        });
        let changes: Vec<_> = names.by_ref().take(2).collect().await;
        assert_eq!(changes, ["no a", "new"]);
    };
    desk.supervisor.run_until(watching).await.unwrap();
    assert_eq!(names.next().await, None);
}

#[tokio::test]
async fn a_request_that_finds_no_room_or_no_engine_is_told_so() {
    let Desk { service, mut requests, .. } = Desk::of(&["shoot-1/a"]);
    let renew = || {
        let request = RenewNowRequest { namespace: "shoot-1".to_owned(), name: "a".to_owned() };
        service.renew_now(Request::new(request))
    };
    let waiting = renew();
    let crowd = async {
        let full = renew().await.unwrap_err();
        assert_eq!(full.code(), Code::ResourceExhausted);
        drop(requests.recv().await);
        requests.close();
    };
    let (stopped, ()) = tokio::join!(waiting, crowd);
    assert_eq!(reason(&stopped.unwrap_err()), "STOPPING");
    assert_eq!(renew().await.unwrap_err().code(), Code::Unavailable);
}
