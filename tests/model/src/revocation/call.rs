//! What a token-issuer does in the shoot: `token-issuer/issue/bind` and `revoke`.

use super::{Revoking, State};
use crate::{
    bound::{Made, Number, Present, Token},
    check::note,
    secret::Tick,
};

/// A call under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// `IssueToken`
    Issue {
        /// The least generation that will do.
        least: Number,
        /// For how long older ones live on.
        grace: Option<Tick>,
        /// Whether what is there was looked at.
        looked: bool,
        /// What comes next.
        next: Issue,
    },
    /// `RevokeGeneration`
    Revoke {
        /// The generation to keep: it must be there.
        keep: Number,
        /// The newest of the older ones that goes.
        up_to: Number,
        /// What comes next.
        next: Revoke,
    },
}

/// The next step of `IssueToken`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Issue {
    /// The generations are listed.
    Look,
    /// One is made.
    Make {
        /// Which one.
        number: Number,
        /// All up to this one had gone when somebody looked. It does not travel; only an invariant
        /// looks at it.
        revoked: Number,
    },
    /// A token is asked for.
    Request(Number),
}

/// The next step of `RevokeGeneration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revoke {
    /// The generations are listed.
    List,
    /// The oldest of these is deleted.
    Delete(Present),
}

/// What came of a step.
pub(super) enum Outcome {
    Next(Call),
    Token(Token),
    Deleted,
    Failed,
}

impl Revoking {
    /// One call of the shoot's API server.
    pub(super) fn call(&self, state: &mut State, call: Call) -> Outcome {
        match call {
            _ if !state.shoot_up => Outcome::Failed,
            Call::Issue { least, grace, looked, next } => {
                let on = |looked, next| Outcome::Next(Call::Issue { least, grace, looked, next });
                match next {
                    Issue::Look => on(true, self.choose(state, least)),
                    Issue::Make { number, .. } if state.present.get(number).is_some() => {
                        match self.choose(state, least) {
                            Issue::Request(number) => on(true, Issue::Request(number)),
                            _ => Outcome::Failed,
                        }
                    }
                    Issue::Make { number, revoked } => {
                        let (life, made) = state.ledger.made(number, revoked);
                        *state.present.place(number) = Some(Made { life, grace });
                        state.is_news = true;
                        note(&mut state.broken, made);
                        on(looked, Issue::Request(number))
                    }
                    Issue::Request(number) => match state.present.get(number) {
                        Some(made) => {
                            Outcome::Token(state.ledger.issued(state.now, number, made.life))
                        }
                        None if looked => Outcome::Failed,
                        None => on(true, Issue::Look),
                    },
                }
            }
            Call::Revoke { keep, up_to, next } => {
                let on = |next| Outcome::Next(Call::Revoke { keep, up_to, next });
                match next {
                    Revoke::List if state.present.get(keep).is_none() => Outcome::Failed,
                    Revoke::List => {
                        let mut older = state.present;
                        let stays = older.numbers().filter(|number| *number > up_to);
                        let stays: Vec<_> = stays.collect();
                        stays.into_iter().for_each(|number| *older.place(number) = None);
                        match older == Present::default() {
                            true => Outcome::Deleted,
                            false => on(Revoke::Delete(older)),
                        }
                    }
                    Revoke::Delete(mut older) => {
                        let Some(number) = older.numbers().next() else { return Outcome::Deleted };
                        let goes = older.place(number).take();
                        // Only this very one: its uid is a condition.
                        if let Some(made) = goes.filter(|_| state.present.get(number) == goes) {
                            Self::delete(state, (number, made.life));
                        }
                        match older == Present::default() {
                            true => Outcome::Deleted,
                            false => on(Revoke::Delete(older)),
                        }
                    }
                }
            }
        }
    }

    fn delete(state: &mut State, (number, life): (Number, u8)) {
        let held = Some(state.seed.token).filter(|token| state.present.has(*token));
        let held = held.map(|token| token.generation);
        *state.present.place(number) = None;
        state.is_news = true;
        let deleted = state.ledger.deleted(state.now, (number, life), held);
        note(&mut state.broken, deleted);
    }

    /// `token-issuer/issue/bind::choose`
    fn choose(&self, state: &State, least: Number) -> Issue {
        let (newest, least) = (state.present.newest(), least.max(1));
        let revoked = state.ledger.revoked();
        match newest >= least {
            true => Issue::Request(newest),
            false if self.guards.least => Issue::Make { number: least.max(newest + 1), revoked },
            false => Issue::Make { number: newest + 1, revoked },
        }
    }
}
