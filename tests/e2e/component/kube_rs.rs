//! kube-rs: a client that is made once and reads its tokenFile by itself.

use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::{ANSWER_MAX, Answer, BEAT, STAGGER, Until, taken_for_the_account};

const KIND: &str = "kube-rs";

pub(super) async fn run(number: usize, kubeconfig: PathBuf, mut until: Until) {
    let stagger = STAGGER * u32::try_from(number).unwrap();
    if !until.pause(stagger).await {
        return;
    }
    let client = client(&kubeconfig).await;
    loop {
        let answer = whoami(client.clone()).await;
        until.tell(KIND, number, answer);
        if !until.pause(BEAT).await {
            return;
        }
    }
}

async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    // A proxy from the environment cannot reach 127.0.0.1 of this machine.
    config.proxy_url = None;
    // A request that fails is to be seen.
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

async fn whoami(client: Client) -> Answer {
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    let (params, review) = (PostParams::default(), SelfSubjectReview::default());
    let asked = tokio::time::timeout(ANSWER_MAX, reviews.create(&params, &review));
    let answer = asked.await.map_err(|_| "no answer")?.map_err(|error| error.to_string())?;
    taken_for_the_account(answer.status.and_then(|status| status.user_info).unwrap_or_default())
}
