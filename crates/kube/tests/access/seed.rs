//! A seed, access Secrets on it, and tokens to write.
//!
//! The seed is the fake API server, or a real one: inside a lab the same suite runs on its seed
//! (`perennial-lab run -- cargo test -p perennial-kube --test access`).

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use perennial_core::{
    inputs::Interpretation,
    issued::{Issued, IssuedFor},
    keys,
    name::SecretRef,
    reason::Reason,
    token::{Claims, Token},
    window::{Plan, Window},
};
use perennial_kube::access::{AccessSecrets, Order, Outcome, Put, Seen};
use perennial_testing::{
    api_server::{Calls, FakeApiServer},
    clock::ManualClock,
    kubeconfig::{self, Credential},
};
use serde_json::{Value, json};

/// A kubeconfig that takes a token, with parts that only a faithful edit leaves alone.
pub(crate) const KUBECONFIG: &str = "\
# hands off
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: \"https://shoot.example\"}}]
users:
- name: u
  user:
    token: \"\"
    0x10: 0123
";

static NAMESPACES: AtomicU32 = AtomicU32::new(0);

/// A namespace of its own on an API server.
pub(crate) struct Seed {
    /// Absent where the API server is a real one.
    pub(crate) fake: Option<FakeApiServer>,
    pub(crate) access: AccessSecrets,
    pub(crate) secrets: Api<Secret>,
    pub(crate) namespace: String,
}

impl Seed {
    /// On the lab's seed inside a lab, else on a fake.
    pub(crate) async fn new() -> Self {
        match std::env::var_os("LAB_SEED_KUBECONFIG") {
            Some(kubeconfig) => {
                let client = perennial_kube::seed::connect(Some(kubeconfig.as_ref())).await;
                Self::on(client.unwrap(), None).await
            }
            None => Self::fake().await,
        }
    }

    /// On a fake, for what only that can do.
    pub(crate) async fn fake() -> Self {
        let fake = FakeApiServer::start(Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH))).await;
        let document = kubeconfig::document(&fake.url(), &fake.ca_pem(), Credential::None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        std::fs::write(&path, document).unwrap();
        let client = perennial_kube::seed::connect(Some(&path)).await.unwrap();
        Self::on(client, Some(fake)).await
    }

    async fn on(client: Client, fake: Option<FakeApiServer>) -> Self {
        let number = NAMESPACES.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("shoot--{}--{number}", std::process::id());
        let object: Namespace =
            serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces.create(&PostParams::default(), &object).await.unwrap();
        Self {
            fake,
            access: AccessSecrets::new(client.clone(), Interpretation::default()),
            secrets: Api::namespaced(client, &namespace),
            namespace,
        }
    }

    /// What the fake was asked from now on until `act` is done.
    pub(crate) async fn calls(&self, act: impl Future) -> Calls {
        let fake = self.fake.as_ref().unwrap();
        let before = fake.calls();
        act.await;
        fake.calls().since(&before)
    }

    /// Creates an access Secret; `data` as base64, absent where null.
    pub(crate) async fn create(&self, name: &str, data: Value) -> Seen {
        let mut object = json!({"metadata": {
            "name": name,
            "labels": {keys::PURPOSE: keys::PURPOSE_TOKEN_REQUESTOR, keys::CLASS: "shoot"},
            "annotations": {keys::ACCOUNT_NAME: name, keys::ACCOUNT_NAMESPACE: "kube-system"},
        }});
        if !data.is_null() {
            object["data"] = data;
        }
        let object = serde_json::from_value(object).unwrap();
        self.secrets.create(&PostParams::default(), &object).await.unwrap();
        self.seen(name).await
    }

    pub(crate) async fn seen(&self, name: &str) -> Seen {
        let secret = SecretRef::parse(&self.namespace, name).unwrap();
        self.access.get(&secret).await.unwrap().unwrap()
    }

    pub(crate) async fn edit(&self, name: &str, merge: Value) -> Secret {
        let params = PatchParams::default();
        self.secrets.patch(name, &params, &Patch::Merge(merge)).await.unwrap()
    }

    pub(crate) async fn object(&self, name: &str) -> Secret {
        self.secrets.get(name).await.unwrap()
    }

    pub(crate) async fn write(&self, order: &Order) -> Outcome {
        self.access.write(order).await.unwrap()
    }
}

pub(crate) fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// The value of a data key as text.
pub(crate) fn data(object: &Secret, key: &str) -> Option<String> {
    let value = object.data.as_ref()?.get(key)?;
    Some(String::from_utf8(value.0.clone()).unwrap())
}

/// The token of generation `issued_at` for the Secret that was seen.
pub(crate) fn order(seen: &Seen, issued_at: i64, ca_pem: Option<&[u8]>) -> Order {
    let inputs = seen.record.inputs.as_ref().unwrap();
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = part(json!({
        "iat": issued_at, "exp": issued_at + 36_000, "iss": "https://shoot.example",
        "sub": format!("system:serviceaccount:kube-system:{}", inputs.account.name),
    }));
    let token = Token::new(format!("{}.{claims}.c2ln", part(json!({"alg": "RS256"}))));
    let claims = Claims::read(token.expose().as_bytes()).unwrap();
    let plan = Plan::draw(&claims, 86_400, Window::ORDINARY, 1.0);
    let note = Issued::note(IssuedFor {
        token: token.hash(),
        claims: &claims,
        inputs,
        plan,
        reason: Reason::NothingHeld,
        written_at: Timestamp::UNIX_EPOCH,
        streak: 0,
        spent: 0,
        left: Vec::new(),
        generation: None,
    });
    Order {
        seen: Arc::new(seen.clone()),
        put: Put::of(inputs.mode, token, ca_pem.map(<[u8]>::to_vec)),
        latest: plan.latest,
        note,
    }
}

pub(crate) fn written(outcome: Outcome) -> Seen {
    match outcome {
        Outcome::Written(seen) => seen,
        Outcome::Changed(now) => panic!("not written, it is now {now:?}"),
    }
}
