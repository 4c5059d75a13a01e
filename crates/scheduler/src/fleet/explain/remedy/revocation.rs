//! Revocations (contract, section D).

use super::{NO_COMMAND, Row};

/// Generations, and the tokens that are bound to them.
pub(super) fn of_revocation(code: &str) -> Option<Row> {
    Some(match code {
        "TOKEN_NOT_BOUND" => {
            ("Bring all three services to one version, and see their logs.", NO_COMMAND)
        }
        "GENERATIONS_FORBIDDEN" => (
            "Apply deploy/shoot in the shoot: the token-issuer may not make or delete generations              there.",
            "kubectl --kubeconfig SHOOT_KUBECONFIG apply -f deploy/shoot",
        ),
        "GENERATION_CONTENDED" => (
            "Find who makes or deletes Secrets named perennial-generation-… in the shoot, and stop              that; one of them without the label perennial.dev/purpose=generation is none of ours:              delete it.",
            NO_COMMAND,
        ),
        "GENERATION_MISSING" => (
            "Nothing: somebody deleted the generation that is to be kept, and a token of a new one              is issued first.",
            NO_COMMAND,
        ),
        "OLD_TOKEN_STILL_TAKEN" => (
            "See whether something in front of the shoot's API server answers for it, or whether it              authenticates by a webhook that caches. It is tried again by itself. If the token has to              be refused now, delete its ServiceAccount in the shoot.",
            NO_COMMAND,
        ),
        "REVOKES_BUSY" => {
            ("Nothing, it is tried again by itself once other revocations are done.", NO_COMMAND)
        }
        "NOT_REVOCABLE" => (
            "Annotate it; the next token, within seconds, is bound and can be revoked.",
            "kubectl -n {namespace} annotate secret {name} perennial.dev/revocable=true --overwrite",
        ),
        _ => return None,
    })
}
