use super::*;

const NEW: &str = "eyJuZXc.eyJuZXc.c2ln";
const CA: &str = "-----BEGIN CERTIFICATE-----\nbmV3\n-----END CERTIFICATE-----\n";
/// [`CA`] in base64.
const CA_BASE64: &str =
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmJtVjMKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";

/// A kubeconfig as Gardener and kubectl write it, with this for the entry of its user.
fn kubeconfig(user: &str) -> String {
    format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: b2xk\n    \
         server: https://api.shoot.example\n  name: shoot\ncontexts:\n- context:\n    \
         cluster: shoot\n    user: shoot\n  name: shoot\ncurrent-context: shoot\nkind: Config\n\
         preferences: {{}}\nusers:\n{user}"
    )
}

fn put(document: &str) -> Result<String, KubeconfigError> {
    let edited = with_token(document.as_bytes(), &Token::new(NEW.to_owned()), None)?;
    Ok(String::from_utf8(edited).unwrap())
}

fn held(document: &str) -> Result<Option<String>, KubeconfigError> {
    Ok(current_token(document.as_bytes())?.map(|token| token.expose().to_owned()))
}

#[test]
fn b6_the_token_is_replaced_where_it_stands_and_nothing_else() {
    let cases = [
        (
            "- name: shoot\n  user:\n    token: old\n",
            "- name: shoot\n  user:\n    token: \"NEW\"\n",
        ),
        (
            "- name: shoot\n  user:\n    token: \"\"\n",
            "- name: shoot\n  user:\n    token: \"NEW\"\n",
        ),
        ("- name: shoot\n  user:\n    token:\n", "- name: shoot\n  user:\n    token: \"NEW\"\n"),
        (
            "- name: shoot\n  user:\n    token: # none\n",
            "- name: shoot\n  user:\n    token: \"NEW\" # none\n",
        ),
        ("- name: shoot\n  user:\n    token: ~\n", "- name: shoot\n  user:\n    token: \"NEW\"\n"),
        (
            "- name: shoot\n  user:\n    token: 'o''ld' # ä\n",
            "- name: shoot\n  user:\n    token: \"NEW\" # ä\n",
        ),
        (
            "- name: shoot\n  user:\n    token:   old   # x\n",
            "- name: shoot\n  user:\n    token:   \"NEW\"   # x\n",
        ),
        (
            "- name: shoot\n  user:\n    token:\n      # x\n      old\n",
            "- name: shoot\n  user:\n    token:\n      # x\n      \"NEW\"\n",
        ),
        (
            "- name: shoot\n  user:\n    token: o\n      ld\n",
            "- name: shoot\n  user:\n    token: \"NEW\"\n",
        ),
        (
            "- name: shoot\n  user:\n    token: |\n      old\n\n    a: 0123\n",
            "- name: shoot\n  user:\n    token: \"NEW\"\n\n    a: 0123\n",
        ),
        (
            "- name: shoot\n  user:\n    token: >-\n      ol\n      d",
            "- name: shoot\n  user:\n    token: \"NEW\"",
        ),
        (
            "- user: {token: old, tokenFile: /x}\n  name: shoot\n",
            "- user: {token: \"NEW\", tokenFile: /x}\n  name: shoot\n",
        ),
        (
            "- {\"user\":{\"token\":},\"name\":\"shoot\"}\n",
            "- {\"user\":{\"token\": \"NEW\"},\"name\":\"shoot\"}\n",
        ),
        (
            "- name: shoot\n  user:\n    ? token\n    : old\n",
            "- name: shoot\n  user:\n    ? token\n    : \"NEW\"\n",
        ),
        (
            "- name: \"sh\\u006fot\"\n  user:\n    'token': old\n",
            "- name: \"sh\\u006fot\"\n  user:\n    'token': \"NEW\"\n",
        ),
    ];
    for (before, after) in cases {
        let after = kubeconfig(&after.replace("NEW", NEW));
        assert_eq!(put(&kubeconfig(before)).as_deref(), Ok(after.as_str()), "{before}");
    }
}

#[test]
fn b6_a_token_is_added_where_there_is_none() {
    let cases = [
        ("- name: shoot\n  user: {}\n", "- name: shoot\n  user: {\"token\": \"NEW\"}\n"),
        ("- name: shoot\n  user:\n", "- name: shoot\n  user: {\"token\": \"NEW\"}\n"),
        (
            "- name: shoot\n  user:   # none\n",
            "- name: shoot\n  user: {\"token\": \"NEW\"}   # none\n",
        ),
        ("- name: shoot\n  user: null\n", "- name: shoot\n  user: {\"token\": \"NEW\"}\n"),
        ("- name: shoot\n", "- user: {\"token\": \"NEW\"}\n  name: shoot\n"),
        (
            "-\n  # who\n  name: shoot\n",
            "-\n  user: {\"token\": \"NEW\"}\n  # who\n  name: shoot\n",
        ),
        ("- {name: shoot}\n", "- {\"user\": {\"token\": \"NEW\"}, name: shoot}\n"),
        (
            "- name: shoot\n  user: {as: yes}\n",
            "- name: shoot\n  user: {\"token\": \"NEW\", as: yes}\n",
        ),
        (
            "- name: shoot\n  user: { # x\n  }\n",
            "- name: shoot\n  user: {\"token\": \"NEW\" # x\n  }\n",
        ),
        (
            "- name: shoot\n  user: # its\n\n      # of whom\n      # and since\n      as: 0o7\n",
            "- name: shoot\n  user: # its\n\n      token: \"NEW\"\n      # of whom\n      # and since\n      as: 0o7\n",
        ),
        (
            "- user:\n    as: x\n    extra: |+\n      a\n\n  name: shoot\n",
            "- user:\n    token: \"NEW\"\n    as: x\n    extra: |+\n      a\n\n  name: shoot\n",
        ),
    ];
    for (before, after) in cases {
        let after = kubeconfig(&after.replace("NEW", NEW));
        assert_eq!(put(&kubeconfig(before)).as_deref(), Ok(after.as_str()), "{before}");
        assert_eq!(held(&kubeconfig(before)), Ok(None), "{before}");
    }
}

#[test]
fn b6_json_line_ends_and_wide_characters_stay_as_they_are() {
    let json = |user: &str| {
        format!(
            "{{\n\t\"current-context\": \"ä\", \"contexts\": [{{\"name\": \"ä\", \"context\": \
             {{\"user\": \"\\u00e4\", \"cluster\": \"c\"}}}}],\n\t\"users\": [{{\"name\": \"ä\", \
             \"user\": {user}}}]\n}}\n"
        )
    };
    let quoted = format!("{{\"token\": \"{NEW}\"}}");
    assert_eq!(put(&json("{}")), Ok(json(&quoted)));
    assert_eq!(put(&json("{\"token\": null}")), Ok(json(&quoted)));
    assert_eq!(put(&json(&format!("{{\"token\": \"{}\"}}", "x".repeat(9_000)))), Ok(json(&quoted)));
    let lines = json(&format!("{{\n\t\t\"token\": \"{NEW}\",\n\t\t\"as\": \"x\"\n\t}}"));
    assert_eq!(put(&json("{\n\t\t\"as\": \"x\"\n\t}")), Ok(lines));

    let mixed = |user: &str| format!("\u{feff}# 😀 ü\n{}", kubeconfig(user)).replace('\n', "\r\n");
    let block = mixed(&format!("- name: shoot\n  user:\n    token: \"{NEW}\"\n    as: ü\n"));
    assert_eq!(
        put(&mixed("- name: shoot\n  user:\n    token: alt\n    as: ü\n")).as_ref(),
        Ok(&block)
    );
    assert_eq!(put(&mixed("- name: shoot\n  user:\n    as: ü\n")), Ok(block));
}

#[test]
fn b6_of_several_users_only_that_of_the_current_context_changes() {
    let others =
        "- name: a\n  user: &a\n    token: mine\n- name: b\n  user: *a\n- <<: {}\n  name: c\n-\n";
    let edited = put(&kubeconfig(&format!("{others}- name: shoot\n  user:\n    token: old\n")));
    let expected = format!("{others}- name: shoot\n  user:\n    token: \"{NEW}\"\n");
    assert_eq!(edited, Ok(kubeconfig(&expected)));
}

#[test]
fn b6_the_ca_changes_only_when_it_is_given_and_differs() {
    let document = kubeconfig("- name: shoot\n  user:\n    token: old\n");
    let (token, ca) = (Token::new(NEW.to_owned()), Some(CA.as_bytes()));
    let once = with_token(document.as_bytes(), &token, ca).unwrap();
    let expected = document.replace("b2xk", &format!("\"{CA_BASE64}\""));
    assert_eq!(String::from_utf8_lossy(&once), expected.replace("old", &format!("\"{NEW}\"")));
    assert_eq!(with_token(&once, &token, ca).as_ref(), Ok(&once), "nothing had to change");

    // The same CA and token in other spellings are left alone.
    let folded = format!("|\n      {}\n      {}", &CA_BASE64[..20], &CA_BASE64[20..]);
    let other = document.replace("b2xk", &folded).replace("old", NEW);
    assert_eq!(with_token(other.as_bytes(), &token, ca), Ok(other.clone().into_bytes()));
    assert_eq!(check_ca_place(other.as_bytes()), Ok(()));

    let absent = document.replace("    certificate-authority-data: b2xk\n", "");
    let added = with_token(absent.as_bytes(), &token, ca).unwrap();
    assert_eq!(added, once, "it is added before the other keys");
    let lost = document.replace("    cluster: shoot\n", "");
    let missing =
        KubeconfigError::Missing { part: Part::Context("shoot".to_owned()), key: "cluster" };
    assert_eq!(check_ca_place(lost.as_bytes()), Err(missing.clone()));
    assert_eq!(with_token(lost.as_bytes(), &token, ca), Err(missing));
    assert!(with_token(lost.as_bytes(), &token, None).is_ok(), "only the user matters then");
    let refused = with_token(document.as_bytes(), &token, Some(b"nonsense"));
    assert_eq!(refused, Err(KubeconfigError::CaText));
}

#[test]
fn what_could_mean_two_things_is_refused_before_and_when_it_is_written() {
    let user = || Part::User("shoot".to_owned());
    let good = kubeconfig("- name: shoot\n  user:\n    token: old\n");
    let line = 16; // of the first line under `users:`
    let shared = |line| KubeconfigError::Shared { part: user(), line };
    let indirect = |part, line| KubeconfigError::Indirect { part, line };
    let duplicate = KubeconfigError::DuplicateKey { part: user(), key: "token" };
    let form = |line| KubeconfigError::Form { part: user(), key: "token", line };
    let cases = [
        (
            kubeconfig("- name: shoot\n  user: &u\n    token: old\n- name: b\n  user: *u\n"),
            shared(line + 2),
        ),
        (
            kubeconfig("- &u\n  name: shoot\n  user: {}\n- name: b\n  user: {a: *u}\n"),
            shared(line + 1),
        ),
        (kubeconfig("- name: shoot\n  user:\n    token: &t old\n    a: *t\n"), shared(line + 2)),
        (kubeconfig("- name: shoot\n  user:\n    token: &t old\n"), shared(line + 2)),
        (kubeconfig("- name: shoot\n  user: &t\n"), shared(line + 1)),
        (
            kubeconfig("- name: a\n  user: &u {token: x}\n- name: shoot\n  user: *u\n"),
            indirect(user(), line + 3),
        ),
        (
            kubeconfig("- name: a\n  user: &u {a: b}\n- name: shoot\n  user:\n    <<: *u\n"),
            indirect(user(), line + 4),
        ),
        (
            kubeconfig("- name: a\n  x: &t x\n- name: shoot\n  user: {token: *t}\n"),
            indirect(user(), line + 3),
        ),
        (
            kubeconfig("- name: a\n  x: &t token\n- name: shoot\n  user: {*t : old}\n"),
            indirect(user(), line + 3),
        ),
        (kubeconfig("- name: shoot\n  user: {token: !!binary eA==}\n"), indirect(user(), line + 1)),
        (kubeconfig("- name: shoot\n  user: {? [a] : b}\n"), indirect(user(), line + 1)),
        (kubeconfig("- <<: {name: shoot}\n- name: shoot\n"), indirect(Part::Document, line)),
        (kubeconfig("- &a {name: shoot}\n- *a\n"), indirect(Part::Document, line + 1)),
        (kubeconfig("- name: shoot\n  user:\n    token: a\n    token: b\n"), duplicate.clone()),
        (kubeconfig("- name: shoot\n  user: {token: a, \"t\\u006fken\": b}\n"), duplicate),
        (kubeconfig("- name: shoot\n- name: shoot\n"), KubeconfigError::Ambiguous { part: user() }),
        (kubeconfig("- name: b\n"), KubeconfigError::Unknown { part: user() }),
        (kubeconfig(""), KubeconfigError::Unknown { part: user() }),
        (kubeconfig("- name: shoot\n  user: {token}\n"), form(line + 1)),
        (kubeconfig("- name: shoot\n  user:\n    token: | # x\n      old\n"), form(line + 2)),
        (kubeconfig("- name: shoot\n  user:\n    ? token\n"), form(line + 2)),
        (format!("{good}---\n"), KubeconfigError::SeveralDocuments),
        (
            format!("{good}users: []\n"),
            KubeconfigError::DuplicateKey { part: Part::Document, key: "users" },
        ),
        (
            good.replace("current-context: shoot", "current-context: \"\""),
            KubeconfigError::Missing { part: Part::Document, key: "current-context" },
        ),
        (
            good.replace("    user: shoot\n", ""),
            KubeconfigError::Missing { part: Part::Context("shoot".to_owned()), key: "user" },
        ),
        (String::new(), KubeconfigError::Empty),
        ("# nothing\n".to_owned(), KubeconfigError::Empty),
        (
            "- a\n".to_owned(),
            KubeconfigError::Type {
                part: Part::Document,
                key: "current-context",
                expected: "a mapping",
            },
        ),
        (
            kubeconfig("- name: shoot\n  user: [a]\n"),
            KubeconfigError::Type { part: user(), key: "user", expected: "a mapping" },
        ),
        (
            kubeconfig("- name: shoot\n  user: {token: [a]}\n"),
            KubeconfigError::Type { part: user(), key: "token", expected: "a text" },
        ),
    ];
    for (document, error) in cases {
        assert_eq!(put(&document), Err(error.clone()), "{document}");
        assert_eq!(held(&document), Err(error), "no token is issued in vain: {document}");
    }
}

#[test]
fn an_edit_that_cannot_be_proved_is_refused() {
    // The new entry would take the anchor of the key, or stand behind its question mark.
    for user in ["{&k as: x}", "\n    ? as\n    : x"] {
        let document = kubeconfig(&format!("- name: shoot\n  user: {user}\n"));
        assert_eq!(put(&document), Err(KubeconfigError::Unedited));
        assert_eq!(held(&document), Err(KubeconfigError::Unedited));
    }
}

#[test]
fn b10_a_document_is_bounded_in_bytes_nodes_and_depth() {
    let large = format!("a: {}", "x".repeat(1 << 20));
    assert_eq!(held(&large), Err(KubeconfigError::TooLarge));
    assert_eq!(held(&format!("[{}]", "a,".repeat(60_000))), Err(KubeconfigError::TooLarge));
    assert_eq!(held(&"[".repeat(10_000)), Err(KubeconfigError::TooDeep { line: 1 }));
    assert_eq!(held(&"- ".repeat(10_000)), Err(KubeconfigError::TooDeep { line: 1 }));
    assert_eq!(current_token(b"a: \xff").unwrap_err(), KubeconfigError::NotUtf8);
}

#[test]
fn b10_no_message_repeats_a_value_of_the_document() {
    let document = kubeconfig("- name: shoot\n  user: {token: s3cr3t: s3cr3t, }}\n");
    let error = held(&document).unwrap_err();
    assert_eq!(error, KubeconfigError::NotYaml { line: 17, column: 23 });
    assert_eq!(error.to_string(), "it is not YAML at line 17, column 23; correct it there");

    let name = format!("a\nb{}", "c".repeat(100));
    let part = Kind::User.part(&name);
    let shown = KubeconfigError::Unknown { part }.to_string();
    assert!(shown.starts_with("user \"a\u{fffd}bccc") && shown.len() < 180, "{shown}");
}

#[test]
fn a_text_that_is_no_token_is_not_written() {
    let document = kubeconfig("- name: shoot\n  user: {}\n");
    for text in ["", "a\nb", "a b", "ä"] {
        let refused = with_token(document.as_bytes(), &Token::new(text.to_owned()), None);
        assert_eq!(refused, Err(KubeconfigError::TokenText));
    }
}
