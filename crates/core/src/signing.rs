//! Who signed and issued the tokens of a shoot, and which of them are outdated although nothing on
//! their Secrets says so (contract, section C): a signing key was withdrawn, the issuer changed.
//!
//! A mistake here would renew a whole shoot in vain, so whatever is not certain is *cannot tell* and
//! renews nothing:
//!
//! * A key is withdrawn if it was in the key set before, the same set without it was seen by three
//!   polls over two minutes ([`KeyPolls`]), the set has the key of the newest token, and the key has
//!   signed none since it left. A set that flips between API server replicas never settles.
//! * An issuer is the former one if *every* token of it is older than *every* token of the newest
//!   one ([`Marks`]), and a token that was issued for this reason is not replaced for it again. API
//!   servers that issue by turns as two cost a Secret one token more between two renewals, at most.
//!
//! Only tokens that we wrote ourselves testify: anybody can put another one into a Secret.

mod marks;
mod polls;
mod rotation;

pub use marks::{Mark, Marks};
pub use polls::{KeyHistory, KeyPolls, POLLS_MIN, WITHDRAWN_AFTER};
pub use rotation::{KeySet, Outdated, Rotation, Untold};
