//! What is so and what to do, most important first.

use perennial_core::{
    decision::{Away, ShootView},
    failure::Kind,
    length::length,
    name::{ReplicaName, SecretRef},
    reason::Reason,
    record::Obstacle,
    shoot::{Credential, Reach, ShootStatus},
    signing::Untold,
};

use super::{
    Finding, Origin, Subject,
    remedy::{self, Remedy},
};
use crate::{
    attempts::{Why, elapsed},
    entry::Standing,
    history::Trouble,
    outages::Class,
    schedule::words::{self, CLOCKS_APART_MAX},
    take::HeldBack,
};

pub(super) fn finding(cause: impl Into<String>, remedy: Remedy) -> Finding {
    let Remedy { text, command } = remedy;
    Finding { cause: cause.into(), remedy: text, command }
}

/// Where nobody needs to do anything.
fn known(cause: impl Into<String>) -> Finding {
    finding(cause, Remedy::default())
}

impl Subject<'_> {
    /// The one that matters most, and the others. Where somebody has to do something comes first.
    pub(super) fn findings(&self) -> (Finding, Vec<Finding>) {
        let mut more: Vec<Finding> = [
            self.turn(),
            self.last_failed(),
            self.nothing_ordered(),
            self.paused(),
            self.shoot_away(),
            self.clocks_apart(),
            self.shoot_lacks(),
            self.bootstrap(),
            self.key_withdrawn(),
            self.issuer_changed(),
            self.labels_of_another(),
            self.streak(),
            self.older_left(),
            self.served_elsewhere(),
            self.in_campaign(),
        ]
        .into_iter()
        .flatten()
        .collect();
        more.insert(0, self.main());
        more.sort_by_key(|finding| finding.remedy.is_empty()); // stable
        let verdict = more.remove(0);
        (verdict, more)
    }

    /// How it stands, and why.
    fn main(&self) -> Finding {
        match self.standing() {
            Standing::Fresh { until } => self.fresh(*until),
            Standing::Due { reason, .. } => self.due(reason.as_str()),
            Standing::Renewing { reason, since } => {
                let reason = reason.as_str();
                known(format!("A renewal ({reason}) is under way since {since:.0}."))
            }
            Standing::Waiting { why, until, .. } => self.waiting(*why, *until),
            Standing::Invalid(refusal) => finding(
                format!("It asks for something impossible: {}.", refusal.message),
                remedy::of_invalid(&refusal.reason, &refusal.key, self.secret),
            ),
            Standing::Obstructed(obstacle) => {
                let (cause, code) = match obstacle {
                    Obstacle::Immutable => ("The Secret is immutable", "SECRET_IMMUTABLE"),
                    Obstacle::Terminating => (
                        "The Secret is being deleted, and a finalizer still holds it",
                        "SECRET_TERMINATING",
                    ),
                };
                finding(format!("{cause}; no token can be written into it."), self.remedy(code))
            }
            Standing::Parked { away, .. } => self.away(*away),
        }
    }

    fn fresh(&self, until: jiff::Timestamp) -> Finding {
        let in_words = length(until.duration_since(self.now).as_secs());
        let whose = match self.origin() {
            Origin::Other => {
                "It holds a token that fits and that somebody else wrote; it was taken over as it is"
            }
            Origin::None | Origin::Ours | Origin::Damaged | Origin::Unreadable => {
                "It holds a token that fits"
            }
        };
        let held = self.fleet.settings.audit
            || self.fleet.switch.stopped().is_some()
            || self.pause().is_some();
        let is = if held { "would be" } else { "is" };
        known(format!("{whose}, and {is} renewed at {until:.0} (in {in_words})."))
    }

    fn due(&self, reason: &str) -> Finding {
        let keeps = self.fleet.detail(self.now, self.secret, self.entry);
        if keeps.is_empty() {
            return known(format!(
                "It is to be renewed ({reason}), and is ordered within a moment."
            ));
        }
        let held = self.fleet.held_back_at(self.now, &self.secret.namespace);
        if held.is_none() && self.served_by().is_some() {
            return known(format!("It is to be renewed ({reason}), and {keeps}."));
        }
        let keeps = match held {
            Some(HeldBack::Paused(pause)) => format!("{keeps}; {}", self.expires_in_pause(pause)),
            _ => keeps,
        };
        let code = match held {
            Some(HeldBack::NoRecords | HeldBack::StaleRecords) => "RECORDS_NOT_HEARD",
            Some(HeldBack::NoShoots) => "SHOOTS_NOT_HEARD",
            Some(HeldBack::WriterAway(_)) => "WRITER_AWAY",
            Some(HeldBack::MembersUnread) => "MEMBERS_UNREAD",
            Some(HeldBack::Audit) => "AUDIT_MODE",
            Some(HeldBack::Stopped(_)) => "FLEET_STOPPED",
            Some(HeldBack::Paused(_)) => "SHOOT_PAUSED",
            Some(HeldBack::SwitchUnread) => "SWITCH_UNREAD",
            None => match self.fleet.outages.keeping(&self.secret.namespace) {
                Some((Class::Seed, ..)) => "SEED_AWAY",
                Some((Class::TokenIssuer, ..)) => "ISSUER_AWAY",
                Some((Class::Shoot(_), ..)) => "SHOOT_FAILS",
                None => "LIMIT_REACHED",
            },
        };
        finding(format!("It is to be renewed ({reason}), and {keeps}."), self.remedy(code))
    }

    /// A campaign that is not done with it.
    fn in_campaign(&self) -> Option<Finding> {
        let (id, campaign) = self.fleet.campaign_of(self.now, self.secret)?;
        Some(known(format!(
            "Campaign {id} of {} wants another token here ({}): perennial campaign watch {id}.",
            campaign.by, campaign.reason
        )))
    }

    /// The replica that orders it, where it is another one.
    pub(super) fn served_by(&self) -> Option<&ReplicaName> {
        self.fleet.served_by(&self.secret.namespace)
    }

    /// Another replica orders it, and knows what was tried.
    fn served_elsewhere(&self) -> Option<Finding> {
        let owner = self.served_by()?;
        Some(known(format!(
            "Its shoot is served by replica {owner} of the scheduler: attempts and errors are known \
             there."
        )))
    }

    /// A renewal failed since the token that it holds was written. Nothing is tried again for that
    /// token, so nothing else would tell.
    pub(super) fn last_failed(&self) -> Option<Finding> {
        let Standing::Fresh { .. } = self.standing() else { return None };
        let last = self.entry.attempts.history.newest_first().next()?;
        let trouble = last.trouble()?;
        let is_failure = !matches!(trouble.kind, Kind::Changed | Kind::Held);
        // Notes are cut to whole seconds.
        let since = self.entry.record().issued.as_ref().map(|note| note.at.as_second());
        let is_later = since.is_none_or(|written| last.at().as_second() > written);
        (is_failure && is_later).then(|| {
            let ago = length(elapsed(last.at(), self.now).as_secs().cast_signed());
            let cause = format!(
                "It holds a token that fits, but the last renewal ({}, {ago} ago) failed ({}): {}.",
                last.reason.as_str(),
                trouble.code,
                trouble.message.trim_end_matches('.'),
            );
            finding(cause, self.remedy_of(trouble))
        })
    }

    fn waiting(&self, why: Why, until: jiff::Timestamp) -> Finding {
        let failure = self.entry.attempts.last_failure.as_ref();
        match (why, failure) {
            (Why::Storm, Some(failure)) if !self.entry.is_storm() => {
                let failed = sentence(&failure.trouble);
                let held = words::held_after_failure(self.entry, until);
                finding(
                    format!("{}, and {held}.", failed.trim_end_matches('.')),
                    self.remedy_of(&failure.trouble),
                )
            }
            (Why::Storm, _) => self.storm(),
            (Why::Repaired, None) => {
                let again = "It was repaired a moment ago, and is not as it should be again.";
                finding(again.to_owned(), self.remedy("REPAIRED_AGAIN"))
            }
            (Why::Changed, _) | (_, None) => {
                known("The Secret changed while it was being renewed; its new record is awaited.")
            }
            (Why::Failed | Why::Throttled | Why::HeldByWriter | Why::Repaired, Some(failure)) => {
                finding(sentence(&failure.trouble), self.remedy_of(&failure.trouble))
            }
        }
    }

    fn away(&self, away: Away) -> Finding {
        let words = words::away(away, &self.secret.namespace, self.shoot);
        match away {
            Away::NotKnown => finding(
                format!("No token-issuer knows a shoot {}.", self.secret.namespace),
                self.remedy("SHOOT_NOT_KNOWN"),
            ),
            Away::Unreachable => {
                finding(format!("{}.", capital(&words)), self.remedy("SHOOT_UNREACHABLE"))
            }
            Away::AccountTerminating => {
                finding(format!("{}.", capital(&words)), self.remedy("ACCOUNT_TERMINATING"))
            }
            Away::Hibernated if self.status().is_some_and(ShootStatus::answers_in_hibernation) => {
                finding(format!("{}.", capital(&words)), self.remedy("HIBERNATED_BUT_ANSWERS"))
            }
            Away::NotLookedAt | Away::Hibernated => known(format!("{}.", capital(&words))),
        }
    }

    /// What nobody has to do something about at this moment, and should know.
    fn shoot_away(&self) -> Option<Finding> {
        let told = matches!(self.standing(), Standing::Parked { .. });
        match self.shoot {
            ShootView::Seen(status) if status.hibernated => {
                (!told).then(|| self.away(Away::Hibernated))
            }
            ShootView::Seen(status)
                if matches!(status.reach, Reach::Unreachable | Reach::Refused) && !told =>
            {
                Some(self.away(Away::Unreachable))
            }
            ShootView::Missing if !told => Some(self.away(Away::NotKnown)),
            // A stale state, or none at all.
            ShootView::Seen(status)
                if status.reach == Reach::Unknown && !status.detail.is_empty() =>
            {
                let cause = format!("The state of the shoot is not known: {}.", status.detail);
                Some(finding(cause, self.remedy("SHOOTS_NOT_HEARD")))
            }
            ShootView::Unknown => Some(finding(
                "No token-issuer is heard, so the state of the shoot is not known.",
                self.remedy("SHOOTS_NOT_HEARD"),
            )),
            ShootView::Seen(_) | ShootView::Missing => None,
        }
    }

    fn nothing_ordered(&self) -> Option<Finding> {
        if matches!(self.standing(), Standing::Due { .. }) {
            return None;
        }
        let (why, code) = match self.fleet.held_back(self.now)? {
            why @ (HeldBack::NoRecords | HeldBack::StaleRecords) => (why, "RECORDS_NOT_HEARD"),
            why @ HeldBack::NoShoots => (why, "SHOOTS_NOT_HEARD"),
            why @ HeldBack::WriterAway(_) => (why, "WRITER_AWAY"),
            why @ HeldBack::MembersUnread => (why, "MEMBERS_UNREAD"),
            why @ HeldBack::Audit => (why, "AUDIT_MODE"),
            why @ HeldBack::Stopped(_) => (why, "FLEET_STOPPED"),
            HeldBack::Paused(_) => return None, // said by `paused`
            why @ HeldBack::SwitchUnread => (why, "SWITCH_UNREAD"),
        };
        let why = words::held_back(why);
        Some(finding(format!("Nothing is renewed at the moment: {why}."), self.remedy(code)))
    }

    fn clocks_apart(&self) -> Option<Finding> {
        let offset = self.clock_offset();
        let direction = if offset.is_negative() { "behind" } else { "ahead of" };
        (offset.abs() > CLOCKS_APART_MAX).then(|| {
            finding(
                format!(
                    "The shoot's clock is {} {direction} that of the token-issuer. Moments of the \
                     token are by the shoot's clock; Perennial converts them, consumers do not.",
                    length(offset.abs().as_secs())
                ),
                self.remedy("CLOCKS_APART"),
            )
        })
    }

    fn shoot_lacks(&self) -> Option<Finding> {
        let status = self.status()?;
        let lacks =
            status.reach == Reach::Reachable && !status.hibernated && !status.detail.is_empty();
        lacks.then(|| {
            let cause = format!("The shoot is reached, and lacks something: {}.", status.detail);
            finding(cause, self.remedy("SHOOT_LACKS_GRANTS"))
        })
    }

    fn bootstrap(&self) -> Option<Finding> {
        let status = self.status()?;
        let bootstrap =
            status.reach == Reach::Reachable && status.credential == Credential::Bootstrap;
        bootstrap.then(|| {
            let own = &self.fleet.settings.own_secret;
            let shoot = &self.secret.namespace;
            let remedy = match self.secret.name == *own {
                true => Remedy::default(), // the verdict says why it has no token that works
                false => Remedy {
                    text: format!("See why {shoot}/{own} has no token that works."),
                    command: format!("perennial explain {shoot}/{own}"),
                },
            };
            finding(
                "The shoot is reached with the short-lived credential of whoever made it, not with \
                 the token-issuer's own.",
                remedy,
            )
        })
    }

    fn key_withdrawn(&self) -> Option<Finding> {
        let outdated = self.entry.outdated.as_ref().map(|outdated| outdated.reason);
        if outdated == Some(Reason::KeyWithdrawn) {
            return Some(known(
                "The shoot withdrew the key that signed the token, so it refuses it. All tokens of \
                 that key are renewed within minutes, spread over the time.",
            ));
        }
        let untold = self.fleet.untold(self.now, &self.secret.namespace, self.entry)?;
        let why = match untold {
            Untold::NotSettled => {
                "its key set has not been the same for long enough to say that it was withdrawn"
            }
            Untold::NeverPublished => {
                "nobody who remembers has seen it there, so it cannot be told whether it was withdrawn"
            }
            Untold::NewestNotPublished => {
                "nor is that of the shoot's newest token, so it cannot be told whether it was \
                 withdrawn"
            }
            Untold::StillSigns => {
                "and has signed since it left, so it cannot be told whether it was withdrawn"
            }
        };
        let cause = format!(
            "The key that signed the token is not in the shoot's key set: the shoot may refuse it; \
             {why}."
        );
        Some(finding(cause, self.remedy("SIGNING_KEY_WITHDRAWN")))
    }

    /// Two that ask for the same labels need not know of each other.
    fn labels_of_another(&self) -> Option<Finding> {
        let other = self.fleet.other_speaker(self.secret)?;
        let other = SecretRef { name: other.clone(), ..self.secret.clone() };
        let labels = |secret: &SecretRef| {
            let inputs = self.fleet.members.get(secret)?.record().inputs.ok()?;
            Some((inputs.account, inputs.account_labels))
        };
        let (account, own) = labels(self.secret)?;
        (!own.is_empty() && Some(&own) != labels(&other).as_ref().map(|(_, labels)| labels)).then(
            || {
                known(format!(
                    "ServiceAccount {account} is named by several Secrets and has the labels that \
                     {other} asks for, the first by name; those of this one are not applied."
                ))
            },
        )
    }

    fn issuer_changed(&self) -> Option<Finding> {
        let outdated = self.entry.outdated.as_ref().map(|outdated| outdated.reason);
        (outdated == Some(Reason::IssuerChanged)).then(|| {
            known(
                "The shoot issues under another name by now. All tokens of the former issuer are \
                 renewed within minutes, spread over the time.",
            )
        })
    }

    pub(super) fn remedy(&self, code: &str) -> Remedy {
        remedy::of(code, self.secret).unwrap_or_default()
    }

    /// Never empty: a failure that nobody wrote a remedy for still has its logs.
    fn remedy_of(&self, trouble: &Trouble) -> Remedy {
        remedy::of(&trouble.code, self.secret).unwrap_or_else(|| remedy::unknown(&self.attempts()))
    }
}

/// The message as a sentence, with the name of what went wrong.
fn sentence(trouble: &Trouble) -> String {
    let verb = match trouble.kind {
        Kind::Held => "It must wait",
        Kind::Throttled => "Somebody asked us to slow down",
        Kind::Invalid
        | Kind::NotFound
        | Kind::Denied
        | Kind::Changed
        | Kind::Unavailable
        | Kind::TimedOut
        | Kind::Internal => "The last attempt failed",
    };
    format!("{verb} ({}): {}.", trouble.code, trouble.message.trim_end_matches('.'))
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
