use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use perennial_core::shoot::Reach;
use perennial_kube::shoot_secrets::Which;
use perennial_process::supervise::Supervisor;

use super::*;
use crate::{
    directory::{Purpose, Sight},
    fakes::{HERE, World, clock, shoot, token_at},
    observe::Observe,
};

fn watches_of(
    directory: Arc<Directory>,
    accounts: Arc<Accounts>,
    targets: Arc<Targets>,
) -> Watches {
    Watches::new(
        directory,
        accounts,
        Arc::new(Generations::new(Arc::new(clock()))),
        targets,
        noon(),
    )
}

struct Reader(std::pin::Pin<Box<dyn Stream<Item = WatchShootsResponse>>>);

impl Reader {
    fn of(directory: &Arc<Directory>, shoots: &[&str]) -> (Self, Supervisor) {
        Self::with(directory, &accounts(), shoots)
    }

    fn with(
        directory: &Arc<Directory>,
        accounts: &Arc<Accounts>,
        shoots: &[&str],
    ) -> (Self, Supervisor) {
        let supervisor = Supervisor::new(Duration::from_secs(1));
        let shoots: Vec<_> = shoots.iter().map(|&shoot| shoot.to_owned()).collect();
        let watches = watches_of(Arc::clone(directory), Arc::clone(accounts), Arc::default());
        let stream =
            watches.watch(Filter::parse(&shoots, false).unwrap(), supervisor.shutdown()).unwrap();
        (Self(Box::pin(stream)), supervisor)
    }

    /// All that can be read without waiting: `+SHOOT`, `-SHOOT`, `mark` or `end`.
    fn read(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(next) = self.0.next().now_or_never() {
            let Some(response) = next else {
                lines.push("end".to_owned());
                return lines;
            };
            lines.push(match response.event.unwrap() {
                Event::Upsert(shoot) => format!("+{}", shoot.namespace),
                Event::Removed(shoot) => format!("-{shoot}"),
                Event::Account(seen) => format!("{} of {}", seen.account.unwrap().name, seen.shoot),
                Event::SnapshotComplete(_) => "mark".to_owned(),
                Event::Generations(seen) => format!("generations in {}", seen.shoot),
                Event::Target(target) => format!("target in {}", target.shoot),
            });
        }
        lines
    }
}

fn look_at(directory: &Directory, sight: Sight) {
    let ways = directory.ways(&shoot(1), Purpose::Probe).unwrap();
    let now = Timestamp::from_second(crate::fakes::NOON).unwrap();
    directory.seen(&shoot(1), &ways, sight, now);
}

fn reached() -> Sight {
    Sight::Reached { which: Which::Own, keys: None, clock_offset: None, detail: String::new() }
}

#[tokio::test]
async fn a_stream_is_the_whole_set_then_a_mark_then_every_change() {
    let directory = World::new().directory();
    let (mut reader, _supervisor) = Reader::of(&directory, &[]);
    assert_eq!(reader.read(), ["+shoot--lab--1", "mark"]);
    assert!(reader.read().is_empty());

    directory.upsert(&shoot(2), Which::Own, &Ok(token_at(HERE, "own")));
    assert_eq!(reader.read(), ["+shoot--lab--2"]);
    directory.remove(&shoot(2), Which::Own);
    assert_eq!(reader.read(), ["-shoot--lab--2"]);
    look_at(&directory, reached());
    assert_eq!(reader.read(), ["+shoot--lab--1"]);
}

#[tokio::test]
async fn the_mark_waits_for_the_first_lists_of_the_seed() {
    let directory = World::new().empty_directory();
    let (mut reader, _supervisor) = Reader::of(&directory, &[]);
    assert!(reader.read().is_empty());
    directory.upsert(&shoot(1), Which::Own, &Ok(token_at(HERE, "own")));
    assert_eq!(reader.read(), ["+shoot--lab--1"]);
    directory.complete();
    assert_eq!(reader.read(), ["mark"]);
}

#[tokio::test]
async fn changes_faster_than_the_reader_fall_together() {
    let directory = World::new().directory();
    let (mut reader, _supervisor) = Reader::of(&directory, &[]);
    reader.read();
    for _ in 0..100 {
        look_at(&directory, Sight::NotReached { refused: false, detail: "gone".to_owned() });
        look_at(&directory, reached());
    }
    directory.upsert(&shoot(2), Which::Own, &Ok(token_at(HERE, "own")));
    directory.remove(&shoot(2), Which::Own);
    assert_eq!(reader.read(), ["+shoot--lab--1"]);
}

#[tokio::test]
async fn a_look_that_finds_nothing_new_is_not_sent() {
    let directory = World::new().directory();
    look_at(&directory, reached());
    let (mut reader, _supervisor) = Reader::of(&directory, &[]);
    reader.read();
    look_at(&directory, reached());
    assert!(reader.read().is_empty());
    assert_eq!(directory.list()[0].status.reach, Reach::Reachable);
}

#[tokio::test]
async fn a_caller_sees_the_shoots_it_asked_for() {
    let directory = World::new().directory();
    let (mut reader, _supervisor) = Reader::of(&directory, &["shoot--lab--2"]);
    assert_eq!(reader.read(), ["mark"]);
    directory.upsert(&shoot(2), Which::Own, &Ok(token_at(HERE, "own")));
    look_at(&directory, reached());
    assert_eq!(reader.read(), ["+shoot--lab--2"]);
    assert!(Filter::parse(&["not a name".to_owned()], false).is_err());
}

#[tokio::test]
async fn a_stream_ends_at_shutdown() {
    let (mut reader, supervisor) = Reader::of(&World::new().directory(), &[]);
    reader.read();
    supervisor.run_until(std::future::ready(())).await.unwrap();
    assert_eq!(reader.read(), ["end"]);
}

#[tokio::test]
async fn b7_a_target_that_was_seen_is_told_after_its_shoot_and_once() {
    let supervisor = Supervisor::new(Duration::from_secs(1));
    let (directory, targets) = (World::new().directory(), Arc::new(Targets::default()));
    let watches = watches_of(Arc::clone(&directory), accounts(), Arc::clone(&targets));
    let target = perennial_core::name::SecretRef::parse("kube-system", "target").unwrap();
    targets.set(&shoot(1), &[target.clone()].into());
    let absent = perennial_core::target::TargetState::Absent;
    targets.saw(&shoot(1), &target, absent, Timestamp::UNIX_EPOCH);
    let stream = watches.watch(Filter::parse(&[], false).unwrap(), supervisor.shutdown()).unwrap();
    let mut reader = Reader(Box::pin(stream));
    assert_eq!(reader.read(), ["+shoot--lab--1", "target in shoot--lab--1", "mark"]);
    let other = perennial_core::target::TargetView::default().state();
    targets.saw(&shoot(1), &target, other, Timestamp::UNIX_EPOCH);
    assert_eq!(reader.read(), ["target in shoot--lab--1"]);
    assert_eq!(reader.read(), [""; 0]);
}

#[test]
fn a_list_is_ordered_and_whole_or_not_given() {
    let world = World::new();
    let directory = world.empty_directory();
    let watches = watches_of(Arc::clone(&directory), accounts(), Arc::default());
    let all = Filter::parse(&[], false).unwrap();
    assert_eq!(watches.list(&all), Err(Error::Starting));
    for number in [2, 1] {
        directory.upsert(&shoot(number), Which::Own, &Ok(token_at(HERE, "own")));
    }
    directory.complete();
    let listed = watches.list(&all).unwrap();
    let named: Vec<_> = listed.iter().map(|shoot| shoot.namespace.as_str()).collect();
    assert_eq!(named, ["shoot--lab--1", "shoot--lab--2"]);
    assert_eq!(listed[0].address, HERE);
}

#[test]
fn streams_have_a_limit() {
    let supervisor = Supervisor::new(Duration::from_secs(1));
    let watches = watches_of(World::new().directory(), accounts(), Arc::default());
    let open = || watches.watch(Filter::parse(&[], false).unwrap(), supervisor.shutdown());
    let streams: Vec<_> = (0..STREAMS_MAX).map(|_| open().unwrap()).collect();
    assert!(matches!(open().map(|_| ()), Err(Error::Busy)));
    drop(streams);
    assert!(open().is_ok());
}

#[test]
fn e_a_connection_is_told_to_whoever_asks_for_it_and_holds_no_credential() {
    let directory = World::new().directory();
    look_at(&directory, reached());
    let watches = watches_of(directory, accounts(), Arc::default());
    let listed = |with_connection| {
        let filter = Filter::parse(&[], with_connection).unwrap();
        watches.list(&filter).unwrap().remove(0)
    };
    assert_eq!(listed(false).connection, None, "the scheduler has no use for it");
    let connection = listed(true).connection.unwrap();
    assert_eq!(connection.server, HERE);
    assert_eq!(connection.ca_pem, format!("CA of {HERE}").as_bytes());
    assert_eq!(connection.tls_server_name, "");
}

fn noon() -> Arc<dyn Clock> {
    Arc::new(clock())
}

#[tokio::test(start_paused = true)]
async fn every_message_says_what_time_it_is_and_one_comes_after_each_silence() {
    let directory = World::new().directory();
    let (mut reader, _supervisor) = Reader::of(&directory, &[]);
    let now = Some(convert::timestamp(noon().now()));
    let first = reader.0.next().await.unwrap();
    assert_eq!((first.event.is_some(), first.sent_at), (true, now));
    assert_eq!(reader.read(), ["mark"]);
    for _ in 0..2 {
        let silence = reader.0.next().await.unwrap(); // paused time goes to the next timer
        assert_eq!((silence.event, silence.sent_at), (None, now));
    }
    directory.upsert(&shoot(2), Which::Own, &Ok(token_at(HERE, "own")));
    assert_eq!(reader.read(), ["+shoot--lab--2"], "nothing was lost over it");
}

fn accounts() -> Arc<Accounts> {
    Arc::new(Accounts::new(Arc::new(clock())))
}

fn observe(accounts: &Accounts, number: usize) {
    let observed = ["kube-system/a", "kube-system/b"].map(|account| account.parse().unwrap());
    accounts
        .observe(Observe {
            shoot: shoot(number),
            accounts: observed.into(),
            targets: [].into(),
            families: [].into(),
        })
        .unwrap();
}

#[tokio::test]
async fn accounts_follow_their_shoot_before_the_mark_then_each_change() {
    let (directory, accounts) = (World::new().directory(), accounts());
    let grant = |number, account: &str, uid: &str| {
        let account = account.parse().unwrap();
        accounts.granted(&shoot(number), &account, uid, &BTreeMap::new(), true);
    };
    observe(&accounts, 1);
    grant(1, "kube-system/a", "1");
    let (mut reader, _supervisor) = Reader::with(&directory, &accounts, &[]);
    assert_eq!(reader.read(), ["+shoot--lab--1", "a of shoot--lab--1", "mark"]);
    grant(1, "kube-system/b", "1");
    grant(1, "kube-system/b", "2");
    assert_eq!(reader.read(), ["b of shoot--lab--1"], "changes fall together");
    grant(1, "kube-system/b", "2");
    assert!(reader.read().is_empty());

    observe(&accounts, 2);
    grant(2, "kube-system/a", "1");
    assert!(reader.read().is_empty(), "of a shoot that was not told nothing is told");
    directory.upsert(&shoot(2), Which::Own, &Ok(token_at(HERE, "own")));
    assert_eq!(reader.read(), ["+shoot--lab--2", "a of shoot--lab--2"]);
}

#[tokio::test]
async fn a_stream_of_some_shoots_has_their_accounts_only() {
    let (directory, accounts) = (World::new().directory(), accounts());
    let (mut reader, _supervisor) = Reader::with(&directory, &accounts, &["shoot--lab--2"]);
    observe(&accounts, 1);
    let account = "kube-system/a".parse().unwrap();
    accounts.granted(&shoot(1), &account, "1", &BTreeMap::new(), true);
    assert_eq!(reader.read(), ["mark"]);
}
