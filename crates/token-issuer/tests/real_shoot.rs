//! The issuing side against a real API server, with the grants of `deploy/` and no others: how
//! shoots are learned, a token issued, proved and refused, and what a look at a shoot brings.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test, also in its helpers")]

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use perennial_core::{
    clock::Clock,
    failure::Failure as _,
    name::SecretRef,
    shoot::{Credential, Reach, ShootId},
    token::{Claims, Token},
};
use perennial_kube::{
    shoot::is_account_missing,
    shoot_secrets::{self, Change, Names, Which},
};
use perennial_lab::{Lab, Options, kubeconfig::Credential as LabCredential, service};
use perennial_process::clock::SystemClock;
use perennial_token_issuer::{
    directory::{Directory, Purpose},
    issue::{Ask, Issuer, Limits},
    policy::{Policy, PolicyArgs},
    probe::Probes,
    shoot::{ApiServers, Shoot},
    shoot_namespaces::ShootNamespaces,
    storm,
};

struct Ground {
    lab: Lab,
    directory: Arc<Directory>,
    issuer: Issuer,
}

impl Ground {
    async fn start() -> Self {
        let options = Options { start_services: false, ..Options::default() };
        let lab = Lab::start(options).await.unwrap();
        let names = Names {
            own: "shoot-access-token-issuer".parse().unwrap(),
            bootstrap: "shoot-bootstrap-token-issuer".parse().unwrap(),
        };
        let directory = Arc::new(Directory::new(
            names.clone(),
            Arc::new(ApiServers),
            perennial_core::signing::WITHDRAWN_AFTER,
        ));
        learn(&lab, &names, &directory).await;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let probes = Arc::new(Probes::new(Duration::from_secs(60), Arc::clone(&clock)));
        let policy = Policy {
            own_secret: names.own,
            own_account: "kube-system/perennial-token-issuer".parse().unwrap(),
            shoot_namespaces: ShootNamespaces::new(vec!["shoot--*".parse().unwrap()]),
            rules: PolicyArgs::default(),
        };
        let storm =
            storm::Limits { interval_min: Duration::from_secs(180), in_flight_per_shoot_max: 8 };
        let limits = Limits { in_flight_max: 8, storm };
        let issuer = Issuer::new(Arc::clone(&directory), policy, probes, clock, limits);
        Self { lab, directory, issuer }
    }

    fn client(&self) -> Arc<dyn Shoot> {
        let ways = self.directory.ways(&shoot(), Purpose::Issue).unwrap();
        Arc::clone(&ways.candidates[0].client)
    }

    fn client_with(&self, token: Token) -> Arc<dyn Shoot> {
        let endpoint = self.directory.endpoints(&shoot()).remove(0);
        self.directory.connect(&endpoint.with_token(token)).unwrap()
    }

    async fn at_shoot(&self, path: &str) -> serde_json::Value {
        let request = http::Request::get(path).body(Vec::new()).unwrap();
        let text = self.lab.shoot(1).client().request_text(request).await.unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

/// Lists the two Secrets as the ServiceAccount of the token-issuer, which may list no others.
async fn learn(lab: &Lab, names: &Names, directory: &Directory) {
    let life = Duration::from_secs(600);
    let token = lab.seed().token(service::NAMESPACE, "token-issuer", life).await.unwrap();
    let seed = lab.seed().client_with(&LabCredential::Token(&token)).await.unwrap();
    let mut changes = Box::pin(shoot_secrets::watch(seed, names, shoot_secrets::rereads().1));
    loop {
        let change = tokio::time::timeout(Duration::from_secs(30), changes.next()).await;
        match change.expect("the first lists within 30 s").unwrap() {
            Change::Upsert { shoot, which, connection, .. } => {
                connection.as_ref().expect("what the lab wrote can be used");
                directory.upsert(&shoot, which, &connection);
            }
            Change::SnapshotComplete => return directory.complete(),
            Change::Removed { .. } => panic!("nobody removes anything"),
            Change::NotRead { error, .. } | Change::Trouble(error) => panic!("{error}"),
        }
    }
}

fn shoot() -> ShootId {
    "shoot--lab--1".parse().unwrap()
}

fn ask(name: &str, account: &str) -> Ask {
    Ask {
        secret: SecretRef { namespace: shoot(), name: name.parse().unwrap() },
        account: account.parse().unwrap(),
        account_labels: [("app".to_owned(), "test".to_owned())].into(),
        lifetime_seconds: 3600,
        audiences: vec!["gardener".to_owned()],
        goal: None,
        binding: None,
    }
}

#[tokio::test]
async fn tokens_are_issued_proved_and_refused_by_a_real_api_server() {
    let ground = Ground::start().await;
    let first = a_missing_account_is_made(&ground).await;
    one_call_is_all_a_renewal_costs(&ground).await;
    a_missing_namespace_is_told_from_a_missing_account(&ground).await;
    a_token_of_our_own_is_proved(&ground).await;
    a_token_without_the_grant_is_no_proof(&ground, first).await;
    an_own_token_that_does_not_hold_gives_way(&ground).await;
    a_look_brings_keys_and_clock(&ground).await;
    the_controllers_of_the_api_server_are_denied(&ground).await;
    ground.lab.stop().await.unwrap();
}

async fn a_missing_account_is_made(ground: &Ground) -> Token {
    let ask = ask("shoot-access-kube-proxy", "kube-system/kube-proxy");
    let issued = ground.issuer.issue(&ask).await.unwrap();
    assert!(issued.account_created);
    assert_eq!(issued.credential, Which::Bootstrap, "the own Secret has no token yet");
    let claims = Claims::read(issued.token().unwrap().expose().as_bytes()).unwrap();
    assert_eq!((claims.account, claims.audiences.to_vec()), (ask.account, ask.audiences));

    let account =
        ground.at_shoot("/api/v1/namespaces/kube-system/serviceaccounts/kube-proxy").await;
    assert_eq!(account["automountServiceAccountToken"], false);
    assert_eq!(account["metadata"]["labels"]["app"], "test");
    issued.token().unwrap().clone()
}

async fn one_call_is_all_a_renewal_costs(ground: &Ground) {
    let before = ground.lab.shoot(1).request_counts().await.unwrap();
    let ask = ask("shoot-access-kube-proxy", "kube-system/kube-proxy");
    assert!(!ground.issuer.issue(&ask).await.unwrap().account_created);
    let cost = ground.lab.shoot(1).request_counts().await.unwrap().since(&before);
    assert_eq!((cost.token_requests(), cost.writes("serviceaccounts")), (1, 0));

    let other = self::ask("shoot-access-kube-proxy-2", "kube-system/kube-proxy");
    let without_audiences = Ask { audiences: Vec::new(), ..other };
    let issued = ground.issuer.issue(&without_audiences).await.unwrap();
    let claims = Claims::read(issued.token().unwrap().expose().as_bytes()).unwrap();
    assert!(claims.audiences.contains(&"kubernetes".to_owned()), "{:?}", claims.audiences);
}

async fn a_missing_namespace_is_told_from_a_missing_account(ground: &Ground) {
    let error = ground.issuer.issue(&ask("shoot-access-x", "nowhere/x")).await.unwrap_err();
    assert_eq!(error.reason(), "NAMESPACE_MISSING", "{error}");

    let missing = "kube-system/nobody".parse().unwrap();
    let error = ground.client().request_token(&missing, 3600, &[], None).await.unwrap_err();
    assert!(is_account_missing(&error), "{error:?}");
}

async fn a_token_of_our_own_is_proved(ground: &Ground) {
    assert!(ground.client().prove().await.unwrap(), "the bootstrap credential has the grant");
    let ask = ask("shoot-access-token-issuer", "kube-system/perennial-token-issuer");
    ground.issuer.issue(&ask).await.unwrap();
}

async fn a_token_without_the_grant_is_no_proof(ground: &Ground, token: Token) {
    assert!(!ground.client_with(token).prove().await.unwrap());
    let strange = ground.client_with(Token::new("strange".to_owned())).prove().await;
    assert_eq!(strange.unwrap_err().code(), Some(401));

    // Without its grant our own account proves nothing, and the error says which grant.
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/perennial-token-issuer";
    let mut binding = ground.at_shoot(path).await;
    let whole = binding.clone();
    let subjects = binding["subjects"].as_array_mut().unwrap();
    subjects.retain(|subject| subject["kind"] == "User");
    put(ground, path, &binding).await;
    let ask = ask("shoot-access-token-issuer", "kube-system/perennial-token-issuer");
    let error = ground.issuer.issue(&ask).await.unwrap_err();
    assert_eq!(error.reason(), "OWN_TOKEN_NOT_ALLOWED", "{error}");
    put(ground, path, &whole).await;
}

async fn put(ground: &Ground, path: &str, object: &serde_json::Value) {
    let mut object = object.clone();
    object["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    let request = http::Request::put(path).body(object.to_string().into_bytes()).unwrap();
    ground.lab.shoot(1).client().request_text(request).await.unwrap();
}

async fn an_own_token_that_does_not_hold_gives_way(ground: &Ground) {
    let endpoint = ground.directory.endpoints(&shoot()).remove(0);
    let strange = endpoint.with_token(Token::new("strange".to_owned()));
    ground.directory.upsert(&shoot(), Which::Own, &Ok(strange));
    let ask = ask("shoot-access-kube-proxy-3", "kube-system/kube-proxy");
    let issued = ground.issuer.issue(&ask).await.unwrap();
    assert_eq!(issued.credential, Which::Bootstrap);
    let status = ground.directory.list().remove(0).status;
    assert_eq!((status.reach, status.credential), (Reach::Reachable, Credential::Bootstrap));
}

async fn a_look_brings_keys_and_clock(ground: &Ground) {
    let seen = ground.client().probe().await.unwrap();
    assert_eq!(seen.key_ids.len(), 1);
    let apart = seen.date.unwrap().duration_since(SystemClock.now());
    assert!(apart.abs().as_secs() <= 2, "both run on one machine: {apart}");
}

/// The built-in list knows every account that this version makes a role `system:controller:*` for.
async fn the_controllers_of_the_api_server_are_denied(ground: &Ground) {
    let mut denied = 0;
    for kind in ["clusterrolebindings", "rolebindings"] {
        let path = format!("/apis/rbac.authorization.k8s.io/v1/{kind}");
        let bindings = ground.at_shoot(&path).await;
        for binding in bindings["items"].as_array().unwrap() {
            let name = binding["metadata"]["name"].as_str().unwrap();
            let subjects = binding["subjects"].as_array().into_iter().flatten();
            let accounts = subjects.filter(|subject| subject["kind"] == "ServiceAccount");
            for account in accounts.filter(|_| name.starts_with("system:controller:")) {
                assert_eq!(account["namespace"], "kube-system", "{name}");
                let account = format!("kube-system/{}", account["name"].as_str().unwrap());
                let error = ground.issuer.issue(&ask("shoot-access-x", &account)).await;
                assert_eq!(error.unwrap_err().reason(), "POLICY_DENIED_ACCOUNT", "{account}");
                denied += 1;
            }
        }
    }
    assert!(denied >= 40, "only {denied} bindings of controllers were found");
}
