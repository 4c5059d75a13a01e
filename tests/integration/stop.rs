//! The global stop switch: nothing is ordered until it is resumed, whatever restarts meanwhile.

use perennial_core::stop::{NAME, NO_REASON};
use perennial_lab::poll::Look;
use perennial_proto::scheduler::v1::{
    ListSchedulesRequest, ResumeRequest, ResumeResponse, State, StopRequest, StopResponse, Stopped,
    scheduler_client::SchedulerClient,
};
use perennial_rpc::{client::with_deadline, identity::Role};
use perennial_testing::api_server::{Fault, On};
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::house::{House, operator::DEADLINE, token};

const NAMESPACE: &str = "perennial-system";
const OPERATOR: &str = "spiffe://cluster.local/ns/perennial-system/sa/operator";

impl House {
    async fn stop_fleet(&self, reason: &str) -> Result<StopResponse, Status> {
        let request = StopRequest { reason: reason.to_owned() };
        Ok(self.scheduler().stop(with_deadline(request, DEADLINE)).await?.into_inner())
    }

    async fn resume_fleet(&self) -> ResumeResponse {
        let request = with_deadline(ResumeRequest {}, DEADLINE);
        self.scheduler().resume(request).await.unwrap().into_inner()
    }

    async fn stopped(&self) -> Option<Stopped> {
        let request = with_deadline(ListSchedulesRequest::default(), DEADLINE);
        self.scheduler().list_schedules(request).await.unwrap().into_inner().stopped
    }

    /// Makes a Secret, and waits until the scheduler would have it renewed.
    async fn ask_in_vain(&self, account: &str, why: &str) -> String {
        let name = self.ask(1, account);
        let is_due = |schedule: &perennial_proto::scheduler::v1::Schedule| {
            schedule.state() == State::Due && schedule.detail.contains(why)
        };
        self.wait_for_schedule(1, &name, why, is_due).await;
        assert_eq!(token(&self.secret(1, &name)), None);
        name
    }
}

#[tokio::test]
async fn a_stop_holds_over_a_restart_of_the_scheduler_until_it_is_resumed() {
    let mut house = House::new().await;
    let held = house.ask(1, "kube-proxy");
    house.all_fresh(2).await;
    let before = house.counts();
    let answer = house.stop_fleet("wrong tokens").await.unwrap();
    assert!(!answer.was_stopped);
    let stopped = answer.stopped.unwrap();
    assert_eq!((stopped.reason.as_str(), stopped.by.as_str()), ("wrong tokens", OPERATOR));
    let outlook = answer.outlook.unwrap();
    assert_eq!((outlook.unusable, outlook.next_to_expire.unwrap().name), (0, held.clone()));

    let name = house.ask_in_vain("etcd", "stopped by spiffe://").await;
    house.restart(Role::Scheduler).await;
    let second = house.ask_in_vain("another", "stopped by spiffe://").await;
    assert_eq!(house.stopped().await, Some(stopped.clone()), "who, when and why are kept");
    let refused = house.renew_now(1, &held).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert_eq!(refused.get_error_details().error_info().unwrap().reason, "FLEET_STOPPED");
    assert_eq!(house.spent_since(&before).dear(), [0; 5], "no token, no account, no write");

    let answer = house.resume_fleet().await;
    assert_eq!(answer.ended, Some(stopped));
    assert_eq!(answer.outlook.unwrap().waiting, 2);
    house.wait_for_token(1, &name).await;
    house.wait_for_token(1, &second).await;
    assert_eq!(house.stopped().await, None);
}

#[tokio::test]
async fn to_stop_and_to_resume_twice_is_no_mistake_and_only_the_operator_may() {
    let house = House::new().await;
    assert_eq!(house.resume_fleet().await.ended, None);
    house.stop_fleet("first").await.unwrap();
    let again = house.stop_fleet("second").await.unwrap();
    assert!(again.was_stopped);
    assert_eq!(again.stopped.unwrap().reason, "first", "the first one stays");
    let refused = house.stop_fleet("a\nb").await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    for role in House::SERVICES {
        let mut stranger = SchedulerClient::new(house.channel(role, Role::Scheduler));
        let stop = stranger.stop(StopRequest { reason: "x".to_owned() }).await.unwrap_err();
        let resume = stranger.resume(ResumeRequest {}).await.unwrap_err();
        assert_eq!([stop.code(), resume.code()], [Code::PermissionDenied; 2], "{role}");
    }
    assert_eq!(house.resume_fleet().await.ended.unwrap().reason, "first");
    assert_eq!(house.resume_fleet().await.ended, None);
    assert_eq!(house.seed.get("configmaps", NAMESPACE, NAME), None);
}

#[tokio::test]
async fn an_empty_config_map_made_by_hand_stops_and_to_delete_it_resumes() {
    let house = House::new().await;
    let name = json!({"namespace": NAMESPACE, "name": NAME});
    house.seed.create(json!({"kind": "ConfigMap", "metadata": name}));
    let stopped = house
        .until("a stopped fleet", async || match house.stopped().await {
            Some(stopped) => Look::Done(stopped),
            None => Look::Waiting("it runs".to_owned()),
        })
        .await;
    assert_eq!((stopped.reason.as_str(), stopped.by.as_str()), (NO_REASON, "somebody by hand"));
    assert!(stopped.since.is_some(), "when it was made");
    let name = house.ask_in_vain("etcd", NO_REASON).await;
    house.seed.delete("configmaps", NAMESPACE, NAME);
    house.wait_for_token(1, &name).await;
}

#[tokio::test]
async fn a_scheduler_that_cannot_read_the_switch_orders_nothing_and_is_not_ready() {
    let mut house = House::new().await;
    for (account, fault) in [("away", Fault::Unavailable), ("refused", Fault::Forbidden)] {
        house.stop(Role::Scheduler).await;
        house.seed.fail(On::call("list", "configmaps"), fault);
        house.launch(Role::Scheduler).await;
        let name = house.ask_in_vain(account, "was not read yet").await;
        house
            .until("the reason why it is not ready", async || {
                let unready = house.unready().join("; ");
                let told = unready.contains("stop switch") && unready.contains("perennial-stop");
                if told { Look::Done(()) } else { Look::Waiting(unready) }
            })
            .await;
        house.seed.heal();
        house.ready().await;
        house.wait_for_token(1, &name).await;
    }
}

#[tokio::test]
async fn what_the_seed_said_last_holds_while_it_does_not_answer() {
    let house = House::new().await;
    house.stop_fleet("wrong tokens").await.unwrap();
    for verb in ["list", "watch"] {
        house.seed.fail(On::call(verb, "configmaps"), Fault::Forbidden);
    }
    let tries = || house.seed.calls().of("watch", "configmaps");
    let before = tries();
    house.seed.end_watches();
    house
        .until("two tries in vain", async || match tries() - before {
            2.. => Look::Done(()),
            tries => Look::Waiting(format!("{tries} tries")),
        })
        .await;
    let name = house.ask_in_vain("etcd", "wrong tokens").await;
    assert!(house.unready().is_empty(), "it is as ready as before");
    // What happens meanwhile is seen once the seed answers again.
    house.seed.delete("configmaps", NAMESPACE, NAME);
    house.seed.heal();
    house.wait_for_token(1, &name).await;
}
