//! Random Secrets, right ones among wrong ones (B10). `tests/fuzz` makes them; on real API servers
//! there are a thousand of each.

use perennial_core::{issued::Issued, keys, token::Claims};
use perennial_fuzz::samples::{Sample, WRONG_ACCOUNT};
use perennial_lab::poll::Look;
use perennial_proto::scheduler::v1::State;
use serde_json::Value;

use crate::house::{House, annotation, namespace, token};

/// Of each kind.
const EACH: u64 = 60;

#[tokio::test]
async fn b10_random_right_secrets_are_served_among_random_wrong_ones_that_are_told_of_once() {
    let house = House::new().await;
    for namespace in ["kube-public", "kube-node-lease"] {
        house.shoot(1).add_namespace(namespace);
    }
    let before = house.counts();
    for number in 0..EACH {
        let (right, wrong) = (Sample::right(number), Sample::wrong(number));
        house.seed.create(right.manifest(&namespace(1), &format!("right-{number}")));
        house.seed.create(wrong.manifest(&namespace(1), &format!("wrong-{number}")));
    }
    for number in 0..EACH {
        is_served(&house, &Sample::right(number), &format!("right-{number}")).await;
        is_told_of_once(&house, &Sample::wrong(number), &format!("wrong-{number}")).await;
    }
    let spent = house.spent_since(&before);
    assert_eq!(spent.seed.writes("secrets"), EACH, "only the right ones were written");
    let calls = spent.shoot(1).count(|call| call.name.starts_with(WRONG_ACCOUNT));
    assert_eq!(calls, 0, "no shoot is asked for a wrong one");
    assert!(events_of(&house, "right-").is_empty());
    assert_eq!(events_of(&house, "wrong-").len() as u64, EACH);

    for number in 0..EACH {
        let (name, right) = (format!("wrong-{number}"), Sample::corrected(number));
        let manifest = right.manifest(&namespace(1), &name);
        house.edit(1, &name, |secret| {
            secret["metadata"]["annotations"] = manifest["metadata"]["annotations"].clone();
            secret["data"] = manifest["data"].clone();
        });
    }
    for number in 0..EACH {
        is_served(&house, &Sample::corrected(number), &format!("wrong-{number}")).await;
    }
    assert_eq!(events_of(&house, "").len() as u64, EACH, "nothing is told of a correction");
}

async fn is_served(house: &House, sample: &Sample, name: &str) {
    let noted = |secret: &Value| annotation(secret, keys::ISSUED).and_then(Issued::read).is_some();
    let secret = house.wait(1, name, "a token of ours", noted).await;
    let claims = Claims::read(token(&secret).unwrap().as_bytes()).unwrap();
    assert_eq!(claims.account.name.as_str(), sample.annotations[keys::ACCOUNT_NAME]);
}

async fn is_told_of_once(house: &House, sample: &Sample, name: &str) {
    let invalid = house
        .wait_for_schedule(1, name, "its refusal", |schedule| schedule.state() == State::Invalid)
        .await;
    let event = house
        .until(&format!("an Event about {name}"), async || {
            match events_of(house, &format!("{name}.")).as_slice() {
                [event] => Look::Done(event.clone()),
                events => Look::Waiting(format!("{events:?}")),
            }
        })
        .await;
    assert_eq!(event["message"], invalid.detail.as_str(), "the same words");
    let reasons = sample.mistakes.iter().map(|mistake| Value::from(mistake.event_reason()));
    assert!(reasons.collect::<Vec<_>>().contains(&event["reason"]), "{event}");
}

/// The Events whose names begin with this: the name of the Secret and a dot.
fn events_of(house: &House, prefix: &str) -> Vec<Value> {
    let mut events = house.seed.list("events", &namespace(1));
    events.retain(|event| event["metadata"]["name"].as_str().unwrap().starts_with(prefix));
    events
}
