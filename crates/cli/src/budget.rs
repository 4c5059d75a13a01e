//! `perennial budget`: whether every token survives what is to be survived.

use jiff::Timestamp;
use perennial_core::{clock::Clock as _, length::length};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{
    BudgetBroken, BudgetToken, GetBudgetRequest, GetBudgetResponse,
};

use crate::{
    args::{BudgetArgs, Output},
    connect::{Scheduler, with_deadline},
    error::CliError,
    exit::Exit,
    json, list, moment,
};

pub(crate) async fn run(mut scheduler: Scheduler, args: BudgetArgs) -> Result<Exit, CliError> {
    let BudgetArgs { namespace, output } = args;
    let namespace = namespace.map(|namespace| namespace.to_string()).unwrap_or_default();
    let request = with_deadline(GetBudgetRequest { namespace });
    let answer = scheduler.get_budget(request).await.map_err(CliError::call)?.into_inner();
    match output.output {
        Output::Text => list::print(&text(&answer, SystemClock.now()))?,
        Output::Json => json::print(&answer)?,
    }
    let holds = answer.needed.is_none() || answer.holds == answer.secrets;
    Ok(if holds { Exit::Ok } else { Exit::Trouble })
}

/// What the answer comes to. Pure.
#[must_use]
pub fn text(answer: &GetBudgetResponse, now: Timestamp) -> Vec<String> {
    let mut lines = vec![verdict(answer)];
    for (what, length) in
        [("a shoot", &answer.shoot), ("the seed", &answer.seed), ("Perennial", &answer.perennial)]
    {
        let survived = length.as_ref().map_or_else(|| "no outage is to be survived".to_owned(), of);
        lines.push(format!("  {what:10} {survived}"));
    }
    if let (Some(needed), Some(margin)) = (&answer.needed, &answer.margin) {
        lines.push(format!(
            "  needed     {} left at every planned renewal: the longest of these, and {} until all is back and read",
            of(needed),
            of(margin)
        ));
    }
    let basis = answer.basis.as_ref().map_or_else(String::new, of);
    let price = answer.renewals_per_day;
    lines.push(format!(
        "  basis      {basis}; a token of 12h is renewed {price:.1} times a day at least"
    ));
    if let Some(least) = &answer.least_left {
        lines.push(format!(
            "  least      {} are left of some token at its planned renewal",
            of(least)
        ));
    }
    if answer.first_expires_at.is_some() {
        let at = moment::both(answer.first_expires_at.as_ref(), now);
        lines.push(format!(
            "  if all stopped now, the first token would expire {at}: {}",
            answer.first_to_expire
        ));
    }
    let needed = answer.lifetime_needed.as_ref().map(of);
    if answer.needed.is_some() {
        lines.extend(answer.broken.iter().flat_map(|broken| reason(broken, needed.as_deref())));
    }
    lines
}

fn verdict(answer: &GetBudgetResponse) -> String {
    let (holds, secrets) = (answer.holds, answer.secrets);
    match (&answer.needed, holds == secrets) {
        (None, _) => {
            "There is no outage budget: give the scheduler --survive-shoot-outage, --survive-seed-outage or \
             --survive-perennial-outage."
                .to_owned()
        }
        (Some(_), true) => format!("The outage budget holds for all {secrets} Secrets."),
        (Some(_), false) => {
            format!("THE OUTAGE BUDGET DOES NOT HOLD for {} of {secrets} Secrets.", secrets - holds)
        }
    }
}

fn reason(broken: &BudgetBroken, needed: Option<&str>) -> Vec<String> {
    let needed = needed.unwrap_or("more");
    let why = match broken.why.as_str() {
        "lifetime_too_short" => format!(
            "live too short; ask for at least {needed} (annotation \
             serviceaccount.resources.gardener.cloud/token-expiration-duration)"
        ),
        "granted_less" => format!(
            "are granted less than they ask for; at least {needed} are needed: raise \
             --service-account-max-token-expiration of the shoot's API server"
        ),
        "taken_over" => {
            "were written by somebody else, and survive it from their next renewal on".to_owned()
        }
        "overdue" => {
            "should have been renewed by now: the outage is here, see perennial status".to_owned()
        }
        "no_token" => "have no usable token, see perennial explain".to_owned(),
        "unserved" => {
            "ask for something impossible or cannot be written, see perennial explain".to_owned()
        }
        other => other.to_owned(),
    };
    let mut lines = vec![format!("  {} {why}", broken.count)];
    lines.extend(broken.first.iter().map(token));
    let named = u64::try_from(broken.first.len()).unwrap_or(u64::MAX);
    if broken.count > named {
        lines.push(format!("    and {} more", broken.count - named));
    }
    lines
}

fn token(token: &BudgetToken) -> String {
    let BudgetToken { secret, granted, asked, left } = token;
    match (granted, asked, left) {
        (Some(granted), Some(asked), Some(left)) => format!(
            "    {secret}: asks for {}, was granted {}, has {} left when it is renewed",
            of(asked),
            of(granted),
            of(left)
        ),
        _ => format!("    {secret}"),
    }
}

fn of(duration: &prost_types::Duration) -> String {
    length(duration.seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: i64) -> Option<prost_types::Duration> {
        Some(prost_types::Duration { seconds, nanos: 0 })
    }

    fn answer(holds: u64) -> GetBudgetResponse {
        GetBudgetResponse {
            shoot: seconds(21_600),
            margin: seconds(600),
            needed: seconds(22_200),
            basis: seconds(26_250),
            renewals_per_day: 4.11,
            secrets: 3,
            holds,
            least_left: seconds(720),
            lifetime_needed: seconds(43_200),
            ..GetBudgetResponse::default()
        }
    }

    #[test]
    fn it_says_whether_it_holds_with_the_arithmetic() {
        let lines = text(&answer(3), Timestamp::UNIX_EPOCH).join("\n");
        assert!(lines.starts_with("The outage budget holds for all 3 Secrets."), "{lines}");
        assert!(lines.contains("needed     6h10m left at every planned renewal"), "{lines}");
        assert!(lines.contains("renewed 4.1 times a day"), "{lines}");
    }

    #[test]
    fn what_does_not_hold_is_named_with_the_way_out() {
        let first = BudgetToken {
            secret: "shoot--lab--1/a".to_owned(),
            granted: seconds(3_600),
            asked: seconds(3_600),
            left: seconds(720),
        };
        let why = "lifetime_too_short".to_owned();
        let broken = vec![BudgetBroken { why, count: 2, first: vec![first] }];
        let lines =
            text(&GetBudgetResponse { broken, ..answer(1) }, Timestamp::UNIX_EPOCH).join("\n");
        assert!(lines.starts_with("THE OUTAGE BUDGET DOES NOT HOLD for 2 of 3"), "{lines}");
        assert!(lines.contains("ask for at least 12h00m"), "{lines}");
        assert!(
            lines.contains("shoot--lab--1/a: asks for 1h00m, was granted 1h00m, has 12m00s left")
        );
        assert!(lines.contains("and 1 more"), "{lines}");
    }

    #[test]
    fn without_a_budget_it_says_which_flags_make_one() {
        let lines = text(&GetBudgetResponse::default(), Timestamp::UNIX_EPOCH);
        assert!(lines[0].contains("--survive-seed-outage"), "{lines:?}");
    }
}
