//! Campaigns over three real services: begun, watched to their end, ended, and gone on with after a
//! restart.

use perennial_core::{campaign::NAME, generation::REFUSED_WITHIN, keys, token::Claims};
use perennial_lab::poll::Look;
use perennial_proto::scheduler::v1::{
    CampaignPhase, CampaignProgress, CancelCampaignRequest, GetCampaignRequest,
    ListCampaignsRequest, ResumeRequest, StartCampaignRequest, StopRequest, WatchCampaignRequest,
    start_campaign_request::Wanted,
};
use perennial_rpc::{client::with_deadline, identity::Role};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::house::{House, Setup, namespace, operator::DEADLINE, token};

const NAMESPACE: &str = "perennial-system";

impl House {
    async fn campaign(&self, shoot: usize, wanted: Wanted) -> Result<String, Status> {
        let request = StartCampaignRequest {
            namespace: namespace(shoot),
            reason: "tested".to_owned(),
            wanted: Some(wanted),
            ..StartCampaignRequest::default()
        };
        let answer = self.scheduler().start_campaign(with_deadline(request, DEADLINE)).await?;
        Ok(answer.into_inner().campaign.unwrap().id)
    }

    async fn progress(&self, id: &str) -> CampaignProgress {
        let request = with_deadline(GetCampaignRequest { id: id.to_owned() }, DEADLINE);
        let answer = self.scheduler().get_campaign(request).await.unwrap();
        answer.into_inner().progress.unwrap()
    }

    /// Watches a campaign to its end; all that was told.
    async fn watch_campaign(&self, id: &str) -> Vec<CampaignProgress> {
        let request = WatchCampaignRequest { id: id.to_owned() };
        let mut stream = self.scheduler().watch_campaign(request).await.unwrap().into_inner();
        let mut told = Vec::new();
        while let Some(message) = stream.message().await.unwrap() {
            told.push(message.progress.unwrap());
        }
        told
    }

    async fn stop_all(&self) {
        let request = StopRequest { reason: "tested".to_owned() };
        self.scheduler().stop(with_deadline(request, DEADLINE)).await.unwrap();
    }

    async fn resume_all(&self) {
        let request = with_deadline(ResumeRequest {}, DEADLINE);
        self.scheduler().resume(request).await.unwrap();
    }
}

#[tokio::test]
async fn every_token_of_one_shoot_is_renewed_once_and_then_it_is_done() {
    let house = House::settled(Setup { shoots: 2, ..Setup::default() }).await;
    let names: Vec<_> = ["a", "b", "c"].map(|account| house.ask(1, account)).into();
    let other = house.ask(2, "a");
    house.all_fresh(4 + 2).await;
    let tokens = |shoot: usize, names: &[String]| -> Vec<_> {
        names.iter().map(|name| token(&house.secret(shoot, name)).unwrap()).collect()
    };
    let (before, others) = (tokens(1, &names), tokens(2, std::slice::from_ref(&other)));
    let spent = house.counts();
    // The tokens are younger than a second: what is asked for is that none is older than now.
    house.clock.advance(std::time::Duration::from_secs(5));
    let id = house.campaign(1, Wanted::IssuedFromNow(true)).await.unwrap();
    let told = house.watch_campaign(&id).await;
    let last = told.last().unwrap();
    assert_eq!((last.phase(), last.done, last.total), (CampaignPhase::Done, 4, 4), "{last:?}");
    let after = tokens(1, &names);
    assert!(before.iter().all(|old| !after.contains(old)));
    assert_eq!(tokens(2, &[other]), others, "not of its selection");
    assert_eq!(house.spent_since(&spent).dear()[0], 4, "one TokenRequest each");
    assert_eq!(house.progress(&id).await.phase(), CampaignPhase::Done);
}

#[tokio::test]
async fn only_secrets_whose_labels_are_selected_are_renewed() {
    let house = House::new().await;
    let names: Vec<_> = ["a", "b", "c"].map(|account| house.ask(1, account)).into();
    for name in &names[..2] {
        house.edit(1, name, |secret| secret["metadata"]["labels"]["app"] = "etcd".into());
    }
    house.all_fresh(4).await;
    let left = token(&house.secret(1, &names[2]));
    let spent = house.counts();
    house.clock.advance(std::time::Duration::from_secs(5));
    let request = |selector: &str| StartCampaignRequest {
        label_selector: selector.to_owned(),
        reason: "tested".to_owned(),
        wanted: Some(Wanted::IssuedFromNow(true)),
        ..StartCampaignRequest::default()
    };
    let refusal = async |selector| {
        let status = house.scheduler().start_campaign(request(selector)).await.unwrap_err();
        (status.code(), status.get_details_error_info().unwrap().reason)
    };
    let nonsense = (Code::InvalidArgument, "LABEL_SELECTOR_INVALID".to_owned());
    assert_eq!(refusal("app in etcd").await, nonsense);
    assert_eq!(refusal("app=edcd").await, (Code::NotFound, "NOTHING_SELECTED".to_owned()));
    let begun = house.scheduler().start_campaign(request("app in (etcd,vpn)")).await.unwrap();
    let campaign = begun.into_inner().campaign.unwrap();
    assert_eq!(campaign.label_selector, "app in (etcd,vpn)");
    let told = house.watch_campaign(&campaign.id).await;
    let last = told.last().unwrap();
    assert_eq!((last.phase(), last.done, last.total), (CampaignPhase::Done, 2, 2), "{last:?}");
    assert_eq!(token(&house.secret(1, &names[2])), left);
    assert_eq!(house.spent_since(&spent).dear()[0], 2, "one TokenRequest each");
}

#[tokio::test]
async fn d_a_campaign_that_revokes_ends_with_old_tokens_refused_and_says_what_it_cannot() {
    let house = House::new().await;
    let (name, plain) = (house.ask(1, "a"), house.ask(1, "plain"));
    house.edit(1, &name, |secret| {
        secret["metadata"]["annotations"][keys::REVOCABLE] = "true".into();
    });
    house.all_fresh(3).await;
    let is_bound = |secret: &serde_json::Value| {
        let claims = token(secret).and_then(|text| Claims::read(text.as_bytes()).ok());
        claims.is_some_and(|claims| claims.bound.is_some())
    };
    let old = token(&house.wait(1, &name, "a bound token", is_bound).await).unwrap();
    let spent = house.counts();
    house.clock.advance(std::time::Duration::from_secs(5));
    let request = StartCampaignRequest {
        namespace: namespace(1),
        reason: "tested".to_owned(),
        wanted: Some(Wanted::RevokedFromNow(true)),
        grace: Some(prost_types::Duration { seconds: 0, nanos: 0 }),
        ..StartCampaignRequest::default()
    };
    let with_grace =
        StartCampaignRequest { wanted: Some(Wanted::IssuedFromNow(true)), ..request.clone() };
    let refused = house.scheduler().start_campaign(with_grace).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "a grace without a revocation");
    let begun = house.scheduler().start_campaign(request).await.unwrap();
    let id = begun.into_inner().campaign.unwrap().id;
    house
        .until("all generations from before gone", async || match house.progress(&id).await {
            progress if progress.refused_from.is_some() => Look::Done(()),
            progress => Look::Waiting(format!("{progress:?}")),
        })
        .await;
    house.clock.advance(REFUSED_WITHIN);
    let told = house.watch_campaign(&id).await;
    let last = told.last().unwrap();
    assert_eq!((last.phase(), last.done), (CampaignPhase::Incomplete, 1), "{last:?}");
    // The one of the token-issuer itself is no more revocable than that of the other component.
    assert_eq!((last.cannot[0].why.as_str(), last.cannot[0].count), ("not_revocable", 2));
    assert!(last.cannot[0].first.iter().any(|secret| secret.ends_with(&plain)));
    assert!(house.shoot(1).authenticate(&old).is_none(), "the old token is refused");
    assert_eq!(house.spent_since(&spent).dear()[0], 1, "one TokenRequest");
}

#[tokio::test]
async fn a_campaign_outlives_a_restart_of_the_scheduler_and_costs_no_token_twice() {
    let mut house = House::new().await;
    for account in ["a", "b", "c"] {
        house.ask(1, account);
    }
    house.all_fresh(4).await;
    let spent = house.counts();
    house.clock.advance(std::time::Duration::from_secs(5));
    house.stop_all().await;
    let id = house.campaign(1, Wanted::IssuedFromNow(true)).await.unwrap();
    house
        .until("a campaign that is held back", async || {
            let progress = house.progress(&id).await;
            match progress.to_do == 4 && progress.held_back.contains("stopped") {
                true => Look::Done(()),
                false => Look::Waiting(format!("{progress:?}")),
            }
        })
        .await;
    house.restart(Role::Scheduler).await;
    house.resume_all().await;
    house
        .until("the end of the campaign", async || match house.progress(&id).await {
            progress if progress.phase() == CampaignPhase::Done => Look::Done(()),
            progress => Look::Waiting(format!("{progress:?}")),
        })
        .await;
    assert_eq!(house.spent_since(&spent).dear()[0], 4, "one TokenRequest each");
}

#[tokio::test]
async fn a_campaign_that_is_cancelled_renews_nothing_more_and_says_so() {
    let house = House::new().await;
    house.ask(1, "a");
    house.all_fresh(2).await;
    house.stop_all().await;
    let spent = house.counts();
    house.clock.advance(std::time::Duration::from_secs(5));
    let id = house.campaign(1, Wanted::IssuedFromNow(true)).await.unwrap();
    let request = with_deadline(CancelCampaignRequest { id: id.clone() }, DEADLINE);
    house.scheduler().cancel_campaign(request).await.unwrap();
    house.resume_all().await;
    let told = house.watch_campaign(&id).await;
    assert_eq!(told.last().unwrap().phase(), CampaignPhase::Cancelled);
    let all = with_deadline(ListCampaignsRequest {}, DEADLINE);
    let all = house.scheduler().list_campaigns(all).await.unwrap().into_inner().campaigns;
    assert_eq!(all.len(), 1);
    assert!(all[0].campaign.as_ref().unwrap().cancelled_at.is_some());
    assert_eq!(house.spent_since(&spent).dear()[0], 0);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_the_reason() {
    let house = House::new().await;
    house.ask(1, "a");
    house.all_fresh(2).await;
    let refusal = async |shoot: usize, wanted| {
        let status = house.campaign(shoot, wanted).await.unwrap_err();
        let reason = status.get_details_error_info().unwrap().reason;
        (status.code(), reason)
    };
    let now = || Wanted::IssuedFromNow(true);
    assert_eq!(refusal(7, now()).await, (Code::NotFound, "SHOOT_NOT_FOUND".to_owned()));
    let typed_wrong = Wanted::NotSignedBy("no-such-key".to_owned());
    assert_eq!(refusal(1, typed_wrong).await, (Code::NotFound, "KEY_NOT_FOUND".to_owned()));
    let none = Wanted::IssuedFromNow(false);
    assert_eq!(refusal(1, none).await, (Code::InvalidArgument, "WANTED_INVALID".to_owned()));
    let everything = StartCampaignRequest {
        reason: "tested".to_owned(),
        wanted: Some(now()),
        ..StartCampaignRequest::default()
    };
    let refused = house.scheduler().start_campaign(everything).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "neither a shoot nor all");
    assert!(house.seed.get("configmaps", NAMESPACE, NAME).is_none(), "nothing is stored");
}
