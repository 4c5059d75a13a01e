//! What somebody gains who has stolen the scheduler's right to say what is observed.

use std::collections::BTreeSet;

use perennial_lab::poll::Look;
use perennial_proto::issuer::v1::{
    ObserveShootRequest, ServiceAccount, WatchShootsRequest,
    token_issuer_client::TokenIssuerClient, watch_shoots_response::Event,
};
use perennial_rpc::identity::Role;
use serde_json::json;
use tonic::Code;

use crate::house::{House, MOMENT, namespace};

/// A controller of Kubernetes: nobody gets a token of it.
const DENIED: &str = "namespace-controller";

fn request(shoot: usize, names: impl IntoIterator<Item = String>) -> ObserveShootRequest {
    let account = |name| ServiceAccount { namespace: "kube-system".to_owned(), name };
    let accounts = names.into_iter().map(account).collect();
    ObserveShootRequest { namespace: namespace(shoot), accounts, ..ObserveShootRequest::default() }
}

#[tokio::test]
async fn what_is_observed_is_read_only_and_within_the_policy() {
    let house = House::new().await;
    let names = [DENIED, "free"].map(str::to_owned);
    for name in &names {
        let metadata = json!({"namespace": "kube-system", "name": name});
        house.shoot(1).create(json!({"kind": "ServiceAccount", "metadata": metadata}));
    }
    house
        .until("what the scheduler itself observes", async || {
            match house.counts().shoot(1).of("watch", "serviceaccounts") {
                0 => Look::Waiting(String::new()),
                _ => Look::Done(()),
            }
        })
        .await;
    let before = house.counts();
    let mut issuer = TokenIssuerClient::new(house.channel(Role::Scheduler, Role::TokenIssuer));
    issuer.observe_shoot(request(1, names)).await.unwrap();

    let mut stream = issuer.watch_shoots(WatchShootsRequest::default()).await.unwrap().into_inner();
    let mut told = BTreeSet::new();
    let look = async {
        while !told.contains("free") {
            let response = stream.message().await.unwrap().expect("a stream does not end");
            if let Some(Event::Account(seen)) = response.event {
                told.insert(seen.account.unwrap().name);
            }
        }
    };
    tokio::time::timeout(MOMENT, look).await.expect("the account that is allowed is told of");
    assert!(!told.contains(DENIED), "{told:?}");
    assert_eq!(house.spent_since(&before).dear(), [0; 5], "nothing is written, no token asked for");
}

#[tokio::test]
async fn too_many_accounts_and_shoots_that_are_not_known_are_refused() {
    let house = House::new().await;
    let mut issuer = TokenIssuerClient::new(house.channel(Role::Scheduler, Role::TokenIssuer));
    let many = (0..50_001).map(|number| format!("n{number}"));
    let refused = issuer.observe_shoot(request(1, many)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    let refused = issuer.observe_shoot(request(9, [])).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "{refused}");
    let malformed = request(1, ["../x".to_owned()]);
    let refused = issuer.observe_shoot(malformed).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    for role in [Role::Operator, Role::SecretWriter] {
        let mut issuer = TokenIssuerClient::new(house.channel(role, Role::TokenIssuer));
        let refused = issuer.observe_shoot(request(1, [])).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{role}: {refused}");
    }
}
