//! Shoots that go away and come back, at random.

use std::time::Duration;

use jiff::Timestamp;
use perennial_core::clock::Clock as _;
use perennial_lab::{proxied::Proxied, proxy::Mode, shoot::namespace};
use perennial_process::clock::SystemClock;

use super::size::Size;
use crate::house::House;

/// A time in which a shoot was away.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    /// Namespace of the shoot.
    pub(super) shoot: String,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

pub(super) struct Weather {
    draw: fastrand::Rng,
    away_max: usize,
    away_longest: Duration,
}

impl Weather {
    pub(super) fn new(size: &Size) -> Self {
        let draw = fastrand::Rng::with_seed(size.seed);
        Self { draw, away_max: size.away_max, away_longest: size.away_longest }
    }

    /// So many at once come and go, each in its own time, until the end; then all are back.
    pub(super) async fn blow(self, house: &House, length: Duration) -> Vec<Cut> {
        let (end, proxied) = (SystemClock.now() + length, house.lab.proxied());
        let mut draw = self.draw;
        // Each gust has shoots of its own, so that none is cut twice at once.
        let gusts = (0..self.away_max).map(|gust| {
            let shoots = proxied.iter().skip(gust).step_by(self.away_max).collect();
            self::gust(shoots, draw.fork(), self.away_longest, end)
        });
        futures::future::join_all(gusts).await.concat()
    }
}

async fn gust(
    shoots: Vec<&Proxied>,
    mut draw: fastrand::Rng,
    longest: Duration,
    end: Timestamp,
) -> Vec<Cut> {
    let mut cuts = Vec::new();
    while SystemClock.now() < end {
        tokio::time::sleep(longest.mul_f64(draw.f64() / 2.0)).await;
        let Some(shoot) = draw.choice(&shoots) else { break };
        let mode = if draw.bool() { Mode::Cut } else { Mode::Swallow };
        let from = SystemClock.now();
        shoot.set(mode).await.unwrap();
        tokio::time::sleep(longest.mul_f64(draw.f64())).await;
        shoot.set(Mode::Open).await.unwrap();
        cuts.push(Cut { shoot: namespace(shoot.number()), from, to: SystemClock.now() });
    }
    cuts
}
