//! Domain of Perennial: what a Secret says, when its token is due, and the queue.
//!
//! Pure: no kube, tonic or prost, no I/O and no runtime. Everything here takes the present moment
//! as an argument, so a test can play a year in a millisecond. Clause numbers such as B4 are those
//! of the contract on a Secret.
//!
//! The way of a Secret through this crate: [`inputs`] and [`token`] read it, [`record`] keeps what
//! matters, [`decision`] says what is to be done and why, [`signing`] which tokens of a shoot are
//! outdated together, [`window`], [`levelling`] and [`storm`] say when, and [`queue`] holds all of
//! them in the order they fall due.

pub mod backoff;
pub mod budget;
pub mod ca;
pub mod campaign;
pub mod clock;
pub mod decision;
pub mod digest;
pub mod failure;
pub mod flaw;
pub mod foresight;
pub mod generation;
pub mod go;
mod hex;
pub mod inputs;
pub mod invariants;
pub mod issued;
pub mod keys;
pub mod kubeconfig;
pub mod labels;
pub mod length;
pub mod levelling;
pub mod limits;
pub mod membership;
pub mod name;
pub mod pause;
pub mod queue;
pub mod quote;
pub mod reason;
pub mod record;
pub mod selector;
pub mod shoot;
pub mod signing;
pub mod stop;
pub mod storm;
pub mod target;
pub mod token;
pub mod window;

#[cfg(test)]
mod fixtures;
