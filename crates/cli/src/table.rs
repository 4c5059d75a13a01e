//! Schedules as text. Pure: the present moment is an argument.

use jiff::Timestamp;
use perennial_core::length::length;
use perennial_proto::scheduler::v1::{Schedule, State};

use crate::moment::absolute;

mod fit;

/// What changes comes first, so that it is seen on a narrow terminal too; what may be long last.
const HEADINGS: [&str; 7] = ["STATE", "NEXT", "LEFT", "RENEWED", "SECRET", "ACCOUNT", "DETAIL"];

/// With more columns: moments in UTC and counts since the start of the scheduler.
const HEADINGS_WIDE: [&str; 12] = [
    "STATE", "NEXT", "LEFT", "RENEWED", "SECRET", "ACCOUNT", "PLANNED", "LATEST", "EXPIRES",
    "RENEWALS", "FAILURES", "DETAIL",
];

/// A heading and a line for each schedule, columns aligned; what does not fit a terminal of `width`
/// columns is left out or cut, the name of a Secret last.
#[must_use]
pub fn lines<'a>(
    schedules: impl IntoIterator<Item = &'a Schedule>,
    now: Timestamp,
    width: Option<usize>,
) -> Vec<String> {
    let rows = schedules.into_iter().map(|schedule| row(schedule, now));
    let rows = std::iter::once(HEADINGS.map(str::to_owned)).chain(rows).collect();
    padded(&fit::fitted(rows, width))
}

/// The same with more columns.
#[must_use]
pub fn wide<'a>(schedules: impl IntoIterator<Item = &'a Schedule>, now: Timestamp) -> Vec<String> {
    let row = |schedule: &Schedule| {
        let [state, next, left, renewed, secret, account, detail] = row(schedule, now);
        let moments = [&schedule.planned_at, &schedule.latest_at, &schedule.expires_at];
        let [planned, latest, expires] = moments.map(|at| absolute(at.as_ref()));
        let (renewals, failures) = (schedule.renewals.to_string(), schedule.failures.to_string());
        [
            state, next, left, renewed, secret, account, planned, latest, expires, renewals,
            failures, detail,
        ]
    };
    aligned(HEADINGS_WIDE, schedules.into_iter().map(row))
}

/// A heading and rows, columns aligned.
#[must_use]
pub fn aligned<const N: usize>(
    headings: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Vec<String> {
    let rows = std::iter::once(headings.map(str::to_owned)).chain(rows);
    padded(&rows.map(Vec::from).collect::<Vec<_>>())
}

fn padded(rows: &[Vec<String>]) -> Vec<String> {
    let mut widths = vec![0; rows.first().map_or(0, Vec::len)];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// NAMESPACE/NAME.
#[must_use]
pub fn name(schedule: &Schedule) -> String {
    format!("{}/{}", schedule.namespace, schedule.name)
}

fn row(schedule: &Schedule, now: Timestamp) -> [String; 7] {
    [
        state(schedule).to_owned(),
        moment(schedule.next_at.as_ref(), now),
        moment(schedule.expires_at.as_ref(), now),
        last_renewal(schedule, now),
        name(schedule),
        or_dash(&schedule.account),
        schedule.detail.clone(),
    ]
}

/// Whether something keeps it from being renewed, or it is overdue.
#[must_use]
pub fn is_troubled(schedule: &Schedule) -> bool {
    schedule.overdue
        || match schedule.state() {
            State::Fresh | State::Due | State::Renewing | State::Hibernated => false,
            State::Unspecified
            | State::BackingOff
            | State::Held
            | State::Invalid
            | State::Obstructed
            | State::WaitingForShoot => true,
        }
}

/// The state in one word.
#[must_use]
pub fn state(schedule: &Schedule) -> &'static str {
    match schedule.state() {
        State::Unspecified => "unknown",
        State::Fresh => "fresh",
        State::Due if schedule.paused => "paused",
        State::Due => "due",
        State::Renewing => "renewing",
        State::BackingOff => "backing-off",
        State::Held => "held",
        State::Invalid => "invalid",
        State::Obstructed => "obstructed",
        State::WaitingForShoot => "waiting-for-shoot",
        State::Hibernated => "hibernated",
    }
}

fn last_renewal(schedule: &Schedule, now: Timestamp) -> String {
    match &schedule.last_renewal {
        Some(renewal) => {
            let at = renewal.at.as_ref().map_or(now.as_second(), |at| at.seconds);
            let ago = length(now.as_second().saturating_sub(at));
            format!("{ago} ago, {}", renewal.reason)
        }
        None => "-".to_owned(),
    }
}

fn moment(at: Option<&prost_types::Timestamp>, now: Timestamp) -> String {
    at.map_or_else(|| "-".to_owned(), |at| length(at.seconds.saturating_sub(now.as_second())))
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use perennial_proto::scheduler::v1::Renewal;

    use super::*;

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    #[test]
    fn a_schedule_is_a_line_with_its_reason() {
        let schedule = Schedule {
            namespace: "shoot--lab--1".to_owned(),
            name: "shoot-access-kube-scheduler".to_owned(),
            state: State::Fresh.into(),
            account: "kube-system/kube-scheduler".to_owned(),
            next_at: at(1_006),
            expires_at: at(1_600),
            last_renewal: Some(Renewal { at: at(997), reason: "due".to_owned(), took: None }),
            ..Schedule::default()
        };
        let lines = lines([&schedule], Timestamp::from_second(1_000).unwrap(), None);
        let cells: Vec<&str> = lines[1].split("  ").map(str::trim).collect();
        let expected = [
            "fresh",
            "6s",
            "10m00s",
            "3s ago, due",
            "shoot--lab--1/shoot-access-kube-scheduler",
            "kube-system/kube-scheduler",
        ];
        let cells: Vec<&str> = cells.into_iter().filter(|cell| !cell.is_empty()).collect();
        assert_eq!(cells, expected);
        assert_eq!(lines[0].find("ACCOUNT"), lines[1].find("kube-system/"));
    }

    #[test]
    fn what_would_be_renewed_if_its_shoot_were_not_paused_is_called_paused() {
        let of =
            |state: State| Schedule { state: state.into(), paused: true, ..Schedule::default() };
        assert_eq!([State::Due, State::Fresh].map(|s| state(&of(s))), ["paused", "fresh"]);
    }

    #[test]
    fn the_wide_table_has_moments_in_utc_and_counts() {
        let schedule = Schedule {
            namespace: "shoot--lab--1".to_owned(),
            name: "etcd".to_owned(),
            state: State::BackingOff.into(),
            latest_at: at(1_000),
            failures: 3,
            renewals: 7,
            ..Schedule::default()
        };
        let lines = wide([&schedule], Timestamp::from_second(1_000).unwrap());
        let headings: Vec<&str> = lines[0].split_whitespace().collect();
        let cells: Vec<&str> = lines[1].split_whitespace().collect();
        let cell = |heading| cells[headings.iter().position(|h| *h == heading).unwrap()];
        assert_eq!(cell("LATEST"), "1970-01-01T00:16:40Z");
        assert_eq!((cell("RENEWALS"), cell("FAILURES"), cell("STATE")), ("7", "3", "backing-off"));
    }
}
