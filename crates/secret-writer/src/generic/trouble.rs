//! Trouble with a generic kubeconfig that only a person can end, told in an Event.

use perennial_core::{
    failure::{Failure, Kind},
    keys,
    record::Obstacle,
};
use perennial_kube::{Error, events::Notice, generic::Generic};

use super::pace::Pace;

/// From so many writes in a row somebody else's are no slip any more.
const CONTESTED_MIN: u32 = 3;

// Stable names; in an Event they are CamelCase.
const IMMUTABLE: &str = "SECRET_IMMUTABLE";
const CONTESTED: &str = "GENERIC_KUBECONFIG_CONTESTED";
const REFUSED: &str = "GENERIC_KUBECONFIG_REFUSED";

/// It should be written, and cannot be. One that is being deleted goes by itself.
pub(super) fn obstructed(seen: &Generic) -> Option<Notice> {
    let immutable = || {
        let message = "immutable is true, so address and CA of the shoot cannot be written into the \
                       data key kubeconfig.yaml; delete the Secret and make it anew without \
                       `immutable`";
        notice(seen, IMMUTABLE, "immutable", message.to_owned())
    };
    match seen.obstacle? {
        Obstacle::Immutable => Some(immutable()),
        Obstacle::Terminating => None,
    }
}

/// Somebody else put something there since we wrote it, again and again.
pub(super) fn contested(seen: &Generic, pace: &Pace) -> Option<Notice> {
    let writes = pace.writes();
    (writes >= CONTESTED_MIN).then(|| {
        let who = match &seen.other_writer {
            Some(other) => format!("{other} writes it too"),
            None => "somebody else changes it too".to_owned(),
        };
        let message = format!(
            "the data key kubeconfig.yaml was written {writes} times, and {who}; the next try comes \
             {} s after the last; let nobody else write that key, or take away the label {}",
            pace.pause().as_secs(),
            keys::GENERIC,
        );
        // Not the other writer: one that changes its name each time would get an Event each.
        notice(seen, CONTESTED, keys::DATA_GENERIC, message)
    })
}

/// The seed does not take it, and will not by itself.
pub(super) fn refused(seen: &Generic, error: &Error) -> Option<Notice> {
    let forbidden = matches!(error.kind(), Kind::Denied);
    forbidden.then(|| {
        let message = format!(
            "{error}; apply deploy/seed/secret-writer-rbac.yaml and \
             deploy/seed/secret-writer-admission-policy.yaml"
        );
        notice(seen, REFUSED, keys::DATA_GENERIC, message)
    })
}

fn notice(seen: &Generic, reason: &str, key: &str, message: String) -> Notice {
    Notice {
        secret: seen.secret.clone(),
        uid: seen.uid.clone(),
        reason: reason.to_owned(),
        key: key.to_owned(),
        message,
        exact: false,
    }
}
