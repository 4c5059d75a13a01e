//! Why tokens are issued before their planned moment, for whoever looks for the cause of a storm.
//!
//! Nothing is decided by it. The present reason tells most, then the one that is noted beside the
//! token; time alone (*due*, *expired*) tells nothing.

use crate::{
    reason::Reason,
    record::{Held, Record},
    storm::AT_ONCE_MAX,
};

/// What makes tokens necessary before their planned moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    /// Somebody calls `RenewNow`.
    Asked,
    /// The timestamp is taken away.
    TimestampRemoved,
    /// The timestamp is set to something else.
    TimestampChanged,
    /// The annotations change that say what token is wanted.
    InputsChanged,
    /// The shoot changes its signing keys or its issuer.
    ShootRotates,
    /// Another token is put in the place of ours.
    TokenReplaced,
    /// The ServiceAccount goes away or is made anew.
    AccountReplaced,
    /// The shoot refuses one token after the other.
    Refused,
    /// What it was bound to was deleted.
    GenerationGone,
    /// The last token is not there: never written, or taken away.
    NotThere,
    /// Nothing but time: a clock that is wrong, or a stranger who left no trace.
    OutOfTime,
}

impl Early {
    /// By what stands in the Secret and why it should be renewed now; `None` where it is fresh.
    #[must_use]
    pub fn of(record: &Record, reason: Option<Reason>) -> Self {
        let noted = record.issued.as_ref().map(|note| note.reason);
        let all_spent = record.memory.is_some_and(|memory| memory.spent >= AT_ONCE_MAX);
        let mut told = [reason, noted].into_iter().flatten().map(Self::by);
        let told = told.find(|early| match early {
            Self::OutOfTime => false,
            // Whoever asks on the Secret waits for nothing until then.
            Self::InputsChanged | Self::TimestampRemoved => all_spent,
            _ => true,
        });
        match (told, noted) {
            _ if last_is_not_there(record) => Self::NotThere,
            (Some(early), _) => early,
            (None, None) if reason.is_none() => Self::TokenReplaced, // taken over, and fits
            (None, _) => Self::OutOfTime,
        }
    }

    const fn by(reason: Reason) -> Self {
        match reason {
            Reason::Requested | Reason::Revoked => Self::Asked,
            Reason::TimestampRemoved => Self::TimestampRemoved,
            Reason::TimestampUnreadable | Reason::TimestampForward => Self::TimestampChanged,
            Reason::InputsChanged => Self::InputsChanged,
            Reason::KeyWithdrawn | Reason::KeyRotated | Reason::IssuerChanged => Self::ShootRotates,
            Reason::Unreadable
            | Reason::Damaged
            | Reason::OtherAccount
            | Reason::OtherAudiences => Self::TokenReplaced,
            Reason::AccountGone | Reason::AccountReplaced => Self::AccountReplaced,
            Reason::GenerationGone => Self::GenerationGone,
            Reason::OwnRefused => Self::Refused,
            Reason::NothingHeld => Self::NotThere,
            Reason::Expired
            | Reason::Due
            | Reason::AccountDrifted
            | Reason::CaChanged
            | Reason::CaUnwanted
            | Reason::TargetLeft
            | Reason::GenerationLeft
            | Reason::GraceShortened
            | Reason::Unknown => Self::OutOfTime,
        }
    }

    /// Whether a clock that is wrong may be the cause.
    #[must_use]
    pub const fn may_be_the_clock(self) -> bool {
        match self {
            Self::OutOfTime | Self::TimestampChanged => true,
            Self::Asked
            | Self::TimestampRemoved
            | Self::InputsChanged
            | Self::ShootRotates
            | Self::TokenReplaced
            | Self::AccountReplaced
            | Self::GenerationGone
            | Self::Refused
            | Self::NotThere => false,
        }
    }

    /// The cause in words, with the other writer where one is known.
    #[must_use]
    pub fn words(self, record: &Record) -> String {
        let what = match self {
            Self::Asked => return "an operator asked for it again and again (RenewNow)".to_owned(),
            Self::TimestampRemoved => "its renew timestamp was removed again and again",
            Self::TimestampChanged => "its renew timestamp was changed again and again",
            Self::InputsChanged => "its inputs change again and again",
            Self::ShootRotates => {
                return "the shoot changes its signing keys or its issuer again and again"
                    .to_owned();
            }
            Self::TokenReplaced => "another token was put in the place of ours",
            Self::AccountReplaced => {
                return "its ServiceAccount in the shoot is deleted again and again".to_owned();
            }
            Self::GenerationGone => {
                return "the Secret in the shoot that its tokens are bound to is deleted again and \
                        again"
                    .to_owned();
            }
            Self::Refused => {
                "the shoot refuses each of them; look at the account and the signing keys there"
            }
            Self::NotThere => {
                "the last one does not stand in the Secret: it could not be written, or somebody \
                 took it away"
            }
            Self::OutOfTime => "",
        };
        let who = match (&record.other_writer, self) {
            (Some(other), _) => format!("{other} wrote it after us, find out why"),
            (None, Self::TokenReplaced | Self::OutOfTime) => {
                "look who else writes this Secret".to_owned()
            }
            (None, _) => String::new(),
        };
        [what, who.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// Whether the memory is of another token than the note. Notes are cut to whole seconds.
fn last_is_not_there(record: &Record) -> bool {
    let Some(memory) = record.memory else { return false };
    match (&record.issued, &record.held, &record.other_writer) {
        (Some(note), _, None) => memory.at.as_second() > note.at.as_second(),
        (None, Held::Nothing, None) => true,
        (None | Some(_), _, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{SecretBuilder, at},
        record::OtherWriter,
        storm::Memory,
    };

    fn noted(reason: Reason) -> Record {
        let mut record = SecretBuilder::new().renewed(0, 43_200, 86_400, 0.5).record();
        if let Some(note) = &mut record.issued {
            note.reason = reason;
        }
        record
    }

    #[test]
    fn the_present_reason_tells_more_than_the_note_and_time_tells_nothing() {
        let asked = noted(Reason::Requested);
        assert_eq!(Early::of(&asked, None), Early::Asked);
        assert_eq!(Early::of(&asked, Some(Reason::Due)), Early::Asked);
        let mut removed = noted(Reason::Requested);
        let of_removed = |record: &Record| Early::of(record, Some(Reason::TimestampRemoved));
        assert_eq!(of_removed(&removed), Early::Asked, "one edit is no fight");
        removed.memory = removed.memory.map(|memory| Memory { spent: AT_ONCE_MAX, ..memory });
        assert_eq!(of_removed(&removed), Early::TimestampRemoved);
        assert_eq!(Early::of(&noted(Reason::Due), Some(Reason::Expired)), Early::OutOfTime);
    }

    #[test]
    fn a_token_that_was_issued_and_is_not_there_was_not_replaced() {
        let mut record = noted(Reason::Due);
        let at = at(record.issued.as_ref().unwrap().at.as_second() + 100);
        record.memory = Some(Memory::new(at, 3));
        assert_eq!(Early::of(&record, Some(Reason::Due)), Early::NotThere);
        let empty = Record { held: Held::Nothing, issued: None, ..record };
        assert_eq!(Early::of(&empty, Some(Reason::NothingHeld)), Early::NotThere);
        assert!(!Early::NotThere.words(&empty).contains("replaced"));
    }

    #[test]
    fn another_writer_is_named_where_it_matters() {
        let other = OtherWriter { manager: "stranger".to_owned(), at: None };
        let record = Record { other_writer: Some(Box::new(other)), ..noted(Reason::Due) };
        for early in [Early::TimestampChanged, Early::TokenReplaced, Early::OutOfTime] {
            assert!(early.words(&record).contains("\"stranger\" wrote it after us"), "{early:?}");
        }
        assert!(!Early::Asked.words(&record).contains("stranger"));
    }
}
