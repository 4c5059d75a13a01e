use perennial_core::{
    ca::CaHash,
    shoot::{AccountSeen, AccountState},
};

use super::*;
use crate::feed::AccountNews;

/// A shoot with this CA, and a Secret with a good token that wants it.
fn world() -> World {
    let mut record = fresh("shoot-1/a", 0);
    record.inputs.as_mut().unwrap().inject_ca = true;
    record.ca = Some(CaHash(1));
    World::of(&[record], &[with_ca(1)])
}

fn with_ca(ca: u64) -> ShootStatus {
    ShootStatus { ca: Some(CaHash(ca)), ..reachable()[0].clone() }
}

impl World {
    fn has_ca(&self, ca: u64) -> Record {
        let record = &self.fleet.members.get(&secret("shoot-1/a")).unwrap().record();
        Record { ca: Some(CaHash(ca)), ..record.clone() }
    }
}

#[test]
fn c_another_ca_is_written_at_once_without_a_token() {
    let mut world = world();
    assert_eq!(world.ordered_at(10), [""; 0]);
    world.shoot(Event::Upsert(with_ca(2)));
    let order = world.order_at(10);
    assert_eq!(order.reason, Reason::CaChanged);
    let answer = world.has_ca(2);
    world.end(&order, Ok(answer));
    let schedule = world.schedule("shoot-1/a");
    assert_eq!((schedule.state, schedule.renewals), (State::Fresh, 0), "a repair is no renewal");
    assert_eq!(world.ordered_at(PLANNED), ["shoot-1/a"]);
}

#[test]
fn c_who_undoes_each_repair_gets_ever_fewer_of_them() {
    let mut world = world();
    world.shoot(Event::Upsert(with_ca(2)));
    let mut moments = Vec::new();
    for second in 0..600 {
        for order in world.tick_at(second) {
            moments.push(second);
            let (repaired, undone) = (world.has_ca(2), world.has_ca(1));
            world.end(&order, Ok(repaired));
            world.record(Event::Upsert(undone));
        }
    }
    assert_eq!(moments[..5], [0, 1, 3, 7, 15]);
    assert!(moments[4..12].windows(2).all(|pair| pair[1] - pair[0] == 8), "{moments:?}");
    assert_eq!(moments[12..], [71 + 8, 79 + 16, 95 + 32, 127 + 64, 191 + 128, 319 + 256]);
}

#[test]
fn a_repair_that_fails_holds_up_no_renewal() {
    let mut world = world();
    world.shoot(Event::Upsert(with_ca(2)));
    let mut repairs = 0;
    for second in 0..PLANNED {
        for order in world.tick_at(second) {
            assert_eq!(order.reason, Reason::CaChanged);
            repairs += 1;
            world.end(&order, Err(fault(Kind::Denied)));
        }
    }
    assert!((10..30).contains(&repairs), "{repairs}: pauses double up to an hour");
    let schedule = world.schedule("shoot-1/a");
    assert_eq!(schedule.reason, Some(Reason::CaChanged));
    assert!(schedule.detail.contains("denied"), "{}", schedule.detail);
    assert_eq!(world.order_at(PLANNED).reason, Reason::Due);
}

#[test]
fn c_an_account_made_anew_is_renewed_for_and_others_are_left_alone() {
    let first = |name: &str, account: &str| {
        let mut record = bare(name);
        record.inputs.as_mut().unwrap().account = account.parse().unwrap();
        let mut record = written(&record, 0, Reason::NothingHeld);
        if let Held::Token(claims) = &mut record.held {
            claims.account_uid = Some("first".into());
        }
        record
    };
    let records = [first("shoot-1/a", "kube-system/one"), first("shoot-1/b", "kube-system/two")];
    let account = records[0].inputs.as_ref().unwrap().account.clone();
    let mut world = World::of(&records, &reachable());
    let see = |world: &mut World, state: AccountState| {
        let seen = AccountSeen { state, at: at(100) };
        let news =
            AccountNews { shoot: "shoot-1".parse().unwrap(), account: account.clone(), seen };
        world.fleet.hear_of_account(at(100), news);
    };
    see(&mut world, AccountState::Terminating);
    assert_eq!(world.ordered_at(100), [""; 0], "nothing is issued while it is terminating");
    assert!(world.schedule("shoot-1/a").detail.contains("ServiceAccount is being deleted"));
    assert_eq!(world.state("shoot-1/b"), State::Fresh);
    see(&mut world, AccountState::Absent);
    let order = world.order_at(101);
    assert_eq!((order.secret, order.reason), (secret("shoot-1/a"), Reason::AccountGone));
}

#[test]
fn b2_secrets_that_name_one_account_do_not_fight_about_its_labels() {
    let labelled = |name: &str, labels: &[(&str, &str)]| {
        let mut record = fresh(name, 0);
        let wanted = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        record.inputs.as_mut().unwrap().account_labels = wanted.collect();
        record
    };
    let records = [
        labelled("shoot-1/a", &[]),
        labelled("shoot-1/b", &[("app", "b")]),
        labelled("shoot-1/c", &[("app", "c")]),
    ];
    let inputs = |record: &Record| record.inputs.clone().unwrap();
    let mut world = World::of(&records, &reachable());
    let has = |world: &mut World, second: i64, record: &Record| {
        let labels = perennial_core::inputs::LabelsHash::of(&inputs(record).account_labels);
        let state = AccountState::Present { uid: "u".into(), automount_off: true, labels };
        let (shoot, account) = ("shoot-1".parse().unwrap(), inputs(record).account);
        let seen = AccountSeen { state, at: at(second) };
        world.fleet.hear_of_account(at(second), AccountNews { shoot, account, seen });
    };
    let told = world.fleet.observations(at(1)).len();
    assert_eq!(told, 1);
    has(&mut world, 10, &records[0]);
    let order = world.order_at(10);
    assert_eq!(
        (order.secret.to_string(), order.reason),
        ("shoot-1/b".into(), Reason::AccountDrifted)
    );
    world.end(&order, Ok(records[1].clone()));
    has(&mut world, 11, &records[1]);
    assert_eq!(world.ordered_at(PLANNED - 1), [""; 0], "nobody undoes it");
    let explained = world.fleet.explain(at(12), &secret("shoot-1/c")).unwrap();
    let all = format!("{explained:?}");
    assert!(all.contains("has the labels that shoot-1/b asks for"), "{all}");

    // Who spoke is gone: the next one does.
    world.record(Event::Removed(secret("shoot-1/b")));
    let observed = world.fleet.observations(at(20)).len();
    assert!(observed <= 1, "{observed}");
    let order = world.order_at(21);
    assert_eq!(order.secret.to_string(), "shoot-1/c");
}
