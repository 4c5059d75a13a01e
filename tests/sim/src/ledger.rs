//! What each token cost, and what it was for: counts, causes, and the moments at which an invariant
//! is asked.

use std::collections::BTreeMap;

use perennial_core::invariants::{
    Broken, STORM_WINDOW, extra_tokens_within_the_failure_table, no_storm,
};
use serde::Serialize;

use crate::time::{MINUTE, Ms};

/// What cost a token that never stood on its Secret: the rows of the table of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The secret-writer died between token and write.
    WriterCrash,
    /// The token-issuer died, or was cut off, before it passed the token on.
    IssuerLost,
    /// The shoot issued it and its answer was lost.
    AnswerLost,
    /// The write was tested against a Secret that was not as it was seen.
    StaleView,
    /// Two secret-writers, the dead one's write among them.
    SecondOwner,
    /// The seed did not take the write.
    SeedAway,
}

#[derive(Clone, Debug, Default)]
struct Account {
    in_vain: u32,
    failures: u32,
    recent: Vec<Ms>,
}

/// The books.
#[derive(Debug)]
pub struct Ledger {
    accounts: Vec<Account>,
    /// TokenRequests that gave a token, by minute.
    pub per_minute: Vec<u32>,
    /// Tokens that stood on their Secret.
    pub renewals: u64,
    /// Tokens that never did, by cause.
    pub in_vain: BTreeMap<Cause, u64>,
    /// Tokens that were replaced for another reason than that their moment had come.
    pub early: u64,
}

impl Ledger {
    /// Empty books.
    #[must_use]
    pub fn new(secrets: usize) -> Self {
        Self {
            accounts: vec![Account::default(); secrets],
            per_minute: Vec::new(),
            renewals: 0,
            in_vain: BTreeMap::new(),
            early: 0,
        }
    }

    /// Tokens in all.
    #[must_use]
    pub fn issued(&self) -> u64 {
        self.per_minute.iter().map(|count| u64::from(*count)).sum()
    }

    /// A shoot has issued a token.
    ///
    /// # Errors
    /// A storm.
    pub fn issue(&mut self, now: Ms, secret: usize) -> Result<(), Broken> {
        let minute = usize::try_from(now / MINUTE).expect("not before the begin");
        if self.per_minute.len() <= minute {
            self.per_minute.resize(minute + 1, 0);
        }
        self.per_minute[minute] += 1;
        let recent = &mut self.accounts[secret].recent;
        let window = STORM_WINDOW.as_secs() * 1_000;
        recent.retain(|at| now - at < window);
        recent.push(now);
        no_storm(recent.len())
    }

    /// It will never stand on its Secret, and this is why, where it is known.
    ///
    /// # Errors
    /// There is no reason for it in the table of failures.
    pub fn lose(&mut self, secret: usize, cause: Option<Cause>) -> Result<(), Broken> {
        let account = &mut self.accounts[secret];
        account.in_vain += 1;
        if let Some(cause) = cause {
            account.failures += 1;
            *self.in_vain.entry(cause).or_default() += 1;
        }
        extra_tokens_within_the_failure_table(account.in_vain, account.failures)
    }

    /// A token stands on its Secret.
    pub fn write(&mut self, secret: usize) {
        let account = &mut self.accounts[secret];
        (account.in_vain, account.failures) = (0, 0);
        self.renewals += 1;
    }
}
