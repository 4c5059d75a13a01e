use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use perennial_core::{name::SecretRef, token::Token};

use super::*;

fn jwt(account: &str, issued_at: i64) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = part(json!({
        "iat": issued_at, "exp": issued_at + 36_000, "iss": "https://shoot.example", "aud": ["a"],
        "sub": format!("system:serviceaccount:kube-system:{account}"),
    }));
    format!("{}.{claims}.c2ln", part(json!({"alg": "RS256"})))
}

fn kubeconfig(token: &str) -> String {
    format!(
        "current-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: \"https://shoot.example\"}}}}]\n\
         users:\n- name: u\n  user:\n    token: \"{token}\" # ours\n"
    )
}

fn secret(data: &[(&str, &str)]) -> Secret {
    let data =
        data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
    Secret {
        data: Some(data.collect())
            .filter(|data: &std::collections::BTreeMap<_, _>| !data.is_empty()),
        type_: Some(OPAQUE.to_owned()),
        ..Secret::default()
    }
}

fn delivery(ca_pem: Option<&str>, found: Option<&str>) -> Delivery {
    Delivery {
        target: SecretRef::parse("kube-system", "target").unwrap(),
        token: Token::new(jwt("proxy", 100)),
        ca_pem: ca_pem.map(|pem| pem.as_bytes().to_vec()),
        found: found.map(|token| TokenHash::of(token.as_bytes())),
    }
}

fn outline(operations: &[Operation]) -> Vec<String> {
    operations.iter().map(|operation| format!("{operation:?}")).collect()
}

fn account() -> AccountRef {
    "kube-system/proxy".parse().unwrap()
}

#[test]
fn b7_only_our_keys_are_written_and_each_write_tests_what_was_read() {
    let found = secret(&[("token", "old"), ("bundle.crt", "stale"), ("password", "x")]);
    let with_ca = put(&found, &delivery(Some("PEM"), None)).unwrap();
    let tests = ["test /data/token", "test /data/kubeconfig"];
    assert_eq!(outline(&with_ca)[..2], tests);
    assert_eq!(outline(&with_ca)[2..], ["add /data/token", "add /data/bundle.crt"]);
    let without = put(&found, &delivery(None, None)).unwrap();
    assert_eq!(outline(&without)[2..], ["add /data/token", "remove /data/bundle.crt"]);
    let empty = put(&secret(&[]), &delivery(None, None)).unwrap();
    assert_eq!(outline(&empty), ["test /data", "add /data"]);
}

#[test]
fn b7_a_target_with_a_kubeconfig_gets_the_token_into_it_and_keeps_the_rest() {
    let found = secret(&[("kubeconfig", &kubeconfig("")), ("token", "a stranger's")]);
    let operations = put(&found, &delivery(None, None)).unwrap();
    assert_eq!(outline(&operations)[2..], ["add /data/kubeconfig"]);
    let Operation::Add { value, .. } = &operations[2] else { panic!() };
    let written: ByteString = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(String::from_utf8(written.0).unwrap(), kubeconfig(&jwt("proxy", 100)));
}

#[test]
fn b7_a_secret_that_means_something_to_the_shoot_is_never_written() {
    let of_type = |kind: &str| Secret { type_: Some(kind.to_owned()), ..secret(&[]) };
    for kind in
        ["bootstrap.kubernetes.io/token", "kubernetes.io/service-account-token", "example.com/x"]
    {
        assert_eq!(writable(&of_type(kind), false), Err(Unwritable::Type(kind.to_owned())));
        assert!(put(&of_type(kind), &delivery(None, None)).is_err());
        assert!(refresh(&of_type(kind), None).is_err());
        let left = Left { secret: delivery(None, None).target, sha256: TokenHash::of(b"t") };
        let held = Secret { type_: Some(kind.to_owned()), ..secret(&[("token", "t")]) };
        assert!(leave(&held, &left, &account()).is_empty());
    }
    let immutable = Secret { immutable: Some(true), ..secret(&[]) };
    assert_eq!(writable(&immutable, false), Err(Unwritable::Immutable));
    let broken = secret(&[("kubeconfig", "[")]);
    assert!(matches!(writable(&broken, false), Err(Unwritable::Kubeconfig(_))));
}

#[test]
fn b7_of_two_owners_the_later_token_stays_and_only_what_came_since_we_looked() {
    let delivery = delivery(None, Some("before"));
    let claims = Claims::read(delivery.token.expose().as_bytes()).unwrap();
    let stays = |token: &str| later(&secret(&[("token", token)]), &delivery, &claims).is_some();
    assert!(stays(&jwt("proxy", 101)));
    assert!(!stays(&jwt("proxy", 99)), "an earlier one");
    assert!(!stays(&jwt("other", 101)), "another account's");
    assert!(!stays("garbage") && !stays("before") && !stays(""));
}

#[test]
fn b7_a_former_target_loses_what_was_put_there_and_nothing_else() {
    let token = jwt("proxy", 50);
    let left = |token: &str| Left {
        secret: SecretRef::parse("kube-system", "former").unwrap(),
        sha256: TokenHash::of(token.as_bytes()),
    };
    let found = secret(&[("token", &token), ("bundle.crt", "PEM"), ("password", "x")]);
    let expected = ["remove /data/token", "remove /data/bundle.crt"];
    assert_eq!(outline(&leave(&found, &left(&token), &account()))[2..], expected);
    // Renewed there by a crash between two writes: another token of the same account.
    assert_eq!(outline(&leave(&found, &left("another"), &account()))[2..], expected);
    let strangers = secret(&[("token", &jwt("other", 50)), ("bundle.crt", "PEM")]);
    assert!(leave(&strangers, &left(&token), &account()).is_empty());
    assert!(leave(&secret(&[("bundle.crt", "PEM")]), &left(&token), &account()).is_empty());
}

#[test]
fn b7_a_former_target_in_kubeconfig_mode_keeps_its_document_without_the_token() {
    let token = jwt("proxy", 50);
    let found = secret(&[("kubeconfig", &kubeconfig(&token))]);
    let left = Left {
        secret: SecretRef::parse("kube-system", "former").unwrap(),
        sha256: TokenHash::of(token.as_bytes()),
    };
    let operations = leave(&found, &left, &account());
    let Operation::Add { value, .. } = &operations[2] else { panic!("{operations:?}") };
    let written: ByteString = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(String::from_utf8(written.0).unwrap(), kubeconfig(""));
}

#[test]
fn c_another_ca_is_written_beside_the_token_of_a_target() {
    let found = secret(&[("token", "t"), ("bundle.crt", "old")]);
    assert_eq!(outline(&refresh(&found, Some(b"new")).unwrap())[2..], ["add /data/bundle.crt"]);
    assert_eq!(outline(&refresh(&found, None).unwrap())[2..], ["remove /data/bundle.crt"]);
    assert!(refresh(&found, Some(b"old")).unwrap().is_empty(), "it stands there");
    assert!(refresh(&secret(&[]), Some(b"new")).unwrap().is_empty(), "no token to stand beside");
}
