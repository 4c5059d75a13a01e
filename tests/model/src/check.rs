//! Goes through all states of a model.

use std::{fmt::Debug, hash::Hash};

use perennial_core::invariants::{Broken, Invariant};
use stateright::{Checker as _, HasDiscoveries, Model, Property};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What is to be reached in a model that is no empty one.
    pub reached: Vec<String>,
    /// What does not hold, and the steps to it, each a line.
    pub broken: Vec<(String, Vec<String>)>,
    /// Steps looked at, those to a known state too.
    pub steps: usize,
    /// Different states.
    pub states: usize,
    /// Steps of the longest of the shortest ways.
    pub depth: usize,
}

impl Outcome {
    /// The names of what does not hold.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.broken.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// A state that remembers which invariant the last step broke.
pub trait Judged {
    /// The first that broke.
    fn broken(&self) -> Option<Invariant>;
}

/// Takes note of what a step broke; the first counts.
pub(crate) fn note(broken: &mut Option<Invariant>, outcome: Result<(), Broken>) {
    if let Err(error) = outcome {
        broken.get_or_insert(error.invariant);
    }
}

/// One property for each invariant.
pub fn properties<M: Model>() -> Vec<Property<M>>
where
    M::State: Judged,
{
    macro_rules! never_broken {
        ($($invariant:ident),*) => {
            vec![$(Property::always(Invariant::$invariant.as_str(), |_, state: &M::State| {
                state.broken() != Some(Invariant::$invariant)
            })),*]
        };
    }
    never_broken![
        NoExpiredSecond,
        NoUsableTokenReplacedByOneThatDoesNotFit,
        NoCallBetweenRenewals,
        ExtraTokensWithinTheFailureTable,
        EverySecretEndsUpRenewed,
        OneOwnerAtATime,
        HandOverInTime,
        NoUsableTokenRevoked,
        GraceRespected,
        NoRevokedGenerationMadeAgain
    ]
}

/// Looks at every state, or up to the first that breaks something.
pub fn check<M>(model: M) -> Outcome
where
    M: Model + Send + Sync + 'static,
    M::State: Judged + Hash + Clone + Debug + Send + Sync + PartialEq + 'static,
    M::Action: Clone + Debug + Send + Sync + PartialEq + 'static,
{
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let is_invariant = |name: &str| Invariant::ALL.iter().any(|known| known.as_str() == name);
    let (mut broken, mut reached) = (Vec::new(), Vec::new());
    for (name, path) in checker.discoveries() {
        let steps = path.into_actions().into_iter().map(|action| format!("{action:?}"));
        match is_invariant(name) {
            true => broken.push((name.to_owned(), steps.collect())),
            false => reached.push(name.to_owned()),
        }
    }
    broken.sort();
    reached.sort();
    Outcome {
        reached,
        broken,
        steps: checker.state_count(),
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
    }
}

/// All states, at least so many of them, one in which that was reached, and none that breaks anything. A
/// model that stands still is no proof.
///
/// # Panics
/// When that is not so.
pub fn holds<M>(what: &str, model: M, reached: &str, states_min: usize)
where
    M: Model + Send + Sync + 'static,
    M::State: Judged + Hash + Clone + Debug + Send + Sync + PartialEq + 'static,
    M::Action: Clone + Debug + Send + Sync + PartialEq + 'static,
{
    let outcome = told(what, check(model));
    assert!(outcome.broken.is_empty(), "{:#?}", outcome.broken);
    assert_eq!(outcome.reached, [reached]);
    assert!(outcome.states >= states_min, "only {} states", outcome.states);
}

/// This invariant breaks, and no other is found broken.
///
/// # Panics
/// When that is not so.
pub fn breaks<M>(what: &str, model: M, invariant: Invariant)
where
    M: Model + Send + Sync + 'static,
    M::State: Judged + Hash + Clone + Debug + Send + Sync + PartialEq + 'static,
    M::Action: Clone + Debug + Send + Sync + PartialEq + 'static,
{
    let outcome = told(what, check(model));
    assert_eq!(outcome.names(), [invariant.as_str()], "{:#?}", outcome.broken);
}

#[expect(clippy::print_stdout, reason = "a check shows how many states it saw")]
fn told(what: &str, outcome: Outcome) -> Outcome {
    let Outcome { states, steps, depth, .. } = outcome;
    println!("{what}: {states} states, {steps} steps, depth {depth}");
    outcome
}
