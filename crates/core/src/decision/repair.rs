//! What is not as the Secret asks for and needs no other token (contract, B2, B5 and section C).

use super::{ShootView, account, target};
use crate::{
    inputs::{Inputs, LabelsHash, Mode},
    reason::Reason,
    record::Record,
    shoot::AccountState,
};

/// Why a Secret whose token is good is to be repaired; `None` where all is as it should be.
///
/// A Secret that was taken over has no note, and nothing is written to it before its next renewal.
pub(super) fn wanted(record: &Record, inputs: &Inputs, shoot: ShootView<'_>) -> Option<Reason> {
    if speaks_for_account(record, inputs, shoot) && has_drifted(inputs, shoot) {
        return Some(Reason::AccountDrifted);
    }
    let note = record.issued.as_ref()?;
    if !record.left.is_empty() {
        return Some(Reason::TargetLeft);
    }
    if inputs.target.is_some() && !target::is_seen(shoot, inputs, note) {
        return None; // what stands beside the token is not known
    }
    match (inputs.inject_ca, inputs.mode) {
        (true, _) => {
            let ShootView::Seen(status) = shoot else { return None };
            let wanted = status.ca?;
            (record.ca != Some(wanted)).then_some(Reason::CaChanged)
        }
        (false, Mode::Token) => record.ca.map(|_| Reason::CaUnwanted),
        (false, Mode::Kubeconfig) => None,
    }
}

/// Where several Secrets name one account, one of them speaks for it.
fn speaks_for_account(record: &Record, inputs: &Inputs, shoot: ShootView<'_>) -> bool {
    let ShootView::Seen(status) = shoot else { return true };
    status.other_speaker(&inputs.account, &record.secret.name).is_none()
}

fn has_drifted(inputs: &Inputs, shoot: ShootView<'_>) -> bool {
    match account::seen(shoot, inputs).map(|seen| &seen.state) {
        Some(AccountState::Present { automount_off, labels, .. }) => {
            !automount_off || *labels != LabelsHash::of(&inputs.account_labels)
        }
        Some(AccountState::Terminating | AccountState::Absent) | None => false,
    }
}

#[cfg(test)]
mod tests;
