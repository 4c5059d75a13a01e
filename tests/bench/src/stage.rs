//! A lab with two sets of Secrets that are alike.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::{admissionregistration::v1::ValidatingAdmissionPolicy, core::v1::Secret};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use perennial_core::{clock::Clock as _, keys};
use perennial_lab::{
    Lab, Options, access_secret,
    dir::write_private,
    kubeconfig::Credential,
    poll::{Look, until},
    proxied::Proxied,
    shoot::namespace,
};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::scheduler_client::SchedulerClient;
use perennial_rpc::client::Channel;

use crate::watch::Watch;

/// Every Secret of the bench has this label; that of those that the services serve is `served`.
pub const LABEL: (&str, &str) = ("bench.perennial.dev/set", "served");
/// A class that nobody serves: the services do not even hear of them.
const CLASS_BARE: &str = "bench";
/// Secrets are made by so many calls at once.
const CALLS: usize = 16;
/// The admission policy in `deploy/seed`, and its variable with the classes that are served.
const POLICY: &str = "perennial-secret-writer";
const POLICY_CLASSES: &str = "ofServedClass";
/// An API server takes up a policy within seconds.
const POLICY_MAX: Duration = Duration::from_secs(30);
/// No limit: more than any API server does.
const RATE: u32 = 100_000;

/// How many Secrets, and over how many shoots.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Secrets of each set.
    pub secrets: usize,
    /// Shoots that they are spread over: all of them the one API server, each behind a proxy of its own. 0
    /// is the one without proxies.
    pub shoots: usize,
}

impl Size {
    /// The number of the shoot that a Secret belongs to.
    #[must_use]
    pub const fn shoot(&self, number: usize) -> usize {
        match self.shoots {
            0 => 1,
            shoots => 2 + number % shoots,
        }
    }

    /// How long something that is done to each Secret may take: at 20 a second, where a slow machine does 60.
    pub(crate) const fn patience(&self) -> Duration {
        Duration::from_secs(120 + self.secrets as u64 / 20)
    }
}

/// The lab, and what is needed to drive it.
#[derive(Debug)]
pub struct Stage {
    /// API servers and services.
    pub lab: Lab,
    /// How much of it.
    pub size: Size,
    /// Renewals at once.
    pub in_flight: usize,
    /// Sees both sets.
    pub watch: Watch,
    /// From the first Secret of the served ones that was made to the last first token.
    pub first_tokens: Duration,
}

impl Stage {
    /// Starts the lab, makes both sets, and waits until all of the served ones have their first token, and the
    /// others are as large as those.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn start(size: Size, in_flight: usize) -> Result<Self> {
        Self::start_with(size, in_flight, Options::default()).await
    }

    /// The same with other options for the lab.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn start_with(size: Size, in_flight: usize, options: Options) -> Result<Self> {
        let scheduler_args = vec![
            format!("--in-flight-max={in_flight}"),
            format!("--in-flight-per-shoot-max={in_flight}"),
            format!("--rate-max={RATE}"),
            format!("--rate-per-shoot-max={RATE}"),
        ];
        let proxied_shoots = size.shoots;
        let options = Options { scheduler_args, proxied_shoots, ..options };
        let lab = Lab::start(options).await?;
        let seed = lab.seed().client();
        let watch = Watch::begin(seed.clone());
        let mut stage = Self { lab, size, in_flight, watch, first_tokens: Duration::ZERO };
        let began = SystemClock.now();
        stage.make_served(&seed).await?;
        stage.first_tokens = SystemClock.now().duration_since(began).unsigned_abs();
        stage.make_bare(&seed).await?;
        stage.admit_bare(&seed).await?;
        Ok(stage)
    }

    /// Ends all processes.
    ///
    /// # Errors
    /// One does not end.
    pub async fn end(self) -> Result<()> {
        self.lab.stop().await
    }

    /// The scheduler, as an operator calls it.
    ///
    /// # Errors
    /// The certificates of the lab cannot be read.
    pub fn scheduler(&self) -> Result<SchedulerClient<Channel>> {
        Ok(SchedulerClient::new(self.lab.channel("operator", "scheduler")?))
    }

    /// A kubeconfig for the shoot with the token-issuer's own token, and the secret-writer's for the seed.
    ///
    /// # Errors
    /// There is no token, or no place for the file.
    pub async fn kubeconfigs(&self) -> Result<(PathBuf, PathBuf)> {
        let secrets: Api<Secret> = Api::namespaced(self.lab.seed().client(), &namespace(1));
        let own = secrets.get("shoot-access-token-issuer").await?;
        let token = access_secret::token(&own).context("the token-issuer has no token")?;
        let path = self.lab.dir().root().join("bare-shoot.kubeconfig");
        // Through a proxy where the services' calls go through one: it has its cost on the same cores.
        let proxied = self.lab.proxied().first().map(Proxied::endpoint);
        let endpoint = proxied.unwrap_or_else(|| self.lab.shoot(1).endpoint());
        write_private(&path, &endpoint.kubeconfig("shoot", &Credential::Token(&token)))?;
        Ok((self.lab.dir().kubeconfig("secret-writer"), path))
    }

    async fn make_served(&self, seed: &Client) -> Result<()> {
        make(seed, self.size, served).await?;
        let look = async || {
            let held = self.watch.served()?;
            Ok(match held >= self.size.secrets {
                true => Look::Done(()),
                false => Look::Waiting(format!("{held} of {} first tokens", self.size.secrets)),
            })
        };
        until("first tokens", self.size.patience(), look).await
    }

    /// The same Secrets under other names and a class that nobody serves, with the token and the note of the
    /// first one: a patch of them is as large as ours.
    async fn make_bare(&self, seed: &Client) -> Result<()> {
        let api: Api<Secret> = Api::namespaced(seed.clone(), &namespace(self.size.shoot(0)));
        let model = api.get(&served_name(0)).await?;
        let bare = |number: usize| {
            let mut secret = served(number);
            secret.metadata.name = Some(bare_name(number));
            let labels = secret.metadata.labels.get_or_insert_default();
            labels.insert(keys::CLASS.to_owned(), CLASS_BARE.to_owned());
            labels.insert(LABEL.0.to_owned(), "bare".to_owned());
            let annotations = secret.metadata.annotations.get_or_insert_default();
            for key in [keys::RENEW_TIMESTAMP, keys::ISSUED] {
                let held = model.metadata.annotations.as_ref().and_then(|all| all.get(key));
                annotations.extend(held.map(|value| (key.to_owned(), value.clone())));
            }
            secret.data = model.data.clone();
            secret
        };
        make(seed, self.size, bare).await
    }
}

impl Stage {
    /// The admission policy of `deploy/` admits writes of classes that are served alone. The bare loop has its
    /// cost too, so its class is one of those, for the API server.
    async fn admit_bare(&self, seed: &Client) -> Result<()> {
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(seed.clone());
        let mut policy = policies.get(POLICY).await?;
        let variables = policy.spec.iter_mut().flat_map(|spec| spec.variables.iter_mut().flatten());
        for variable in variables.filter(|variable| variable.name == POLICY_CLASSES) {
            let both = format!("[\"{}\", \"{CLASS_BARE}\"]", keys::CLASS_SHOOT);
            let one = format!("[\"{}\"]", keys::CLASS_SHOOT);
            variable.expression = variable.expression.replace(&one, &both);
        }
        policies.replace(POLICY, &PostParams::default(), &policy).await?;
        let path = self.lab.dir().kubeconfig("secret-writer");
        let writer = perennial_kube::seed::connect(Some(&path)).await?;
        let secrets: Api<Secret> = Api::namespaced(writer, &namespace(self.size.shoot(0)));
        let params = PatchParams { dry_run: true, ..PatchParams::default() };
        let key = keys::RENEW_TIMESTAMP;
        let patch = serde_json::json!({"metadata": {"annotations": {key: "2026-11-29T00:00:00Z"}}});
        let look = async || match secrets.patch(&bare_name(0), &params, &Patch::Merge(&patch)).await
        {
            Ok(_) => Ok(Look::Done(())),
            Err(error) => Ok(Look::Waiting(error.to_string())),
        };
        until("the policy that admits the bare loop", POLICY_MAX, look).await
    }
}

async fn make(seed: &Client, size: Size, secret: impl Fn(usize) -> Secret) -> Result<()> {
    let made = stream::iter(0..size.secrets).map(|number| {
        let api: Api<Secret> = Api::namespaced(seed.clone(), &namespace(size.shoot(number)));
        let secret = secret(number);
        async move { api.create(&PostParams::default(), &secret).await.map(drop) }
    });
    Ok(made.buffer_unordered(CALLS).try_collect::<()>().await?)
}

fn served(number: usize) -> Secret {
    let mut secret = access_secret::build(&served_name(number), &account(number), &[]);
    let labels = secret.metadata.labels.get_or_insert_default();
    labels.insert(LABEL.0.to_owned(), LABEL.1.to_owned());
    secret
}

/// Name of a Secret that the services serve.
#[must_use]
pub fn served_name(number: usize) -> String {
    format!("shoot-access-served-{number:05}")
}

/// Name of its twin, which the bare loop renews.
#[must_use]
pub fn bare_name(number: usize) -> String {
    format!("shoot-access-bare-{number:05}")
}

/// Name of the ServiceAccount of both.
#[must_use]
pub fn account(number: usize) -> String {
    format!("component-{number:05}")
}
