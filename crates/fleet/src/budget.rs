//! Whether every token survives what is to be survived, at any time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use perennial_core::{
    budget::{Budget, Life, Verdict, left_at_renewal},
    decision::ShootView,
    name::SecretRef,
    shoot::ShootId,
};

use super::{
    Fleet,
    entry::{Entry, Standing},
    members::named,
};

/// Most Secrets that are named for each reason.
const NAMED_MAX: usize = 20;

/// How a selection of tokens stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survival {
    /// Secrets that were judged; those of shoots that hibernate are not, nobody waits for them.
    pub secrets: usize,
    /// Those whose token survives it.
    pub holds: usize,
    /// Those whose token does not, by reason.
    pub broken: BTreeMap<Verdict, Broken>,
    /// The least life, in seconds, that any usable token has left at its planned moment: so long an outage
    /// is survived whenever it begins, but for what its end takes.
    pub least_seconds: Option<i64>,
    /// The token that expires first, and when, by our clock.
    pub first_to_expire: Option<(Timestamp, SecretRef)>,
}

/// Secrets whose token does not survive it, for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Broken {
    /// How many.
    pub count: usize,
    /// The first of them, with what is known of their tokens.
    pub first: Vec<(SecretRef, Option<Life>)>,
}

impl Fleet {
    /// What is to be survived.
    #[must_use]
    pub const fn budget(&self) -> &Budget {
        &self.settings.budget
    }

    /// The basis by which tokens are renewed, in seconds.
    #[must_use]
    pub const fn basis_seconds(&self) -> i64 {
        self.settings.policy.basis_seconds
    }

    /// How the tokens of one shoot stand, or of all. The cost grows with the number of Secrets.
    #[must_use]
    pub fn survival(&self, now: Timestamp, only: Option<&ShootId>) -> Survival {
        let mut survival = Survival::default();
        for (shoot, name, entry) in self.members.behind(only, None) {
            if matches!(self.shoots.view(shoot), ShootView::Seen(status) if status.hibernated) {
                continue;
            }
            survival.secrets += 1;
            let life = self.life(now, shoot, entry);
            let verdict = match (&entry.standing, life) {
                (Standing::Invalid(_) | Standing::Obstructed(_), _) => Verdict::Unserved,
                (_, None) => Verdict::NoToken,
                (_, Some(life)) => self.settings.budget.judge(life),
            };
            if let Some(life) = life {
                survival.least_seconds = match survival.least_seconds {
                    Some(least) => Some(least.min(life.left_at_renewal)),
                    None => Some(life.left_at_renewal),
                };
                survival.note_expiry(self.end(shoot, entry), shoot, name);
            }
            match verdict {
                Verdict::Holds => survival.holds += 1,
                broken => {
                    let broken = survival.broken.entry(broken).or_default();
                    broken.count += 1;
                    if broken.first.len() < NAMED_MAX {
                        broken.first.push((named(shoot, name), life));
                    }
                }
            }
        }
        survival
    }

    /// What is known of a token that a consumer can use.
    fn life(&self, now: Timestamp, shoot: &ShootId, entry: &Entry) -> Option<Life> {
        let end = self.end(shoot, entry).filter(|end| *end > now)?;
        let _ = entry.usable_until()?;
        let planned = entry.planned(&self.settings.policy)?;
        Some(Life {
            granted: entry.kept.granted_seconds()?,
            asked: entry.kept.asked_seconds().unwrap_or_default(),
            left_at_renewal: left_at_renewal(self.our_clock(shoot, planned), end),
            // What is left alone until later is not late.
            is_overdue: !matches!(entry.standing, Standing::Fresh { until } if until > now)
                && self.is_overdue(now, shoot, entry),
            is_ours: entry.kept.renew_at().is_some(),
        })
    }

    fn end(&self, shoot: &ShootId, entry: &Entry) -> Option<Timestamp> {
        Some(self.our_clock(shoot, entry.kept.expires_at()?))
    }
}

impl Survival {
    fn note_expiry(
        &mut self,
        end: Option<Timestamp>,
        shoot: &ShootId,
        name: &perennial_core::name::SecretName,
    ) {
        let Some(end) = end else { return };
        if self.first_to_expire.as_ref().is_none_or(|(first, _)| end < *first) {
            self.first_to_expire = Some((end, named(shoot, name)));
        }
    }
}
