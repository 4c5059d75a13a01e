use std::time::Duration;

use perennial_core::shoot::AccountState;
use perennial_kube::shoot::AccountChange;
use perennial_process::supervise::Supervisor;
use tokio::{sync::mpsc, time};

use super::*;
use crate::{
    directory::{Directory, Purpose, Sight},
    fakes::{World, account_seen, refused, shoot},
    follow::Follower,
    probe::Probes,
    shoot::SeenAccount,
};

const PROXY: &str = "kube-system/kube-proxy";

/// A shoot that is reached, in which kube-proxy is observed; its watch is in the hands of the test.
/// Time is paused: whatever can happen has happened when [`Lab::settle`] is back.
struct Lab {
    world: World,
    directory: Arc<Directory>,
    accounts: Arc<Accounts>,
    metrics: Metrics,
    _supervisor: Supervisor,
}

impl Lab {
    async fn new() -> Self {
        let world = World::new();
        let (directory, clock) = (world.directory(), world.set().clock.clone());
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let accounts = Arc::new(Accounts::new(Arc::clone(&clock)));
        let probes = Arc::new(Probes::new(Duration::from_secs(60), clock));
        let metrics = Metrics::default();
        let what = AccountWatch::new(Arc::clone(&accounts), probes, metrics.clone());
        let watches = metrics.watches.clone();
        let follower =
            Follower { what: Arc::new(what), directory: Arc::clone(&directory), watches };
        let supervisor = Supervisor::new(Duration::from_secs(1));
        let shutdown = supervisor.shutdown();
        supervisor.tasks().spawn("account watches", async move {
            follower.run(shutdown).await;
            Ok(())
        });
        let lab = Self { world, directory, accounts, metrics, _supervisor: supervisor };
        lab.reach();
        lab.observe(&[PROXY]);
        lab.settle().await;
        lab
    }

    /// The probe has seen the shoot.
    fn reach(&self) {
        let ways = self.directory.ways(&shoot(1), Purpose::Probe).unwrap();
        let which = ways.candidates[0].which;
        let (clock_offset, detail) = (None, String::new());
        let sight = Sight::Reached { which, keys: None, clock_offset, detail };
        self.directory.seen(&shoot(1), &ways, sight, self.accounts.clock.now());
    }

    fn lose(&self) {
        let ways = self.directory.ways(&shoot(1), Purpose::Probe).unwrap();
        let sight = Sight::NotReached { refused: false, detail: "away".to_owned() };
        self.directory.seen(&shoot(1), &ways, sight, self.accounts.clock.now());
    }

    fn observe(&self, accounts: &[&str]) {
        let accounts = accounts.iter().map(|account| account.parse().unwrap()).collect();
        self.accounts
            .observe(Observe { shoot: shoot(1), accounts, targets: [].into(), families: [].into() })
            .unwrap();
    }

    async fn settle(&self) {
        time::sleep(Duration::from_secs(2)).await;
    }

    /// The newest watch tells these.
    fn tell(&self, changes: impl IntoIterator<Item = AccountChange>) {
        let tell: mpsc::UnboundedSender<_> =
            self.world.set().account_watches.last().unwrap().clone();
        changes.into_iter().for_each(|change| tell.send(change).unwrap());
    }

    async fn list(&self, found: &[SeenAccount]) {
        let listed = found.iter().cloned().map(AccountChange::Listed);
        let begin = std::iter::once(AccountChange::ListBegins);
        self.tell(begin.chain(listed).chain([AccountChange::ListComplete]));
        self.settle().await;
        self.world.calls();
    }

    /// What a look finds from now on.
    fn is_now(&self, seen: Option<SeenAccount>) {
        let mut state = self.world.set();
        match seen {
            Some(seen) => state.found.insert(seen.account.to_string(), seen),
            None => state.found.remove(PROXY),
        };
    }

    fn granted(&self, uid: &str, made: bool) {
        let account = PROXY.parse().unwrap();
        self.accounts.granted(&shoot(1), &account, uid, &BTreeMap::new(), made);
    }

    /// `absent`, `terminating`, or the uid; `?` where nothing is known.
    fn known(&self, account: &str) -> String {
        let account: AccountRef = account.parse().unwrap();
        let told = self.accounts.of(&shoot(1));
        match told.into_iter().find(|told| told.account == account).map(|told| told.seen.state) {
            None => "?".to_owned(),
            Some(AccountState::Absent) => "absent".to_owned(),
            Some(AccountState::Terminating) => "terminating".to_owned(),
            Some(AccountState::Present { uid, .. }) => uid.to_string(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn c_a_list_tells_what_is_there_and_what_is_not() {
    let lab = Lab::new().await;
    lab.observe(&[PROXY, "kube-system/gone"]);
    assert_eq!(lab.known(PROXY), "?", "nothing is concluded before the list is whole");
    lab.list(&[account_seen(PROXY, "1"), account_seen("kube-system/foreign", "2")]).await;
    assert_eq!(
        (lab.known(PROXY).as_str(), lab.known("kube-system/gone").as_str()),
        ("1", "absent")
    );
    assert_eq!(lab.accounts.of(&shoot(1)).len(), 2, "nothing is kept of others");
}

#[tokio::test(start_paused = true)]
async fn c_an_account_is_called_gone_or_another_only_after_a_look() {
    let lab = Lab::new().await;
    lab.list(&[account_seen(PROXY, "1")]).await;

    lab.is_now(None);
    lab.tell([AccountChange::Removed(account_seen(PROXY, "1"))]);
    lab.settle().await;
    assert_eq!(lab.known(PROXY), "absent");
    assert_eq!(lab.world.calls(), ["own: look at kube-system/kube-proxy"]);

    lab.is_now(Some(account_seen(PROXY, "2")));
    lab.tell([AccountChange::Upsert(account_seen(PROXY, "2"))]);
    lab.settle().await;
    lab.is_now(Some(account_seen(PROXY, "3")));
    lab.tell([AccountChange::Removed(account_seen(PROXY, "2"))]);
    lab.settle().await;
    assert_eq!(lab.known(PROXY), "3", "deleted and made anew before anybody could look");
    lab.tell([AccountChange::Upsert(account_seen(PROXY, "3"))]);
    lab.settle().await;
    assert_eq!(lab.world.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn c_a_watch_that_is_behind_a_new_token_costs_none() {
    let lab = Lab::new().await;
    lab.list(&[account_seen(PROXY, "1")]).await;
    lab.granted("2", true);
    assert_eq!(lab.known(PROXY), "2", "a token is first-hand");

    lab.is_now(Some(account_seen(PROXY, "2")));
    lab.tell([
        AccountChange::Removed(account_seen(PROXY, "1")),
        AccountChange::Upsert(account_seen(PROXY, "1")),
    ]);
    let mut seen = Vec::new();
    for _ in 0..10 {
        time::sleep(Duration::from_millis(200)).await;
        seen.push(lab.known(PROXY));
    }
    assert_eq!(seen, ["2"; 10]);
    assert_eq!(lab.world.calls(), ["own: look at kube-system/kube-proxy"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_we_make_costs_no_look() {
    let lab = Lab::new().await;
    lab.list(&[]).await;
    lab.tell([AccountChange::Upsert(account_seen(PROXY, "1"))]); // before the token is here
    time::sleep(Duration::from_millis(100)).await;
    lab.granted("1", true);
    lab.settle().await;
    assert_eq!(lab.known(PROXY), "1");
    assert_eq!(lab.world.calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn b12_one_that_is_terminating_is_said_so_and_looked_at_whenever_somebody_asks() {
    let lab = Lab::new().await;
    let terminating = SeenAccount { state: AccountState::Terminating, ..account_seen(PROXY, "1") };
    lab.list(&[account_seen(PROXY, "1")]).await;
    let is_terminating = || lab.accounts.is_terminating(&shoot(1), &PROXY.parse().unwrap());
    lab.is_now(Some(terminating.clone()));
    lab.tell([AccountChange::Upsert(terminating)]);
    lab.settle().await;
    assert!(is_terminating());
    assert_eq!(lab.known(PROXY), "terminating");

    lab.is_now(None); // the finalizer went, and the watch did not tell
    lab.settle().await;
    assert!(!is_terminating(), "{}", lab.known(PROXY));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_observed_later_is_looked_at_and_many_are_listed() {
    let lab = Lab::new().await;
    lab.list(&[account_seen(PROXY, "1")]).await;
    lab.world.set().found.insert("kube-system/x".to_owned(), account_seen("kube-system/x", "9"));
    lab.observe(&[PROXY, "kube-system/x"]);
    lab.settle().await;
    assert_eq!(lab.known("kube-system/x"), "9");
    assert_eq!(lab.world.calls(), ["own: look at kube-system/x"]);

    let many: Vec<String> = (0..100).map(|number| format!("kube-system/n{number}")).collect();
    lab.observe(&many.iter().map(String::as_str).collect::<Vec<_>>());
    lab.settle().await;
    assert_eq!(lab.world.calls(), ["own: watch accounts"]);
    let found: Vec<_> = many.iter().map(|account| account_seen(account, "1")).collect();
    lab.list(&found).await;
    assert_eq!(lab.accounts.of(&shoot(1)).len(), 100);
    assert_eq!(lab.world.calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_rests_while_its_shoot_is_away_and_begins_anew_when_it_is_back() {
    let lab = Lab::new().await;
    lab.list(&[account_seen(PROXY, "1")]).await;
    assert_eq!(lab.metrics.watches.get(), 1);
    lab.lose();
    lab.settle().await;
    assert_eq!(lab.metrics.watches.get(), 0);
    assert!(lab.world.set().account_watches.last().unwrap().is_closed());
    time::sleep(Duration::from_secs(600)).await;
    assert_eq!(lab.world.calls(), [""; 0], "no call while it is away");
    assert_eq!(lab.known(PROXY), "1", "what was last known stays");

    lab.reach();
    lab.settle().await;
    assert_eq!(lab.world.calls(), ["own: watch accounts"]);
    lab.list(&[account_seen(PROXY, "2")]).await;
    assert_eq!(lab.known(PROXY), "2", "a list is first-hand");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_refused_is_tried_again_with_growing_pauses() {
    let lab = Lab::new().await;
    lab.world.calls();
    for _ in 0..300 {
        if !lab.world.set().account_watches.last().unwrap().is_closed() {
            lab.tell([AccountChange::ListBegins, AccountChange::Trouble(refused(403, None))]);
        }
        time::sleep(Duration::from_secs(1)).await;
    }
    let calls = lab.world.calls().len();
    assert!((5..=12).contains(&calls), "{calls} in five minutes");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_hangs_is_given_up() {
    let lab = Lab::new().await;
    lab.world.calls();
    lab.tell([AccountChange::ListBegins]);
    time::sleep(Duration::from_secs(15)).await;
    assert_eq!(lab.world.calls(), ["own: watch accounts"]);
}

#[tokio::test(start_paused = true)]
async fn a_shoot_that_is_gone_is_forgotten() {
    let lab = Lab::new().await;
    lab.list(&[account_seen(PROXY, "1")]).await;
    for which in
        [perennial_kube::shoot_secrets::Which::Own, perennial_kube::shoot_secrets::Which::Bootstrap]
    {
        lab.directory.remove(&shoot(1), which);
    }
    lab.settle().await;
    assert_eq!(lab.known(PROXY), "?");
    assert_eq!(lab.accounts.since(0, 10).0, []);
    assert_eq!(lab.accounts.lock().observed, 0);
}

#[test]
fn changes_of_one_account_fall_together() {
    let world = World::new();
    let accounts = Accounts::new(Arc::new(world.set().clock.clone()));
    let observed = [PROXY, "kube-system/x"].map(|account| account.parse().unwrap());
    accounts
        .observe(Observe {
            shoot: shoot(1),
            accounts: observed.into(),
            targets: [].into(),
            families: [].into(),
        })
        .unwrap();
    let grant = |account: &str, uid: &str| {
        accounts.granted(&shoot(1), &account.parse().unwrap(), uid, &BTreeMap::new(), true);
    };
    for uid in ["1", "2", "3"] {
        grant(PROXY, uid);
    }
    grant("kube-system/x", "9");
    let (told, cursor) = accounts.since(0, 10);
    let named: Vec<_> = told.iter().map(|told| told.account.to_string()).collect();
    assert_eq!(named, [PROXY, "kube-system/x"]);
    assert_eq!(accounts.since(cursor, 10), (vec![], cursor));
    grant(PROXY, "3");
    assert_eq!(accounts.cursor(), cursor, "the same uid is no news");
    assert_eq!(accounts.since(0, 1).0.len(), 1);
}

#[test]
fn more_accounts_than_any_fleet_has_are_refused() {
    let world = World::new();
    let accounts = Accounts::new(Arc::new(world.set().clock.clone()));
    let observe = |names: &[&str]| {
        let named = names.iter().map(|account| account.parse().unwrap()).collect();
        accounts.observe(Observe {
            shoot: shoot(1),
            accounts: named,
            targets: [].into(),
            families: [].into(),
        })
    };
    observe(&[PROXY]).unwrap();
    accounts.lock().observed = OBSERVED_MAX; // the rest in other shoots
    assert_eq!(observe(&[PROXY]), Ok(()), "the same again is no more");
    assert_eq!(
        observe(&[PROXY, "kube-system/x"]),
        Err(Error::TooMany { what: "ServiceAccounts", max: OBSERVED_MAX })
    );
}
