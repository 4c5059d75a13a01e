//! `perennial pause` and `perennial resume NAMESPACE`: one shoot that nothing is ordered for, and what
//! follows from it.

use std::io::{self, Write as _};

use jiff::Timestamp;
use perennial_core::{clock::Clock as _, name::Namespace};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{
    Pause, PauseOutlook, PauseShootRequest, PauseShootResponse, ResumeShootRequest,
    ResumeShootResponse,
};

use crate::{
    args::{Output, PauseArgs},
    connect::{Scheduler, with_deadline},
    error::CliError,
    exit::Exit,
    json, list, moment,
};

/// Most pauses that are told of in lines of their own.
const TOLD_MAX: usize = 5;

pub(crate) async fn pause(mut scheduler: Scheduler, args: PauseArgs) -> Result<Exit, CliError> {
    let PauseArgs { namespace, reason, lasting, yes, dry_run, output } = args;
    let request = |dry_run| PauseShootRequest {
        namespace: namespace.to_string(),
        reason: reason.as_str().to_owned(),
        r#for: lasting.map(perennial_rpc::convert::duration),
        dry_run,
    };
    let mut exit = Exit::Ok;
    let mut answer = None;
    if dry_run || !yes {
        let asked = scheduler.pause_shoot(with_deadline(request(true))).await;
        let asked = asked.map_err(CliError::call)?.into_inner();
        let lets_expire = asked.outlook.as_ref().is_some_and(|outlook| outlook.expiring > 0);
        if lets_expire && !asked.was_paused {
            exit = Exit::Trouble;
        }
        answer = (dry_run || exit == Exit::Trouble).then_some(asked);
    }
    let answer = match answer {
        Some(answer) => answer,
        None => {
            let done = scheduler.pause_shoot(with_deadline(request(false))).await;
            done.map_err(CliError::call)?.into_inner()
        }
    };
    match output.output {
        Output::Text => list::print(&paused(&answer, SystemClock.now()))?,
        Output::Json => json::print(&answer)?,
    }
    if exit == Exit::Trouble && !dry_run {
        writeln!(io::stderr(), "perennial: not paused: a token would expire; --yes does it anyway")
            .map_err(CliError::Output)?;
    }
    Ok(exit)
}

pub(crate) async fn resume(
    mut scheduler: Scheduler,
    namespace: Namespace,
    output: Output,
) -> Result<(), CliError> {
    let namespace = namespace.to_string();
    let request = with_deadline(ResumeShootRequest { namespace: namespace.clone() });
    let answer = scheduler.resume_shoot(request).await.map_err(CliError::call)?;
    match output {
        Output::Text => list::print(&resumed(&namespace, answer.get_ref(), SystemClock.now())),
        Output::Json => json::print(answer.get_ref()),
    }
}

/// That a shoot is paused, in one line.
#[must_use]
pub fn words(pause: &Pause, now: Timestamp) -> String {
    format!("shoot {} is {}", pause.namespace, by(pause, now))
}

fn by(pause: &Pause, now: Timestamp) -> String {
    let Pause { reason, by, since, until, .. } = pause;
    let at = |word, at: &Option<prost_types::Timestamp>| {
        at.map_or_else(String::new, |at| format!(" {word} {}", moment::both(Some(&at), now)))
    };
    format!("paused by {by}{}{}: {reason}", at("since", since), at("until", until))
}

/// A line for each pause, and one for all that are too many for that.
#[must_use]
pub fn all(pauses: &[Pause], now: Timestamp) -> Vec<String> {
    let mut lines: Vec<String> = pauses.iter().take(TOLD_MAX).map(|p| words(p, now)).collect();
    if let Some(more) = pauses.len().checked_sub(TOLD_MAX + 1) {
        lines.push(format!(
            "and {} more: perennial list -o json",
            counted(more + 1, "paused shoot")
        ));
    }
    lines
}

/// What follows from a pause, or would.
#[must_use]
pub fn paused(answer: &PauseShootResponse, now: Timestamp) -> Vec<String> {
    let pause = answer.pause.clone().unwrap_or_default();
    let mut lines = vec![match (answer.dry_run, answer.was_paused) {
        (true, false) => format!("Shoot {} would be {}", pause.namespace, by(&pause, now)),
        _ => format!("Shoot {} is {}", pause.namespace, by(&pause, now)),
    }];
    if answer.was_paused {
        lines.push("It was so before, and that pause stays as it is.".to_owned());
    }
    let outlook = answer.outlook.clone().unwrap_or_default();
    lines.push(format!(
        "Nothing {} ordered for its {}; what is under way ends.",
        if answer.dry_run { "would be" } else { "is" },
        counted(whole(outlook.secrets), "Secret")
    ));
    lines.extend(expiring(&outlook, &pause, now));
    if outlook.unusable > 0 {
        let count = counted(whole(outlook.unusable), "Secret");
        let verb = if outlook.unusable == 1 { "has" } else { "have" };
        lines.push(format!("{count} {verb} no usable token now, and would get none meanwhile."));
    }
    lines.push(match &pause.until {
        Some(_) => format!("It ends by itself, or sooner: perennial resume {}", pause.namespace),
        None => format!("To end it: perennial resume {}", pause.namespace),
    });
    lines
}

/// The warning: which tokens expire meanwhile.
fn expiring(outlook: &PauseOutlook, pause: &Pause, now: Timestamp) -> Vec<String> {
    let Some(first) = outlook.first.first() else { return Vec::new() };
    let named = |name: &str| format!("{}/{name}", pause.namespace);
    let next = format!("{}, {}", named(&first.name), moment::both(first.at.as_ref(), now));
    let when = if pause.until.is_some() { "before it ends" } else { "within the hour" };
    let (hour, day) = (outlook.expiring_within_hour, outlook.expiring_within_day);
    let mut lines = vec![match whole(outlook.expiring) {
        0 => format!("No token expires {when}; the next is that of {next}."),
        count => {
            let verb = if count == 1 { "expires" } else { "expire" };
            format!("WARNING: {} {verb} {when}, first that of {next}.", counted(count, "token"))
        }
    }];
    if pause.until.is_none() {
        lines.push(format!("Until it is ended, {hour} within the hour and {day} within 24 h."));
    }
    let meanwhile = outlook.first.iter().take(whole(outlook.expiring)).skip(1);
    lines.extend(meanwhile.map(|expiry| {
        format!("  {} expires {}", named(&expiry.name), moment::both(expiry.at.as_ref(), now))
    }));
    lines
}

/// What follows from its end.
#[must_use]
pub fn resumed(namespace: &str, answer: &ResumeShootResponse, now: Timestamp) -> Vec<String> {
    let Some(ended) = &answer.ended else {
        return vec![format!("Shoot {namespace} was not paused; nothing has changed.")];
    };
    let due = match answer.outlook.as_ref().map_or(0, |outlook| outlook.waiting) {
        0 => "Nothing fell due meanwhile.".to_owned(),
        1 => "1 Secret fell due meanwhile, and is renewed now.".to_owned(),
        count => format!(
            "{count} Secrets fell due meanwhile, and are renewed now within the usual limits, most \
             urgent first."
        ),
    };
    vec![format!("Shoot {namespace} is resumed; it was {}", by(ended, now)), due]
}

fn whole(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests;
