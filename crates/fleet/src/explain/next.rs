//! What comes next, and why then.

use jiff::Timestamp;
use perennial_core::{decision::Away, record::Stamp};

use super::{Next, Subject};
use crate::{attempts::Why, entry::Standing};

impl Subject<'_> {
    pub(super) fn next(&self) -> Next {
        let failures = self.entry.attempts.failures;
        let (at, what) = match self.standing() {
            Standing::Fresh { until } => (Some(*until), self.renewed_then(*until)),
            Standing::Due { reason, .. } if self.fleet.settings.audit => {
                (None, format!("would be ordered now ({})", reason.as_str()))
            }
            Standing::Due { reason, .. } if self.fleet.switch.stopped().is_some() => {
                (None, format!("is ordered ({}) once the fleet is resumed", reason.as_str()))
            }
            Standing::Due { reason, .. } if self.pause().is_some() => {
                (None, format!("is ordered ({}) once its shoot is resumed", reason.as_str()))
            }
            Standing::Due { reason, .. } if let Some(owner) = self.served_by() => {
                (None, format!("is ordered ({}) by replica {owner}", reason.as_str()))
            }
            Standing::Due { reason, .. } => {
                (None, format!("is ordered ({}) as soon as the limits admit it", reason.as_str()))
            }
            Standing::Renewing { reason, .. } => {
                (None, format!("the renewal under way ({}) ends", reason.as_str()))
            }
            Standing::Waiting { until, why, .. } => (Some(*until), waiting(*why, failures)),
            Standing::Invalid(_) => (None, "is served within seconds of the correction".to_owned()),
            Standing::Obstructed(_) => (None, "is served once it can be written".to_owned()),
            Standing::Parked { reason, away: Away::Hibernated } => (
                None,
                format!("is renewed ({}) when its shoot hibernates no more", reason.as_str()),
            ),
            Standing::Parked { reason, .. } => {
                (None, format!("is renewed ({}) as soon as its shoot answers", reason.as_str()))
            }
        };
        Next { at, what }
    }

    fn renewed_then(&self, until: Timestamp) -> String {
        let stamp = match self.entry.record().stamp {
            Stamp::At(stamp) => Some(stamp),
            Stamp::Absent | Stamp::Unreadable => None,
        };
        let planned = self.entry.planned(&self.fleet.settings.policy);
        let outdated = self.entry.outdated.as_ref().filter(|outdated| outdated.at == until);
        let goes = self.fleet.older_left(self.secret, self.entry).into_iter().next();
        let ends = self.fleet.ends(self.now, self.entry);
        let goes = goes.filter(|oldest| ends.of(*oldest) == Some(until));
        match &self.entry.record().issued {
            _ if let Some(oldest) = goes => format!(
                "generation {oldest} is deleted, because its grace is over; its tokens are refused \
                 then, and no token is issued"
            ),
            _ if outdated.is_some() => {
                "is renewed: its place among the tokens of its shoot that are outdated together"
                    .to_owned()
            }
            None => "is renewed: the moment that whoever wrote the token set".to_owned(),
            Some(_) if stamp < planned => {
                "is renewed: the timestamp on the Secret brings it forward".to_owned()
            }
            Some(_) => {
                "is renewed: the planned moment, drawn once when the token was written".to_owned()
            }
        }
    }
}

fn waiting(why: Why, failures: u32) -> String {
    match why {
        Why::Failed => format!(
            "is tried again; pauses double with each failure in a row ({failures} so far) and shrink \
             as the end of the token comes near"
        ),
        Why::Throttled => "is tried again; somebody asked us to slow down until then".to_owned(),
        Why::HeldByWriter => "is tried again; it was refused until then".to_owned(),
        Why::Changed => {
            "is tried again at the latest, and as soon as its new record is in".to_owned()
        }
        Why::Repaired => {
            "is repaired again; pauses double with each repair that follows soon".to_owned()
        }
        Why::Storm => "is renewed; another token before would be a storm".to_owned(),
    }
}
