//! The accounts of Kubernetes' own controllers: nobody outside the control plane has a use for
//! their tokens, and several of them are cluster-admin in effect (`clusterrole-aggregation-controller`
//! may escalate, `generic-garbage-collector` and `namespace-controller` may delete anything).

use perennial_core::name::AccountRef;

/// Their namespace.
const NAMESPACE: &str = "kube-system";

/// Accounts that kube-controller-manager and cloud-controller-manager act as with
/// `--use-service-account-credentials`, all in `kube-system`. From Kubernetes 1.37: the clients of
/// `cmd/kube-controller-manager/app` and `k8s.io/cloud-provider/app`, and the subjects of the roles
/// `system:controller:*` that an API server makes at its start. A test compares the list with the
/// roles of a real API server; it changes with the version that `tests/cluster/go.mod` pins.
pub(super) const CONTROLLERS: [&str; 47] = [
    "attachdetach-controller",
    "bootstrap-signer",
    "certificate-controller",
    "cloud-provider",
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "device-taint-eviction-controller",
    "disruption-controller",
    "endpoint-controller",
    "endpointslice-controller",
    "endpointslicemirroring-controller",
    "ephemeral-volume-controller",
    "expand-controller",
    "generic-garbage-collector",
    "horizontal-pod-autoscaler",
    "job-controller",
    "kube-apiserver-serving-clustertrustbundle-publisher",
    "legacy-service-account-token-cleaner",
    "namespace-controller",
    "node-controller",
    "persistent-volume-binder",
    "pod-garbage-collector",
    "podcertificaterequestcleaner",
    "podgroup-protection-controller",
    "pv-protection-controller",
    "pvc-protection-controller",
    "replicaset-controller",
    "replication-controller",
    "resource-claim-controller",
    "resourcepoolstatusrequest-controller",
    "resourcequota-controller",
    "root-ca-cert-publisher",
    "route-controller",
    "selinux-warning-controller",
    "service-account-controller",
    "service-cidrs-controller",
    "service-controller",
    "statefulset-controller",
    "storage-version-garbage-collector",
    "storage-version-migrator-controller",
    "token-cleaner",
    "ttl-after-finished-controller",
    "ttl-controller",
    "validatingadmissionpolicy-status-controller",
    "volumeattributesclass-protection-controller",
];

/// Whether an account is one of them.
pub(super) fn is_controller(account: &AccountRef) -> bool {
    account.namespace.as_str() == NAMESPACE && CONTROLLERS.contains(&account.name.as_str())
}
