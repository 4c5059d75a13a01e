//! A lab, and the things users do in it.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{
    ByteString,
    api::{authentication::v1::SelfSubjectReview, core::v1::Secret},
};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use perennial_core::{keys, token::Claims};
use perennial_lab::{
    Lab, Options,
    access_secret::{self, token},
    counts::RequestCounts,
    kubeconfig::Credential,
    poll::{Look, until},
};
use perennial_proto::scheduler::v1::{
    ListSchedulesRequest, RenewNowRequest, Schedule, scheduler_client::SchedulerClient,
};
use perennial_rpc::client::Channel;
use tonic::Status;

/// Longest wait for anything a test waits for.
pub(crate) const MOMENT: Duration = Duration::from_secs(30);
/// An API server counts a request a little after its answer: counts are compared once they have
/// stayed the same for this long.
pub(crate) const QUIET: Duration = Duration::from_millis(700);

/// A running lab with one or more shoots.
pub(crate) struct House {
    pub(crate) lab: Lab,
}

impl House {
    pub(crate) async fn start(shoots: usize, scheduler_args: &[&str]) -> Self {
        let options = Options {
            shoots,
            scheduler_args: scheduler_args.iter().map(|arg| (*arg).to_owned()).collect(),
            ..Options::default()
        };
        Self { lab: Lab::start(options).await.unwrap() }
    }

    /// A house for tests that need other things than shoots and flags of the scheduler.
    pub(crate) async fn start_with(options: Options) -> Self {
        Self { lab: Lab::start(options).await.unwrap() }
    }

    pub(crate) async fn end(self) {
        self.lab.stop().await.unwrap();
    }

    pub(crate) fn secrets(&self, shoot: usize) -> Api<Secret> {
        Api::namespaced(self.lab.seed().client(), &perennial_lab::shoot::namespace(shoot))
    }

    /// Makes an access Secret for a ServiceAccount in `kube-system`, as a user does.
    pub(crate) async fn ask(&self, shoot: usize, name: &str, more: &[(&str, &str)]) {
        self.create(shoot, access_secret(name, more)).await;
    }

    pub(crate) async fn create(&self, shoot: usize, secret: Secret) {
        self.secrets(shoot).create(&PostParams::default(), &secret).await.unwrap();
    }

    pub(crate) async fn annotate(&self, shoot: usize, name: &str, key: &str, value: Option<&str>) {
        let patch = serde_json::json!({"metadata": {"annotations": {key: value}}});
        let patch = Patch::Merge(patch);
        self.secrets(shoot).patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// The Secret, once it is as wanted.
    pub(crate) async fn wait(
        &self,
        shoot: usize,
        name: &str,
        what: &str,
        wanted: impl Fn(&Secret) -> bool,
    ) -> Secret {
        let secrets = self.secrets(shoot);
        let look = async || {
            let secret = secrets.get(name).await?;
            let state = || format!("{:?} {:?}", secret.metadata.annotations, claims(&secret));
            Ok(if wanted(&secret) { Look::Done(secret) } else { Look::Waiting(state()) })
        };
        until(&format!("{name}: {what}"), MOMENT, look).await.unwrap()
    }

    pub(crate) async fn wait_for_token(&self, shoot: usize, name: &str) -> Secret {
        self.wait(shoot, name, "a token", |secret| token(secret).is_some()).await
    }

    /// Whom the shoot takes the token of this Secret for.
    pub(crate) async fn user_of(&self, shoot: usize, secret: &Secret) -> String {
        let token = token(secret).expect("the Secret has a token");
        let client = self.lab.shoot(shoot).client_with(&Credential::Token(&token)).await.unwrap();
        let reviews: Api<SelfSubjectReview> = Api::all(client);
        let review = SelfSubjectReview::default();
        let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
        answer.status.unwrap().user_info.unwrap().username.unwrap()
    }

    /// What seed and first shoot have been asked so far, once nothing is being asked any more.
    pub(crate) async fn counts(&self) -> Counts {
        let mut last = self.counts_now().await;
        loop {
            tokio::time::sleep(QUIET).await;
            let next = self.counts_now().await;
            if next.relevant() == last.relevant() {
                return next;
            }
            last = next;
        }
    }

    async fn counts_now(&self) -> Counts {
        Counts {
            seed: self.lab.seed().request_counts().await.unwrap(),
            shoot: self.lab.shoot(1).request_counts().await.unwrap(),
        }
    }
}

/// What the API servers say they were asked.
pub(crate) struct Counts {
    pub(crate) seed: RequestCounts,
    pub(crate) shoot: RequestCounts,
}

impl Counts {
    fn relevant(&self) -> [u64; 5] {
        [
            self.shoot.token_requests(),
            self.shoot.token_reviews(),
            self.shoot.writes("serviceaccounts"),
            self.seed.writes("secrets"),
            self.gets(),
        ]
    }

    /// Single Secrets read on the seed.
    pub(crate) fn gets(&self) -> u64 {
        self.seed.count(|r| r.verb == "GET" && r.resource == "secrets")
    }

    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self { seed: self.seed.since(&earlier.seed), shoot: self.shoot.since(&earlier.shoot) }
    }
}

/// For the account that its name ends with.
pub(crate) fn access_secret(name: &str, more: &[(&str, &str)]) -> Secret {
    access_secret::build(name, name.trim_start_matches("shoot-access-"), more)
}

/// The same, with a kubeconfig of `document` in its data.
pub(crate) fn kubeconfig_secret(name: &str, document: &str) -> Secret {
    let mut secret = access_secret(name, &[]);
    let data = ByteString(document.as_bytes().to_vec());
    secret.data = Some(BTreeMap::from([(keys::DATA_KUBECONFIG.to_owned(), data)]));
    secret
}

pub(crate) fn claims(secret: &Secret) -> Option<Claims> {
    Claims::read(token(secret)?.as_bytes()).ok()
}

pub(crate) fn annotation<'a>(secret: &'a Secret, key: &str) -> Option<&'a str> {
    secret.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

/// A connection to the scheduler as the operator.
type Scheduler = SchedulerClient<Channel>;

impl House {
    /// A channel to a service with the certificate of `role`.
    pub(crate) fn channel(&self, role: &str, service: &str) -> Channel {
        self.lab.channel(role, service).unwrap()
    }

    pub(crate) fn scheduler(&self) -> Scheduler {
        SchedulerClient::new(self.channel("operator", "scheduler"))
    }

    /// Renews one Secret as an operator does, and answers when it is written.
    pub(crate) async fn renew_now(&self, shoot: usize, name: &str) -> Result<Schedule, Status> {
        let namespace = perennial_lab::shoot::namespace(shoot);
        let request = RenewNowRequest { namespace, name: name.to_owned() };
        let answer = self.scheduler().renew_now(request).await?;
        Ok(answer.into_inner().schedule.expect("an answer has a schedule"))
    }

    pub(crate) async fn schedules(&self) -> Vec<Schedule> {
        let request = ListSchedulesRequest::default();
        self.scheduler().list_schedules(request).await.unwrap().into_inner().schedules
    }
}
