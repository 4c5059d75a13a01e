//! `perennial renew`: Secrets renewed now, one after the other, and what happens meanwhile.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use jiff::Timestamp;
use perennial_core::{clock::Clock as _, name::SecretRef};
use perennial_process::clock::SystemClock;
use perennial_proto::{
    cli::v1::Renewed,
    scheduler::v1::{GetScheduleRequest, RenewNowRequest, Schedule},
};
use tokio::time::{self, MissedTickBehavior};

use crate::{
    args::{Output, RenewArgs},
    connect::{Scheduler, with_deadline},
    error::CliError,
    exit::Exit,
    json, moment, table,
};

/// How often is looked at what happens while a renewal is waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// The first Secret that was not renewed decides the exit code; the others are tried all the same.
pub(crate) async fn run(scheduler: Scheduler, args: RenewArgs) -> Result<Exit, CliError> {
    let RenewArgs { secrets, output } = args;
    let mut exit = Exit::Ok;
    for secret in secrets {
        let mut told = Told { secret: &secret, text: output.output == Output::Text };
        let (before, outcome) = renew(scheduler.clone(), &secret, &mut told).await?;
        if let (Err(error), Exit::Ok) = (&outcome, exit) {
            exit = error.exit();
        }
        match output.output {
            Output::Text => told.end(before.as_ref(), outcome, SystemClock.now())?,
            Output::Json => json::print_line(&renewed(&secret, before, outcome))?,
        }
    }
    Ok(exit)
}

/// The schedule before, and the one after or why there is none.
async fn renew(
    mut scheduler: Scheduler,
    secret: &SecretRef,
    told: &mut Told<'_>,
) -> Result<(Option<Schedule>, Result<Schedule, CliError>), CliError> {
    let before = match look(&mut scheduler, secret).await {
        Ok(before) => before,
        Err(error) => return Ok((None, Err(error))),
    };
    let now = SystemClock.now();
    told.say(&format!("before: {}, {}", table::state(&before), expires(&before, now)))?;
    let (namespace, name) = (secret.namespace.to_string(), secret.name.to_string());
    let mut asking = scheduler.clone();
    let answer = asking.renew_now(with_deadline(RenewNowRequest { namespace, name }));
    tokio::pin!(answer);
    let mut beat = time::interval(LOOK_INTERVAL);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.reset(); // most are written before the first look
    let mut seen = (before.state, before.detail.clone());
    let outcome = loop {
        tokio::select! {
            answer = &mut answer => break answer,
            _ = beat.tick() => {
                let Ok(now) = look(&mut scheduler, secret).await else { continue };
                if seen != (now.state, now.detail.clone()) {
                    seen = (now.state, now.detail.clone());
                    told.say(&happening(&now))?;
                }
            }
        }
    };
    let outcome = outcome.map_err(CliError::call).and_then(|answer| {
        let schedule = answer.into_inner().schedule;
        schedule.ok_or_else(|| CliError::Nonsense("it has no schedule".to_owned()))
    });
    Ok((Some(before), outcome))
}

async fn look(scheduler: &mut Scheduler, secret: &SecretRef) -> Result<Schedule, CliError> {
    let (namespace, name) = (secret.namespace.to_string(), secret.name.to_string());
    let request = with_deadline(GetScheduleRequest { namespace, name });
    let answer = scheduler.get_schedule(request).await.map_err(CliError::call)?;
    let schedule = answer.into_inner().schedule;
    schedule.ok_or_else(|| CliError::Nonsense("it has no schedule".to_owned()))
}

fn happening(schedule: &Schedule) -> String {
    match schedule.detail.as_str() {
        "" => table::state(schedule).to_owned(),
        detail => format!("{}: {detail}", table::state(schedule)),
    }
}

fn expires(schedule: &Schedule, now: Timestamp) -> String {
    match &schedule.expires_at {
        Some(_) => format!("expires {}", moment::both(schedule.expires_at.as_ref(), now)),
        None => "has no token that can be read".to_owned(),
    }
}

/// What the one at the terminal is told of one Secret.
struct Told<'a> {
    secret: &'a SecretRef,
    text: bool,
}

impl Told<'_> {
    fn say(&mut self, line: &str) -> Result<(), CliError> {
        if !self.text {
            return Ok(());
        }
        writeln!(io::stdout(), "{}  {line}", self.secret).map_err(CliError::Output)
    }

    fn end(
        &mut self,
        before: Option<&Schedule>,
        outcome: Result<Schedule, CliError>,
        now: Timestamp,
    ) -> Result<(), CliError> {
        match outcome {
            Ok(after) => self.say(&result(before, &after, now)),
            Err(error) => {
                self.say(&not_renewed(&error))?;
                // An error is for stderr; that it cannot be told is no reason to stop.
                let _ =
                    writeln!(io::stderr(), "perennial: {}", refusal(self.secret, before, &error));
                Ok(())
            }
        }
    }
}

/// The end of a renewal: new and old expiry.
#[must_use]
pub fn result(before: Option<&Schedule>, after: &Schedule, now: Timestamp) -> String {
    let took = after.last_renewal.as_ref().and_then(|renewal| renewal.took.as_ref());
    let took = took.map_or_else(String::new, |took| format!(" in {}", moment::took(took)));
    let old = before.and_then(|before| before.expires_at.as_ref());
    let old = old.map_or_else(String::new, |old| {
        format!("; the token before: {}", moment::both(Some(old), now))
    });
    format!("renewed{took}, {}{old}", expires(after, now))
}

/// The same end on stdout, where the beginning stands; what to do is told on stderr.
fn not_renewed(error: &CliError) -> String {
    match error.code() {
        "" => format!("not renewed: {error}"),
        code => format!("not renewed: {code}"),
    }
}

fn refusal(secret: &SecretRef, before: Option<&Schedule>, error: &CliError) -> String {
    let told = perennial_core::failure::chain(error).replace('\n', " ");
    match before {
        Some(_) => format!("{secret} is not renewed: {told} (perennial explain {secret})"),
        None => told,
    }
}

fn renewed(
    secret: &SecretRef,
    before: Option<Schedule>,
    outcome: Result<Schedule, CliError>,
) -> Renewed {
    let refused = outcome.as_ref().err();
    Renewed {
        namespace: secret.namespace.to_string(),
        name: secret.name.to_string(),
        code: refused.map_or("", CliError::code).to_owned(),
        message: refused.map(|e| refusal(secret, before.as_ref(), e)).unwrap_or_default(),
        before,
        after: outcome.ok(),
    }
}

#[cfg(test)]
mod tests {
    use perennial_proto::scheduler::v1::Renewal;

    use super::*;

    #[test]
    fn a_failure_is_told_as_one_on_stdout_too() {
        let error = CliError::call(tonic::Status::unavailable("connection refused"));
        assert_eq!(not_renewed(&error), "not renewed: PEER_UNREACHABLE");
        let error = CliError::Nonsense("it has no schedule".to_owned());
        assert!(not_renewed(&error).starts_with("not renewed: cannot show the answer"));
    }

    #[test]
    fn a_renewal_shows_the_new_expiry_and_the_old_one() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let before = Schedule { expires_at: at(3_600), ..Schedule::default() };
        let took = Some(prost_types::Duration { seconds: 0, nanos: 48_000_000 });
        let renewal = Renewal { at: at(0), reason: "requested".to_owned(), took };
        let after =
            Schedule { expires_at: at(43_200), last_renewal: Some(renewal), ..Schedule::default() };
        assert_eq!(
            result(Some(&before), &after, Timestamp::UNIX_EPOCH),
            "renewed in 48 ms, expires 1970-01-01T12:00:00Z (in 12h00m); the token before: \
             1970-01-01T01:00:00Z (in 1h00m)"
        );
    }
}
