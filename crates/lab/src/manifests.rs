//! Applying a folder of `deploy/`, as `kubectl apply --server-side -f` would.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use kube::{Api, Client};

/// Who owns the fields.
const FIELD_MANAGER: &str = "perennial-lab";

/// Applies every object of every `*.yaml` of a folder, in the order of the file names.
///
/// # Errors
/// The folder has no manifest, one does not parse, or the API server refuses one.
pub async fn apply_folder(folder: &Path, client: &Client) -> Result<()> {
    let files = files(folder)?;
    ensure!(!files.is_empty(), "no *.yaml in {}", folder.display());
    for file in files {
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("failed to read {}", file.display()))?;
        apply_text(&text, client).await.with_context(|| format!("in {}", file.display()))?;
    }
    Ok(())
}

/// Applies every document of a YAML text.
///
/// # Errors
/// A document does not parse or the API server refuses it.
pub async fn apply_text(text: &str, client: &Client) -> Result<()> {
    for object in parse(text)? {
        let name = object.metadata.name.clone().context("an object without name")?;
        apply(&name, &object, client).await.with_context(|| format!("failed to apply {name}"))?;
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("failed to read {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml");
    let mut files: Vec<_> = entries.into_iter().filter(is_yaml).collect();
    files.sort();
    Ok(files)
}

fn parse(text: &str) -> Result<Vec<DynamicObject>> {
    serde_saphyr::from_multiple(text).context("failed to parse the manifests")
}

async fn apply(name: &str, object: &DynamicObject, client: &Client) -> Result<()> {
    let types = object.types.as_ref().context("an object without apiVersion and kind")?;
    let kind = GroupVersionKind::try_from(types)?;
    let (resource, capabilities) = pinned_kind(client, &kind).await?;
    let namespace = object.metadata.namespace.as_deref();
    let api: Api<DynamicObject> = match (capabilities.scope, namespace) {
        (Scope::Cluster, _) => Api::all_with(client.clone(), &resource),
        (Scope::Namespaced, Some(namespace)) => {
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
        (Scope::Namespaced, None) => anyhow::bail!("{} without namespace", kind.kind),
    };
    let params = PatchParams {
        // A key that the API server does not know is a typing mistake in deploy/.
        field_validation: Some(kube::api::ValidationDirective::Strict),
        ..PatchParams::apply(FIELD_MANAGER).force()
    };
    api.patch(name, &params, &Patch::Apply(object)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_manifests_of_deploy_parse_with_whole_numbers() {
        for folder in ["deploy/seed", "deploy/shoot", "deploy/examples"] {
            for file in files(&crate::repo::root().unwrap().join(folder)).unwrap() {
                let objects = parse(&std::fs::read_to_string(&file).unwrap()).unwrap();
                assert!(!objects.is_empty(), "{}", file.display());
                let text = serde_json::to_string(&objects).unwrap();
                assert!(!text.contains(":8443.0"), "{}", file.display());
            }
        }
    }
}
