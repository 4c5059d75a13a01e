//! The window of contract B4 and the renew timestamp, with their numbers.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::{
    length::length,
    record::Stamp,
    token::Claims,
    window::{self, BASIS_DEFAULT_SECONDS, RESERVE_SECONDS, Window},
};

use super::Subject;

/// When a token is renewed, and why then. Moments are by the shoot's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct RenewalWindow {
    /// Lifetime that the shoot granted.
    pub granted: Duration,
    /// `--renewal-basis`
    pub basis: Duration,
    /// Begin, and the place of the planned moment from it (0) to the end (1); `None` for somebody
    /// else's token, which has no window.
    pub drawn: Option<(Timestamp, f64)>,
    /// End: the latest moment of renewal.
    pub latest: Timestamp,
    /// Planned moment.
    pub planned: Timestamp,
    /// Why `latest` is then.
    pub why_latest: String,
}

impl Subject<'_> {
    pub(super) fn window(&self) -> Option<RenewalWindow> {
        let record = self.entry.record();
        let claims = record.held.claims()?;
        let seconds = |seconds: i64| Duration::from_secs(seconds.max(0).unsigned_abs());
        let policy = &self.fleet.settings.policy;
        let (latest, planned) = (self.entry.latest(policy)?, self.planned()?);
        let ours = self.entry.record().issued.is_some();
        Some(RenewalWindow {
            granted: seconds(claims.granted_seconds()),
            basis: seconds(self.basis_seconds()),
            drawn: ours.then(|| self.drawn(claims, planned, latest)),
            latest,
            planned,
            why_latest: if ours {
                why_latest(claims.granted_seconds(), self.basis_seconds())
            } else {
                why_latest_of_other(claims.granted_seconds())
            },
        })
    }

    /// The plan by the shoot's clock: of a token of ours as noted, of another as its timestamp says.
    pub(super) fn planned(&self) -> Option<Timestamp> {
        let planned = self.entry.planned(&self.fleet.settings.policy)?;
        Some(match (&self.entry.record().issued, self.entry.record().stamp) {
            (None, Stamp::At(stamp)) => planned.min(stamp),
            _ => planned,
        })
    }

    /// Only the moment is noted, not the window; one that lies before the ordinary window can only
    /// have been drawn from that of a mass start.
    fn drawn(&self, claims: &Claims, planned: Timestamp, latest: Timestamp) -> (Timestamp, f64) {
        let begin_of = |window: Window| {
            let offset = window.begin_offset(claims.granted_seconds(), self.basis_seconds());
            let begin = claims.issued_at.checked_add(Duration::from_secs_f64(offset.max(0.0)));
            begin.map_or(latest, |begin| begin.min(latest))
        };
        // Moments are whole seconds, rounded down.
        let ordinary = begin_of(Window::ORDINARY);
        let is_ordinary = planned.as_second() >= ordinary.as_second();
        let begin = if is_ordinary { ordinary } else { begin_of(Window::MASS_START) };
        let (span, place) = (latest.duration_since(begin), planned.duration_since(begin));
        let share = if span.is_positive() { place.as_secs_f64() / span.as_secs_f64() } else { 1.0 };
        (begin, share.clamp(0.0, 1.0))
    }

    /// What the renew timestamp on the Secret does.
    pub(super) fn renew_timestamp(&self) -> String {
        let policy = &self.fleet.settings.policy;
        let record = &self.entry.record();
        let stamp = match record.stamp {
            Stamp::Absent if record.held.claims().is_none() => {
                return "absent; it is written together with the token".to_owned();
            }
            Stamp::Absent => return "absent, which asks for a renewal".to_owned(),
            Stamp::Unreadable => {
                return "not RFC 3339, so the token is renewed and a right one written".to_owned();
            }
            Stamp::At(stamp) => stamp,
        };
        let (Some(latest), Some(planned)) = (self.entry.latest(policy), self.entry.planned(policy))
        else {
            return format!("{stamp:.0}, and no token that it could speak of");
        };
        match &record.issued {
            None if stamp > latest => format!(
                "{stamp:.0}, written by somebody else; it lies behind {latest:.0}, up to which it is \
                 honoured"
            ),
            None => format!("{stamp:.0}, written by somebody else, and honoured"),
            Some(_) if stamp == latest => format!("{stamp:.0}, the latest moment, as we wrote it"),
            Some(_) if stamp < planned => {
                format!("{stamp:.0}, brings the renewal forward from {planned:.0}")
            }
            Some(_) if stamp < latest => {
                format!("{stamp:.0}, lies behind the planned moment and changes nothing")
            }
            Some(_) => format!("{stamp:.0}, lies behind the latest moment and is not honoured"),
        }
    }
}

/// The rule of B4 with the numbers of one token.
fn why_latest(granted: i64, basis: i64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds, as the moments have them")]
    let offset = window::latest_offset(granted, basis) as i64;
    let capped = granted.min(basis);
    let by_share = window::LATEST_SHARE * capped as f64;
    let of = format!("min(granted {}, basis {})", length(granted), length(basis));
    let reserved = granted - RESERVE_SECONDS;
    if by_share <= reserved as f64 {
        format!(
            "80 % of {of} = {} after it was issued; granted − {RESERVE_SECONDS} s would be {}",
            length(offset),
            length(reserved)
        )
    } else if reserved >= granted / 2 {
        format!(
            "granted {} − {RESERVE_SECONDS} s = {} after it was issued, so that consumers have time \
             to read the new one; 80 % of {of} would be later",
            length(granted),
            length(offset)
        )
    } else {
        format!(
            "{} after it was issued: of a life as short as {}, half and at most 80 % of the basis",
            length(offset),
            length(granted)
        )
    }
}

fn why_latest_of_other(granted: i64) -> String {
    format!(
        "somebody else wrote it, so it has until 84 % of min(granted {}, {}), as late as Gardener's \
         TokenRequestor renews",
        length(granted),
        length(BASIS_DEFAULT_SECONDS)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;

    #[test]
    fn b4_the_latest_moment_is_explained_by_the_bound_that_decides() {
        let day = 24 * HOUR;
        assert_eq!(
            why_latest(100 * HOUR, day),
            "80 % of min(granted 4d4h, basis 1d0h) = 19h12m after it was issued; granted − 240 s \
             would be 4d3h"
        );
        assert_eq!(
            why_latest(600, day),
            "granted 10m00s − 240 s = 6m00s after it was issued, so that consumers have time to read \
             the new one; 80 % of min(granted 10m00s, basis 1d0h) would be later"
        );
        assert_eq!(
            why_latest(300, day),
            "2m30s after it was issued: of a life as short as 5m00s, half and at most 80 % of the \
             basis"
        );
        assert!(why_latest(600, 8).starts_with("80 % of min(granted 10m00s, basis 8s) = 6s"));
    }
}
