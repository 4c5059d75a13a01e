//! One look at a shoot: a small GET of its key set, which also says whether it takes our
//! credential and what its clock says.

use jiff::{SignedDuration, Timestamp};
use perennial_core::{clock::Clock, shoot::ShootId};
use perennial_kube::shoot_secrets::Names;

use crate::{
    attempt::{Failed, attempt},
    directory::{Candidate, Directory, Purpose, Sight, Ways},
    shoot::KeySet,
};

/// Offsets up to this count as none: `Date` has whole seconds, and an answer takes its time.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(2);
/// Longest detail, in characters. It repeats what the shoot said.
const DETAIL_CHARS_MAX: usize = 600;

/// Looks once, with the own credential first. `None` where the shoot is no longer known.
pub(super) async fn look(
    shoot: &ShootId,
    directory: &Directory,
    clock: &dyn Clock,
) -> Option<(Ways, Sight)> {
    let ways = directory.ways(shoot, Purpose::Probe)?;
    let call = |candidate: Candidate| async move {
        let begun = clock.now();
        let keys = candidate.client.probe().await?;
        let offset = clock_offset(&keys, begun, clock.now());
        Ok((keys, offset))
    };
    let sight = match attempt(&ways.candidates, Purpose::Probe, call).await {
        None => Sight::NotReached { detail: ways.obstacle.clone() },
        Some(Ok((candidate, (keys, clock_offset)))) => Sight::Reached {
            which: candidate.which,
            key_ids: Some(keys.key_ids),
            clock_offset,
            detail: String::new(),
        },
        Some(Err(failed)) => sight_of_failure(&failed, directory.names()),
    };
    Some((ways, sight))
}

fn sight_of_failure(failed: &Failed, names: &Names) -> Sight {
    if let Some(which) = failed.taken() {
        return Sight::Reached {
            which,
            key_ids: None,
            clock_offset: None,
            detail: "the shoot does not show its key set; bind system:service-account-issuer-\
                     discovery, see deploy/shoot"
                .to_owned(),
        };
    }
    let advice = match failed.is_unauthorized() {
        true => format!("; put a kubeconfig with a valid credential into {}", names.bootstrap),
        false => String::new(),
    };
    let cause: String = failed.to_string().chars().take(DETAIL_CHARS_MAX).collect();
    Sight::NotReached { detail: cause + &advice }
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
