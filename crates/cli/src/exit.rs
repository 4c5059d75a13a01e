//! Exit codes: a closed list, after sysexits(3) as the services have it.

use std::process::ExitCode;

use perennial_core::failure::Kind;

/// How the command line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; for `status`: all is well.
    Ok = 0,
    /// `status` found something that needs somebody, `pause` would let a token expire, or a campaign
    /// ended without being done.
    Trouble = 1,
    /// Wrong flags, or one is missing.
    Usage = 64,
    /// The Secret asks for something impossible, or what is asked of it is.
    Invalid = 65,
    /// There is no such access Secret or shoot.
    NotFound = 66,
    /// A service or the shoot cannot be reached.
    Unavailable = 69,
    /// A mistake of the scheduler or of ours.
    Internal = 70,
    /// The answer cannot be written.
    Output = 74,
    /// It may work later: held, asked to slow down, or no answer in time.
    Temporary = 75,
    /// We, or Perennial at the shoot, may not do this.
    Denied = 77,
    /// Certificates or addresses that cannot be used.
    Configuration = 78,
}

impl Exit {
    /// All of them, in order.
    pub const ALL: [Self; 11] = [
        Self::Ok,
        Self::Trouble,
        Self::Usage,
        Self::Invalid,
        Self::NotFound,
        Self::Unavailable,
        Self::Internal,
        Self::Output,
        Self::Temporary,
        Self::Denied,
        Self::Configuration,
    ];

    /// What it means, for the help.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Trouble => {
                "status found something that needs somebody; pause would let a token expire; a campaign \
                 ended without being done; the outage budget does not hold"
            }
            Self::Usage => "wrong usage",
            Self::Invalid => "the Secret asks for something impossible, or is not revocable",
            Self::NotFound => "no such access Secret or shoot",
            Self::Unavailable => "a service or the shoot cannot be reached",
            Self::Internal => "a mistake of the scheduler or of this program",
            Self::Output => "the answer cannot be written",
            Self::Temporary => {
                "it may work later: held against a storm, asked to slow down, no answer in time"
            }
            Self::Denied => "denied: to us by the services, or to Perennial by the shoot",
            Self::Configuration => "a certificate or an address cannot be used",
        }
    }

    /// What a call that failed ends with.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Invalid => Self::Invalid,
            Kind::NotFound => Self::NotFound,
            Kind::Denied => Self::Denied,
            Kind::Unavailable => Self::Unavailable,
            Kind::Changed | Kind::Held | Kind::Throttled | Kind::TimedOut => Self::Temporary,
            Kind::Internal => Self::Internal,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
