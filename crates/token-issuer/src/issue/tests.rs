mod storm;

use jiff::Timestamp;
use perennial_core::{
    failure::{Failure as _, Kind},
    name::SecretRef,
    shoot::{Credential, Hibernation, Reach},
};

use super::*;
use crate::fakes::{
    ELSEWHERE, HERE, World, certificate_at, limits, policy, shoot, status, token_at,
};

pub(super) fn issuer(world: &World, directory: &Arc<Directory>) -> Issuer {
    let clock: Arc<dyn Clock> = Arc::new(world.set().clock.clone());
    let probes = Arc::new(Probes::new(Duration::from_secs(60), Arc::clone(&clock)));
    Issuer::new(Arc::clone(directory), policy(), probes, clock, limits())
}

fn ask(name: &str, account: &str) -> Ask {
    Ask {
        secret: SecretRef { namespace: shoot(1), name: name.parse().unwrap() },
        account: account.parse().unwrap(),
        account_labels: [("app".to_owned(), "test".to_owned())].into(),
        lifetime_seconds: 43_200,
        audiences: vec!["gardener".to_owned()],
        goal: None,
        binding: None,
    }
}

pub(super) fn for_kube_proxy() -> Ask {
    ask("shoot-access-kube-proxy", "kube-system/kube-proxy")
}

pub(super) fn for_ourselves() -> Ask {
    ask("shoot-access-token-issuer", "kube-system/perennial-token-issuer")
}

async fn issue(world: &World, ask: &Ask) -> Result<IssuedToken, Error> {
    issuer(world, &world.directory()).issue(ask).await
}

#[tokio::test]
async fn a_token_costs_one_call_and_comes_with_the_ca() {
    let world = World::new();
    let issued = issue(&world, &for_kube_proxy()).await.unwrap();
    assert_eq!(world.calls(), ["own: request token"]);
    assert_eq!(issued.ca_pem, format!("CA of {HERE}").into_bytes());
    assert!(!issued.account_created);
    assert!(!format!("{issued:?}").contains(issued.token().unwrap().expose()));
}

#[tokio::test]
async fn a_missing_account_is_made_and_asked_for_once_more() {
    let world = World::new();
    world.set().accounts.clear();
    let issued = issue(&world, &for_kube_proxy()).await.unwrap();
    assert!(issued.account_created);
    assert_eq!(
        world.calls(),
        [
            "own: request token",
            "own: apply kube-system/kube-proxy with 1 labels",
            "own: request token"
        ]
    );
}

#[tokio::test]
async fn a_missing_namespace_is_told_and_nothing_is_made() {
    let world = World::new();
    let error = issue(&world, &ask("shoot-access-x", "nowhere/x")).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::NotFound, "NAMESPACE_MISSING"));
    assert_eq!(
        error.to_string(),
        "shoot shoot--lab--1 has no namespace nowhere for ServiceAccount nowhere/x; create it in \
         the shoot"
    );
    assert_eq!(world.calls(), ["own: request token"]);
}

#[tokio::test]
async fn a_token_of_somebody_else_is_not_passed_on() {
    let world = World::new();
    world.set().issues_for = Some("kube-system/admin");
    let error = issue(&world, &for_kube_proxy()).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Internal, "TOKEN_MISMATCH"));
    assert!(error.to_string().ends_with("it is for kube-system/admin"), "{error}");
}

#[tokio::test]
async fn audiences_count_where_some_were_asked_for() {
    let world = World::new();
    world.set().grants = Some(vec!["kubernetes".to_owned()]);
    let error = issue(&world, &for_kube_proxy()).await.unwrap_err();
    assert_eq!(error.reason(), "TOKEN_MISMATCH");

    let mut without = for_kube_proxy();
    without.audiences.clear();
    issue(&world, &without).await.unwrap();
}

#[tokio::test]
async fn f_the_bootstrap_credential_steps_in_and_the_status_says_so() {
    let world = World::new();
    world.set().known.remove("own");
    let directory = world.directory();
    let issued = issuer(&world, &directory).issue(&for_kube_proxy()).await.unwrap();
    assert_eq!(issued.credential, Which::Bootstrap);
    assert_eq!(world.calls(), ["own: request token", "bootstrap: request token"]);
    let status = status(&directory, &shoot(1));
    assert_eq!((status.reach, status.credential), (Reach::Reachable, Credential::Bootstrap));
    assert_eq!(status.checked_at, Timestamp::from_second(crate::fakes::NOON).ok());
}

#[tokio::test]
async fn one_failed_call_alone_makes_no_shoot_unreachable() {
    let world = World::new();
    world.set().up.clear();
    let directory = world.directory();
    let error = issuer(&world, &directory).issue(&for_kube_proxy()).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, "API_SERVER_UNREACHABLE"));
    assert!(error.to_string().contains("with the own credential"), "{error}");
    assert_eq!(status(&directory, &shoot(1)).reach, Reach::Unknown);
}

#[tokio::test]
async fn credentials_that_are_refused_are_both_named() {
    let world = World::new();
    world.set().known.clear();
    let error = issue(&world, &for_kube_proxy()).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Denied, "SHOOT_WITHOUT_CREDENTIAL"));
    assert_eq!(
        error.to_string(),
        "shoot shoot--lab--1: with the own credential: failed to call: status 401; with the \
         bootstrap credential: failed to call: status 401; put a kubeconfig with a valid credential \
         into shoot-bootstrap-token-issuer"
    );
}

#[tokio::test]
async fn f_a_new_token_of_our_own_is_proved_before_it_is_passed_on() {
    let world = World::new();
    issue(&world, &for_ourselves()).await.unwrap();
    assert_eq!(world.calls(), ["own: request token", "new: prove"]);
}

#[tokio::test(start_paused = true)]
async fn f_a_grant_that_takes_a_moment_is_waited_for_once() {
    let world = World::new();
    world.set().proofs_denied = 1;
    issue(&world, &for_ourselves()).await.unwrap();
    assert_eq!(world.calls(), ["own: request token", "new: prove", "new: prove"]);
}

#[tokio::test(start_paused = true)]
async fn f_without_the_grant_no_own_token_is_passed_on_and_the_grant_is_named() {
    let world = World::new();
    world.set().proofs_denied = usize::MAX;
    let error = issue(&world, &for_ourselves()).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Denied, "OWN_TOKEN_NOT_ALLOWED"));
    assert!(
        error.to_string().ends_with("grant create on serviceaccounts/token, see deploy/shoot"),
        "{error}"
    );
    assert_eq!(world.calls().len(), 3);
}

#[tokio::test]
async fn f_the_proof_goes_to_the_address_that_holds() {
    let world = World::new();
    let directory = world.directory();
    directory.upsert(&shoot(1), Which::Bootstrap, &Ok(certificate_at(ELSEWHERE, "bootstrap")));
    world.set().up = [ELSEWHERE].into();
    issuer(&world, &directory).issue(&for_ourselves()).await.unwrap();
    assert_eq!(
        world.calls(),
        ["own: request token", "bootstrap: request token", "new: prove", "new: prove"]
    );
}

#[tokio::test]
async fn the_policy_comes_before_any_call() {
    let world = World::new();
    let thief = ask("shoot-access-kube-proxy", "kube-system/perennial-token-issuer");
    let error = issue(&world, &thief).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Denied, "POLICY_OWN_ACCOUNT"));
    assert!(world.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_policy_comes_also_when_nothing_more_is_admitted() {
    let world = World::new();
    let issuer = issuer(&world, &world.directory());
    world.set().hangs = true;
    let [first, second] = ["a", "b"].map(|name| ask(name, "kube-system/kube-proxy"));
    let mut stray = for_kube_proxy();
    stray.secret.namespace = "default".parse().unwrap();
    let (first, second, stray) = tokio::join!(issuer.issue(&first), issuer.issue(&second), async {
        tokio::task::yield_now().await;
        assert_eq!(issuer.in_flight(), 2);
        issuer.issue(&stray).await
    });
    assert_eq!(stray.unwrap_err().reason(), "SHOOT_NAMESPACE_NOT_ALLOWED");
    assert!(first.is_err() && second.is_err());
    assert_eq!(world.calls().len(), 2, "none for the one that was refused");
}

#[tokio::test]
async fn an_unknown_shoot_is_told_from_a_start_that_is_under_way() {
    let world = World::new();
    let directory = world.empty_directory();
    let issuer = issuer(&world, &directory);
    let error = issuer.issue(&for_kube_proxy()).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, "STARTING"));

    directory.complete();
    let error = issuer.issue(&for_kube_proxy()).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::NotFound, "SHOOT_UNKNOWN"));
    assert!(error.to_string().contains("shoot-bootstrap-token-issuer"), "{error}");
}

#[tokio::test]
async fn a_shoot_without_a_credential_is_not_called() {
    let world = World::new();
    let directory = world.empty_directory();
    directory.upsert(
        &shoot(1),
        Which::Own,
        &Ok(crate::fakes::connection(HERE, perennial_core::kubeconfig::Inline::None)),
    );
    directory.complete();
    let error = issuer(&world, &directory).issue(&for_kube_proxy()).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, "SHOOT_WITHOUT_CREDENTIAL"));
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn a_shoot_that_hibernates_is_not_called_whoever_asks() {
    let world = World::new();
    let directory = world.directory();
    directory.hibernate(&shoot(1), &Hibernation::Hibernated);
    for ask in [for_kube_proxy(), for_ourselves()] {
        let error = issuer(&world, &directory).issue(&ask).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::Held, "SHOOT_HIBERNATED"));
        assert!(error.kind().retryable() && error.retry_after().is_some());
    }
    assert!(world.calls().is_empty());
    directory.hibernate(&shoot(1), &Hibernation::Unreadable("yes".to_owned()));
    issuer(&world, &directory).issue(&for_kube_proxy()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_more_are_under_way_than_the_limit_admits() {
    let world = World::new();
    let issuer = issuer(&world, &world.directory());
    world.set().hangs = true;
    let [ask, other, third] = ["a", "b", "c"].map(|name| ask(name, "kube-system/kube-proxy"));
    let (first, second, third) = tokio::join!(issuer.issue(&ask), issuer.issue(&other), async {
        tokio::task::yield_now().await;
        assert_eq!(issuer.in_flight(), 2);
        issuer.issue(&third).await
    });
    let third = third.unwrap_err();
    assert_eq!((third.kind(), third.reason()), (Kind::Throttled, "ISSUER_BUSY"));
    assert!(third.retry_after().is_some());
    assert!(first.is_err() && second.is_err());
    assert_eq!(issuer.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn everything_together_is_bounded() {
    let world = World::new();
    let directory = world.directory();
    directory.upsert(&shoot(1), Which::Own, &Ok(token_at(HERE, "own")));
    let issuer = issuer(&world, &directory);
    world.set().hangs = true;
    let begun = tokio::time::timeout(LIMIT, issuer.issue(&for_ourselves())).await;
    let error = begun.expect("within the limit").unwrap_err();
    assert_eq!(error.kind(), Kind::TimedOut);
    assert_eq!(world.calls(), ["own: request token"], "it may have been issued: not asked again");
}

#[tokio::test]
async fn b12_nothing_is_issued_for_an_account_that_is_terminating() {
    let world = World::new();
    let issuer = issuer(&world, &world.directory());
    let ask = for_kube_proxy();
    let accounts = [ask.account.clone()].into();
    issuer
        .accounts
        .observe(crate::observe::Observe {
            shoot: shoot(1),
            accounts,
            targets: [].into(),
            families: [].into(),
        })
        .unwrap();
    world.set().uids.insert("kube-system/kube-proxy".to_owned(), "1".to_owned());
    issuer.issue(&ask).await.unwrap();
    assert_eq!(issuer.accounts.of(&shoot(1)).len(), 1, "a token tells of its account");
    world.calls();

    issuer.accounts.terminating_for_tests(&shoot(1), &ask.account, "1");
    let error = issuer.issue(&ask).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Held, "ACCOUNT_TERMINATING"));
    assert!(error.to_string().contains("kube-system/kube-proxy is being deleted"), "{error}");
    assert_eq!(world.calls(), [""; 0]);
}
