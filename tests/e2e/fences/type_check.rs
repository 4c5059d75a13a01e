//! The type checker of Kubernetes has nothing against the policy. On a seed its verdict stands in
//! `status.typeChecking`; here it runs as a program, because the lab has no kube-controller-manager.

use std::process::Output;

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use perennial_lab::{Lab, fence::POLICY, repo};

pub(super) async fn the_policy_has_no_warning(lab: &Lab) {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(lab.seed().client());
    let verdict = check(POLICY, lab).await;
    assert!(verdict.status.success(), "{}", text(&verdict));

    // The same with a typing mistake, so that an empty verdict means something.
    let mut mistaken = policies.get(POLICY).await.unwrap();
    mistaken.metadata = ObjectMeta { name: Some("mistaken".to_owned()), ..ObjectMeta::default() };
    let validations = mistaken.spec.as_mut().unwrap().validations.as_mut().unwrap();
    let last = validations.last_mut().unwrap();
    last.expression = last.expression.replace("finalizers", "finalisers");
    policies.create(&PostParams::default(), &mistaken).await.unwrap();
    let verdict = check("mistaken", lab).await;
    assert!(
        !verdict.status.success() && text(&verdict).contains("finalisers"),
        "{}",
        text(&verdict)
    );
}

/// `-trimpath`, because the API server was built with it: what it is made of is compiled already.
async fn check(policy: &str, lab: &Lab) -> Output {
    let mut go = tokio::process::Command::new("go");
    go.args(["run", "-trimpath", "./typecheck"]).arg(lab.seed().kubeconfig()).arg(policy);
    go.current_dir(repo::root().unwrap().join("tests/cluster")).output().await.unwrap()
}

fn text(output: &Output) -> String {
    [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat()
}
