use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use perennial_core::{
    inputs::Interpretation,
    issued::{Issued, IssuedFor},
    reason::Reason,
    token::{Claims, Token},
    window::{Plan, Window},
};

use super::*;
use crate::access::{order::Put, reduce::reduce};

const KUBECONFIG: &str = "current-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n\
     clusters: [{name: c, cluster: {server: \"https://shoot.example\"}}]\n\
     users:\n- name: u\n  user:\n    token: \"\"\n";

fn token() -> Token {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = part(json!({
        "iat": 0, "exp": 36_000, "iss": "https://shoot.example", "aud": ["gardener"],
        "sub": "system:serviceaccount:kube-system:kube-proxy",
    }));
    Token::new(format!("{}.{claims}.c2ln", part(json!({"alg": "RS256", "kid": "key-1"}))))
}

fn secret(data: Value) -> Secret {
    let mut object = json!({"metadata": {
        "namespace": "shoot--lab--1", "name": "access", "uid": "uid-1", "resourceVersion": "7",
        "labels": {keys::PURPOSE: keys::PURPOSE_TOKEN_REQUESTOR, keys::CLASS: keys::CLASS_SHOOT},
        "annotations": {keys::ACCOUNT_NAME: "kube-proxy", keys::ACCOUNT_NAMESPACE: "kube-system"},
    }});
    if !data.is_null() {
        object["data"] = data;
    }
    serde_json::from_value(object).unwrap()
}

fn order(object: &Secret, ca_pem: Option<&[u8]>) -> Order {
    let seen = reduce(object, &Interpretation::default()).unwrap();
    let token = token();
    let claims = Claims::read(token.expose().as_bytes()).unwrap();
    let plan = Plan::draw(&claims, 86_400, Window::ORDINARY, 1.0);
    let inputs = seen.record.inputs.clone().unwrap();
    let note = Issued::note(IssuedFor {
        token: token.hash(),
        claims: &claims,
        inputs: &inputs,
        plan,
        reason: Reason::NothingHeld,
        written_at: Timestamp::UNIX_EPOCH,
        streak: 0,
        spent: 0,
        left: Vec::new(),
        generation: None,
    });
    let ca_pem = ca_pem.map(<[u8]>::to_vec);
    let put = Put::of(inputs.mode, token, ca_pem);
    Order { seen: Arc::new(seen), put, latest: plan.latest, note }
}

fn version_seen(order: &Order) -> Vec<Operation> {
    let Put::Token { token, ca_pem } = &order.put else { panic!("not in token mode") };
    for_version_seen(order, token, ca_pem.as_deref())
}

/// Each operation as `op path`, in order.
fn outline(operations: &[Operation]) -> Vec<String> {
    operations.iter().map(|operation| format!("{operation:?}")).collect()
}

fn value(operations: &[Operation], path: &str) -> Value {
    let json = serde_json::to_value(operations).unwrap();
    let last = json.as_array().unwrap().iter().rfind(|operation| operation["path"] == path);
    last.unwrap_or_else(|| panic!("no operation on {path}"))["value"].clone()
}

#[test]
fn the_common_write_tests_uid_and_version_and_puts_token_timestamp_and_note() {
    let operations = version_seen(&order(&secret(json!({"token": ""})), None));
    assert_eq!(
        outline(&operations),
        [
            "test /metadata/uid",
            "test /metadata/resourceVersion",
            "add /data/token",
            "add /metadata/annotations/serviceaccount.resources.gardener.cloud~1token-renew-timestamp",
            "add /metadata/annotations/perennial.dev~1issued",
        ]
    );
    assert_eq!(value(&operations, "/metadata/uid"), "uid-1");
    assert_eq!(value(&operations, "/metadata/resourceVersion"), "7");
    let stamp = pointer("/metadata/annotations", keys::RENEW_TIMESTAMP);
    assert_eq!(value(&operations, &stamp), "1970-01-01T08:00:00Z");
}

#[test]
fn a_secret_without_data_gets_it_whole() {
    let object = secret(Value::Null);
    let operations = version_seen(&order(&object, Some(b"PEM")));
    assert_eq!(outline(&operations)[2], "add /data");
    let mut keys: Vec<_> =
        value(&operations, "/data").as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, [keys::DATA_BUNDLE, keys::DATA_TOKEN]);
    let operations = for_content(&order(&object, None), &object).unwrap();
    assert!(outline(&operations).contains(&"test /data".to_owned()), "{operations:?}");
    assert_eq!(value(&operations[..operations.len() - 3], "/data"), Value::Null);
}

#[test]
fn b5_the_bundle_is_written_where_asked_for_and_a_stale_one_goes() {
    let stale = secret(json!({"token": "", "bundle.crt": "UEVN"}));
    assert_eq!(outline(&version_seen(&order(&stale, None)))[3], "remove /data/bundle.crt");
    let operations = version_seen(&order(&stale, Some(b"PEM")));
    assert_eq!(outline(&operations)[3], "add /data/bundle.crt");
    assert_eq!(value(&operations, "/data/bundle.crt"), "UEVN");
}

#[test]
fn b8_the_second_try_tests_every_input_and_the_token_but_no_version() {
    let object = secret(json!({"token": "b2xk", "other": "eA=="}));
    let operations = for_content(&order(&object, None), &object).unwrap();
    let outline = outline(&operations);
    for key in keys::INPUT_ANNOTATIONS.into_iter().chain([keys::RENEW_TIMESTAMP, keys::ISSUED]) {
        let test = format!("test {}", pointer("/metadata/annotations", key));
        assert!(outline.contains(&test), "{key} in {outline:?}");
    }
    assert!(!outline.iter().any(|operation| operation.contains("resourceVersion")));
    assert_eq!(value(&operations, &pointer("/metadata/labels", keys::CLASS)), "shoot");
    let absent = pointer("/metadata/annotations", keys::AUDIENCES);
    assert_eq!(value(&operations, &absent), Value::Null);
    assert_eq!(value(&operations[..operations.len() - 3], "/data/token"), "b2xk");
    assert_eq!(value(&operations, "/data/kubeconfig"), Value::Null, "still token mode");
    assert!(!outline.iter().any(|operation| operation.contains("/data/other")));
}

#[test]
fn b6_kubeconfig_mode_tests_the_document_it_read_and_puts_the_token_into_it() {
    let object = secret(json!({"kubeconfig": ByteString(KUBECONFIG.into()), "token": "eA=="}));
    let order = order(&object, None);
    let operations = for_content(&order, &object).unwrap();
    let is_about_data = |line: &String| line.contains("/data");
    let about_data: Vec<_> = outline(&operations).into_iter().filter(is_about_data).collect();
    assert_eq!(about_data, ["test /data/kubeconfig", "add /data/kubeconfig"]);
    let written: ByteString =
        serde_json::from_value(value(&operations, "/data/kubeconfig")).unwrap();
    let expected = KUBECONFIG.replace("token: \"\"", &format!("token: \"{}\"", token().expose()));
    assert_eq!(String::from_utf8(written.0).unwrap(), expected);
}

#[test]
fn b7_what_went_to_a_target_disappears_in_the_same_patch_and_nothing_else() {
    let object = secret(json!({"token": "b2xk", "kubeconfig": "eA==", "other": "eA=="}));
    let order = Order { put: Put::Nothing, ..order(&secret(json!({"token": "b2xk"})), None) };
    let operations = for_content(&order, &object).unwrap();
    let is_about_data = |line: &String| line.contains("/data");
    let about_data: Vec<_> = outline(&operations).into_iter().filter(is_about_data).collect();
    let expected = [
        "test /data/token",
        "remove /data/token",
        "test /data/kubeconfig",
        "remove /data/kubeconfig",
    ];
    assert_eq!(about_data, expected);
    let bare = for_content(&order, &secret(Value::Null)).unwrap();
    assert!(!outline(&bare).iter().any(|line| line.contains("/data")), "{bare:?}");
    assert_eq!(outline(&bare).last().unwrap(), "add /metadata/annotations/perennial.dev~1issued");
}

#[test]
fn keys_are_escaped_in_a_pointer() {
    assert_eq!(pointer("/a", "x~y/z"), "/a/x~0y~1z");
}

#[test]
fn no_value_appears_in_debug() {
    let order = order(&secret(json!({"token": "b2xk"})), None);
    let operations = version_seen(&order);
    let put = value(&operations, "/data/token");
    assert!(!format!("{operations:?} {order:?}").contains(put.as_str().unwrap()));
    assert!(!format!("{order:?}").contains(token().expose()));
}
