//! Kubeconfigs, in JSON and in the block style of YAML, with what people and programs add to one.

use fastrand::Rng;
use serde_json::{Value, json};

/// Scalars that a parser and a printer of YAML like to change.
const ODD: [&str; 12] = [
    "0123",
    "yes",
    "'no'",
    "1e3",
    "~",
    "\"\\u00e4 \\\" \\n\"",
    "2001-12-14",
    "0x1F",
    "ü😀",
    "'it''s'",
    "[1, {a: b}]",
    "!x y",
];
const COMMENTS: [&str; 6] = ["", "", "\n", "# token: x\n", "# ü: {\n", "#\n\n"];

/// What our user has beside its name, in a kubeconfig that takes a token.
const USERS: [&str; 10] = [
    "user: {}",
    "user:",
    "user: null",
    "user: {token: old}",
    "user: {\"token\": \"\"}",
    "user:\n    token: old # ours",
    "user:\n    token: ''\n    as: yes",
    "user:\n    as: 0123",
    "user: {as: x, client-key-data: a}",
    "other: 1",
];

/// What makes one wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    NoCurrent,
    EmptyCurrent,
    CurrentList,
    UnknownContext,
    TwoContexts,
    NoUserNamed,
    UnknownUser,
    TwoUsers,
    UserText,
    UserAlias,
    TokenMapping,
    TokenTwice,
    MergeKey,
    UsersText,
}

const FAULTS: [Fault; 14] = [
    Fault::NoCurrent,
    Fault::EmptyCurrent,
    Fault::CurrentList,
    Fault::UnknownContext,
    Fault::TwoContexts,
    Fault::NoUserNamed,
    Fault::UnknownUser,
    Fault::TwoUsers,
    Fault::UserText,
    Fault::UserAlias,
    Fault::TokenMapping,
    Fault::TokenTwice,
    Fault::MergeKey,
    Fault::UsersText,
];

/// One that takes a token and a CA.
pub(super) fn right(rng: &mut Rng) -> String {
    if rng.u8(..3) == 0 { in_json(rng) } else { in_blocks(rng, None) }
}

/// One that does not.
pub(super) fn bad(rng: &mut Rng) -> Vec<u8> {
    let good = right(rng);
    match rng.u8(..10) {
        0 => {
            let mut bytes = good.into_bytes();
            let at = rng.usize(..=bytes.len());
            bytes.insert(at, 0xff);
            bytes
        }
        1 => format!("{good}\n---\n{good}").into_bytes(),
        2 => format!("{good}\n]}}").into_bytes(),
        3 => ["[", "- ", "{a: ", "? "][rng.usize(..4)].repeat(rng.usize(200..20_000)).into_bytes(),
        4 => ["", "# nothing\n", "a text", "- a\n- b\n", "~", "{}", "42", "\n\n"][rng.usize(..8)]
            .into(),
        _ => {
            let fault = FAULTS[rng.usize(..FAULTS.len())];
            in_blocks(rng, Some(fault)).into_bytes()
        }
    }
}

/// A name in double quotes.
fn name(rng: &mut Rng) -> String {
    let length = rng.usize(1..12);
    let text: String = (0..length)
        .map(|_| ['a', 'b', '0', '-', ' ', ':', '"', 'ä', '#'][rng.usize(..9)])
        .collect();
    Value::from(text).to_string()
}

fn in_json(rng: &mut Rng) -> String {
    let unquoted = |text: String| serde_json::from_str::<Value>(&text).expect("a quoted name");
    let [context, cluster, user] = [(); 3].map(|()| unquoted(name(rng)));
    let mut ours = json!({"name": user, "user": {"token": "old", "as": null}});
    if rng.bool() {
        ours["user"] = json!({});
    }
    let whole = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": context, "preferences": {"x": [1.50]},
        "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
        "clusters": [{"name": cluster, "cluster": {"server": "https://shoot.example"}}],
        "users": [{"name": "\u{1}", "user": {"token": "theirs"}}, ours],
    });
    match rng.bool() {
        true => whole.to_string(),
        false => serde_json::to_string_pretty(&whole).expect("texts always serialize"),
    }
}

fn in_blocks(rng: &mut Rng, fault: Option<Fault>) -> String {
    let [context, cluster, user] = [(); 3].map(|()| name(rng));
    let mut parts = [
        current(&context, fault),
        contexts(rng, [&context, &cluster, &user], fault),
        format!(
            "clusters:\n- cluster: {{server: 'https://shoot.example', odd: {}}}\n  name: {cluster}\n",
            odd(rng)
        ),
        users(rng, &user, fault),
        format!("x-{}: {}\n", rng.u8(..), odd(rng)),
        "apiVersion: v1\nkind: Config\n".to_owned(),
    ];
    rng.shuffle(&mut parts);
    let mut text = String::new();
    for part in parts {
        text.push_str(COMMENTS[rng.usize(..6)]);
        text.push_str(&part);
    }
    if rng.u8(..5) == 0 {
        text = text.replace('\n', "\r\n");
    }
    if rng.u8(..8) == 0 { format!("\u{feff}{text}") } else { text }
}

fn odd(rng: &mut Rng) -> &'static str {
    ODD[rng.usize(..ODD.len())]
}

fn current(context: &str, fault: Option<Fault>) -> String {
    match fault {
        Some(Fault::NoCurrent) => String::new(),
        Some(Fault::EmptyCurrent) => "current-context: ''\n".to_owned(),
        Some(Fault::CurrentList) => format!("current-context: [{context}]\n"),
        Some(Fault::UnknownContext) => "current-context: none of these\n".to_owned(),
        _ => format!("current-context: {context} # now\n"),
    }
}

fn contexts(rng: &mut Rng, names: [&str; 3], fault: Option<Fault>) -> String {
    let [context, cluster, user] = names;
    let named = match fault {
        Some(Fault::NoUserNamed) => format!("{{cluster: {cluster}}}"),
        _ => format!("{{cluster: {cluster}, user: {user}, namespace: {}}}", odd(rng)),
    };
    let entry = format!("- name: {context}\n  context: {named}\n");
    let again = if fault == Some(Fault::TwoContexts) { entry.as_str() } else { "" };
    // A name with a control character is nobody else's.
    format!("contexts:\n{entry}- {{name: \"\\u0001\", context: {{}}}}\n{again}")
}

fn users(rng: &mut Rng, user: &str, fault: Option<Fault>) -> String {
    let ours = match fault {
        Some(Fault::UserText) => "user: no mapping",
        Some(Fault::UserAlias) => "user: *a",
        Some(Fault::TokenMapping) => "user: {token: {a: b}}",
        Some(Fault::TokenTwice) => "user: {token: a, token: b}",
        Some(Fault::MergeKey) => "user: {<<: *a}",
        Some(Fault::UsersText) => return "users: none\n".to_owned(),
        _ => USERS[rng.usize(..USERS.len())],
    };
    let others = [
        "",
        "- name: \"\\u0001\"\n  user: {token: theirs, token: twice}\n",
        "- name: \"\\u0002\"\n  user: &b {token: theirs}\n- name: \"\\u0003\"\n  user: *b\n",
        "- {\"user\": {<<: {a: b}}, \"name\": \"\\u0004\"} # strange\n",
    ][rng.usize(..4)];
    let entry = match fault {
        Some(Fault::UnknownUser) => String::new(),
        _ => format!("- name: {user}\n  {ours}\n"),
    };
    let again = if fault == Some(Fault::TwoUsers) { entry.as_str() } else { "" };
    format!("users:\n- name: \"\\u0005\"\n  user: &a {{token: theirs}}\n{others}{entry}{again}")
}
