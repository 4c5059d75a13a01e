//! One account that comes and goes, seen by a watch that is behind.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::fakes::{NOON, account_seen};

const PROXY: &str = "kube-system/kube-proxy";
/// Most steps.
const STEPS: usize = 60;
/// More than there can be to hear: a step makes two things happen at most.
const ROUNDS: usize = 2 * STEPS + 2;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A stranger deletes it.
    Delete,
    /// A stranger makes it.
    Make,
    /// We issue a token; an account that is missing is made.
    Issue,
    /// The watch tells the next thing that happened.
    Hear,
    /// A look at what is in doubt begins.
    Ask,
    /// Its answer, as it was true in between.
    Answer,
}

struct World {
    book: Book,
    account: AccountRef,
    now: i64,
    uids: u32,
    /// Uid of the account that is there.
    truth: Option<String>,
    /// What the watch has not told yet.
    behind: VecDeque<(bool, String)>,
    /// A look under way: its begin, and what it will answer.
    look: Option<(Timestamp, Option<SeenAccount>)>,
    granted: Option<String>,
}

impl World {
    fn new() -> Self {
        let account: AccountRef = PROXY.parse().unwrap();
        let mut book = Book::default();
        book.observe([account.clone()].into());
        let (uids, truth, behind, look, granted) = (0, None, VecDeque::new(), None, None);
        Self { book, account, now: NOON, uids, truth, behind, look, granted }
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_second(self.now).unwrap()
    }

    fn make(&mut self) {
        self.uids += 1;
        let uid = self.uids.to_string();
        self.behind.push_back((true, uid.clone()));
        self.truth = Some(uid);
    }

    fn step(&mut self, step: Step) {
        self.now += 1;
        let now = self.at();
        match step {
            Step::Delete => {
                if let Some(uid) = self.truth.take() {
                    self.behind.push_back((false, uid));
                }
            }
            Step::Make if self.truth.is_none() => self.make(),
            Step::Make => {}
            Step::Issue => {
                let made = self.truth.is_none();
                if made {
                    self.make();
                }
                let uid = self.truth.clone().unwrap();
                let labels = LabelsHash::of(&BTreeMap::new());
                self.book.granted(&self.account, &uid, labels, made, now);
                self.granted = Some(uid);
            }
            Step::Hear => match self.behind.pop_front() {
                Some((true, uid)) => drop(self.book.heard(account_seen(PROXY, &uid), now)),
                Some((false, uid)) => self.book.heard_removed(&account_seen(PROXY, &uid)),
                None => {}
            },
            Step::Ask if self.look.is_none() && !self.book.ask(Doubt::Calm).is_empty() => {
                let found = self.truth.as_deref().map(|uid| account_seen(PROXY, uid));
                self.look = Some((now, found));
            }
            Step::Ask => {}
            Step::Answer => {
                if let Some((begun, found)) = self.look.take() {
                    self.book.read(&self.account, found, begun);
                }
            }
        }
    }

    /// The uid that is told: `None` where nothing is, `Some("")` for an account that is not there.
    fn told(&self) -> Option<String> {
        self.book.seen(&self.account).map(|seen| match &seen.state {
            AccountState::Present { uid, .. } => uid.to_string(),
            AccountState::Absent | AccountState::Terminating => String::new(),
        })
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    use Step::{Answer, Ask, Delete, Hear, Issue, Make};
    let step = prop_oneof![
        Just(Delete),
        Just(Make),
        Just(Issue),
        Just(Hear),
        Just(Hear),
        Just(Ask),
        Just(Answer)
    ];
    prop::collection::vec(step, 1..STEPS)
}

#[test]
fn what_a_list_corrects_is_told_as_no_older_than_the_grant_that_was_wrong() {
    let mut world = World::new();
    world.book.list_begins();
    let begun = world.at();
    world.now += 1;
    let wanted = LabelsHash::of(&[("app".to_owned(), "proxy".to_owned())].into());
    world.book.granted(&world.account, "1", wanted, false, world.at());
    let assumed = world.book.seen(&world.account).unwrap().clone();

    let found = account_seen(PROXY, "1"); // without labels
    let published = world.book.listed([(world.account.clone(), found)].into(), begun);

    let told = world.book.seen(&world.account).unwrap();
    assert_eq!(published.len(), 1);
    assert!(told.state != assumed.state && told.at >= assumed.at, "{told:?} after {assumed:?}");
}

/// Found by the property below.
#[test]
fn c_an_account_that_goes_while_it_is_looked_at_is_looked_at_again() {
    use Step::{Answer, Ask, Delete, Hear, Make};
    let mut world = World::new();
    for step in [Make, Hear, Ask, Delete, Hear, Answer, Ask, Answer] {
        world.step(step);
    }
    assert_eq!(world.told().as_deref(), Some(""), "it is not there");
}

proptest! {
    #[test]
    fn c_a_token_of_the_account_that_is_there_is_never_called_lost(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            if world.granted.is_some() && world.granted == world.truth {
                prop_assert_eq!(world.told(), world.granted.clone(), "after {:?}", step);
            }
        }
    }

    #[test]
    fn c_once_the_watch_has_caught_up_what_is_told_is_true(steps in steps()) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.step(step));
        for _ in 0..ROUNDS {
            for step in [Step::Answer, Step::Hear, Step::Ask, Step::Answer] {
                world.step(step);
            }
        }
        prop_assert_eq!(world.told(), Some(world.truth.unwrap_or_default()));
        prop_assert!(world.book.doubts.is_empty(), "{:?}", world.book.doubts);
    }
}
