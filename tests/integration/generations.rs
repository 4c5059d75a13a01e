//! What revocable tokens are bound to (contract, section D), at the token-issuer: made, told of and
//! deleted, over a fake API server that refuses a token whose generation is gone.

use std::{collections::BTreeMap, time::Duration};

use perennial_core::{
    generation::Family,
    keys,
    token::{Claims, Token},
};
use perennial_lab::poll::Look;
use perennial_proto::issuer::v1::{
    Binding, GenerationFamily, GenerationsSeen, IssueTokenRequest, ObserveShootRequest,
    RevokeGenerationRequest, RevokeGenerationResponse, ServiceAccount, WatchShootsRequest,
    token_issuer_client::TokenIssuerClient, watch_shoots_response::Event,
};
use perennial_rpc::{client::Channel, convert, identity::Role};
use perennial_testing::api_server::{Calls, Fault, On};
use serde_json::Value;
use tonic::{Code, Status, Streaming};

use crate::house::{House, MOMENT, namespace};

const ACCOUNT: &str = "revocable";
const SECRET: &str = "shoot-access-revocable";
/// Between two tokens of one Secret, so that no memory of a storm holds the next.
const CALM: Duration = Duration::from_secs(60 * 60);

fn family() -> Family {
    Family { namespace: "kube-system".parse().unwrap(), secret: SECRET.parse().unwrap() }
}

fn account() -> Option<ServiceAccount> {
    Some(ServiceAccount { namespace: "kube-system".to_owned(), name: ACCOUNT.to_owned() })
}

/// The token-issuer, as the secret-writer calls it.
struct Stage {
    house: House,
    issuer: TokenIssuerClient<Channel>,
}

impl Stage {
    async fn new() -> Self {
        let house = House::new().await;
        let issuer = TokenIssuerClient::new(house.channel(Role::SecretWriter, Role::TokenIssuer));
        Self { house, issuer }
    }

    async fn issue(&mut self, binding: Binding) -> (Token, Claims) {
        self.house.clock.advance(CALM);
        let request = IssueTokenRequest {
            namespace: namespace(1),
            name: SECRET.to_owned(),
            account: account(),
            lifetime: Some(convert::duration(Duration::from_secs(12 * 60 * 60))),
            binding: Some(binding),
            ..IssueTokenRequest::default()
        };
        let token = self.issuer.issue_token(request).await.unwrap().into_inner().token;
        let claims = Claims::read(token.as_bytes()).unwrap();
        (Token::new(token), claims)
    }

    /// A token of the next generation, with a grace of 4 minutes.
    async fn issue_next(&mut self, generation: u32) -> (Token, Claims) {
        let grace = Some(convert::duration(Duration::from_secs(240)));
        self.issue(Binding { generation, revokes: true, grace }).await
    }

    async fn revoke(&mut self, keep: u32) -> Result<RevokeGenerationResponse, Status> {
        let (namespace, name) = (namespace(1), SECRET.to_owned());
        let request = RevokeGenerationRequest {
            namespace,
            name,
            account: account(),
            keep,
            up_to: 0,
            unproved: false,
        };
        Ok(self.issuer.revoke_generation(request).await?.into_inner())
    }

    /// The generations in the shoot, by number.
    fn generations(&self) -> BTreeMap<u32, Value> {
        let all = self.house.shoot(1).list("secrets", "kube-system");
        let number = |secret: &Value| family().number(secret["metadata"]["name"].as_str()?);
        all.into_iter().filter_map(|secret| Some((number(&secret)?, secret))).collect()
    }

    fn calls(&self) -> Calls {
        self.house.counts().shoot(1).clone()
    }

    fn is_taken(&self, token: &Token) -> bool {
        self.house.shoot(1).authenticate(token.expose()).is_some()
    }

    /// What is told of the family from now on.
    async fn watch(&self) -> Streaming<perennial_proto::issuer::v1::WatchShootsResponse> {
        // The scheduler tells what it observes once; ours has to come after that.
        self.house
            .until("what the scheduler itself observes", async || {
                match self.calls().of("watch", "serviceaccounts") {
                    0 => Look::Waiting(String::new()),
                    _ => Look::Done(()),
                }
            })
            .await;
        let channel = self.house.channel(Role::Scheduler, Role::TokenIssuer);
        let mut issuer = TokenIssuerClient::new(channel);
        let (namespace, secret) = ("kube-system".to_owned(), SECRET.to_owned());
        let families = vec![GenerationFamily { namespace, secret }];
        let shoot = crate::house::namespace(1);
        let request = ObserveShootRequest { namespace: shoot, families, ..Default::default() };
        issuer.observe_shoot(request).await.unwrap();
        issuer.watch_shoots(WatchShootsRequest::default()).await.unwrap().into_inner()
    }
}

async fn told(
    stream: &mut Streaming<perennial_proto::issuer::v1::WatchShootsResponse>,
) -> GenerationsSeen {
    let next = async {
        loop {
            let response = stream.message().await.unwrap().expect("a stream does not end");
            if let Some(Event::Generations(seen)) = response.event {
                return seen;
            }
        }
    };
    tokio::time::timeout(MOMENT, next).await.expect("generations are told of")
}

/// The numbers that are there, once they are these.
async fn told_to_be(
    stream: &mut Streaming<perennial_proto::issuer::v1::WatchShootsResponse>,
    wanted: &[u32],
) -> GenerationsSeen {
    loop {
        let seen = told(stream).await;
        let numbers: Vec<_> = seen.present.iter().map(|generation| generation.number).collect();
        if numbers == wanted {
            return seen;
        }
    }
}

#[tokio::test]
async fn d_a_token_dies_with_its_generation_and_a_renewal_costs_one_call() {
    let mut stage = Stage::new().await;
    let (first, claims) = stage.issue(Binding::default()).await;
    assert_eq!(claims.bound.unwrap().name, family().name(1).as_str());
    let generation = &stage.generations()[&1];
    assert_eq!((&generation["immutable"], &generation["data"]), (&true.into(), &Value::Null));
    assert_eq!(generation["metadata"]["labels"][keys::GENERIC], keys::PURPOSE_GENERATION);
    assert!(stage.is_taken(&first));

    let before = stage.calls();
    let (second, _) = stage.issue(Binding { generation: 1, ..Binding::default() }).await;
    let spent = stage.calls().since(&before);
    assert_eq!((spent.token_requests(), spent.writes("secrets")), (1, 0), "{spent:?}");
    assert_eq!(spent.of("list", "secrets"), 0, "{spent:?}");
    stage.house.shoot(1).delete("secrets", "kube-system", family().name(1).as_str());
    assert!(!stage.is_taken(&first) && !stage.is_taken(&second));

    // Account and generation are missing at once.
    stage.house.shoot(1).delete("serviceaccounts", "kube-system", ACCOUNT);
    let (third, claims) = stage.issue(Binding { generation: 1, ..Binding::default() }).await;
    assert!(stage.is_taken(&third));
    let uid = claims.bound.unwrap().uid;
    assert_eq!(stage.generations()[&1]["metadata"]["uid"], *uid, "made anew");
}

#[tokio::test]
async fn d_revoking_makes_the_next_generation_and_then_refuses_the_old_token() {
    let mut stage = Stage::new().await;
    let (old, _) = stage.issue(Binding::default()).await;
    let refused = stage.revoke(2).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert!(stage.is_taken(&old), "the last generation is never deleted");

    let (new, claims) = stage.issue_next(2).await;
    assert_eq!(claims.bound.unwrap().name, family().name(2).as_str());
    let grace = &stage.generations()[&2]["metadata"]["annotations"][keys::GRACE_SECONDS];
    assert_eq!(grace, "240");
    assert!(stage.is_taken(&old) && stage.is_taken(&new), "both, for the grace");

    // The API server takes it for 30 s more, by its clock.
    stage.house.shoot(1).take_bound_tokens_for(Duration::from_secs(30));
    let clock = stage.house.clock.clone();
    let probes = |stage: &Stage| stage.calls().of("get", "/openid/v1/jwks");
    let before = probes(&stage);
    let mut issuer = stage.issuer.clone();
    let (namespace, name) = (namespace(1), SECRET.to_owned());
    let request = RevokeGenerationRequest {
        namespace,
        name,
        account: account(),
        keep: 2,
        up_to: 0,
        unproved: false,
    };
    let look = async {
        stage
            .house
            .until("the old token being tried after the deletion", async || {
                match probes(&stage).saturating_sub(before) {
                    0..3 => Look::Waiting(format!("{} tries", probes(&stage) - before)),
                    _ => Look::Done(()),
                }
            })
            .await;
        assert!(stage.is_taken(&old), "it is remembered");
        clock.advance(Duration::from_secs(31));
    };
    let (revoked, ()) = tokio::join!(issuer.revoke_generation(request), look);
    let revoked = revoked.unwrap().into_inner();
    assert_eq!(revoked, RevokeGenerationResponse { deleted: 1, refused: true });
    assert!(!stage.is_taken(&old) && stage.is_taken(&new));
    assert_eq!(stage.generations().into_keys().collect::<Vec<_>>(), [2]);

    let again = stage.revoke(2).await.unwrap();
    assert_eq!(again, RevokeGenerationResponse { deleted: 0, refused: false });
}

#[tokio::test]
async fn d_after_a_restart_old_generations_go_and_nothing_is_claimed() {
    let mut stage = Stage::new().await;
    let (old, _) = stage.issue(Binding::default()).await;
    stage.issue_next(2).await;
    let stranger = "kind-of-a-generation";
    stage.house.shoot(1).create(serde_json::json!({"kind": "Secret", "metadata": {
        "namespace": "kube-system", "name": stranger,
        "labels": {(keys::GENERIC): keys::PURPOSE_GENERATION}}}));
    stage.house.restart(Role::TokenIssuer).await;
    let channel = stage.house.channel(Role::SecretWriter, Role::TokenIssuer);
    stage.issuer = TokenIssuerClient::new(channel);
    let revoked = stage.revoke(2).await.unwrap();
    assert_eq!(revoked, RevokeGenerationResponse { deleted: 1, refused: false });
    assert!(!stage.is_taken(&old));
    assert!(stage.house.shoot(1).get("secrets", "kube-system", stranger).is_some());
}

#[tokio::test]
async fn d_generations_are_told_of_when_they_come_and_go_whoever_does_it() {
    let mut stage = Stage::new().await;
    let mut stream = stage.watch().await;
    let seen = told_to_be(&mut stream, &[]).await;
    assert_eq!(seen.family.unwrap().secret, SECRET);

    stage.issue(Binding::default()).await;
    told_to_be(&mut stream, &[1]).await;
    let before = stage.calls();
    stage.issue_next(2).await;
    let grace = Some(convert::duration(Duration::from_secs(240)));
    let seen = told_to_be(&mut stream, &[1, 2]).await;
    assert_eq!((seen.present[0].grace, seen.present[1].grace), (None, grace));
    stage.revoke(2).await.unwrap();
    told_to_be(&mut stream, &[2]).await;

    let name = family().name(2);
    stage.house.shoot(1).delete("secrets", "kube-system", name.as_str());
    told_to_be(&mut stream, &[]).await;
    let spent = stage.calls().since(&before);
    assert_eq!(spent.of("watch", "secrets"), 0, "one watch that goes on: {spent:?}");
}

#[tokio::test]
async fn d_where_the_watch_is_refused_nothing_is_told_until_somebody_grants_it() {
    let mut stage = Stage::new().await;
    stage.house.shoot(1).fail(On::call("list", "secrets"), Fault::Forbidden);
    let mut stream = stage.watch().await;
    stage
        .house
        .until("the list being refused twice", async || match stage.calls().of("list", "secrets") {
            0..2 => Look::Waiting(String::new()),
            _ => Look::Done(()),
        })
        .await;
    stage.house.shoot(1).heal();
    stage.issue(Binding::default()).await;
    let seen = told(&mut stream).await;
    assert!(seen.present.len() <= 1, "what is told first comes from a whole list: {seen:?}");
    if seen.present.is_empty() {
        told_to_be(&mut stream, &[1]).await;
    }
}

#[tokio::test]
async fn d_what_is_not_allowed_is_refused_and_nothing_is_asked_of_the_shoot() {
    let mut stage = Stage::new().await;
    let before = stage.calls();
    let refused = stage.revoke(0).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    for name in ["perennial-token-issuer", "namespace-controller"] {
        let account = ServiceAccount { name: name.to_owned(), ..account().unwrap() };
        let (namespace, name) = (namespace(1), SECRET.to_owned());
        let request = RevokeGenerationRequest {
            namespace,
            name,
            account: Some(account),
            keep: 2,
            up_to: 0,
            unproved: false,
        };
        let refused = stage.issuer.revoke_generation(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    }
    for role in [Role::Scheduler, Role::Operator] {
        let channel = stage.house.channel(role, Role::TokenIssuer);
        let request = RevokeGenerationRequest::default();
        let refused = TokenIssuerClient::new(channel).revoke_generation(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{role}: {refused}");
    }
    let spent = stage.calls().since(&before);
    assert_eq!((spent.of("list", "secrets"), spent.writes("secrets")), (0, 0));
}
