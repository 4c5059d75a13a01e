//! What a renewal costs, counted by the API servers.

use std::time::Duration;

use crate::house::{House, kubeconfig_secret};

const SECRETS: u64 = 10;
const DOCUMENT: &str = "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
    contexts: [{name: a, context: {cluster: a, user: a}}]\n\
    clusters: [{name: a, cluster: {server: 'https://api.example'}}]\n\
    users: [{name: a, user: {}}]\n";
/// How long nothing is due and nothing may be asked; longer than the pause between two probes.
const IDLE: Duration = Duration::from_secs(65);

#[tokio::test]
async fn a_renewal_costs_one_token_request_and_one_patch_and_a_kubeconfig_one_get_more() {
    let house = House::start(1, &[]).await;
    let plain: Vec<String> = (0..SECRETS).map(|n| format!("shoot-access-plain-{n}")).collect();
    let documents: Vec<String> = (0..SECRETS).map(|n| format!("shoot-access-doc-{n}")).collect();
    for name in &plain {
        house.ask(1, name, &[]).await;
    }
    for name in &documents {
        house.create(1, kubeconfig_secret(name, DOCUMENT)).await;
    }
    for name in plain.iter().chain(&documents) {
        house.wait_for_token(1, name).await;
    }

    for (names, gets) in [(&plain, 0), (&documents, SECRETS)] {
        let before = house.counts().await;
        for name in names {
            house.renew_now(1, name).await.unwrap();
        }
        let spent = house.counts().await.since(&before);
        assert_eq!(spent.shoot.token_requests(), SECRETS, "{:?}", spent.shoot);
        assert_eq!(spent.shoot.token_reviews(), 0);
        assert_eq!(spent.shoot.writes("serviceaccounts"), 0);
        assert_eq!(spent.seed.writes("secrets"), SECRETS, "{:?}", spent.seed);
        assert_eq!(spent.gets(), gets, "{:?}", spent.seed);
        println!("{SECRETS} renewals: {SECRETS} TokenRequests, {SECRETS} patches, {gets} GETs");
    }

    between_renewals(&house).await;
    house.end().await;
}

/// Per Secret nothing is called; per shoot there is one watch of its accounts, and the probe, which
/// the API server does not count, so the token-issuer is asked for it.
async fn between_renewals(house: &House) {
    let (before, probes_before) = (house.counts().await, probes(house).await);
    tokio::time::sleep(IDLE).await; // nothing can be waited for: it is the absence that counts
    let spent = house.counts().await.since(&before);
    let probes = probes(house).await - probes_before;
    let of_ours = |resource: &str| {
        let ours = ["serviceaccounts", "secrets", "tokenreviews", "selfsubjectaccessreviews"];
        ours.contains(&resource)
    };
    // The one watch of accounts ends and is resumed now and then; it is counted when it ends.
    let asked = spent.shoot.count(|r| of_ours(&r.resource) && r.verb != "WATCH");
    let watches = spent.shoot.count(|r| r.resource == "serviceaccounts" && r.verb == "WATCH");
    assert!(watches <= 1, "{watches} watches of accounts in {IDLE:?}");
    let read = spent.seed.count(|r| r.resource == "secrets" && r.verb != "WATCH");
    println!("{IDLE:?} between renewals: {probes} probes, {asked} other calls, {read} of the seed");
    assert_eq!(asked, 0, "{:?}", spent.shoot);
    assert_eq!(read, 0, "{:?}", spent.seed);
    assert!((1..=2).contains(&probes), "{probes} probes in {IDLE:?}");
}

/// Probes of all shoots so far.
async fn probes(house: &House) -> u64 {
    let metrics = house.lab.service("token-issuer").metrics().await.unwrap();
    let counter = "perennial_token_issuer_probes_total";
    let lines = metrics.lines().filter(|line| line.starts_with(counter));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
