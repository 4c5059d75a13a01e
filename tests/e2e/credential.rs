//! The token-issuer's own credential (contract, section F).

use k8s_openapi::api::{
    core::v1::ServiceAccount,
    rbac::v1::{ClusterRoleBinding, Subject},
};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use perennial_lab::shoot::{ACCESS_SECRET, BOOTSTRAP_SECRET, bootstrap_secret, namespace};

use perennial_proto::issuer::v1::{Credential, Reach, Shoot};

use crate::{
    events::wait_for_event,
    house::{House, claims},
    maker::{act, is_taken, wait_for_shoot},
    tunnel::Tunnel,
};

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
            claims(secret).is_some_and(|claims| claims.account_uid.as_deref() == uid.as_deref())
        })
        .await;
    house.end().await;
}

#[tokio::test]
async fn f_when_the_shoot_knows_no_credential_it_is_said_loudly_and_a_bootstrap_credential_heals_it()
 {
    // Renewals are hours away: nothing heals because it is due anyway.
    let mut house = House::start(1, &[]).await;
    remove_bootstrap(&house).await;
    let old = house.wait_for_token(1, ACCESS_SECRET).await;

    act(&mut house, 1, "rotate-key --drop-old").await;
    assert!(!is_taken(&house, 1, &old).await);
    house.ask(1, "shoot-access-waits", &[]).await; // the first call finds it out
    let refused = |shoot: &Shoot| shoot.reach() == Reach::Refused && shoot.own_refused.is_some();
    let shoot = wait_for_shoot(&house, 1, "refusal of every credential", refused).await;
    assert!(shoot.detail.contains(BOOTSTRAP_SECRET), "{}", shoot.detail);
    let event = wait_for_event(&house, ACCESS_SECRET).await;
    assert_eq!(event.reason.as_deref(), Some("ShootWithoutCredential"));
    assert!(event.message.unwrap().contains(BOOTSTRAP_SECRET));
    let metrics = house.lab.service("token-issuer").metrics().await.unwrap();
    for line in ["shoots{reach=\"refused\"} 1", "shoots_by_credential{credential=\"none\"} 1"] {
        assert!(metrics.contains(&format!("perennial_token_issuer_{line}")), "{metrics}");
    }
    let schedules = house.schedules().await;
    let own = schedules.iter().find(|schedule| schedule.name == ACCESS_SECRET).unwrap();
    assert_eq!(own.reason, "own_refused");
    assert!(own.detail.contains(BOOTSTRAP_SECRET), "{}", own.detail);

    let secret = bootstrap_secret(&namespace(1), house.lab.shoot(1)).unwrap();
    house.create(1, secret).await;
    let before = claims(&old);
    let new = house.wait(1, ACCESS_SECRET, "another token", |s| claims(s) != before).await;
    assert!(is_taken(&house, 1, &new).await);
    remove_bootstrap(&house).await;
    house.ask(1, "shoot-access-late", &[]).await;
    for name in ["shoot-access-waits", "shoot-access-late"] {
        house.wait_for_token(1, name).await;
    }
    let own = |shoot: &Shoot| shoot.credential() == Credential::Own && shoot.own_refused.is_none();
    wait_for_shoot(&house, 1, "own credential", own).await;
    house.end().await;
}

#[tokio::test]
async fn f_a_403_is_lived_with_by_the_bootstrap_credential_until_the_grants_are_there() {
    let house = House::start(1, &[]).await;
    let bindings: Api<ClusterRoleBinding> = Api::all(house.lab.shoot(1).client());
    let grants = bindings.get("perennial-token-issuer").await.unwrap();
    let mut without = grants.clone();
    let bootstrap = |subject: &Subject| subject.kind == "User";
    without.subjects.as_mut().unwrap().retain(bootstrap);
    bindings.replace("perennial-token-issuer", &PostParams::default(), &without).await.unwrap();

    house.ask(1, "shoot-access-late", &[]).await;
    house.wait_for_token(1, "shoot-access-late").await;
    let by = |credential| move |shoot: &Shoot| shoot.credential() == credential;
    wait_for_shoot(&house, 1, "bootstrap credential", by(Credential::Bootstrap)).await;

    let mut again = bindings.get("perennial-token-issuer").await.unwrap();
    again.subjects = grants.subjects;
    bindings.replace("perennial-token-issuer", &PostParams::default(), &again).await.unwrap();
    remove_bootstrap(&house).await;
    house.ask(1, "shoot-access-later", &[]).await;
    house.wait_for_token(1, "shoot-access-later").await;
    wait_for_shoot(&house, 1, "own credential", by(Credential::Own)).await;
    house.end().await;
}

#[tokio::test]
async fn f_a_proxy_of_the_environment_is_not_used() {
    let house = House::start(1, &[]).await;
    let tunnel = Tunnel::start().await;
    let proxies = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY"];
    let env = proxies.map(|name| format!("{name}=http://{}\n", tunnel.address)).concat();
    std::fs::write(house.lab.dir().env_file("token-issuer"), env).unwrap();
    house.lab.service("token-issuer").restart().await.unwrap();
    house.ask(1, "shoot-access-late", &[]).await;
    house.wait_for_token(1, "shoot-access-late").await;

    assert_eq!(tunnel.asked(), [""; 0]);
    house.end().await;
}

async fn remove_bootstrap(house: &House) {
    house.secrets(1).delete(BOOTSTRAP_SECRET, &DeleteParams::default()).await.unwrap();
}
