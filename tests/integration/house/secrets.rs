//! The access Secrets of a house, as users make and read them. None of this is counted.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use perennial_core::{keys, kubeconfig, token::Claims};
use perennial_lab::poll::Look;
use perennial_testing::access_secret::AccessSecret;
use serde_json::Value;

use super::{House, namespace};

impl House {
    /// Makes an access Secret for the ServiceAccount `kube-system`/`account`; its name is
    /// `shoot-access-` and the account.
    pub(crate) fn ask(&self, shoot: usize, account: &str) -> String {
        let name = format!("shoot-access-{account}");
        self.make(AccessSecret::new(&namespace(shoot), &name, account));
        name
    }

    pub(crate) fn make(&self, secret: AccessSecret) {
        self.seed.create(secret.json());
    }

    pub(crate) fn secret(&self, shoot: usize, name: &str) -> Value {
        self.seed.get("secrets", &namespace(shoot), name).expect("the Secret is there")
    }

    /// Changes a Secret as a stranger does.
    pub(crate) fn edit(&self, shoot: usize, name: &str, change: impl FnOnce(&mut Value)) {
        self.seed.edit("secrets", &namespace(shoot), name, change);
    }

    /// The Secret, once it is as wanted.
    pub(crate) async fn wait(
        &self,
        shoot: usize,
        name: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        self.until(&format!("{name} in shoot {shoot}: {what}"), async || {
            let secret = self.secret(shoot, name);
            if wanted(&secret) {
                return Look::Done(secret);
            }
            let held = token(&secret).map(|token| Claims::read(token.as_bytes()));
            Look::Waiting(format!(
                "{} {held:?} {}",
                secret["metadata"]["annotations"],
                self.standing(shoot, name).await
            ))
        })
        .await
    }

    pub(crate) async fn wait_for_token(&self, shoot: usize, name: &str) -> String {
        let secret = self.wait(shoot, name, "a token", |secret| token(secret).is_some()).await;
        token(&secret).unwrap()
    }

    /// Another token than this one.
    pub(crate) async fn wait_for_token_after(
        &self,
        shoot: usize,
        name: &str,
        held: &str,
    ) -> String {
        let other = |secret: &Value| token(secret).is_some_and(|token| token != held);
        token(&self.wait(shoot, name, "another token", other).await).unwrap()
    }
}

/// The token where it stands: in `token`, or in the kubeconfig.
pub(crate) fn token(secret: &Value) -> Option<String> {
    let data = |key: &str| {
        let text = secret["data"][key].as_str()?;
        Some(STANDARD.decode(text).expect("the API server takes only base64"))
    };
    let token = match data(keys::DATA_KUBECONFIG) {
        Some(document) => kubeconfig::current_token(&document).ok()??.expose().to_owned(),
        None => String::from_utf8(data(keys::DATA_TOKEN)?).ok()?,
    };
    (!token.is_empty()).then_some(token)
}

pub(crate) fn annotation<'a>(secret: &'a Value, key: &str) -> Option<&'a str> {
    secret["metadata"]["annotations"][key].as_str()
}

pub(crate) fn is_stamped(secret: &Value) -> bool {
    annotation(secret, keys::RENEW_TIMESTAMP).is_some() && token(secret).is_some()
}
