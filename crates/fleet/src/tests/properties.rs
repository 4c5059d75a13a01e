use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a few hundred of them in a test")]
enum Step {
    Bare(u8, u8),
    Fresh(u8, u8),
    Spoilt(u8, u8),
    Invalid(u8, u8),
    Anew(u8, u8),
    Removed(u8, u8),
    Records(RecordEvent),
    Shoot(u8, Reach),
    ShootRemoved(u8),
    Shoots(ShootEvent),
    Request(u8, u8),
    /// Ends one of the attempts under way, as it happens to come.
    Ends(usize, Option<Kind>, Option<u64>, Blame),
    /// Moves the clock, sometimes back.
    Later(i64),
}

fn steps() -> impl Strategy<Value = Step> {
    let which = (0_u8..3, 0_u8..5);
    let kind = prop::option::of(prop::sample::select(vec![
        Kind::Invalid,
        Kind::Changed,
        Kind::Held,
        Kind::Throttled,
        Kind::Unavailable,
        Kind::TimedOut,
        Kind::Internal,
    ]));
    let blame = prop::sample::select(vec![
        Blame::Secret,
        Blame::Shoot,
        Blame::Writer,
        Blame::ShootAway,
        Blame::IssuerAway,
        Blame::SeedAway,
    ]);
    let reach = prop::sample::select(vec![Reach::Reachable, Reach::Unreachable, Reach::Unknown]);
    prop_oneof![
        6 => which.clone().prop_map(|(s, n)| Step::Bare(s, n)),
        2 => which.clone().prop_map(|(s, n)| Step::Fresh(s, n)),
        2 => which.clone().prop_map(|(s, n)| Step::Spoilt(s, n)),
        1 => which.clone().prop_map(|(s, n)| Step::Invalid(s, n)),
        2 => which.clone().prop_map(|(s, n)| Step::Anew(s, n)),
        2 => which.clone().prop_map(|(s, n)| Step::Removed(s, n)),
        2 => prop::sample::select(vec![Event::Opened, Event::Complete, Event::Lost])
            .prop_map(Step::Records),
        3 => (0_u8..3, reach).prop_map(|(s, reach)| Step::Shoot(s, reach)),
        1 => (0_u8..3).prop_map(Step::ShootRemoved),
        2 => prop::sample::select(vec![Event::Opened, Event::Complete, Event::Lost])
            .prop_map(Step::Shoots),
        3 => which.prop_map(|(s, n)| Step::Request(s, n)),
        12 => (any::<usize>(), kind, prop::option::of(0_u64..100), blame)
            .prop_map(|(n, kind, after, blame)| Step::Ends(n, kind, after, blame)),
        8 => prop_oneof![0_i64..20, 0..20 * HOUR, -HOUR..0].prop_map(Step::Later),
    ]
}

/// The fleet beside a plain model of what is under way.
struct Model {
    world: World,
    under_way: HashMap<SecretRef, Order>,
}

const ALL: usize = 4;
const EACH: usize = 2;
const DAY: i64 = 24 * HOUR;

impl Model {
    fn play(&mut self, step: Step) {
        let name = |s: u8, n: u8| format!("shoot-{s}/secret-{n}");
        let world = &mut self.world;
        let now = world.now;
        match step {
            Step::Bare(s, n) => world.record(Event::Upsert(bare(&name(s, n)))),
            Step::Fresh(s, n) => world.record(Event::Upsert(fresh(&name(s, n), now))),
            Step::Spoilt(s, n) => {
                let streak = u32::from(n);
                let spoilt = without_timestamp(&fresh(&name(s, n), now), streak);
                world.record(Event::Upsert(spoilt));
            }
            Step::Invalid(s, n) => world.record(Event::Upsert(invalid(&name(s, n)))),
            Step::Anew(s, n) => {
                let anew = Record { uid: format!("uid at {now}").into(), ..bare(&name(s, n)) };
                world.record(Event::Upsert(anew));
            }
            Step::Removed(s, n) => world.record(Event::Removed(secret(&name(s, n)))),
            Step::Records(event) => world.record(event),
            Step::Shoot(s, reach) => {
                world.shoot(Event::Upsert(shoot(&format!("shoot-{s}"), reach)));
            }
            Step::ShootRemoved(s) => {
                world.shoot(Event::Removed(format!("shoot-{s}").parse().unwrap()));
            }
            Step::Shoots(event) => world.shoot(event),
            Step::Request(s, n) => drop(world.fleet.request(at(now), &secret(&name(s, n)))),
            Step::Ends(pick, kind, after, blame) => self.end(pick, kind, after, blame),
            Step::Later(seconds) => world.now += seconds,
        }
    }

    fn end(&mut self, pick: usize, kind: Option<Kind>, after: Option<u64>, blame: Blame) {
        let mut names: Vec<_> = self.under_way.keys().cloned().collect();
        names.sort();
        if names.is_empty() {
            return;
        }
        let order = self.under_way.remove(&names[pick % names.len()]).unwrap();
        match kind {
            None => drop(self.world.succeed(&order)),
            Some(kind) => {
                let retry_after = after.map(Duration::from_secs);
                self.world.end(&order, Err(Fault { retry_after, blame, ..fault(kind) }));
            }
        }
    }

    fn tick(&mut self) -> Result<(), TestCaseError> {
        for order in self.world.tick_at(self.world.now) {
            let again = self.under_way.insert(order.secret.clone(), order);
            prop_assert!(again.is_none(), "two orders for {again:?}");
        }
        let hanging = self.world.fleet.stats(at(self.world.now)).limits.hanging;
        prop_assert!(self.under_way.len() - hanging <= ALL && hanging <= 3 * ALL);
        for shoot in 0..3 {
            let of_shoot = |secret: &&SecretRef| {
                secret.namespace.as_str() == format!("shoot-{shoot}").as_str()
            };
            prop_assert!(self.under_way.keys().filter(of_shoot).count() <= EACH);
        }
        Ok(())
    }

    /// What is counted apart agrees with what is there.
    fn check(&self) -> Result<(), TestCaseError> {
        let fleet = &self.world.fleet;
        let wanting =
            fleet.members.all().filter(|(_, _, e)| e.standing.wants_first_token()).count();
        prop_assert_eq!(fleet.first_tokens, wanting);
        prop_assert_eq!(fleet.flights.len(), self.under_way.len());
        let planned = fleet.members.all().filter(|(_, _, entry)| entry.planned_in.is_some());
        prop_assert_eq!(fleet.load.count(), planned.count() as u64);
        for (shoot, name, entry) in fleet.members.all() {
            let secret = named(shoot, name);
            if let Standing::Fresh { until } = entry.standing {
                prop_assert_eq!(entry.planned_second(), Some(until.as_second()));
            }
            let renewing = matches!(entry.standing, Standing::Renewing { .. });
            prop_assert_eq!(renewing, fleet.flights.contains_key(&secret));
            prop_assert_eq!(
                entry.standing.ripe_at().is_some(),
                fleet.queue.slot(&secret).is_some()
            );
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn whatever_happens_a_secret_has_one_order_at_a_time_and_limits_hold(
        steps in prop::collection::vec(steps(), 0..120),
    ) {
        let mut model = Model {
            world: World::limited(ALL, EACH, &[], &[]),
            under_way: HashMap::new(),
        };
        for step in steps {
            model.play(step);
            model.tick()?;
            model.check()?;
        }
    }

    #[test]
    fn once_all_is_well_again_every_secret_gets_its_token(
        steps in prop::collection::vec(steps(), 0..60),
    ) {
        let mut model = Model {
            world: World::limited(ALL, EACH, &[], &[]),
            under_way: HashMap::new(),
        };
        for step in steps {
            model.play(step);
            model.tick()?;
        }
        let names: Vec<_> = (0..3).flat_map(|s| (0..5).map(move |n| (s, n))).collect();
        let records: Vec<_> =
            names.iter().map(|(s, n)| fresh(&format!("shoot-{s}/secret-{n}"), -24 * HOUR)).collect();
        let shoots = [0, 1, 2].map(|n| shoot(&format!("shoot-{n}"), Reach::Reachable));
        model.world.shoots(&shoots);
        model.world.records(&records);
        // No pause is longer than ten minutes.
        for _ in 0..700 {
            model.tick()?;
            while !model.under_way.is_empty() {
                model.end(0, None, None, Blame::Secret);
                model.tick()?;
            }
            model.world.now += 1;
        }
        for (s, n) in names {
            let schedule = model.world.schedule(&format!("shoot-{s}/secret-{n}"));
            prop_assert_eq!(schedule.state, State::Fresh, "{:?}", schedule);
        }
    }

    #[test]
    fn before_the_moment_to_wake_a_tick_orders_nothing(
        steps in prop::collection::vec(steps(), 0..80),
        looks in prop::collection::vec(0.0_f64..1.0, 3),
    ) {
        let mut model = Model {
            world: World::limited(ALL, EACH, &[], &[]),
            under_way: HashMap::new(),
        };
        for step in steps {
            model.play(step);
            model.tick()?;
            let now = model.world.now;
            let wake = model.world.fleet.wake_at(at(now)).map_or(now + DAY, |at| at.as_second());
            for look in &looks {
                let between = now + ((wake - now) as f64 * look) as i64;
                let given = model.world.tick_at(between);
                prop_assert!(between == wake || given.is_empty(), "at {between}: {given:?}");
                for order in given {
                    model.under_way.insert(order.secret.clone(), order);
                }
            }
            model.world.now = now;
        }
    }

    #[test]
    fn the_same_events_give_the_same_orders(steps in prop::collection::vec(steps(), 0..80)) {
        let play = |steps: Vec<Step>| {
            let mut model = Model {
                world: World::limited(ALL, EACH, &[], &[]),
                under_way: HashMap::new(),
            };
            let mut orders = Vec::new();
            for step in steps {
                model.play(step);
                let given = model.world.tick_at(model.world.now);
                for order in &given {
                    model.under_way.insert(order.secret.clone(), order.clone());
                }
                orders.extend(given);
            }
            orders
        };
        prop_assert_eq!(play(steps.clone()), play(steps));
    }
}
