//! The target picture whole: a component on the seed, with the generic kubeconfig and its token as
//! files, works in the shoot through one renewal after the other, and through a revocation with a
//! grace, and notices nothing.
//!
//! ```text
//!   access Secret ──┐ seed                                             ┌─ client-go ─┐
//!                   ├─ Kubelet: one folder, swapped whole ── tokenFile ┼─ kubectl    ├─ Ledger
//!   generic kubeconfig ┘  (deploy/examples)                            └─ kube-rs ───┘
//! ```
//!
//! Each request asks the shoot who is asking. The API server answers with the account and the id of
//! the token that it accepted, so it is the shoot that says which token was used when.

mod client_go;
mod example;
mod kube_rs;
mod kubectl;
mod kubelet;
mod ledger;

use std::{path::Path, sync::Arc, time::Duration};

use k8s_openapi::api::authentication::v1::UserInfo;
use perennial_core::{clock::Clock as _, keys};
use perennial_lab::{
    Options,
    poll::{Look, until},
};
use perennial_process::clock::SystemClock;
use tokio::{sync::watch, task::JoinSet};

use self::{
    example::{ACCESS_SECRET, ACCOUNT},
    kubelet::Kubelet,
    ledger::{Answer, Ledger, Seen, Summary},
};
use crate::house::{House, claims};

/// Clients of each library, each with a token cache of its own. They begin at different moments of
/// the life of a token, so that between them they read at every one.
const CLIENTS: usize = 10;
const STAGGER: Duration = Duration::from_secs(5);
/// Between two requests of one client.
const BEAT: Duration = Duration::from_secs(1);
/// Longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// client-go and kube read a tokenFile again once it is 50 s since they did, "once a minute".
const REREAD_MAX: Duration = Duration::from_secs(60);
const RENEWALS: usize = 10;
/// The shortest life that an API server grants.
const LIFETIME: &str = "10m";

/// How much is to be seen.
struct Goal {
    basis: &'static str,
    /// Options of `perennial revoke`.
    revoke: &'static [&'static str],
    /// Between two looks of the kubelet at the Secrets; with zero it follows them at once.
    sync: Duration,
    bound: Duration,
    long: bool,
}

impl Goal {
    /// For CI: a renewal every 6 s, until the clients of each kind have used eleven tokens between
    /// them, and the first of each has lived through ten renewals and changed its token. The files
    /// change at once, so a grace of a little more than [`REREAD_MAX`] will do.
    const SHORT: Self = Self {
        basis: "--renewal-basis=8s",
        revoke: &["--grace=65s"],
        sync: Duration::ZERO,
        bound: Duration::from_secs(240),
        long: false,
    };
    /// `make consumers`: a renewal every 46 to 51 s, until every single client has used eleven tokens
    /// and the first of them has expired. Whoever had kept it would be refused. The kubelet looks every
    /// two minutes, the longest that a mounted Secret takes, and the grace is the default one.
    const LONG: Self = Self {
        basis: "--renewal-basis=64s",
        revoke: &[],
        sync: Duration::from_secs(120),
        bound: Duration::from_secs(2_400),
        long: true,
    };

    fn of_environment() -> Self {
        match std::env::var("PERENNIAL_CONSUMERS").as_deref() {
            Ok("long") => Self::LONG,
            _ => Self::SHORT,
        }
    }

    fn reached(&self, kubelet: &Kubelet, ledger: &Ledger) -> bool {
        let summary = ledger.summary(kubelet);
        let first_expired = kubelet.first_expiry() < SystemClock.now();
        let enough = |kind: &Seen| {
            let used = kind.clients.values().map(|client| client.tokens.len());
            let first = kind.clients.get(&0);
            kind.tokens.len() > RENEWALS
                && first.is_some_and(|it| it.renewals >= RENEWALS && it.tokens.len() > 1)
                && (!self.long || used.min() > Some(RENEWALS))
        };
        summary.kinds.len() == 3
            && summary.kinds.values().all(enough)
            && (!self.long || first_expired)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d_e_components_with_a_token_file_see_ten_renewals_a_revocation_and_no_failed_request() {
    let goal = Goal::of_environment();
    let kubectl = perennial_lab::binaries::kubectl().await.unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let container = scratch.path().join("container");
    let token_file = format!("--token-file={}", example::token_path(&container).display());
    let options = Options {
        writer_args: vec![token_file],
        scheduler_args: vec![goal.basis.to_owned()],
        ..Options::default()
    };
    let house = House::start_with(options).await;
    example::apply(&house).await;
    house.annotate(1, ACCESS_SECRET, keys::TOKEN_LIFETIME, Some(LIFETIME)).await;
    house.annotate(1, ACCESS_SECRET, keys::REVOCABLE, Some("true")).await;
    let short = |secret: &_| {
        claims(secret).is_some_and(|c| {
            c.expires_at.as_second() - c.issued_at.as_second() == 600 && c.bound.is_some()
        })
    };
    house.wait(1, ACCESS_SECRET, "a revocable token of ten minutes", short).await;

    let deployment = example::deployment(&house).await;
    let kubelet = Kubelet::begin(&deployment, &container, &house, goal.sync).await;
    let kubeconfig = example::kubeconfig_path(&container);
    let before = reviews(&house).await;
    let components = Components::begin(&kubeconfig, &kubectl, &house).await;
    let revoked = async {
        // Clients of each kind have used a token of the first generation.
        let begun = async || {
            let summary = components.ledger.summary(&kubelet);
            let all = summary.kinds.len() == 3;
            Ok(if all { Look::Done(()) } else { Look::Waiting(summary.to_string()) })
        };
        until("each kind at work", goal.bound, begun).await.unwrap();
        house.revoke(ACCESS_SECRET, goal.revoke).await
    };
    let look = async || {
        let summary = components.ledger.summary(&kubelet);
        let done = goal.reached(&kubelet, &components.ledger) || !summary.failed.is_empty();
        Ok(if done { Look::Done(()) } else { Look::Waiting(summary.to_string()) })
    };
    let renewed = until("ten renewals seen by each", goal.bound, look);
    let (revoked, renewed) = tokio::join!(revoked, renewed);
    renewed.unwrap();
    println!("{}", String::from_utf8_lossy(&revoked.stdout));
    assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
    assert_eq!(house.generations_of(ACCESS_SECRET).await, [2], "the first one is gone");
    let ledger = components.end().await;

    let summary = ledger.summary(&kubelet);
    println!("{summary}");
    assert_eq!(summary.failed, [""; 0], "failed requests");
    for (kind, seen) in &summary.kinds {
        assert!(seen.tokens.len() > RENEWALS, "{kind} used {} tokens", seen.tokens.len());
        assert!(seen.overdue <= REREAD_MAX, "{kind} kept a token for {:.1?}", seen.overdue);
    }
    told_by_the_shoot_too(&summary, before, &house).await;
    house.end().await;
}

/// Good answers to this kind of request, and others.
async fn reviews(house: &House) -> (u64, u64) {
    let counts = house.lab.shoot(1).request_counts().await.unwrap();
    let count =
        |good| counts.count(|r| r.resource == "selfsubjectreviews" && (r.code == "201") == good);
    (count(true), count(false))
}

/// The API server has counted the same: nothing was asked twice until it went well.
async fn told_by_the_shoot_too(summary: &Summary, before: (u64, u64), house: &House) {
    let look = async || {
        let after = reviews(house).await;
        let (good, other) = (after.0 - before.0, after.1 - before.1);
        let same = (good, other) == (summary.requests() as u64, 0);
        let state = format!("{good} good and {other} other, not {}", summary.requests());
        Ok(if same { Look::Done(()) } else { Look::Waiting(state) })
    };
    until("the same count at the shoot", Duration::from_secs(10), look).await.unwrap();
}

/// Components of each kind that use one kubeconfig until they are ended.
pub(crate) struct Components {
    ledger: Arc<Ledger>,
    end: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Components {
    pub(crate) async fn begin(kubeconfig: &Path, kubectl: &Path, house: &House) -> Self {
        let consumer = client_go::build(house.lab.dir().root()).await;
        let (end, ended) = watch::channel(false);
        let ledger = Arc::new(Ledger::begin());
        let ends = || Until { ended: ended.clone(), ledger: Arc::clone(&ledger) };
        let (mut tasks, home) = (JoinSet::new(), house.lab.dir().root().to_owned());
        tasks.spawn(client_go::run(consumer, kubeconfig.to_owned(), ends()));
        tasks.spawn(kubectl::run(kubectl.to_owned(), kubeconfig.to_owned(), home, ends()));
        for number in 0..CLIENTS {
            tasks.spawn(kube_rs::run(number, kubeconfig.to_owned(), ends()));
        }
        Self { ledger, end, tasks }
    }

    /// Requests that were begun are waited for.
    pub(crate) async fn end(self) -> Arc<Ledger> {
        self.end.send_replace(true);
        self.tasks.join_all().await;
        self.ledger
    }
}

/// What one of them shares with the others.
pub(crate) struct Until {
    ended: watch::Receiver<bool>,
    ledger: Arc<Ledger>,
}

impl Until {
    /// Whether to go on after this time.
    async fn pause(&mut self, length: Duration) -> bool {
        tokio::time::timeout(length, self.end()).await.is_err()
    }

    async fn end(&mut self) {
        self.ended.wait_for(|ended| *ended).await.unwrap();
    }

    fn tell(&self, kind: &'static str, client: usize, answer: Answer) {
        self.ledger.add(kind, client, answer);
    }
}

/// The id of the token that the API server took for the component's account.
fn taken_for_the_account(user: UserInfo) -> Answer {
    let UserInfo { username, extra, .. } = user;
    let name = username.unwrap_or_default();
    let ids = extra.unwrap_or_default().remove("authentication.kubernetes.io/credential-id");
    match ids.and_then(|mut ids| ids.pop()) {
        Some(id) if name == ACCOUNT => Ok(id),
        id => Err(format!("taken for {name:?} by the token {id:?}")),
    }
}
