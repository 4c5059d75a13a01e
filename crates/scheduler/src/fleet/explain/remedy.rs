//! What to do about each kind of failure: one table over the stable names that the services give
//! (`google.rpc.ErrorInfo.reason`) and those that only an explanation has.
//!
//! A remedy is for a person at night: what to do, with the command where one line is enough. Names
//! of the two Secrets that lead to a shoot are their defaults.

use perennial_core::{keys, name::SecretRef};

use super::Tried;

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remedy {
    /// In words.
    pub text: String,
    /// A command line that does it or shows more; may be empty.
    pub command: String,
}

/// Words, and a command or nothing. `{secret}`, `{namespace}` and `{name}` are those of the Secret.
type Row = (&'static str, &'static str);

const NO_COMMAND: &str = "";
/// Never the whole Secret: a token would stand on the screen.
const SHOW_WRITERS: &str = "kubectl -n {namespace} get secret {name} -o \
     jsonpath='{range .metadata.managedFields[*]}{.time} {.manager} {.operation}{\"\\n\"}{end}'";
const SHOW_FINALIZERS: &str =
    "kubectl -n {namespace} get secret {name} -o jsonpath='{.metadata.finalizers}'";
const STATUS: &str = "perennial status";

/// What to do about a failure of that name at that Secret; `None` where nobody has written it down.
#[must_use]
pub fn of(code: &str, secret: &SecretRef) -> Option<Remedy> {
    let known = [of_secret, of_shoot, of_policy, of_seed, of_services, of_situation];
    known.into_iter().find_map(|table| table(code)).map(|row| fill(row, secret))
}

/// What to do about a Secret that asks for something impossible (B10); the message has said which
/// value is right.
#[must_use]
pub(super) fn of_invalid(code: &str, key: &str, secret: &SecretRef) -> Remedy {
    let row = match code {
        "KUBECONFIG_INVALID" => (
            "Correct its data key kubeconfig, or make the Secret anew; it needs a current context \
             with a user.",
            NO_COMMAND,
        ),
        // Which value is right nobody knows here, so there is no command to be pasted.
        "ANNOTATION_MISSING" => {
            ("Set annotation {key}{example}; the Secret is served within seconds.", NO_COMMAND)
        }
        _ => {
            ("Correct annotation {key}{example}; the Secret is served within seconds.", NO_COMMAND)
        }
    };
    let Remedy { text, command } = fill(row, secret);
    let example = example(key).map_or_else(String::new, |value| format!(", such as {value}"));
    let text = text.replace("{key}", key).replace("{example}", &example);
    Remedy { text, command: command.replace("{key}", key) }
}

/// A value that is valid.
fn example(key: &str) -> Option<&'static str> {
    Some(match key {
        keys::ACCOUNT_NAME => "kube-scheduler",
        keys::ACCOUNT_NAMESPACE => "kube-system",
        keys::ACCOUNT_LABELS => "{\"app\":\"x\"}",
        keys::TOKEN_LIFETIME => "12h",
        keys::AUDIENCES => "kubernetes,vault",
        keys::INJECT_CA => "true",
        keys::TARGET_NAME => "kube-proxy-token",
        keys::TARGET_NAMESPACE => "kube-system",
        _ => return None,
    })
}

/// Where only the message and the logs tell.
pub(super) fn unknown(attempts: &[Tried]) -> Remedy {
    let failed = attempts.iter().find(|attempt| attempt.trouble.is_some());
    let which =
        failed.map_or_else(String::new, |attempt| format!(" of attempt {}", attempt.number));
    let text = format!(
        "Do what the message says; the logs of scheduler, secret-writer and token-issuer have more \
         under the request id{which}."
    );
    Remedy { text, command: String::new() }
}

fn fill((text, command): Row, secret: &SecretRef) -> Remedy {
    let fill = |template: &str| {
        template
            .replace("{secret}", &secret.to_string())
            .replace("{namespace}", secret.namespace.as_str())
            .replace("{name}", secret.name.as_str())
    };
    Remedy { text: fill(text), command: fill(command) }
}

/// The Secret itself.
fn of_secret(code: &str) -> Option<Row> {
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

/// The shoot and the way to it.
fn of_shoot(code: &str) -> Option<Row> {
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
fn of_policy(code: &str) -> Option<Row> {
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

/// The API server of the seed, as the secret-writer met it.
fn of_seed(code: &str) -> Option<Row> {
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

/// Our own services and the way between them.
fn of_services(code: &str) -> Option<Row> {
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
        "SWITCH_UNREAD" => (
            "See whether the seed answers the scheduler, and apply deploy/seed; its /readyz says what is \
             missing.",
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
fn of_situation(code: &str) -> Option<Row> {
    Some(match code {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::secret;

    #[test]
    fn a_remedy_names_the_secret_it_is_for() {
        let secret = secret("shoot-1/etcd");
        let shown = of("SECRET_TERMINATING", &secret).unwrap().command;
        let expected = "kubectl -n shoot-1 get secret etcd -o jsonpath='{.metadata.finalizers}'";
        assert_eq!(shown, expected);
    }

    #[test]
    fn no_command_shows_a_token_on_the_screen() {
        for code in ["SECRET_TERMINATING", "SECRET_CONTENDED", "NO_STORM"] {
            let command = of(code, &secret("shoot-1/etcd")).unwrap().command;
            assert!(command.contains("jsonpath='{") && command.contains(".metadata."), "{command}");
            assert!(!command.contains("yaml") && !command.contains(".data"), "{command}");
        }
    }

    #[test]
    fn a_value_that_only_a_person_knows_is_no_command() {
        for (code, text) in [
            ("ANNOTATION_MISSING", "Set annotation perennial.dev/audiences, such as "),
            ("AUDIENCE_INVALID", "Correct annotation perennial.dev/audiences, such as "),
        ] {
            let remedy = of_invalid(code, keys::AUDIENCES, &secret("shoot-1/etcd"));
            assert!(remedy.text.starts_with(text), "{}", remedy.text);
            assert_eq!(remedy.command, "");
        }
    }

    #[test]
    fn what_nobody_wrote_down_is_left_to_the_message() {
        assert_eq!(of("NEWER_THAN_THIS", &secret("shoot-1/etcd")), None);
        assert!(unknown(&[]).text.starts_with("Do what the message says"));
    }
}
