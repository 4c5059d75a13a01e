//! An account of every token that stood in an access Secret, kept by watching the seed: what the
//! services say of themselves is not asked.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use perennial_core::issued::Issued;
use perennial_core::keys;
use perennial_core::reason::Reason;
use perennial_core::token::{Claims, TokenHash};

use crate::access_secret;

/// Namespace and name of a Secret.
pub(super) type Key = (String, String);

/// A token that stood in a Secret.
#[derive(Debug)]
pub(super) struct Entry {
    hash: TokenHash,
    note: Option<Issued>,
    /// When we saw it first.
    pub(super) seen_at: Timestamp,
    /// What was wrong with it; nothing as a rule.
    fault: Option<String>,
}

/// All tokens of all access Secrets since the begin.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    tokens: BTreeMap<Key, Vec<Entry>>,
    born: BTreeMap<Key, Timestamp>,
    emptied: Vec<Key>,
    looks: usize,
}

impl Ledger {
    /// Takes a Secret as the seed showed it at `now`.
    pub(super) fn look(&mut self, secret: &Secret, now: Timestamp) {
        let Some(key) = key_of(secret) else { return };
        self.looks += 1;
        self.born.entry(key.clone()).or_insert(now);
        let entries = self.tokens.entry(key.clone()).or_default();
        let Some(token) = access_secret::token(secret) else {
            if !entries.is_empty() {
                self.emptied.push(key);
            }
            return;
        };
        let hash = TokenHash::of(token.as_bytes());
        if entries.last().is_some_and(|last| last.hash == hash) {
            return;
        }
        let note = secret
            .metadata
            .annotations
            .as_ref()
            .and_then(|notes| Issued::read(notes.get(keys::ISSUED)?));
        let fault = fault_of(&token, &hash, note.as_ref(), entries.last(), now);
        entries.push(Entry { hash, note, seen_at: now, fault });
    }

    /// How long each Secret of a component waited for its first token, in seconds, longest last.
    /// `None` while one still waits.
    pub(super) fn waits(&self, keys: &[Key]) -> Option<Vec<f64>> {
        let wait = |key: &Key| {
            let first = self.tokens.get(key)?.first()?;
            let born = self.born.get(key)?;
            Some(first.seen_at.duration_since(*born).as_secs_f64())
        };
        let mut waits: Vec<f64> = keys.iter().map(wait).collect::<Option<_>>()?;
        waits.sort_by(f64::total_cmp);
        Some(waits)
    }

    /// How many tokens appeared in a namespace after the first look at each Secret that had one.
    pub(super) fn issued_in(&self, namespace: &str, since: &BTreeMap<Key, usize>) -> usize {
        let of_namespace = self.tokens.iter().filter(|((ns, _), _)| ns == namespace);
        of_namespace
            .map(|(key, entries)| entries.len() - since.get(key).copied().unwrap_or(0))
            .sum()
    }

    /// Number of tokens seen so far, by Secret.
    pub(super) fn counts(&self) -> BTreeMap<Key, usize> {
        self.tokens.iter().map(|(key, entries)| (key.clone(), entries.len())).collect()
    }

    /// How many tokens the Secret had so far.
    pub(super) fn count(&self, key: &Key) -> usize {
        self.tokens.get(key).map_or(0, Vec::len)
    }

    /// How often a Secret was looked at.
    pub(super) const fn looks(&self) -> usize {
        self.looks
    }

    /// Everything that should not have been: a token taken away, an expired one, one that came
    /// before its time.
    pub(super) fn faults(&self) -> Vec<String> {
        let emptied = self.emptied.iter().map(|(ns, name)| format!("{ns}/{name} was emptied"));
        let of_tokens = self.tokens.iter().flat_map(|((ns, name), entries)| {
            let faults = entries.iter().filter_map(|entry| entry.fault.as_ref());
            faults.map(move |fault| format!("{ns}/{name}: {fault}"))
        });
        emptied.chain(of_tokens).collect()
    }
}

fn key_of(secret: &Secret) -> Option<Key> {
    Some((secret.metadata.namespace.clone()?, secret.metadata.name.clone()?))
}

/// A renewal that fell due is one whose predecessor had reached its planned moment, or had none.
fn fault_of(
    token: &str,
    hash: &TokenHash,
    note: Option<&Issued>,
    before: Option<&Entry>,
    now: Timestamp,
) -> Option<String> {
    let Ok(claims) = Claims::read(token.as_bytes()) else {
        return Some("is no token".to_owned());
    };
    let Some(note) = note.filter(|note| note.sha256 == *hash) else {
        return Some("has no note of its own".to_owned());
    };
    let planned = before.and_then(|before| before.note.as_ref()).map(|note| note.renew_at);
    match (note.reason, planned) {
        _ if claims.expires_at <= now => Some("had expired".to_owned()),
        (Reason::NothingHeld, None) => None,
        (Reason::Due, Some(planned)) if planned <= note.at => None,
        (reason, _) => Some(format!("came before its time ({})", reason.as_str())),
    }
}
