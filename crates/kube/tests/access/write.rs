use perennial_core::{failure::Failure as _, keys, name::SecretRef};
use perennial_kube::access::Outcome;
use serde_json::json;

use super::seed::{KUBECONFIG, Seed, base64, data, order, written};

#[tokio::test]
async fn b8_token_timestamp_and_note_are_written_at_once() {
    let seed = Seed::new().await;
    for (name, state) in [
        ("no-data", json!(null)),
        ("empty-token", json!({"token": ""})),
        ("null-token", json!({"token": null})),
        ("other-data", json!({"other": "eA=="})),
    ] {
        let order = order(&seed.create(name, state).await, 0, None);
        let seen = written(seed.write(&order).await);
        assert_eq!(seen, seed.seen(name).await, "the answer of the patch is what stands there");
        assert_eq!(seen.record.issued.as_ref(), Some(&order.note), "{name}");
        let object = seed.object(name).await;
        assert_eq!(data(&object, "token").as_deref(), Some(order.token().unwrap().expose()));
        let annotations = object.metadata.annotations.unwrap();
        assert_eq!(annotations[keys::RENEW_TIMESTAMP], "1970-01-01T08:00:00Z");
        assert_eq!(data(&seed.object("no-data").await, "other"), None);
    }
    assert_eq!(data(&seed.object("other-data").await, "other").as_deref(), Some("x"));
}

#[tokio::test]
async fn b5_the_bundle_comes_and_goes_with_the_token() {
    let seed = Seed::new().await;
    let first = order(&seed.create("a", json!({"token": ""})).await, 0, Some(b"PEM"));
    let seen = written(seed.write(&first).await);
    assert_eq!(data(&seed.object("a").await, "bundle.crt").as_deref(), Some("PEM"));
    assert!(seen.layout.bundle);
    let seen = written(seed.write(&order(&seen, 1, None)).await);
    assert_eq!(data(&seed.object("a").await, "bundle.crt"), None);
    assert!(!seen.layout.bundle);
}

#[tokio::test]
async fn b8_an_unrelated_edit_neither_stops_the_write_nor_is_lost() {
    let seed = Seed::new().await;
    for (name, before) in [("none", json!(null)), ("held", json!({"token": "b2xk"}))] {
        let order = order(&seed.create(name, before).await, 0, None);
        let edit = json!({"metadata": {"annotations": {"stranger": "1"}, "labels": {"x": "y"}},
            "data": {"other": "eA==", "bundle.crt": "eA=="}});
        seed.edit(name, edit).await;
        written(seed.write(&order).await);
        let object = seed.object(name).await;
        assert_eq!(data(&object, "token").as_deref(), Some(order.token().unwrap().expose()));
        assert_eq!(data(&object, "other").as_deref(), Some("x"));
        assert_eq!(data(&object, "bundle.crt"), None, "stale, also when it came late");
        assert_eq!(object.metadata.annotations.unwrap()["stranger"], "1");
        assert_eq!(object.metadata.labels.unwrap()["x"], "y");
    }
}

#[tokio::test]
async fn b8_whatever_the_decision_depends_on_stops_the_write_and_is_told() {
    let seed = Seed::new().await;
    let edits = [
        json!({"data": {"token": "c3RyYW5nZXI="}}),
        json!({"data": {"kubeconfig": base64(KUBECONFIG)}}),
        json!({"metadata": {"annotations": {keys::TOKEN_LIFETIME: "1h"}}}),
        json!({"metadata": {"annotations": {keys::ACCOUNT_NAME: "other"}}}),
        json!({"metadata": {"annotations": {keys::RENEW_TIMESTAMP: "2026-01-01T00:00:00Z"}}}),
        json!({"metadata": {"annotations": {keys::ISSUED: "{}"}}}),
        json!({"immutable": true}),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let name = format!("edited-{number}");
        let order = order(&seed.create(&name, json!({"token": "b2xk"})).await, 0, None);
        let edited = seed.edit(&name, edit.clone()).await;
        let outcome = seed.write(&order).await;
        let Outcome::Changed(Some(now)) = outcome else { panic!("{edit}: {outcome:?}") };
        assert_eq!(now, seed.seen(&name).await);
        assert_eq!(seed.object(&name).await, edited, "{edit}: nothing was written");
    }
}

#[tokio::test]
async fn b9_a_secret_that_is_gone_or_no_longer_ours_is_left_alone() {
    let seed = Seed::new().await;
    for (key, value) in
        [(keys::PURPOSE, json!(null)), (keys::CLASS, json!(null)), (keys::CLASS, json!("seed"))]
    {
        let name = format!("x{}", value.as_str().map_or(key.len(), str::len));
        let order = order(&seed.create(&name, json!({"token": ""})).await, 0, None);
        let edited = seed.edit(&name, json!({"metadata": {"labels": {key: value}}})).await;
        assert!(matches!(seed.write(&order).await, Outcome::Changed(None)));
        assert_eq!(seed.object(&name).await, edited);
    }
    let first = seed.create("again", json!({"token": ""})).await;
    seed.secrets.delete("again", &Default::default()).await.unwrap();
    assert!(matches!(seed.write(&order(&first, 0, None)).await, Outcome::Changed(None)));
    let second = seed.create("again", json!({"token": ""})).await;
    let outcome = seed.write(&order(&first, 0, None)).await;
    let Outcome::Changed(Some(now)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(now, second, "another uid is another Secret");
}

#[tokio::test]
async fn b6_kubeconfig_mode_changes_one_value_of_the_document_as_it_is_now() {
    let seed = Seed::new().await;
    let seen = seed.create("k", json!({"kubeconfig": base64(KUBECONFIG), "token": "eA=="})).await;
    let order = order(&seen, 0, None);
    let edited = KUBECONFIG.replace("# hands off", "# hands off, please");
    seed.edit("k", json!({"data": {"kubeconfig": base64(&edited)}})).await;
    let seen = written(seed.write(&order).await);
    assert_eq!(seen.record.issued.as_ref(), Some(&order.note));
    let object = seed.object("k").await;
    let put = format!("token: \"{}\"", order.token().unwrap().expose());
    assert_eq!(data(&object, "kubeconfig"), Some(edited.replace("token: \"\"", &put)));
    assert_eq!(data(&object, "token").as_deref(), Some("x"), "no business of ours in this mode");
}

#[tokio::test]
async fn an_order_carried_out_twice_is_written_once() {
    let seed = Seed::new().await;
    let order = order(&seed.create("a", json!({"token": ""})).await, 0, None);
    let first = written(seed.write(&order).await);
    let again = written(seed.write(&order).await);
    assert_eq!(first.resource_version, again.resource_version);
}

#[tokio::test]
async fn a_write_that_is_refused_for_another_reason_is_an_error_and_not_tried_for_ever() {
    let seed = Seed::new().await;
    if seed.fake.is_some() {
        return; // it does not bound annotations
    }
    let seen = seed.create("full", json!({"token": ""})).await;
    let order = order(&seen, 0, None);
    // 256 KiB are allowed for all annotations together; ours would be the last straw.
    let filler = "x".repeat(256 * 1024 - 250);
    seed.edit("full", json!({"metadata": {"annotations": {"stranger": filler}}})).await;
    let error = seed.access.write(&order).await.unwrap_err();
    assert!(error.to_string().contains("annotations: Too long"), "{error}");
    assert_eq!(error.kind(), perennial_core::failure::Kind::Invalid);
}

#[tokio::test]
async fn get_tells_what_is_ours() {
    let seed = Seed::new().await;
    let secret = SecretRef::parse(&seed.namespace, "none").unwrap();
    assert_eq!(seed.access.get(&secret).await.unwrap(), None);
}
