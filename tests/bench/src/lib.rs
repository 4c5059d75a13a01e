//! Perennial beside the bare loop: the same TokenRequests and the same patches on the same API servers,
//! in turn, so that a noisy machine is fair to both.
//!
//! [`stage`] has the lab and two sets of Secrets that are alike: one that the services serve, one that the
//! [`bare`] loop renews, in a process of its own. [`watch`] sees both from outside, [`cost`] asks the
//! operating system and the API servers. [`rounds`] alternates, [`latency`] goes slowly, [`report`] writes
//! it down. [`growth`], [`hostile`] and [`replicas`] do the same work with more of everything. Times are no test: `--quick` holds the counts alone.

#![expect(clippy::print_stdout, reason = "a bench says what it measures")]

pub mod bare;
pub mod cli;
pub mod cost;
pub mod growth;
pub mod hostile;
pub mod latency;
pub mod pace;
pub mod replicas;
pub mod report;
pub mod restart;
pub mod rounds;
pub mod stage;
pub mod watch;
