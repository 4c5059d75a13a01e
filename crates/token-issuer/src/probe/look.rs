//! One look at a shoot: a small GET of its key set, which also says whether it takes our
//! credential and what its clock says.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use perennial_core::{clock::Clock, shoot::ShootId};
use perennial_kube::{
    Error as KubeError,
    shoot_secrets::{Names, Which},
};

use crate::{
    attempt::{Failed, attempt},
    directory::{Candidate, Directory, KeysSeen, Purpose, Sight, Ways},
    shoot::KeySet,
};

/// Offsets up to this count as none: `Date` has whole seconds, and an answer takes its time.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(2);
/// What a shoot lacks that does not let us see its keys.
const HIDDEN_KEY_SET: &str = "the shoot does not show its key set; bind system:service-account-issuer-\
     discovery, see deploy/shoot";
/// What a shoot lacks that does not let us work.
const MAY_NOT: &str = "the own credential may not create tokens there; grant create on \
     serviceaccounts/token, see deploy/shoot";
/// Longest detail, in characters. It repeats what the shoot said.
const DETAIL_CHARS_MAX: usize = 600;

/// What one look found.
pub(super) struct Looked {
    pub(super) ways: Ways,
    pub(super) sight: Sight,
    pub(super) own: Own,
}

/// What came of the own credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// The shoot takes it.
    Holds,
    /// The shoot knows it, and it may not do our work: grants are missing.
    MayNot,
    /// The shoot does not know it (401).
    Refused,
    /// Address or certificate do not hold, or there is no credential at all.
    Failed,
    /// There is none, and it is not missed.
    Untried,
}

/// Looks once, with the own credential first. `None` where the shoot is no longer known.
pub(super) async fn look(
    shoot: &ShootId,
    directory: &Directory,
    clock: &dyn Clock,
) -> Option<Looked> {
    let ways = directory.ways(shoot, Purpose::Probe)?;
    let (own, is_recovering) = (&Mutex::new(Own::Untried), ways.is_recovering);
    let call = |candidate: Candidate| async move {
        let begun = clock.now();
        let answer = candidate.client.probe().await;
        let offset = answer.as_ref().ok().and_then(|keys| clock_offset(keys, begun, clock.now()));
        if candidate.which == Which::Bootstrap {
            return Ok((answer?, offset, begun));
        }
        let answer = match answer {
            // It was left because it did not hold: a key set alone does not show that it does again.
            Ok(keys) if is_recovering => may_work(&candidate).await.map(|()| keys),
            other => other,
        };
        *own.lock().unwrap_or_else(PoisonError::into_inner) = Own::of(&answer);
        Ok((answer?, offset, begun))
    };
    let outcome = attempt(&ways.candidates, Purpose::Probe, call).await;
    let own = match &outcome {
        None => Own::Failed,
        Some(_) => *own.lock().unwrap_or_else(PoisonError::into_inner),
    };
    let sight = match outcome {
        None => Sight::NotReached { refused: true, detail: ways.obstacle.clone() },
        Some(Ok((candidate, (keys, clock_offset, begun)))) => Sight::Reached {
            which: candidate.which,
            keys: Some(KeysSeen { ids: keys.key_ids, at: begun }),
            clock_offset,
            detail: String::new(),
        },
        Some(Err(failed)) => sight_of_failure(&failed, is_recovering, directory.names()),
    };
    Some(Looked { ways, sight, own })
}

impl Own {
    fn of<T>(answer: &Result<T, KubeError>) -> Self {
        match answer.as_ref().map_err(KubeError::code) {
            Ok(_) => Self::Holds,
            Err(Some(401)) => Self::Refused,
            Err(Some(403)) => Self::MayNot,
            Err(_) => Self::Failed,
        }
    }
}

/// Whether a credential may create tokens there.
async fn may_work(candidate: &Candidate) -> Result<(), KubeError> {
    match candidate.client.prove().await? {
        true => Ok(()),
        false => Err(KubeError::Refused {
            operation: "take up the own credential".to_owned(),
            code: 403,
            reason: "Forbidden".to_owned(),
            message: MAY_NOT.to_owned(),
            about: None,
            retry_after: None,
        }),
    }
}

fn sight_of_failure(failed: &Failed, is_recovering: bool, names: &Names) -> Sight {
    if let Some(which) = failed.taken() {
        let lacks = match (which, is_recovering) {
            (Which::Own, true) => MAY_NOT,
            (Which::Own, false) | (Which::Bootstrap, _) => HIDDEN_KEY_SET,
        };
        let detail = lacks.to_owned();
        return Sight::Reached { which, keys: None, clock_offset: None, detail };
    }
    let refused = failed.is_unauthorized();
    let advice = match refused {
        true => format!("; put a kubeconfig with a valid credential into {}", names.bootstrap),
        false => String::new(),
    };
    let cause: String = failed.to_string().chars().take(DETAIL_CHARS_MAX).collect();
    Sight::NotReached { refused, detail: cause + &advice }
}

/// `Date` of the answer minus our clock in the middle of the call, whole seconds.
fn clock_offset(keys: &KeySet, begun: Timestamp, ended: Timestamp) -> Option<SignedDuration> {
    let middle = begun + ended.duration_since(begun) / 2;
    let offset = SignedDuration::from_secs(keys.date?.duration_since(middle).as_secs());
    Some(if offset.abs() <= CLOCK_TOLERANCE { SignedDuration::ZERO } else { offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_shoot_is_compared_with_ours_in_the_middle_of_the_call() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let offset = |date: Option<i64>| {
            let keys = KeySet { key_ids: vec![], date: date.map(at) };
            clock_offset(&keys, at(100), at(104)).map(|offset| offset.as_secs())
        };
        assert_eq!(offset(None), None);
        assert_eq!([100, 102, 104].map(|date| offset(Some(date))), [Some(0); 3]);
        assert_eq!(offset(Some(99)), Some(-3));
        assert_eq!(offset(Some(3702)), Some(3600));
    }
}
