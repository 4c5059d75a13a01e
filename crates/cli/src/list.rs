//! `perennial list`: the schedules once.

use std::io::{self, Write as _};

use perennial_core::{clock::Clock as _, name::Namespace};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{
    ListSchedulesRequest, ListSchedulesResponse, Pause, Schedule, State, Stopped,
};

use crate::{
    args::{ListArgs, ListOutput, StateName},
    connect::{Scheduler, with_deadline},
    error::CliError,
    json, live, pause, stop, table,
};

/// All schedules, and whether the scheduler only decides and shows, or the fleet is stopped.
#[derive(Clone, Debug, Default)]
pub struct All {
    /// Ordered by namespace and name.
    pub schedules: Vec<Schedule>,
    /// Audit mode.
    pub audit: bool,
    /// Why nothing is ordered.
    pub stopped: Option<Stopped>,
    /// Paused shoots.
    pub pauses: Vec<Pause>,
}

/// What is said where nothing is renewed on purpose.
pub(crate) const AUDIT: &str =
    "audit mode: the scheduler decides and shows, and nothing is renewed";

/// All schedules, page by page.
///
/// # Errors
/// When the scheduler refuses or does not answer.
pub async fn all(
    scheduler: &mut Scheduler,
    namespace: Option<&Namespace>,
) -> Result<All, CliError> {
    let mut all = All::default();
    let mut page_token = String::new();
    loop {
        let namespace = namespace.map(ToString::to_string).unwrap_or_default();
        let request = ListSchedulesRequest { namespace, page_size: 0, page_token };
        let page =
            scheduler.list_schedules(with_deadline(request)).await.map_err(CliError::call)?;
        let ListSchedulesResponse { schedules, next_page_token, audit, stopped, pauses } =
            page.into_inner();
        all.schedules.extend(schedules);
        (all.audit, all.stopped, all.pauses) = (audit, stopped, pauses);
        page_token = next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

pub(crate) async fn run(mut scheduler: Scheduler, args: ListArgs) -> Result<(), CliError> {
    let ListArgs { namespace, state, troubled, output } = args;
    let All { mut schedules, audit, stopped, pauses } =
        all(&mut scheduler, namespace.as_ref()).await?;
    let any = !schedules.is_empty();
    schedules.retain(|schedule| is_wanted(schedule, &state, troubled));
    let now = SystemClock.now();
    if let (Some(stopped), true) = (&stopped, output != ListOutput::Json) {
        writeln!(io::stderr(), "{}", stop::words(stopped, now)).map_err(CliError::Output)?;
    }
    if output != ListOutput::Json {
        let mut told = pause::all(&pauses, now).into_iter();
        told.try_for_each(|line| writeln!(io::stderr(), "{line}")).map_err(CliError::Output)?;
    }
    let lines = match output {
        ListOutput::Json => {
            let next_page_token = String::new();
            let answer =
                ListSchedulesResponse { schedules, next_page_token, audit, stopped, pauses };
            return json::print(&answer);
        }
        ListOutput::Name => schedules.iter().map(table::name).collect(),
        _ if schedules.is_empty() => {
            let told = nothing_found(any, namespace.as_ref(), &state, troubled);
            // On stderr, so that a program that reads the table reads none.
            return writeln!(io::stderr(), "{told}").map_err(CliError::Output);
        }
        ListOutput::Table => table::lines(&schedules, now, live::columns()),
        ListOutput::Wide => table::wide(&schedules, now),
    };
    if audit {
        // On stderr, so that a program that reads the table does not take it for a Secret.
        writeln!(io::stderr(), "{AUDIT}").map_err(CliError::Output)?;
    }
    print(&lines)
}

fn is_wanted(schedule: &Schedule, states: &[StateName], troubled: bool) -> bool {
    let in_state = states.is_empty() || states.iter().any(|s| State::from(*s) == schedule.state());
    in_state && (!troubled || table::is_troubled(schedule))
}

/// Why the list is empty; `any` says whether there is something that the filters left out.
fn nothing_found(
    any: bool,
    namespace: Option<&Namespace>,
    states: &[StateName],
    troubled: bool,
) -> String {
    let place = namespace.map_or_else(String::new, |name| format!(" in namespace {name}"));
    match (any, states, troubled) {
        (false, _, _) => format!("The scheduler knows no access Secret{place}."),
        (true, [], true) => format!("All is well: no Secret{place} is in trouble."),
        (true, _, _) => format!("No access Secret{place} is in such a state."),
    }
}

/// Prints lines.
///
/// # Errors
/// When stdout is gone.
pub fn print(lines: &[String]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}")).map_err(CliError::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_says_why_it_is_empty() {
        let nope = "nope".parse().unwrap();
        assert_eq!(nothing_found(true, None, &[], true), "All is well: no Secret is in trouble.");
        assert_eq!(
            nothing_found(false, Some(&nope), &[], true),
            "The scheduler knows no access Secret in namespace nope."
        );
        assert_eq!(
            nothing_found(true, None, &[StateName::Held], false),
            "No access Secret is in such a state."
        );
    }

    #[test]
    fn filters_are_taken_together() {
        let schedule = |state: State, overdue| Schedule {
            state: state.into(),
            overdue,
            ..Schedule::default()
        };
        let held = schedule(State::Held, false);
        assert!(is_wanted(&held, &[], false) && is_wanted(&held, &[], true));
        assert!(is_wanted(&held, &[StateName::Due, StateName::Held], true));
        assert!(!is_wanted(&held, &[StateName::Due], false));
        assert!(!is_wanted(&schedule(State::Due, false), &[], true));
        assert!(is_wanted(&schedule(State::Due, true), &[], true), "overdue is trouble");
    }
}
