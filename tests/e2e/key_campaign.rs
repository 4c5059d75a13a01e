//! A signing key is exchanged as the book says: a new key signs while the old one is still accepted, a
//! campaign renews every token of the old one, then the old one is dropped. No consumer sees a 401.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::{authentication::v1::SelfSubjectReview, core::v1::Secret};
use kube::{Api, Client, api::PostParams};
use perennial_core::clock::Clock as _;
use perennial_lab::{
    kubeconfig::{Credential, Endpoint},
    poll::{Look, until},
    shoot::namespace,
};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{
    CampaignPhase, CampaignProgress, StartCampaignRequest, WatchCampaignRequest,
    start_campaign_request::Wanted,
};
use tokio::task::JoinSet;

use crate::{
    house::{House, access_secret, claims},
    maker::act,
    witness::Witness,
};

const SECRETS: usize = 2_000;
/// Secrets are made by so many calls at once.
const CALLS: usize = 16;
/// So many consumers, each with a Secret of its own.
const CONSUMERS: usize = 40;
/// A consumer reads its token anew so often, as a kubelet writes the file and a client reads it: here
/// faster, and still with tokens that are replaced while somebody uses them.
const REREAD: Duration = Duration::from_secs(4);
/// Between two uses of a token.
const BEAT: Duration = Duration::from_millis(400);
/// How long the old key stays after the campaign: until every consumer has read its token anew.
const READ_BY_ALL: Duration = Duration::from_secs(REREAD.as_secs() + 2);
const FIRST_MAX: Duration = Duration::from_secs(240);
const CAMPAIGN_MAX: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_tokens_change_their_signing_key_and_no_consumer_sees_a_401() {
    let mut house = House::start(1, &[]).await;
    make_secrets(&house).await;
    let witness = Arc::new(Witness::begin(house.lab.seed().client()).await);
    let look = async || {
        let held = witness.holding();
        let done = held > SECRETS; // and the token-issuer's own
        Ok(if done { Look::Done(()) } else { Look::Waiting(format!("{held} tokens")) })
    };
    until("first tokens", FIRST_MAX, look).await.unwrap();
    let old = key(&house.secrets(1).get(&name(0)).await.unwrap());
    let consumers = Consumers::begin(&house, &witness);

    act(&mut house, 1, "rotate-key").await;
    let granted = house.counts().await.shoot.tokens_granted(); // since its start with the new key
    let begin = SystemClock.now();
    let done = campaign(&house, &old).await;
    let took = SystemClock.now().duration_since(begin).unsigned_abs();
    let spent = house.counts().await.shoot.tokens_granted();
    assert_eq!(done.phase(), CampaignPhase::Done, "{done:?}");
    let secrets: Api<Secret> = house.secrets(1);
    let stored = secrets.list(&Default::default()).await.unwrap();
    let is_old =
        |secret: &&Secret| claims(secret).is_some_and(|c| c.key_id.as_deref() == Some(&*old));
    assert_eq!(stored.items.iter().filter(is_old).count(), 0, "done is said when all are written");

    tokio::time::sleep(READ_BY_ALL).await;
    act(&mut house, 1, "rotate-key --drop-old").await;
    let with_new_alone = Consumers::begin(&house, &witness);
    tokio::time::sleep(2 * REREAD).await;
    assert_eq!(
        with_new_alone.stop().await.without_success,
        0,
        "everybody is served by the new key"
    );
    let uses = consumers.stop().await;
    println!(
        "{} tokens renewed in {took:.1?} ({:.0} a second), {granted} before and {spent} after it granted by \
         the new key; consumers: {} good answers, {} while the API server was down, {} of 401",
        done.done,
        done.done as f64 / took.as_secs_f64(),
        uses.good,
        uses.down,
        uses.refused.len()
    );
    println!("{} other answers, such as {:?}", uses.odd.len(), uses.odd.first());
    println!("while it was down: {}", uses.down_as);
    assert_eq!(uses.refused, [""; 0]);
    assert!(uses.good > 0 && witness.wrongs().is_empty(), "{:?}", witness.wrongs());
    // Each once; the token-issuer's own may have followed the new key by itself before.
    let all = SECRETS as u64 + 1;
    assert!((SECRETS as u64..=all).contains(&(spent - granted.min(1))), "{granted}, then {spent}");
    assert_eq!(done.total, all);
    house.end().await;
}

fn name(number: usize) -> String {
    format!("shoot-access-component-{number}")
}

fn key(secret: &Secret) -> String {
    claims(secret).unwrap().key_id.unwrap().to_string()
}

async fn make_secrets(house: &House) {
    let secrets: Api<Secret> = house.secrets(1);
    let made = stream::iter(0..SECRETS).map(|number| {
        let secrets = secrets.clone();
        async move {
            let secret = access_secret(&name(number), &[]);
            secrets.create(&PostParams::default(), &secret).await.map(drop)
        }
    });
    made.buffer_unordered(CALLS).try_collect::<()>().await.unwrap();
}

/// Begins a campaign that replaces every token of a key, and waits until it is over.
async fn campaign(house: &House, old: &str) -> CampaignProgress {
    let request = StartCampaignRequest {
        namespace: namespace(1),
        reason: "the signing key is exchanged".to_owned(),
        wanted: Some(Wanted::NotSignedBy(old.to_owned())),
        ..StartCampaignRequest::default()
    };
    let mut scheduler = house.scheduler();
    let begun = scheduler.start_campaign(request).await.unwrap().into_inner();
    let id = begun.campaign.unwrap().id;
    let follow = async {
        let request = WatchCampaignRequest { id };
        let mut stream = scheduler.watch_campaign(request).await.unwrap().into_inner();
        loop {
            let progress = stream.message().await.unwrap().unwrap().progress.unwrap();
            if progress.phase() != CampaignPhase::Running {
                return progress;
            }
        }
    };
    tokio::time::timeout(CAMPAIGN_MAX, follow).await.expect("the campaign is done")
}

/// They use tokens until [`Consumers::stop`].
struct Consumers {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Uses>,
}

/// What came of it.
#[derive(Default)]
struct Uses {
    good: u64,
    /// Consumers without any.
    without_success: u64,
    /// Nobody answered: the API server is started anew with its keys.
    down: u64,
    /// How that showed last.
    down_as: String,
    /// Any other answer.
    odd: Vec<String>,
    refused: Vec<String>,
}

impl Consumers {
    fn begin(house: &House, witness: &Arc<Witness>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for number in 0..CONSUMERS {
            let secret = format!("{}/{}", namespace(1), name(number * SECRETS / CONSUMERS));
            let shoot = house.lab.shoot(1).endpoint().clone();
            tasks.spawn(consume(secret, shoot, Arc::clone(witness), Arc::clone(&stop)));
        }
        Self { stop, tasks }
    }

    async fn stop(self) -> Uses {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await.into_iter().fold(Uses::default(), |mut all, uses| {
            all.good += uses.good;
            all.without_success += u64::from(uses.good == 0);
            all.down += uses.down;
            all.down_as = uses.down_as;
            all.odd.extend(uses.odd);
            all.refused.extend(uses.refused);
            all
        })
    }
}

async fn consume(
    secret: String,
    shoot: Endpoint,
    witness: Arc<Witness>,
    stop: Arc<AtomicBool>,
) -> Uses {
    let mut uses = Uses::default();
    while !stop.load(Ordering::Relaxed) {
        let token = witness.token(&secret).expect("it has a token");
        let read = SystemClock.now();
        let client = shoot.client(&Credential::Token(&token)).await.unwrap();
        while SystemClock.now().duration_since(read).unsigned_abs() < REREAD
            && !stop.load(Ordering::Relaxed)
        {
            match use_once(client.clone()).await {
                Ok(()) => uses.good += 1,
                Err(kube::Error::Api(status)) if status.code == 401 => {
                    uses.refused.push(format!("{secret}: {status}"));
                }
                Err(error @ kube::Error::Api(_)) => uses.odd.push(format!("{secret}: {error}")),
                Err(error) => {
                    uses.down += 1;
                    uses.down_as = format!("{error:?}");
                }
            }
            tokio::time::sleep(BEAT).await;
        }
    }
    uses
}

async fn use_once(client: Client) -> Result<(), kube::Error> {
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await.map(drop)
}
