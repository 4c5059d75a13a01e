//! A consumer for each access Secret: takes the token that stands there now, and uses it at the
//! shoot, again and again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, Client, api::PostParams};
use perennial_lab::kubeconfig::{Credential, Endpoint};
use tokio::task::JoinSet;

use crate::{house::House, witness::Witness};

/// Between two uses of one token.
const BEAT: Duration = Duration::from_millis(500);
/// Longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// They use tokens until [`Consumers::stop`].
pub(crate) struct Consumers {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Uses>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    /// Answers that took the token for whom it is.
    pub(crate) good: u64,
    /// Everything else.
    pub(crate) bad: Vec<String>,
}

impl Consumers {
    /// One for each Secret of the witness.
    pub(crate) fn begin(house: &House, witness: &Arc<Witness>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for secret in witness.secrets() {
            let number = secret.split_once('/').unwrap().0.rsplit('-').next().unwrap();
            let shoot = house.lab.shoot(number.parse().unwrap()).endpoint().clone();
            tasks.spawn(consume(secret, shoot, Arc::clone(witness), Arc::clone(&stop)));
        }
        Self { stop, tasks }
    }

    pub(crate) async fn stop(self) -> Uses {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Uses::default();
        for uses in self.tasks.join_all().await {
            all.good += uses.good;
            all.bad.extend(uses.bad);
        }
        all
    }
}

async fn consume(
    secret: String,
    shoot: Endpoint,
    witness: Arc<Witness>,
    stop: Arc<AtomicBool>,
) -> Uses {
    let (mut uses, mut held): (_, Option<(String, Client)>) = (Uses::default(), None);
    while !stop.load(Ordering::Relaxed) {
        match witness.token(&secret) {
            None => uses.bad.push(format!("{secret} has no token")),
            Some(token) => {
                if held.as_ref().is_none_or(|(held, _)| *held != token) {
                    let client = shoot.client(&Credential::Token(&token)).await.unwrap();
                    held = Some((token, client));
                }
                let (_, client) = held.as_ref().unwrap();
                match use_once(client.clone()).await {
                    Ok(()) => uses.good += 1,
                    Err(problem) => uses.bad.push(format!("{secret}: {problem}")),
                }
            }
        }
        tokio::time::sleep(BEAT).await;
    }
    uses
}

async fn use_once(client: Client) -> Result<(), String> {
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    let (params, review) = (PostParams::default(), SelfSubjectReview::default());
    let asked = tokio::time::timeout(ANSWER_MAX, reviews.create(&params, &review));
    let answer = asked.await.map_err(|_| "no answer")?.map_err(|error| error.to_string())?;
    let user = answer.status.and_then(|status| status.user_info?.username).unwrap_or_default();
    match user.starts_with("system:serviceaccount:kube-system:") {
        true => Ok(()),
        false => Err(format!("taken for {user:?}")),
    }
}
