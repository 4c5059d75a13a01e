//! The shoot, the way to it, and what the token-issuer refuses to do there.

use super::{NO_COMMAND, Row};

/// The shoot and the way to it.
pub(super) fn of_shoot(code: &str) -> Option<Row> {
    Some(match code {
        "SHOOT_UNKNOWN" | "SHOOT_NOT_KNOWN" => (
            "Make the Secrets by which the shoot is reached in namespace {namespace} (docs/operations, \
             Making a shoot known): shoot-access-token-issuer and, at first, \
             shoot-bootstrap-token-issuer. Where they are there, --shoot-namespace of the token-issuer \
             does not admit that name.",
            NO_COMMAND,
        ),
        "SHOOT_NAMESPACE_NOT_ALLOWED" => (
            "No pattern of --shoot-namespace of the token-issuer admits namespace {namespace}: add one, or \
             move the Secret into the namespace of its shoot.",
            NO_COMMAND,
        ),
        "SHOOT_UNREACHABLE" => (
            "If it says Unauthorized, make {namespace}/shoot-bootstrap-token-issuer anew with a valid \
             credential. Else see whether the API server runs, and whether address and CA in the \
             kubeconfig of {namespace}/shoot-access-token-issuer are right. It heals within seconds, \
             without a restart.",
            NO_COMMAND,
        ),
        "SHOOT_WITHOUT_CREDENTIAL" | "API_SERVER_UNAUTHORIZED" | "CREDENTIAL_UNUSABLE" => (
            "Make Secret {namespace}/shoot-bootstrap-token-issuer anew with a kubeconfig that has a \
             valid credential; it then heals within seconds, without a restart.",
            NO_COMMAND,
        ),
        "API_SERVER_FORBIDDEN" | "OWN_TOKEN_NOT_ALLOWED" | "SHOOT_LACKS_GRANTS" => (
            "Apply deploy/shoot in the shoot.",
            "kubectl --kubeconfig SHOOT_KUBECONFIG apply -f deploy/shoot",
        ),
        "OWN_TOKEN_NOT_TAKEN" => (
            "Ask for audiences that the shoot's API server accepts: --audience of the secret-writer, \
             or the annotation perennial.dev/audiences of this Secret.",
            NO_COMMAND,
        ),
        "API_SERVER_UNREACHABLE" | "API_SERVER_TIMED_OUT" | "ISSUE_TIMED_OUT" => (
            "See whether the shoot's API server runs and is not overloaded, and whether the address \
             in the kubeconfig of {namespace}/shoot-access-token-issuer is right.",
            NO_COMMAND,
        ),
        "SHOOT_BUSY" => (
            "Nothing, it is tried again by itself. If it lasts, raise \
             --issues-in-flight-per-shoot-max of the token-issuer, or see why the shoot is slow.",
            NO_COMMAND,
        ),
        "API_SERVER_THROTTLED" => (
            "Nothing, it is tried again by itself. If it lasts, find who loads the shoot's API server \
             (its metric apiserver_flowcontrol_rejected_requests_total).",
            NO_COMMAND,
        ),
        "NAMESPACE_MISSING" => (
            "Create that namespace in the shoot, or correct the annotation \
             serviceaccount.resources.gardener.cloud/namespace of this Secret.",
            NO_COMMAND,
        ),
        "TARGET_NAMESPACE_MISSING" => (
            "Create that namespace in the shoot, or correct the annotation \
             token-requestor.resources.gardener.cloud/target-secret-namespace of this Secret.",
            NO_COMMAND,
        ),
        "TARGET_NOT_WRITABLE" => (
            "Do in the shoot what the message says, or name another target: annotations \
             token-requestor.resources.gardener.cloud/target-secret-name and …-namespace.",
            NO_COMMAND,
        ),
        "TARGET_CONTENDED" => (
            "Find who writes the target Secret in the shoot without pause (its metadata.managedFields).",
            NO_COMMAND,
        ),
        "API_SERVER_NONSENSE" | "TOKEN_MISMATCH" | "TOKEN_UNFIT" => (
            "See what answers at the shoot's address: a proxy, or an API server with another issuer \
             or webhooks that change tokens? What came back was not used.",
            NO_COMMAND,
        ),
        "API_SERVER_REFUSED" | "API_SERVER_CONFLICT" | "API_SERVER_NOT_FOUND" => (
            "See what the shoot's API server says in the message: an admission webhook or policy \
             there, or an API that it does not serve.",
            NO_COMMAND,
        ),
        _ => return None,
    })
}

/// The token-issuer's own policy.
pub(super) fn of_policy(code: &str) -> Option<Row> {
    Some(match code {
        "POLICY_OWN_ACCOUNT" => (
            "Use another ServiceAccount: only shoot-access-token-issuer may have the token-issuer's \
             own.",
            NO_COMMAND,
        ),
        "POLICY_ACCOUNT_NAMESPACE" => (
            "Use a ServiceAccount of a namespace that the policy of the token-issuer allows, or have \
             whoever runs Perennial allow this one.",
            NO_COMMAND,
        ),
        "POLICY_TARGET_NAMESPACE" => (
            "Use a target in a namespace that the policy of the token-issuer allows, or have whoever \
             runs Perennial allow this one.",
            NO_COMMAND,
        ),
        "POLICY_DENIED_TARGET" => (
            "Use another target, or none: the policy of the token-issuer denies this one.",
            NO_COMMAND,
        ),
        "POLICY_DENIED_ACCOUNT" => (
            "Use another ServiceAccount: the policy of the token-issuer denies this one.",
            NO_COMMAND,
        ),
        "POLICY_LIFETIME" => (
            "Ask for a shorter life.",
            "kubectl -n {namespace} annotate secret {name} --overwrite \
             serviceaccount.resources.gardener.cloud/token-expiration-duration=12h",
        ),
        "POLICY_AUDIENCE" => (
            "Ask for audiences that the policy of the token-issuer allows (annotation \
             perennial.dev/audiences, or --audience of the secret-writer).",
            NO_COMMAND,
        ),
        _ => return None,
    })
}
