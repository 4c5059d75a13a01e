use perennial_core::failure::{Failure as _, Kind};

use super::*;
use crate::{
    fakes::{
        World,
        generations::{family, generation},
        refused,
    },
    issue::{
        Error, Issuer,
        tests::{for_kube_proxy, issuer},
    },
};

const BOUND: Binding = Binding { generation: 2, revokes: false, grace: None };

fn asks(binding: Binding) -> Ask {
    Ask { binding: Some(binding), ..for_kube_proxy() }
}

async fn bound_to(issuer: &Issuer, ask: &Ask) -> Result<Number, Error> {
    let issued = issuer.issue(ask).await?;
    let token = issued.token().unwrap().expose().as_bytes();
    let claims = perennial_core::token::Claims::read(token).unwrap();
    Ok(family().number(&claims.bound.unwrap().name).unwrap())
}

async fn issues(world: &World, binding: Binding) -> Result<Number, Error> {
    bound_to(&issuer(world, &world.directory()), &asks(binding)).await
}

#[tokio::test]
async fn d_an_ordinary_renewal_of_a_revocable_token_costs_one_call() {
    let world = World::new();
    world.has_generation(2, "b");
    assert_eq!(issues(&world, BOUND).await.unwrap(), 2);
    assert_eq!(world.calls(), ["own: request token bound to 2"]);
}

#[tokio::test]
async fn d_the_first_token_makes_the_first_generation() {
    let world = World::new();
    let first = Binding { generation: 0, ..BOUND };
    assert_eq!(issues(&world, first).await.unwrap(), 1);
    assert_eq!(
        world.calls(),
        ["own: list generations", "own: make generation 1", "own: request token bound to 1"]
    );
    world.has_generation(7, "g");
    assert_eq!(issues(&world, first).await.unwrap(), 7, "none is made where one is there");
    assert_eq!(world.calls(), ["own: list generations", "own: request token bound to 7"]);
}

#[tokio::test]
async fn d_a_token_that_revokes_makes_the_next_generation_with_its_grace() {
    let world = World::new();
    world.has_generation(1, "a");
    let grace = Some(Duration::from_secs(240));
    assert_eq!(issues(&world, Binding { revokes: true, grace, ..BOUND }).await.unwrap(), 2);
    assert_eq!(
        world.calls(),
        ["own: list generations", "own: make generation 2", "own: request token bound to 2"]
    );
    assert_eq!(world.generations(), [1, 2]);
    let made = world.set().generations.values().find(|made| *made.uid == *"made-2").cloned();
    assert_eq!(made.unwrap().grace, grace);
}

#[tokio::test]
async fn d_a_generation_that_is_missing_is_made_also_where_the_account_is_missing_too() {
    let world = World::new();
    world.set().accounts.clear();
    assert_eq!(issues(&world, BOUND).await.unwrap(), 2);
    assert_eq!(
        world.calls(),
        [
            "own: request token bound to 2",
            "own: apply kube-system/kube-proxy with 1 labels",
            "own: request token bound to 2",
            "own: list generations",
            "own: make generation 2",
            "own: request token bound to 2",
        ]
    );
}

#[tokio::test]
async fn d_where_a_newer_generation_is_there_no_older_one_is_made() {
    let world = World::new();
    world.has_generation(5, "e");
    assert_eq!(issues(&world, BOUND).await.unwrap(), 5);
    assert_eq!(world.generations(), [5]);
}

#[tokio::test]
async fn d_one_that_another_replica_makes_at_the_same_time_is_taken() {
    let world = World::new();
    world.set().comes_first = Some(generation(2, "theirs"));
    assert_eq!(issues(&world, Binding { revokes: true, ..BOUND }).await.unwrap(), 2);
    assert_eq!(world.calls().len(), 4, "list, make, list, request");
}

#[test]
fn d_nothing_is_bound_to_a_generation_that_is_being_deleted() {
    let terminating = |number| SeenGeneration { terminating: true, ..generation(number, "t") };
    let there = |number| Choice::There(Chosen { number, grace: None });
    let choose = |found: &[SeenGeneration], least| choose(found, &family(), least);
    assert_eq!(choose(&[terminating(2)], 2), Choice::Make(3));
    assert_eq!(choose(&[terminating(2)], 0), Choice::Make(3));
    assert_eq!(choose(&[generation(1, "a"), terminating(2)], 1), there(1));
    assert_eq!(choose(&[generation(1, "a"), terminating(2)], 2), Choice::Make(3));
    assert_eq!(choose(&[terminating(2), generation(4, "d")], 2), there(4));
    assert_eq!(choose(&[generation(1, "a")], 9), Choice::Make(9));
}

#[tokio::test]
async fn d_what_is_known_to_be_gone_is_not_asked_for_in_vain() {
    let world = World::new();
    let issuer = issuer(&world, &world.directory());
    let shoot = crate::fakes::shoot(1);
    issuer.generations.observe(&shoot, [family()].into()).unwrap();
    issuer.generations.listed_for_tests(&shoot, &family(), &[]);
    assert_eq!(bound_to(&issuer, &asks(BOUND)).await.unwrap(), 2);
    assert_eq!(
        world.calls(),
        ["own: list generations", "own: make generation 2", "own: request token bound to 2"]
    );
    let told = issuer.generations.of(&shoot);
    assert_eq!(told[0].seen.newest().map(|newest| newest.number), Some(2), "it is noted at once");
}

#[tokio::test]
async fn d_a_token_bound_to_something_else_is_not_passed_on() {
    let world = World::new();
    world.has_generation(2, "b");
    for other in [family().name(1).to_string(), "stranger".to_owned()] {
        world.set().binds_to = Some(other);
        let error = issues(&world, BOUND).await.unwrap_err();
        assert_eq!(error.reason(), "TOKEN_MISMATCH", "{error}");
    }
}

#[tokio::test]
async fn d_a_secret_of_a_generations_name_that_is_none_of_ours_is_named() {
    let world = World::new();
    let taken = crate::fakes::generations::already_there();
    let issuer = issuer(&world, &world.directory());
    let (shoot, account) = (crate::fakes::shoot(1), for_kube_proxy().account);
    let failed = |error| crate::attempt::Failed::for_tests(error);
    let error = issuer.generation_lost(failed(taken), &shoot, &account);
    assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, "GENERATION_CONTENDED"));
    let error = issuer.generation_lost(failed(refused(403, Some("secrets"))), &shoot, &account);
    assert_eq!((error.kind(), error.reason()), (Kind::Denied, "GENERATIONS_FORBIDDEN"));
    assert!(error.to_string().contains("perennial-token-issuer-generations"), "{error}");
}
