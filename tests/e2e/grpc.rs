//! What an operator sees with grpcurl and the certificate that the lab hands out.

use std::process::Output;

use serde_json::Value;

use crate::house::House;

#[tokio::test]
async fn grpcurl_lists_services_and_schedules_and_every_renewal_has_its_reason() {
    let house = House::start(1, &["--renewal-basis=8s"]).await;
    for account in ["kube-scheduler", "kube-proxy"] {
        house.ask(1, &format!("shoot-access-{account}"), &[]).await;
        house.wait_for_token(1, &format!("shoot-access-{account}")).await;
    }
    let name = "shoot-access-kube-proxy";
    let first = crate::house::claims(&house.wait_for_token(1, name).await);
    house.wait(1, name, "a renewal that fell due", |s| crate::house::claims(s) != first).await;

    let listed = text(&grpcurl(&house, "scheduler", &["list"]).await);
    let expected = ["grpc.health.v1.Health", "perennial.scheduler.v1.Scheduler"];
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    let answer = text(&grpcurl(&house, "scheduler", &[LIST]).await);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let schedules = answer["schedules"].as_array().unwrap();
    assert_eq!(schedules.len(), 3);
    for schedule in schedules {
        let reason = schedule["lastRenewal"]["reason"].as_str().unwrap_or_default();
        assert!(["due", "nothing_held"].contains(&reason), "{schedule}");
        println!("{} {} renewed: {reason}", schedule["name"], schedule["state"]);
    }
    assert!(schedules.iter().any(|s| s["lastRenewal"]["reason"] == "due"));

    let refused = grpcurl(&house, "scheduler", &[RENEW]).await;
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && told.contains("NAME_INVALID"), "details in plain: {told}");

    let check = text(&grpcurl(&house, "token-issuer", &["grpc.health.v1.Health/Check"]).await);
    assert!(check.contains("SERVING"), "{check}");
    let shoots = text(&grpcurl(&house, "token-issuer", &[SHOOTS]).await);
    assert!(shoots.contains("REACH_REACHABLE"), "{shoots}");
    house.end().await;
}

const LIST: &str = "perennial.scheduler.v1.Scheduler/ListSchedules";
const RENEW: &str = "perennial.scheduler.v1.Scheduler/RenewNow";
const SHOOTS: &str = "perennial.issuer.v1.TokenIssuer/ListShoots";

async fn grpcurl(house: &House, service: &str, call: &[&str]) -> Output {
    let of = |file: &str| house.lab.dir().certificates().join(file);
    let addr = house.lab.service(service).addr().to_string();
    tokio::process::Command::new(perennial_lab::binaries::grpcurl().await.unwrap())
        .arg("-cacert")
        .arg(of("ca.crt"))
        .arg("-cert")
        .arg(of("operator.crt"))
        .arg("-key")
        .arg(of("operator.key"))
        .args(["-max-time", "10", &addr])
        .args(call)
        .output()
        .await
        .unwrap()
}

fn text(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "grpcurl failed: {errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}
