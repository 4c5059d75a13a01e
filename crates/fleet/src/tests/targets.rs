use perennial_core::{
    inputs::Mode,
    issued::Left,
    target::{TargetHeld, TargetSeen, TargetState},
    token::TokenHash,
};

use super::*;
use crate::feed::TargetNews;

/// A Secret whose token was delivered at 0.
fn delivered() -> Record {
    let mut record = bare("shoot-1/a");
    record.inputs.as_mut().unwrap().target = Some(secret("kube-system/target"));
    written(&record, 0, Reason::NothingHeld)
}

fn holding(record: &Record) -> TargetState {
    let claims = Box::new(record.held.claims().unwrap().clone());
    let sha256 = record.issued.as_ref().unwrap().sha256.clone();
    let held = TargetHeld::Token { claims, sha256 };
    TargetState::Present { held, mode: Mode::Token, ca: None }
}

impl World {
    fn sees(&mut self, seconds: i64, state: TargetState) {
        let (shoot, target) = ("shoot-1".parse().unwrap(), secret("kube-system/target"));
        let seen = TargetSeen { state, at: at(seconds) };
        self.fleet.hear_of_target(at(seconds), TargetNews { shoot, target, seen });
    }
}

#[test]
fn c_a_target_that_is_deleted_is_filled_again_at_once() {
    let mut world = World::of(&[delivered()], &reachable());
    assert_eq!(world.ordered_at(10), [""; 0], "the note counts until somebody has looked");
    world.sees(11, holding(&delivered()));
    assert_eq!(world.ordered_at(12), [""; 0]);
    world.sees(20, TargetState::Absent);
    assert_eq!(world.order_at(20).reason, Reason::NothingHeld);
}

#[test]
fn c_what_an_older_stream_says_of_a_target_is_no_news() {
    let mut world = World::of(&[delivered()], &reachable());
    world.sees(20, holding(&delivered()));
    world.sees(15, TargetState::Absent);
    assert_eq!(world.ordered_at(21), [""; 0]);
}

#[test]
fn b7_a_former_target_is_cleaned_by_a_repair_and_only_then_forgotten() {
    let mut left = delivered();
    let former = Left { secret: secret("kube-system/former"), sha256: TokenHash::of(b"x") };
    left.left = vec![former];
    let mut world = World::of(&[left.clone()], &reachable());
    let order = world.order_at(10);
    assert_eq!(order.reason, Reason::TargetLeft);
    world.end(&order, Ok(Record { left: Vec::new(), ..left }));
    let schedule = world.schedule("shoot-1/a");
    assert_eq!((schedule.state, schedule.renewals), (State::Fresh, 0), "a repair is no renewal");
}
