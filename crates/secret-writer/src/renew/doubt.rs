//! Whether the seed took the last write. While it did not, each renewal reads its Secret before it
//! asks for a token: where that fails too, the token would have been issued in vain.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use perennial_core::{
    failure::{Failure as _, Kind},
    name::SecretRef,
};

use super::{RenewError, Step, Write};

/// What the last write says of the seed. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Doubt(Arc<AtomicBool>);

impl Doubt {
    /// Reads the Secret where the seed is in doubt: one GET in place of a token in vain.
    ///
    /// # Errors
    /// It is not read.
    pub(super) async fn settle(
        &self,
        writer: &dyn Write,
        secret: &SecretRef,
    ) -> Result<(), RenewError> {
        match self.0.load(Ordering::Relaxed) {
            true => writer.look(secret).await.map_err(RenewError::Write),
            false => Ok(()),
        }
    }

    /// What came of a write.
    pub(super) fn heard(&self, written: Result<(), &RenewError>) {
        self.0.store(written.is_err_and(is_about_the_seed), Ordering::Relaxed);
    }
}

/// Whether the writes of other Secrets are likely to fail like this.
fn is_about_the_seed(error: &RenewError) -> bool {
    match error {
        RenewError::TimedOut { step: Step::Write, .. } => true,
        RenewError::Write(error) => {
            matches!(error.kind(), Kind::Unavailable | Kind::TimedOut)
                || error.reason() == "SEED_UNAUTHORIZED"
        }
        _ => false,
    }
}
