//! Tokens that can be revoked, at the token-issuer, on a real API server (contract, section D).

use std::{collections::BTreeSet, time::Duration};

use k8s_openapi::api::{authentication::v1::SelfSubjectReview, core::v1::Secret};
use kube::{Api, Client, ResourceExt as _, api::PostParams};
use perennial_core::{clock::Clock as _, generation::Family, keys, token::Claims};
use perennial_lab::{
    kubeconfig::Credential,
    poll::{Look, until},
    shoot::namespace,
};
use perennial_process::clock::SystemClock;
use perennial_proto::issuer::v1::{
    Binding, GenerationFamily, IssueTokenRequest, ObserveShootRequest, RevokeGenerationRequest,
    RevokeGenerationResponse, ServiceAccount, WatchShootsRequest, WatchShootsResponse,
    token_issuer_client::TokenIssuerClient, watch_shoots_response::Event,
};
use perennial_rpc::client::Channel;
use tonic::{Code, Streaming};

use crate::house::{House, MOMENT};

/// No Secret of this name is on the seed: the token-issuer does not look at it.
const SECRET: &str = "shoot-access-revocable";
const WITHIN: Duration = Duration::from_secs(20);

#[tokio::test]
async fn d_a_revoked_token_is_refused_within_20_s_and_the_grants_of_deploy_suffice() {
    let house = House::start(1, &[]).await;
    house.ask(1, "shoot-access-settled", &[]).await;
    house.wait_for_token(1, "shoot-access-settled").await; // the scheduler has told what it observes
    let mut issuer = TokenIssuerClient::new(house.channel("secret-writer", "token-issuer"));
    let mut stream = observe(&house).await;
    assert_eq!(told(&mut stream, &[]).await, BTreeSet::new());

    let old = issue(&mut issuer, Binding::default()).await;
    let before = told(&mut stream, &[1]).await;
    assert_eq!(before, BTreeSet::from([uid(&old)]));
    let spent = house.counts().await;
    let other = issue(&mut issuer, Binding { generation: 1, ..Binding::default() }).await;
    let spent = house.counts().await.since(&spent);
    let writes = spent.shoot.writes("secrets");
    let lists = spent.shoot.count(|r| r.verb == "LIST" && r.resource == "secrets");
    println!(
        "a renewal of a revocable token: {} TokenRequest, {writes} writes and {lists} lists of Secrets",
        spent.shoot.tokens_granted()
    );
    assert_eq!((spent.shoot.tokens_granted(), writes, lists), (1, 0, 0));

    let grace = Some(prost_types::Duration { seconds: 0, nanos: 0 });
    let new = issue(&mut issuer, Binding { generation: 2, revokes: true, grace }).await;
    told(&mut stream, &[1, 2]).await;
    for token in [&old, &other, &new] {
        assert_eq!(user(&house, token).await.as_deref(), Some("revocable"));
    }

    let begun = SystemClock.now();
    let revoked = revoke(&mut issuer, 2).await;
    let took = SystemClock.now().duration_since(begun).unsigned_abs();
    println!("revoked, and an old token seen refused after {:.1} s", took.as_secs_f32());
    assert_eq!(revoked, RevokeGenerationResponse { deleted: 1, refused: true });
    assert!(took <= WITHIN, "{took:?}");
    told(&mut stream, &[2]).await;
    assert_eq!(user(&house, &other).await, None);
    assert_eq!(user(&house, &new).await.as_deref(), Some("revocable"));
    let again = revoke(&mut issuer, 2).await;
    assert_eq!(again, RevokeGenerationResponse { deleted: 0, refused: false });
    only_generations_are_there(house.lab.shoot(1).client()).await;
    house.end().await;
}

fn family() -> Family {
    Family { namespace: "kube-system".parse().unwrap(), secret: SECRET.parse().unwrap() }
}

fn account() -> Option<ServiceAccount> {
    Some(ServiceAccount { namespace: "kube-system".to_owned(), name: "revocable".to_owned() })
}

/// Tokens of one Secret come after 0, 0 and 10 s (B12).
async fn issue(issuer: &mut TokenIssuerClient<Channel>, binding: Binding) -> String {
    let request = IssueTokenRequest {
        namespace: namespace(1),
        name: SECRET.to_owned(),
        account: account(),
        lifetime: Some(prost_types::Duration { seconds: 3600, nanos: 0 }),
        binding: Some(binding),
        ..IssueTokenRequest::default()
    };
    let look = async || match issuer.issue_token(request.clone()).await {
        Ok(answer) => Ok(Look::Done(answer.into_inner().token)),
        Err(held) if held.code() == Code::FailedPrecondition => {
            Ok(Look::Waiting(held.message().to_owned()))
        }
        Err(status) => panic!("{status}"),
    };
    until("a token", MOMENT, look).await.unwrap()
}

async fn revoke(issuer: &mut TokenIssuerClient<Channel>, keep: u32) -> RevokeGenerationResponse {
    let (namespace, name) = (namespace(1), SECRET.to_owned());
    let request = RevokeGenerationRequest {
        namespace,
        name,
        account: account(),
        keep,
        up_to: 0,
        unproved: false,
    };
    issuer.revoke_generation(request).await.unwrap().into_inner()
}

fn uid(token: &str) -> String {
    Claims::read(token.as_bytes()).unwrap().bound.unwrap().uid
}

/// The name of the account that the shoot takes a token for.
async fn user(house: &House, token: &str) -> Option<String> {
    let client = house.lab.shoot(1).client_with(&Credential::Token(token)).await.unwrap();
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    match reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await {
        Ok(answer) => {
            let user = answer.status.unwrap().user_info.unwrap().username.unwrap();
            user.rsplit(':').next().map(str::to_owned)
        }
        Err(kube::Error::Api(status)) if status.code == 401 => None,
        Err(error) => panic!("{error}"),
    }
}

async fn observe(house: &House) -> Streaming<WatchShootsResponse> {
    let mut issuer = TokenIssuerClient::new(house.channel("scheduler", "token-issuer"));
    let (family, shoot) = (family(), namespace(1));
    let (namespace, secret) = (family.namespace.to_string(), family.secret.to_string());
    let families = vec![GenerationFamily { namespace, secret }];
    let request = ObserveShootRequest { namespace: shoot, families, ..Default::default() };
    issuer.observe_shoot(request).await.unwrap();
    issuer.watch_shoots(WatchShootsRequest::default()).await.unwrap().into_inner()
}

/// Waits until these are told to be there; their uids.
async fn told(stream: &mut Streaming<WatchShootsResponse>, wanted: &[u32]) -> BTreeSet<String> {
    let mut last = None;
    let look = async {
        loop {
            let response = stream.message().await.unwrap().expect("a stream does not end");
            let Some(Event::Generations(seen)) = response.event else { continue };
            let numbers: Vec<_> = seen.present.iter().map(|seen| seen.number).collect();
            if numbers == wanted {
                return seen.present.into_iter().map(|seen| seen.uid).collect();
            }
            last = Some(numbers);
        }
    };
    let found = tokio::time::timeout(MOMENT, look).await;
    found.unwrap_or_else(|_| panic!("not told of {wanted:?}, last of {last:?}"))
}

/// What the token-issuer made says what it is, and nothing else is deleted.
async fn only_generations_are_there(client: Client) {
    let secrets: Api<Secret> = Api::namespaced(client, "kube-system");
    let left = secrets.get(family().name(2).as_str()).await.unwrap();
    assert_eq!(left.labels()[keys::GENERIC], keys::PURPOSE_GENERATION);
    assert!(left.annotations()[keys::GENERATION_OF].contains(SECRET), "{:?}", left.metadata);
    assert_eq!((left.immutable, left.data), (Some(true), None));
    assert!(secrets.get_opt(family().name(1).as_str()).await.unwrap().is_none());
}
