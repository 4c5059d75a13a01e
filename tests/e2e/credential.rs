//! The token-issuer's own credential (contract, section F).

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use perennial_lab::shoot::{ACCESS_SECRET, BOOTSTRAP_SECRET, bootstrap_secret, namespace};

use crate::house::{House, claims};

#[tokio::test]
async fn f_without_the_bootstrap_credential_perennial_lives_on_its_own_token() {
    let house = House::start(1, &["--renewal-basis=8s"]).await;
    remove_bootstrap(&house).await;
    house.lab.service("token-issuer").restart().await.unwrap();
    let before = claims(&house.wait_for_token(1, ACCESS_SECRET).await);
    let later = house.wait(1, ACCESS_SECRET, "a renewal", |s| claims(s) != before).await;
    let user = house.user_of(1, &later).await;
    assert_eq!(user, "system:serviceaccount:kube-system:perennial-token-issuer");
    let claims = claims(&later).unwrap();
    assert_eq!(claims.granted_seconds(), 30 * 24 * 3_600, "30 days were asked for");
    house.end().await;
}

#[tokio::test]
async fn f_when_the_own_token_no_longer_holds_a_new_bootstrap_credential_heals_without_a_hand() {
    let house = House::start(1, &["--renewal-basis=8s"]).await;
    remove_bootstrap(&house).await;
    house.ask(1, "shoot-access-kube-scheduler", &[]).await;
    house.wait_for_token(1, "shoot-access-kube-scheduler").await;

    // Deleted and made anew, the account has another uid: every token for the old one is refused.
    let accounts: Api<ServiceAccount> = Api::namespaced(house.lab.shoot(1).client(), "kube-system");
    accounts.delete("perennial-token-issuer", &DeleteParams::default()).await.unwrap();
    let mut account = ServiceAccount::default();
    account.metadata.name = Some("perennial-token-issuer".to_owned());
    accounts.create(&PostParams::default(), &account).await.unwrap();
    house.ask(1, "shoot-access-late", &[]).await;

    let secret = bootstrap_secret(&namespace(1), house.lab.shoot(1)).unwrap();
    house.create(1, secret).await;
    let late = house.wait_for_token(1, "shoot-access-late").await;
    assert_eq!(house.user_of(1, &late).await, "system:serviceaccount:kube-system:late");
    let uid = accounts.get("perennial-token-issuer").await.unwrap().metadata.uid;
    house
        .wait(1, ACCESS_SECRET, "a token for the new account", |secret| {
            claims(secret).is_some_and(|claims| claims.account_uid == uid)
        })
        .await;
    house.end().await;
}

async fn remove_bootstrap(house: &House) {
    house.secrets(1).delete(BOOTSTRAP_SECRET, &DeleteParams::default()).await.unwrap();
}
