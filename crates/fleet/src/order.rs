//! What the secret-writer is told to do.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::{
    digest::Digest,
    generation::{Ends, Number},
    name::SecretRef,
    reason::Reason,
    window::Window,
};

use super::{
    Fleet, Flight, entry::Standing, limits::Hang, load::Place, revocation::ordered::Ordered,
};

/// More Secrets than this without their first token are a mass start: their renewals are spread
/// over a wide window, so that the load of one moment does not come back as one.
const MASS_START_MIN: usize = 32;

/// Renew this one, as it was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Number of the attempt, unique in the life of a fleet.
    pub attempt: u64,
    /// Which Secret.
    pub secret: SecretRef,
    /// The record that it was decided on.
    pub digest: Digest,
    /// Why.
    pub reason: Reason,
    /// Window of the renewal after this one.
    pub window: Window,
    /// Place in that window, 0 to 1.
    pub place: f64,
    /// See [`Ordered::number`].
    pub generation: Number,
    /// See [`Ordered::grace`].
    pub grace: Option<Duration>,
    /// See [`Ordered::ends`].
    pub ends: Ends,
    /// See [`Ordered::unproved`].
    pub unproved: bool,
}

impl Fleet {
    /// Orders the renewal of a Secret that it is the turn of; `None` where it turns out that it is
    /// not to be renewed now. In both cases it stands where it belongs afterwards.
    pub(super) fn order(&mut self, now: Timestamp, secret: &SecretRef) -> Option<Order> {
        self.settle(now, secret);
        let window = self.window();
        let Standing::Due { reason, .. } = self.members.get(secret)?.standing else { return None };
        let Ordered { number, grace, ends, unproved } =
            self.generations_to_order(now, secret, reason);
        let entry = self.members.get_mut(secret)?;
        let window = if reason == Reason::NothingHeld { window } else { Window::ORDINARY };
        entry.requested = false;
        let was_fed = std::mem::take(&mut entry.by_campaign);
        self.attempts += 1;
        let mut order = Order {
            attempt: self.attempts,
            secret: secret.clone(),
            digest: entry.kept.digest().clone(),
            reason,
            window,
            place: entry.place(),
            generation: number,
            grace,
            ends,
            unproved,
        };
        let planned = entry.planned(&self.settings.policy);
        let chosen = self.choose_place(now, secret, reason, (order.window, order.place));
        let chosen = chosen.filter(|_| reason.needs_token());
        if let Some(Place { window, place, .. }) = chosen {
            (order.window, order.place) = (window, place);
        }
        if was_fed.is_some() {
            self.unfed(&secret.namespace);
        }
        self.take_off(now, &order, planned);
        if let Some(Place { second, .. }) = chosen {
            self.reserve(secret, second);
        }
        Some(order)
    }

    fn take_off(&mut self, now: Timestamp, order: &Order, planned: Option<Timestamp>) {
        let planned = planned.map(|moment| self.our_clock(&order.secret.namespace, moment));
        let flight = Flight {
            attempt: order.attempt,
            digest: order.digest.clone(),
            reason: order.reason,
            generation: order.generation,
            since: now,
            planned,
            hang: Hang::No,
        };
        self.flights.insert(order.secret.clone(), flight);
        self.spend(now, &order.secret.namespace);
        self.outages.ordered(&order.secret, order.attempt);
        self.stand(now, &order.secret, Standing::Renewing { reason: order.reason, since: now });
    }

    fn window(&self) -> Window {
        if self.first_tokens > MASS_START_MIN { Window::MASS_START } else { Window::ORDINARY }
    }
}
