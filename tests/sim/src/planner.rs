//! Other ways to choose the moment of a renewal, for comparison: the same tokens, the same API
//! servers, the same limit of calls at once, and nothing that goes wrong.
//!
//! The three are rules of one token each, so no fleet is needed to play them.

use std::fmt;

use perennial_core::window::{LATEST_SHARE, Window};

use crate::{
    agenda::Agenda,
    draw::Draw,
    scheduler,
    shoot::{Reply, Shoot},
    time::{HOUR, MINUTE, Ms, SECOND},
};

/// Life of a token.
const LIFETIME: Ms = 12 * HOUR;

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The kubelet: 80 % of the life, up to 10 s sooner (`pkg/kubelet/token/token_manager.go`).
    Kubelet,
    /// The reference: from 80 % to 84 % of the life.
    Reference,
    /// Our windows, a random place in each: from 30 % after a mass start, else from 72 %.
    Random,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Kubelet, Self::Reference, Self::Random];

    /// How long after its issue a token is renewed; `first` is for the one of the mass start.
    fn age(self, first: bool, draw: &mut Draw) -> Ms {
        let between = |low: f64, high: f64, draw: &mut Draw| {
            let share = low + (high - low) * draw.share();
            #[expect(clippy::cast_possible_truncation, reason = "less than a life")]
            let age = (share * LIFETIME as f64) as Ms;
            age
        };
        match self {
            Self::Kubelet => LIFETIME * 80 / 100 - draw.between(0, 10 * SECOND),
            Self::Reference => between(0.80, 0.84, draw),
            Self::Random if first => between(Window::MASS_START.share(), LATEST_SHARE, draw),
            Self::Random => between(Window::ORDINARY.share(), LATEST_SHARE, draw),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kubelet => "kubelet",
            Self::Reference => "reference",
            Self::Random => "random places",
        })
    }
}

enum What {
    Due,
    Done,
}

/// TokenRequests by minute after a mass start.
#[must_use]
pub fn play(rule: Rule, tokens: usize, seed: u64, span: Ms) -> Vec<u32> {
    let mut draw = Draw::new(seed, 4);
    let (shoot, mut agenda) = (Shoot::new(0), Agenda::default());
    let mut per_minute = vec![0; usize::try_from(span / MINUTE).unwrap_or(0) + 1];
    let (mut waiting, mut at_once, mut begun) = (tokens, 0, 0);
    let most = scheduler::settings().in_flight_max;
    let mut now = 0;
    while now <= span {
        while waiting > 0 && at_once < most {
            (waiting, at_once, begun) = (waiting - 1, at_once + 1, begun + 1);
            per_minute[usize::try_from(now / MINUTE).unwrap_or(0)] += 1;
            let Reply::Token(after) = shoot.ask(&mut draw) else { continue }; // it is well
            agenda.put(now + after, What::Done);
            agenda.put(now + after + rule.age(begun <= tokens, &mut draw), What::Due);
        }
        let Some(next) = agenda.next_at() else { break };
        now = next;
        match agenda.take(now) {
            Some(What::Due) => waiting += 1,
            Some(What::Done) => at_once -= 1,
            None => break,
        }
    }
    per_minute
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::peak_to_mean;

    #[test]
    fn the_kubelets_rule_keeps_the_load_of_one_moment_together() {
        let span = 5 * LIFETIME;
        let peaks = |rule| peak_to_mean(&play(rule, 3_000, 1, span), span);
        assert!(peaks(Rule::Kubelet)[1..].iter().all(|peak| *peak > 300.0));
        assert!(peaks(Rule::Random)[4] < peaks(Rule::Reference)[4]);
    }

    #[test]
    fn every_token_is_renewed_as_often_as_the_rule_says() {
        let renewals = |rule| play(rule, 1_000, 1, 25 * LIFETIME).iter().sum::<u32>();
        assert_eq!(renewals(Rule::Kubelet), 32_000, "300 h by 9.6 h, and the first");
        assert!((30_500..32_000).contains(&renewals(Rule::Reference)));
    }
}
