//! Create, get, list, replace, delete.

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;

use super::{data, make, names, object, refusal, version};

pub(super) async fn suite(client: &Client, namespace: &str) {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    what_is_made_is_stamped_and_normalized(&secrets).await;
    refusals_name_the_kind_that_is_missing(client, &secrets).await;
    lists_follow_selectors_and_come_in_pages(client, &secrets).await;
    a_replacement_must_be_based_on_the_present_version(&secrets).await;
    an_immutable_secret_keeps_its_data(&secrets).await;
    a_finalizer_holds_what_is_deleted(&secrets).await;
    service_accounts_are_kept_as_they_are_made(client, namespace).await;
}

async fn what_is_made_is_stamped_and_normalized(secrets: &Api<Secret>) {
    let json =
        json!({"metadata": {"name": "stamped", "annotations": {}}, "stringData": {"a": "1"}});
    let made = make(secrets, json.clone()).await;
    assert!(made.uid().is_some() && made.creation_timestamp().is_some() && version(&made) > 0);
    assert_eq!(made.type_.as_deref(), Some("Opaque"));
    assert_eq!(data(&made).into_iter().collect::<Vec<_>>(), [("a", "1")]);
    assert_eq!(made.string_data, None);
    assert_eq!(made.metadata.annotations, None, "empty maps are left out");
    assert_eq!(secrets.get("stamped").await.unwrap(), made);

    let again = secrets.create(&PostParams::default(), &object(json)).await;
    assert_eq!(refusal(again), r#"409 AlreadyExists [secrets] secrets "stamped" already exists"#);
}

async fn refusals_name_the_kind_that_is_missing(client: &Client, secrets: &Api<Secret>) {
    let missing = r#"404 NotFound [secrets] secrets "missing" not found"#;
    assert_eq!(refusal(secrets.get("missing").await), missing);
    assert_eq!(refusal(secrets.delete("missing", &DeleteParams::default()).await), missing);

    let nowhere: Api<Secret> = Api::namespaced(client.clone(), "nowhere");
    let secret = object(json!({"metadata": {"name": "x"}}));
    let made = nowhere.create(&PostParams::default(), &secret).await;
    assert_eq!(refusal(made), r#"404 NotFound [namespaces] namespaces "nowhere" not found"#);
    assert_eq!(refusal(nowhere.get("x").await), r#"404 NotFound [secrets] secrets "x" not found"#);
}

async fn lists_follow_selectors_and_come_in_pages(client: &Client, secrets: &Api<Secret>) {
    for (name, class) in [("list-1", "shoot"), ("list-2", "shoot"), ("list-3", "seed")] {
        let labels = json!({"contract/class": class, "contract/list": "yes"});
        make(secrets, json!({"metadata": {"name": name, "labels": labels}})).await;
    }
    let listed = async |labels: &str| {
        names(secrets.list(&ListParams::default().labels(labels)).await.unwrap())
    };
    assert_eq!(listed("contract/class=shoot").await, ["list-1", "list-2"]);
    assert_eq!(listed("contract/list,contract/class notin (shoot)").await, ["list-3"]);
    assert_eq!(listed("contract/class in (shoot,seed)").await, ["list-1", "list-2", "list-3"]);
    assert_eq!(listed("contract/class=shoot,contract/list!=yes").await, [""; 0]);

    let everywhere: Api<Secret> = Api::all(client.clone());
    let by_name = ListParams::default().fields("metadata.name=list-2");
    assert_eq!(names(everywhere.list(&by_name).await.unwrap()), ["list-2"]);
    let by_label = ListParams::default().fields("metadata.labels=x");
    assert!(refusal(everywhere.list(&by_label).await).starts_with("400 BadRequest"));

    let all = ListParams::default().labels("contract/list");
    let first = secrets.list(&all.clone().limit(2)).await.unwrap();
    let token = first.metadata.continue_.clone().unwrap();
    assert_eq!(names(first), ["list-1", "list-2"]);
    let rest = secrets.list(&all.limit(2).continue_token(&token)).await.unwrap();
    assert_eq!(rest.metadata.continue_.clone().unwrap_or_default(), "");
    assert_eq!(names(rest), ["list-3"]);
}

async fn a_replacement_must_be_based_on_the_present_version(secrets: &Api<Secret>) {
    let first = make(secrets, json!({"metadata": {"name": "replaced"}})).await;
    let mut next = first.clone();
    next.labels_mut().insert("a".to_owned(), "1".to_owned());
    let next = secrets.replace("replaced", &PostParams::default(), &next).await.unwrap();
    assert!(version(&next) > version(&first));
    assert_eq!(next.uid(), first.uid());

    let stale = secrets.replace("replaced", &PostParams::default(), &first).await;
    assert_eq!(
        refusal(stale),
        r#"409 Conflict [secrets] Operation cannot be fulfilled on secrets "replaced": the object has been modified; please apply your changes to the latest version and try again"#
    );
    let same = secrets.replace("replaced", &PostParams::default(), &next).await.unwrap();
    assert_eq!(version(&same), version(&next), "what changes nothing is not a change");
}

async fn an_immutable_secret_keeps_its_data(secrets: &Api<Secret>) {
    let json =
        json!({"metadata": {"name": "immutable"}, "immutable": true, "stringData": {"a": "1"}});
    let mut secret = make(secrets, json).await;
    secret.data.as_mut().unwrap().clear();
    let refused = secrets.replace("immutable", &PostParams::default(), &secret).await;
    assert_eq!(
        refusal(refused),
        r#"422 Invalid [Secret] Secret "immutable" is invalid: data: Forbidden: field is immutable when `immutable` is set"#
    );
}

async fn a_finalizer_holds_what_is_deleted(secrets: &Api<Secret>) {
    let finalizers = ["perennial.dev/contract"];
    make(secrets, json!({"metadata": {"name": "held", "finalizers": finalizers}})).await;
    let still_there = secrets.delete("held", &DeleteParams::default()).await.unwrap();
    assert!(still_there.is_left(), "the object, and no Status");
    let mut held = secrets.get("held").await.unwrap();
    assert!(held.metadata.deletion_timestamp.is_some());
    held.metadata.finalizers = None;
    secrets.replace("held", &PostParams::default(), &held).await.unwrap();
    assert!(refusal(secrets.get("held").await).starts_with("404 NotFound"));
}

async fn service_accounts_are_kept_as_they_are_made(client: &Client, namespace: &str) {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let account: ServiceAccount =
        object(json!({"metadata": {"name": "kept", "labels": {"a": "1"}},
        "automountServiceAccountToken": false}));
    let made = accounts.create(&PostParams::default(), &account).await.unwrap();
    assert_eq!(made.automount_service_account_token, Some(false));
    assert_eq!(made.labels()["a"], "1");
    let again = accounts.create(&PostParams::default(), &account).await;
    assert_eq!(
        refusal(again),
        r#"409 AlreadyExists [serviceaccounts] serviceaccounts "kept" already exists"#
    );
    accounts.delete("kept", &DeleteParams::default()).await.unwrap();
    assert_eq!(
        refusal(accounts.get("kept").await),
        r#"404 NotFound [serviceaccounts] serviceaccounts "kept" not found"#
    );
}
