//! The last tokens of revocable Secrets, kept to see that a revoked one is refused.
//!
//! Of each Secret the last one, and the last one of the generation before, which goes as soon as it
//! was seen refused. In memory and nowhere else: a token-issuer that starts anew has none, and then
//! nothing is claimed.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use perennial_core::{
    generation::{Number, REFUSED_WITHIN},
    name::SecretRef,
    token::{Claims, Token},
};

/// Most Secrets whose tokens are kept: two tokens of 1 KiB each, so 40 MiB. Of those beyond nothing
/// is claimed.
const SECRETS_MAX: usize = 20_000;

/// All of them. Nothing waits while it is locked.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<BTreeMap<SecretRef, Entry>>);

#[derive(Debug)]
struct Entry {
    last: Witness,
    former: Option<Witness>,
}

/// A token that can say whether its generation is gone.
#[derive(Clone, Debug)]
pub(super) struct Witness {
    pub token: Token,
    number: Number,
    /// By our clock.
    expires_at: Timestamp,
    /// Whether the shoot took it while its generation was there. One that it never takes, as with
    /// audiences of somebody else, proves nothing.
    pub was_taken: bool,
}

impl Kept {
    /// A Secret got a token.
    pub(super) fn issued(
        &self,
        secret: &SecretRef,
        number: Number,
        token: &Token,
        claims: &Claims,
        now: Timestamp,
    ) {
        let lives = u64::try_from(claims.granted_seconds()).unwrap_or_default();
        let expires_at = now.checked_add(Duration::from_secs(lives)).unwrap_or(Timestamp::MAX);
        let witness = Witness { token: token.clone(), number, expires_at, was_taken: false };
        let mut all = self.lock();
        if all.len() >= SECRETS_MAX && !all.contains_key(secret) {
            all.retain(|_, entry| entry.last.expires_at > now);
            if all.len() >= SECRETS_MAX {
                return;
            }
        }
        let former = all.remove(secret).and_then(|held| match held.last.number < number {
            true => Some(held.last),
            false => held.former,
        });
        all.insert(secret.clone(), Entry { last: witness, former });
    }

    /// The newest token of a generation older than `keep` that will not expire meanwhile.
    pub(super) fn older(
        &self,
        secret: &SecretRef,
        keep: Number,
        now: Timestamp,
    ) -> Option<Witness> {
        let all = self.lock();
        let Entry { last, former } = all.get(secret)?;
        let lives = |witness: &&Witness| {
            now.checked_add(REFUSED_WITHIN).is_ok_and(|until| until < witness.expires_at)
        };
        let older = [Some(last), former.as_ref()].into_iter().flatten();
        older.filter(|witness| witness.number < keep).find(lives).cloned()
    }

    /// The shoot took it, and its generation was there.
    pub(super) fn taken(&self, secret: &SecretRef, witness: &Witness) {
        let mut all = self.lock();
        let Some(Entry { last, former }) = all.get_mut(secret) else { return };
        let held = std::iter::once(last).chain(former);
        held.filter(|held| held.is(witness)).for_each(|held| held.was_taken = true);
    }

    /// The shoot refuses it: there is nothing more to learn from it.
    pub(super) fn refused(&self, secret: &SecretRef, witness: &Witness) {
        let mut all = self.lock();
        let Some(entry) = all.get_mut(secret) else { return };
        entry.former.take_if(|former| former.is(witness));
        if entry.last.is(witness) {
            all.remove(secret);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SecretRef, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness {
    fn is(&self, other: &Self) -> bool {
        self.token.expose() == other.token.expose()
    }
}

#[cfg(test)]
mod tests;
