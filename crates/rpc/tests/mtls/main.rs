//! Servers and clients of this crate against each other, over loopback, with certificates of a CA
//! made for the test.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; clippy allows it in test functions only"
)]

mod access;
mod pipeline;
mod pki;
mod reload;
mod trace;
mod world;
