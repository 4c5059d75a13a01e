use perennial_core::failure::{Failure as _, Kind};

use super::*;
use crate::{
    fakes::{
        World,
        generations::{family, generation},
    },
    issue::{
        Binding, Issuer,
        tests::{for_kube_proxy, issuer},
    },
};

fn revoke(keep: Number) -> Revoke {
    let ask = for_kube_proxy();
    Revoke { secret: ask.secret, account: ask.account, keep, up_to: keep - 1, unproved: false }
}

/// An issuer that has issued a token of each of these generations.
async fn issued(world: &World, numbers: &[Number]) -> Issuer {
    let issuer = issuer(world, &world.directory());
    for &number in numbers {
        world.has_generation(number, &format!("uid-{number}"));
        let binding = Binding { generation: number, revokes: false, grace: None };
        issuer
            .issue(&crate::issue::Ask { binding: Some(binding), ..for_kube_proxy() })
            .await
            .unwrap();
    }
    world.calls();
    issuer
}

#[tokio::test]
async fn d_without_the_generation_to_keep_nothing_is_deleted() {
    let world = World::new();
    let issuer = issued(&world, &[1]).await;
    let error = issuer.revoke(&revoke(2)).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Held, "GENERATION_MISSING"));
    assert!(error.to_string().contains(family().name(2).as_str()), "{error}");

    world.put_generation(SeenGeneration { terminating: true, ..generation(2, "b") });
    issuer.revoke(&revoke(2)).await.unwrap_err();
    assert_eq!(world.generations(), [1, 2]);
    assert_eq!(world.calls(), ["own: list generations", "own: list generations"]);
}

#[tokio::test]
async fn d_older_generations_of_this_secret_go_and_nothing_else() {
    let world = World::new();
    let issuer = issuer(&world, &world.directory());
    for number in 1..=4 {
        world.has_generation(number, "x");
    }
    let other = family().secret.to_string() + "-2";
    let other = Family { secret: other.parse().unwrap(), ..family() };
    let seen = SeenGeneration { name: other.name(1), ..generation(1, "other") };
    world.put_generation(seen);
    let revoked = issuer.revoke(&revoke(3)).await.unwrap();
    assert_eq!(revoked, Revoked { deleted: 2, refused: false }, "no old token is at hand");
    assert_eq!(world.generations(), [3, 4]);
    assert_eq!(world.set().generations.len(), 3);
    assert_eq!(issuer.revoke(&revoke(3)).await.unwrap().deleted, 0, "it may be repeated");
}

#[tokio::test(start_paused = true)]
async fn d_where_nobody_waits_for_a_proof_no_old_token_is_tried() {
    let world = World::new();
    let issuer = issued(&world, &[1, 2]).await;
    world.has_generation(1, "uid-1");
    let revoked = issuer.revoke(&Revoke { unproved: true, ..revoke(2) }).await.unwrap();
    assert_eq!(revoked, Revoked { deleted: 1, refused: false });
    assert_eq!(world.generations(), [2]);
    assert!(!world.calls().iter().any(|call| call.contains("probe")), "{:?}", world.calls());
}

#[tokio::test(start_paused = true)]
async fn d_only_what_is_to_go_goes_and_only_a_token_of_that_is_tried() {
    let world = World::new();
    let issuer = issued(&world, &[1, 2, 3]).await;
    world.has_generation(1, "uid-1");
    let first = Revoke { up_to: 1, ..revoke(3) };
    let revoked = issuer.revoke(&first).await.unwrap();
    assert_eq!(
        revoked,
        Revoked { deleted: 1, refused: false },
        "that of 2 lives and tells nothing"
    );
    assert_eq!(world.generations(), [2, 3]);
    assert!(!world.calls().iter().any(|call| call == "new: probe"));
}

#[tokio::test(start_paused = true)]
async fn d_an_old_token_is_tried_once_a_second_until_it_is_refused() {
    let world = World::new();
    let issuer = issued(&world, &[1, 2]).await;
    let refuse = async {
        time::sleep(Duration::from_millis(10_500)).await;
        world.set().takes_new_tokens = false;
    };
    let request = revoke(2);
    let (revoked, ()) = tokio::join!(issuer.revoke(&request), refuse);
    assert_eq!(revoked.unwrap(), Revoked { deleted: 1, refused: true });
    let calls = world.calls();
    let tries = calls.iter().filter(|call| *call == "new: probe").count();
    assert_eq!(tries, 1 + 12, "before the deletion, and at 0, 1, … 11 s: {calls:?}");
    assert_eq!(calls[1..3], ["new: probe", "own: delete generation 1"]);

    let again = issuer.revoke(&revoke(2)).await.unwrap();
    assert_eq!(again, Revoked { deleted: 0, refused: false }, "the token has told and is gone");
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "a measure on tokio's paused clock")]
async fn d_an_old_token_that_is_still_taken_after_20_s_is_an_error_and_tried_anew() {
    let world = World::new();
    let issuer = issued(&world, &[1, 2]).await;
    let begun = time::Instant::now();
    let error = issuer.revoke(&revoke(2)).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (Kind::Unavailable, "OLD_TOKEN_STILL_TAKEN"));
    assert_eq!(begun.elapsed().as_secs(), CONFIRM_LIMIT.as_secs());
    world.set().takes_new_tokens = false;
    let again = issuer.revoke(&revoke(2)).await.unwrap();
    assert_eq!(again, Revoked { deleted: 0, refused: true });
}

#[tokio::test]
async fn d_a_token_that_was_never_taken_proves_nothing() {
    let world = World::new();
    let issuer = issued(&world, &[1, 2]).await;
    world.set().takes_new_tokens = false;
    let revoked = issuer.revoke(&revoke(2)).await.unwrap();
    assert_eq!(revoked, Revoked { deleted: 1, refused: false });
}

#[tokio::test(start_paused = true)]
async fn d_a_shoot_that_hangs_holds_a_revocation_for_eight_seconds() {
    let world = World::new();
    let issuer = issued(&world, &[1, 2]).await;
    world.set().hangs = true;
    let error = issuer.revoke(&revoke(2)).await.unwrap_err();
    assert_eq!(error.reason(), "ISSUE_TIMED_OUT");
    assert!(error.to_string().contains("delete old generations within 8 s"), "{error}");
}

#[tokio::test]
async fn d_accounts_that_are_denied_are_denied_here_too() {
    let world = World::new();
    let issuer = issuer(&world, &world.directory());
    let account = "kube-system/perennial-token-issuer".parse().unwrap();
    let error = issuer.revoke(&Revoke { account, ..revoke(2) }).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    assert!(world.calls().is_empty());
}

#[test]
fn d_a_message_without_a_generation_to_keep_is_refused() {
    let account = convert::account_to_proto(&for_kube_proxy().account);
    let message = RevokeGenerationRequest {
        namespace: "shoot--lab--1".to_owned(),
        name: "a".to_owned(),
        account: Some(account),
        up_to: 0,
        keep: 0,
        unproved: false,
    };
    assert_eq!(Revoke::parse(message.clone()).unwrap_err().field, "keep");
    let up_to = |keep, up_to| {
        let message = RevokeGenerationRequest { keep, up_to, ..message.clone() };
        Revoke::parse(message).unwrap().up_to
    };
    assert_eq!((up_to(1, 0), up_to(4, 0), up_to(4, 2), up_to(4, 9)), (0, 3, 2, 3));
}
