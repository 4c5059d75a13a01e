//! `deploy/examples`, on the seed of a lab, and where its files are for the component.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Namespace, Pod, Secret},
};
use kube::{
    Api,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use perennial_core::keys;
use perennial_lab::{Lab, Options, manifests, repo, shoot::namespace};
use serde_json::json;

use crate::house::House;

pub(super) const ACCESS_SECRET: &str = "shoot-access-kube-state-metrics";
/// Whom the shoot takes it for.
pub(super) const ACCOUNT: &str = "system:serviceaccount:kube-system:kube-state-metrics";
const DEPLOYMENT: &str = "kube-state-metrics";
const GENERIC: &str = "generic-kubeconfig";
/// Contract E, and what the Deployment says to its program.
const TOKEN_FILE: &str = "/var/run/secrets/gardener.cloud/shoot/token";
const KUBECONFIG_FILE: &str = "/var/run/secrets/gardener.cloud/shoot/kubeconfig";

/// Where a path of the container is, whose root is `container`.
pub(super) fn inside(path: &str, container: &Path) -> PathBuf {
    container.join(path.trim_start_matches('/'))
}

pub(super) fn token_path(container: &Path) -> PathBuf {
    inside(TOKEN_FILE, container)
}

pub(super) fn kubeconfig_path(container: &Path) -> PathBuf {
    inside(KUBECONFIG_FILE, container)
}

/// As a user does who has read nothing but the comments.
pub(super) async fn apply(house: &House) {
    apply_to(&house.lab).await;
    house.wait_for_token(1, ACCESS_SECRET).await;
}

async fn apply_to(lab: &Lab) {
    let folder = repo::root().unwrap().join("deploy/examples");
    manifests::apply_folder(&folder, &lab.seed().client()).await.unwrap();
}

/// As the seed holds it.
pub(super) async fn deployment(house: &House) -> Deployment {
    deployment_of(&house.lab).await
}

async fn deployment_of(lab: &Lab) -> Deployment {
    let deployments: Api<Deployment> = Api::namespaced(lab.seed().client(), &namespace(1));
    deployments.get(DEPLOYMENT).await.unwrap()
}

#[tokio::test]
async fn e_the_example_is_accepted_by_an_api_server_that_enforces_restricted_pods() {
    let lab = Lab::start(Options { start_services: false, ..Options::default() }).await.unwrap();
    let (seed, namespace) = (lab.seed().client(), namespace(1));
    let restrict =
        json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let namespaces: Api<Namespace> = Api::all(seed.clone());
    let params = PatchParams::default();
    namespaces.patch(&namespace, &params, &Patch::Merge(restrict)).await.unwrap();
    apply_to(&lab).await;

    let deployment = deployment_of(&lab).await;
    let pods: Api<Pod> = Api::namespaced(seed.clone(), &namespace);
    let mut pod = pod_of(&deployment);
    pods.create(&PostParams::default(), &pod).await.unwrap();
    // The label does something: the same Pod with one right more is refused.
    pod.metadata.name = Some("greedy".to_owned());
    pod.spec.as_mut().unwrap().host_network = Some(true);
    let refusal = pods.create(&PostParams::default(), &pod).await.unwrap_err().to_string();
    assert!(refusal.contains("violates PodSecurity"), "{refusal}");

    let args = deployment.spec.unwrap().template.spec.unwrap().containers.remove(0).args.unwrap();
    assert_eq!(args, [format!("--kubeconfig={KUBECONFIG_FILE}")]);
    let secrets: Api<Secret> = Api::namespaced(seed, &namespace);
    let generic = secrets.get(GENERIC).await.unwrap();
    let purpose = ("perennial.dev/purpose".to_owned(), GENERIC.to_owned());
    assert_eq!(generic.metadata.labels, Some(BTreeMap::from([purpose])));
    let access = secrets.get(ACCESS_SECRET).await.unwrap();
    assert!(access.metadata.labels.unwrap().contains_key(keys::PURPOSE));
    lab.stop().await.unwrap();
}

/// What a controller of Kubernetes makes of it.
fn pod_of(deployment: &Deployment) -> Pod {
    let template = deployment.spec.as_ref().unwrap().template.clone();
    let labels = template.metadata.unwrap().labels;
    let name = Some(format!("{DEPLOYMENT}-0"));
    Pod {
        metadata: ObjectMeta { name, labels, ..ObjectMeta::default() },
        spec: template.spec,
        ..Pod::default()
    }
}
