//! Audit mode: everything is decided and shown, and nothing is done.

use std::time::Duration;

use perennial_lab::poll::Look;
use perennial_proto::scheduler::v1::{
    ExplainScheduleRequest, ListSchedulesRequest, State, scheduler_client::SchedulerClient,
};
use perennial_rpc::identity::Role;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::house::{House, OWN, Setup, namespace, token};

/// A seed with Secrets that want tokens, under a scheduler that only looks.
async fn audited() -> (House, String) {
    let house = House::start(Setup { audit: true, ..Setup::default() }).await;
    let name = house.ask(1, "kube-proxy");
    (house, name)
}

#[tokio::test]
async fn in_audit_mode_what_would_be_done_is_shown_with_the_reason_and_nothing_is_done() {
    let (house, name) = audited().await;
    let due = house.wait_for_schedule(1, &name, "due", |s| s.state() == State::Due).await;
    assert_eq!(due.reason, "nothing_held");
    assert!(due.detail.contains("audit mode (--audit)"), "{}", due.detail);
    let before = house.counts();
    house.clock.advance(Duration::from_secs(24 * 60 * 60));
    // The next Secret is seen as the first one was, so that one was judged meanwhile.
    let second = house.ask(1, "another");
    house.wait_for_schedule(1, &second, "due", |s| s.state() == State::Due).await;
    assert_eq!(house.spent_since(&before).dear(), [0; 5], "no token, no account, no write");
    for secret in [OWN, &name, &second] {
        assert_eq!(token(&house.secret(1, secret)), None, "{secret}");
    }
}

#[tokio::test]
async fn in_audit_mode_a_manual_renewal_is_refused_and_every_answer_says_why() {
    let (house, name) = audited().await;
    house.wait_for_schedule(1, &name, "due", |s| s.state() == State::Due).await;
    let refused = house.renew_now(1, &name).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert_eq!(refused.get_error_details().error_info().unwrap().reason, "AUDIT_MODE");
    assert!(refused.message().contains("start it without --audit"), "{refused}");

    let mut scheduler = SchedulerClient::new(house.channel(Role::Operator, Role::Scheduler));
    let listed = scheduler.list_schedules(ListSchedulesRequest::default()).await.unwrap();
    assert!(listed.into_inner().audit);
    let request = ExplainScheduleRequest { namespace: namespace(1), name };
    let explained = scheduler.explain_schedule(request).await.unwrap().into_inner();
    let explained = explained.explanation.unwrap();
    assert!(explained.audit);
    let verdict = explained.verdict.unwrap();
    assert!(verdict.cause.contains("(nothing_held), and nothing is done"), "{}", verdict.cause);
    assert!(verdict.remedy.contains("without --audit"), "{}", verdict.remedy);
    assert_eq!(explained.next.unwrap().what, "would be ordered now (nothing_held)");
}

#[tokio::test]
async fn without_audit_mode_the_same_seed_is_served_at_once() {
    let (house, name) = audited().await;
    house.wait_for_schedule(1, &name, "due", |s| s.state() == State::Due).await;
    let mut house = house;
    house.end_audit().await;
    house
        .until("a token", async || match token(&house.secret(1, &name)) {
            Some(_) => Look::Done(()),
            None => Look::Waiting("none yet".to_owned()),
        })
        .await;
}
