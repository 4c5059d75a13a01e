//! Secrets that ask for the impossible (B10): named, not called for, and harmless to the others.

use perennial_core::keys;
use perennial_lab::access_secret::token;
use perennial_proto::scheduler::v1::State;

use crate::house::House;

#[tokio::test]
async fn b10_what_cannot_be_served_is_named_and_costs_no_call_and_is_served_once_corrected() {
    let house = House::start(1, &[]).await;
    let wrong = [
        ("shoot-access-lifetime", keys::TOKEN_LIFETIME, "soon"),
        ("shoot-access-account", keys::ACCOUNT_NAME, "No Such Name"),
        ("shoot-access-labels", keys::ACCOUNT_LABELS, "[1]"),
    ];
    let before = house.counts().await;
    for (name, key, value) in wrong {
        house.ask(1, name, &[(key, value)]).await;
    }
    let spent = house.counts().await.since(&before);
    assert_eq!(spent.shoot.token_requests(), 0, "{:?}", spent.shoot);
    assert_eq!(spent.seed.writes("secrets"), wrong.len() as u64, "only our own creations");

    house.ask(1, "shoot-access-right", &[]).await;
    house.wait_for_token(1, "shoot-access-right").await;
    let schedules = house.schedules().await;
    for (name, key, _) in wrong {
        let schedule = schedules.iter().find(|schedule| schedule.name == name).unwrap();
        assert_eq!(schedule.state(), State::Invalid, "{name}");
        assert!(schedule.detail.contains(key), "{}", schedule.detail);
        println!("{name}: {}", schedule.detail);
        let secret = house.secrets(1).get(name).await.unwrap();
        assert_eq!(token(&secret), None);
    }

    house.annotate(1, "shoot-access-lifetime", keys::TOKEN_LIFETIME, Some("1h")).await;
    house.wait_for_token(1, "shoot-access-lifetime").await;
    house.end().await;
}
