use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::places::{Spared, Swept};
use super::{Sweep, What};

/// As an API server makes them, but for the random bytes of its signature.
fn token() -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({"alg": "RS256", "kid": "Cc5X3gTZLQ"}));
    let claims =
        part(json!({"iss": "https://shoot", "sub": "system:serviceaccount:a:b", "exp": 9}));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(noise(7, 256)))
}

fn noise(seed: u32, length: usize) -> Vec<u8> {
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((*state >> 24) as u8)
    };
    std::iter::repeat_n((), length).scan(seed, |state, ()| next(state)).collect()
}

fn signature() -> String {
    token().rsplit('.').next().unwrap().to_owned()
}

/// The forms in which a token gets out, each as somebody would log it.
fn forms() -> Vec<(&'static str, String)> {
    let token = token();
    let kubeconfig = format!("users:\n- name: a\n  user:\n    token: {token}\n");
    let secret = json!({"data": {"kubeconfig": STANDARD.encode(&kubeconfig)}}).to_string();
    let wrapped: Vec<&str> =
        token.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    vec![
        ("a line", format!("INFO renewed token={token} secret=a/b\n")),
        ("glued to a word", format!("token{token}")),
        ("a header", format!("authorization: Bearer {token}\r\n")),
        ("JSON", json!({"status": {"token": token}}).to_string()),
        ("JSON in JSON", json!(json!({"token": token}).to_string()).to_string()),
        ("escaped", token.replace('.', "\\u002e")),
        ("in a URL", format!("/login?t={}&x=1", token.replace('.', "%2E"))),
        ("over lines", wrapped.join("\n")),
        ("over lines of a string", wrapped.join("\\n    ")),
        ("over strings", json!(wrapped).to_string()),
        ("over pretty strings", serde_json::to_string_pretty(&wrapped).unwrap()),
        ("Secret data", json!({"data": {"token": STANDARD.encode(&token)}}).to_string()),
        ("kubeconfig", kubeconfig),
        ("kubeconfig in a Secret", secret.clone()),
        ("a Secret in an annotation", json!({"last-applied": secret}).to_string()),
        ("a Secret, once more", STANDARD.encode(&secret)),
        ("bytes", format!("{:?}", token.as_bytes())),
        ("pretty bytes", format!("{:#?}", token.as_bytes())),
        ("Debug", format!("Some({token:?})")),
    ]
}

#[test]
fn a_token_that_nobody_knew_of_is_found_in_every_form() {
    for (form, text) in forms() {
        let findings = Sweep::default().look(text.as_bytes(), "log");
        assert!(findings.iter().any(|found| found.what == What::Jwt), "{form}: {text}");
        let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(!told.concat().contains("eyJ"), "a finding does not repeat it: {told:?}");
    }
}

#[test]
fn pieces_of_a_known_token_are_found_in_every_form() {
    let sweep = Sweep::new([token()]);
    let signature = signature();
    let piece = &signature[100..130];
    for (form, text) in [
        ("whole", signature.clone()),
        ("a piece", format!("…{piece}…")),
        ("the shortest piece", signature[7..31].to_owned()),
        ("encoded", STANDARD.encode(format!("x{piece}"))),
        ("encoded, shifted", format!("data{}", STANDARD.encode(piece))),
        ("bytes", format!("{:?}", piece.as_bytes())),
        ("over strings", json!([&piece[..15], &piece[15..]]).to_string()),
        ("over lines", format!("{}\n{}", &piece[..15], &piece[15..])),
    ] {
        let found = sweep.look(text.as_bytes(), "log");
        assert!(found.iter().any(|found| found.what == What::Signature), "{form}: {found:?}");
    }
    assert_eq!(sweep.look(&signature.as_bytes()[7..30], "log"), [], "23 characters may be chance");
}

#[test]
fn what_only_looks_like_a_secret_raises_no_alarm() {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let note = json!({"sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "inputs": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
        "iss": "https://shoot", "kid": "Cc5X3gTZLQ", "iat": 1, "exp": 2});
    let certificate = STANDARD.encode(noise(1, 900));
    for text in [
        json!({"metadata": {"annotations": {"perennial.dev/issued": note.to_string()}}})
            .to_string(),
        json!({"keys": [{"kid": "Cc5X3gTZLQ", "n": URL_SAFE_NO_PAD.encode(noise(2, 257))}]})
            .to_string(),
        format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n"),
        format!("clusters: [{{cluster: {{certificate-authority-data: {certificate}}}}}]"),
        format!("{}.{}.{}", part(r#"{"a":1}"#), part(r#"{"b":2}"#), part("no algorithm, no token")),
        format!("{}.{}.", part(r#"{"alg":"none"}"#), part("{}")),
        "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 eyes.anywhere.anything".to_owned(),
        "shoot--lab--1.kube-system.svc.cluster.local".to_owned(),
    ] {
        assert_eq!(Sweep::new([token()]).look(text.as_bytes(), "x"), [], "{text}");
    }
}

#[test]
fn a_finding_names_file_and_line_and_how_it_was_hidden() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("logs")).unwrap();
    fs::create_dir_all(folder.path().join("etcd")).unwrap();
    fs::write(folder.path().join("etcd/db"), token()).unwrap();
    let log = format!("fine\nvalue: {}\n", STANDARD.encode(token()));
    fs::write(folder.path().join("logs/writer.log"), log).unwrap();
    let etcd = Spared { path: "etcd", why: "a test" };

    let mut swept = Swept::default();
    swept.folder(&Sweep::new([token()]), folder.path(), &[etcd]).unwrap();

    let told: Vec<String> = swept.findings.iter().map(ToString::to_string).collect();
    let expected = [
        "logs/writer.log, line 2: a JWT (base64)",
        "logs/writer.log, line 2: a piece of a token's signature (base64)",
    ];
    assert_eq!(told, expected);
    assert_eq!(swept.places, 1);
    let gone = Spared { path: "no-such", why: "a test" };
    assert!(swept.folder(&Sweep::default(), folder.path(), &[gone]).is_err());
}

#[test]
fn our_own_process_is_readable() {
    let mut swept = Swept::default();
    let pid = i32::try_from(std::process::id()).unwrap();
    swept.process(&Sweep::default(), pid).unwrap();

    assert_eq!((swept.places, swept.findings), (2, Vec::new()));
    assert!(swept.bytes > 10);
}
