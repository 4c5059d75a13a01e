//! A seed that is away while a fleet is due: tokens that cannot be written are not issued.

use std::time::Duration;

use perennial_testing::api_server::{Fault, On};

use crate::house::{House, Setup};

const SHOOTS: usize = 4;
/// Access Secrets of each shoot, beside that of the token-issuer itself.
const SECRETS: usize = 40;
/// How long the seed is away.
const AWAY: Duration = Duration::from_secs(20);
/// When all of them are due, and none has expired: beyond 80 % of 12 h.
const ALL_DUE: Duration = Duration::from_secs(10 * 60 * 60);
/// Those under way when it goes, 8 of each shoot, and one for each probe: at 1, 3, 7 and 15 s, and
/// one that may go out while it comes back. Before there were outages it was 128 and 480.
const IN_VAIN_MAX: u64 = 8 * SHOOTS as u64 + 5;

/// Tokens issued in vain, while the seed is as `away` makes it and until all is well again.
async fn in_vain(away: impl Fn(&House), back: impl Fn(&House)) -> u64 {
    let house = House::settled(Setup { shoots: SHOOTS, ..Setup::default() }).await;
    for shoot in 1..=SHOOTS {
        for number in 0..SECRETS {
            house.ask(shoot, &format!("component-{number}"));
        }
    }
    let all = SHOOTS * (SECRETS + 1);
    house.all_fresh(all).await;
    let before = house.counts();
    away(&house);
    house.clock.advance(ALL_DUE);
    tokio::time::sleep(AWAY).await; // what is counted is what happens in this time
    back(&house);
    house.all_fresh(all).await;
    let tokens = house.spent_since(&before).dear()[0];
    let renewed = (SHOOTS * SECRETS) as u64; // the own tokens are not due yet
    tokens - renewed
}

#[tokio::test]
async fn a_seed_that_takes_no_write_costs_no_more_tokens_than_were_in_flight() {
    let refuses = |house: &House| house.seed.fail(On::call("patch", "secrets"), Fault::Unavailable);
    let tokens = in_vain(refuses, |house| house.seed.heal()).await;
    println!("{tokens} tokens in vain while the seed took no write for {AWAY:?}");
    assert!(tokens <= IN_VAIN_MAX, "{tokens}");
}

#[tokio::test]
async fn a_seed_that_is_cut_off_costs_no_more_tokens_than_were_in_flight() {
    let tokens = in_vain(|house| house.seed.cut(), |house| house.seed.reconnect()).await;
    println!("{tokens} tokens in vain while the seed was cut off for {AWAY:?}");
    assert!(tokens <= IN_VAIN_MAX, "{tokens}");
}
