//! Certificates of all services renewed every few seconds under load, the authority too.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use perennial_lab::{certificates, service::SERVICES};
use perennial_proto::{
    issuer::v1::{ListShootsRequest, token_issuer_client::TokenIssuerClient},
    scheduler::v1::{ListSchedulesRequest, WatchSchedulesRequest},
    writer::v1::{ListAccessSecretsRequest, secret_writer_client::SecretWriterClient},
};
use perennial_rpc::client::Channel;
use perennial_rpc::tls::{Expected, TlsStore};
use tokio::{net::TcpStream, time::interval};
use tokio_rustls::TlsConnector;
use tonic::Status;

use crate::house::{House, claims};

/// How often, and how many times: a minute.
const EVERY: Duration = Duration::from_secs(5);
const RENEWALS: usize = 12;
/// The one that replaces the authority: three rounds in one.
const NEW_CA_AT: usize = RENEWALS / 2;
/// Rounds of calls of all services, each over connections of its own.
const CALLS_EVERY: Duration = Duration::from_millis(100);
const SECRETS: usize = 10;

#[tokio::test]
async fn certificates_and_their_authority_are_renewed_under_load_without_a_failed_call() {
    let house = House::start(1, &["--renewal-basis=8s"]).await;
    for number in 0..SECRETS {
        house.ask(1, &format!("shoot-access-component-{number}"), &[]).await;
    }
    for number in 0..SECRETS {
        house.wait_for_token(1, &format!("shoot-access-component-{number}")).await;
    }
    let before = Logs::read(&house);
    let (mut calls, mut seen) = (0, BTreeMap::<_, BTreeSet<_>>::new());
    tokio::select! {
        () = renew_all(&house, &mut seen) => {}
        failed = call_all(&house, &mut calls) => panic!("a call failed after {calls}: {failed}"),
        ended = follow_schedules(&house) => panic!("the stream ended: {ended}"),
    }

    let renewed = renewals(&house).await;
    println!("{calls} calls over new connections, renewals by result: {renewed:?}");
    assert!(renewed["renewed"] > 5 * SECRETS as u64, "{renewed:?}");
    assert_eq!(renewed.len(), 1, "no renewal failed: {renewed:?}");
    for (service, certificates) in &seen {
        println!("{service}: {} certificates in new handshakes", certificates.len());
        assert!(certificates.len() >= RENEWALS, "{service} used {}", certificates.len());
    }
    before.assert_no_complaint_since(&house);
    connections_of_services_use_the_new_ones_too(&house).await;
    house.end().await;
}

async fn renew_all(house: &House, seen: &mut BTreeMap<&'static str, BTreeSet<Vec<u8>>>) {
    let mut beat = interval(EVERY);
    for number in 0..RENEWALS {
        beat.tick().await;
        certificates::renew(number == NEW_CA_AT, house.lab.dir()).await.unwrap();
        for service in SERVICES {
            seen.entry(service).or_default().insert(served_certificate(house, service).await);
        }
    }
}

/// What a new connection is answered with, DER.
async fn served_certificate(house: &House, service: &str) -> Vec<u8> {
    let config = operator(house).client_config(anybody()).unwrap();
    let tcp = TcpStream::connect(house.lab.service(service).addr()).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let stream = TlsConnector::from(config).connect(name, tcp).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// Calls every service, each time over a connection of its own, until one call fails.
async fn call_all(house: &House, calls: &mut usize) -> Status {
    let mut beat = interval(CALLS_EVERY);
    loop {
        beat.tick().await;
        let channel = |service| house.channel("operator", service);
        let round = tokio::try_join!(
            async { house.scheduler().list_schedules(ListSchedulesRequest::default()).await },
            list_shoots(channel("token-issuer")),
            list_access_secrets(channel("secret-writer")),
        );
        match round {
            Ok(_) => *calls += 3,
            Err(failed) => return failed,
        }
    }
}

async fn list_shoots(channel: Channel) -> Result<(), Status> {
    TokenIssuerClient::new(channel).list_shoots(ListShootsRequest::default()).await.map(drop)
}

async fn list_access_secrets(channel: Channel) -> Result<(), Status> {
    let request = ListAccessSecretsRequest::default();
    SecretWriterClient::new(channel).list_access_secrets(request).await.map(drop)
}

/// One stream, opened with the first certificates.
async fn follow_schedules(house: &House) -> String {
    let request = WatchSchedulesRequest::default();
    let mut stream = house.scheduler().watch_schedules(request).await.unwrap().into_inner();
    loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            other => return format!("{other:?}"),
        }
    }
}

/// Attempts by result, those that occurred.
async fn renewals(house: &House) -> BTreeMap<String, u64> {
    let metrics = house.lab.service("scheduler").metrics().await.unwrap();
    let mut counts = BTreeMap::new();
    for line in
        metrics.lines().filter(|line| line.starts_with("perennial_scheduler_renewals_total"))
    {
        let result = line.split("result=\"").nth(1).unwrap().split('"').next().unwrap();
        let count: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        *counts.entry(result.to_owned()).or_default() += count;
    }
    counts.retain(|_, count| *count > 0);
    counts
}

/// Their connections are from before all this. The token-issuer makes them anew by starting again, and
/// then nobody presents a certificate of the old authority.
async fn connections_of_services_use_the_new_ones_too(house: &House) {
    house.lab.service("token-issuer").restart().await.unwrap();
    let name = "shoot-access-component-0";
    let first = claims(&house.wait_for_token(1, name).await);
    house.wait(1, name, "a renewal after the restart", |s| claims(s) != first).await;
    for service in SERVICES {
        let log = std::fs::read_to_string(house.lab.dir().log(service)).unwrap();
        assert!(!log.contains("refused a client"), "{log}");
    }
}

fn operator(house: &House) -> std::sync::Arc<TlsStore> {
    TlsStore::open(house.lab.dir().tls("operator")).unwrap()
}

fn anybody() -> Expected {
    Expected::AnyOf("cluster.local".parse().unwrap())
}

/// How long the logs were.
struct Logs(BTreeMap<&'static str, usize>);

impl Logs {
    fn read(house: &House) -> Self {
        let length = |service| std::fs::read(house.lab.dir().log(service)).unwrap().len();
        Self(SERVICES.into_iter().map(|service| (service, length(service))).collect())
    }

    fn assert_no_complaint_since(&self, house: &House) {
        for (service, length) in &self.0 {
            let log = std::fs::read_to_string(house.lab.dir().log(service)).unwrap();
            let complaint = |line: &&str| line.contains(" WARN ") || line.contains("ERROR ");
            let complaints: Vec<_> = log[*length..].lines().filter(complaint).collect();
            assert!(complaints.is_empty(), "{service}: {complaints:#?}");
            assert!(log.contains("new certificates are in use"), "{service} says so");
        }
    }
}
