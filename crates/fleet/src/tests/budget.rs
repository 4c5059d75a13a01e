use perennial_core::budget::{Budget, Verdict};

use super::*;
use crate::fixtures::LIFETIME;

fn surviving(seconds: i64, records: &[Record], shoots: &[ShootStatus]) -> World {
    let budget =
        Budget { shoot: Some(Duration::from_secs(seconds.unsigned_abs())), ..Budget::default() };
    let basis_seconds = budget.basis(Policy::default().basis_seconds, LIFETIME).unwrap();
    let settings = Settings { budget, policy: Policy { basis_seconds }, ..settings(64, 8) };
    let mut world = World { fleet: running(settings), now: 0 };
    world.shoots(shoots);
    world.records(records);
    world
}

#[test]
fn a_token_that_was_planned_without_the_budget_is_renewed_in_time_for_it() {
    let survived = LIFETIME / 2;
    let mut world = surviving(survived, &[fresh("shoot-1/a", 0)], &reachable());
    let survival = world.fleet.survival(at(0), None);
    assert_eq!((survival.secrets, survival.holds), (1, 1), "{survival:?}");
    assert!(survival.least_seconds.unwrap() >= survived + 600);
    let (second, order) = world.next_order(PLANNED).unwrap();
    assert!(LIFETIME - second >= survived + 600, "{} s left", LIFETIME - second);
    assert_eq!(order.reason, Reason::Due);
}

#[test]
fn who_does_not_survive_it_is_named_with_the_reason() {
    let records = [fresh("shoot-1/a", 0), bare("shoot-1/none"), invalid("shoot-1/wrong")];
    let world = surviving(LIFETIME / 2, &records, &reachable());
    let survival = world.fleet.survival(at(10), None);
    assert_eq!((survival.secrets, survival.holds), (3, 1));
    let broken: Vec<_> = survival.broken.iter().map(|(why, b)| (*why, b.count)).collect();
    assert_eq!(broken, [(Verdict::NoToken, 1), (Verdict::Unserved, 1)]);
    assert_eq!(survival.first_to_expire, Some((at(LIFETIME), secret("shoot-1/a"))));
    assert_eq!(world.fleet.stats(at(10)).budget, Some(survival));
    let elsewhere = world.fleet.survival(at(10), Some(&"shoot-2".parse().unwrap()));
    assert_eq!(elsewhere.secrets, 0);
}

#[test]
fn while_the_shoot_is_away_the_budget_is_spent_and_that_is_told() {
    let away = [shoot("shoot-1", Reach::Unreachable)];
    let world = surviving(LIFETIME / 2, &[fresh("shoot-1/a", 0)], &away);
    let survival = world.fleet.survival(at(LIFETIME / 2 + 60), None);
    assert_eq!(survival.broken.keys().copied().collect::<Vec<_>>(), [Verdict::Overdue]);
}
