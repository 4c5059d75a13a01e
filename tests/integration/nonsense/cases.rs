//! Every key of contract A with values that cannot be granted.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use perennial_core::keys;
use perennial_testing::access_secret::AccessSecret;
use serde_json::{Value, json};

/// A kubeconfig that takes a token.
const GOOD: &str = "current-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n\
    clusters: [{name: c, cluster: {server: 'https://shoot.example'}}]\nusers: [{name: u, user: {}}]\n";

/// A part of more than 63 characters hides nothing that stands behind it.
const LONG_PART: &str = "a-part-that-is-longer-than-the-sixty-three-characters-of-a-label/../../x";

/// One Secret with one mistake.
pub(crate) struct Case {
    /// Of the Secret.
    pub name: String,
    /// What schedule and Event name: the key.
    pub named: &'static str,
    /// `reason` of the Event.
    pub reason: &'static str,
    mistake: Mistake,
}

enum Mistake {
    /// An annotation with this value, `None` without it; and what is right.
    Annotation(Option<&'static str>, Option<&'static str>),
    /// This in the data key `kubeconfig`.
    Kubeconfig(Vec<u8>),
    /// Immutable, and without a token.
    Immutable,
}

impl Case {
    pub(crate) fn immutable(&self) -> bool {
        matches!(self.mistake, Mistake::Immutable)
    }

    pub(crate) fn secret(&self, namespace: &str) -> Value {
        let mut secret = self.right(namespace);
        match &self.mistake {
            Mistake::Annotation(value, _) => annotate(&mut secret, self.named, *value),
            Mistake::Kubeconfig(document) => {
                secret["data"] = json!({"kubeconfig": STANDARD.encode(document)});
            }
            Mistake::Immutable => secret["immutable"] = true.into(),
        }
        secret
    }

    /// Does to the Secret what the Event says; an immutable one must be made anew from
    /// [`Case::right`].
    pub(crate) fn correct(&self, secret: &mut Value) {
        match &self.mistake {
            Mistake::Annotation(_, right) => annotate(secret, self.named, *right),
            Mistake::Kubeconfig(_) => secret["data"]["kubeconfig"] = STANDARD.encode(GOOD).into(),
            Mistake::Immutable => {}
        }
    }

    /// The Secret without the mistake.
    pub(crate) fn right(&self, namespace: &str) -> Value {
        AccessSecret::new(namespace, &self.name, "component").json()
    }
}

fn annotate(secret: &mut Value, key: &str, value: Option<&str>) {
    match (value, secret["metadata"]["annotations"].as_object_mut()) {
        (Some(value), _) => secret["metadata"]["annotations"][key] = value.into(),
        (None, Some(annotations)) => drop(annotations.remove(key)),
        (None, None) => {}
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    accounts(&mut cases);
    durations(&mut cases);
    labels(&mut cases);
    others(&mut cases);
    kubeconfigs(&mut cases);
    push(&mut cases, "immutable", "SecretImmutable", Mistake::Immutable);
    cases
}

fn push(cases: &mut Vec<Case>, named: &'static str, reason: &'static str, mistake: Mistake) {
    let name = format!("shoot-access-wrong-{}", cases.len());
    cases.push(Case { name, named, reason, mistake });
}

fn annotations(
    cases: &mut Vec<Case>,
    key: &'static str,
    right: Option<&'static str>,
    wrong: &[(Option<&'static str>, &'static str)],
) {
    for (value, reason) in wrong {
        push(cases, key, reason, Mistake::Annotation(*value, right));
    }
}

fn accounts(cases: &mut Vec<Case>) {
    let missing = [(None, "AnnotationMissing"), (Some(""), "AnnotationMissing")];
    annotations(cases, keys::ACCOUNT_NAME, Some("component"), &missing);
    let bad = [" ", "No Such Name", "a/b", "../etc", "-a", "ä", "kube-proxy\n", LONG_PART];
    annotations(cases, keys::ACCOUNT_NAME, Some("component"), &bad.map(name_invalid));
    annotations(cases, keys::ACCOUNT_NAMESPACE, Some("kube-system"), &missing);
    let bad = ["Kube-System", "kube.system", "kube_system", "a b", "kube-system/x"];
    annotations(cases, keys::ACCOUNT_NAMESPACE, Some("kube-system"), &bad.map(name_invalid));
}

fn name_invalid(value: &'static str) -> (Option<&'static str>, &'static str) {
    (Some(value), "NameInvalid")
}

fn durations(cases: &mut Vec<Case>) {
    let bad = ["", "soon", "12", "1d", "1h 30m", "1e3s", "99999999999h"];
    let bad = bad.map(|value| (Some(value), "DurationInvalid"));
    annotations(cases, keys::TOKEN_LIFETIME, Some("1h"), &bad);
    let out =
        ["0", "-1h", "1s", "9m59s", "1193047h"].map(|value| (Some(value), "LifetimeOutOfRange"));
    annotations(cases, keys::TOKEN_LIFETIME, None, &out);
}

fn labels(cases: &mut Vec<Case>) {
    let bad = [
        "{",
        "app=x",
        "[1]",
        "null",
        "\"x\"",
        r#"{"a":1}"#,
        r#"{"a":{"b":"c"}}"#,
        r#"{"a b":"c"}"#,
        r#"{"":"x"}"#,
        r#"{"a":"no/slash"}"#,
        r#"{"a/b/c":"x"}"#,
        r#"{"A_/x":"y"}"#,
    ];
    let bad = bad.map(|value| (Some(value), "LabelsInvalid"));
    annotations(cases, keys::ACCOUNT_LABELS, Some(r#"{"app":"x"}"#), &bad);
}

fn others(cases: &mut Vec<Case>) {
    let bad = ["maybe", "yes", "2", " true"].map(|value| (Some(value), "BoolInvalid"));
    annotations(cases, keys::INJECT_CA, Some("true"), &bad);
    let bad =
        ["", ",", "gardener,", "a,,b", "a\u{7}b"].map(|value| (Some(value), "AudienceInvalid"));
    annotations(cases, keys::AUDIENCES, Some("gardener"), &bad);
    let bad = ["perhaps", "yes"].map(|value| (Some(value), "BoolInvalid"));
    annotations(cases, keys::REVOCABLE, Some("false"), &bad);
}

fn kubeconfigs(cases: &mut Vec<Case>) {
    let without = |line: &str| {
        let lines: Vec<_> = GOOD.lines().filter(|held| !held.starts_with(line)).collect();
        lines.join("\n").into_bytes()
    };
    let instead = |part: &str, by: &str| GOOD.replace(part, by).into_bytes();
    let documents = [
        b"".to_vec(),
        b"# nothing\n".to_vec(),
        b"\xff\xfe".to_vec(),
        b"{[}".to_vec(),
        b"just a text".to_vec(),
        b"- a\n- list\n".to_vec(),
        [GOOD, "---\n", GOOD].concat().into_bytes(),
        without("current-context"),
        without("contexts"),
        without("users"),
        instead("current-context: c", "current-context: ''"),
        instead("current-context: c", "current-context: other"),
        instead("current-context: c", "current-context: [c]"),
        instead(", user: u}", "}"),
        instead("name: u,", "name: v,"),
        instead("[{name: u, user: {}}]", "[{name: u, user: {}}, {name: u, user: {}}]"),
        instead("user: {}", "user: {token: {}}"),
        instead("user: {}", "user: {token: a, token: b}"),
        instead("user: {}", "user: {<<: {token: a}}"),
        instead("user: {}", "user: no mapping"),
        "[".repeat(10_000).into_bytes(),
    ];
    for document in documents {
        push(cases, keys::DATA_KUBECONFIG, "KubeconfigInvalid", Mistake::Kubeconfig(document));
    }
}
