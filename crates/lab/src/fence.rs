//! The admission policy around the secret-writer: fitted to the classes it serves, and waited for.
//!
//! An API server takes a second or so to heed a new policy, and nothing in its status says when: that
//! is written by kube-controller-manager, which no lab has. So the lab tries, by a dry run in the name
//! of the secret-writer that must be refused.

use std::time::Duration;

use ::http::Request;
use anyhow::{Context, Result};
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, Client};
use perennial_core::keys;
use serde_json::json;

use crate::lab::Options;
use crate::poll::{Look, until};
use crate::service::NAMESPACE;
use crate::shoot::{self, BOOTSTRAP_SECRET};

/// The name of policy and binding in `deploy/seed`.
pub const POLICY: &str = "perennial-secret-writer";

/// The one variable of the policy that depends on the flags of the secret-writer.
const OF_SERVED_CLASS: &str = "ofServedClass";

/// API servers look for new policies once a second.
const EFFECTIVE_MAX: Duration = Duration::from_secs(60);

/// Fits the policy to the flags of the secret-writer, as the comment in the manifest tells whoever
/// installs it.
///
/// # Errors
/// `deploy/seed` is not applied, or the policy has no such variable any more.
pub(crate) async fn fit(options: &Options, seed: &Client) -> Result<()> {
    let Some(expression) = of_served_class(&options.writer_args) else { return Ok(()) };
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(seed.clone());
    let mut policy = policies.get(POLICY).await.context("failed to read the admission policy")?;
    let variables = policy.spec.as_mut().and_then(|spec| spec.variables.as_mut());
    let served = variables.into_iter().flatten().find(|v| v.name == OF_SERVED_CLASS);
    let served = served.with_context(|| format!("{POLICY} has no variable {OF_SERVED_CLASS}"))?;
    served.expression = expression;
    let replaced = policies.replace(POLICY, &PostParams::default(), &policy).await;
    replaced.context("failed to fit the admission policy to the classes").map(drop)
}

/// The expression for other flags than the default.
fn of_served_class(writer_args: &[String]) -> Option<String> {
    if writer_args.iter().any(|arg| arg == "--any-class") {
        return Some("true".to_owned());
    }
    let apart = writer_args.windows(2).filter(|two| two[0] == "--class").map(|two| &*two[1]);
    let inline = writer_args.iter().filter_map(|arg| arg.strip_prefix("--class="));
    let classes: Vec<&str> = inline.chain(apart).flat_map(|value| value.split(',')).collect();
    let class = format!("oldObject.metadata.?labels[?\"{}\"].orValue(\"\")", keys::CLASS);
    (!classes.is_empty()).then(|| format!("{class} in {}", json!(classes)))
}

/// Waits until the policy is heeded.
///
/// # Errors
/// Not within a minute, or the dry run fails for another reason.
pub(crate) async fn wait_effective(seed: &Client) -> Result<()> {
    let look = async || match touch_a_foreign_secret(seed).await {
        Err(kube::Error::Api(status)) if status.message.contains(POLICY) => Ok(Look::Done(())),
        Err(error) => Err(error).context("failed to try the admission policy"),
        Ok(_) => Ok(Look::Waiting("a foreign Secret may be written".to_owned())),
    };
    until("effect of the admission policy", EFFECTIVE_MAX, look).await
}

/// What the secret-writer must never do, as a dry run: an annotation on a Secret without label.
async fn touch_a_foreign_secret(seed: &Client) -> kube::Result<Secret> {
    let namespace = shoot::namespace(1);
    let patch = json!({"metadata": {"annotations": {keys::ISSUED: "{}"}}});
    let request = Request::patch(format!(
        "/api/v1/namespaces/{namespace}/secrets/{BOOTSTRAP_SECRET}?dryRun=All"
    ))
    .header("Content-Type", "application/merge-patch+json")
    .header("Impersonate-User", format!("system:serviceaccount:{NAMESPACE}:secret-writer"))
    .body(patch.to_string().into_bytes())
    .map_err(kube::Error::HttpError)?;
    seed.request(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(args: &[&str]) -> Option<String> {
        of_served_class(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_policy_follows_the_classes_of_the_secret_writer() {
        let class = "oldObject.metadata.?labels[?\"resources.gardener.cloud/class\"].orValue(\"\")";
        assert_eq!(fitted(&["--audience=x"]), None, "the manifest is right as it is");
        assert_eq!(fitted(&["--any-class"]).unwrap(), "true");
        let two = format!("{class} in [\"shoot\",\"seed\"]");
        assert_eq!(fitted(&["--class=shoot,seed"]).unwrap(), two);
        assert_eq!(fitted(&["--class", "shoot", "--class", "seed"]).unwrap(), two);
    }

    #[test]
    fn the_manifest_has_the_variable_as_the_lab_would_write_it_for_the_default() {
        let path =
            crate::repo::root().unwrap().join("deploy/seed/secret-writer-admission-policy.yaml");
        let manifest = std::fs::read_to_string(path).unwrap();
        let expression = fitted(&["--class=shoot"]).unwrap();
        assert!(
            manifest
                .contains(&format!("- name: {OF_SERVED_CLASS}\n    expression: {expression}\n"))
        );
    }
}
