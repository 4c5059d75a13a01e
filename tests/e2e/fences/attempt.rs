//! One attempt at the fence: who does what to which Secret, and what the API server says.

use std::{fmt, time::Duration};

use k8s_openapi::api::{
    core::v1::Secret,
    rbac::v1::{ClusterRole, ClusterRoleBinding},
};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use perennial_lab::{Lab, fence::POLICY, kubeconfig::Credential, service::NAMESPACE};
use serde_json::{Value, json};

/// A namespace with no Secret but those of the cases, because one of them deletes all there are.
const PLACE: &str = "fences";

/// A row of the table in `docs/security.md`.
pub(super) struct Case {
    /// What is tried, as the table says it.
    pub(super) attempt: String,
    pub(super) who: Who,
    /// The Secret as it stands before; none where the attempt makes it.
    pub(super) before: Option<Value>,
    pub(super) act: Act,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Copy)]
pub(super) enum Who {
    Writer,
    Admin,
    /// The ServiceAccount of another service, with the same rights.
    Another,
}

pub(super) enum Act {
    Read,
    Merge(Value),
    JsonPatch(Value),
    /// A PUT of the object as this makes it.
    Put(fn(&mut Value)),
    /// Server-side apply, with force.
    Apply(Value),
    Create(Value),
    Delete,
    DeleteCollection,
}

#[derive(PartialEq)]
pub(super) enum Outcome {
    /// By the policy, with these words.
    Denied(&'static str),
    /// By the API server itself, with these words.
    Refused(&'static str),
    Passes,
    /// It passes, and should better not: what the fence cannot hold.
    Remains,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(words) => write!(f, "denied: {words}"),
            Self::Refused(words) => write!(f, "refused by the API server: {words}"),
            Self::Passes => f.write_str("passes"),
            Self::Remains => f.write_str("**passes**"),
        }
    }
}

pub(super) struct World {
    admin: Client,
    writer: Client,
    another: Client,
}

impl World {
    pub(super) async fn open(lab: &Lab) -> Self {
        let admin = lab.seed().client();
        let namespace = json!({"metadata": {"name": PLACE}});
        let namespaces = Api::<k8s_openapi::api::core::v1::Namespace>::all(admin.clone());
        let namespace = serde_json::from_value(namespace).unwrap();
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        widen(&admin).await;
        let writer = account(lab, "secret-writer").await;
        Self { admin, writer, another: account(lab, "scheduler").await }
    }

    /// What the API server said, in the words of [`Outcome`].
    pub(super) async fn attempt(&self, case: &Case, name: &str) -> String {
        let before = case.before.clone().map(|mut secret| {
            secret["metadata"]["name"] = name.into();
            serde_json::from_value::<Secret>(secret).unwrap()
        });
        if let Some(secret) = &before {
            self.secrets(Who::Admin).create(&PostParams::default(), secret).await.unwrap();
        }
        let answer = self.act(case, name).await;
        match answer {
            Ok(()) if case.outcome == Outcome::Remains => Outcome::Remains.to_string(),
            Ok(()) => Outcome::Passes.to_string(),
            Err(kube::Error::Api(status)) => told(&status, &case.outcome),
            Err(error) => error.to_string(),
        }
    }

    async fn act(&self, case: &Case, name: &str) -> kube::Result<()> {
        let secrets = self.secrets(case.who);
        let plain = PatchParams::default();
        match &case.act {
            Act::Read => secrets.get(name).await.map(drop),
            Act::Merge(patch) => secrets.patch(name, &plain, &Patch::Merge(patch)).await.map(drop),
            Act::JsonPatch(operations) => {
                let patch = serde_json::from_value(operations.clone()).unwrap();
                secrets.patch(name, &plain, &Patch::<()>::Json(patch)).await.map(drop)
            }
            Act::Put(edit) => {
                let held = self.secrets(Who::Admin).get(name).await?;
                let mut object = serde_json::to_value(held).unwrap();
                edit(&mut object);
                let object = serde_json::from_value(object).unwrap();
                secrets.replace(name, &PostParams::default(), &object).await.map(drop)
            }
            Act::Apply(patch) => {
                let mut object = json!({"apiVersion": "v1", "kind": "Secret"});
                object.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
                object["metadata"]["name"] = name.into();
                let apply = PatchParams::apply("perennial-secret-writer").force();
                secrets.patch(name, &apply, &Patch::Apply(object)).await.map(drop)
            }
            Act::Create(secret) => {
                let mut secret = secret.clone();
                secret["metadata"]["name"] = name.into();
                let secret = serde_json::from_value(secret).unwrap();
                secrets.create(&PostParams::default(), &secret).await.map(drop)
            }
            Act::Delete => secrets.delete(name, &DeleteParams::default()).await.map(drop),
            Act::DeleteCollection => {
                let all = ListParams::default();
                secrets.delete_collection(&DeleteParams::default(), &all).await.map(drop)
            }
        }
    }

    fn secrets(&self, who: Who) -> Api<Secret> {
        let client = match who {
            Who::Writer => &self.writer,
            Who::Admin => &self.admin,
            Who::Another => &self.another,
        };
        Api::namespaced(client.clone(), PLACE)
    }
}

/// RBAC refuses with 403 too, so the name of the policy in the message tells who denied.
fn told(status: &kube::core::Status, expected: &Outcome) -> String {
    let by_policy = status.code == 403 && status.message.contains(&format!("'{POLICY}'"));
    match expected {
        Outcome::Denied(words) if by_policy && status.message.contains(words) => {
            expected.to_string()
        }
        Outcome::Refused(words) if !by_policy && status.message.contains(words) => {
            expected.to_string()
        }
        _ => format!("{} {}", status.code, status.message),
    }
}

/// Every verb on Secrets for the two accounts.
async fn widen(admin: &Client) {
    let role = json!({
        "metadata": {"name": "fences-widened"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}],
    });
    let binding = json!({
        "metadata": {"name": "fences-widened"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "fences-widened"},
        "subjects": [
            {"kind": "ServiceAccount", "name": "secret-writer", "namespace": NAMESPACE},
            {"kind": "ServiceAccount", "name": "scheduler", "namespace": NAMESPACE},
        ],
    });
    let (role, binding) =
        (serde_json::from_value(role).unwrap(), serde_json::from_value(binding).unwrap());
    let params = PostParams::default();
    Api::<ClusterRole>::all(admin.clone()).create(&params, &role).await.unwrap();
    Api::<ClusterRoleBinding>::all(admin.clone()).create(&params, &binding).await.unwrap();
}

async fn account(lab: &Lab, name: &str) -> Client {
    let token = lab.seed().token(NAMESPACE, name, Duration::from_secs(3600)).await.unwrap();
    lab.seed().client_with(&Credential::Token(&token)).await.unwrap()
}
