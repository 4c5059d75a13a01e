use super::*;

const REFERENCE: &str = PREDECESSORS[0];

fn entry(manager: &str, operation: &str, labels: &[&str]) -> Value {
    let labels: Map<_, _> = labels.iter().map(|key| (format!("f:{key}"), json!({}))).collect();
    json!({
        "manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1",
        "fieldsV1": {METADATA: {LABELS: labels}, AUTOMOUNT: {}},
    })
}

fn meta(labels: &[(&str, &str)], entries: &[Value]) -> ObjectMeta {
    let labels: Map<_, _> =
        labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let meta = json!({"resourceVersion": "7", "labels": labels, "managedFields": entries});
    serde_json::from_value(meta).unwrap()
}

fn map(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn c_labels_are_ours_where_we_applied_them_and_foreign_ones_do_not_count() {
    let entries =
        [entry(FIELD_MANAGER, "Apply", &["app", "gone"]), entry("kubectl", "Update", &["team"])];
    let meta = meta(&[("app", "x"), ("team", "y")], &entries);
    assert_eq!(labels(&meta), map(&[("app", "x")]));
}

#[test]
fn c_what_the_reference_wrote_counts_until_we_apply() {
    let theirs = entry(REFERENCE, "Update", &["app", "old"]);
    let present = [("app", "x"), ("old", "y"), ("team", "z")];
    assert_eq!(labels(&meta(&present, std::slice::from_ref(&theirs))), map(&present[..2]));
    let both = [theirs, entry(FIELD_MANAGER, "Apply", &["app"])];
    assert_eq!(labels(&meta(&present, &both)), map(&present[..1]));
}

#[test]
fn b2_a_label_of_the_reference_that_nobody_wants_changes_hands_and_nothing_else_does() {
    let mut theirs = entry(REFERENCE, "Update", &["app", "old"]);
    theirs["fieldsV1"]["f:secrets"] = json!({});
    let foreign = entry("kubectl", "Update", &["team"]);
    let entries = [theirs, entry(FIELD_MANAGER, "Apply", &["app"]), foreign.clone()];
    let meta = meta(&[("app", "x"), ("old", "y"), ("team", "z")], &entries);

    let patch = take_over(&meta, &map(&[("app", "x")])).unwrap();

    assert_eq!(patch[0]["value"], "7", "only on the version that was seen");
    let [theirs, ours, other] = patch[1]["value"].as_array().unwrap().as_slice() else {
        panic!("{patch}")
    };
    assert_eq!(theirs["fieldsV1"], json!({"f:secrets": {}}));
    assert_eq!(ours["fieldsV1"][METADATA][LABELS], json!({"f:app": {}, "f:old": {}}));
    assert_eq!(*other, foreign);
}

#[test]
fn nothing_changes_hands_while_every_label_of_the_reference_is_wanted() {
    let entries = [entry(REFERENCE, "Update", &["app"]), entry(FIELD_MANAGER, "Apply", &["app"])];
    let meta = meta(&[("app", "x")], &entries);
    assert_eq!(take_over(&meta, &map(&[("app", "x")])), None);
}

#[test]
fn labels_of_others_are_never_taken_over() {
    let entries = [
        entry("kubectl", "Update", &["team"]),
        entry(REFERENCE, "Apply", &["managed"]),
        entry(FIELD_MANAGER, "Apply", &[]),
    ];
    let meta = meta(&[("team", "z"), ("managed", "y")], &entries);
    assert_eq!(take_over(&meta, &BTreeMap::new()), None);
}

#[test]
fn an_entry_of_which_nothing_is_left_goes() {
    let entries = [entry(REFERENCE, "Update", &["old"]), entry(FIELD_MANAGER, "Apply", &[])];
    let patch = take_over(&meta(&[("old", "y")], &entries), &BTreeMap::new()).unwrap();
    assert_eq!(patch[1]["value"].as_array().unwrap().len(), 1, "{patch}");
}
