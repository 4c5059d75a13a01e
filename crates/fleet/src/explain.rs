//! Why one Secret is due when it is: all that was decided on, and a verdict. Pure.
//!
//! [`findings`] says what is so and what to do, [`remedy`] knows what to do about each kind of
//! failure, [`storm`] about tokens that are issued too early, [`window`] puts the numbers into
//! words, [`next`] what comes. Whoever adds a reason for which a renewal fails gives it a remedy
//! there; a test of the workspace looks for those without.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    decision::{self, ShootView},
    name::SecretRef,
    pause::Pause,
    reason::Reason,
    record::{Held, Record},
    shoot::ShootStatus,
    stop::Stop,
    window::Window,
};

use super::{
    Fleet,
    attempts::elapsed,
    entry::{Entry, Standing},
    history::Trouble,
    limits::ShootLimits,
    schedule::Schedule,
};

mod findings;
mod generations;
mod next;
mod paused;
pub mod remedy;
mod storm;
mod turn;
mod window;

pub use generations::Generations;
pub use window::RenewalWindow;

/// Why one Secret is due when it is. Fields are explained in `scheduler.proto`.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "explained in scheduler.proto")]
pub struct Explanation {
    pub at: Timestamp,
    pub verdict: Finding,
    pub more: Vec<Finding>,
    pub usable_until: Option<Timestamp>,
    pub schedule: Schedule,
    pub record: Record,
    pub origin: Origin,
    pub window: Option<RenewalWindow>,
    pub renew_timestamp: String,
    pub held_until: Option<Timestamp>,
    pub shoot: ShootKnown,
    pub signing_key_published: Option<bool>,
    pub attempts: Vec<Tried>,
    pub next: Next,
    pub audit: bool,
    pub stopped: Option<Stop>,
    pub pause: Option<Pause>,
    pub generations: Option<Generations>,
    pub limits: ShootLimits,
}

/// One thing that somebody should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is so, and why.
    pub cause: String,
    /// What to do; empty where nobody needs to do anything.
    pub remedy: String,
    /// A command line that does it or shows more; may be empty.
    pub command: String,
}

/// Whose token a Secret holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "explained in scheduler.proto")]
pub enum Origin {
    None,
    Ours,
    Other,
    Damaged,
    Unreadable,
}

/// How much is known of a shoot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShootKnown {
    /// A token-issuer reports it.
    Reported {
        /// Its last state.
        status: Box<ShootStatus>,
        /// Since that state was first seen.
        age: Option<Duration>,
    },
    /// The token-issuers report others.
    Missing,
    /// No token-issuer is heard.
    Unheard,
}

/// One attempt, also one that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Number of the attempt.
    pub number: u64,
    /// When it was ordered.
    pub at: Timestamp,
    /// Until it ended; `None` while it is under way.
    pub took: Option<Duration>,
    /// Why it was made.
    pub reason: Reason,
    /// What went wrong.
    pub trouble: Option<Trouble>,
    /// What to do about that; empty where nothing did, and where only the message tells.
    pub remedy: String,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// When; `None` where an event is waited for.
    pub at: Option<Timestamp>,
    /// What, and why then.
    pub what: String,
}

/// What all of this module looks at.
struct Subject<'a> {
    fleet: &'a Fleet,
    now: Timestamp,
    secret: &'a SecretRef,
    entry: &'a Entry,
    shoot: ShootView<'a>,
}

impl Fleet {
    /// Everything about one Secret.
    #[must_use]
    pub fn explain(&self, now: Timestamp, secret: &SecretRef) -> Option<Explanation> {
        let entry = self.members.get(secret)?;
        let shoot = self.shoots.view(&secret.namespace);
        let subject = Subject { fleet: self, now, secret, entry, shoot };
        let (verdict, more) = subject.findings();
        Some(Explanation {
            at: now,
            verdict,
            more,
            usable_until: subject.usable_until(),
            schedule: self.read(now, secret, entry),
            record: decision::as_seen(now, &entry.record(), shoot).record.into_owned(),
            origin: subject.origin(),
            window: subject.window(),
            renew_timestamp: subject.renew_timestamp(),
            held_until: subject.held_until(),
            shoot: subject.shoot_known(),
            signing_key_published: subject.signing_key_published(),
            attempts: subject.attempts(),
            next: subject.next(),
            audit: self.settings.audit,
            stopped: self.switch.stopped().cloned(),
            pause: subject.pause().cloned(),
            generations: subject.generations(),
            limits: self.limits_of(now, &secret.namespace),
        })
    }
}

impl Subject<'_> {
    fn basis_seconds(&self) -> i64 {
        self.fleet.settings.policy.basis_seconds
    }

    /// A moment of the shoot's clock by ours.
    fn ours(&self, moment: Timestamp) -> Timestamp {
        self.fleet.our_clock(&self.secret.namespace, moment)
    }

    fn usable_until(&self) -> Option<Timestamp> {
        let end = self.entry.usable_until().map(|end| self.ours(end));
        end.filter(|end| *end > self.now)
    }

    fn origin(&self) -> Origin {
        let own = self.entry.record();
        let seen = decision::as_seen(self.now, &own, self.shoot);
        match (&seen.record.held, &seen.record.issued) {
            (Held::Nothing, _) => Origin::None,
            (Held::Unreadable, _) => Origin::Unreadable,
            (Held::Damaged(_), _) => Origin::Damaged,
            (Held::Token(_), Some(_)) => Origin::Ours,
            (Held::Token(_) | Held::InTarget, None) => Origin::Other,
            (Held::InTarget, Some(_)) => Origin::Ours,
        }
    }

    /// Until when another token would be a storm (B12).
    fn held_until(&self) -> Option<Timestamp> {
        let record = &self.entry.record();
        let inputs = record.inputs.as_ref().ok()?;
        let (basis, window) = (self.basis_seconds(), Window::ORDINARY);
        let ordinary = decision::ordinary_interval(record, inputs, basis, window);
        record.memory?.hold_until(self.now, ordinary, record.is_asked_for())
    }

    fn status(&self) -> Option<&ShootStatus> {
        match self.shoot {
            ShootView::Seen(status) => Some(status),
            ShootView::Missing | ShootView::Unknown => None,
        }
    }

    fn clock_offset(&self) -> SignedDuration {
        self.status().and_then(|status| status.clock_offset).unwrap_or_default()
    }

    fn shoot_known(&self) -> ShootKnown {
        match self.shoot {
            ShootView::Seen(status) => ShootKnown::Reported {
                status: Box::new(status.clone()),
                age: status.checked_at.map(|checked| elapsed(checked, self.now)),
            },
            ShootView::Missing => ShootKnown::Missing,
            ShootView::Unknown => ShootKnown::Unheard,
        }
    }

    fn signing_key_published(&self) -> Option<bool> {
        let record = self.entry.record();
        let key = record.held.claims()?.key_id.as_ref()?;
        let keys = &self.status()?.key_ids;
        (!keys.is_empty()).then(|| keys.iter().any(|known| known == key))
    }

    /// Newest first.
    fn attempts(&self) -> Vec<Tried> {
        let flight = self.fleet.flights.get(self.secret);
        let under_way = flight.map(|flight| Tried {
            number: flight.attempt,
            at: flight.since,
            took: None,
            reason: flight.reason,
            trouble: None,
            remedy: String::new(),
        });
        let ended = self.entry.attempts.history.newest_first().map(|attempt| Tried {
            number: attempt.number,
            at: attempt.at(),
            took: Some(attempt.took()),
            reason: attempt.reason,
            trouble: attempt.trouble().cloned(),
            remedy: attempt.trouble().map_or_else(String::new, |trouble| {
                remedy::of(&trouble.code, self.secret).unwrap_or_default().text
            }),
        });
        under_way.into_iter().chain(ended).collect()
    }

    const fn standing(&self) -> &Standing {
        &self.entry.standing
    }
}
