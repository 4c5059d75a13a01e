//! What keeps a Secret from being renewed and what to do, in words.

use jiff::Timestamp;
use perennial_core::{
    decision::{Away, ShootView},
    name::SecretRef,
    record::Obstacle,
    shoot::ShootId,
};

use crate::fleet::{
    Fleet,
    attempts::Why,
    entry::{Entry, Standing},
    take::HeldBack,
};

impl Fleet {
    pub(in crate::fleet) fn detail(
        &self,
        now: Timestamp,
        secret: &SecretRef,
        entry: &Entry,
    ) -> String {
        match &entry.standing {
            Standing::Fresh { .. } | Standing::Renewing { .. } => String::new(),
            Standing::Invalid(refusal) => refusal.message.clone(),
            Standing::Obstructed(kind) => obstacle(*kind).to_owned(),
            Standing::Parked { away: kind, .. } => {
                away(*kind, &secret.namespace, self.shoots.view(&secret.namespace))
            }
            Standing::Waiting { why, .. } => waiting(*why, entry),
            Standing::Due { .. } => self.turn(now, secret),
        }
    }

    /// Why a Secret that is due is not being renewed yet.
    fn turn(&self, now: Timestamp, secret: &SecretRef) -> String {
        let (limit, limit_shoot) =
            (self.settings.in_flight_max, self.settings.in_flight_per_shoot_max);
        let in_flight = self.members.shoot(&secret.namespace).map_or(0, |member| member.in_flight);
        if let Some(why) = self.held_back(now) {
            held_back(why)
        } else if let Some(until) = self.slow_down(now, secret) {
            format!("its API server asked to slow down; nothing is sent to it before {until:.0}")
        } else if self.flights.len() >= limit {
            format!("waits its turn: {limit} renewals are under way (--in-flight-max)")
        } else if in_flight >= limit_shoot {
            format!(
                "waits its turn: {limit_shoot} renewals of its shoot are under way \
                 (--in-flight-per-shoot-max)"
            )
        } else {
            String::new()
        }
    }
}

fn waiting(why: Why, entry: &Entry) -> String {
    let failure =
        entry.attempts.last_failure.as_ref().map_or("", |failure| &failure.trouble.message);
    match why {
        Why::Failed | Why::Throttled | Why::HeldByWriter => failure.to_owned(),
        Why::Changed => {
            "the Secret changed while it was being renewed; its new record is awaited".to_owned()
        }
        Why::Storm => {
            let streak = entry.record.memory.map_or(0, |memory| memory.streak);
            let look = entry.record.other_writer.as_ref().map_or_else(
                || "look who else writes this Secret".to_owned(),
                |other| format!("{other} wrote it, find out why"),
            );
            format!(
                "tokens replaced in a row before their planned moment: {streak}; {look}, and \
                 compare the clocks of seed and shoot"
            )
        }
    }
}

/// What keeps a Secret from being written and what to do.
pub(in crate::fleet) const fn obstacle(kind: Obstacle) -> &'static str {
    match kind {
        Obstacle::Immutable => "it is immutable; delete it and make it anew without `immutable`",
        Obstacle::Terminating => {
            "it is being deleted and a finalizer holds it; let its owner finish, or remove the finalizer"
        }
    }
}

/// What keeps a shoot from being asked and what to do.
pub(in crate::fleet) fn away(kind: Away, shoot: &ShootId, view: ShootView<'_>) -> String {
    match (kind, view) {
        (Away::NotKnown, _) => format!(
            "no token-issuer knows a shoot {shoot}; make the Secrets by which it is reached in \
             that namespace (contract, section F)"
        ),
        (Away::Unreachable, ShootView::Seen(status)) if !status.detail.is_empty() => {
            format!("the shoot is not reached: {}", status.detail)
        }
        (Away::Unreachable, _) => "the shoot is not reached".to_owned(),
    }
}

/// What holds back every order.
pub(in crate::fleet) fn held_back(why: HeldBack<'_>) -> String {
    match why {
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
        HeldBack::WriterAway(message) => format!("the secret-writer is not reached: {message}"),
    }
}
