//! The process that is at work crashes at each step between decision and acknowledged write.

use perennial_core::keys;
use perennial_lab::{
    access_secret::token,
    counts::{Request, RequestCounts},
    poll::{Look, until},
};

use crate::{
    house::{House, MOMENT, claims},
    witness::Witness,
};

/// Each point, and how many tokens a crash there costs: one where a token exists that nobody has
/// written yet.
const POINTS: [(&str, u64); 9] = [
    ("scheduler.ordered", 0),
    ("secret-writer.permitted", 0),
    ("token-issuer.admitted", 0),
    ("token-issuer.account-created", 0),
    ("token-issuer.granted", 1),
    ("token-issuer.delivered", 1),
    ("secret-writer.issued", 1),
    ("secret-writer.written", 0),
    ("scheduler.answered", 0),
];

#[tokio::test]
async fn a_crash_at_any_step_costs_one_token_at_most_and_nothing_is_lost_or_written_twice() {
    let house = House::start(1, &[]).await;
    house.give_crash_points(&POINTS.map(|(point, _)| point)).await;
    for (point, _) in POINTS.iter().filter(|(point, _)| !makes_the_account(point)) {
        house.ask(1, &secret_of(point), &[]).await;
    }
    for (point, _) in POINTS.iter().filter(|(point, _)| !makes_the_account(point)) {
        house.wait_for_token(1, &secret_of(point)).await;
    }
    let witness = Witness::begin(house.lab.seed().client()).await;
    let mut before = house.counts().await;
    for (point, expected) in POINTS {
        let tokens = witness.tokens();
        crash_at(point, &house).await;
        let after = house.counts().await;
        let spent = after.since(&before);
        let look = async || {
            Ok(match witness.tokens() {
                seen if seen > tokens => Look::Done(()),
                seen => Look::Waiting(format!("{seen} tokens seen")),
            })
        };
        until("the token being seen", MOMENT, look).await.unwrap();
        let written = witness.tokens() - tokens;
        let in_vain = spent.shoot.tokens_granted() - written;
        println!("{point:30} tokens written: {written}, issued in vain: {in_vain}");
        assert_eq!(written, 1, "{point}: {:?}", spent.seed);
        assert_eq!(in_vain, expected, "{point}: {:?}", spent.shoot);
        assert_eq!(patches(&spent.seed), ours(point) + 1, "{point}: {:?}", spent.seed);
        before = after;
    }
    assert_eq!(witness.wrongs(), [""; 0]);
    house.end().await;
}

/// Only a Secret without an account gets one made.
fn makes_the_account(point: &str) -> bool {
    point == "token-issuer.account-created"
}

fn secret_of(point: &str) -> String {
    format!("shoot-access-{}", point.replace('.', "-"))
}

/// Our own patches: a renewal is forced by one, a new Secret is made without.
fn ours(point: &str) -> u64 {
    u64::from(!makes_the_account(point))
}

fn patches(seed: &RequestCounts) -> u64 {
    seed.count(|Request { verb, resource, code, .. }| {
        verb == "PATCH" && resource == "secrets" && code == "200"
    })
}

/// Has one Secret renewed with a crash on the way; back when it is renewed and all is well again.
async fn crash_at(point: &str, house: &House) {
    let name = secret_of(point);
    let before = match makes_the_account(point) {
        true => None,
        false => token(&house.secrets(1).get(&name).await.unwrap()),
    };
    let cause = async || match makes_the_account(point) {
        true => house.ask(1, &name, &[]).await,
        false => house.annotate(1, &name, keys::RENEW_TIMESTAMP, None).await,
    };
    house.crash_at(point, cause).await;
    let renewed = |secret: &_| token(secret).is_some() && token(secret) != before;
    let secret = house.wait(1, &name, "another token", renewed).await;
    assert!(claims(&secret).is_some());
}
