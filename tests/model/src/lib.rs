//! The protocol around a Secret in every order in which it can go, for small sizes.
//!
//! Three models, each checked exhaustively by stateright:
//!
//! * [`renewal`]: two schedulers, two secret-writers, the seed, a shoot with or without a target, and
//!   everything that can be lost, late or dead between them;
//! * [`handover`]: which replica of the scheduler serves a shoot;
//! * [`revocation`]: generations that are made, waited for and deleted, and whoever asks for that.
//!
//! What is decided is decided by `perennial-core`: a model holds small numbers, and [`secret`] and
//! [`bound`] make of them the very annotations and tokens that stand on a Secret. Each step is named
//! after the code that it stands for; docs/model.md has the list. Every step asks the invariants of
//! [`perennial_core::invariants`]; one guard taken away must break the one that names it.

pub mod bound;
pub mod check;
pub mod handover;
pub mod renewal;
pub mod revocation;
pub mod secret;
