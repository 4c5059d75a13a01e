//! The access Secret itself, and the API server of the seed.

use super::{NO_COMMAND, Row, SHOW_FINALIZERS, SHOW_WRITERS};

/// The Secret itself.
pub(super) fn of_secret(code: &str) -> Option<Row> {
    Some(match code {
        "SECRET_IMMUTABLE" => (
            "Delete it and make it anew without `immutable: true`; it gets a token at once.",
            NO_COMMAND,
        ),
        "SECRET_TERMINATING" => (
            "Let the owner of the finalizer finish (the command shows which one it is); where that owner \
             is no more, remove it from metadata.finalizers.",
            SHOW_FINALIZERS,
        ),
        "KUBECONFIG_INVALID" => (
            "Correct the data key kubeconfig of Secret {secret}; it needs a current context with a \
             user.",
            NO_COMMAND,
        ),
        "SECRET_CONTENDED" => ("Find who writes it without pause.", SHOW_WRITERS),
        "NO_STORM" | "RENEWAL_HELD" | "ISSUE_HELD" => (
            "Find who else writes this Secret and stop that, or compare the clocks of seed and shoot; it \
             goes on by itself.",
            SHOW_WRITERS,
        ),
        "ACCESS_SECRET_NOT_FOUND" | "RECORD_CHANGED" => {
            ("Nothing: it was edited or deleted meanwhile, and is decided about anew.", NO_COMMAND)
        }
        "RENEWAL_UNDER_WAY" | "ISSUE_UNDER_WAY" => {
            ("Nothing: another renewal of it is under way, and ends by itself.", NO_COMMAND)
        }
        _ => return None,
    })
}

/// The API server of the seed, as the secret-writer met it.
pub(super) fn of_seed(code: &str) -> Option<Row> {
    Some(match code {
        "SEED_FORBIDDEN" => (
            "Grant the secret-writer what it needs; if the message names a policy or webhook, that one \
             refuses the write.",
            "kubectl apply -f deploy/seed",
        ),
        "SEED_UNAUTHORIZED" | "SEED_CREDENTIAL_UNUSABLE" => (
            "Give the secret-writer a valid credential of the seed (its ServiceAccount token or \
             kubeconfig), and see its log.",
            NO_COMMAND,
        ),
        "SEED_UNREACHABLE" | "SEED_TIMED_OUT" => (
            "See whether the seed's API server runs and is reached from the secret-writer.",
            NO_COMMAND,
        ),
        "SEED_THROTTLED" => (
            "Nothing, it is tried again by itself. If it lasts, find who loads the seed's API server.",
            NO_COMMAND,
        ),
        "SEED_CONFLICT" | "SEED_NOT_FOUND" => {
            ("Nothing: the Secret changed meanwhile, and is decided about anew.", NO_COMMAND)
        }
        "SEED_REFUSED" | "SEED_NONSENSE" => (
            "See what the seed's API server says in the message: an admission webhook or policy, or a \
             proxy in between.",
            NO_COMMAND,
        ),
        _ => return None,
    })
}
