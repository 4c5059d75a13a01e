//! What happens in the run that is swept: everything in which a token is at hand.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use perennial_core::keys;
use perennial_lab::{
    access_secret,
    poll::{Look, until},
    service::SERVICES,
    shoot::{ACCESS_SECRET, BOOTSTRAP_SECRET, namespace},
};
use perennial_process::clock::SystemClock;
use perennial_proto::{
    issuer::v1::{IssueTokenRequest, token_issuer_client::TokenIssuerClient},
    writer::v1::{RenewTokenRequest, secret_writer_client::SecretWriterClient},
};
use perennial_testing::{
    api_server::{FakeApiServer, Fault, On},
    kubeconfig::{Credential, document},
};
use serde_json::json;
use tonic::Code;

use super::Run;
use crate::house::{House, MOMENT, annotation, claims, kubeconfig_secret};

const PLAIN: &str = "shoot-access-plain";
const DOCUMENT: &str = "shoot-access-document";
const BAD: &str = "shoot-access-bad";
const GARBLED: &str = "shoot-access-garbled";
/// A shoot whose API server is a fake that can answer nonsense.
const FAKE_SHOOT: &str = "shoot--lab--fake";

/// The Secrets that an operator may ask about, one that does not exist among them.
pub(super) fn secrets() -> Vec<(String, String)> {
    let of_lab = |name: &str| (namespace(1), name.to_owned());
    let mut secrets: Vec<_> = [PLAIN, DOCUMENT, BAD, ACCESS_SECRET, "no-such"].map(of_lab).into();
    secrets.push((FAKE_SHOOT.to_owned(), GARBLED.to_owned()));
    secrets
}

/// One scene after the other; what each needs, it waits for.
pub(super) async fn play(run: &mut Run) {
    renewals_in_both_modes(run).await;
    calls_that_are_denied(&run.house).await;
    a_token_where_none_belongs(run).await;
    an_answer_that_does_not_parse(run).await;
    a_service_is_killed(run).await;
    a_shoot_is_away(run).await;
}

/// What must stand in the logs if all of it happened.
pub(super) fn all_happened(house: &House) {
    let logs =
        SERVICES.map(|service| std::fs::read_to_string(house.lab.dir().log(service)).unwrap());
    for (what, log) in [
        ("issued a token", &logs[0]),
        ("the answer cannot be parsed", &logs[0]),
        ("refused a call", &logs[0]),
        ("shoot is not reached", &logs[0]),
        ("DEBUG", &logs[1]),
        (" renewed", &logs[1]),
        ("refused a call", &logs[1]),
        ("DEBUG", &logs[2]),
        ("not renewed", &logs[2]),
    ] {
        assert!(log.contains(what), "{what:?} did not happen:\n{log}");
    }
}

async fn renewals_in_both_modes(run: &mut Run) {
    let shoot = run.house.lab.shoot(1).endpoint();
    let kubeconfig = shoot.kubeconfig("shoot", &perennial_lab::kubeconfig::Credential::None);
    run.house.ask(1, PLAIN, &[]).await;
    run.house.create(1, kubeconfig_secret(DOCUMENT, &kubeconfig)).await;
    for name in [PLAIN, DOCUMENT, ACCESS_SECRET] {
        let first = claims(&run.house.wait_for_token(1, name).await);
        run.gather().await;
        run.house.wait(1, name, "a renewal", |secret| claims(secret) != first).await;
        run.gather().await;
    }
    let before =
        annotation(&run.house.wait_for_token(1, PLAIN).await, keys::ISSUED).map(str::to_owned);
    run.house.annotate(1, PLAIN, keys::RENEW_TIMESTAMP, None).await;
    let other = |secret: &Secret| annotation(secret, keys::ISSUED) != before.as_deref();
    run.house.wait(1, PLAIN, "a forced renewal", other).await;
    run.gather().await;
}

async fn calls_that_are_denied(house: &House) {
    let mut issuer = TokenIssuerClient::new(house.channel("operator", "token-issuer"));
    let status = issuer.issue_token(IssueTokenRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let mut writer = SecretWriterClient::new(house.channel("operator", "secret-writer"));
    let status = writer.renew_token(RenewTokenRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}

/// Somebody pastes a token into an annotation, and half of one into `data`.
async fn a_token_where_none_belongs(run: &mut Run) {
    let held = access_secret::token(&run.house.wait_for_token(1, PLAIN).await).unwrap();
    // The API server would keep it for everybody to see, so it is one of no value.
    let worthless = format!("{}{}", &held[..60], "x".repeat(200));
    run.house.ask(1, BAD, &[(keys::TOKEN_LIFETIME, &worthless)]).await;
    let looked = async || {
        let schedules = run.house.schedules().await;
        let bad = schedules.into_iter().find(|schedule| schedule.name == BAD);
        Ok(match bad {
            Some(bad) if bad.detail.contains(keys::TOKEN_LIFETIME) => Look::Done(()),
            other => Look::Waiting(format!("{other:?}")),
        })
    };
    until("the bad Secret is named", MOMENT, looked).await.unwrap();

    let mut broken = crate::house::access_secret("shoot-access-broken", &[]);
    let damaged = format!("{}AAAA", &held[..held.len() - 4]);
    broken.string_data = Some([(keys::DATA_TOKEN.to_owned(), damaged)].into());
    run.house.create(1, broken).await;
    let of_another = claims(&run.house.wait_for_token(1, PLAIN).await).unwrap().account;
    let right = |secret: &Secret| claims(secret).is_some_and(|claims| claims.account != of_another);
    run.house.wait(1, "shoot-access-broken", "a token of its own", right).await;
    run.gather().await;
}

/// kube-client logs the body of an answer that it cannot parse: for a TokenRequest, the token.
async fn an_answer_that_does_not_parse(run: &mut Run) {
    let fake = FakeApiServer::start(Arc::new(SystemClock)).await;
    fake.require_credentials();
    fake.allow_in_reviews(true);
    fake.create(json!({"kind": "ServiceAccount",
        "metadata": {"namespace": "kube-system", "name": "garbled"}}));
    fake.fail_times(2, On::token_requests().named("garbled"), Fault::AnswerGarbled);
    let seed = run.house.lab.seed().client();
    let namespaces: Api<Namespace> = Api::all(seed.clone());
    let name = Some(FAKE_SHOOT.to_owned());
    let object =
        Namespace { metadata: ObjectMeta { name, ..Default::default() }, ..Default::default() };
    namespaces.create(&PostParams::default(), &object).await.unwrap();

    let secrets: Api<Secret> = Api::namespaced(seed, FAKE_SHOOT);
    let certificate = fake.client_certificate();
    let with = |credential| document(&fake.url(), &fake.ca_pem(), credential);
    let mut bootstrap =
        kubeconfig_secret(BOOTSTRAP_SECRET, &with(Credential::Certificate(&certificate)));
    bootstrap.metadata.labels = None;
    bootstrap.metadata.annotations = None;
    let mut own = access_secret::build(ACCESS_SECRET, "perennial-token-issuer", &[]);
    own.data = kubeconfig_secret(ACCESS_SECRET, &with(Credential::None)).data;
    for secret in [bootstrap, own, crate::house::access_secret(GARBLED, &[])] {
        secrets.create(&PostParams::default(), &secret).await.unwrap();
    }
    let look = async || {
        let secret = secrets.get(GARBLED).await?;
        Ok(match access_secret::token(&secret) {
            Some(_) => Look::Done(()),
            None => Look::Waiting(format!("{:?}", secret.metadata.annotations)),
        })
    };
    until("a token after answers that do not parse", MOMENT, look).await.unwrap();
    run.tokens.extend(fake.issued_tokens());
}

async fn a_service_is_killed(run: &mut Run) {
    for name in SERVICES {
        let service = run.house.lab.service(name);
        let old = service.kill().unwrap();
        let dir = run.house.lab.dir();
        perennial_lab::process::control::wait_for_successor(old, name, MOMENT, dir).await.unwrap();
        service.wait_ready().await.unwrap();
    }
    let first = claims(&run.house.wait_for_token(1, PLAIN).await);
    run.house.wait(1, PLAIN, "a renewal by the new ones", |s| claims(s) != first).await;
    run.gather().await;
}

async fn a_shoot_is_away(run: &mut Run) {
    let process = run.house.lab.shoot(1).process();
    process.discard().await.unwrap();
    let status = run.house.renew_now(1, PLAIN).await.unwrap_err();
    println!("with the shoot away: {status}");
    let look = async || {
        let log = std::fs::read_to_string(run.house.lab.dir().log("token-issuer")).unwrap();
        let seen = log.contains("shoot is not reached");
        Ok(if seen { Look::Done(()) } else { Look::Waiting("nothing in the log".to_owned()) })
    };
    until("the token-issuer says that the shoot is away", MOMENT, look).await.unwrap();
    process.start().await.unwrap();
    let before = claims(&run.house.wait_for_token(1, PLAIN).await);
    run.house.wait(1, PLAIN, "a renewal after the shoot is back", |s| claims(s) != before).await;
    run.gather().await;
}
