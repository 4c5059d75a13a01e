//! What an operator sees with `perennial`, the real binary, in the environment that the lab gives.

use std::process::Stdio;

use perennial_core::{keys, storm::AT_ONCE_MAX};
use perennial_lab::{
    poll::{Look, until},
    shoot::{ACCESS_SECRET, namespace},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    time::timeout,
};

use crate::{
    house::{House, MOMENT},
    operator::{code, errors, json, perennial, text},
};

const GOOD: &str = "shoot-access-kube-scheduler";
const BAD: &str = "shoot-access-nonsense";

#[tokio::test]
async fn an_operator_sees_what_is_well_and_what_is_not_and_renews_by_hand() {
    let house = House::start(1, &[]).await;
    house.ask(1, GOOD, &[]).await;
    house.wait_for_token(1, GOOD).await;
    let good = format!("{}/{GOOD}", namespace(1));

    let status = settled(&house, 0).await;
    println!("{status}");
    assert!(status.starts_with("all is well: 2 Secrets kept fresh, 1 shoot reached\n"), "{status}");
    lists(&house, &good).await;
    watches(&house).await;
    explains(&house, &good).await;
    renews(&house, &good).await;
    finds_trouble(&house).await;
    ends_with_the_documented_code(&house, &good).await;
    house.end().await;
}

async fn lists(house: &House, good: &str) {
    let status = json(&perennial(house, &["status", "-o", "json"]).await);
    assert_eq!((&status["well"], &status["secrets"]["total"]), (&true.into(), &"2".into()));
    assert_eq!(status["shoots"][0]["reach"], "REACH_REACHABLE", "{status}");
    let listed = json(&perennial(house, &["list", "-o", "json"]).await);
    let names: Vec<_> =
        listed["schedules"].as_array().unwrap().iter().map(|s| &s["name"]).collect();
    assert_eq!(names, [GOOD, ACCESS_SECRET]);
    assert_eq!(listed["schedules"][0]["state"], "STATE_FRESH");
    let named = perennial(house, &["list", "--state", "fresh", "-o", "name"]).await;
    assert!(text(&named).lines().any(|line| line == good), "{}", text(&named));
    let troubled = perennial(house, &["list", "--troubled"]).await;
    assert_eq!((code(&troubled), text(&troubled).as_str()), (0, ""));
    assert_eq!(errors(&troubled), "All is well: no Secret is in trouble.\n");
}

async fn watches(house: &House) {
    let mut watching = tokio::process::Command::new("perennial")
        .args(["watch", "--namespace", &namespace(1), "-o", "json"])
        .envs(house.lab.environment().unwrap())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    for expected in ["upsert", "upsert", "snapshotComplete"] {
        let line = timeout(MOMENT, lines.next_line()).await.unwrap().unwrap().unwrap();
        let message: Value = serde_json::from_str(&line).unwrap();
        assert!(message.get(expected).is_some(), "no {expected}: {line}");
    }
}

async fn explains(house: &House, good: &str) {
    let explained = perennial(house, &["explain", good]).await;
    println!("{}", text(&explained));
    for part in ["fresh", "cause", "nothing to do", "▼", "80 % of min(granted", "key set"] {
        assert!(text(&explained).contains(part), "{part} is not in\n{}", text(&explained));
    }
    let look = async || {
        let explained = json(&perennial(house, &["explain", good, "-o", "json"]).await);
        let published = explained["shoot"]["signingKeyPublished"] == true;
        Ok(if published { Look::Done(explained) } else { Look::Waiting(explained.to_string()) })
    };
    let explained = until("the key set of the shoot", MOMENT, look).await.unwrap();
    assert_eq!(explained["origin"], "ORIGIN_OURS");
    assert_eq!(explained["record"]["inputs"]["accountName"], "kube-scheduler");
    assert_eq!(explained["attempts"][0]["outcome"], "renewed");
    assert!(!explained["replica"]["name"].as_str().unwrap().is_empty());
}

async fn renews(house: &House, good: &str) {
    let before = house.wait_for_token(1, GOOD).await;
    a_second_later(house, good).await;
    let renewed = json(&perennial(house, &["renew", good, "-o", "json"]).await);
    assert_eq!(renewed["after"]["lastRenewal"]["reason"], "requested", "{renewed}");
    let expiry = |schedule: &str| renewed[schedule]["expiresAt"].as_str().unwrap().to_owned();
    assert!(expiry("after") > expiry("before"), "{renewed}");
    let changed = |secret: &_| crate::house::claims(secret) != crate::house::claims(&before);
    house.wait(1, GOOD, "the new token", changed).await;

    // A token that stood for two seconds may be followed at once, eight times; whether this one did is
    // for the machine to say.
    let mut held = perennial(house, &["renew", good]).await;
    for _ in 0..AT_ONCE_MAX {
        if code(&held) == 0 {
            held = perennial(house, &["renew", good]).await;
        }
    }
    assert_eq!(code(&held), 75, "a storm is held back, which passes: {}", errors(&held));
    assert!(errors(&held).contains("perennial explain"), "{}", errors(&held));

    let own = format!("{}/{ACCESS_SECRET}", namespace(1));
    let shown = perennial(house, &["renew", &own]).await;
    println!("{}{}", text(&shown), errors(&shown));
    assert!(text(&shown).contains("renewed in ") && text(&shown).contains("the token before:"));
}

/// Lives are whole seconds: a token issued in the same second would expire in the same one.
async fn a_second_later(house: &House, name: &str) {
    let look = async || {
        let explained = json(&perennial(house, &["explain", name, "-o", "json"]).await);
        let second = |moment: &Value| moment.as_str().unwrap()[..19].to_owned();
        let (now, issued) = (second(&explained["at"]), second(&explained["schedule"]["issuedAt"]));
        Ok(if now > issued { Look::Done(()) } else { Look::Waiting(format!("{now} {issued}")) })
    };
    until("the second after the token was issued", MOMENT, look).await.unwrap();
}

async fn finds_trouble(house: &House) {
    house.ask(1, BAD, &[(keys::TOKEN_LIFETIME, "soon")]).await;
    let bad = format!("{}/{BAD}", namespace(1));
    let status = settled(house, 1).await;
    println!("{status}");
    assert!(
        status.starts_with(&format!("trouble: 1 Secret needs somebody, first {bad} (invalid)"))
    );
    let explained = text(&perennial(house, &["explain", &bad]).await);
    println!("{explained}");
    assert!(explained.contains("is not a Go duration"), "{explained}");
    assert!(explained.contains("such as 12h"), "the remedy: {explained}");
    let renewed = perennial(house, &["renew", &bad]).await;
    assert_eq!(code(&renewed), 65, "{}", errors(&renewed));
    assert!(text(&renewed).contains("not renewed: "), "{}", text(&renewed));
}

async fn ends_with_the_documented_code(house: &House, good: &str) {
    let missing = format!("{}/shoot-access-nobody", namespace(1));
    for (arguments, expected, told) in [
        (vec!["explain", missing.as_str()], 66, "perennial list shows those"),
        (vec!["renew", missing.as_str(), good], 66, "there is no access Secret"),
        (vec!["explain", "no-slash"], 64, "write it as NAMESPACE/NAME"),
        (vec!["explain", "Shoot/x"], 64, "NAMESPACE must be lower-case"),
        (vec!["lst"], 64, "unrecognized subcommand"),
        (vec!["list", "--addr=127.0.0.1:1"], 69, "the scheduler cannot be reached"),
        (vec!["status", "--addr=127.0.0.1:1"], 69, ""),
        (vec!["list", "--addr=nowhere"], 78, "write it as host:port"),
        (vec!["list", "--cert=/no/such/file"], 78, "/no/such/file"),
    ] {
        let ended = perennial(house, &arguments).await;
        assert_eq!(code(&ended), expected, "{arguments:?}: {}", errors(&ended));
        assert!(errors(&ended).contains(told), "{arguments:?}: {}", errors(&ended));
    }
    let status = perennial(house, &["status", "--addr=127.0.0.1:1"]).await;
    assert!(text(&status).contains("scheduler 127.0.0.1:1 is not reached"), "{}", text(&status));
    let help = perennial(house, &["renew", "--help"]).await;
    for part in ["Examples:", "Exit codes:", "Usage: perennial renew [OPTIONS] <NAMESPACE/NAME>"] {
        assert!(code(&help) == 0 && text(&help).contains(part), "{part}: {}", text(&help));
    }
    let usage = errors(&perennial(house, &["explain"]).await);
    assert!(!usage.contains("--addr"), "that comes from the environment: {usage}");
}

/// The text of `perennial status`, once it ends with that code.
async fn settled(house: &House, expected: i32) -> String {
    let look = async || {
        let status = perennial(house, &["status"]).await;
        let done = code(&status) == expected;
        Ok(if done { Look::Done(text(&status)) } else { Look::Waiting(text(&status)) })
    };
    until(&format!("perennial status to exit with {expected}"), MOMENT, look).await.unwrap()
}
