//! Tokens that are issued too early, again and again: what to do depends on what makes them
//! necessary.

use perennial_core::{keys, storm::Early};

use super::{
    Finding, Subject,
    findings::finding,
    remedy::{self, Remedy},
};
use crate::entry::Standing;

impl Subject<'_> {
    /// The Secret is held, and no failure is the cause of that.
    pub(super) fn storm(&self) -> Finding {
        let detail = self.fleet.detail(self.now, self.secret, self.entry);
        let cause = format!("Another token now would be a storm: {detail}.");
        finding(cause, self.against(self.early()))
    }

    /// Tokens are issued too early, and at this moment nothing is held for it.
    pub(super) fn streak(&self) -> Option<Finding> {
        let record = &self.entry.record();
        let streak = record.memory.map_or(0, |memory| memory.streak);
        let early = self.early();
        let told = match self.standing() {
            Standing::Waiting { .. } => self.entry.is_storm() || early == Early::NotThere,
            _ => early == Early::NotThere && self.last_failed().is_some(),
        };
        (streak >= 2 && !told).then(|| {
            let why = early.words(record);
            let cause = format!(
                "{streak} tokens in a row were issued before the planned moment of the one \
                 before: {why}."
            );
            finding(cause, self.against(early))
        })
    }

    fn early(&self) -> Early {
        Early::of(&self.entry.record(), self.standing().reason())
    }

    fn against(&self, early: Early) -> Remedy {
        let text = match early {
            Early::Asked => {
                "Find the operator or script that calls `perennial renew` (RenewNow) in a loop, and \
                 stop it."
                    .to_owned()
            }
            Early::TimestampRemoved | Early::TimestampChanged => format!(
                "Find who changes or removes the annotation {} of this Secret, and stop that; it goes on by \
                 itself.",
                keys::RENEW_TIMESTAMP
            ),
            Early::InputsChanged => {
                "Find who changes the annotations of this Secret to and fro, and stop that; it goes \
                 on by itself."
                    .to_owned()
            }
            Early::AccountReplaced => {
                "Find who deletes the ServiceAccount in the shoot, and stop that; it goes on by \
                 itself."
                    .to_owned()
            }
            Early::GenerationGone => {
                "Find who deletes Secrets named perennial-generation-… in the shoot, and stop that; \
                 it goes on by itself."
                    .to_owned()
            }
            Early::ShootRotates => {
                "Find who changes the signing keys or the issuer of the shoot's API servers to and fro."
                    .to_owned()
            }
            Early::NotThere => {
                "See whether the secret-writer may write the Secret (its log, the Events of the \
                 Secret), and who removes the token; it goes on by itself."
                    .to_owned()
            }
            Early::Refused => {
                "Find out why the shoot refuses each new token (account, signing keys, audiences of \
                 its API server); it goes on by itself."
                    .to_owned()
            }
            Early::TokenReplaced | Early::OutOfTime => {
                "Find who else writes this Secret and stop that; it goes on by itself.".to_owned()
            }
        };
        let clocks = match early.may_be_the_clock() && self.fleet.may_have_wrong_clock(self.secret)
        {
            true => " Compare the clocks of seed and shoot.",
            false => "",
        };
        let command = match early {
            // They leave no trace on the Secret.
            Early::Asked | Early::AccountReplaced | Early::GenerationGone | Early::Refused => {
                String::new()
            }
            Early::TimestampRemoved
            | Early::TimestampChanged
            | Early::InputsChanged
            | Early::ShootRotates
            | Early::TokenReplaced
            | Early::NotThere
            | Early::OutOfTime => remedy::of("NO_STORM", self.secret).unwrap_or_default().command,
        };
        Remedy { text: text + clocks, command }
    }
}
