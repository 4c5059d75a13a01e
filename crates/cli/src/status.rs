//! `perennial status`: whether all is well.
//!
//! Each replica of a service is asked for its health, the scheduler for all schedules, the
//! token-issuers for the shoots. What is made of it is in [`judge`], and in text in [`text`].

use std::time::Duration;

use perennial_core::{clock::Clock as _, failure::Failure as _};
use perennial_process::clock::SystemClock;
use perennial_proto::{
    cli::v1::{Health, Service},
    issuer::v1::{ListShootsRequest, Shoot, token_issuer_client::TokenIssuerClient},
    scheduler::v1::scheduler_client::SchedulerClient,
};
use perennial_rpc::client::Channel;
use perennial_rpc::{client, convert, status::Remote};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    args::{Output, StatusArgs},
    connect::{ConnectArgs, Identity},
    error::CliError,
    exit::Exit,
    json, list,
};

pub mod judge;
mod paused;
pub mod text;

/// Longest wait for one answer about health or shoots; a connection has three seconds of its own.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) async fn run(connect: &ConnectArgs, args: StatusArgs) -> Result<Exit, CliError> {
    let StatusArgs { secret_writer_addr, token_issuer_addr, output } = args;
    let (addr, identity) = (connect.addr()?, connect.identity()?);
    let (scheduler, writers, issuers) = tokio::join!(
        ask_scheduler(addr, &identity),
        ask_writers(&secret_writer_addr, &identity),
        ask_issuers(&token_issuer_addr, &identity),
    );
    let ((scheduler, schedules), writers, (issuers, shoots)) = (scheduler?, writers?, issuers?);
    let reached = scheduler.health() != Health::Unreachable;
    let services = [vec![scheduler], writers, issuers].concat();
    let status = judge::status(services, schedules, shoots, convert::timestamp(SystemClock.now()));
    match output.output {
        Output::Text => list::print(&text::lines(&status, SystemClock.now()))?,
        Output::Json => json::print(&status)?,
    }
    Ok(match (reached, status.well) {
        (false, _) => Exit::Unavailable,
        (true, false) => Exit::Trouble,
        (true, true) => Exit::Ok,
    })
}

/// Its health and all schedules.
async fn ask_scheduler(
    addr: &str,
    identity: &Identity,
) -> Result<(Service, Option<list::All>), CliError> {
    let channel = identity.channel(addr)?;
    let mut service = ask("scheduler", addr, channel.clone()).await;
    if service.health() == Health::Unreachable {
        return Ok((service, None));
    }
    let schedules = list::all(&mut SchedulerClient::new(channel), None).await;
    if let Err(error) = &schedules {
        service.detail = error.to_string();
    }
    Ok((service, schedules.ok()))
}

async fn ask_writers(addresses: &[String], identity: &Identity) -> Result<Vec<Service>, CliError> {
    let mut services = Vec::new();
    for addr in addresses {
        services.push(ask("secret-writer", addr, identity.channel(addr)?).await);
    }
    Ok(or_not_asked(services, "secret-writer", "--secret-writer-addr"))
}

/// Their health and the shoots.
async fn ask_issuers(
    addresses: &[String],
    identity: &Identity,
) -> Result<(Vec<Service>, Vec<Shoot>), CliError> {
    let (mut services, mut shoots) = (Vec::new(), Vec::new());
    for addr in addresses {
        let channel = identity.channel(addr)?;
        let mut service = ask("token-issuer", addr, channel.clone()).await;
        if service.health() != Health::Unreachable {
            let request = client::with_deadline(ListShootsRequest::default(), ASK_TIMEOUT);
            match TokenIssuerClient::new(channel).list_shoots(request).await {
                Ok(answer) => shoots.extend(answer.into_inner().shoots),
                Err(status) => service.detail = Remote::from(status).message().to_owned(),
            }
        }
        services.push(service);
    }
    Ok((or_not_asked(services, "token-issuer", "--token-issuer-addr"), shoots))
}

fn or_not_asked(services: Vec<Service>, name: &str, flag: &str) -> Vec<Service> {
    if !services.is_empty() {
        return services;
    }
    let detail = format!("give {flag} to have it asked");
    vec![service(name, "", Health::NotAsked, detail)]
}

async fn ask(name: &str, addr: &str, channel: Channel) -> Service {
    let whole = HealthCheckRequest { service: String::new() };
    let answer = HealthClient::new(channel).check(client::with_deadline(whole, ASK_TIMEOUT)).await;
    let (health, detail) = match answer.map(|answer| answer.into_inner().status()) {
        Ok(ServingStatus::Serving) => (Health::Serving, String::new()),
        Ok(_) => (Health::NotServing, "not ready; its /readyz says what is missing".to_owned()),
        Err(status) => (Health::Unreachable, unreachable(&Remote::from(status))),
    };
    service(name, addr, health, detail)
}

fn unreachable(remote: &Remote) -> String {
    match remote.reason() {
        _ if remote.is_answer() => format!("answers: {}", remote.message()),
        "PEER_REFUSED_US" => format!("refuses us: {}", remote.message()),
        "PEER_DEADLINE_EXCEEDED" => "does not answer; see its log".to_owned(),
        _ => format!(
            "cannot be reached ({}); is it running, and is this its address?",
            remote.message()
        ),
    }
}

fn service(name: &str, addr: &str, health: Health, detail: String) -> Service {
    let (name, address) = (name.to_owned(), addr.to_owned());
    Service { name, address, health: health.into(), detail }
}
