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
        if let Some(window) = self.window {
            if let (Some(from), Some(latest)) = (seconds(&window.from), seconds(&window.latest)) {
                signs[column(from)..=column(latest).max(column(from))].fill('░');
            }
            if let Some(latest) = seconds(&window.latest) {
                signs[column(latest)] = '┃';
            }
            if let Some(planned) = seconds(&window.planned) {
                signs[column(planned)] = '▼';
            }
        }
        let (ahead, behind) = match self.now {
            now if now < self.issued => ("● ", ""),
            now if now >= self.expires => ("", " ●"),
            now => {
                signs[column(now)] = '●';
                ("", "")
            }
        };
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
    fn a_life_without_length_has_no_line() {
        for (issued, expires) in [(5, 5), (9, 3), (i64::MIN, i64::MAX)] {
            assert!(Life { issued, expires, now: 0, window: None }.line().is_none());
        }
    }
}
