//! A fleet through a year in minutes.
//!
//! The scheduler is the real one: [`perennial_fleet::Fleet`] with its decision, queue, order and
//! back-off. Everything around it is a model, in virtual time and on one thread: API servers of
//! shoots and seed, secret-writer, token-issuer, their streams, and what goes wrong with all of
//! them. All that is drawn is drawn from one seed, so a run can be had again to the byte.
//!
//! [`world`] is the machine, [`faults`] what goes wrong, [`scenario`] what is asked of it. After
//! each step the invariants of [`perennial_core::invariants`] are asked, by what is true and not by
//! what a process believes; the first that does not hold ends the run.

pub mod agenda;
pub mod cli;
pub mod draw;
pub mod faults;
pub mod issuer;
pub mod keeper;
pub mod lateness;
pub mod ledger;
pub mod planner;
pub mod plot;
pub mod refusal;
pub mod report;
pub mod scenario;
pub mod scheduler;
pub mod seed;
pub mod shoot;
pub mod time;
pub mod town;
pub mod trace;
pub mod world;
pub mod writer;
