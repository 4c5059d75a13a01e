//! A target that is added, changed, and taken away again; and what stays when nobody asks any more.

use kube::api::DeleteParams;

use super::*;

const NAME: &str = "shoot-access-kube-proxy";

#[tokio::test]
async fn b7_a_target_that_is_added_changed_and_removed_leaves_nothing_of_ours_behind() {
    let house = House::start(1, &[]).await;
    house.ask(1, NAME, &[(keys::INJECT_CA, "true")]).await;
    house.wait_for_token(1, NAME).await;
    let former = target("first", &[("password", "theirs")]);
    house.targets().create(&PostParams::default(), &former).await.unwrap();

    let before = house.token_requests().await;
    aim_at(&house, Some("first")).await;
    let (source, first) = house.wait_delivered(NAME, "first").await;
    assert_eq!(keys_of(&source), [""; 0]);
    assert_eq!(keys_of(&first), [keys::DATA_BUNDLE, "password", keys::DATA_TOKEN]);
    println!("added: {} tokens", house.token_requests().await - before);

    aim_at(&house, Some("second")).await;
    house.wait_delivered(NAME, "second").await;
    let left = |target: &Secret| keys_of(target) == ["password"];
    house.wait_for_target("first", "what was put there is gone", left).await;
    wait_clean(&house).await;

    aim_at(&house, None).await;
    let source = house.wait_for_token(1, NAME).await;
    assert_eq!(keys_of(&source), [keys::DATA_BUNDLE, keys::DATA_TOKEN]);
    let user = house.user_of(1, &source).await;
    assert_eq!(user, "system:serviceaccount:kube-system:kube-proxy");
    let empty = |target: &Secret| keys_of(target).is_empty();
    house.wait_for_target("second", "what was put there is gone", empty).await;
    wait_clean(&house).await;
    let spent = house.token_requests().await - before;
    println!("added, changed and removed: {spent} tokens");
    assert_eq!(spent, 3, "one for each place");
    house.end().await;
}

#[tokio::test]
async fn b9_where_nobody_asks_any_more_nothing_is_deleted_in_the_shoot() {
    let house = House::start(1, &[]).await;
    house.aim(NAME, "unlabelled", &[]).await;
    house.aim("shoot-access-vpn", "orphaned", &[]).await;
    let (_, unlabelled) = house.wait_delivered(NAME, "unlabelled").await;
    let (_, orphaned) = house.wait_delivered("shoot-access-vpn", "orphaned").await;
    let patch = Patch::Merge(json!({"metadata": {"labels": {keys::PURPOSE: null}}}));
    house.secrets(1).patch(NAME, &PatchParams::default(), &patch).await.unwrap();
    house.secrets(1).delete("shoot-access-vpn", &DeleteParams::default()).await.unwrap();
    let look = async || {
        let known = house.schedules().await.len();
        Ok(if known == 1 { Look::Done(()) } else { Look::Waiting(format!("{known} schedules")) })
    };
    until("both are no longer served", MOMENT, look).await.unwrap();
    house.counts().await; // nothing is being asked any more
    for (name, held) in [("unlabelled", unlabelled), ("orphaned", orphaned)] {
        let now = house.targets().get(name).await.unwrap();
        assert_eq!(now.metadata.resource_version, held.metadata.resource_version, "{name}");
    }
    house.end().await;
}

async fn aim_at(house: &House, name: Option<&str>) {
    let namespace = name.map(|_| NAMESPACE);
    let annotations = json!({keys::TARGET_NAMESPACE: namespace, keys::TARGET_NAME: name});
    let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
    house.secrets(1).patch(NAME, &PatchParams::default(), &patch).await.unwrap();
}

/// The note remembers no former target.
async fn wait_clean(house: &House) {
    let clean = |secret: &Secret| note(secret).is_some_and(|note| note.left.is_empty());
    house.wait(1, NAME, "no former target", clean).await;
}
