//! Audit mode (`--audit` of scheduler and secret-writer) on real API servers: everything is decided
//! and shown, and nothing is done.

use std::{collections::BTreeMap, process::Output};

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use perennial_core::keys;
use perennial_lab::{counts::RequestCounts, shoot::namespace};
use perennial_proto::scheduler::v1::{Schedule, State};
use serde_json::json;

use crate::house::{Counts, House, QUIET};

const FRESH: &str = "shoot-access-etcd";
const FORCED: &str = "shoot-access-kube-proxy";
const BLANKED: &str = "shoot-access-vpn";
const DRIFTED: &str = "shoot-access-coredns";
const NEW: &str = "shoot-access-late";
const GENERIC: &str = "generic-kubeconfig";
/// What should be done, and why.
const DUE: [(&str, &str); 4] = [
    (BLANKED, "nothing_held"),
    (DRIFTED, "account_drifted"),
    (FORCED, "timestamp_removed"),
    (NEW, "nothing_held"),
];

#[tokio::test]
async fn in_audit_mode_all_that_would_be_done_is_shown_and_nothing_is_asked_or_written() {
    let house = House::start(1, &[]).await;
    for name in [FRESH, FORCED, BLANKED, DRIFTED] {
        house.ask(1, name, &[(keys::ACCOUNT_LABELS, r#"{"app":"x"}"#)]).await;
        house.wait_for_token(1, name).await;
    }
    for service in ["scheduler", "secret-writer"] {
        flags(&house, service, "--audit\n").await;
    }
    make_work(&house).await;
    let before = house.counts().await;
    for (name, reason) in DUE {
        let due = |schedule: &Schedule| schedule.state() == State::Due && schedule.reason == reason;
        house.wait_for_schedule(1, name, reason, due).await;
    }
    is_shown(&house).await;
    tokio::time::sleep(QUIET).await;
    nothing_was_done(&house, &before, "in audit mode").await;

    // A replica of the scheduler that nobody gave the flag: the secret-writer has it.
    flags(&house, "scheduler", "").await;
    for (name, reason) in DUE {
        let refused = |schedule: &Schedule| {
            let failure = schedule.last_failure.as_ref();
            failure.is_some_and(|failure| failure.code == "AUDIT_MODE") && schedule.reason == reason
        };
        house.wait_for_schedule(1, name, "a refusal", refused).await;
    }
    nothing_was_done(&house, &before, "by a scheduler without the flag").await;

    flags(&house, "secret-writer", "").await;
    house.all_fresh(DUE.len() + 2).await;
    let filled = |secret: &Secret| secret.data.is_some();
    house.wait(1, GENERIC, "filled", filled).await;
    let spent = house.counts().await.since(&before);
    assert_eq!(spent.shoot.tokens_granted(), 3, "what was shown, and no more: {:?}", spent.shoot);
    house.end().await;
}

async fn flags(house: &House, service: &str, flags: &str) {
    std::fs::write(house.lab.dir().flags_file(service), flags).unwrap();
    house.lab.service(service).restart().await.unwrap();
}

/// Something of each kind is to be done.
async fn make_work(house: &House) {
    house.annotate(1, FORCED, keys::RENEW_TIMESTAMP, None).await;
    let blank = Patch::Merge(json!({"data": {keys::DATA_TOKEN: ""}}));
    house.secrets(1).patch(BLANKED, &PatchParams::default(), &blank).await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(house.lab.shoot(1).client(), "kube-system");
    let drift = Patch::Merge(json!({"metadata": {"labels": {"app": "y"}}}));
    accounts.patch("coredns", &PatchParams::default(), &drift).await.unwrap();
    house.ask(1, NEW, &[]).await;
    let mut generic = Secret::default();
    generic.metadata.name = Some(GENERIC.to_owned());
    let label = (keys::GENERIC.to_owned(), keys::GENERIC_KUBECONFIG.to_owned());
    generic.metadata.labels = Some(BTreeMap::from([label]));
    house.create(1, generic).await;
}

async fn is_shown(house: &House) {
    let listed = perennial(house, &["list"]).await;
    assert!(text(&listed.stderr).starts_with("audit mode: "), "{}", text(&listed.stderr));
    for (name, _) in DUE {
        assert!(text(&listed.stdout).contains(name), "{}", text(&listed.stdout));
    }
    let forced = format!("{}/{FORCED}", namespace(1));
    let explained = perennial(house, &["explain", &forced]).await;
    let heading = format!("{forced}  due, audit mode\n");
    assert!(text(&explained.stdout).starts_with(&heading), "{}", text(&explained.stdout));
    for words in ["(timestamp_removed), and nothing is done", "would be ordered now"] {
        assert!(text(&explained.stdout).contains(words), "{}", text(&explained.stdout));
    }
    let fresh = format!("{}/{FRESH}", namespace(1));
    let renewed = perennial(house, &["renew", &fresh, "-o", "json"]).await;
    assert_eq!(renewed.status.code(), Some(75), "{}", text(&renewed.stderr));
    assert!(text(&renewed.stdout).contains("AUDIT_MODE"), "{}", text(&renewed.stdout));
    let status = perennial(house, &["status"]).await;
    assert!(text(&status.stdout).starts_with("audit mode"), "{}", text(&status.stdout));
}

async fn nothing_was_done(house: &House, before: &Counts, when: &str) {
    let spent = house.counts().await.since(before);
    let writes = |counts: &RequestCounts| {
        ["secrets", "serviceaccounts"].map(|resource| counts.writes(resource)).iter().sum::<u64>()
    };
    let calls = [
        spent.shoot.token_requests(),
        spent.shoot.token_reviews(),
        writes(&spent.shoot),
        writes(&spent.seed),
    ];
    println!("{when}: {calls:?} TokenRequests, TokenReviews, writes in the shoot and on the seed");
    assert_eq!(calls, [0; 4], "{when}: {:?} {:?}", spent.shoot, spent.seed);
    let generic = house.secrets(1).get(GENERIC).await.unwrap();
    assert_eq!(generic.data, None, "{when}: the generic kubeconfig");
}

async fn perennial(house: &House, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new("perennial");
    command.args(arguments).envs(house.lab.environment().unwrap()).output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
