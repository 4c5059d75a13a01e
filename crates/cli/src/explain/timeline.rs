//! The life of a token to look at.
//!
//! ```text
//! ├━━━━━━━━━━━━━━━━━━━━━━━●──────────────░░▼░┤──────────────┤
//! issued                 now            planned, latest   expires
//! ```

use perennial_core::length::length;
use perennial_proto::scheduler::v1::RenewalWindow;
use prost_types::Timestamp;

use crate::moment::absolute;

/// Columns of the line between issue and expiry.
const COLUMNS: i64 = 72;

/// Moments of a token, in seconds by the shoot's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life<'a> {
    pub issued: i64,
    pub expires: i64,
    pub now: i64,
    pub window: Option<&'a RenewalWindow>,
}

impl Life<'_> {
    /// The line, and what its signs mean. `None` for a life that has no length.
    pub(super) fn line(self) -> Option<[String; 2]> {
        let life = self.expires.checked_sub(self.issued).filter(|life| *life > 0)?;
        let column = |moment: i64| {
            let passed = i128::from(moment) - i128::from(self.issued);
            let column = passed * i128::from(COLUMNS - 1) / i128::from(life);
            column.clamp(0, i128::from(COLUMNS - 1)) as usize
        };
        let mut signs: Vec<char> = vec!['─'; COLUMNS as usize];
        signs[..column(self.now)].fill('━');
        let seconds = |at: &Option<Timestamp>| at.as_ref().map(|at| at.seconds);
        let (ahead, behind) = match self.now {
            now if now < self.issued => ("● ", ""),
            now if now >= self.expires => ("", " ●"),
            _ => ("", ""),
        };
        let lives = (self.issued..self.expires).contains(&self.now);
        let mut marks: Vec<(i64, char)> = lives.then_some((self.now, '●')).into_iter().collect();
        if let Some(window) = self.window {
            if let (Some(from), Some(latest)) = (seconds(&window.from), seconds(&window.latest)) {
                signs[column(from)..=column(latest).max(column(from))].fill('░');
            }
            marks.extend(seconds(&window.planned).map(|planned| (planned, '▼')));
            marks.extend(seconds(&window.latest).map(|latest| (latest, '┃')));
        }
        marks.sort_by_key(|(at, _)| *at); // stable
        let columns = apart(marks.iter().map(|(at, _)| column(*at)).collect());
        for (column, (_, sign)) in columns.into_iter().zip(marks) {
            signs[column] = sign;
        }
        let line: String = signs.into_iter().collect();
        Some([format!("{ahead}├{line}┤{behind}"), legend()])
    }

    /// Each moment with its name, in order of time.
    pub(super) fn moments(self) -> Vec<String> {
        let mut moments =
            vec![(self.issued, "issued"), (self.expires, "expires"), (self.now, "now")];
        if let Some(window) = self.window {
            let named = [
                (&window.from, "begin of the window"),
                (&window.planned, "planned renewal"),
                (&window.latest, "latest renewal"),
            ];
            moments
                .extend(named.iter().filter_map(|(at, name)| Some((at.as_ref()?.seconds, *name))));
        }
        moments.sort_by_key(|(at, _)| *at); // stable
        let line = |(at, name): (i64, &str)| {
            let away = match at.saturating_sub(self.now) {
                0 => String::new(),
                ahead @ 1.. => format!("in {}", length(ahead)),
                behind => format!("{} ago", length(behind.saturating_neg())),
            };
            let moment = absolute(Some(&Timestamp { seconds: at, nanos: 0 }));
            format!("{moment}  {away:<11}  {name}").trim_end().to_owned()
        };
        moments.into_iter().map(line).collect()
    }
}

/// Sorted columns, moved as little as it takes for each mark to be seen: a window of hours in a life
/// of a century is narrower than one column. There are fewer marks than columns.
fn apart(mut columns: Vec<usize>) -> Vec<usize> {
    let mut free = 0;
    for column in &mut columns {
        *column = free.max(*column);
        free = *column + 1;
    }
    let mut end = COLUMNS as usize;
    for column in columns.iter_mut().rev() {
        *column = (end - 1).min(*column);
        end = *column;
    }
    columns
}

fn legend() -> String {
    "━ lived  ● now  ░ window  ▼ planned  ┃ latest".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp { seconds, nanos: 0 })
    }

    fn line(now: i64) -> String {
        let window = RenewalWindow {
            from: at(720),
            planned: at(760),
            latest: at(800),
            ..RenewalWindow::default()
        };
        let life = Life { issued: 0, expires: 1_000, now, window: Some(&window) };
        life.line().unwrap()[0].clone()
    }

    #[test]
    fn now_runs_along_the_life_of_a_token() {
        let lines = [line(-10), line(0), line(500), line(900), line(1_000)].join("\n");
        insta::assert_snapshot!("timeline", lines);
    }

    #[test]
    fn the_marks_of_a_tiny_window_are_all_seen() {
        for (from, planned, latest, now) in
            [(700, 760, 800, 1), (9_999_997, 9_999_998, 9_999_999, 5)]
        {
            let window = RenewalWindow {
                from: at(from),
                planned: at(planned),
                latest: at(latest),
                ..RenewalWindow::default()
            };
            let life = Life { issued: 0, expires: 10_000_000, now, window: Some(&window) };
            let line = life.line().unwrap()[0].clone();
            let places = ['●', '▼', '┃'].map(|sign| line.find(sign).unwrap());
            assert!(places.is_sorted(), "{line}");
            assert_eq!(line.chars().count(), COLUMNS as usize + 2);
        }
    }

    #[test]
    fn a_life_without_length_has_no_line() {
        for (issued, expires) in [(5, 5), (9, 3), (i64::MIN, i64::MAX)] {
            assert!(Life { issued, expires, now: 0, window: None }.line().is_none());
        }
    }
}
