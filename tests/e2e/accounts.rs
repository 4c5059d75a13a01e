//! What happens to ServiceAccounts in a shoot, and what becomes of it (contract, B2 and section C).

mod deleted;
mod drifted;
mod stage;
mod unseen;
