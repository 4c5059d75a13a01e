use super::*;
use crate::fixtures::SecretBuilder;

fn read(secret: &SecretBuilder) -> Result<Inputs, Invalid> {
    Inputs::read(&secret.annotations, Mode::Token, &Interpretation::default())
}

#[test]
fn a_plain_secret_asks_for_twelve_hours_and_the_api_servers_audiences() {
    let inputs = read(&SecretBuilder::new()).unwrap();
    assert_eq!(inputs.account.to_string(), "kube-system/kube-proxy");
    assert_eq!(inputs.lifetime_seconds, 43_200);
    assert!(inputs.audiences.is_empty());
}

#[test]
fn b10_every_impossible_value_names_its_key_and_a_remedy() {
    let cases = [
        (keys::ACCOUNT_NAME, "", "ANNOTATION_MISSING"),
        (keys::ACCOUNT_NAME, "Kube Proxy", "NAME_INVALID"),
        (keys::ACCOUNT_NAMESPACE, "a/b", "NAME_INVALID"),
        (keys::TOKEN_LIFETIME, "12", "DURATION_INVALID"),
        (keys::TOKEN_LIFETIME, "9m59s", "LIFETIME_OUT_OF_RANGE"),
        (keys::TOKEN_LIFETIME, "1193047h", "LIFETIME_OUT_OF_RANGE"),
        (keys::ACCOUNT_LABELS, "[]", "LABELS_INVALID"),
        (keys::ACCOUNT_LABELS, r#"{"a b":"c"}"#, "LABELS_INVALID"),
        (keys::INJECT_CA, "yes", "BOOL_INVALID"),
        (keys::AUDIENCES, "a,,b", "AUDIENCE_INVALID"),
        (keys::TARGET_NAME, "x", "NOT_SERVED"),
        (keys::REVOCABLE, "true", "NOT_SERVED"),
        (keys::REVOCABLE, "maybe", "NOT_SERVED"),
    ];
    for (key, value, reason) in cases {
        let invalid = read(&SecretBuilder::new().annotated(key, value)).unwrap_err();
        assert_eq!((invalid.key, invalid.reason()), (key, reason), "{value:?}");
        assert!(invalid.to_string().contains(';'), "no remedy in: {invalid}");
    }
}

#[test]
fn an_annotation_that_asks_for_no_revocation_is_no_mistake() {
    for value in ["", "false", "0"] {
        assert!(read(&SecretBuilder::new().annotated(keys::REVOCABLE, value)).is_ok(), "{value:?}");
    }
}

#[test]
fn the_hash_follows_what_decides_the_token_and_nothing_else() {
    let hash = |key, value| read(&SecretBuilder::new().annotated(key, value)).unwrap().hash();
    let plain = read(&SecretBuilder::new()).unwrap().hash();
    for (key, value) in [
        (keys::ACCOUNT_NAME, "other"),
        (keys::ACCOUNT_NAMESPACE, "other"),
        (keys::TOKEN_LIFETIME, "1h"),
        (keys::AUDIENCES, "a,b"),
    ] {
        assert_ne!(hash(key, value), plain, "{key}");
    }
    assert_ne!(hash(keys::AUDIENCES, "a,b"), hash(keys::AUDIENCES, "b,a"));
    assert_eq!(hash(keys::ACCOUNT_LABELS, r#"{"a":"b"}"#), plain);
    assert_eq!(hash("example.com/foreign", "x"), plain);
}

#[test]
fn only_the_class_shoot_is_served_unless_told_otherwise() {
    let mut labels = SecretBuilder::new().labels;
    assert!(Interpretation::default().serves(&labels));
    labels.insert(keys::CLASS.to_owned(), "garden".to_owned());
    assert!(!Interpretation::default().serves(&labels));
    labels.remove(keys::CLASS);
    let any = Interpretation { classes: Classes::Any, ..Interpretation::default() };
    assert!(any.serves(&labels));
    labels.remove(keys::PURPOSE);
    assert!(!any.serves(&labels));
}

#[test]
fn a_long_or_unprintable_value_is_cut_in_the_message() {
    let invalid = read(&SecretBuilder::new().annotated(keys::TOKEN_LIFETIME, &"x\n".repeat(500)))
        .unwrap_err();
    assert!(invalid.to_string().chars().count() < 300);
    assert!(!invalid.to_string().contains('\n'));
}
