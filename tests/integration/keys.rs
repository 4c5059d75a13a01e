//! Signing keys of a shoot that come and go (contract, section C).

use std::time::Duration;

use perennial_core::token::Claims;
use perennial_lab::poll::Look;

use crate::house::{House, OWN, token};

const COUNT: usize = 8;
/// A little more than the pause between two looks.
const A_LOOK: Duration = Duration::from_secs(61);

/// A shoot that signs with a second key, and one token of that; all others are of the first.
async fn two_keys() -> (House, Vec<String>) {
    let house = House::new().await;
    let names: Vec<_> = (0..COUNT).map(|n| house.ask(1, &format!("component-{n}"))).collect();
    house.all_fresh(COUNT + 1).await;
    house.pass_and_look(A_LOOK).await;
    house.shoot(1).add_key();
    house.pass_and_look(A_LOOK).await;
    let new = house.ask(1, "new");
    house.wait_for_token(1, &new).await;
    house.all_fresh(COUNT + 2).await;
    (house, names)
}

fn key_of(house: &House, name: &str) -> Option<String> {
    let held = token(&house.secret(1, name))?;
    Claims::read(held.as_bytes()).ok()?.key_id.map(|id| id.to_string())
}

#[tokio::test]
async fn c_every_token_of_a_withdrawn_signing_key_is_renewed_once_and_no_other() {
    let (house, names) = two_keys().await;
    house
        .until("our own token under the new key, by itself", async || {
            let is_new = key_of(&house, OWN) == Some(house.shoot(1).key_id());
            if is_new { Look::Done(()) } else { Look::Waiting("the old one".to_owned()) }
        })
        .await;
    let before = house.counts();
    house.shoot(1).drop_former_keys();
    house.pass_and_look(A_LOOK).await;
    house.pass_and_look(A_LOOK).await;
    let new = Some(house.shoot(1).key_id());
    let early = names.iter().filter(|name| key_of(&house, name) == new).count();
    assert_eq!(early, 0, "two looks are not enough");
    house.pass_and_look(A_LOOK).await;
    house.pass_and_look(A_LOOK / 2).await;
    house.clock.advance(A_LOOK);
    house.clock.advance(A_LOOK);
    let all: Vec<_> = names.iter().map(String::as_str).chain([OWN]).collect();
    house
        .until("tokens of the new key", async || {
            let old = |name: &&&str| key_of(&house, name) != Some(house.shoot(1).key_id());
            match all.iter().filter(old).collect::<Vec<_>>() {
                left if left.is_empty() => Look::Done(()),
                left => Look::Waiting(format!("{left:?}")),
            }
        })
        .await;
    house.all_fresh(COUNT + 2).await;
    let schedule = house.schedule(1, &names[0]).await.unwrap();
    assert_eq!(schedule.last_renewal.unwrap().reason, "key_withdrawn");
    assert_eq!(house.spent_since(&before).dear()[0], COUNT as u64);
}

#[tokio::test]
async fn c_a_restart_of_all_makes_it_impossible_to_tell_and_no_token_is_issued() {
    let (mut house, names) = two_keys().await;
    house.shoot(1).drop_former_keys();
    for role in House::SERVICES {
        house.stop(role).await;
    }
    let held = |house: &House| names.iter().map(|n| token(&house.secret(1, n))).collect::<Vec<_>>();
    let before = held(&house);
    house.run_all().await;
    for _ in 0..6 {
        house.pass_and_look(A_LOOK).await;
    }
    house.all_fresh(COUNT + 2).await;
    assert_eq!(held(&house), before);
    assert_ne!(key_of(&house, &names[0]), Some(house.shoot(1).key_id()));
}
