//! What the token-issuer refuses whoever asks, as the scheduler shows it.

use perennial_core::keys;

use crate::house::House;

#[tokio::test]
async fn an_account_that_is_denied_costs_no_call_and_is_served_once_corrected() {
    let house = House::new().await;
    let before = house.counts();
    let name = house.ask(1, "namespace-controller");
    let denied = house.wait_for_schedule(1, &name, "a refusal", |s| s.last_failure.is_some()).await;
    let failure = denied.last_failure.unwrap();
    assert_eq!(failure.kind, "denied");
    for part in
        ["kube-system/namespace-controller", keys::ACCOUNT_NAME, "--allow-controller-accounts"]
    {
        assert!(failure.message.contains(part), "{part} is missing in {}", failure.message);
    }
    assert_eq!(house.spent_since(&before).dear(), [0; 5], "no shoot was asked, nothing written");

    house.edit(1, &name, |secret| {
        secret["metadata"]["annotations"][keys::ACCOUNT_NAME] = "kube-proxy".into();
    });
    house.wait_for_token(1, &name).await;
}
