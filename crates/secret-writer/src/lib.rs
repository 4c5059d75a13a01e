//! secret-writer: watches access Secrets, reduces them to records and writes renewed tokens.
//!
//! [`follow`] feeds the [`store`] from the watch, [`stream`] and [`grpc`] show it, [`renew`]
//! carries out one renewal: permit it (digest, one at a time, no storm), ask the token-issuer
//! ([`issuer`]), check what came back, write it. It sees tokens in flight and keeps none; it
//! reaches no shoot. [`events`] tells people what only a person can end. [`generic`] keeps the
//! kubeconfigs without a credential.

pub mod args;
pub mod events;
pub mod follow;
pub mod generic;
pub mod grpc;
pub mod issuer;
pub mod metrics;
pub mod renew;
pub mod service;
pub mod store;
pub mod stream;

#[cfg(test)]
mod fixtures;

pub use args::Args;
pub use service::run;
