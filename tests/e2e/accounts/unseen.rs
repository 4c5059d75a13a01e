//! The same while one of our services is down.

use perennial_core::{clock::Clock as _, keys};
use perennial_process::clock::SystemClock;
use serde_json::json;

use super::stage::Stage;

const DRIFTED: &str = "shoot-access-drifted";
/// Down in order, or killed: then the lab starts it again at once. Each has an account of its own,
/// because a Secret gets one token at once and the next one after a pause (B12).
const ACCOUNTS: [(&str, &str, bool); 3] = [
    ("first", "token-issuer", false),
    ("second", "scheduler", false),
    ("third", "token-issuer", true),
];

#[tokio::test]
async fn c_account_changes_are_noticed_also_when_a_service_was_down_meanwhile() {
    let stage = Stage::start().await;
    let names = ACCOUNTS.map(|(account, ..)| format!("shoot-access-{account}"));
    for name in names.iter().map(String::as_str).chain([DRIFTED]) {
        stage.house.ask(1, name, &[(keys::ACCOUNT_LABELS, r#"{"app":"x"}"#)]).await;
    }
    for name in names.iter().map(String::as_str).chain([DRIFTED]) {
        stage.house.wait_for_token(1, name).await;
    }
    for (account, service, killed) in ACCOUNTS {
        println!("{service}, killed: {killed}");
        let before = stage.house.counts().await;
        let process = stage.house.lab.service(service);
        match killed {
            true => drop(process.kill().unwrap()),
            false => process.stop().await.unwrap(),
        }
        stage.delete(account).await;
        let uid = stage.make(account).await;
        let drift = json!({
            "metadata": {"labels": {"app": "other"}}, "automountServiceAccountToken": true,
        });
        stage.change("kubectl", "drifted", drift).await;
        match killed {
            true => process.wait_ready().await.unwrap(),
            false => process.start().await.unwrap(),
        }
        let begin = SystemClock.now();
        stage.wait_for_uid(&format!("shoot-access-{account}"), &uid, begin).await;
        stage.wait_for_labels("drifted", &[("app", "x")], begin).await;
        assert_eq!(stage.granted_since(&before).await, 1, "{service} was down");
    }
    stage.house.end().await;
}
