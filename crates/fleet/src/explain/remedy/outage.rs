//! What many Secrets need and is away, and shoots that hibernate.

use super::{NO_COMMAND, Row, STATUS};

/// Outages and hibernation.
pub(super) fn of_outage(code: &str) -> Option<Row> {
    Some(match code {
        "SEED_AWAY" => (
            "See whether the seed's API server takes writes of Secrets from the secret-writer. All \
             Secrets go on within 15 s of that.",
            NO_COMMAND,
        ),
        "ISSUER_AWAY" => (
            "See whether the token-issuer runs, is ready and is reached from the secret-writer. All \
             Secrets go on within 15 s of that.",
            STATUS,
        ),
        "SHOOT_FAILS" => (
            "See why the shoot's API server fails although it answers the probe. Its Secrets go on \
             within 15 s of its recovery.",
            NO_COMMAND,
        ),
        "SHOOT_HIBERNATED" => (
            "Wake the shoot and remove annotation perennial.dev/hibernated from \
             {namespace}/shoot-access-token-issuer; its Secrets are then renewed within 30 s.",
            "kubectl -n {namespace} annotate secret shoot-access-token-issuer perennial.dev/hibernated-",
        ),
        "HIBERNATED_BUT_ANSWERS" => (
            "Where the shoot is awake, remove annotation perennial.dev/hibernated from \
             {namespace}/shoot-access-token-issuer: until then its tokens run out.",
            "kubectl -n {namespace} annotate secret shoot-access-token-issuer perennial.dev/hibernated-",
        ),
        _ => return None,
    })
}
