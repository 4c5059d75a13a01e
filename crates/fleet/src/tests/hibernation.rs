//! Shoots that are said to hibernate.

use super::*;
use crate::request::Error;
use perennial_core::failure::Failure as _;

fn asleep(reach: Reach) -> ShootStatus {
    ShootStatus { hibernated: true, ..shoot("shoot-1", reach) }
}

#[test]
fn nothing_is_ordered_for_a_shoot_that_hibernates_and_nothing_is_wrong_with_it() {
    let records =
        [fresh("shoot-1/a", 0), bare("shoot-1/b"), bare("shoot-1/shoot-access-token-issuer")];
    let mut world = World::of(&records, &[asleep(Reach::Unknown)]);
    assert_eq!(world.state("shoot-1/a"), State::Fresh, "its token is good");
    for hour in 0..100 {
        assert_eq!(world.ordered_at(hour * HOUR), [""; 0]);
    }
    for name in ["shoot-1/a", "shoot-1/b", "shoot-1/shoot-access-token-issuer"] {
        let schedule = world.schedule(name);
        assert_eq!(schedule.state, State::Hibernated, "{name}");
        assert!(!schedule.overdue && schedule.troubled_since.is_none(), "{schedule:?}");
        assert!(schedule.detail.starts_with("its shoot hibernates"), "{}", schedule.detail);
    }
    let stats = world.fleet.stats(at(world.now));
    assert_eq!((stats.overdue, stats.secrets[&State::Hibernated]), (0, 3));
    let refused = world.fleet.request(at(world.now), &secret("shoot-1/a")).unwrap_err();
    assert!(matches!(refused, Error::Away(..)), "{refused:?}");
    assert_eq!((refused.kind(), refused.reason()), (Kind::Held, "SHOOT_HIBERNATED"));
}

#[test]
fn trouble_from_before_is_over_when_it_is_put_to_sleep_and_begins_anew_when_it_is_not_reached() {
    let mut world = World::of(&[bare("shoot-1/a")], &[shoot("shoot-1", Reach::Unreachable)]);
    assert_eq!(world.schedule("shoot-1/a").troubled_since, Some(at(0)));
    world.shoot(Event::Upsert(asleep(Reach::Unknown)));
    assert_eq!(world.schedule("shoot-1/a").troubled_since, None);
    world.now = 100;
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Unreachable)));
    let schedule = world.schedule("shoot-1/a");
    assert_eq!((schedule.state, schedule.troubled_since), (State::WaitingForShoot, Some(at(100))));
}

#[test]
fn when_it_wakes_and_answers_all_goes_out_its_own_first_then_what_has_nothing() {
    let own = "shoot-1/shoot-access-token-issuer";
    let records = [fresh("shoot-1/a", 0), bare("shoot-1/b"), bare(own)];
    let mut world = World::limited(64, 1, &records, &[asleep(Reach::Unknown)]);
    assert_eq!(world.ordered_at(PLANNED), [""; 0]);
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Unreachable)));
    assert_eq!(world.ordered_at(PLANNED), [""; 0], "one probe suffices");
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Reachable)));
    for name in [own, "shoot-1/b", "shoot-1/a"] {
        let order = world.order_at(PLANNED);
        assert_eq!(order.secret.to_string(), name);
        world.succeed(&order);
    }
}

#[test]
fn a_shoot_that_answers_in_its_sleep_is_told_of_and_nothing_is_renewed() {
    let mut world = World::of(&[fresh("shoot-1/a", 0)], &[asleep(Reach::Reachable)]);
    let verdict =
        |world: &World| world.fleet.explain(at(world.now), &secret("shoot-1/a")).unwrap().verdict;
    assert!(verdict(&world).cause.contains("and answers"), "also while its token is good");
    assert_eq!(world.ordered_at(PLANNED), [""; 0]);
    assert_eq!(world.state("shoot-1/a"), State::Hibernated);
    let told = verdict(&world);
    assert!(told.remedy.contains("remove annotation perennial.dev/hibernated"), "{told:?}");
    assert!(told.command.ends_with("shoot-access-token-issuer perennial.dev/hibernated-"));

    world.shoot(Event::Upsert(asleep(Reach::Unknown)));
    let told = verdict(&world);
    assert_eq!(told.remedy, "", "{told:?}");
}
