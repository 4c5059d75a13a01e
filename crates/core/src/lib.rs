//! Domain of Perennial: what a Secret says, when its token is due, and the queue.
//!
//! Pure: no kube, tonic or prost, no I/O and no runtime. Everything here takes the present moment
//! as an argument, so a test can play a year in a millisecond. Clause numbers such as B4 are those
//! of the contract on a Secret (`docs/contract.md`).

pub mod clock;
pub mod failure;
