use futures::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use perennial_core::{
    campaign::{Campaign, Campaigns},
    name::CampaignId,
    pause::{Pause, Pauses},
    stop::Stop,
};
use perennial_kube::{
    Error,
    own_namespace::{Change, Made},
};
use perennial_proto::scheduler::v1::Stopped;

use super::*;
use crate::{fixtures::Unthrown, stop::Switch};

/// A seed that refuses to have its ConfigMap written.
#[derive(Debug)]
pub(super) struct Refusing;

impl Switch for Refusing {
    fn watch(&self, _: BoxStream<'static, ()>) -> BoxStream<'static, Change<Option<Stop>>> {
        futures::stream::pending().boxed()
    }

    fn stop(&self, _: Stop) -> BoxFuture<'static, Result<(Stop, bool), Error>> {
        async { Err(refused()) }.boxed()
    }

    fn resume(&self) -> BoxFuture<'static, Result<Option<Stop>, Error>> {
        async { Err(refused()) }.boxed()
    }

    fn watch_pauses(&self, _: BoxStream<'static, ()>) -> BoxStream<'static, Change<Pauses>> {
        futures::stream::pending().boxed()
    }

    fn pause(
        &self,
        _: Namespace,
        _: Pause,
        _: Timestamp,
    ) -> BoxFuture<'static, Result<Made, Error>> {
        async { Err(refused()) }.boxed()
    }

    fn resume_shoot(&self, _: Namespace) -> BoxFuture<'static, Result<Option<Pause>, Error>> {
        async { Err(refused()) }.boxed()
    }

    fn watch_campaigns(
        &self,
        looks: BoxStream<'static, ()>,
    ) -> BoxStream<'static, Change<Campaigns>> {
        Unthrown.watch_campaigns(looks)
    }

    fn start_campaign(
        &self,
        id: CampaignId,
        campaign: Campaign,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<bool, Error>> {
        Unthrown.start_campaign(id, campaign, now)
    }

    fn cancel_campaign(
        &self,
        id: CampaignId,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<Option<Campaign>, Error>> {
        Unthrown.cancel_campaign(id, now)
    }
}

fn refused() -> Error {
    Error::Refused {
        operation: "write ConfigMap perennial-system/perennial-stop".to_owned(),
        code: 403,
        reason: "Forbidden".to_owned(),
        message: "configmaps \"perennial-stop\" is forbidden".to_owned(),
        about: None,
        retry_after: None,
    }
}

fn asking(reason: &str) -> Request<StopRequest> {
    Request::new(StopRequest { reason: reason.to_owned() })
}

fn wrong_tokens() -> Stop {
    Stop::new("wrong tokens".parse().unwrap(), "spiffe://x".to_owned(), at(0))
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_answered_once_this_scheduler_holds_to_it_and_not_before() {
    let desk = Desk::of(&["shoot-1/a"]);
    let stopping = desk.service.stop(asking("wrong tokens"));
    tokio::pin!(stopping);
    assert!(stopping.as_mut().now_or_never().is_none(), "the engine has not heard of it");
    desk.board.update(|fleet, now| fleet.hear_of_stop(now, Some(wrong_tokens())));
    let answer = stopping.await.unwrap().into_inner();
    assert_eq!(answer.stopped.unwrap().reason, "wrong tokens");
    assert_eq!(answer.outlook.unwrap().next_to_expire.unwrap().name, "a");

    let resuming = desk.service.resume(Request::new(ResumeRequest {}));
    let status = resuming.await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::DeadlineExceeded, "SWITCH_NOT_HEARD"),
        "stored, and nobody says so"
    );
}

#[tokio::test]
async fn a_reason_that_nobody_could_read_is_refused() {
    let desk = Desk::of(&[]);
    for text in ["", "  ", "a\nb", &"x".repeat(501)] {
        let status = desk.service.stop(asking(text)).await.unwrap_err();
        let told = (status.code(), reason(&status));
        assert_eq!(told, (Code::InvalidArgument, "STOP_REASON_INVALID".to_owned()), "{text:?}");
    }
}

#[tokio::test]
async fn where_the_seed_refuses_the_answer_says_how_to_stop_by_hand() {
    let Desk { board, requests, supervisor, .. } = Desk::of(&[]);
    drop(requests);
    let replica = Arc::new(Replica { name: "scheduler-0".to_owned(), since: at(0) });
    let (handle, _) = Handle::new(Arc::new(Refusing));
    let (sender, _) = mpsc::channel(1);
    let service = Service::new(board, sender, supervisor.shutdown(), replica, handle);
    let stopped = service.stop(asking("wrong tokens")).await.unwrap_err();
    let resumed = service.resume(Request::new(ResumeRequest {})).await.unwrap_err();
    for status in [stopped, resumed] {
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::PermissionDenied, "API_SERVER_FORBIDDEN")
        );
        let told = status.message();
        assert!(told.contains("is forbidden") && told.contains("create configmap perennial-stop"));
    }
}

#[tokio::test]
async fn whoever_lists_explains_or_watches_sees_the_stop_and_its_end() {
    let desk = Desk::of(&["shoot-1/a"]);
    desk.board.update(|fleet, now| fleet.hear_of_stop(now, Some(wrong_tokens())));
    let listed = desk.service.list_schedules(Request::new(ListSchedulesRequest::default())).await;
    let expected = Stopped {
        reason: "wrong tokens".to_owned(),
        by: "spiffe://x".to_owned(),
        since: Some(perennial_rpc::convert::timestamp(at(0))),
    };
    assert_eq!(listed.unwrap().into_inner().stopped, Some(expected.clone()));
    let GetScheduleRequest { namespace, name } = desk.get("shoot-1/a");
    let request = ExplainScheduleRequest { namespace, name };
    let explained = desk.service.explain_schedule(Request::new(request)).await.unwrap();
    assert_eq!(explained.into_inner().explanation.unwrap().stopped, Some(expected.clone()));

    let watch = Request::new(WatchSchedulesRequest::default());
    let stream = desk.service.watch_schedules(watch).await.unwrap();
    let mut events = stream.into_inner().map(|message| message.unwrap().event.unwrap());
    assert_eq!(events.next().await, Some(Event::Stopped(expected)), "before everything else");
    assert!(matches!(events.next().await, Some(Event::Upsert(_))));
    assert!(matches!(events.next().await, Some(Event::SnapshotComplete(_))));
    desk.board.update(|fleet, now| fleet.hear_of_stop(now, None));
    assert!(matches!(events.next().await, Some(Event::Resumed(_))));
}
