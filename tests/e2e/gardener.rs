//! A seed as Gardener leaves it: `gardener-internal`, an access Secret in kubeconfig mode that is
//! already there in each shoot namespace, is the token-issuer's own (contract, section F). And a new
//! CA in it reaches everybody who wants one (contract, section C).

mod new_ca;

use k8s_openapi::api::{
    core::v1::Secret,
    rbac::v1::{ClusterRole, ClusterRoleBinding},
};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use perennial_core::keys;
use perennial_lab::{kubeconfig::Credential, shoot::BOOTSTRAP_SECRET};
use perennial_proto::{
    issuer::v1::{Credential as InUse, Reach, Shoot},
    scheduler::v1::Schedule,
};
use serde_json::json;

use crate::{
    house::{House, annotation, claims, kubeconfig_secret},
    maker::wait_for_shoot,
};

const OWN: &str = "gardener-internal";
const PLAIN: &str = "shoot-access-kube-scheduler";
const THIEF: &str = "shoot-access-thief";

#[tokio::test]
async fn c_f_on_a_gardener_seed_the_own_secret_is_already_there_and_a_new_ca_in_it_reaches_all() {
    let house = House::start(1, &[]).await;
    grant(&house).await;
    for (service, flag) in [("token-issuer", "shoot"), ("scheduler", "own")] {
        let flag = format!("--{flag}-secret={OWN}\n");
        std::fs::write(house.lab.dir().flags_file(service), flag).unwrap();
        house.lab.service(service).restart().await.unwrap();
    }
    let endpoint = house.lab.shoot(1).endpoint().kubeconfig("shoot", &Credential::None);
    house.create(1, kubeconfig_secret(OWN, &endpoint)).await;
    let stamped = |secret: &Secret| annotation(secret, keys::RENEW_TIMESTAMP).is_some();
    let own = house.wait(1, OWN, "a token that was proved", stamped).await;
    assert_eq!(claims(&own).unwrap().granted_seconds(), 12 * 3_600, "it says nothing of 30 days");
    assert_eq!(house.user_of(1, &own).await, "system:serviceaccount:kube-system:gardener-internal");

    house.secrets(1).delete(BOOTSTRAP_SECRET, &DeleteParams::default()).await.unwrap();
    let before = house.counts().await;
    house.lab.service("token-issuer").restart().await.unwrap();
    let with_own =
        |shoot: &Shoot| shoot.reach() == Reach::Reachable && shoot.credential() == InUse::Own;
    wait_for_shoot(&house, 1, "its own credential", with_own).await;
    house.ask(1, PLAIN, &[]).await;
    house.wait_for_token(1, PLAIN).await;
    let spent = house.counts().await.since(&before);
    assert_eq!(spent.shoot.tokens_granted(), 1, "and none of its own: {:?}", spent.shoot);

    // It is cluster-admin of the shoot: nobody else gets its token by naming it.
    house.ask(1, THIEF, &[(keys::ACCOUNT_NAME, OWN)]).await;
    let refused = |schedule: &Schedule| {
        schedule.last_failure.as_ref().is_some_and(|failure| failure.code == "POLICY_OWN_ACCOUNT")
    };
    house.wait_for_schedule(1, THIEF, "a refusal", refused).await;
    house.secrets(1).delete(THIEF, &DeleteParams::default()).await.unwrap();

    new_ca::reaches_all_who_want_it(OWN, &house).await;
    house.end().await;
}

/// As `docs/operations.md` says; and in the shoot the account is cluster-admin, as Gardener has it.
async fn grant(house: &House) {
    let roles: Api<ClusterRole> = Api::all(house.lab.seed().client());
    let mut role = roles.get("perennial-token-issuer").await.unwrap();
    role.rules.as_mut().unwrap()[0].resource_names.as_mut().unwrap().push(OWN.to_owned());
    roles.replace("perennial-token-issuer", &PostParams::default(), &role).await.unwrap();
    let bindings: Api<ClusterRoleBinding> = Api::all(house.lab.shoot(1).client());
    let binding = json!({
        "metadata": {"name": OWN},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
            "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": OWN, "namespace": "kube-system"}],
    });
    let binding = serde_json::from_value(binding).unwrap();
    bindings.create(&PostParams::default(), &binding).await.unwrap();
}
