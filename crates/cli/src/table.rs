//! Schedules as text. Pure: the present moment is an argument.

use jiff::Timestamp;
use perennial_proto::scheduler::v1::{Schedule, State};

/// What changes comes first, so that it is seen on a narrow terminal too; what may be long last.
const HEADINGS: [&str; 7] = ["STATE", "NEXT", "LEFT", "RENEWED", "SECRET", "ACCOUNT", "DETAIL"];

/// A heading and a line for each schedule, columns aligned.
#[must_use]
pub fn lines<'a>(schedules: impl IntoIterator<Item = &'a Schedule>, now: Timestamp) -> Vec<String> {
    let rows: Vec<[String; 7]> = std::iter::once(HEADINGS.map(str::to_owned))
        .chain(schedules.into_iter().map(|schedule| row(schedule, now)))
        .collect();
    let mut widths = [0; 7];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    rows.iter().map(|row| aligned(row, widths)).collect()
}

fn aligned(row: &[String; 7], widths: [usize; 7]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

fn row(schedule: &Schedule, now: Timestamp) -> [String; 7] {
    [
        state(schedule).to_owned(),
        moment(schedule.next_at.as_ref(), now),
        moment(schedule.expires_at.as_ref(), now),
        last_renewal(schedule, now),
        format!("{}/{}", schedule.namespace, schedule.name),
        or_dash(&schedule.account),
        schedule.detail.clone(),
    ]
}

/// Whether somebody should look at it.
#[must_use]
pub fn is_troubled(schedule: &Schedule) -> bool {
    match schedule.state() {
        State::Fresh | State::Due | State::Renewing => false,
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
        State::Due => "due",
        State::Renewing => "renewing",
        State::BackingOff => "backing-off",
        State::Held => "held",
        State::Invalid => "invalid",
        State::Obstructed => "obstructed",
        State::WaitingForShoot => "waiting-for-shoot",
    }
}

fn last_renewal(schedule: &Schedule, now: Timestamp) -> String {
    match &schedule.last_renewal {
        Some(renewal) => {
            let ago = renewal.at.as_ref().map_or(0, |at| now.as_second() - at.seconds);
            format!("{} ago, {}", length(ago), renewal.reason)
        }
        None => "-".to_owned(),
    }
}

fn moment(at: Option<&prost_types::Timestamp>, now: Timestamp) -> String {
    at.map_or_else(|| "-".to_owned(), |at| length(at.seconds - now.as_second()))
}

/// A length of time with at most two units, such as `6s`, `9m58s`, `7h12m`, `29d4h`; one that has
/// passed has a minus.
#[must_use]
pub fn length(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let (days, hours) = (seconds.abs() / 86_400, seconds.abs() / 3_600 % 24);
    let (minutes, rest) = (seconds.abs() / 60 % 60, seconds.abs() % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{rest}s"),
        (0, 0, _) => format!("{sign}{minutes}m{rest:02}s"),
        (0, _, _) => format!("{sign}{hours}h{minutes:02}m"),
        _ => format!("{sign}{days}d{hours}h"),
    }
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
        let lines = lines([&schedule], Timestamp::from_second(1_000).unwrap());
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
    fn lengths_have_at_most_two_units() {
        let texts = [0, 59, 61, 25_920, 2_520_000, -5].map(length);
        assert_eq!(texts, ["0s", "59s", "1m01s", "7h12m", "29d4h", "-5s"]);
    }
}
