//! What every process needs: arguments, supervision, readiness, drain, logs, metrics and the
//! admin port.
//!
//! The order of a start: [`start::run`] parses the flags and sets up logs, the service binds its
//! listeners with [`listen::bind`], hands every long-lived task to [`supervise::Tasks`] and waits
//! in [`supervise::Supervisor::run`]. The first signal drains, the second aborts, and the grace is
//! bounded.

pub mod admin;
pub mod args;
pub mod clock;
pub mod crash;
pub mod listen;
mod memory;
pub mod outage;
pub mod ready;
pub mod start;
pub mod supervise;
pub mod telemetry;
