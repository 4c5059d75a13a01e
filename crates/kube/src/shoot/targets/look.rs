//! What a watch of one target tells.

use k8s_openapi::api::core::v1::Secret;
use kube::{core::DeserializeGuard, runtime::watcher};
use perennial_core::{
    inputs::Mode,
    keys,
    target::{TargetHeld, TargetState, TargetView},
};

use super::edit::data;

/// What an event says; `None` where it says nothing yet. `listed` tells whether the list under way
/// has held it.
pub(super) fn look(
    event: watcher::Event<DeserializeGuard<Secret>>,
    listed: &mut bool,
) -> Option<TargetState> {
    match event {
        watcher::Event::Init => {
            *listed = false;
            None
        }
        watcher::Event::InitApply(secret) => {
            *listed = true;
            Some(state(&secret))
        }
        watcher::Event::Apply(secret) => Some(state(&secret)),
        watcher::Event::InitDone => (!*listed).then_some(TargetState::Absent),
        watcher::Event::Delete(_) => Some(TargetState::Absent),
    }
}

fn state(secret: &DeserializeGuard<Secret>) -> TargetState {
    let Ok(secret) = &secret.0 else {
        let (mode, ca) = (Mode::Token, None);
        return TargetState::Present { held: TargetHeld::Unreadable, mode, ca };
    };
    let view = TargetView {
        token: data(secret, keys::DATA_TOKEN),
        kubeconfig: data(secret, keys::DATA_KUBECONFIG),
        bundle: data(secret, keys::DATA_BUNDLE),
    };
    view.state()
}
