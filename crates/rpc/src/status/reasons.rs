//! Reasons of others, as `&'static str`.
//!
//! `Failure::reason` is `'static` because ours are literals, and a reason that came over the wire
//! must be handed on unchanged. Each distinct one is kept for the life of the process. There are a
//! few dozen; the bound is for a peer that makes them up.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

const KEPT_MAX: usize = 256;
/// `google.rpc.ErrorInfo.reason` has at most 63 characters.
const REASON_BYTES_MAX: usize = 63;
const OTHER: &str = "PEER_ERROR";

static KEPT: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The same text, kept. [`OTHER`] for what is no reason, or when too many are kept.
pub(super) fn keep(reason: &str) -> &'static str {
    let allowed = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    if reason.is_empty() || reason.len() > REASON_BYTES_MAX || !reason.bytes().all(allowed) {
        return OTHER;
    }
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(reason) {
        return known;
    }
    if kept.len() >= KEPT_MAX {
        return OTHER;
    }
    let new: &'static str = String::leak(reason.to_owned());
    kept.insert(new);
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_kept_once_and_nonsense_not_at_all() {
        let first = keep("SERVICE_ACCOUNT_MISSING");
        let again = keep(&String::from("SERVICE_ACCOUNT_MISSING"));

        assert_eq!(first.as_ptr(), again.as_ptr());
        assert_eq!(keep(""), OTHER);
        assert_eq!(keep("with spaces\n"), OTHER);
        assert_eq!(keep(&"A".repeat(REASON_BYTES_MAX + 1)), OTHER);
    }
}
