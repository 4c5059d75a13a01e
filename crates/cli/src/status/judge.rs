//! What all the answers come to. Pure.

use std::collections::BTreeMap;

use perennial_proto::{
    cli::v1::{Health, Secrets, Service, Status},
    issuer::v1::{Reach, Shoot},
    scheduler::v1::{Schedule, State},
};

use crate::table;

/// Failures in a row after which somebody should look: the first ones are what retries are for.
const FAILURES_PATIENT_MAX: u32 = 2;

/// Puts the answers together.
#[must_use]
pub fn status(
    services: Vec<Service>,
    schedules: Option<Vec<Schedule>>,
    shoots: Vec<Shoot>,
    at: prost_types::Timestamp,
) -> Status {
    let secrets = schedules.map(count);
    let shoots = merged(shoots);
    let troubles = troubles(&services, secrets.as_ref(), &shoots);
    let well = troubles.is_empty();
    let verdict = if well {
        all_well(&services, secrets.as_ref(), &shoots)
    } else {
        format!("trouble: {}", troubles.join("; "))
    };
    Status { at: Some(at), well, verdict, services, secrets, shoots }
}

/// Whether it does not get better by itself.
#[must_use]
pub fn needs_somebody(schedule: &Schedule) -> bool {
    schedule.overdue
        || match schedule.state() {
            State::Fresh | State::Due | State::Renewing => false,
            State::BackingOff => schedule.failures > FAILURES_PATIENT_MAX,
            State::Unspecified
            | State::Held
            | State::Invalid
            | State::Obstructed
            | State::WaitingForShoot => true,
        }
}

fn count(schedules: Vec<Schedule>) -> Secrets {
    let mut secrets =
        Secrets { total: schedules.len().try_into().unwrap_or(u64::MAX), ..Secrets::default() };
    for schedule in &schedules {
        *secrets.states.entry(table::state(schedule).to_owned()).or_default() += 1;
        secrets.overdue += u64::from(schedule.overdue);
        secrets.troubled += u64::from(needs_somebody(schedule));
    }
    let troubled = schedules.into_iter().filter(needs_somebody);
    let since = |schedule: &Schedule| {
        let since = schedule.troubled_since.or(schedule.latest_at);
        since.map_or((i64::MAX, 0), |since| (since.seconds, since.nanos))
    };
    secrets.oldest_trouble = troubled.min_by_key(since);
    secrets
}

/// Each shoot once, as the token-issuer sees it that reaches it, or saw it last.
fn merged(shoots: Vec<Shoot>) -> Vec<Shoot> {
    let mut merged = BTreeMap::<String, Shoot>::new();
    let weight = |shoot: &Shoot| {
        let reached = shoot.reach() == Reach::Reachable;
        (reached, shoot.checked_at.map(|checked| (checked.seconds, checked.nanos)))
    };
    for shoot in shoots {
        match merged.get(&shoot.namespace) {
            Some(known) if weight(known) >= weight(&shoot) => {}
            _ => drop(merged.insert(shoot.namespace.clone(), shoot)),
        }
    }
    merged.into_values().collect()
}

fn troubles(services: &[Service], secrets: Option<&Secrets>, shoots: &[Shoot]) -> Vec<String> {
    let service = |service: &Service| {
        let what = match service.health() {
            Health::Unreachable => "is not reached",
            Health::NotServing => "is not ready",
            Health::Serving if !service.detail.is_empty() => "did not answer",
            Health::Serving | Health::NotAsked | Health::Unspecified => return None,
        };
        Some(format!("{} {} {what}", service.name, service.address))
    };
    let mut troubles: Vec<String> = services.iter().filter_map(service).collect();
    let away = shoots.iter().filter(|shoot| shoot.reach() == Reach::Unreachable).count();
    if away > 0 {
        troubles.push(format!("{away} of {} not reached", counted(shoots.len(), "shoot")));
    }
    if let Some(oldest) = secrets.and_then(|secrets| secrets.oldest_trouble.as_ref()) {
        let troubled = secrets.map_or(0, |secrets| secrets.troubled);
        let verb = if troubled == 1 { "needs" } else { "need" };
        let count = counted(usize::try_from(troubled).unwrap_or(usize::MAX), "Secret");
        let name = table::name(oldest);
        let state = table::state(oldest);
        troubles.push(format!("{count} {verb} somebody, first {name} ({state})"));
    }
    troubles
}

fn all_well(services: &[Service], secrets: Option<&Secrets>, shoots: &[Shoot]) -> String {
    let total = secrets.map_or(0, |secrets| secrets.total);
    let secrets = counted(usize::try_from(total).unwrap_or(usize::MAX), "Secret");
    let issuers_asked = services
        .iter()
        .any(|service| service.name == "token-issuer" && service.health() != Health::NotAsked);
    let shoots = match issuers_asked {
        true => format!(", {} reached", counted(shoots.len(), "shoot")),
        false => String::new(),
    };
    format!("all is well: {secrets} kept fresh{shoots}")
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds, nanos: 0 }
    }

    fn serving() -> Vec<Service> {
        let health = Health::Serving.into();
        vec![Service { name: "scheduler".to_owned(), health, ..Service::default() }]
    }

    fn schedule(name: &str, state: State, since: i64) -> Schedule {
        Schedule {
            namespace: "shoot-1".to_owned(),
            name: name.to_owned(),
            state: state.into(),
            troubled_since: Some(at(since)),
            ..Schedule::default()
        }
    }

    #[test]
    fn the_first_failures_are_what_retries_are_for() {
        let failed = |failures| Schedule { failures, ..schedule("a", State::BackingOff, 1) };
        let well = |failures| status(serving(), Some(vec![failed(failures)]), vec![], at(9)).well;
        assert!(well(2) && !well(3));
    }

    #[test]
    fn the_oldest_trouble_is_named_first() {
        let schedules = vec![
            schedule("young", State::Invalid, 50),
            schedule("old", State::Held, 20),
            schedule("fresh", State::Fresh, 1),
        ];
        let status = status(serving(), Some(schedules), vec![], at(60));
        assert_eq!(status.verdict, "trouble: 2 Secrets need somebody, first shoot-1/old (held)");
        let secrets = status.secrets.unwrap();
        assert_eq!((secrets.total, secrets.troubled, secrets.states["invalid"]), (3, 2, 1));
    }

    #[test]
    fn a_service_or_shoot_that_is_away_is_trouble_and_one_that_was_not_asked_is_none() {
        let service = |health: Health| Service {
            name: "secret-writer".to_owned(),
            address: "w:1".to_owned(),
            health: health.into(),
            ..Service::default()
        };
        let with = |health| status(vec![service(health)], Some(vec![]), vec![], at(0));
        assert!(with(Health::NotAsked).well);
        assert_eq!(with(Health::Unreachable).verdict, "trouble: secret-writer w:1 is not reached");
        assert_eq!(with(Health::NotServing).verdict, "trouble: secret-writer w:1 is not ready");

        let shoot = |reach: Reach| Shoot {
            namespace: "shoot-1".to_owned(),
            reach: reach.into(),
            ..Shoot::default()
        };
        let away = status(serving(), Some(vec![]), vec![shoot(Reach::Unreachable)], at(0));
        assert_eq!(away.verdict, "trouble: 1 of 1 shoot not reached");
        let both = vec![shoot(Reach::Reachable), shoot(Reach::Unreachable)];
        assert!(status(serving(), Some(vec![]), both, at(0)).well, "one token-issuer reaches it");
    }
}
