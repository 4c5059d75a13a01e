//! Schedulers that are killed, stopped for a while, frozen, and one that is added.

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
    /// One more than there ever were; from then on it is one of them.
    Add,
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

    /// Adds the spare scheduler if it still waits, then strikes one after the other until the end; says
    /// what it did.
    pub(super) async fn make(mut self, house: &House, length: Duration) -> Vec<String> {
        let end = SystemClock.now() + length;
        let added = Some(spare(house)).filter(|spare| !is_running(spare));
        let blows = [Blow::KillAndWait, Blow::Freeze, Blow::Stop, Blow::Kill].into_iter().cycle();
        let add = added.map(|spare| (Blow::Add, Some(spare)));
        let mut done = Vec::new();
        for (blow, whom) in add.into_iter().chain(blows.map(|blow| (blow, None))) {
            let took = SystemClock.now();
            let drawn = || self.draw.choice(running(house));
            let Some(scheduler) = whom.or_else(drawn) else { break };
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

/// All that are not down at the moment.
pub(super) fn running(house: &House) -> Vec<&Service> {
    schedulers(house).filter(|scheduler| is_running(scheduler)).collect()
}

/// The one that is added in the course of the run.
pub(super) fn spare(house: &House) -> &Service {
    schedulers(house).last().unwrap()
}

fn schedulers(house: &House) -> impl Iterator<Item = &Service> {
    house.lab.services().iter().filter(|service| service.name().starts_with("scheduler"))
}

fn is_running(scheduler: &Service) -> bool {
    scheduler.pid().unwrap().is_some()
}

async fn strike(blow: Blow, scheduler: &Service) {
    match blow {
        Blow::Add => scheduler.start().await.unwrap(),
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
