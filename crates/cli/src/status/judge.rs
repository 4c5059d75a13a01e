//! What all the answers come to. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use perennial_proto::{
    cli::v1::{Health, Secrets, Service, Status},
    issuer::v1::{Reach, Shoot},
    scheduler::v1::{Schedule, State},
};

use super::paused;
use crate::{
    list::{AUDIT, All},
    moment, stop, table,
};

/// Failures in a row after which somebody should look: the first ones are what retries are for.
const FAILURES_PATIENT_MAX: u32 = 2;

/// Name of the service that knows the shoots.
pub(super) const ISSUER: &str = "token-issuer";

/// Puts the answers together.
#[must_use]
pub fn status(
    services: Vec<Service>,
    all: Option<All>,
    shoots: Vec<Shoot>,
    at: prost_types::Timestamp,
) -> Status {
    let audit = all.as_ref().is_some_and(|all| all.audit);
    let stopped = all.as_ref().and_then(|all| all.stopped.clone());
    let pauses = all.as_ref().map(|all| paused::of(all, at)).unwrap_or_default();
    let now = Timestamp::from_second(at.seconds).unwrap_or_default();
    let expiry = all.as_ref().and_then(|all| next_expiry(&all.schedules, at));
    let schedules = all.map(|all| all.schedules);
    let mut shoots = merged(shoots);
    if knows_shoots(&services) {
        let unknown = unknown(schedules.as_deref().unwrap_or_default(), &shoots);
        shoots.extend(unknown);
        shoots.sort_by(|one, other| one.namespace.cmp(&other.namespace));
    }
    let secrets = schedules.map(count);
    let troubles = troubles(&services, secrets.as_ref(), &shoots);
    let in_trouble = (!troubles.is_empty()).then(|| format!("trouble: {}", troubles.join("; ")));
    let well = stopped.is_none() && in_trouble.is_none();
    let verdict = match (&stopped, audit, in_trouble) {
        (Some(stopped), _, in_trouble) => {
            let due = would_be_done(secrets.as_ref());
            let next = expiry.map(|next| moment::both(Some(&next), now));
            let next = next.map(|next| format!("the next token expires {next}"));
            let parts = [Some(stop::words(stopped, now)), Some(due), next, in_trouble];
            parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
        }
        (None, false, None) => all_well(&services, secrets.as_ref(), &shoots),
        (None, false, Some(trouble)) => trouble,
        (None, true, None) => format!("{AUDIT}; {}", would_be_done(secrets.as_ref())),
        (None, true, Some(trouble)) => format!("{AUDIT}; {trouble}"),
    };
    let verdict = match pauses.len() {
        0 => verdict,
        1 => format!("{verdict}; 1 shoot is paused"),
        count => format!("{verdict}; {count} shoots are paused"),
    };
    Status { at: Some(at), well, verdict, services, secrets, shoots, audit, stopped, pauses }
}

/// When the next token expires, by the shoot's clock: exact enough for somebody who has stopped.
fn next_expiry(
    schedules: &[Schedule],
    now: prost_types::Timestamp,
) -> Option<prost_types::Timestamp> {
    let ends = schedules.iter().filter_map(|schedule| schedule.expires_at);
    ends.filter(|end| end.seconds > now.seconds).min_by_key(|end| (end.seconds, end.nanos))
}

/// Whether it does not get better by itself.
#[must_use]
pub fn needs_somebody(schedule: &Schedule) -> bool {
    schedule.overdue
        || match schedule.state() {
            State::Fresh | State::Due | State::Renewing | State::Hibernated => false,
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

/// Whether some token-issuer told which shoots there are.
#[must_use]
pub fn knows_shoots(services: &[Service]) -> bool {
    let told = |service: &Service| {
        service.name == ISSUER && service.health() == Health::Serving && service.detail.is_empty()
    };
    services.iter().any(told)
}

/// Shoots that access Secrets wait for, and that no token-issuer knows.
fn unknown(schedules: &[Schedule], known: &[Shoot]) -> Vec<Shoot> {
    let mut waiting = BTreeMap::<&str, usize>::new();
    for schedule in schedules.iter().filter(|s| s.state() == State::WaitingForShoot) {
        *waiting.entry(&schedule.namespace).or_default() += 1;
    }
    let is_known = |namespace: &str| known.iter().any(|shoot| shoot.namespace == namespace);
    let shoot = |(namespace, count): (&str, usize)| Shoot {
        namespace: namespace.to_owned(),
        detail: format!("no token-issuer knows it, and {} for it", waiting_for(count)),
        ..Shoot::default()
    };
    waiting.into_iter().filter(|(namespace, _)| !is_known(namespace)).map(shoot).collect()
}

fn waiting_for(count: usize) -> String {
    let verb = if count == 1 { "waits" } else { "wait" };
    format!("{} {verb}", counted(count, "access Secret"))
}

/// The state in one word; a Secret that is overdue is not called fresh.
pub(super) fn state(schedule: &Schedule) -> &'static str {
    match schedule.state() {
        State::Fresh if schedule.overdue => "overdue",
        _ => table::state(schedule),
    }
}

/// What keeps it from being renewed; never empty.
pub(super) fn why(schedule: &Schedule) -> &str {
    match schedule.detail.as_str() {
        "" if schedule.overdue => "its latest moment of renewal has passed",
        "" => "the scheduler did not say why",
        detail => detail,
    }
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

/// Its tokens run out, and nobody wants that.
pub(super) fn answers_in_hibernation(shoot: &Shoot) -> bool {
    shoot.hibernated && shoot.reach() == Reach::Reachable
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
    let with = |reach| shoots.iter().filter(move |shoot| shoot.reach() == reach);
    let away = with(Reach::Unreachable).count();
    if away > 0 {
        troubles.push(format!("{away} of {} not reached", counted(shoots.len(), "shoot")));
    }
    let mut answering = shoots.iter().filter(|shoot| answers_in_hibernation(shoot));
    if let Some(first) = answering.next() {
        let count = counted(answering.count() + 1, "shoot");
        let name = &first.namespace;
        troubles.push(format!("{count} said to hibernate though answering, first {name}"));
    }
    let refused = with(Reach::Refused).count();
    if refused > 0 {
        troubles.push(format!(
            "{refused} of {} without a credential that holds",
            counted(shoots.len(), "shoot")
        ));
    }
    let mut unknown = with(Reach::Unspecified);
    if let Some(first) = unknown.next() {
        let count = counted(unknown.count() + 1, "shoot");
        troubles.push(format!("{count} not known to a token-issuer, first {}", first.namespace));
    }
    if let Some(oldest) = secrets.and_then(|secrets| secrets.oldest_trouble.as_ref()) {
        let troubled = secrets.map_or(0, |secrets| secrets.troubled);
        let verb = if troubled == 1 { "needs" } else { "need" };
        let count = counted(usize::try_from(troubled).unwrap_or(usize::MAX), "Secret");
        let name = table::name(oldest);
        let state = state(oldest);
        troubles.push(format!("{count} {verb} somebody, first {name} ({state})"));
    }
    troubles
}

fn all_well(services: &[Service], secrets: Option<&Secrets>, shoots: &[Shoot]) -> String {
    let total = secrets.map_or(0, |secrets| secrets.total);
    let secrets = counted(usize::try_from(total).unwrap_or(usize::MAX), "Secret");
    let issuers_asked = services
        .iter()
        .any(|service| service.name == ISSUER && service.health() != Health::NotAsked);
    let shoots = match issuers_asked {
        true => match shoots.iter().filter(|shoot| shoot.hibernated).count() {
            0 => format!(", {} reached", counted(shoots.len(), "shoot")),
            asleep => {
                let awake = counted(shoots.len() - asleep, "shoot");
                format!(", {awake} reached, {asleep} hibernated")
            }
        },
        false => String::new(),
    };
    format!("all is well: {secrets} kept fresh{shoots}")
}

/// What a scheduler that may do something would do now.
fn would_be_done(secrets: Option<&Secrets>) -> String {
    let due = secrets.and_then(|secrets| secrets.states.get("due")).copied().unwrap_or_default();
    let due = usize::try_from(due).unwrap_or(usize::MAX);
    format!("{} would be renewed now", counted(due, "Secret"))
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use perennial_proto::scheduler::v1::Pause;

    use super::*;

    fn at(seconds: i64) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds, nanos: 0 }
    }

    fn listed(schedules: Vec<Schedule>) -> Option<All> {
        Some(All { schedules, ..All::default() })
    }

    #[test]
    fn in_audit_mode_the_verdict_says_that_nothing_is_done_and_what_would_be() {
        let of = |schedules| {
            let all = All { schedules, audit: true, ..All::default() };
            status(serving(), Some(all), vec![], at(9))
        };
        let due = of(vec![schedule("a", State::Due, 1), schedule("b", State::Fresh, 1)]);
        assert!(due.audit && due.well);
        let expected = format!("{AUDIT}; 1 Secret would be renewed now");
        assert_eq!(due.verdict, expected);
        let invalid = of(vec![schedule("a", State::Invalid, 1)]);
        assert!(!invalid.well && invalid.verdict.starts_with(&format!("{AUDIT}; trouble: ")));
    }

    #[test]
    fn while_the_fleet_is_stopped_nothing_is_well_and_the_next_expiry_is_told() {
        let stopped = perennial_proto::scheduler::v1::Stopped {
            reason: "wrong tokens".to_owned(),
            by: "spiffe://x".to_owned(),
            since: Some(at(60)),
        };
        let expiring =
            |seconds| Schedule { expires_at: Some(at(seconds)), ..schedule("a", State::Fresh, 1) };
        let schedules = vec![schedule("due", State::Due, 1), expiring(7_320), expiring(100)];
        let all = All { schedules, audit: true, stopped: Some(stopped), ..All::default() };
        let told = status(serving(), Some(all), vec![], at(120));
        assert!(!told.well && told.stopped.is_some());
        assert_eq!(
            told.verdict,
            "THE FLEET IS STOPPED by spiffe://x since 1970-01-01T00:01:00Z (1m00s ago): wrong tokens; \
             1 Secret would be renewed now; the next token expires 1970-01-01T02:02:00Z (in 2h00m)"
        );
    }

    #[test]
    fn a_pause_is_told_and_is_no_trouble_but_a_token_that_is_late_in_it_is() {
        let pause = || Pause { namespace: "shoot-1".to_owned(), ..Pause::default() };
        let of = |overdue| {
            let paused = Schedule { paused: true, overdue, ..schedule("a", State::Due, 1) };
            let all =
                All { schedules: vec![paused], pauses: vec![pause(), pause()], ..All::default() };
            status(serving(), Some(all), vec![], at(9))
        };
        let well = of(false);
        assert!(well.well && well.verdict.ends_with("; 2 shoots are paused"), "{}", well.verdict);
        assert_eq!(well.secrets.unwrap().states["paused"], 1);
        let late = of(true);
        assert!(!late.well && late.verdict.starts_with("trouble: 1 Secret needs somebody"));
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
        let well = |failures| status(serving(), listed(vec![failed(failures)]), vec![], at(9)).well;
        assert!(well(2) && !well(3));
    }

    #[test]
    fn the_oldest_trouble_is_named_first() {
        let schedules = vec![
            schedule("young", State::Invalid, 50),
            schedule("old", State::Held, 20),
            schedule("fresh", State::Fresh, 1),
        ];
        let status = status(serving(), listed(schedules), vec![], at(60));
        assert_eq!(status.verdict, "trouble: 2 Secrets need somebody, first shoot-1/old (held)");
        let secrets = status.secrets.unwrap();
        assert_eq!((secrets.total, secrets.troubled, secrets.states["invalid"]), (3, 2, 1));
    }

    #[test]
    fn an_overdue_secret_is_not_called_fresh() {
        let late = Schedule { overdue: true, ..schedule("late", State::Fresh, 1) };
        let status = status(serving(), listed(vec![late]), vec![], at(60));
        assert_eq!(
            status.verdict,
            "trouble: 1 Secret needs somebody, first shoot-1/late (overdue)"
        );
        let oldest = status.secrets.unwrap().oldest_trouble.unwrap();
        assert_eq!(why(&oldest), "its latest moment of renewal has passed");
    }

    #[test]
    fn a_shoot_that_secrets_wait_for_and_nobody_knows_is_counted_and_named() {
        let issuer = |health: Health| {
            let (name, health) = (ISSUER.to_owned(), health.into());
            vec![Service { name, health, ..Service::default() }]
        };
        let waiting = || listed(vec![schedule("etcd", State::WaitingForShoot, 1)]);
        let known = Shoot {
            namespace: "shoot-2".to_owned(),
            reach: Reach::Reachable.into(),
            ..Shoot::default()
        };
        let told = status(issuer(Health::Serving), waiting(), vec![known], at(9));
        let names: Vec<_> = told.shoots.iter().map(|shoot| shoot.namespace.as_str()).collect();
        assert_eq!(names, ["shoot-1", "shoot-2"]);
        let expected = "no token-issuer knows it, and 1 access Secret waits for it";
        assert_eq!(told.shoots[0].detail, expected);
        let part = "1 shoot not known to a token-issuer, first shoot-1";
        assert!(told.verdict.contains(part), "{}", told.verdict);

        let away = status(issuer(Health::Unreachable), waiting(), vec![], at(9));
        assert!(away.shoots.is_empty(), "then nobody knows which shoots are known");
    }

    #[test]
    fn a_shoot_that_hibernates_is_no_trouble_unless_it_answers() {
        let asleep = |reach: Reach| Shoot {
            namespace: "shoot-1".to_owned(),
            reach: reach.into(),
            hibernated: true,
            ..Shoot::default()
        };
        let issuer = Service {
            name: ISSUER.to_owned(),
            health: Health::Serving.into(),
            ..Service::default()
        };
        let of = |shoot| {
            let schedules = listed(vec![schedule("etcd", State::Hibernated, 1)]);
            status(vec![issuer.clone()], schedules, vec![shoot], at(9))
        };
        let well = of(asleep(Reach::Unknown));
        assert!(well.well);
        assert_eq!(
            well.verdict,
            "all is well: 1 Secret kept fresh, 0 shoots reached, 1 hibernated"
        );
        let forgotten = of(asleep(Reach::Reachable));
        let expected = "trouble: 1 shoot said to hibernate though answering, first shoot-1";
        assert_eq!(forgotten.verdict, expected);
    }

    #[test]
    fn a_service_or_shoot_that_is_away_is_trouble_and_one_that_was_not_asked_is_none() {
        let service = |health: Health| Service {
            name: "secret-writer".to_owned(),
            address: "w:1".to_owned(),
            health: health.into(),
            ..Service::default()
        };
        let with = |health| status(vec![service(health)], listed(vec![]), vec![], at(0));
        assert!(with(Health::NotAsked).well);
        assert_eq!(with(Health::Unreachable).verdict, "trouble: secret-writer w:1 is not reached");
        assert_eq!(with(Health::NotServing).verdict, "trouble: secret-writer w:1 is not ready");

        let shoot = |reach: Reach| Shoot {
            namespace: "shoot-1".to_owned(),
            reach: reach.into(),
            ..Shoot::default()
        };
        let away = status(serving(), listed(vec![]), vec![shoot(Reach::Unreachable)], at(0));
        assert_eq!(away.verdict, "trouble: 1 of 1 shoot not reached");
        let both = vec![shoot(Reach::Reachable), shoot(Reach::Unreachable)];
        assert!(status(serving(), listed(vec![]), both, at(0)).well, "one token-issuer reaches it");
    }
}
