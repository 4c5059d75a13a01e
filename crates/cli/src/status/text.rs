//! A status as text. Pure.

use jiff::Timestamp;
use perennial_core::length::length;
use perennial_proto::{
    cli::v1::{Health, Secrets, Service, Status},
    issuer::v1::{Credential, Reach, Shoot},
};

use super::{judge, paused};
use crate::{
    moment,
    table::{self, aligned},
};

/// The verdict first, then services, Secrets and the shoots that are not reached or lack something.
#[must_use]
pub fn lines(status: &Status, now: Timestamp) -> Vec<String> {
    let mut lines = vec![status.verdict.clone(), String::new()];
    lines.extend(aligned(["SERVICE", "ADDRESS", "HEALTH", "DETAIL"], rows(&status.services)));
    lines.push(String::new());
    match &status.secrets {
        Some(secrets) => lines.extend(of_secrets(secrets, now)),
        None => lines.push("Secrets: not known, the scheduler did not tell".to_owned()),
    }
    lines.extend(paused::lines(&status.pauses, now));
    lines.extend(of_shoots(status, now));
    lines
}

fn rows(services: &[Service]) -> impl Iterator<Item = [String; 4]> {
    services.iter().map(|service| {
        let address = or_dash(&service.address);
        [service.name.clone(), address, health(service).to_owned(), service.detail.clone()]
    })
}

fn health(service: &Service) -> &'static str {
    match service.health() {
        Health::Unspecified => "unknown",
        Health::NotAsked => "not asked",
        Health::Serving => "serving",
        Health::NotServing => "not ready",
        Health::Unreachable => "not reached",
    }
}

fn of_secrets(secrets: &Secrets, now: Timestamp) -> Vec<String> {
    let states: Vec<String> =
        secrets.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let states =
        if states.is_empty() { String::new() } else { format!(" ({})", states.join(", ")) };
    let mut lines = vec![format!(
        "Secrets: {}{states}, {} overdue, {} in need of somebody",
        secrets.total, secrets.overdue, secrets.troubled
    )];
    if let Some(oldest) = &secrets.oldest_trouble {
        let name = table::name(oldest);
        let state = judge::state(oldest);
        let since = match &oldest.troubled_since {
            Some(_) => format!(" since {}", moment::both(oldest.troubled_since.as_ref(), now)),
            None => String::new(),
        };
        lines.push(format!("         {name} is {state}{since}: {}", judge::why(oldest)));
        lines.push(format!("         what to do: perennial explain {name}"));
    }
    lines
}

fn of_shoots(status: &Status, now: Timestamp) -> Vec<String> {
    let shoots = &status.shoots;
    if shoots.is_empty() && !judge::knows_shoots(&status.services) {
        let mut issuers = status.services.iter().filter(|service| service.name == judge::ISSUER);
        let why = match issuers.all(|service| service.health() == Health::NotAsked) {
            true => "no token-issuer was asked",
            false => "the token-issuer does not answer",
        };
        return vec![format!("Shoots:  not known, {why}")];
    }
    let with = |reach| shoots.iter().filter(|shoot| shoot.reach() == reach).count();
    let unknown = match with(Reach::Unspecified) {
        0 => String::new(),
        count => format!(", {count} not known to a token-issuer"),
    };
    let asleep = match shoots.iter().filter(|shoot| shoot.hibernated).count() {
        0 => String::new(),
        count => format!(", {count} hibernated"),
    };
    let awake = shoots.iter().filter(|shoot| !shoot.hibernated);
    let reached = awake.filter(|shoot| shoot.reach() == Reach::Reachable).count();
    let mut lines = vec![format!("Shoots:  {} ({reached} reached{asleep}{unknown})", shoots.len())];
    let wrong = |shoot: &&Shoot| match shoot.hibernated {
        true => judge::answers_in_hibernation(shoot),
        false => shoot.reach() != Reach::Reachable || !shoot.detail.is_empty(),
    };
    let rows: Vec<_> = shoots.iter().filter(wrong).map(|shoot| row(shoot, now)).collect();
    if !rows.is_empty() {
        lines.push(String::new());
        let headings = ["SHOOT", "ADDRESS", "REACH", "CREDENTIAL", "LOOKED AT", "DETAIL"];
        lines.extend(aligned(headings, rows.into_iter()));
    }
    lines
}

fn row(shoot: &Shoot, now: Timestamp) -> [String; 6] {
    let looked = shoot.checked_at.as_ref().map(|at| now.as_second().saturating_sub(at.seconds));
    [
        shoot.namespace.clone(),
        or_dash(&shoot.address),
        reach(shoot).to_owned(),
        credential(shoot).to_owned(),
        looked.map_or_else(|| "-".to_owned(), |ago| format!("{} ago", length(ago))),
        shoot.detail.clone(),
    ]
}

/// Whether a shoot is reached, in words.
#[must_use]
pub fn reach(shoot: &Shoot) -> &'static str {
    match shoot.reach() {
        Reach::Reachable if shoot.hibernated => "answers, is said to hibernate",
        _ if shoot.hibernated => "hibernates",
        Reach::Reachable => "reached",
        Reach::Unreachable => "not reached",
        Reach::Refused => "refuses us",
        Reach::Unknown => "not looked at",
        Reach::Unspecified => "not known",
    }
}

/// The credential in use at a shoot, in words.
#[must_use]
pub fn credential(shoot: &Shoot) -> &'static str {
    match shoot.credential() {
        Credential::Own => "own",
        Credential::Bootstrap => "bootstrap",
        Credential::None | Credential::Unspecified => "none",
    }
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use perennial_proto::scheduler::v1::{Schedule, State};

    use super::*;

    fn at(seconds: i64) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds, nanos: 0 }
    }

    fn service(name: &str, health: Health, detail: &str) -> Service {
        let (name, address) = (name.to_owned(), format!("{name}:8443"));
        Service { name, address, health: health.into(), detail: detail.to_owned() }
    }

    fn shoot(number: u32, reach: Reach, credential: Credential, detail: &str) -> Shoot {
        Shoot {
            namespace: format!("shoot--lab--{number}"),
            reach: reach.into(),
            credential: credential.into(),
            detail: detail.to_owned(),
            checked_at: Some(at(940)),
            address: format!("https://shoot-{number}.example"),
            ..Shoot::default()
        }
    }

    fn listed(schedules: Vec<Schedule>) -> Option<crate::list::All> {
        Some(crate::list::All { schedules, ..crate::list::All::default() })
    }

    fn schedule(name: &str, state: State, detail: &str) -> Schedule {
        Schedule {
            namespace: "shoot--lab--2".to_owned(),
            name: name.to_owned(),
            state: state.into(),
            detail: detail.to_owned(),
            troubled_since: (state != State::Fresh).then(|| at(100)),
            ..Schedule::default()
        }
    }

    #[test]
    fn all_is_told_in_one_line_and_then_in_detail() {
        let now = Timestamp::from_second(1_000).unwrap();
        let well = judge::status(
            vec![
                service("scheduler", Health::Serving, ""),
                service("secret-writer", Health::Serving, ""),
                service("token-issuer", Health::Serving, ""),
            ],
            listed(vec![schedule("etcd", State::Fresh, "")]),
            vec![shoot(1, Reach::Reachable, Credential::Own, "")],
            at(1_000),
        );
        let refused = "connection refused";
        let trouble = judge::status(
            vec![
                service("scheduler", Health::Serving, ""),
                service("secret-writer", Health::NotServing, "not ready; see /readyz"),
                service("token-issuer", Health::Serving, ""),
            ],
            listed(vec![
                schedule("etcd", State::Fresh, ""),
                schedule("proxy", State::WaitingForShoot, "the shoot is not reached: refused"),
            ]),
            vec![
                shoot(1, Reach::Reachable, Credential::Own, ""),
                shoot(2, Reach::Unreachable, Credential::None, refused),
            ],
            at(1_000),
        );
        let away = judge::status(
            vec![service("token-issuer", Health::Unreachable, "does not answer; see its log")],
            listed(vec![]),
            vec![],
            at(1_000),
        );
        let told = lines(&away, now);
        assert!(told.contains(&"Shoots:  not known, the token-issuer does not answer".to_owned()));
        insta::assert_snapshot!("well", lines(&well, now).join("\n"));
        insta::assert_snapshot!("trouble", lines(&trouble, now).join("\n"));
    }
}
