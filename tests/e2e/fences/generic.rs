//! The cases about generic kubeconfigs (contract, section E).

use perennial_core::keys;
use serde_json::{Value, json};

use super::{
    attempt::{Act, Case, Outcome},
    stage::{access_with, case, label, note, value},
};
use Outcome::{Denied, Passes, Remains};

const ONLY: &str = "nothing of a generic kubeconfig but the data key kubeconfig.yaml";
const EMPTY: &str = "may not remove or empty the data key kubeconfig.yaml";
const LABELS: &str = "may not change labels";
const REST: &str = "may not change finalizers, ownerReferences, generateName or immutable";

/// Filled, with everything beside it that belongs to somebody else.
fn filled() -> Value {
    json!({
        "metadata": {
            "labels": {keys::GENERIC: keys::GENERIC_KUBECONFIG, "app": "mine"},
            "annotations": {"example.com/note": "mine"},
        },
        "data": {keys::DATA_GENERIC: "b2xk", "config": "bWluZQ=="},
    })
}

fn empty() -> Value {
    let mut secret = filled();
    secret["data"] = Value::Null;
    secret
}

pub(super) fn denied() -> Vec<Case> {
    let labelled_too = json!({
        "metadata": {"labels": {keys::GENERIC: keys::GENERIC_KUBECONFIG}},
        "data": {keys::DATA_GENERIC: "bmV3"},
    });
    let mut unlabelled = filled();
    unlabelled["metadata"]["labels"] = json!({"app": "mine"});
    let mut other = filled();
    other["metadata"]["labels"][keys::GENERIC] = "other".into();
    let both = access_with(|s| {
        s["metadata"]["labels"][keys::GENERIC] = keys::GENERIC_KUBECONFIG.into();
    });
    let only = |attempt: &str, act| case(attempt, filled(), act, Denied(ONLY));
    vec![
        case(
            "adds the label of generic kubeconfigs in the same update",
            unlabelled,
            Act::Merge(labelled_too),
            Denied("or perennial.dev/purpose=generic-kubeconfig"),
        ),
        case(
            "writes `kubeconfig.yaml` into a Secret with another `perennial.dev/purpose`",
            other,
            value(keys::DATA_GENERIC, "bmV3"),
            Denied("or perennial.dev/purpose=generic-kubeconfig"),
        ),
        case(
            "writes `kubeconfig.yaml` into an access Secret that has the label of generic ones too",
            both,
            value(keys::DATA_GENERIC, "bmV3"),
            Denied("no data keys but token, kubeconfig and bundle.crt"),
        ),
        only("writes a token into a generic kubeconfig", value("token", "bmV3")),
        only("adds a key `kubeconfig` to a generic kubeconfig", value("kubeconfig", "bmV3")),
        only("changes a foreign data key of a generic kubeconfig", value("config", "bmV3")),
        only("removes a foreign data key of a generic kubeconfig", value("config", Value::Null)),
        only("adds an annotation to a generic kubeconfig", note(keys::ISSUED, "{}")),
        only(
            "removes an annotation of a generic kubeconfig",
            note("example.com/note", Value::Null),
        ),
        case(
            "removes the label of a generic kubeconfig",
            filled(),
            label(keys::GENERIC, Value::Null),
            Denied(LABELS),
        ),
        case(
            "makes an access Secret of a generic kubeconfig",
            filled(),
            label(keys::PURPOSE, keys::PURPOSE_TOKEN_REQUESTOR),
            Denied(LABELS),
        ),
        case(
            "makes a generic kubeconfig immutable",
            filled(),
            Act::Merge(json!({"immutable": true})),
            Denied(REST),
        ),
        case(
            "removes `kubeconfig.yaml`",
            filled(),
            value(keys::DATA_GENERIC, Value::Null),
            Denied(EMPTY),
        ),
        case("empties `kubeconfig.yaml`", filled(), value(keys::DATA_GENERIC, ""), Denied(EMPTY)),
    ]
}

pub(super) fn passes() -> Vec<Case> {
    let first = json!([
        {"op": "test", "path": "/data", "value": null},
        {"op": "add", "path": "/data", "value": {keys::DATA_GENERIC: "bmV3"}},
    ]);
    vec![
        case("fills a generic kubeconfig without data", empty(), Act::JsonPatch(first), Passes),
        case(
            "writes another `kubeconfig.yaml` into a generic kubeconfig",
            filled(),
            value(keys::DATA_GENERIC, "bmV3"),
            Passes,
        ),
    ]
}

pub(super) fn remains() -> Vec<Case> {
    vec![case(
        "writes a generic kubeconfig that leads elsewhere",
        filled(),
        value(keys::DATA_GENERIC, "ZWxzZXdoZXJl"),
        Remains,
    )]
}
