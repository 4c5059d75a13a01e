//! The ways into a loop that a shoot itself opens, played to the token-issuer (contract, B12).

use perennial_testing::clock::ManualClock;

use super::*;

const TWENTY_MINUTES: Duration = Duration::from_secs(20 * 60);

/// Asks as soon as it may, for twenty minutes; what was answered each time.
async fn without_end(
    issuer: &Issuer,
    clock: &ManualClock,
    ask: &Ask,
) -> Vec<Result<IssuedToken, Error>> {
    let begun = clock.now();
    let mut answers = Vec::new();
    while clock.now().duration_since(begun).unsigned_abs() < TWENTY_MINUTES {
        let answer = issuer.issue(ask).await;
        if let Err(held @ Error::Held(_)) = &answer {
            clock.advance(held.retry_after().unwrap());
        }
        answers.push(answer);
    }
    answers
}

fn requests(world: &World) -> usize {
    world.calls().iter().filter(|call| call.ends_with("request token")).count()
}

fn reason(answer: &Result<IssuedToken, Error>) -> &str {
    answer.as_ref().map_or_else(|error| error.reason(), |_| "ok")
}

#[tokio::test(start_paused = true)]
async fn b12_an_account_that_terminates_behind_a_finalizer_gets_sixteen_own_tokens() {
    let world = World::new();
    world.set().takes_new_tokens = false; // TokenRequest answers, and no token of it is known
    let issuer = issuer(&world, &world.directory());
    let clock = world.set().clock.clone();
    let answers = without_end(&issuer, &clock, &for_ourselves()).await;
    assert_eq!(requests(&world), 16);

    let tried = answers.iter().filter(|answer| reason(answer) == "OWN_TOKEN_NOT_TAKEN").count();
    assert_eq!(tried, 16);
    let Some(Err(held)) = answers.iter().find(|answer| reason(answer) == "ISSUE_HELD") else {
        panic!("nothing was held: {answers:?}");
    };
    let cause = "the last one was issued and not passed on (OWN_TOKEN_NOT_TAKEN)";
    assert!(held.to_string().ends_with(cause), "{held}");
}

#[tokio::test]
async fn b12_a_shoot_whose_clock_is_13_h_off_gives_sixteen() {
    for hours in [-13_i64, 13] {
        let world = World::new();
        let clock = world.set().clock.clone(); // the tokens say noon
        let shift = jiff::SignedDuration::from_hours(hours);
        clock.set(clock.now().checked_add(shift).unwrap());
        let issuer = issuer(&world, &world.directory());
        without_end(&issuer, &clock, &for_kube_proxy()).await;
        assert_eq!(requests(&world), 16);
    }
}

#[tokio::test]
async fn b12_a_token_that_is_not_the_one_that_was_asked_for_counts() {
    let world = World::new();
    world.set().issues_for = Some("kube-system/admin");
    let issuer = issuer(&world, &world.directory());
    let clock = world.set().clock.clone();
    without_end(&issuer, &clock, &for_kube_proxy()).await;
    assert_eq!(requests(&world), 16);
}

#[tokio::test(start_paused = true)]
async fn b12_a_call_of_which_nobody_knows_how_it_ended_counts() {
    let world = World::new();
    world.set().hangs = true;
    let issuer = issuer(&world, &world.directory());
    for _ in 0..10 {
        let error = issuer.issue(&for_kube_proxy()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::TimedOut);
    }
    let error = issuer.issue(&for_kube_proxy()).await.unwrap_err();
    assert_eq!(error.reason(), "ISSUE_HELD");
    assert_eq!(requests(&world), 10);
}

#[tokio::test]
async fn a_shoot_that_refuses_or_is_away_is_asked_again_as_soon_as_it_is_back() {
    let world = World::new();
    let issuer = issuer(&world, &world.directory());
    world.set().up.clear();
    for _ in 0..20 {
        assert_eq!(issuer.issue(&for_kube_proxy()).await.unwrap_err().kind(), Kind::Unavailable);
    }
    world.set().up = [HERE].into();
    world.set().known.clear();
    for _ in 0..20 {
        assert_eq!(issuer.issue(&for_kube_proxy()).await.unwrap_err().kind(), Kind::Denied);
    }
    world.set().known.insert("own".to_owned());
    issuer.issue(&for_kube_proxy()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_shoot_that_hangs_leaves_room_for_others() {
    let world = World::new();
    let directory = world.directory();
    directory.upsert(&shoot(2), Which::Own, &Ok(token_at(HERE, "own")));
    let mut limits = limits();
    limits.storm.in_flight_per_shoot_max = 1;
    let clock: Arc<dyn Clock> = Arc::new(world.set().clock.clone());
    let probes = Arc::new(Probes::new(Duration::from_secs(60), Arc::clone(&clock)));
    let issuer = Issuer::new(directory, policy(), probes, clock, limits);
    let [first, second, mut elsewhere] = ["a", "b", "c"].map(|name| ask(name, "kube-system/x"));
    elsewhere.secret.namespace = shoot(2);
    world.set().hangs = true;
    let (hung, busy, other) = tokio::join!(issuer.issue(&first), issuer.issue(&second), async {
        tokio::task::yield_now().await;
        world.set().hangs = false;
        issuer.issue(&elsewhere).await
    });
    let busy = busy.unwrap_err();
    assert_eq!((busy.kind(), busy.reason()), (Kind::Throttled, "SHOOT_BUSY"));
    assert!(hung.is_err());
    other.unwrap();
}
