//! Pauses of shoots: nothing is ordered for one shoot until it is resumed, whatever restarts meanwhile.

use std::time::Duration;

use perennial_core::{pause::NAME, stop::NO_REASON};
use perennial_lab::poll::Look;
use perennial_proto::scheduler::v1::{
    ListSchedulesRequest, Pause, PauseShootRequest, PauseShootResponse, ResumeShootRequest,
    ResumeShootResponse, Schedule, State, scheduler_client::SchedulerClient,
};
use perennial_rpc::{client::with_deadline, convert::duration, identity::Role};
use perennial_testing::api_server::{Fault, On};
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::house::{House, Setup, namespace, operator::DEADLINE, token};

const NAMESPACE: &str = "perennial-system";
const OPERATOR: &str = "spiffe://cluster.local/ns/perennial-system/sa/operator";

impl House {
    async fn pause(
        &self,
        shoot: usize,
        lasting: Option<Duration>,
    ) -> Result<PauseShootResponse, Status> {
        let request = PauseShootRequest {
            namespace: namespace(shoot),
            reason: "migration".to_owned(),
            r#for: lasting.map(duration),
            dry_run: false,
        };
        Ok(self.scheduler().pause_shoot(with_deadline(request, DEADLINE)).await?.into_inner())
    }

    async fn resume_shoot(&self, shoot: usize) -> ResumeShootResponse {
        let request = with_deadline(ResumeShootRequest { namespace: namespace(shoot) }, DEADLINE);
        self.scheduler().resume_shoot(request).await.unwrap().into_inner()
    }

    async fn pauses(&self) -> Vec<Pause> {
        let request = with_deadline(ListSchedulesRequest::default(), DEADLINE);
        self.scheduler().list_schedules(request).await.unwrap().into_inner().pauses
    }

    /// Makes a Secret, and waits until the scheduler would have it renewed.
    async fn ask_paused(&self, shoot: usize, account: &str, why: &str) -> String {
        let name = self.ask(shoot, account);
        let is_paused = |schedule: &Schedule| {
            let is_due = schedule.state() == State::Due && schedule.paused;
            is_due && schedule.detail.contains(why)
        };
        self.wait_for_schedule(shoot, &name, why, is_paused).await;
        assert_eq!(token(&self.secret(shoot, &name)), None);
        name
    }

    async fn until_paused(&self, count: usize) -> Vec<Pause> {
        self.until("paused shoots", async || match self.pauses().await {
            pauses if pauses.len() == count => Look::Done(pauses),
            pauses => Look::Waiting(format!("{pauses:?}")),
        })
        .await
    }
}

#[tokio::test]
async fn a_pause_holds_over_a_restart_for_its_shoot_alone_until_it_is_resumed() {
    let mut house = House::settled(Setup { shoots: 2, ..Setup::default() }).await;
    let held = house.ask(1, "kube-proxy");
    house.all_fresh(3).await;
    let answer = house.pause(1, None).await.unwrap();
    assert!(!answer.was_paused);
    let pause = answer.pause.unwrap();
    assert_eq!((pause.reason.as_str(), pause.by.as_str()), ("migration", OPERATOR));
    let outlook = answer.outlook.unwrap();
    assert_eq!((outlook.secrets, outlook.expiring, outlook.expiring_within_day), (2, 0, 1));
    assert_eq!(outlook.first[0].name, held);

    let waiting = house.ask_paused(1, "etcd", "its shoot is paused by spiffe://").await;
    let other = house.ask(2, "etcd");
    house.wait_for_token(2, &other).await;
    house.restart(Role::Scheduler).await;
    let second = house.ask_paused(1, "another", "its shoot is paused by spiffe://").await;
    assert_eq!(house.pauses().await, std::slice::from_ref(&pause), "who, when and why are kept");
    let refused = house.renew_now(1, &held).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert_eq!(refused.get_error_details().error_info().unwrap().reason, "SHOOT_PAUSED");
    assert!(house.renew_now(2, &other).await.is_ok());

    let answer = house.resume_shoot(1).await;
    assert_eq!((answer.ended, answer.outlook.unwrap().waiting), (Some(pause), 2));
    house.wait_for_token(1, &waiting).await;
    house.wait_for_token(1, &second).await;
    assert_eq!(house.pauses().await, []);
}

#[tokio::test]
async fn a_pause_with_an_end_is_over_by_itself() {
    let house = House::new().await;
    let hours = Some(Duration::from_secs(2 * 60 * 60));
    let answer = house.pause(1, hours).await.unwrap();
    assert!(answer.pause.unwrap().until.is_some());
    let name = house.ask_paused(1, "etcd", " until ").await;
    house.clock.advance(Duration::from_secs(2 * 60 * 60 + 1));
    house.wait_for_token(1, &name).await;
    assert_eq!(house.pauses().await, []);
    assert_eq!(house.resume_shoot(1).await.ended, None, "it was over");
}

#[tokio::test]
async fn to_pause_and_to_resume_twice_is_no_mistake_and_only_the_operator_may() {
    let house = House::new().await;
    assert_eq!(house.resume_shoot(1).await.ended, None);
    house.pause(1, None).await.unwrap();
    let again = house.pause(1, Some(Duration::from_secs(60))).await.unwrap();
    assert_eq!((again.was_paused, again.pause.unwrap().until), (true, None), "the first one stays");
    let refused = house.pause(9, None).await.unwrap_err();
    assert_eq!(refused.get_error_details().error_info().unwrap().reason, "SHOOT_NOT_FOUND");
    for role in House::SERVICES {
        let mut stranger = SchedulerClient::new(house.channel(role, Role::Scheduler));
        let pause = stranger.pause_shoot(PauseShootRequest::default()).await.unwrap_err();
        let resume = stranger.resume_shoot(ResumeShootRequest::default()).await.unwrap_err();
        assert_eq!([pause.code(), resume.code()], [Code::PermissionDenied; 2], "{role}");
    }
    assert!(house.resume_shoot(1).await.ended.is_some());
    assert_eq!(house.resume_shoot(1).await.ended, None);
}

#[tokio::test]
async fn a_key_made_by_hand_pauses_and_to_delete_the_config_map_resumes_all() {
    let house = House::new().await;
    let name = json!({"namespace": NAMESPACE, "name": NAME});
    let data = json!({namespace(1): "", "shoot--not-made-yet": "ahead of time"});
    house.seed.create(json!({"kind": "ConfigMap", "metadata": name, "data": data}));
    let pauses = house.until_paused(2).await;
    assert_eq!((pauses[0].reason.as_str(), pauses[0].by.as_str()), (NO_REASON, "somebody by hand"));
    assert_eq!(pauses[1].reason, "ahead of time");
    let name = house.ask_paused(1, "etcd", NO_REASON).await;
    house.seed.delete("configmaps", NAMESPACE, NAME);
    house.wait_for_token(1, &name).await;
}

#[tokio::test]
async fn what_the_seed_said_last_of_pauses_holds_while_it_does_not_answer() {
    let house = House::new().await;
    house.pause(1, None).await.unwrap();
    for verb in ["list", "watch"] {
        house.seed.fail(On::call(verb, "configmaps"), Fault::Forbidden);
    }
    house.seed.end_watches();
    let name = house.ask_paused(1, "etcd", "migration").await;
    assert!(house.unready().is_empty(), "it is as ready as before");
    house.seed.delete("configmaps", NAMESPACE, NAME);
    house.seed.heal();
    house.wait_for_token(1, &name).await;
}
