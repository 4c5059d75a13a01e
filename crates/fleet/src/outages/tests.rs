use perennial_core::failure::Kind;
use proptest::prelude::*;

use super::*;
use crate::fixtures::{at, fault, secret};

fn away(blame: Blame) -> Fault {
    Fault { blame, ..fault(Kind::Unavailable) }
}

/// Classes beside a plain model of what is under way.
#[derive(Default)]
struct World {
    outages: Outages,
    now: i64,
    attempts: u64,
    under_way: Vec<(SecretRef, u64)>,
}

impl World {
    fn order(&mut self, name: &str) -> bool {
        let secret = secret(name);
        let admitted = self.outages.admits(at(self.now), &secret.namespace);
        if admitted {
            self.attempts += 1;
            self.outages.ordered(&secret, self.attempts);
            self.under_way.push((secret, self.attempts));
        }
        admitted
    }

    fn end(&mut self, place: usize, fault: Option<&Fault>, left: Option<i64>) -> Vec<Class> {
        let (secret, attempt) = self.under_way.remove(place);
        let usable_until = left.map(|left| at(self.now + left));
        let end = End { secret: &secret, attempt, needs_token: true, fault, usable_until };
        let changes = self.outages.ended(at(self.now), end).into_iter();
        changes.filter(|(_, change)| *change != Change::None).map(|(class, _)| class).collect()
    }

    /// Orders and fails, one after the other.
    fn fail_each(&mut self, names: &[&str], fault: &Fault) -> Vec<Class> {
        let mut changed = Vec::new();
        for name in names {
            assert!(self.order(name), "{name} is admitted");
            changed.extend(self.end(0, Some(fault), Some(100_000)));
        }
        changed
    }

    /// The seconds up to `until` at which a probe goes out, where each fails at once.
    fn probes(&mut self, name: &str, fault: &Fault, left: Option<i64>, until: i64) -> Vec<i64> {
        let seconds = self.now..=until;
        let probed = seconds.filter(|second| {
            self.now = *second;
            let admitted = self.order(name);
            if admitted {
                self.end(0, Some(fault), left);
            }
            admitted
        });
        probed.collect()
    }
}

#[test]
fn three_different_secrets_in_a_row_make_an_outage_and_one_that_fails_again_does_not() {
    let seed = away(Blame::SeedAway);
    let mut world = World::default();
    assert!(world.fail_each(&["a/1"; 20], &seed).is_empty(), "one Secret is one Secret");
    assert!(world.fail_each(&["b/1"], &seed).is_empty());
    assert_eq!(world.fail_each(&["c/1"], &seed), [Class::Seed]);
    assert!(!world.order("d/1"), "nobody else");

    let mut world = World::default();
    world.fail_each(&["a/1", "b/1"], &seed);
    assert!(world.order("c/1"));
    world.end(0, None, None);
    assert!(world.fail_each(&["d/1", "e/1"], &seed).is_empty(), "one did well between");
}

#[test]
fn each_class_stops_those_who_need_it_and_no_others() {
    let of = |blame, names: &[&str]| {
        let mut world = World::default();
        world.fail_each(names, &away(blame));
        ["a/4", "d/4"].map(|name| world.outages.admits(at(0), &secret(name).namespace))
    };
    let (one, each) = (["a/1", "a/2", "a/3"], ["a/1", "b/1", "c/1"]);
    assert_eq!(of(Blame::ShootAway, &one), [false, true]);
    assert_eq!(of(Blame::ShootAway, &each), [true, true], "shoots fail alone");
    assert_eq!(of(Blame::IssuerAway, &one), [false, true], "another token-issuer may serve others");
    assert_eq!(of(Blame::IssuerAway, &each), [false, false]);
    assert_eq!(of(Blame::SeedAway, &one), [false, false]);
    assert_eq!(of(Blame::SeedAway, &each), [false, false]);
    assert_eq!(of(Blame::Secret, &one), [true, true]);
    assert_eq!(of(Blame::Shoot, &one), [true, true], "a shoot that throttles has its own pause");
    assert_eq!(of(Blame::Writer, &one), [true, true], "as has the secret-writer");
}

#[test]
fn probes_go_out_at_pauses_that_double_to_15_s_and_shrink_toward_expiry() {
    let seed = away(Blame::SeedAway);
    let tripped = || {
        let mut world = World::default();
        world.fail_each(&["a/1", "b/1", "c/1"], &seed);
        world
    };
    assert_eq!(tripped().probes("d/1", &seed, Some(10_000), 62), [1, 3, 7, 15, 30, 45, 60]);
    assert_eq!(tripped().probes("d/1", &seed, None, 62), [1, 3, 7, 15, 30, 45, 60], "no token");
    assert_eq!(tripped().probes("d/1", &seed, Some(32), 16), [1, 3, 7, 11, 15], "32 s are left");
    assert_eq!(tripped().probes("d/1", &seed, Some(5), 5), [1, 2, 3, 4, 5], "nearly none");
}

#[test]
fn whoever_asks_for_patience_gets_it_up_to_the_longest_pause() {
    let patient = |seconds| {
        let asked = Some(Duration::from_secs(seconds));
        let seed = Fault { retry_after: asked, ..away(Blame::SeedAway) };
        let mut world = World::default();
        world.fail_each(&["a/1", "b/1", "c/1"], &seed);
        world.probes("d/1", &seed, Some(10_000), 20)
    };
    assert_eq!(patient(10), [10, 20]);
    assert_eq!(patient(600), [15], "one wrong answer must not stop a fleet");
}

#[test]
fn what_was_under_way_when_it_went_neither_lengthens_the_pause_nor_is_a_probe() {
    let seed = away(Blame::SeedAway);
    let mut world = World::default();
    (0..30).for_each(|n| assert!(world.order(&format!("a/{n}"))));
    (0..30).for_each(|_| drop(world.end(0, Some(&seed), Some(10_000))));
    assert_eq!(world.probes("d/1", &seed, Some(10_000), 7), [1, 3, 7]);
}

#[test]
fn the_first_that_does_well_ends_it_whether_it_was_the_probe_or_not() {
    let seed = away(Blame::SeedAway);
    let mut world = World::default();
    assert!(world.order("z/1"), "under way since before");
    for name in ["a/1", "b/1", "c/1"] {
        assert!(world.order(name));
        world.end(1, Some(&seed), None);
    }
    assert!(!world.order("d/1"));
    assert_eq!(world.end(0, None, None), [Class::Seed]);
    assert!(world.order("d/1") && world.order("e/1"));
}

#[test]
fn an_answer_of_the_seed_that_refuses_one_secret_ends_its_outage() {
    let mut world = World::default();
    world.fail_each(&["a/1", "b/1", "c/1"], &away(Blame::SeedAway));
    world.now = 1;
    assert!(world.order("d/1"));
    let refused = Fault { reason: "SEED_FORBIDDEN".to_owned(), ..fault(Kind::Denied) };
    assert_eq!(world.end(0, Some(&refused), None), [Class::Seed]);
}

#[test]
fn a_probe_that_says_nothing_is_followed_by_the_next_at_once() {
    let mut world = World::default();
    world.fail_each(&["a/1", "b/1", "c/1"], &away(Blame::SeedAway));
    world.now = 1;
    assert!(world.order("d/1"));
    assert!(world.end(0, Some(&fault(Kind::Changed)), None).is_empty());
    assert!(world.order("e/1"));
}

#[derive(Clone, Debug)]
enum Step {
    Order(u8, u8),
    Ends(usize, Option<Blame>, Option<i64>),
    /// Sometimes back.
    Later(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let blames = [
        Blame::Secret,
        Blame::Shoot,
        Blame::Writer,
        Blame::ShootAway,
        Blame::IssuerAway,
        Blame::SeedAway,
    ];
    let blame = prop::option::of(prop::sample::select(blames.to_vec()));
    let left = prop::option::of(-10_i64..100_000);
    let step = prop_oneof![
        6 => (0_u8..4, 0_u8..6).prop_map(|(shoot, name)| Step::Order(shoot, name)),
        6 => (any::<usize>(), blame, left).prop_map(|(n, blame, left)| Step::Ends(n, blame, left)),
        2 => prop_oneof![0_i64..20, -100_i64..0].prop_map(Step::Later),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn nothing_stays_away_for_ever_and_no_second_probe_goes_out(steps in steps()) {
        let mut world = World::default();
        for step in steps {
            match step {
                Step::Order(shoot, name) => {
                    let shoot = format!("shoot-{shoot}");
                    let id: ShootId = shoot.parse().unwrap();
                    let before = world.outages.keeping(&id).is_some();
                    if world.order(&format!("{shoot}/{name}")) && before {
                        prop_assert!(!world.outages.admits(at(world.now), &id), "a second probe");
                    }
                }
                Step::Ends(n, blame, left) if !world.under_way.is_empty() => {
                    let fault = blame.map(away);
                    let place = n % world.under_way.len();
                    world.end(place, fault.as_ref(), left);
                }
                Step::Ends(..) => {}
                Step::Later(seconds) => world.now += seconds,
            }
        }
        // All ends, and within the longest pause a probe goes to each shoot and does well.
        while !world.under_way.is_empty() {
            world.end(0, Some(&away(Blame::SeedAway)), Some(10_000));
        }
        for shoot in 0..4 {
            // A clock that was set back ends a pause until it is where the pause began.
            let goes = (0..=15).any(|_| {
                let goes = world.order(&format!("shoot-{shoot}/probe"));
                world.now += i64::from(!goes);
                goes
            });
            prop_assert!(goes, "shoot {shoot} is blocked");
            world.end(0, None, None);
        }
        prop_assert_eq!(world.outages.counts(), [0; 3]);
    }
}
