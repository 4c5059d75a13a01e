//! Three real services in one process, over mutual TLS, against fake API servers.
//!
//! A [`house`] is a seed, some shoots and the services, all under one clock that can be put
//! forward. Modules are behaviours. What the fake is worth is said in [`contract`], which real API
//! servers pass too.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod access;
mod accounts;
mod audit;
mod budget;
mod campaign;
mod clock;
mod contract;
mod credential;
mod fake;
mod first_token;
mod forecast;
mod generations;
mod generic;
mod hibernation;
mod house;
mod issuer_refuses;
mod keys;
mod logs;
mod modes;
mod nonsense;
mod observe;
mod operator;
mod pause;
mod random;
mod reference;
mod renewal;
mod repairs;
mod repeats;
mod restart;
mod seed_away;
mod shoots;
mod side_by_side;
mod stop;
mod storm;
mod targets;
mod trace;
