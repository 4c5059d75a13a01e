use futures::future::{Either, join_all, select};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::seed::{Seed, data, order, written};

const STRANGERS: usize = 4;
const WRITES: i64 = 150;

/// Counts up an annotation of its own, without pause.
async fn edit(secrets: &Api<Secret>, stranger: usize) {
    for count in 0_u64.. {
        let edit = json!({"metadata": {"annotations": {format!("stranger-{stranger}"): count.to_string()}}});
        secrets.patch("a", &PatchParams::default(), &Patch::Merge(edit)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b8_every_write_succeeds_while_four_strangers_edit_without_pause() {
    let seed = Seed::new().await;
    let mut seen = seed.create("a", json!({"token": ""})).await;
    let strangers = join_all((0..STRANGERS).map(|stranger| edit(&seed.secrets, stranger)));
    let ours = async {
        for number in 0..WRITES {
            let order = order(&seen, number, None);
            seen = written(seed.write(&order).await);
            assert_eq!(seen.record.issued.as_ref(), Some(&order.note));
        }
    };
    match select(Box::pin(ours), Box::pin(strangers)).await {
        Either::Left(((), _)) => {}
        Either::Right(_) => panic!("strangers never end"),
    }
    let object = seed.object("a").await;
    assert!(data(&object, "token").is_some());
    let annotations = object.metadata.annotations.unwrap();
    let edits: u64 = (0..STRANGERS)
        .map(|stranger| annotations[&format!("stranger-{stranger}")].parse::<u64>().unwrap())
        .sum();
    println!("{WRITES} writes beside {edits} edits");
    assert!(edits > 0, "there was no contention");
}
