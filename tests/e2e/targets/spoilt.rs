//! What strangers do to a target.

use kube::api::DeleteParams;

use super::*;

/// Section C: within 5 s, and 10 s where the Secret is deleted.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn c_a_target_that_is_deleted_blanked_garbled_or_damaged_is_filled_again_for_one_token_each()
{
    let house = House::start(1, &[]).await;
    let mut waits = Vec::new();
    for spoil in ["deleted", "blanked", "garbled", "damaged", "removed"] {
        let (name, aimed) = (format!("shoot-access-{spoil}"), format!("target-{spoil}"));
        house.aim(&name, &aimed, &[]).await;
        let (_, held) = house.wait_delivered(&name, &aimed).await;
        let before = house.token_requests().await;
        let good = token(&held).unwrap();
        let begin = SystemClock.now();
        match spoil {
            "deleted" => {
                house.targets().delete(&aimed, &DeleteParams::default()).await.unwrap();
            }
            "blanked" => house.edit_target(&aimed, json!({"token": ""})).await,
            "removed" => house.edit_target(&aimed, json!({"token": null})).await,
            "garbled" => house.edit_target(&aimed, json!({"token": encoded("garbage")})).await,
            _ => house.edit_target(&aimed, json!({"token": encoded(&flipped(&good))})).await,
        }
        let again = |target: &Secret| {
            token(target)
                .is_some_and(|now| now.len() == good.len() && now != good && now != flipped(&good))
        };
        house.wait_for_target(&aimed, spoil, again).await;
        let took = SystemClock.now().duration_since(begin).unsigned_abs();
        let (_, held) = house.wait_delivered(&name, &aimed).await;
        let user = format!("system:serviceaccount:kube-system:{spoil}");
        assert_eq!(house.user_of(1, &held).await, user);
        let spent = house.token_requests().await - before;
        assert_eq!(spent, 1, "{spoil}");
        waits.push((spoil, took));
    }
    println!("filled again after {waits:?}");
    assert!(waits.iter().all(|(_, took)| *took < SOON), "{waits:?}");
    house.end().await;
}

#[tokio::test]
async fn b12_a_fight_over_a_target_is_bounded() {
    let house = House::start(1, &[]).await;
    house.aim("shoot-access-kube-proxy", "fought-over", &[]).await;
    house.wait_delivered("shoot-access-kube-proxy", "fought-over").await;
    let before = house.token_requests().await;
    let begin = SystemClock.now();
    let span = Duration::from_secs(30);
    while SystemClock.now().duration_since(begin).unsigned_abs() < span {
        house.edit_target("fought-over", json!({"token": encoded("a stranger's")})).await;
        tokio::time::sleep(Duration::from_millis(200)).await; // the stranger's rhythm
    }
    let spent = house.token_requests().await - before;
    println!("a fight of {span:?} over a target: {spent} tokens");
    // At 0, 0, 10 and 30 s, and the eight that come at once beside the ladder: the access Secret does
    // not show how long a token stood in its target (contract, B12).
    assert!((1..=12).contains(&spent), "{spent} tokens");
    house.end().await;
}

/// One character of the signature is another one.
fn flipped(token: &str) -> String {
    let at = token.rfind('.').unwrap() + 5;
    let other = if &token[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}
