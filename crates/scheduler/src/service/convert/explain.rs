//! Explanations as messages.

use std::time::Duration;

use jiff::Timestamp;
use perennial_proto::scheduler::v1 as proto;
use perennial_rpc::convert::{duration, record_to_proto, shoot_to_proto, timestamp};

use crate::replica::Replica;
use perennial_fleet::{
    explain::{Explanation, Finding, Generations, Origin, RenewalWindow, ShootKnown, Tried},
    limits::ShootLimits,
};

pub(in crate::service) fn explanation(
    explanation: Explanation,
    replica: &Replica,
) -> proto::Explanation {
    let Explanation {
        at,
        verdict,
        more,
        usable_until,
        schedule,
        record,
        origin,
        window,
        renew_timestamp,
        held_until,
        shoot,
        signing_key_published,
        attempts,
        next,
        audit,
        stopped,
        pause,
        generations,
        limits,
    } = explanation;
    let shoot_namespace = schedule.secret.namespace.clone();
    proto::Explanation {
        at: Some(timestamp(at)),
        verdict: Some(finding(verdict)),
        more: more.into_iter().map(finding).collect(),
        usable_until: usable_until.map(timestamp),
        schedule: Some(super::schedule(schedule)),
        origin: self::origin(origin).into(),
        window: window.map(self::window),
        renew_timestamp,
        storm: record.memory.map(|memory| proto::StormMemory {
            written_at: Some(timestamp(memory.at)),
            streak: memory.streak,
            spent: memory.spent,
            held_until: held_until.map(timestamp),
        }),
        record: Some(record_to_proto(&record)),
        shoot: Some(self::shoot(shoot, limits, signing_key_published)),
        attempts: attempts.into_iter().map(|tried| attempt(tried, replica)).collect(),
        next: Some(proto::Next { at: next.at.map(timestamp), what: next.what }),
        replica: Some(proto::Replica {
            name: replica.name.clone(),
            since: Some(timestamp(replica.since)),
        }),
        audit,
        stopped: stopped.as_ref().map(crate::service::stop::stopped),
        pause: pause.map(|pause| crate::service::pause::paused(&shoot_namespace, &pause)),
        generations: generations.map(self::generations),
    }
}

fn finding(finding: Finding) -> proto::Finding {
    let Finding { cause, remedy, command } = finding;
    proto::Finding { cause, remedy, command }
}

fn generations(generations: Generations) -> proto::Generations {
    let Generations { present, since, older, seen_at } = generations;
    let each = older.iter().map(|(number, until)| proto::OlderGeneration {
        number: *number,
        until: until.map(timestamp),
    });
    let (present, object) = present.unwrap_or_default();
    proto::Generations {
        present,
        object,
        since: since.map(timestamp),
        older: older.iter().map(|(number, _)| *number).collect(),
        older_until: older.iter().find_map(|(_, until)| *until).map(timestamp),
        each: each.collect(),
        seen_at: seen_at.map(timestamp),
    }
}

const fn origin(origin: Origin) -> proto::Origin {
    match origin {
        Origin::None => proto::Origin::None,
        Origin::Ours => proto::Origin::Ours,
        Origin::Other => proto::Origin::Other,
        Origin::Damaged => proto::Origin::Damaged,
        Origin::Unreadable => proto::Origin::Unreadable,
    }
}

fn window(window: RenewalWindow) -> proto::RenewalWindow {
    let (from, place): (Option<Timestamp>, Option<f64>) = window.drawn.unzip();
    proto::RenewalWindow {
        granted: Some(duration(window.granted)),
        basis: Some(duration(window.basis)),
        from: from.map(timestamp),
        latest: Some(timestamp(window.latest)),
        place,
        planned: Some(timestamp(window.planned)),
        why_latest: window.why_latest,
    }
}

fn shoot(
    known: ShootKnown,
    limits: ShootLimits,
    signing_key_published: Option<bool>,
) -> proto::ShootView {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let (knowledge, status, age): (_, _, Option<Duration>) = match known {
        // The address stays with the token-issuer.
        ShootKnown::Reported { status, age } => {
            (proto::Knowledge::Reported, Some(shoot_to_proto(&status, "")), age)
        }
        ShootKnown::Missing => (proto::Knowledge::Missing, None, None),
        ShootKnown::Unheard => (proto::Knowledge::Unheard, None, None),
    };
    proto::ShootView {
        knowledge: knowledge.into(),
        status,
        age: age.map(duration),
        signing_key_published,
        limit_in_flight: count(limits.limit_in_flight),
        in_flight: count(limits.in_flight),
        rate: limits.rate,
        slowed_because: limits.slowed_because,
    }
}

fn attempt(tried: Tried, replica: &Replica) -> proto::Attempt {
    let outcome = match (tried.took, &tried.trouble) {
        (_, Some(trouble)) => trouble.kind.as_str(),
        (Some(_), None) if !tried.reason.needs_token() => "repaired",
        (Some(_), None) => "renewed",
        (None, None) => "under_way",
    };
    let (code, message) =
        tried.trouble.map_or_else(Default::default, |t| (t.code.into(), t.message.into()));
    proto::Attempt {
        at: Some(timestamp(tried.at)),
        took: tried.took.map(duration),
        reason: tried.reason.as_str().to_owned(),
        outcome: outcome.to_owned(),
        code,
        message,
        remedy: tried.remedy,
        request_id: replica.request_id(tried.number),
    }
}
