//! A campaign as it is stored: one line of JSON.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Campaign, Selection, Wanted};
use crate::{
    generation::{GRACE_DEFAULT, GRACE_MAX},
    selector::Selector,
    shoot::ShootId,
    stop::{NO_REASON, SOMEBODY, shown},
};

/// As it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    by: String,
    since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shoot: Option<ShootId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<Selector>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_signed_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grace_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancelled: Option<Timestamp>,
}

impl Campaign {
    /// What the value of a key says. `None` where it is no campaign that this version knows: nothing is
    /// renewed for what is not understood.
    #[must_use]
    pub fn read(value: &str) -> Option<Self> {
        let stored: Stored = serde_json::from_str(value).ok()?;
        let wanted = stored.wanted()?;
        let words = |text: &str, none: &str| match shown(text) {
            text if text.is_empty() => none.to_owned(),
            text => text,
        };
        Some(Self {
            reason: words(&stored.reason, NO_REASON),
            by: words(&stored.by, SOMEBODY),
            since: stored.since,
            selection: Selection { shoot: stored.shoot, labels: stored.labels },
            wanted,
            cancelled: stored.cancelled,
        })
    }

    /// The value that says the same.
    #[must_use]
    pub fn value(&self) -> String {
        let Self { reason, by, since, selection, wanted, cancelled } = self.clone();
        let Selection { shoot, labels } = selection;
        let mut stored = Stored {
            reason,
            by,
            since,
            shoot,
            labels,
            issued_since: None,
            signed_by: None,
            not_signed_by: None,
            revoked_before: None,
            grace_seconds: None,
            cancelled,
        };
        match wanted {
            Wanted::IssuedSince(moment) => stored.issued_since = Some(moment),
            Wanted::SignedBy(key) => stored.signed_by = Some(key),
            Wanted::NotSignedBy(key) => stored.not_signed_by = Some(key),
            Wanted::Revoked { before, grace } => {
                stored.revoked_before = Some(before);
                stored.grace_seconds = Some(grace.as_secs());
            }
        }
        serde_json::to_string(&stored).expect("strings and moments are JSON")
    }
}

impl Stored {
    /// What it wants; `None` where that is not one thing.
    fn wanted(&self) -> Option<Wanted> {
        let Self { issued_since, signed_by, not_signed_by, revoked_before, grace_seconds, .. } =
            self;
        let grace = grace_seconds.map_or(GRACE_DEFAULT, Duration::from_secs);
        let all = [
            issued_since.map(Wanted::IssuedSince),
            signed_by.clone().map(Wanted::SignedBy),
            not_signed_by.clone().map(Wanted::NotSignedBy),
            revoked_before.map(|before| Wanted::Revoked { before, grace }),
        ];
        let mut all = all.into_iter().flatten();
        let wanted = all.next().filter(|_| all.next().is_none())?;
        let is_graceful = matches!(wanted, Wanted::Revoked { .. });
        (grace <= GRACE_MAX && (is_graceful || grace_seconds.is_none())).then_some(wanted)
    }
}
