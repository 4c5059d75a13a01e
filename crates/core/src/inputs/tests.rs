use serde::Deserialize;

use super::*;
use crate::fixtures::{SecretBuilder, table};

fn read(secret: &SecretBuilder) -> Result<Inputs, Invalid> {
    Inputs::read(&secret.annotations, Mode::Token, &Interpretation::default())
}

#[test]
fn a_b3_a_plain_secret_asks_for_twelve_hours_and_the_api_servers_audiences() {
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
        (keys::TOKEN_LIFETIME, "", "DURATION_INVALID"),
        (keys::TOKEN_LIFETIME, "-1h", "LIFETIME_OUT_OF_RANGE"),
        (keys::TOKEN_LIFETIME, "9m59s", "LIFETIME_OUT_OF_RANGE"),
        (keys::TOKEN_LIFETIME, "1193047h", "LIFETIME_OUT_OF_RANGE"),
        (keys::ACCOUNT_LABELS, "[]", "LABELS_INVALID"),
        (keys::ACCOUNT_LABELS, r#"{"a b":"c"}"#, "LABELS_INVALID"),
        (keys::INJECT_CA, "yes", "BOOL_INVALID"),
        (keys::AUDIENCES, "a,,b", "AUDIENCE_INVALID"),
        (keys::AUDIENCES, "a,\u{200b},b", "AUDIENCE_INVALID"),
        (keys::REVOCABLE, "maybe", "BOOL_INVALID"),
    ];
    for (key, value, reason) in cases {
        let invalid = read(&SecretBuilder::new().annotated(key, value)).unwrap_err();
        assert_eq!((invalid.key, invalid.reason()), (key, reason), "{value:?}");
        assert!(invalid.to_string().contains(';'), "no remedy in: {invalid}");
    }
}

#[test]
fn d_revocable_is_read_as_go_reads_a_bool_and_takes_another_token() {
    let plain = read(&SecretBuilder::new()).unwrap();
    for (value, revocable) in
        [("", false), ("false", false), ("0", false), ("true", true), ("T", true)]
    {
        let inputs = read(&SecretBuilder::new().annotated(keys::REVOCABLE, value)).unwrap();
        assert_eq!(inputs.revocable, revocable, "{value:?}");
        assert_eq!(inputs.hash() != plain.hash(), revocable, "{value:?}");
    }
}

fn aimed(namespace: &str, name: &str) -> SecretBuilder {
    SecretBuilder::new()
        .annotated(keys::TARGET_NAMESPACE, namespace)
        .annotated(keys::TARGET_NAME, name)
}

#[test]
fn b7_a_target_is_named_by_both_annotations_and_by_one_alone_as_by_none() {
    let target = |secret: &SecretBuilder| read(secret).unwrap().target;
    let both = target(&aimed("kube-system", "proxy.token")).unwrap();
    assert_eq!(both.to_string(), "kube-system/proxy.token");
    for (namespace, name) in [("", "x"), ("kube-system", ""), ("", ""), ("", "A/B")] {
        assert_eq!(target(&aimed(namespace, name)), None, "{namespace:?} {name:?}");
    }
    assert_eq!(target(&SecretBuilder::new().annotated(keys::TARGET_NAME, "x")), None);
}

#[test]
fn b10_a_target_that_no_api_server_would_take_is_refused() {
    for (namespace, name, key) in
        [("kube-system", "../x", keys::TARGET_NAME), ("kube.system", "x", keys::TARGET_NAMESPACE)]
    {
        let invalid = read(&aimed(namespace, name)).unwrap_err();
        assert_eq!((invalid.key, invalid.reason()), (key, "NAME_INVALID"));
    }
}

#[test]
fn b7_the_hash_follows_the_target() {
    let hash = |secret: &SecretBuilder| read(secret).unwrap().hash();
    let plain = hash(&SecretBuilder::new());
    assert_eq!(
        plain.to_string(),
        "218a3dcd019839c593fdacc3f5031f97",
        "that of notes written before"
    );
    assert_eq!(hash(&aimed("", "x")), plain);
    let hashes = [hash(&aimed("a", "b")), hash(&aimed("a", "c")), hash(&aimed("c", "b")), plain];
    let distinct: BTreeSet<_> = hashes.iter().map(InputsHash::to_string).collect();
    assert_eq!(distinct.len(), 4);
}

#[test]
fn c_the_hash_follows_what_decides_the_token_and_nothing_else() {
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
fn a_only_the_class_shoot_is_served_unless_told_otherwise() {
    let mut labels = SecretBuilder::new().labels;
    assert!(Interpretation::default().serves(&labels));
    labels.insert(keys::CLASS.to_owned(), "garden".to_owned());
    assert!(!Interpretation::default().serves(&labels));
    let several = ["garden", "seed"].map(str::to_owned);
    let several =
        Interpretation { classes: Classes::Only(several.into()), ..Interpretation::default() };
    assert!(several.serves(&labels));
    labels.remove(keys::CLASS);
    assert!(!several.serves(&labels));
    let any = Interpretation { classes: Classes::Any, ..Interpretation::default() };
    assert!(any.serves(&labels));
    labels.remove(keys::PURPOSE);
    assert!(!any.serves(&labels));
}

#[test]
fn b10_a_long_or_unprintable_value_is_cut_in_the_message() {
    let invalid = read(&SecretBuilder::new().annotated(keys::TOKEN_LIFETIME, &"x\n".repeat(500)))
        .unwrap_err();
    assert!(invalid.to_string().chars().count() < 300);
    assert!(!invalid.to_string().contains('\n'));
}

#[test]
fn a_where_the_installation_fixes_a_namespace_the_annotation_is_not_asked_for() {
    let fixed = Interpretation {
        account_namespace: Some("fixed".parse().unwrap()),
        ..Interpretation::default()
    };
    for secret in [
        SecretBuilder::new().without(keys::ACCOUNT_NAMESPACE),
        SecretBuilder::new().annotated(keys::ACCOUNT_NAMESPACE, "No Name"),
    ] {
        let inputs = Inputs::read(&secret.annotations, Mode::Token, &fixed).unwrap();
        assert_eq!(inputs.account.to_string(), "fixed/kube-proxy");
    }
}

#[test]
fn a_audiences_of_the_secret_come_before_those_of_the_installation() {
    let set = |audiences: &[&str]| audiences.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
    let installation =
        Interpretation { audiences: set(&["gardener"]).into(), ..Interpretation::default() };
    let read = |secret: SecretBuilder| {
        Inputs::read(&secret.annotations, Mode::Token, &installation).unwrap().audiences
    };
    assert_eq!(*read(SecretBuilder::new()), ["gardener"]);
    let own = SecretBuilder::new().annotated(keys::AUDIENCES, "kubernetes, https://vault.example");
    assert_eq!(*read(own), ["kubernetes", "https://vault.example"]);
}

#[test]
fn b3_a_lifetime_is_cut_to_whole_seconds_as_the_reference_does() {
    let seconds = |text| {
        read(&SecretBuilder::new().annotated(keys::TOKEN_LIFETIME, text)).unwrap().lifetime_seconds
    };
    assert_eq!(seconds("600.9s"), 600);
    assert_eq!(seconds("1193046h28m16s"), 1 << 32);
    assert_eq!(seconds("4294967296.9s"), 1 << 32);
}

/// What Go's JSON and Kubernetes' rules for labels say, see `tests/cluster/spelling`.
#[derive(Deserialize)]
struct Row {
    text: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    good: bool,
}

#[test]
fn a_b10_labels_are_those_that_the_reference_reads_and_the_api_server_takes() {
    for Row { text, labels, good } in table("labels", include_str!("../../testdata/labels.jsonl")) {
        let read = labels::read(&text).ok();
        assert_eq!(read, good.then_some(labels), "{text:?}");
    }
}

#[test]
fn b10_a_null_is_no_label_though_go_takes_it_for_an_empty_one() {
    for text in ["null", r#"{"a":null}"#] {
        assert_eq!(labels::read(text).unwrap_err().reason(), "LABELS_INVALID", "{text}");
    }
}

#[test]
fn b10_labels_and_audiences_are_bounded() {
    let labels = |count: usize| {
        let all: BTreeMap<_, _> = (0..count).map(|n| (format!("l{n}"), "x")).collect();
        serde_json::to_string(&all).unwrap()
    };
    assert!(labels::read(&labels(ACCOUNT_LABELS_MAX)).is_ok());
    let many = labels::read(&labels(ACCOUNT_LABELS_MAX + 1)).unwrap_err();
    assert!(many.to_string().contains("keep at most 256"), "{many}");

    let audiences = |count: usize| vec!["a"; count].join(",");
    assert!(audiences::read(&audiences(AUDIENCES_MAX)).is_ok());
    assert!(audiences::read(&audiences(AUDIENCES_MAX + 1)).is_err());
    assert!(audiences::read(&"a".repeat(AUDIENCE_BYTES_MAX)).is_ok());
    assert!(audiences::read(&"a".repeat(AUDIENCE_BYTES_MAX + 1)).is_err());
}

#[test]
fn b10_a_token_in_the_wrong_place_is_repeated_nowhere() {
    let token = crate::fixtures::jwt("kube-system", "kube-proxy", 0, 3_600);
    let quoted = serde_json::json!({ &token: "x" }).to_string();
    for (key, value) in [
        (keys::ACCOUNT_NAME, &token),
        (keys::TOKEN_LIFETIME, &token),
        (keys::INJECT_CA, &token),
        (keys::ACCOUNT_LABELS, &quoted),
    ] {
        let invalid = read(&SecretBuilder::new().annotated(key, value)).unwrap_err().to_string();
        assert!(!invalid.contains(&token[..16]) && invalid.contains("(not shown)"), "{invalid}");
    }
}
