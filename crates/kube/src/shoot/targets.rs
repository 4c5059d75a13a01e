//! Targets: Secrets in a shoot that get a token in place of an access Secret (contract, B7).
//!
//! They belong to somebody else. Only our keys are touched: `token`, or the token of the current
//! context where there is a `kubeconfig`, and `bundle.crt`. Each write is a JSON Patch that tests
//! what was read just before, so nobody's update is lost, and unrelated edits stop nothing. No
//! Secret is ever deleted.

mod edit;
mod look;

use futures::{StreamExt as _, stream::BoxStream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{ObjectMeta, PatchParams, PostParams},
    runtime::watcher::{self, watcher},
};
use perennial_core::{
    issued::Left,
    kubeconfig::KubeconfigError,
    name::{AccountRef, SecretRef},
    target::TargetState,
    token::{Claims, Token, TokenHash},
};

use self::{
    edit::{first, later, leave, put, refresh, token_of, writable},
    look::look,
};
use super::{FIELD_MANAGER, ShootClient};
use crate::{
    call::bounded,
    error::Error,
    json_patch::{self, Operation, test},
    rewatch,
};

/// Looks at a Secret that others keep changing, as for access Secrets.
const ROUNDS_MAX: usize = 5;
/// The API server ends a watch after so long; a connection that died is noticed a little later.
const WATCH_SECONDS: u32 = 60;
/// The only type of a Secret that is ours to write. Others have a meaning to the shoot itself: a
/// bootstrap token, the token of a ServiceAccount.
const OPAQUE: &str = "Opaque";

/// A token to be put into a target.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Which Secret.
    pub target: SecretRef,
    /// The token.
    pub token: Token,
    /// CA certificates of the shoot, PEM, where they go beside it; a stale `bundle.crt` is removed
    /// where they do not (B5).
    pub ca_pem: Option<Vec<u8>>,
    /// What stood there before the token was issued.
    pub found: Option<TokenHash>,
}

/// What stands in a target after a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// What it says of itself.
    pub claims: Claims,
    /// Its SHA-256.
    pub sha256: TokenHash,
}

/// Why a target is not written. The text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// It means something to the shoot itself.
    #[error("it is of type {0}, and only Secrets of type Opaque are written; name another one")]
    Type(String),
    /// `immutable: true`
    #[error("it is immutable; delete it, and it is made anew")]
    Immutable,
    /// Being deleted.
    #[error("it is being deleted, and a finalizer still holds it")]
    Terminating,
    /// Its kubeconfig cannot take a token.
    #[error("its data key kubeconfig cannot take a token: {0}; correct it, or remove the key")]
    Kubeconfig(KubeconfigError),
    /// The namespace is not there, and we make none.
    #[error("its namespace does not exist in the shoot; create it")]
    NamespaceMissing,
    /// Others wrote it between every look and write of ours.
    #[error("it changed {ROUNDS_MAX} times under our hands")]
    Contended,
}

impl ShootClient {
    /// Whether a token could be put into this Secret, or the Secret be made, before a token is
    /// issued for it; and the SHA-256 of what stands there.
    ///
    /// # Errors
    /// Those of the calls.
    pub async fn check_target(
        &self,
        target: &SecretRef,
        inject_ca: bool,
    ) -> Result<Result<Option<TokenHash>, Unwritable>, Error> {
        match self.read_target(target).await? {
            Some(found) => Ok(writable(&found, inject_ca)
                .map(|()| token_of(&found).map(|token| TokenHash::of(&token)))),
            None => Ok(self.make_target(target, Secret::default(), true).await?.map(|_| None)),
        }
    }

    /// Puts a token into a target. A token of the same account that somebody put there since
    /// `found` was read and that is no older stays: the later `iat` wins.
    ///
    /// # Errors
    /// Those of the calls.
    pub async fn deliver(
        &self,
        delivery: &Delivery,
        claims: &Claims,
    ) -> Result<Result<Delivered, Unwritable>, Error> {
        let target = &delivery.target;
        let sha256 = delivery.token.hash();
        let ours = || Ok(Ok(Delivered { claims: claims.clone(), sha256: sha256.clone() }));
        let mut refusal = None;
        for _ in 0..ROUNDS_MAX {
            let Some(found) = self.read_target(target).await? else {
                match self.make_target(target, first(delivery), false).await? {
                    Ok(true) => return ours(),
                    Ok(false) => continue, // made by somebody else meanwhile
                    Err(unwritable) => return Ok(Err(unwritable)),
                }
            };
            if let Some(later) = later(&found, delivery, claims) {
                return Ok(Ok(later));
            }
            let operations = match put(&found, delivery) {
                Ok(operations) => operations,
                Err(unwritable) => return Ok(Err(unwritable)),
            };
            if self.patch_target(target, &found, operations, &mut refusal).await? {
                return ours();
            }
        }
        Ok(Err(Unwritable::Contended))
    }

    /// Brings the CA beside the token of a target to this one, or takes it away; the token stays.
    ///
    /// # Errors
    /// Those of the calls.
    pub async fn refresh_target(
        &self,
        target: &SecretRef,
        ca_pem: Option<&[u8]>,
    ) -> Result<Result<(), Unwritable>, Error> {
        self.edit_target(target, |found| refresh(found, ca_pem)).await
    }

    /// Takes from a former target what was put there: the token where it is the one that was, or
    /// one of this account, and the CA beside it. One that cannot be written is left as it is.
    ///
    /// # Errors
    /// Those of the calls.
    pub async fn leave_target(
        &self,
        left: &Left,
        account: &AccountRef,
    ) -> Result<Result<(), Unwritable>, Error> {
        self.edit_target(&left.secret, |found| Ok(leave(found, left, account))).await
    }

    /// What stands in a target, and every change of it. The stream does not end; whoever gets an
    /// error should pause before the next look.
    #[must_use]
    pub fn watch_target(
        &self,
        target: &SecretRef,
    ) -> BoxStream<'static, Result<TargetState, Error>> {
        let secrets = Api::namespaced(self.client.clone(), target.namespace.as_str());
        let config = watcher::Config::default()
            .fields(&format!("metadata.name={}", target.name))
            .timeout(WATCH_SECONDS);
        let operation = format!("watch target Secret {target}");
        let mut listed = false;
        let events = watcher(secrets, config).filter_map(move |event| {
            let state = match event {
                Err(error) => Some(Err(rewatch::trouble(&operation, error))),
                Ok(event) => look(event, &mut listed).map(Ok),
            };
            std::future::ready(state)
        });
        events.boxed()
    }

    async fn edit_target(
        &self,
        target: &SecretRef,
        operations: impl Fn(&Secret) -> Result<Vec<Operation>, Unwritable>,
    ) -> Result<Result<(), Unwritable>, Error> {
        let mut refusal = None;
        for _ in 0..ROUNDS_MAX {
            let Some(found) = self.read_target(target).await? else { return Ok(Ok(())) };
            let operations = match operations(&found) {
                Ok(operations) if operations.is_empty() => return Ok(Ok(())),
                Ok(operations) => operations,
                Err(unwritable) => return Ok(Err(unwritable)),
            };
            if self.patch_target(target, &found, operations, &mut refusal).await? {
                return Ok(Ok(()));
            }
        }
        Ok(Err(Unwritable::Contended))
    }

    async fn read_target(&self, target: &SecretRef) -> Result<Option<Secret>, Error> {
        let read = self.secrets(target);
        let read = read.get_opt(target.name.as_str());
        bounded(&format!("read target Secret {target}"), read).await
    }

    /// Makes it, or only tries whether it could be made. `false` where it is there already.
    async fn make_target(
        &self,
        target: &SecretRef,
        mut secret: Secret,
        dry_run: bool,
    ) -> Result<Result<bool, Unwritable>, Error> {
        secret.metadata =
            ObjectMeta { name: Some(target.name.to_string()), ..ObjectMeta::default() };
        secret.type_ = Some(OPAQUE.to_owned());
        let params = PostParams { dry_run, field_manager: Some(FIELD_MANAGER.to_owned()) };
        let secrets = self.secrets(target);
        let made = secrets.create(&params, &secret);
        match bounded(&format!("create target Secret {target}"), made).await {
            Ok(_) => Ok(Ok(true)),
            Err(error) if is_already_there(&error) => Ok(Ok(false)),
            Err(error) if error.code() == Some(404) => Ok(Err(Unwritable::NamespaceMissing)),
            Err(error) => Err(error),
        }
    }

    /// Whether it is written; `false` where it is no longer what was found. A failed test comes
    /// back as 422, so what is refused twice for one version is refused for another reason.
    async fn patch_target(
        &self,
        target: &SecretRef,
        found: &Secret,
        operations: Vec<Operation>,
        refused: &mut Option<String>,
    ) -> Result<bool, Error> {
        let params =
            PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let mut all = vec![test("/metadata/uid", serde_json::json!(found.metadata.uid))];
        all.extend(operations);
        let (secrets, patch) = (self.secrets(target), json_patch::patch(&all));
        let written = secrets.patch(target.name.as_str(), &params, &patch);
        let version = found.metadata.resource_version.clone().unwrap_or_default();
        match bounded(&format!("write target Secret {target}"), written).await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.code(), Some(404 | 409 | 422)) => {
                match refused.replace(version.clone()) == Some(version) {
                    true => Err(error),
                    false => Ok(false),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn secrets(&self, target: &SecretRef) -> Api<Secret> {
        Api::namespaced(self.client.clone(), target.namespace.as_str())
    }
}

fn is_already_there(error: &Error) -> bool {
    matches!(error, Error::Refused { code: 409, reason, .. } if reason == "AlreadyExists")
}
