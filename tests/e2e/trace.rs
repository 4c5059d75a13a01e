//! One renewal is one trace: in the logs of all three services, and at a collector.

use std::collections::{BTreeMap, BTreeSet};

use perennial_lab::{
    Lab, Options,
    poll::{Look, until},
    service::SERVICES,
};
use perennial_proto::scheduler::v1::{RenewNowRequest, Renewal};
use tonic::Request;

use crate::{
    collector::Collector,
    house::{House, MOMENT},
};

const NAME: &str = "shoot-access-traced";
const LATER: &str = "shoot-access-without-collector";
const OPERATORS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OPERATORS_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A token is seen on the seed before the scheduler has its answer, and logs that.
async fn answered(house: &House, name: &str) {
    let look = async || {
        let all = house.schedules().await;
        let took = |renewal: &Renewal| renewal.took.is_some();
        let mut own = all.iter().filter(|schedule| schedule.name == name);
        let known = own.any(|schedule| schedule.last_renewal.as_ref().is_some_and(took));
        Ok(if known { Look::Done(()) } else { Look::Waiting(format!("{name}: no answer yet")) })
    };
    until("the answer of the first renewal", MOMENT, look).await.unwrap();
}

#[tokio::test]
async fn a_forced_renewal_is_one_trace_in_logs_and_collector_and_needs_no_collector() {
    let collector = Collector::start().await;
    let house = house_with(&collector).await;
    house.ask(1, NAME, &[]).await;
    house.wait_for_token(1, NAME).await;
    answered(&house, NAME).await;

    let before = lines(&house);
    renew(&house, NAME, Some(OPERATORS)).await;
    let since = about_since(&house, NAME, &before);
    println!("{since:#?}");
    for service in SERVICES {
        assert_eq!(since[service], BTreeSet::from([OPERATORS_TRACE.to_owned()]), "{service}");
    }

    // Nobody waits: a service hands its last spans over before it ends.
    for service in house.lab.services() {
        service.stop().await.unwrap();
    }
    let paths = collector.paths(OPERATORS_TRACE);
    println!("{}", paths.join("\n"));
    assert_eq!(paths, expected());

    drop(collector);
    for service in house.lab.services() {
        service.start().await.unwrap();
    }
    house.ask(1, LATER, &[]).await;
    house.wait_for_token(1, LATER).await;
    answered(&house, LATER).await;
    let before = lines(&house);
    renew(&house, LATER, None).await;
    let since = about_since(&house, LATER, &before);
    let one = &since["scheduler"];
    assert_eq!(one.len(), 1, "{since:?}");
    assert!(since.values().all(|traces| traces == one), "{since:?}");
    for service in house.lab.services() {
        service.stop().await.unwrap(); // the last spans are given up within their limit
        let log = std::fs::read_to_string(house.lab.dir().log(service.name())).unwrap();
        let complaints = log.lines().filter(|line| line.contains("spans are lost")).count();
        assert_eq!(complaints, 1, "{}: {log}", service.name());
    }
    house.end().await;
}

/// Each span with all above it. The operator's own is not among them: it is the operator's.
fn expected() -> Vec<String> {
    let mut at = String::new();
    let mut down = |step: &str| {
        at = if at.is_empty() { step.to_owned() } else { format!("{at} > {step}") };
        at.clone()
    };
    let to_the_writer = [
        down("scheduler←RenewNow"),
        down("scheduler renewal"),
        down("scheduler→RenewToken"),
        down("secret-writer←RenewToken"),
    ];
    let writer = to_the_writer[3].clone();
    let patch = format!("{writer} > secret-writer→write Secret shoot--lab--1/{NAME}");
    let to_the_shoot = [
        down("secret-writer→IssueToken"),
        down("token-issuer←IssueToken"),
        down("token-issuer→request a token for kube-system/traced"),
    ];
    let mut all = [to_the_writer.to_vec(), to_the_shoot.to_vec(), vec![patch]].concat();
    all.sort();
    all
}

async fn house_with(collector: &Collector) -> House {
    let flags = vec![collector.flag()];
    let options = Options {
        issuer_args: flags.clone(),
        writer_args: flags.clone(),
        scheduler_args: flags,
        ..Options::default()
    };
    House { lab: Lab::start(options).await.unwrap() }
}

async fn renew(house: &House, name: &str, traceparent: Option<&'static str>) {
    let namespace = perennial_lab::shoot::namespace(1);
    let mut request = Request::new(RenewNowRequest { namespace, name: name.to_owned() });
    if let Some(traceparent) = traceparent {
        request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    }
    house.scheduler().renew_now(request).await.unwrap();
}

/// How many lines each log has.
fn lines(house: &House) -> BTreeMap<&'static str, usize> {
    let count =
        |service| std::fs::read_to_string(house.lab.dir().log(service)).unwrap().lines().count();
    SERVICES.map(|service| (service, count(service))).into()
}

/// The traces of later lines that name the Secret, by service; a line without one is its own.
fn about_since(
    house: &House,
    name: &str,
    before: &BTreeMap<&'static str, usize>,
) -> BTreeMap<&'static str, BTreeSet<String>> {
    let traces = |service| {
        let log = std::fs::read_to_string(house.lab.dir().log(service)).unwrap();
        let about = log.lines().skip(before[service]).filter(|line| line.contains(name));
        let trace = |line: &str| match line.rsplit_once(" trace_id=") {
            Some((_, trace)) => trace.to_owned(),
            None => line.to_owned(),
        };
        about.map(trace).collect()
    };
    SERVICES.map(|service| (service, traces(service))).into()
}
