//! The three services as processes, under the RBAC of `deploy/`, on real API servers.
//!
//! Each test has a lab of its own and looks only at the two API servers and at gRPC, as a user
//! would. `make e2e` runs most of them three at a time, and what measures or loads the machine alone
//! (`E2E_ALONE` in the Makefile); `make e2e ONLY=name` runs some, one at a time, and shows what they say.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on says so by panicking, and shows the figures it saw"
)]

mod accounts;
mod adoption;
mod audiences;
mod audit;
mod bad_start;
mod beside;
mod certificates;
mod clock;
mod collector;
mod command_line;
mod component;
mod consumers;
#[path = "../integration/contract.rs"]
mod contract;
mod cost;
mod crash;
mod crash_points;
mod credential;
mod events;
mod fake;
mod fences;
mod first_token;
mod fleet;
mod forced;
mod fresh;
mod frozen_shoots;
mod gardener;
mod generations;
mod generic;
mod grpc;
mod hibernation;
mod house;
mod key_campaign;
mod key_withdrawn;
mod kill;
mod maker;
mod nonsense;
mod operator;
mod proxied;
mod random;
#[path = "../integration/reference.rs"]
mod reference;
mod renewal;
mod restart;
mod revocation;
mod rights;
mod sockets;
mod stop;
mod stopped_shoot;
mod storm_orders;
mod storm_stranger;
mod strangers;
mod sweep;
mod targets;
mod trace;
mod tunnel;
mod witness;
