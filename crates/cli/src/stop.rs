//! `perennial stop` and `perennial resume`: the global stop switch, and what follows from it.

use jiff::Timestamp;
use perennial_core::clock::Clock as _;
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{
    Outlook, ResumeRequest, ResumeResponse, StopRequest, StopResponse, Stopped,
};

use crate::{
    args::{Output, ResumeArgs, StopArgs},
    connect::{Scheduler, with_deadline},
    error::CliError,
    json, list, moment, pause,
};

pub(crate) async fn stop(mut scheduler: Scheduler, args: StopArgs) -> Result<(), CliError> {
    let StopArgs { reason, output } = args;
    let request = StopRequest { reason: reason.as_str().to_owned() };
    let answer = scheduler.stop(with_deadline(request)).await.map_err(CliError::call)?;
    match output.output {
        Output::Text => list::print(&stopped(answer.get_ref(), SystemClock.now())),
        Output::Json => json::print(answer.get_ref()),
    }
}

pub(crate) async fn resume(mut scheduler: Scheduler, args: ResumeArgs) -> Result<(), CliError> {
    let ResumeArgs { namespace, output } = args;
    if let Some(namespace) = namespace {
        return pause::resume(scheduler, namespace, output.output).await;
    }
    let request = with_deadline(ResumeRequest {});
    let answer = scheduler.resume(request).await.map_err(CliError::call)?;
    match output.output {
        Output::Text => list::print(&resumed(answer.get_ref(), SystemClock.now())),
        Output::Json => json::print(answer.get_ref()),
    }
}

/// That the fleet is stopped, in one line that nobody overlooks.
#[must_use]
pub fn words(stopped: &Stopped, now: Timestamp) -> String {
    let Stopped { reason, by, since } = stopped;
    let since = since.map(|at| format!(" since {}", moment::both(Some(&at), now)));
    format!("THE FLEET IS STOPPED by {by}{}: {reason}", since.unwrap_or_default())
}

/// What follows from a stop.
#[must_use]
pub fn stopped(answer: &StopResponse, now: Timestamp) -> Vec<String> {
    let stopped = answer.stopped.clone().unwrap_or_default();
    let mut lines = vec![words(&stopped, now)];
    if answer.was_stopped {
        lines.push("It was so before, and that reason stays.".to_owned());
    }
    lines.push("Nothing is renewed any more; what is under way ends.".to_owned());
    let outlook = answer.outlook.clone().unwrap_or_default();
    lines.extend(expiring(&outlook, now));
    if outlook.unusable > 0 {
        let (count, verb) = counted(outlook.unusable, "Secret");
        lines.push(format!("{count} {verb} no usable token now, and will get none."));
    }
    lines.push("To end it: perennial resume".to_owned());
    lines
}

/// When it begins to hurt.
fn expiring(outlook: &Outlook, now: Timestamp) -> Option<String> {
    let next = outlook.next_expiry.as_ref()?;
    let secret = outlook.next_to_expire.clone().unwrap_or_default();
    let name = format!("{}/{}", secret.namespace, secret.name);
    let next = moment::both(Some(next), now);
    Some(match outlook.expiring_within_hour {
        0 => format!("No token expires within the hour; the next is that of {name}, {next}."),
        1 => format!("1 token expires within the hour: that of {name}, {next}."),
        count => {
            format!("{count} tokens expire within the hour; the next is that of {name}, {next}.")
        }
    })
}

/// What follows from its end.
#[must_use]
pub fn resumed(answer: &ResumeResponse, now: Timestamp) -> Vec<String> {
    let Some(ended) = &answer.ended else {
        return vec!["The fleet was not stopped; nothing has changed.".to_owned()];
    };
    let Stopped { reason, by, since } = ended;
    let since = since.map(|at| format!(" since {}", moment::both(Some(&at), now)));
    let was = format!("it was stopped by {by}{}: {reason}", since.unwrap_or_default());
    let waiting = answer.outlook.as_ref().map_or(0, |outlook| outlook.waiting);
    let due = match waiting {
        0 => "Nothing fell due meanwhile.".to_owned(),
        1 => "1 Secret fell due meanwhile, and is renewed now.".to_owned(),
        count => format!(
            "{count} Secrets fell due meanwhile, and are renewed now within the usual limits, most \
             urgent first."
        ),
    };
    vec![format!("The fleet is resumed; {was}"), due]
}

fn counted(count: u64, what: &str) -> (String, &'static str) {
    match count {
        1 => (format!("1 {what}"), "has"),
        _ => (format!("{count} {what}s"), "have"),
    }
}

#[cfg(test)]
mod tests {
    use perennial_proto::scheduler::v1::SecretName;

    use super::*;

    fn at(seconds: i64) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds, nanos: 0 }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(120).unwrap()
    }

    fn wrong_tokens() -> Stopped {
        Stopped {
            reason: "wrong tokens".to_owned(),
            by: "spiffe://x".to_owned(),
            since: Some(at(60)),
        }
    }

    #[test]
    fn whoever_stops_is_told_when_the_next_token_expires() {
        let next = SecretName { namespace: "shoot-1".to_owned(), name: "etcd".to_owned() };
        let outlook = Outlook {
            unusable: 1,
            expiring_within_hour: 2,
            next_expiry: Some(at(1_920)),
            next_to_expire: Some(next),
            waiting: 3,
        };
        let answer = StopResponse {
            stopped: Some(wrong_tokens()),
            was_stopped: true,
            outlook: Some(outlook.clone()),
        };
        let told = [
            "THE FLEET IS STOPPED by spiffe://x since 1970-01-01T00:01:00Z (1m00s ago): wrong tokens",
            "It was so before, and that reason stays.",
            "Nothing is renewed any more; what is under way ends.",
            "2 tokens expire within the hour; the next is that of shoot-1/etcd, 1970-01-01T00:32:00Z \
             (in 30m00s).",
            "1 Secret has no usable token now, and will get none.",
            "To end it: perennial resume",
        ];
        assert_eq!(stopped(&answer, now()), told);
        let later = Outlook { expiring_within_hour: 0, unusable: 0, ..outlook };
        let answer = StopResponse { was_stopped: false, outlook: Some(later), ..answer };
        let told = stopped(&answer, now());
        assert!(
            told[2]
                .starts_with("No token expires within the hour; the next is that of shoot-1/etcd")
        );
        assert_eq!(told.len(), 4);
    }

    #[test]
    fn whoever_resumes_is_told_what_it_was_and_what_goes_now() {
        let outlook = Some(Outlook { waiting: 7, ..Outlook::default() });
        let answer = ResumeResponse { ended: Some(wrong_tokens()), outlook };
        let told = resumed(&answer, now());
        assert!(
            told[0].starts_with("The fleet is resumed; it was stopped by spiffe://x since 1970")
        );
        assert!(
            told[0].ends_with(": wrong tokens") && told[1].starts_with("7 Secrets"),
            "{told:?}"
        );
        let nothing = resumed(&ResumeResponse::default(), now());
        assert_eq!(nothing, ["The fleet was not stopped; nothing has changed."]);
    }
}
