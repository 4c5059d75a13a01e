//! Our own services, and what is not the failure of anything.

use super::{NO_COMMAND, Row, STATUS};

/// Our own services and the way between them.
pub(super) fn of_services(code: &str) -> Option<Row> {
    Some(match code {
        "WRITER_AWAY" | "RECORDS_NOT_HEARD" | "SECRET_NOT_KNOWN_YET" => (
            "See whether the secret-writer runs and is ready; its /readyz says what is missing. Nothing \
             else needs a restart.",
            STATUS,
        ),
        "AUDIT_MODE" => (
            "Start scheduler and secret-writer without --audit once what they would do is what you want.",
            NO_COMMAND,
        ),
        "FLEET_STOPPED" => (
            "Resume once what it was stopped for is over; what fell due goes then, most urgent first.",
            "perennial resume",
        ),
        "SHOOT_PAUSED" => (
            "Resume the shoot once what it was paused for is over; what fell due goes then, most urgent \
             first.",
            "perennial resume {namespace}",
        ),
        "SWITCH_UNREAD" => (
            "See whether the seed answers the scheduler, and apply deploy/seed; its /readyz says what is \
             missing.",
            STATUS,
        ),
        "MEMBERS_UNREAD" => (
            "See whether the seed answers the scheduler, and apply deploy/seed, which lets it read and \
             write Leases; its /readyz says what is missing.",
            STATUS,
        ),
        "SHOOTS_NOT_HEARD" => (
            "See whether the token-issuer runs and is ready; its /readyz says what is missing. Nothing \
             else needs a restart.",
            STATUS,
        ),
        "PEER_UNREACHABLE" | "PEER_DEADLINE_EXCEEDED" | "RENEWAL_TIMED_OUT" => (
            "See whether the token-issuer runs, is ready and is reached from the secret-writer.",
            STATUS,
        ),
        "PEER_REFUSED_US" => (
            "Compare the certificates of the services: --trust-domain and --identity-namespace must \
             be those of their SPIFFE ids.",
            NO_COMMAND,
        ),
        "PEER_LACKS_METHOD" | "REQUEST_INVALID" | "ANSWER_NONSENSE" | "PEER_ERROR" => {
            ("Bring all three services to one version, and see their logs.", NO_COMMAND)
        }
        "STARTING" | "SNAPSHOT_INCOMPLETE" | "SHUTTING_DOWN" | "RENEWAL_LOST" => (
            "Nothing: a service is starting or stopping. If it lasts, its /readyz says what is \
             missing.",
            NO_COMMAND,
        ),
        "ISSUER_BUSY" => (
            "Nothing, it is tried again by itself. If it lasts, raise --issues-in-flight-max of the \
             token-issuer, or lower --in-flight-max of the scheduler.",
            NO_COMMAND,
        ),
        "RENEWALS_IN_FLIGHT_MAX" => (
            "Nothing, it is tried again by itself. If it lasts, raise --renewals-in-flight-max of the \
             secret-writer, or lower --in-flight-max of the scheduler.",
            NO_COMMAND,
        ),
        _ => return None,
    })
}

/// What is not the failure of anything.
pub(super) fn of_situation(code: &str) -> Option<Row> {
    Some(match code {
        "TURN_TOO_LATE" => (
            "See why it is served so slowly (docs/limits.md): the shoot or the seed answers badly, or \
             the limits of the scheduler are too low for what is due.",
            NO_COMMAND,
        ),
        "LIMIT_REACHED" => (
            "Nothing, its turn comes. If it lasts, raise --in-flight-max or --in-flight-per-shoot-max \
             of the scheduler.",
            NO_COMMAND,
        ),
        "ACCOUNT_TERMINATING" => (
            "Let whoever set the finalizer of the ServiceAccount in the shoot finish, or remove the \
             finalizer; it is made anew at once.",
            NO_COMMAND,
        ),
        "REPAIRED_AGAIN" => (
            "Find who else writes it: another Secret that names the same ServiceAccount with other \
             labels, or a controller in the shoot.",
            NO_COMMAND,
        ),
        "CLOCKS_APART" => (
            "Set the clocks right (NTP) on the machines of the shoot's API server and of the seed.",
            NO_COMMAND,
        ),
        "SIGNING_KEY_WITHDRAWN" => {
            ("If the shoot refuses it, renew it now.", "perennial renew {secret}")
        }
        _ => return None,
    })
}
