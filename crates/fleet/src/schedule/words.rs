//! What keeps a Secret from being renewed and what to do, in words.

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    decision::{Away, ShootView},
    keys,
    name::SecretRef,
    record::Obstacle,
    shoot::ShootId,
    storm::Early,
};

use crate::{
    Fleet,
    attempts::Why,
    entry::{Entry, Standing},
    limits::ShootLimits,
    outages::Class,
    take::HeldBack,
};

/// Clocks that are further apart than this are a mistake of somebody.
pub(crate) const CLOCKS_APART_MAX: SignedDuration = SignedDuration::from_secs(60);

impl Fleet {
    pub(crate) fn detail(&self, now: Timestamp, secret: &SecretRef, entry: &Entry) -> String {
        match &entry.standing {
            Standing::Fresh { .. } | Standing::Renewing { .. } => String::new(),
            Standing::Invalid(refusal) => refusal.message.clone(),
            Standing::Obstructed(kind) => obstacle(*kind).to_owned(),
            Standing::Parked { away: kind, .. } => {
                away(*kind, &secret.namespace, self.shoots.view(&secret.namespace))
            }
            Standing::Waiting { .. } if entry.is_storm() => self.storm(secret, entry),
            Standing::Waiting { why, until, .. } => waiting(*why, *until, entry),
            Standing::Due { .. } => self.turn(now, secret),
        }
    }

    fn storm(&self, secret: &SecretRef, entry: &Entry) -> String {
        let streak = entry.record().memory.map_or(0, |memory| memory.streak);
        let early = Early::of(&entry.record(), entry.standing.reason());
        let why = early.words(&entry.record());
        let clocks = match early.may_be_the_clock() && self.may_have_wrong_clock(secret) {
            true => "; compare the clocks of seed and shoot",
            false => "",
        };
        format!("tokens issued in a row before the planned moment: {streak}; {why}{clocks}")
    }

    /// Whether the clock of the shoot is known to be wrong, or not known.
    pub(crate) fn may_have_wrong_clock(&self, secret: &SecretRef) -> bool {
        let offset = match self.shoots.view(&secret.namespace) {
            ShootView::Seen(status) => status.clock_offset,
            ShootView::Missing | ShootView::Unknown => None,
        };
        offset.is_none_or(|offset| offset.abs() > CLOCKS_APART_MAX)
    }

    /// Why a Secret that is due is not being renewed yet.
    fn turn(&self, now: Timestamp, secret: &SecretRef) -> String {
        let (shared, of_shoot) = (self.limits(now), self.limits_of(now, &secret.namespace));
        if let Some(why) = self.held_back_at(now, &secret.namespace) {
            held_back(why)
        } else if let Some(owner) = self.served_by(&secret.namespace)
            && !self.is_asked(secret)
        {
            format!("its shoot is served by replica {owner} of the scheduler, which orders it")
        } else if let Some((class, message, until)) = self.outages.keeping(&secret.namespace) {
            keeping(&class, message, until)
        } else if let Some(until) = self.slow_down(now, secret) {
            format!("its API server asked to slow down; nothing is sent to it before {until:.0}")
        } else if of_shoot.in_flight >= of_shoot.limit_in_flight {
            let ShootLimits { in_flight, slowed_because, .. } = of_shoot;
            let why = match slowed_because.as_str() {
                "" => "--in-flight-per-shoot-max".to_owned(),
                why => format!("fewer than --in-flight-per-shoot-max, because {why}"),
            };
            format!("waits its turn: {in_flight} renewals of its shoot are under way ({why})")
        } else if self.in_places() >= shared.in_flight {
            let (limit, most) = (shared.in_flight, self.settings.in_flight_max);
            format!("waits its turn: {limit} renewals are under way (--in-flight-max is {most})")
        } else if !self.admits(now) {
            let rate = shared.per_second;
            format!("waits its turn: no more than {rate:.0} renewals a second (--rate-max)")
        } else if !self.shoot_admits(now, &secret.namespace) {
            let rate = of_shoot.rate;
            format!(
                "waits its turn: no more than {rate:.0} renewals a second of its shoot \
                 (--rate-per-shoot-max)"
            )
        } else {
            String::new()
        }
    }
}

/// What is away, so that one order at a time is tried.
fn keeping(class: &Class, message: &str, until: Timestamp) -> String {
    let what = match class {
        Class::Seed => "the seed takes no write",
        Class::TokenIssuer => "the token-issuer is not reached",
        Class::Shoot(_) => "calls to its shoot fail one after the other",
    };
    format!("{what}; one Secret at a time tries, the next at {until:.0}: {message}")
}

fn waiting(why: Why, until: Timestamp, entry: &Entry) -> String {
    let failure =
        entry.attempts.last_failure.as_ref().map_or("", |failure| &failure.trouble.message);
    match why {
        Why::Failed | Why::Throttled | Why::HeldByWriter => failure.to_owned(),
        Why::Repaired if failure.is_empty() => {
            "it was repaired a moment ago, and is not as it should be again".to_owned()
        }
        Why::Repaired => failure.to_owned(),
        Why::Changed => {
            "the Secret changed while it was being renewed; its new record is awaited".to_owned()
        }
        Why::Storm => format!("{failure}; {}", held_after_failure(entry, until)),
    }
}

/// Why it waits longer than the failure alone would have it wait.
pub(crate) fn held_after_failure(entry: &Entry, until: Timestamp) -> String {
    let why = match Early::of(&entry.record(), entry.standing.reason()) {
        Early::NotThere => "tokens were issued for it that could not be written",
        Early::Asked
        | Early::AccountReplaced
        | Early::GenerationGone
        | Early::TimestampRemoved
        | Early::TimestampChanged
        | Early::InputsChanged
        | Early::ShootRotates
        | Early::TokenReplaced
        | Early::Refused
        | Early::OutOfTime => "another token so soon would be a storm",
    };
    format!("the Secret is held until {until:.0}, because {why}")
}

/// What keeps a Secret from being written and what to do.
pub(crate) const fn obstacle(kind: Obstacle) -> &'static str {
    match kind {
        Obstacle::Immutable => "it is immutable; delete it and make it anew without `immutable`",
        Obstacle::Terminating => {
            "it is being deleted and a finalizer holds it; let its owner finish, or remove the finalizer"
        }
    }
}

/// What keeps a shoot from being asked and what to do.
pub(crate) fn away(kind: Away, shoot: &ShootId, view: ShootView<'_>) -> String {
    match (kind, view) {
        (Away::NotKnown, _) => format!(
            "no token-issuer knows a shoot {shoot}; make the Secrets by which it is reached in \
             that namespace (docs/operations.md, Making a shoot known), or --shoot-namespace of the \
             token-issuer does not admit that name"
        ),
        (Away::Unreachable, ShootView::Seen(status)) if !status.detail.is_empty() => {
            format!("the shoot is not reached: {}", status.detail)
        }
        (Away::Unreachable, _) => "the shoot is not reached".to_owned(),
        (Away::AccountTerminating, _) => {
            "its ServiceAccount is being deleted and a finalizer holds it; until it is gone the shoot \
             would refuse every new token"
                .to_owned()
        }
        (Away::Hibernated, ShootView::Seen(status)) if status.answers_in_hibernation() => format!(
            "its shoot is said to hibernate ({key} on the token-issuer's own access Secret), and \
             answers; nothing is renewed there until the annotation is removed",
            key = keys::HIBERNATED
        ),
        (Away::Hibernated, _) => {
            "its shoot hibernates; it is renewed when that is over, most urgent first".to_owned()
        }
        (Away::NotLookedAt, _) => {
            "the shoot was not looked at yet, and only its own clock says whether the moment has come"
                .to_owned()
        }
    }
}

/// What holds back every order.
pub(crate) fn held_back(why: HeldBack<'_>) -> String {
    match why {
        HeldBack::Stopped(stop) => format!("nothing is ordered, because the fleet is {stop}"),
        HeldBack::Paused(pause) => {
            format!("nothing is ordered for it, because its shoot is {pause}")
        }
        HeldBack::SwitchUnread => {
            "whether the fleet is stopped was not read yet; does the seed answer the scheduler?"
                .to_owned()
        }
        HeldBack::NoRecords => {
            "the first whole set of records is not in; is the secret-writer ready?".to_owned()
        }
        HeldBack::NoShoots => {
            "the first whole set of shoots is not in; is the token-issuer ready?".to_owned()
        }
        HeldBack::StaleRecords => {
            "the record stream broke; nothing is ordered until the secret-writer has sent all \
             records again"
                .to_owned()
        }
        HeldBack::MembersUnread => {
            "which other replicas of the scheduler there are was not read yet; does the seed answer \
             the scheduler?"
                .to_owned()
        }
        HeldBack::Audit => {
            "nothing is done, because the scheduler is in audit mode (--audit)".to_owned()
        }
        HeldBack::WriterAway(message) => format!("the secret-writer is not reached: {message}"),
    }
}
