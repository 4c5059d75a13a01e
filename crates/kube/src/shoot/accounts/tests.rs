use serde_json::{Value, json};

use super::*;

fn object(more: Value) -> ServiceAccount {
    let mut object = json!({
        "metadata": {"namespace": "kube-system", "name": "kube-proxy", "uid": "1"},
    });
    let (Value::Object(object), Value::Object(more)) = (&mut object, more) else { unreachable!() };
    for (key, value) in more {
        match (object.get_mut(&key), value) {
            (Some(Value::Object(held)), Value::Object(more)) => held.extend(more),
            (_, value) => drop(object.insert(key, value)),
        }
    }
    serde_json::from_value(Value::Object(object.clone())).unwrap()
}

fn state(more: Value) -> AccountState {
    reduce(&object(more)).unwrap().state
}

#[test]
fn an_account_is_reduced_to_what_is_compared() {
    let seen = reduce(&object(json!({"automountServiceAccountToken": false}))).unwrap();
    assert_eq!((seen.account.to_string().as_str(), &*seen.uid), ("kube-system/kube-proxy", "1"));
    let labels = LabelsHash::of(&Default::default());
    let present = |automount_off| AccountState::Present { uid: "1".into(), automount_off, labels };
    assert_eq!(seen.state, present(true));
    assert_eq!(state(json!({})), present(false), "unset means mounted");
    assert_eq!(state(json!({"automountServiceAccountToken": true})), present(false));
}

#[test]
fn one_that_a_finalizer_holds_is_terminating() {
    let deleted = json!({"metadata": {"deletionTimestamp": "2026-11-23T12:00:00Z"}});
    assert_eq!(state(deleted), AccountState::Terminating);
}

#[test]
fn what_is_no_account_is_passed_over() {
    assert_eq!(reduce(&object(json!({"metadata": {"uid": null}}))), None);
    assert_eq!(reduce(&object(json!({"metadata": {"name": "../x"}}))), None);
}
