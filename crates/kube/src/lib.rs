//! The only crate that names kube.
//!
//! Seed side: [`seed`] connects, [`access`] watches, reads and patches access Secrets, [`events`]
//! tells people of trouble with them, [`generic`] does the same for generic kubeconfigs;
//! [`own_namespace`] is what the scheduler keeps. Shoot side:
//! [`shoot_secrets`] watches the two Secrets that say how a shoot is reached, [`shoot`] is the
//! client of one shoot. Every call goes through [`call`], which bounds it and names it in the
//! error.

pub mod access;
pub mod call;
pub mod error;
pub mod events;
pub mod generic;
mod json_patch;
pub mod own_namespace;
mod retry_after;
mod rewatch;
pub mod seed;
pub mod shoot;
pub mod shoot_secrets;

pub use error::Error;
