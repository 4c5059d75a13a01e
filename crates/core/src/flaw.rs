//! What can be wrong with a file that a process is started with.
//!
//! Certificates and kubeconfigs are read in different crates; what is wrong with them decides the exit
//! code in a third. This is the word they share.

/// Kind of a flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The file is not there or may not be read.
    Missing,
    /// What is in it does not read as what it should be.
    Damaged,
    /// It reads well and its time is over, or has not come.
    OutOfTime,
    /// It reads well and is not for this process.
    Unfit,
}

/// An error about such a file. Its text names the file and says what to do.
pub trait Flawed: std::error::Error {
    /// What is wrong.
    fn flaw(&self) -> Flaw;
}
