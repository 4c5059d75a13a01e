//! What to do about each kind of failure: one table over the stable names that the services give
//! (`google.rpc.ErrorInfo.reason`) and those that only an explanation has.
//!
//! A remedy is for a person at night: what to do, with the command where one line is enough. Names
//! of the two Secrets that lead to a shoot are their defaults.

use perennial_core::{keys, name::SecretRef};

use self::{
    outage::of_outage,
    revocation::of_revocation,
    secret::{of_secret, of_seed},
    services::{of_services, of_situation},
    shoot::{of_policy, of_shoot},
};
use super::Tried;

mod outage;
mod revocation;
mod secret;
mod services;
mod shoot;

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
    let tables = [of_secret, of_shoot, of_policy, of_seed, of_services, of_situation];
    let known = tables.into_iter().chain([of_revocation, of_outage]);
    known
        .into_iter()
        .find_map(|table: fn(&str) -> Option<Row>| table(code))
        .map(|row| fill(row, secret))
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
        keys::INJECT_CA | keys::REVOCABLE => "true",
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
