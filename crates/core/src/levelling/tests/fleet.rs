//! A mass start and the lifetimes after it, with nothing but the planner in a loop: no faults, no
//! latency. `PERENNIAL_LEVELLING_TOKENS=30000` plays the fleet of `docs/levelling.md`, and the wide
//! window too.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::*;
use crate::window::{Window, latest_offset, place_of};

const LIFETIME: i64 = 12 * 60 * MINUTE;
const LIFETIMES: i64 = 5;
/// Tokens per shoot.
const PER_SHOOT: usize = 25;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Places {
    Random,
    Planned,
    /// As planned, in the window of a mass start each time.
    Wide,
}

/// Requests per minute since the mass start.
struct Played {
    minutes: Vec<u32>,
    renewals_per_token_and_day: f64,
}

impl Played {
    /// Highest minute of a lifetime (the first is 0), as a share of its mean minute.
    fn peak_to_mean(&self, lifetime: i64) -> f64 {
        let minutes = usize::try_from(LIFETIME / MINUTE).unwrap();
        let from = minutes * usize::try_from(lifetime).unwrap();
        let part = &self.minutes[from..from + minutes];
        let mean = f64::from(part.iter().sum::<u32>()) / part.len() as f64;
        f64::from(*part.iter().max().unwrap()) / mean
    }
}

fn seed(token: usize, round: i64) -> u64 {
    (place_of(format!("{token} {round}").as_bytes()) * u64::MAX as f64) as u64
}

fn moment(
    places: Places,
    now: i64,
    window: Window,
    fleet: &Load,
    shoot: &ShootLoad,
    seed: u64,
) -> i64 {
    let window = if places == Places::Wide { Window::MASS_START } else { window };
    let at = |window: Window| {
        let moments = window.moments(LIFETIME, LIFETIME);
        now + moments.start()..=now + moments.end()
    };
    let (from, wide) = (at(window), at(Window::MASS_START));
    if places == Places::Random {
        let share = seed as f64 / u64::MAX as f64;
        return from.start() + ((from.end() - from.start()) as f64 * share) as i64;
    }
    Choice { now, window: from, widest: *wide.start() }.choose(fleet, shoot, seed)
}

fn play(places: Places, tokens: usize, over: i64) -> Played {
    let (mut fleet, mut shoots) =
        (Load::default(), vec![ShootLoad::default(); tokens.div_ceil(PER_SHOOT)]);
    let end = LIFETIMES * LIFETIME;
    let mut minutes = vec![0; usize::try_from(end / MINUTE).unwrap()];
    let start = |token: usize| {
        Reverse((i64::try_from(token).unwrap() * over / i64::try_from(tokens).unwrap(), token, 0))
    };
    let mut due: BinaryHeap<_> = (0..tokens).map(start).collect();
    let mut renewals = 0_u32;
    while let Some(Reverse((now, token, round))) = due.pop().filter(|Reverse((at, ..))| *at < end) {
        let shoot = &mut shoots[token / PER_SHOOT];
        let window = if round == 0 { Window::MASS_START } else { Window::ORDINARY };
        if round > 0 {
            fleet.remove(now);
            shoot.remove(now);
            minutes[usize::try_from(now / MINUTE).unwrap()] += 1;
            renewals += u32::from(now >= 2 * LIFETIME);
        }
        let at = moment(places, now, window, &fleet, shoot, seed(token, round));
        assert!(at > now && at <= now + latest_offset(LIFETIME, LIFETIME) as i64);
        fleet.put(at);
        shoot.put(at);
        due.push(Reverse((at, token, round + 1)));
    }
    let days = ((LIFETIMES - 2) * LIFETIME) as f64 / 86_400.0;
    Played { minutes, renewals_per_token_and_day: f64::from(renewals) / tokens as f64 / days }
}

#[test]
fn after_a_mass_start_the_load_is_flat_within_two_lifetimes() {
    let tokens = std::env::var("PERENNIAL_LEVELLING_TOKENS");
    let (tokens, kinds) = tokens.map_or((6_000, 2), |tokens| (tokens.parse().unwrap(), 3));
    for places in [Places::Random, Places::Planned, Places::Wide].into_iter().take(kinds) {
        let played = play(places, tokens, 5 * MINUTE);
        let ratios: Vec<_> = (0..LIFETIMES).map(|n| played.peak_to_mean(n)).collect();
        let price = played.renewals_per_token_and_day;
        println!("{tokens} {places:?}: peak to mean {ratios:.2?}, {price:.2} a token and day");
        if places == Places::Planned {
            assert!(ratios[1] <= 1.3 && ratios[3] <= 1.2, "{ratios:?}");
            assert!(price < 2.7, "{price}");
        }
        if places == Places::Random {
            assert!(ratios[3] > 1.5, "or levelling is worth nothing: {ratios:?}");
        }
    }
}
