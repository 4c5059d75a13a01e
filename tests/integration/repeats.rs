//! The same Secret disturbed again and again: what was asked for, or is something new, does not wait
//! for what went before (contract, B12 and the time limits of section C).

use perennial_core::{keys, storm::AT_ONCE_MAX, token::Claims};
use perennial_testing::access_secret::AccessSecret;
use serde_json::{Value, json};

use crate::house::{House, namespace, token};

fn claims(secret: &Value) -> Option<Claims> {
    Claims::read(token(secret)?.as_bytes()).ok()
}

fn ask_for(house: &House, name: &str, lifetime: &str) {
    house.edit(1, name, |secret| {
        secret["metadata"]["annotations"][keys::TOKEN_LIFETIME] = lifetime.into();
    });
}

fn lives(secret: &Value, hours: i64) -> bool {
    claims(secret).is_some_and(|claims| claims.granted_seconds() == hours * 3_600)
}

#[tokio::test]
async fn c_b12_eight_edits_in_a_row_are_served_at_once_and_the_tenth_waits() {
    let house = House::new().await;
    let name = house.ask(1, "kube-proxy");
    house.all_fresh(2).await;
    let before = house.counts();
    // No second passes. The ladder lets one more through than the allowance has.
    let edits = i64::from(AT_ONCE_MAX) + 1;
    for hours in 1..=edits {
        ask_for(&house, &name, &format!("{hours}h"));
        house.wait(1, &name, &format!("a token of {hours} h"), |it| lives(it, hours)).await;
    }
    assert_eq!(house.spent_since(&before).dear()[0], edits.unsigned_abs());
    ask_for(&house, &name, "24h");
    let state = perennial_proto::scheduler::v1::State::Held;
    house.wait_for_schedule(1, &name, "a hold", |schedule| schedule.state() == state).await;
}

#[tokio::test]
async fn c_an_edit_while_the_account_is_made_anew_does_not_make_its_token_wait() {
    let house = House::new().await;
    for (edit_first, account) in [(true, "one"), (false, "two")] {
        let name = format!("shoot-access-{account}");
        house.make(AccessSecret::new(&namespace(1), &name, account));
        house.wait_for_token(1, &name).await;
        let make_anew = || {
            house.shoot(1).delete("serviceaccounts", "kube-system", account);
            let made = house.shoot(1).create(json!({
                "kind": "ServiceAccount", "metadata": {"namespace": "kube-system", "name": account},
            }));
            made["metadata"]["uid"].as_str().unwrap().to_owned()
        };
        let uid = if edit_first {
            ask_for(&house, &name, "3h");
            make_anew()
        } else {
            let uid = make_anew();
            ask_for(&house, &name, "3h");
            uid
        };
        let of_both = |secret: &Value| {
            let of_uid = claims(secret).and_then(|claims| claims.account_uid);
            lives(secret, 3) && of_uid.as_deref() == Some(uid.as_str())
        };
        house.wait(1, &name, "a token of the new account and life", of_both).await;
    }
}
