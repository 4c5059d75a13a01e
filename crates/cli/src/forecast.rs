//! `perennial forecast`: how many renewals are planned when.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::{clock::Clock as _, length::length, name::Namespace};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{ForecastRequest, ForecastResponse, Planned};
use perennial_rpc::convert::duration;

use crate::{
    args::{ForecastArgs, Output},
    connect::{Scheduler, with_deadline},
    error::CliError,
    json, list, moment,
};

/// Slots that fit on a screen, where nothing else is asked for.
const LINES: u64 = 24;
/// Lengths of a slot that people think in, in seconds.
const SLOTS: [u64; 12] = [1, 5, 10, 30, 60, 300, 600, 900, 1_800, 3_600, 6 * 3_600, 24 * 3_600];
/// Columns of the longest bar: 80, less the 20 of the moment, 10 of the count and 3 spaces.
const BAR: usize = 46;

pub(crate) async fn run(mut scheduler: Scheduler, args: ForecastArgs) -> Result<(), CliError> {
    let ForecastArgs { namespace, ahead, slot, output } = args;
    let is_json = output.output == Output::Json;
    let mut request = ForecastRequest {
        namespace: namespace.as_ref().map(ToString::to_string).unwrap_or_default(),
        horizon: Some(duration(ahead)),
        slot: Some(duration(slot.unwrap_or_else(|| slot_for(ahead)))),
        per_shoot: is_json,
        ..ForecastRequest::default()
    };
    let mut answer: Option<ForecastResponse> = None;
    loop {
        let page = scheduler.forecast(with_deadline(request.clone())).await;
        let mut page = page.map_err(CliError::call)?.into_inner();
        request.page_token = std::mem::take(&mut page.next_page_token);
        match &mut answer {
            None => answer = Some(page),
            Some(answer) => answer.shoots.append(&mut page.shoots),
        }
        if request.page_token.is_empty() {
            break;
        }
    }
    let answer = answer.unwrap_or_default();
    match output.output {
        Output::Text => list::print(&lines(&answer, namespace.as_ref(), ahead, SystemClock.now())),
        Output::Json => json::print(&answer),
    }
}

/// The shortest slot with which the time fits on a screen.
fn slot_for(ahead: Duration) -> Duration {
    let fits = |slot: &u64| ahead.as_secs().div_ceil(*slot) <= LINES;
    let longest = SLOTS[SLOTS.len() - 1];
    Duration::from_secs(SLOTS.into_iter().find(fits).unwrap_or(longest * 2))
}

/// The forecast in lines of at most 80 columns.
#[must_use]
pub fn lines(
    answer: &ForecastResponse,
    namespace: Option<&Namespace>,
    ahead: Duration,
    now: Timestamp,
) -> Vec<String> {
    let none = Planned::default();
    let planned = answer.planned.as_ref().unwrap_or(&none);
    let slot = answer.slot.map_or(1, |slot| slot.seconds);
    let within = i64::try_from(ahead.as_secs()).unwrap_or(i64::MAX);
    let place = namespace.map_or_else(String::new, |name| format!(" in {name}"));
    let total: u64 = planned.slots.iter().map(|count| u64::from(*count)).sum();
    let mut lines = Vec::new();
    if total == 0 {
        lines.push(format!("Nothing is planned{place} for the next {}.", length(within)));
    } else {
        let begin = answer.begin.map_or(now.as_second(), |begin| begin.seconds);
        lines.push(format!("{:<20} {:>10}", "FROM", "RENEWALS"));
        for (slot_number, count) in (0..).zip(&planned.slots) {
            let seconds = begin.saturating_add(slot.saturating_mul(slot_number));
            let from = moment::absolute(Some(&prost_types::Timestamp { seconds, nanos: 0 }));
            let line = format!("{from:<20} {count:>10} {}", bar(*count, answer.peak));
            lines.push(line.trim_end().to_owned());
        }
        lines.push(format!(
            "{total} planned{place} for the next {}; at most {} and on average {:.1} in {}",
            length(within),
            answer.peak,
            answer.mean,
            length(slot)
        ));
    }
    lines.extend(beside(planned));
    if answer.audit {
        lines.push(list::AUDIT.to_owned());
    }
    lines
}

/// What is in no slot.
fn beside(planned: &Planned) -> Option<String> {
    let parts = [
        (planned.waiting, "due now or pausing"),
        (planned.under_way, "under way"),
        (planned.beyond, "later"),
        (planned.without_moment, "at no known moment (perennial list --troubled)"),
    ];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    (!parts.is_empty()).then(|| format!("Beside these: {}", parts.join(", ")))
}

fn bar(count: u32, peak: u32) -> String {
    let share = f64::from(count) / f64::from(peak.max(1));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to the length of the longest bar"
    )]
    let columns = (share * BAR as f64).round() as usize;
    "▇".repeat(columns.max(usize::from(count > 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(slots: Vec<u32>) -> ForecastResponse {
        let (peak, sum) = (slots.iter().copied().max().unwrap_or(0), slots.iter().sum::<u32>());
        ForecastResponse {
            begin: Some(prost_types::Timestamp { seconds: 86_400, nanos: 0 }),
            slot: Some(prost_types::Duration { seconds: 900, nanos: 0 }),
            peak,
            mean: f64::from(sum) / slots.len().max(1) as f64,
            planned: Some(Planned { slots, ..Planned::default() }),
            ..ForecastResponse::default()
        }
    }

    fn told(answer: &ForecastResponse, namespace: Option<&str>) -> Vec<String> {
        let namespace = namespace.map(|name| name.parse().unwrap());
        let now = Timestamp::from_second(86_410).unwrap();
        lines(answer, namespace.as_ref(), Duration::from_secs(6 * 3_600), now)
    }

    #[test]
    fn each_slot_has_a_bar_and_no_line_is_longer_than_a_terminal() {
        let mut answer = answer(vec![23, 46, 0, 1]);
        answer.planned.as_mut().unwrap().waiting = 3;
        answer.planned.as_mut().unwrap().without_moment = 1;
        let lines = told(&answer, None);
        assert_eq!(
            lines,
            [
                "FROM                   RENEWALS".to_owned(),
                format!("1970-01-02T00:00:00Z         23 {}", "▇".repeat(23)),
                format!("1970-01-02T00:15:00Z         46 {}", "▇".repeat(46)),
                "1970-01-02T00:30:00Z          0".to_owned(),
                "1970-01-02T00:45:00Z          1 ▇".to_owned(),
                "70 planned for the next 6h00m; at most 46 and on average 17.5 in 15m00s".to_owned(),
                "Beside these: 3 due now or pausing, 1 at no known moment (perennial list --troubled)"
                    .to_owned(),
            ]
        );
        assert!(lines[..6].iter().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn that_nothing_is_planned_is_said_in_words() {
        let mut answer = answer(Vec::new());
        answer.planned.as_mut().unwrap().beyond = 25;
        let lines = told(&answer, Some("shoot--lab--1"));
        assert_eq!(
            lines,
            ["Nothing is planned in shoot--lab--1 for the next 6h00m.", "Beside these: 25 later"]
        );
    }

    #[test]
    fn without_a_slot_the_time_fits_on_a_screen() {
        let hours = |hours: u64| slot_for(Duration::from_secs(hours * 3_600)).as_secs();
        assert_eq!([1, 6, 24, 48, 31 * 24].map(hours), [300, 900, 3_600, 21_600, 172_800]);
        assert_eq!(slot_for(Duration::from_secs(20)).as_secs(), 1);
    }
}
