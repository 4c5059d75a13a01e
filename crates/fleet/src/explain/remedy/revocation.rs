//! Revocations (contract, section D).

use super::{NO_COMMAND, Row};

/// Generations, and the tokens that are bound to them.
pub(super) fn of_revocation(code: &str) -> Option<Row> {
    Some(match code {
        "TOKEN_NOT_BOUND" => {
            ("Bring all three services to one version, and see their logs.", NO_COMMAND)
        }
        "GENERATIONS_FORBIDDEN" => (
            "Grant the token-issuer what revocable tokens need in the shoot: ClusterRole \
             perennial-token-issuer-generations, in the namespace of the ServiceAccount at least.",
            "kubectl --kubeconfig SHOOT_KUBECONFIG apply -f deploy/shoot",
        ),
        "GENERATION_CONTENDED" => (
            "Nothing, it is tried again by itself. If it lasts, a Secret of the shoot has the name of a \
             generation and lacks the label perennial.dev/purpose=generation, or somebody deletes \
             generations all the time: the message names it.",
            NO_COMMAND,
        ),
        "GENERATION_MISSING" => (
            "Nothing, a token of a new generation is issued first, and older ones go then. If it lasts, \
             see who deletes Secrets perennial-generation-… in the shoot.",
            NO_COMMAND,
        ),
        "OLD_TOKEN_STILL_TAKEN" => (
            "Nothing, it is tried again by itself. If it lasts, see whether a finalizer holds the old \
             Secret perennial-generation-… in the shoot (remove it), or whether something in front of \
             the API server answers for it. Where the token must be refused now, delete its \
             ServiceAccount in the shoot.",
            NO_COMMAND,
        ),
        "REVOKES_BUSY" => {
            ("Nothing, it is tried again by itself: so many are revoked at once.", NO_COMMAND)
        }
        "NOT_REVOCABLE" => (
            "Annotate it; the next token, within seconds, is bound and can be revoked.",
            "kubectl -n {namespace} annotate secret {name} perennial.dev/revocable=true --overwrite",
        ),
        _ => return None,
    })
}
