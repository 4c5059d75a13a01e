//! Many shoots over one API server, acted on from another process.

use std::{process::Stdio, time::Duration};

use perennial_core::clock::Clock as _;
use perennial_lab::{Options, access_secret::token, repo, service::SERVICES, shoot::namespace};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::State;
use tokio::process::Command;

use crate::house::{House, MOMENT};

const REAL: usize = 1;
const PROXIED: usize = 30;
/// The one that is cut, swallowed and delayed.
const AWAY: usize = 7;
/// Each piece of data is that much later: three a round trip at least, TLS included.
const DELAY: Duration = Duration::from_millis(300);

#[tokio::test]
async fn thirty_shoots_over_one_api_server_come_and_go_one_by_one() {
    let begin = SystemClock.now();
    let house = House::start_with(Options { proxied_shoots: PROXIED, ..Options::default() }).await;
    let took = SystemClock.now().duration_since(begin).unsigned_abs();
    println!(
        "{REAL} real and {PROXIED} proxied shoots are ready after {took:.1?}; {}",
        memory(&house)
    );
    assert_eq!(house.schedules().await.len(), REAL + PROXIED);
    for shoot in 1..=REAL + PROXIED {
        house.ask(shoot, "shoot-access-kube-scheduler", &[]).await;
    }
    for shoot in 1..=REAL + PROXIED {
        house.wait_for_token(shoot, "shoot-access-kube-scheduler").await;
    }
    every_shoot_has_its_environment(&house);

    for (action, back) in [("stop", "start"), ("freeze", "thaw")] {
        shoot(&house, AWAY, action).await;
        let name = format!("shoot-access-{action}");
        house.ask(AWAY, &name, &[]).await;
        for other in [1, AWAY - 1, AWAY + 1, REAL + PROXIED] {
            house.ask(other, &name, &[]).await;
            house.wait_for_token(other, &name).await;
        }
        let secret = house.secrets(AWAY).get(&name).await.unwrap();
        assert_eq!(token(&secret), None, "{action}");
        let schedules = house.schedules().await;
        let fresh = schedules.iter().filter(|s| s.namespace != namespace(AWAY));
        assert!(fresh.clone().all(|s| s.state() == State::Fresh), "{action}");
        let begin = SystemClock.now();
        shoot(&house, AWAY, back).await;
        house.wait_for_token(AWAY, &name).await;
        let took = SystemClock.now().duration_since(begin).unsigned_abs();
        println!("{action}: {} others fresh; after {back} a token in {took:.1?}", fresh.count());
    }
    a_delay_is_felt(&house).await;
    house.end().await;
}

async fn a_delay_is_felt(house: &House) {
    let renew = async || {
        let begin = SystemClock.now();
        house.renew_now(AWAY, "shoot-access-kube-scheduler").await.unwrap();
        SystemClock.now().duration_since(begin).unsigned_abs()
    };
    shoot(house, AWAY, &format!("delay {}ms", DELAY.as_millis())).await;
    let took = renew().await;
    shoot(house, AWAY, "start").await;
    println!("delayed by {DELAY:?} each way, a renewal takes {took:.1?}");
    assert!(took >= 2 * DELAY, "there and back");
}

/// `perennial-lab shoot N ACTION`, as COMMAND would call it.
pub(crate) async fn shoot(house: &House, number: usize, action: &str) {
    let lab = repo::folder_with(&["perennial-lab"]).unwrap().join("perennial-lab");
    let command = Command::new(lab)
        .args(["shoot", &number.to_string()])
        .args(action.split(' '))
        .env("LAB_DIR", house.lab.dir().root())
        .stdin(Stdio::null())
        .output();
    let output = tokio::time::timeout(MOMENT, command).await.unwrap().unwrap();
    assert!(output.status.success(), "{action}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What DESIGN promises to COMMAND.
fn every_shoot_has_its_environment(house: &House) {
    let environment = house.lab.environment().unwrap();
    let has = |name: &str| assert!(environment.contains_key(name), "{name} is missing");
    for name in ["LAB_DIR", "LAB_SEED_KUBECONFIG", "LAB_SHOOT_KUBECONFIG", "LAB_SHOOT_NAMESPACE"] {
        has(name);
    }
    for name in ["CA", "CERT", "KEY"] {
        has(&format!("LAB_OPERATOR_{name}"));
        has(&format!("PERENNIAL_{name}"));
    }
    has("PERENNIAL_ADDR");
    has("PATH");
    for service in ["SCHEDULER", "SECRET_WRITER", "TOKEN_ISSUER"] {
        has(&format!("LAB_{service}_ADDR"));
        has(&format!("LAB_METRICS_{service}"));
        has(&format!("LAB_PID_{service}"));
    }
    for number in 2..=REAL + PROXIED {
        let kubeconfig = &environment[&format!("LAB_SHOOT_KUBECONFIG_{number}")];
        assert!(std::path::Path::new(kubeconfig).is_file(), "{kubeconfig:?}");
        let namespace = namespace(number);
        assert_eq!(environment[&format!("LAB_SHOOT_NAMESPACE_{number}")], *namespace);
    }
}

/// Resident memory of the services.
fn memory(house: &House) -> String {
    let of = |name: &str| {
        let pid = house.lab.service(name).pid().unwrap().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        format!("{name} {} MiB", kilobytes / 1024)
    };
    SERVICES.map(of).join(", ")
}
