//! Paused shoots in a status: who paused them, and what becomes of their tokens. Pure.

use jiff::Timestamp;
use perennial_proto::{cli::v1::PausedShoot, scheduler::v1::Pause};

use crate::{list::All, moment, pause};

/// Seconds ahead in which a pause without an end is said to let a token expire, as the scheduler has it.
const HOUR_SECONDS: i64 = 3_600;

/// Most that are told of in lines of their own.
const TOLD_MAX: usize = 5;

/// Each pause with the tokens of its shoot.
pub(super) fn of(all: &All, now: prost_types::Timestamp) -> Vec<PausedShoot> {
    all.pauses.iter().map(|pause| shoot(all, pause, now)).collect()
}

fn shoot(all: &All, pause: &Pause, now: prost_types::Timestamp) -> PausedShoot {
    let mut shoot = PausedShoot { pause: Some(pause.clone()), ..PausedShoot::default() };
    let end = pause.until.map_or(now.seconds.saturating_add(HOUR_SECONDS), |until| until.seconds);
    for schedule in all.schedules.iter().filter(|s| s.namespace == pause.namespace) {
        shoot.secrets += 1;
        shoot.overdue += u64::from(schedule.overdue);
        let Some(expiry) = schedule.expires_at.filter(|expiry| expiry.seconds > now.seconds) else {
            continue;
        };
        shoot.expiring += u64::from(expiry.seconds <= end);
        if shoot.next_expiry.is_none_or(|next| expiry.seconds < next.seconds) {
            shoot.next_expiry = Some(expiry);
        }
    }
    shoot
}

/// A line for each, and one for those that are too many for that.
pub(super) fn lines(shoots: &[PausedShoot], now: Timestamp) -> Vec<String> {
    let mut lines: Vec<String> =
        shoots.iter().take(TOLD_MAX).map(|shoot| line(shoot, now)).collect();
    if shoots.len() > TOLD_MAX {
        lines
            .push(format!("         and {} more: perennial list -o json", shoots.len() - TOLD_MAX));
    }
    lines
}

fn line(shoot: &PausedShoot, now: Timestamp) -> String {
    let PausedShoot { pause, overdue, expiring, next_expiry, .. } = shoot;
    let pause = pause.clone().unwrap_or_default();
    let mut line = format!("Paused:  {}", pause::words(&pause, now));
    if next_expiry.is_some() {
        line += &format!("; next token expires {}", moment::both(next_expiry.as_ref(), now));
    }
    let when = if pause.until.is_some() { "before it ends" } else { "within the hour" };
    if *expiring > 0 {
        line += &format!("; WARNING: {expiring} expire {when}");
    }
    if *overdue > 0 {
        line += &format!("; {overdue} overdue");
    }
    line
}

#[cfg(test)]
mod tests {
    use perennial_proto::scheduler::v1::Schedule;

    use super::*;

    fn at(seconds: i64) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds, nanos: 0 }
    }

    fn all(until: Option<i64>) -> All {
        let schedule = |namespace: &str, expires, overdue| Schedule {
            namespace: namespace.to_owned(),
            expires_at: Some(at(expires)),
            overdue,
            ..Schedule::default()
        };
        let pause = Pause {
            namespace: "shoot-1".to_owned(),
            reason: "migration".to_owned(),
            by: "spiffe://x".to_owned(),
            since: None,
            until: until.map(at),
        };
        let schedules = vec![
            schedule("shoot-1", 50, true),
            schedule("shoot-1", 1_900, true),
            schedule("shoot-1", 9_100, false),
            schedule("shoot-2", 200, false),
        ];
        All { schedules, pauses: vec![pause], ..All::default() }
    }

    #[test]
    fn a_line_says_what_expires_in_the_pause() {
        let now = Timestamp::from_second(100).unwrap();
        let told = |until| lines(&of(&all(until), at(100)), now);
        assert_eq!(
            told(Some(9_100)),
            [
                "Paused:  shoot shoot-1 is paused by spiffe://x until 1970-01-01T02:31:40Z (in 2h30m): \
              migration; next token expires 1970-01-01T00:31:40Z (in 30m00s); WARNING: 2 expire before \
              it ends; 2 overdue"
            ]
        );
        assert!(told(None)[0].ends_with("; WARNING: 1 expire within the hour; 2 overdue"));
        assert!(!told(Some(1_800))[0].contains("WARNING"));
    }

    #[test]
    fn many_paused_shoots_are_a_few_lines() {
        let mut all = all(None);
        all.pauses = vec![all.pauses[0].clone(); TOLD_MAX + 2];
        let lines = lines(&of(&all, at(100)), Timestamp::from_second(100).unwrap());
        assert_eq!((lines.len(), lines[TOLD_MAX].contains("and 2 more")), (TOLD_MAX + 1, true));
    }
}
