//! A model of the reference, Gardener's TokenRequestor, for tests beside it and after it.
//!
//! One call of [`Reference::reconcile`] is one activation of its controller, by a timer or an edit:
//! it reads the Secret; without timestamp or token, or once the timestamp has passed, or where a
//! TokenReview does not know the token, it brings the ServiceAccount to its whole map of labels,
//! asks for a token, and writes token and timestamp as a merge patch under the resourceVersion that
//! it read. The timestamp is now + 80 % of what is left of the token, at most of 24 h, and up to
//! 5 % more by chance: 80 to 84 %. A kubeconfig is written anew as a whole.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    ByteString,
    api::{
        authentication::v1::{TokenRequest, TokenRequestSpec, TokenReview, TokenReviewSpec},
        core::v1::{Secret, ServiceAccount},
    },
};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
    config::Kubeconfig,
};
use perennial_core::{clock::Clock, go, keys, kubeconfig, window::place_of};
use serde_json::json;

const LIFETIME_SECONDS: i64 = 12 * 60 * 60;
const LIFETIME_MAX: SignedDuration = SignedDuration::from_hours(24);
const FIELD_MANAGER: &str = "gardener-resource-manager";

/// The controller.
#[derive(Clone)]
pub(crate) struct Reference {
    pub(crate) seed: Client,
    pub(crate) shoot: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) audiences: Vec<String>,
}

/// How an activation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// It is none of its Secrets.
    Ignored,
    /// The token stays until then.
    Later(Timestamp),
    /// There is another token, until then.
    Renewed(Timestamp),
}

impl Reference {
    pub(crate) async fn reconcile(&self, namespace: &str, name: &str) -> Result<Done, kube::Error> {
        // Read before the Secret: a test may put the clock forward by hours meanwhile, which no process
        // lives through between two of its lines.
        let now = self.clock.now();
        let secrets: Api<Secret> = Api::namespaced(self.seed.clone(), namespace);
        let secret = secrets.get(name).await?;
        let label = |key: &str| secret.metadata.labels.as_ref()?.get(key).map(String::as_str);
        let relevant = label(keys::PURPOSE) == Some(keys::PURPOSE_TOKEN_REQUESTOR)
            && label(keys::CLASS) == Some(keys::CLASS_SHOOT);
        if !relevant {
            return Ok(Done::Ignored);
        }
        if let Some(until) = self.requeue(now, &secret).await? {
            return Ok(Done::Later(until));
        }
        let account = self.account(&secret).await?;
        let (token, expires_at) = self.token(&secret, &account).await?;
        let now = self.clock.now();
        let left = expires_at.duration_since(now).min(LIFETIME_MAX);
        let share = 0.80 * (1.0 + 0.05 * place_of(token.as_bytes()));
        let until = now + SignedDuration::from_secs_f64(left.as_secs_f64() * share);
        let until = Timestamp::from_second(until.as_second()).unwrap();
        secrets
            .patch(
                name,
                &PatchParams::apply(FIELD_MANAGER),
                &Patch::Merge(json!({
                    "metadata": {"resourceVersion": secret.metadata.resource_version,
                        "annotations": {keys::RENEW_TIMESTAMP: until.to_string()}},
                    "data": data(&secret, &token),
                })),
            )
            .await?;
        Ok(Done::Renewed(until))
    }

    /// Until when the token may stay; `None` where another one is needed.
    async fn requeue(
        &self,
        now: Timestamp,
        secret: &Secret,
    ) -> Result<Option<Timestamp>, kube::Error> {
        let Some(stamp) = annotation(secret, keys::RENEW_TIMESTAMP) else { return Ok(None) };
        let Some(token) = held(secret) else { return Ok(None) };
        let until: Timestamp = stamp.parse().expect("the tests write no nonsense");
        if until <= now {
            return Ok(None);
        }
        let reviews: Api<TokenReview> = Api::all(self.shoot.clone());
        let spec = TokenReviewSpec { token, audiences: Some(self.audiences.clone()) };
        let review = TokenReview { spec, ..TokenReview::default() };
        let answer = reviews.create(&PostParams::default(), &review).await?;
        let known = answer.status.and_then(|status| status.authenticated) == Some(true);
        Ok(known.then_some(until))
    }

    /// `CreateOrUpdate` of the ServiceAccount, labels as a whole.
    async fn account(&self, secret: &Secret) -> Result<ServiceAccount, kube::Error> {
        let namespace = annotation(secret, keys::ACCOUNT_NAMESPACE).expect("a test names it");
        let name = annotation(secret, keys::ACCOUNT_NAME).expect("a test names it");
        let labels: Option<BTreeMap<String, String>> = annotation(secret, keys::ACCOUNT_LABELS)
            .map(|labels| serde_json::from_str(labels).expect("a test writes no nonsense"));
        let accounts: Api<ServiceAccount> = Api::namespaced(self.shoot.clone(), namespace);
        let params = PostParams::default();
        let Some(found) = accounts.get_opt(name).await? else {
            let metadata =
                ObjectMeta { name: Some(name.to_owned()), labels, ..ObjectMeta::default() };
            let automount_service_account_token = Some(false);
            let account = ServiceAccount {
                metadata,
                automount_service_account_token,
                ..ServiceAccount::default()
            };
            return accounts.create(&params, &account).await;
        };
        let mut wanted = found.clone();
        (wanted.metadata.labels, wanted.automount_service_account_token) = (labels, Some(false));
        if wanted == found {
            return Ok(found);
        }
        accounts.replace(name, &params, &wanted).await
    }

    async fn token(
        &self,
        secret: &Secret,
        account: &ServiceAccount,
    ) -> Result<(String, Timestamp), kube::Error> {
        let metadata = &account.metadata;
        let (namespace, name) = (metadata.namespace.as_deref(), metadata.name.as_deref());
        let accounts: Api<ServiceAccount> =
            Api::namespaced(self.shoot.clone(), namespace.expect("an account has one"));
        let lifetime = annotation(secret, keys::TOKEN_LIFETIME);
        let lifetime = lifetime.map(|text| go::duration(text).expect("a test writes no nonsense"));
        let seconds = lifetime.map_or(LIFETIME_SECONDS, |lifetime| lifetime.as_secs());
        let spec = TokenRequestSpec {
            audiences: Some(self.audiences.clone()),
            expiration_seconds: Some(seconds),
            ..TokenRequestSpec::default()
        };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let name = name.expect("an account has one");
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await?;
        let status = answer.status.expect("an answer has one");
        let expires_at = status.expiration_timestamp.expect("an answer has one").0;
        Ok((status.token.expect("an answer has one"), expires_at))
    }
}

fn annotation<'a>(secret: &'a Secret, key: &str) -> Option<&'a str> {
    let text = secret.metadata.annotations.as_ref()?.get(key)?;
    (!text.is_empty()).then_some(text.as_str())
}

fn value<'a>(secret: &'a Secret, key: &str) -> Option<&'a [u8]> {
    secret.data.as_ref()?.get(key).map(|value| value.0.as_slice())
}

fn held(secret: &Secret) -> Option<String> {
    let Some(document) = value(secret, keys::DATA_KUBECONFIG) else {
        return Some(String::from_utf8_lossy(value(secret, keys::DATA_TOKEN)?).into_owned());
    };
    let token = kubeconfig::current_token(document).expect("a test writes no nonsense")?;
    Some(token.expose().to_owned()).filter(|token| !token.is_empty())
}

/// What it writes: the token, or the kubeconfig decoded and encoded again.
fn data(secret: &Secret, token: &str) -> serde_json::Value {
    let Some(document) = value(secret, keys::DATA_KUBECONFIG) else {
        return json!({keys::DATA_TOKEN: ByteString(token.as_bytes().to_vec()),
            keys::DATA_BUNDLE: null});
    };
    let text = String::from_utf8_lossy(document);
    let mut document = Kubeconfig::from_yaml(&text).expect("a test writes no nonsense");
    let current = document.current_context.clone();
    let context = document.contexts.iter().find(|context| Some(&context.name) == current.as_ref());
    let user = context.and_then(|context| context.context.as_ref()?.user.clone());
    let users = document.auth_infos.iter_mut();
    for user in users.filter(|named| Some(&named.name) == user.as_ref()) {
        user.auth_info.get_or_insert_default().token = Some(token.to_owned().into());
    }
    let encoded = serde_json::to_vec(&document).expect("it was decoded"); // JSON is YAML
    json!({keys::DATA_KUBECONFIG: ByteString(encoded)})
}
