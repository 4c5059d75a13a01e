use proptest::prelude::*;

use super::{tree::Value, *};

const NEW: &str = "eyJuZXc.eyJuZXc.c2ln";

/// Scalars that a parser and a printer of YAML like to change.
fn odd_scalar() -> impl Strategy<Value = String> {
    let odd = [
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
        "{}",
        "\"# no comment\"",
        "a#b",
        "!x y",
        "-1.50",
        "&free z",
    ];
    prop::sample::select(odd.to_vec()).prop_map(str::to_owned)
}

/// How the token stands, or does not, among the keys of its user.
fn token_entry() -> impl Strategy<Value = Option<String>> {
    let values = ["old", "\"\"", "'old'", "", "null", "\"o\\\n      ld\"", "ol\n      d"];
    let value = prop::sample::select(values.to_vec());
    let key = prop::sample::select(vec!["token", "\"token\"", "'token'"]);
    prop::option::of((key, value).prop_map(|(key, value)| format!("{key}: {value}")))
}

fn comment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "", "# token: x\n", "\n", "  # ü: {\n"])
}

/// The user of the current context and another, in block or flow style.
fn users() -> impl Strategy<Value = String> {
    let extra = prop::collection::vec(odd_scalar(), 0..4);
    let shape = (any::<bool>(), any::<bool>(), any::<prop::sample::Index>());
    (token_entry(), extra, shape, comment()).prop_map(|(token, extra, shape, comment)| {
        let (flow, name_first, at) = shape;
        let mut entries: Vec<String> =
            extra.iter().enumerate().map(|(n, value)| format!("x{n}: {value}")).collect();
        if let Some(token) = token {
            entries.insert(at.index(entries.len() + 1), token);
        }
        let user = if flow {
            format!("user: {{{}}}", entries.join(", "))
        } else {
            let lines = entries.iter().map(|entry| format!("\n    {entry}"));
            format!("user:{}", lines.collect::<String>())
        };
        let lines = if name_first { ["name: u", &user] } else { [&user, "name: u"] };
        format!(
            "users:\n{comment}- {}\n{comment}  {}\n- {{name: v, user: {{token: theirs}}}}\n",
            lines[0], lines[1]
        )
    })
}

/// A whole kubeconfig with its parts in any order.
fn document() -> impl Strategy<Value = String> {
    let contexts = "contexts:\n  - context: {user: u, cluster: c}\n    name: x\n".to_owned();
    let parts = (users(), odd_scalar(), comment()).prop_map(move |(users, odd, comment)| {
        let clusters = format!("clusters:\n- name: c\n  cluster: {{server: {odd}}}\n");
        vec![
            users,
            contexts.clone(),
            clusters,
            format!("{comment}current-context: \"x\" # token: no\n"),
            format!("extensions: {odd}\n"),
        ]
    });
    (parts.prop_shuffle(), any::<bool>()).prop_map(|(parts, crlf)| {
        let text = parts.concat();
        if crlf { text.replace('\n', "\r\n") } else { text }
    })
}

/// The tree without the token of user `u`, and without a user that has nothing else.
fn without_token(document: &[u8]) -> Vec<(String, Vec<u8>)> {
    fn walk(node: &tree::Node<'_>, path: &str, out: &mut Vec<(String, Vec<u8>)>) {
        match &node.value {
            Value::Scalar(text, style) => {
                out.push((
                    path.to_owned(),
                    format!("{text} {style:?} {:?}", node.tag).into_bytes(),
                ));
            }
            Value::List(_, items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &format!("{path}[{index}]"), out);
                }
            }
            Value::Mapping(_, entries) => {
                for (key, value) in entries {
                    let Value::Scalar(key, _) = &key.value else { panic!("keys are scalars") };
                    walk(value, &format!("{path}.{key}"), out);
                }
            }
            Value::Alias(anchor) => out.push((path.to_owned(), vec![*anchor as u8])),
        }
    }
    let tree = Tree::parse(document).unwrap();
    let mut out = Vec::new();
    walk(&tree.root, "", &mut out);
    out.retain(|(path, _)| !matches!(path.as_str(), ".users[0].user.token" | ".users[0].user"));
    out
}

/// What two texts have in common at their front and at their back, together.
fn common_bytes(one: &[u8], other: &[u8]) -> usize {
    let same = |(a, b): &(&u8, &u8)| a == b;
    let front = one.iter().zip(other).take_while(same).count();
    let back = one[front..].iter().rev().zip(other[front..].iter().rev()).take_while(same).count();
    front + back
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn b6_a_token_goes_in_and_everything_else_stays(document in document()) {
        let before = document.as_bytes();
        let token = Token::new(NEW.to_owned());
        current_token(before).unwrap();
        let after = with_token(before, &token, None).unwrap();
        let held = current_token(&after).unwrap();
        prop_assert_eq!(held.as_ref().map(Token::expose), Some(NEW));
        prop_assert_eq!(without_token(&after), without_token(before));
        // One place was touched: all bytes but the old value are still there.
        prop_assert!(common_bytes(before, &after) + 20 >= before.len(), "{}", document);
        prop_assert_eq!(with_token(&after, &token, None).unwrap(), after, "twice is once");
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = current_token(&bytes);
        let _ = connection(&bytes);
    }

    #[test]
    fn b10_damaged_kubeconfigs_never_panic_nor_go_wrong(
        document in document(),
        at in any::<prop::sample::Index>(),
        patch in "[\\[\\]{},:&*#?|>!%@'\"\\-\n\r\t <~ätoken]{0,4}",
        drop in 0_usize..6,
    ) {
        let mut chars: Vec<char> = document.chars().collect();
        let start = at.index(chars.len());
        let end = (start + drop).min(chars.len());
        chars.splice(start..end, patch.chars());
        let damaged: String = chars.into_iter().collect();
        let token = Token::new(NEW.to_owned());
        let before = current_token(damaged.as_bytes()).map(|_| ());
        let after = with_token(damaged.as_bytes(), &token, None);
        prop_assert_eq!(before, after.as_ref().map(|_| ()).map_err(Clone::clone), "said early");
        if let Ok(after) = after {
            let held = current_token(&after).unwrap();
            prop_assert_eq!(held.as_ref().map(Token::expose), Some(NEW));
        }
        let _ = connection(damaged.as_bytes());
    }
}
