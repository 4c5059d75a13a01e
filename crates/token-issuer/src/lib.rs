//! token-issuer: learns shoots, keeps one client for each credential and asks them for
//! ServiceAccount tokens.
//!
//! The way of a token: [`service`] takes the message, [`issue`] checks it, [`directory`] says how
//! the shoot is reached, [`attempt`](mod@attempt) calls with the second credential where the first
//! does not hold, and what comes back is checked before it is passed on. Beside it [`learn`]
//! follows the two Secrets of each shoot, [`probe`] looks at every shoot once a minute, and
//! [`watch`] tells others what was seen. Where the scheduler says which ServiceAccounts matter
//! ([`observe`]), [`follow`] keeps one watch in each shoot and [`accounts`] what is known of them;
//! likewise [`generations`], what revocable tokens are bound to. What is refused whoever calls is in
//! [`policy`] and [`shoot_namespaces`], and how much is too much in [`storm`].
//!
//! The credential of a shoot lives in its client, an issued token in its answer. Only of revocable
//! Secrets the last token is kept, in memory, to see that it is refused once it was revoked.

pub mod accounts;
pub mod args;
pub mod attempt;
pub mod changes;
pub mod directory;
pub mod follow;
pub mod generations;
pub mod issue;
pub mod learn;
pub mod metrics;
pub mod observe;
pub mod policy;
pub mod probe;
pub mod service;
pub mod shoot;
pub mod shoot_namespaces;
pub mod start;
pub mod storm;
pub mod targets;
pub mod watch;

#[cfg(test)]
mod fakes;

pub use start::run;
