//! What holds the house together, checked against the built graph and the files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod arrows;
mod contract;
mod files;
mod graph;
mod remedies;
mod scheduler;
