//! No token reaches a log, whatever the level.
//!
//! Logs go to the stderr of a process, so the services run in a child: this very test, told by an
//! environment variable to play the part.

use std::process::{Command, Output};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Parser;
use perennial_core::keys;
use perennial_process::{args::LogArgs, telemetry};
use perennial_testing::{
    access_secret::AccessSecret,
    api_server::{Fault, On},
    kubeconfig::{self, Credential},
};

use crate::house::{House, OWN, namespace};

/// File for the tokens that were issued; set only in the child.
const TOKENS_FILE: &str = "PERENNIAL_TESTS_ISSUED_TOKENS";
const TEST: &str = "logs::no_token_is_ever_logged_at_any_level";

#[test]
fn no_token_is_ever_logged_at_any_level() {
    if let Some(file) = std::env::var_os(TOKENS_FILE) {
        return std::fs::write(file, play().join("\n")).unwrap();
    }
    let tokens = tempfile::NamedTempFile::new().unwrap();
    let Output { status, stdout, stderr } = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(TOKENS_FILE, tokens.path())
        .output()
        .unwrap();
    let logs = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{}\n{logs}", String::from_utf8_lossy(&stdout));

    let tokens = std::fs::read_to_string(tokens.path()).unwrap();
    assert!(tokens.lines().count() > 4, "{tokens}");
    for what in [
        "\"renewed\"",
        "\"issued a token\"",
        "\"a token was issued in vain",
        "\"a token was issued, and whether it was written is unknown",
        "Bootstrap",
        "the answer cannot be parsed",
        "HTTP 404 with a body that is no Status",
        "DEBUG",
    ] {
        assert!(logs.contains(what), "the part has {what:?} in it: {logs}");
    }
    for token in tokens.lines() {
        let (head, signature) = token.rsplit_once('.').unwrap();
        let claims = head.rsplit_once('.').unwrap().1;
        for part in [signature, claims, &STANDARD.encode(token)] {
            let line = logs.lines().find(|line| line.contains(part));
            assert_eq!(line, None, "a token is in the logs");
        }
    }
}

/// Everything that handles tokens, logged as far as any flag can ask for. Returns the tokens.
fn play() -> Vec<String> {
    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        log: LogArgs,
    }
    let everything = "trace,kube_client=trace,kube_client::client=trace,hyper=trace,h2=trace";
    let args = Args::parse_from(["test", "--log-level", everything]);
    let _telemetry = telemetry::init("test", &args.log).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let house = House::new().await;
        renew_in_both_modes(&house).await;
        issue_in_vain(&house).await;
        answer_with_half_a_token_request(&house).await;
        fall_back_to_bootstrap(&house).await;
        house.shoot(1).issued_tokens()
    })
}

async fn renew_in_both_modes(house: &House) {
    let plain = house.ask(1, "plain");
    let document =
        kubeconfig::document(&house.shoot(1).url(), &house.shoot(1).ca_pem(), Credential::None);
    let secret = AccessSecret::new(&namespace(1), "shoot-access-document", "document");
    house.make(secret.with_kubeconfig(&document));
    for name in [&*plain, "shoot-access-document", OWN] {
        house.wait_for_token(1, name).await;
        house.renew_now(1, name).await.unwrap();
    }
}

/// The Secret asks for another account while the token of the first is on its way, and the patch
/// that writes the second gets no answer.
async fn issue_in_vain(house: &House) {
    house.shoot(1).fail_times(1, On::token_requests().named("old"), Fault::AnswerHeld);
    let name = house.ask(1, "old");
    house
        .wait_for_schedule(1, &name, "an attempt", |s| s.state().as_str_name() == "STATE_RENEWING")
        .await;
    house.edit(1, &name, |secret| {
        secret["metadata"]["annotations"][keys::ACCOUNT_NAME] = "new".into();
    });
    house.seed.fail_times(1, On::call("patch", "secrets"), Fault::AnswerLost);
    house.shoot(1).heal();
    house.wait_for_token(1, &name).await;
}

/// kube-client logs the whole body of an answer that it cannot parse, and makes the text of an
/// error out of one that is no Status.
async fn answer_with_half_a_token_request(house: &House) {
    house.shoot(1).fail_times(1, On::token_requests().named("half"), Fault::AnswerGarbled);
    let name = house.ask(1, "half");
    house.wait_for_token(1, &name).await; // the refusal for want of an account was no Status
    house.shoot(1).fail_times(1, On::token_requests().named("half"), Fault::AnswerGarbled);
    house.renew_now(1, &name).await.unwrap_err();
}

async fn fall_back_to_bootstrap(house: &House) {
    house.shoot(1).refuse_issued_tokens();
    let name = house.ask(1, "late");
    house.wait_for_token(1, &name).await;
}
