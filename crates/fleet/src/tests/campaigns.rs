use perennial_core::{
    campaign::{Campaign, Campaigns, Cannot, LEAD, Selection, Wanted},
    name::CampaignId,
    pause::Pause,
    stop::Stop,
};

use super::{
    super::campaigns::{Phase, Progress},
    *,
};
/// When campaigns of these tests begin, and when their first orders may leave.
const BEGIN: i64 = HOUR;
const FIRST: i64 = BEGIN + LEAD.as_secs();

fn id() -> CampaignId {
    "c-1".parse().unwrap()
}

fn campaign(wanted: Wanted) -> Campaign {
    let reason = "tested".parse().unwrap();
    Campaign::new(reason, "spiffe://x".to_owned(), at(BEGIN), Selection::all(), wanted)
}

fn renew_all() -> Campaign {
    campaign(Wanted::IssuedSince(at(BEGIN)))
}

fn many(count: usize) -> Vec<Record> {
    (0..count).map(|number| fresh(&format!("shoot-1/s{number:03}"), 0)).collect()
}

impl World {
    fn start(&mut self, campaign: Campaign) {
        self.now = BEGIN;
        self.fleet.hear_of_campaigns(at(BEGIN), Campaigns::from([(id(), campaign)]));
    }

    fn progress(&self) -> Progress {
        self.fleet.campaign(&id()).unwrap().1
    }

    /// Serves whatever is ordered, second by second, until then; how many orders there were.
    fn serve_until(&mut self, end: i64) -> usize {
        let mut served = 0;
        for second in self.now..=end {
            loop {
                let orders = self.tick_at(second);
                if orders.is_empty() {
                    break;
                }
                served += orders.len();
                for order in orders {
                    self.succeed(&order);
                }
            }
        }
        served
    }
}

#[test]
fn every_token_is_renewed_once_within_the_limits_and_then_it_is_done() {
    let mut world = World::limited(4, 2, &many(40), &reachable());
    world.start(renew_all());
    assert_eq!(world.serve_until(FIRST - 1), 0, "nothing in its first seconds");
    assert_eq!(world.progress().phase, Phase::Running);
    let at_once = world.tick_at(FIRST);
    assert_eq!(at_once.len(), 2, "no more than the limits admit");
    assert!(at_once.iter().all(|order| order.reason == Reason::Requested));
    let open = world.progress();
    assert_eq!((open.total, open.done, open.to_do + open.under_way), (40, 0, 40));
    at_once.iter().for_each(|order| drop(world.succeed(order)));
    assert_eq!(world.serve_until(FIRST + 5) + 2, 40, "each once");
    let done = world.progress();
    assert_eq!((done.phase, done.done, done.total), (Phase::Done, 40, 40));
    assert_eq!(world.serve_until(FIRST + 60), 0);
}

#[test]
fn what_falls_due_by_itself_is_not_held_up_by_a_campaign() {
    let mut records = many(40);
    records.push(fresh("shoot-1/due", BEGIN - PLANNED + 5));
    let mut world = World::limited(1, 1, &records, &reachable());
    world.start(renew_all());
    world.tick_at(FIRST);
    let due = FIRST + 2;
    let order = world.fleet.flights.keys().next().unwrap().clone();
    world.now = due;
    let order = Order { secret: order, ..world_order(&world) };
    world.succeed(&order);
    assert_eq!(world.ordered_at(due), ["shoot-1/due"]);
}

/// The order that is under way.
fn world_order(world: &World) -> Order {
    let (secret, flight) = world.fleet.flights.iter().next().unwrap();
    Order {
        attempt: flight.attempt,
        secret: secret.clone(),
        digest: flight.digest.clone(),
        reason: flight.reason,
        window: Window::ORDINARY,
        place: 0.0,
        generation: flight.generation,
        grace: None,
        ends: Default::default(),
        unproved: false,
    }
}

#[test]
fn a_restart_in_the_middle_goes_on_where_it_was_and_renews_nothing_twice() {
    let records = many(30);
    let mut world = World::limited(4, 4, &records, &reachable());
    world.start(renew_all());
    let first: Vec<_> = world.tick_at(FIRST);
    let written: Vec<_> = first.iter().map(|order| world.succeed(order)).collect();
    let is_old = |record: &&Record| !written.iter().any(|new| new.secret == record.secret);
    let all: Vec<_> = records.iter().filter(is_old).chain(&written).cloned().collect();
    let mut anew = World::limited(4, 4, &all, &reachable());
    anew.start(renew_all());
    assert_eq!(anew.serve_until(FIRST + 10), 30 - written.len());
    assert_eq!(anew.progress().phase, Phase::Done);
}

#[test]
fn a_campaign_that_is_cancelled_orders_nothing_more_and_what_is_under_way_ends() {
    let mut world = World::limited(4, 4, &many(30), &reachable());
    world.start(renew_all());
    let orders = world.tick_at(FIRST);
    let cancelled = Campaign { cancelled: Some(at(FIRST)), ..renew_all() };
    world.fleet.hear_of_campaigns(at(FIRST), Campaigns::from([(id(), cancelled)]));
    orders.iter().for_each(|order| drop(world.succeed(order)));
    assert_eq!(world.serve_until(FIRST + 10), 0);
    assert_eq!(world.progress().phase, Phase::Cancelled);
    world.fleet.hear_of_campaigns(at(FIRST + 10), Campaigns::new());
    assert_eq!(world.fleet.campaign(&id()), None);
}

#[test]
fn who_cannot_be_renewed_is_named_with_the_reason_and_the_rest_is_done() {
    let mut records = many(5);
    records.push(invalid("shoot-1/wrong"));
    let mut world = World::of(&records, &reachable());
    world.start(renew_all());
    assert_eq!(world.serve_until(FIRST + 5), 5);
    let progress = world.progress();
    assert_eq!((progress.phase, progress.done, progress.total), (Phase::Incomplete, 5, 6));
    assert_eq!(progress.cannot[&Cannot::Invalid].first, [secret("shoot-1/wrong")]);
}

#[test]
fn a_shoot_that_is_away_is_waited_for_and_served_when_it_is_back() {
    let mut world = World::of(&many(5), &[shoot("shoot-1", Reach::Unreachable)]);
    world.start(renew_all());
    assert_eq!(world.serve_until(FIRST + 5), 0);
    let progress = world.progress();
    assert_eq!(progress.phase, Phase::Running);
    let [(why, left)] = progress.awaited.iter().collect::<Vec<_>>()[..] else {
        panic!("{progress:?}")
    };
    assert_eq!((why.as_str(), left.count), ("shoot_unreachable", 5));
    world.shoot(Event::Upsert(shoot("shoot-1", Reach::Reachable)));
    assert_eq!(world.serve_until(FIRST + 10), 5);
    assert_eq!(world.progress().phase, Phase::Done);
}

#[test]
fn a_renewal_that_fails_is_told_and_tried_again_after_its_pause() {
    let mut world = World::of(&many(1), &reachable());
    world.start(renew_all());
    let order = world.order_at(FIRST);
    world.fail(&order, Kind::Denied);
    assert_eq!(world.ordered_at(FIRST), [""; 0], "not at once");
    let (second, again) = world.next_order(FIRST + 120).unwrap();
    assert!(second > FIRST);
    let awaited = world.progress().awaited;
    assert!(awaited.is_empty() || awaited.keys().any(|why| why.as_str() == "failing"));
    world.succeed(&again);
    world.serve_until(second + 2);
    assert_eq!(world.progress().phase, Phase::Done);
}

#[test]
fn while_the_fleet_is_stopped_nothing_is_ordered_and_it_goes_on_after_that() {
    let mut world = World::of(&many(3), &reachable());
    world.start(renew_all());
    let stop = Stop::new("tested".parse().unwrap(), "spiffe://x".to_owned(), at(0));
    world.fleet.hear_of_stop(at(BEGIN), Some(stop));
    assert_eq!(world.serve_until(FIRST + 5), 0);
    assert_eq!(world.progress().to_do, 3);
    world.fleet.hear_of_stop(at(world.now), None);
    assert_eq!(world.serve_until(FIRST + 10), 3);
}

#[test]
fn a_shoot_that_is_paused_is_waited_for_and_said_to_be() {
    let records = [fresh("shoot-1/a", 0), fresh("shoot-2/a", 0)];
    let shoots = ["shoot-1", "shoot-2"].map(|name| shoot(name, Reach::Reachable));
    let mut world = World::of(&records, &shoots);
    let paused = |shoots: &[&str]| {
        let pause = || Pause::new("moved".parse().unwrap(), "spiffe://x".to_owned(), at(0), None);
        shoots.iter().map(|shoot| (shoot.parse().unwrap(), pause())).collect()
    };
    world.fleet.hear_of_pauses(at(0), paused(&["shoot-1"]));
    world.start(renew_all());
    assert_eq!(world.serve_until(FIRST + 5), 1);
    let progress = world.progress();
    let whys: Vec<_> = progress.awaited.keys().map(|why| why.as_str()).collect();
    assert_eq!((progress.done, progress.to_do, whys), (1, 0, vec!["shoot_paused"]));
    world.fleet.hear_of_pauses(at(world.now), paused(&[]));
    assert_eq!(world.serve_until(FIRST + 10), 1);
    assert_eq!(world.progress().phase, Phase::Done);
}

#[test]
fn only_its_selection_is_renewed() {
    let records = [fresh("shoot-1/a", 0), fresh("shoot-2/a", 0)];
    let shoots = ["shoot-1", "shoot-2"].map(|name| shoot(name, Reach::Reachable));
    let mut world = World::of(&records, &shoots);
    let selection = Selection::of_shoot("shoot-2".parse().unwrap());
    world.start(Campaign { selection, ..renew_all() });
    assert_eq!(world.serve_until(FIRST + 5), 1);
    assert_eq!((world.progress().phase, world.progress().total), (Phase::Done, 1));
    assert!(world.fleet.explain(at(world.now), &secret("shoot-1/a")).is_some());
}

#[test]
fn only_secrets_with_such_labels_are_renewed_also_those_that_get_them_meanwhile() {
    let labelled = |name: &str, app: &str| Record { labels: labels("app", app), ..fresh(name, 0) };
    let mut records = vec![labelled("shoot-1/a", "etcd"), labelled("shoot-1/b", "vpn")];
    records.extend((0..30).map(|number| labelled(&format!("shoot-1/x{number}"), "etcd")));
    let mut world = World::limited(1, 1, &records, &reachable());
    let selection = Selection { labels: Some("app=etcd".parse().unwrap()), ..Selection::all() };
    assert!(world.fleet.selects_any(&selection));
    let nothing = Selection { labels: Some("app=none".parse().unwrap()), ..Selection::all() };
    assert!(!world.fleet.selects_any(&nothing));
    world.start(Campaign { selection, ..renew_all() });
    let first = world.tick_at(FIRST);
    assert_eq!((world.progress().total, first.len()), (31, 1));
    world.record(Event::Upsert(labelled("shoot-1/b", "etcd")));
    world.succeed(&first[0]);
    world.serve_until(FIRST + 40);
    assert_eq!((world.progress().phase, world.progress().total), (Phase::Done, 32));
}

#[test]
fn while_the_shoot_signs_by_the_old_key_one_token_a_minute_is_spent_to_see_it() {
    let mut world = World::of(&many(20), &reachable());
    world.start(campaign(Wanted::SignedBy("new".to_owned())));
    // Tokens of these tests name no key, before and after.
    assert_eq!(world.serve_until(FIRST + 59), 1);
    let progress = world.progress();
    assert_eq!((progress.phase, progress.done), (Phase::Running, 0));
    let whys: Vec<_> = progress.awaited.keys().map(|why| why.as_str()).collect();
    assert_eq!(whys, ["key_not_used"]);
    assert_eq!(world.serve_until(FIRST + 179), 2);
}

#[test]
fn a_token_that_was_replaced_since_the_last_look_is_not_replaced_again() {
    let mut world = World::limited(1, 1, &many(3), &reachable());
    world.start(renew_all());
    let first = world.order_at(FIRST);
    let names = (0..3).map(|number| format!("shoot-1/s{number:03}"));
    let other = names.into_iter().find(|name| *name != first.secret.to_string()).unwrap();
    world.record(Event::Upsert(fresh(&other, FIRST)));
    world.succeed(&first);
    let second = world.order_at(FIRST);
    assert_ne!(second.secret.to_string(), other);
    world.succeed(&second);
    assert_eq!(world.serve_until(FIRST + 5), 0);
    assert_eq!(world.progress().phase, Phase::Done);
}
