use perennial_core::failure::{Failure as _, Kind};
use perennial_testing::clock::ManualClock;
use proptest::prelude::*;

use super::{pace::TOKENS_MAX, *};
use crate::fakes::clock;

const HOUR: u64 = 3_600;
const TWENTY_MINUTES: u64 = 20 * 60;
/// Tokens without a wait: the first, the allowance, and the first of the ladder.
const BURST: usize = 1 + 8 + 1;
const INTERVAL_MIN: Duration = Duration::from_secs(180);
/// That of `--renewal-basis 8s`.
const INTERVAL_MIN_OF_LAB: Duration = Duration::from_millis(2_400);

/// Somebody who wants tokens.
struct Caller {
    clock: ManualClock,
    begun: Timestamp,
    storms: Storms,
}

impl Caller {
    fn new(interval_min: Duration) -> Self {
        let clock = clock();
        let limits = Limits { interval_min, in_flight_per_shoot_max: 4 };
        let storms = Storms::new(Arc::new(clock.clone()), limits);
        Self { begun: clock.now(), clock, storms }
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Gets a token of that lifetime, or hears why not.
    fn ask(&self, secret: &SecretRef, lifetime: u64) -> Result<(), Held> {
        let lifetime = i64::try_from(lifetime).unwrap();
        let mut ticket = self.storms.admit(secret, lifetime)?;
        ticket.sent();
        ticket.granted(Some(lifetime));
        Ok(())
    }

    /// Seconds since the begin.
    fn seconds(&self) -> u64 {
        self.clock.now().duration_since(self.begun).as_secs().unsigned_abs()
    }

    /// Asks as soon as it may; when it got tokens in the first twenty minutes.
    fn without_end(&self, secret: &SecretRef, lifetime: u64) -> Vec<u64> {
        let mut moments = Vec::new();
        while self.seconds() < TWENTY_MINUTES {
            match self.ask(secret, lifetime) {
                Ok(()) => moments.push(self.seconds()),
                Err(held) => self.clock.advance(held.retry_after().unwrap()),
            }
        }
        moments
    }
}

fn secret(name: &str) -> SecretRef {
    SecretRef::parse("shoot--lab--1", name).unwrap()
}

#[test]
fn b12_who_calls_without_end_gets_sixteen_tokens_in_twenty_minutes() {
    for lifetime in [600, HOUR, 12 * HOUR, 720 * HOUR] {
        let moments = Caller::new(INTERVAL_MIN).without_end(&secret("a"), lifetime);
        let expected: &[u64] = match lifetime {
            600 => &[0, 10, 30, 70, 150, 310, 553], // no pause is longer than its ordinary life
            _ => &[0, 10, 30, 70, 150, 310, 630],
        };
        assert_eq!(moments[..9], [0; 9], "the first and the allowance");
        assert_eq!(moments[9..], *expected, "tokens of {lifetime} s");
    }
}

#[test]
fn a_hold_says_until_when_and_for_how_long() {
    let caller = Caller::new(INTERVAL_MIN);
    (0..BURST).for_each(|_| caller.ask(&secret("a"), 12 * HOUR).unwrap());
    caller.clock.advance(Duration::from_millis(2_500));
    let held = caller.ask(&secret("a"), 12 * HOUR).unwrap_err();
    assert_eq!((held.kind(), held.reason()), (Kind::Held, "ISSUE_HELD"));
    assert_eq!(held.retry_after(), Some(Duration::from_millis(7_500)));
    assert_eq!(
        held.to_string(),
        "Secret shoot--lab--1/a gets no other token before 2026-11-23T12:00:10Z: too many were \
         issued for it in a short time"
    );
}

#[test]
fn ordinary_renewals_are_never_held_in_a_whole_day() {
    for (interval_min, lifetime, milliseconds) in [
        (INTERVAL_MIN, 12 * HOUR, 8_640 * 1_000), // its window begins after 30 %, as a rule 72 %
        (INTERVAL_MIN, 12 * HOUR, 31_104 * 1_000),
        (INTERVAL_MIN, 600, 324 * 1_000),
        (INTERVAL_MIN, 12 * HOUR, 1_080 * 1_000), // a basis of 1 h
        (INTERVAL_MIN, 12 * HOUR, 180 * 1_000),   // a basis of 10 minutes
        (INTERVAL_MIN_OF_LAB, 12 * HOUR, 2_400),  // a basis of 8 s
        (INTERVAL_MIN_OF_LAB, 12 * HOUR, 6_000),
    ] {
        let caller = Caller::new(interval_min);
        while caller.seconds() < 24 * HOUR {
            let held = caller.ask(&secret("a"), lifetime);
            assert_eq!(held, Ok(()), "every {milliseconds} ms, after {} s", caller.seconds());
            caller.clock.advance(Duration::from_millis(milliseconds));
        }
    }
}

#[test]
fn the_first_renewal_after_a_mass_start_is_not_held_although_it_comes_early() {
    for (interval_min, lifetime, first, then) in
        [(INTERVAL_MIN, 600, 135, 324), (INTERVAL_MIN_OF_LAB, 12 * HOUR, 2, 5)]
    {
        let caller = Caller::new(interval_min);
        for seconds in [first, then, then, then] {
            assert_eq!(caller.ask(&secret("a"), lifetime), Ok(()), "{seconds}");
            caller.wait(seconds);
        }
    }
}

#[test]
fn a_token_of_hours_is_not_ordinary_after_three_minutes_and_one_of_ten_minutes_is() {
    let corrected = |lifetime| {
        let caller = Caller::new(INTERVAL_MIN);
        for wait in [0; 9].into_iter().chain([0, 10, 20, 40, 80]) {
            caller.wait(wait);
            caller.ask(&secret("a"), lifetime).unwrap();
        }
        caller.wait(181);
        caller.ask(&secret("a"), lifetime).unwrap();
        caller.ask(&secret("a"), lifetime)
    };
    assert_eq!(corrected(600), Ok(()), "the one after an ordinary one comes at once");
    assert!(corrected(12 * HOUR).is_err());
}

#[test]
fn two_secrets_of_one_account_do_not_disturb_each_other() {
    let caller = Caller::new(INTERVAL_MIN);
    for _ in 0..BURST {
        caller.ask(&secret("a"), 12 * HOUR).unwrap();
    }
    assert!(caller.ask(&secret("a"), 12 * HOUR).is_err());
    assert_eq!(caller.ask(&secret("b"), 12 * HOUR), Ok(()));
    let elsewhere = SecretRef { namespace: "shoot--lab--2".parse().unwrap(), ..secret("a") };
    assert_eq!(caller.ask(&elsewhere, 12 * HOUR), Ok(()));
}

#[test]
fn one_call_is_under_way_for_a_secret_and_a_bounded_number_for_a_shoot() {
    let caller = Caller::new(INTERVAL_MIN);
    let first = caller.storms.admit(&secret("a"), 600).unwrap();
    let held = caller.storms.admit(&secret("a"), 600).unwrap_err();
    assert_eq!((held.kind(), held.reason()), (Kind::Held, "ISSUE_UNDER_WAY"));

    let others: Vec<_> =
        ["b", "c", "d"].map(|name| caller.storms.admit(&secret(name), 600).unwrap()).into();
    let held = caller.storms.admit(&secret("e"), 600).unwrap_err();
    assert_eq!((held.kind(), held.reason()), (Kind::Throttled, "SHOOT_BUSY"));
    assert!(held.to_string().contains("--issues-in-flight-per-shoot-max"), "{held}");
    let elsewhere = SecretRef { namespace: "shoot--lab--2".parse().unwrap(), ..secret("e") };
    drop(caller.storms.admit(&elsewhere, 600).unwrap());

    drop((first, others));
    drop(caller.storms.admit(&secret("e"), 600).unwrap());
    assert_eq!(caller.storms.remembered(), 0, "none of them was sent");
}

#[test]
fn a_caller_who_goes_away_after_sending_has_had_a_token_and_one_who_was_refused_has_not() {
    let caller = Caller::new(INTERVAL_MIN);
    for _ in 0..2 * TOKENS_MAX {
        let mut ticket = caller.storms.admit(&secret("refused"), 600).unwrap();
        ticket.sent();
        ticket.refused();
    }
    for _ in 0..BURST {
        caller.storms.admit(&secret("gone"), 600).unwrap().sent();
    }
    assert!(caller.storms.admit(&secret("gone"), 600).is_err());
    assert_eq!(caller.storms.remembered(), 1);
}

#[test]
fn a_clock_that_is_set_back_costs_one_burst_and_holds_nobody_for_as_long() {
    let caller = Caller::new(INTERVAL_MIN);
    caller.without_end(&secret("a"), 600);
    caller.clock.set(caller.begun - Duration::from_secs(13 * HOUR));
    let mut asked = (0..=BURST).map(|_| caller.ask(&secret("a"), 600));
    let held = asked.find_map(Result::err).unwrap();
    assert!(held.retry_after().unwrap() <= Duration::from_secs(10 * 60), "{held}");
}

#[test]
fn a_clock_that_jumps_ahead_lets_nobody_wait_longer() {
    let caller = Caller::new(INTERVAL_MIN);
    caller.without_end(&secret("a"), 12 * HOUR);
    caller.wait(13 * HOUR);
    assert_eq!(caller.ask(&secret("a"), 12 * HOUR), Ok(()));
}

#[test]
fn what_holds_nothing_any_more_is_forgotten() {
    let caller = Caller::new(INTERVAL_MIN);
    caller.without_end(&secret("fought-over"), 12 * HOUR);
    let many = |from: usize, to: usize| {
        for number in from..to {
            caller.ask(&secret(&format!("s{number}")), 12 * HOUR).unwrap();
        }
    };
    many(0, 3_000);
    assert_eq!(caller.storms.remembered(), 3_001);
    caller.wait(TWENTY_MINUTES);
    many(3_000, 5_000);
    let remembered = caller.storms.remembered();
    assert!(remembered <= 2_001, "{remembered} of 5,001, 3,000 of them long in order");
    assert!(caller.storms.lock().known.contains_key(&secret("fought-over")));
}

#[test]
fn the_memory_is_bounded_and_keeps_those_that_wait() {
    let caller = Caller::new(INTERVAL_MIN);
    for _ in 0..BURST {
        caller.ask(&secret("fought-over"), 12 * HOUR).unwrap();
    }
    for number in 0..SECRETS_MAX + 10 {
        caller.ask(&secret(&format!("s{number}")), 12 * HOUR).unwrap();
        assert!(caller.storms.remembered() <= SECRETS_MAX);
    }
    assert!(caller.ask(&secret("fought-over"), 12 * HOUR).is_err());
}

proptest! {
    /// A caller may wait as it likes, ask for any lifetime, and go away in the middle.
    #[test]
    fn b12_no_rhythm_gets_more_than_sixteen_tokens_in_twenty_minutes(
        steps in prop::collection::vec((prop_oneof![0_u64..400, 0_u64..20], 0_usize..4, any::<bool>()), 1..120),
    ) {
        let caller = Caller::new(INTERVAL_MIN);
        let mut moments = Vec::new();
        for (wait, lifetime, goes_away) in steps {
            caller.wait(wait);
            let lifetime = [600, HOUR, 12 * HOUR, 720 * HOUR][lifetime];
            let asked = match goes_away {
                true => caller.storms.admit(&secret("a"), 600).map(|mut ticket| ticket.sent()),
                false => caller.ask(&secret("a"), lifetime),
            };
            if asked.is_ok() {
                moments.push(caller.seconds());
            }
        }
        for more in moments.windows(TOKENS_MAX + 1) {
            prop_assert!(more[TOKENS_MAX] - more[0] >= TWENTY_MINUTES, "{moments:?}");
        }
    }

    /// Whatever came before, nobody waits longer than twenty minutes or an ordinary life.
    #[test]
    fn a_hold_never_exceeds_the_ordinary_interval(waits in prop::collection::vec(0_u64..2_000, 1..60)) {
        let caller = Caller::new(INTERVAL_MIN);
        for wait in waits {
            caller.wait(wait);
            if let Err(held) = caller.ask(&secret("a"), HOUR) {
                let ordinary = Duration::from_secs(HOUR * 72 / 100);
                prop_assert!(held.retry_after().unwrap() <= ordinary);
            }
        }
    }
}
