//! Schedulers that are killed, stopped for a while, and frozen.

use std::time::Duration;

use perennial_core::clock::Clock as _;
use perennial_lab::service::Service;
use perennial_process::clock::SystemClock;

use super::{since, size::Size};
use crate::house::House;

/// Longer than a Lease is believed in, so that the share is handed over, and back.
const DOWN: Duration = Duration::from_secs(14);

#[derive(Clone, Copy, Debug)]
enum Blow {
    /// SIGKILL; a successor starts at once.
    Kill,
    /// SIGKILL, and none comes for a while: shrinking, then growing.
    KillAndWait,
    /// Ended in order, and started later: shrinking, then growing.
    Stop,
    /// SIGSTOP, then it wakes and believes that it owns its shoots.
    Freeze,
}

pub(super) struct Trouble {
    draw: fastrand::Rng,
    between: Duration,
}

impl Trouble {
    pub(super) fn new(size: &Size) -> Self {
        Self { draw: fastrand::Rng::with_seed(!size.seed), between: size.between_blows }
    }

    /// Strikes one scheduler after the other until the end; says what it did.
    pub(super) async fn make(mut self, house: &House, length: Duration) -> Vec<String> {
        let end = SystemClock.now() + length;
        let schedulers: Vec<&Service> =
            house.lab.services().iter().filter(|s| s.name().starts_with("scheduler")).collect();
        let blows = [Blow::KillAndWait, Blow::Freeze, Blow::Stop, Blow::Kill];
        let mut done = Vec::new();
        for blow in blows.into_iter().cycle() {
            let took = SystemClock.now();
            let Some(scheduler) = self.draw.choice(&schedulers) else { break };
            strike(blow, scheduler).await;
            println!("         {blow:?} {}", scheduler.name());
            done.push(format!("{blow:?} {}", scheduler.name()));
            let rest = self.between.saturating_sub(since(took));
            if SystemClock.now() + rest >= end {
                break;
            }
            tokio::time::sleep(rest).await;
        }
        let left = end.duration_since(SystemClock.now());
        tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
        done
    }
}

async fn strike(blow: Blow, scheduler: &Service) {
    match blow {
        Blow::Kill => scheduler.kill_and_wait().await.unwrap(),
        Blow::KillAndWait => {
            scheduler.process().discard().await.unwrap();
            tokio::time::sleep(DOWN).await;
            scheduler.start().await.unwrap();
        }
        Blow::Stop => {
            scheduler.stop().await.unwrap();
            tokio::time::sleep(DOWN).await;
            scheduler.start().await.unwrap();
        }
        Blow::Freeze => {
            scheduler.process().freeze().unwrap();
            tokio::time::sleep(DOWN).await;
            scheduler.process().thaw().unwrap();
        }
    }
}
