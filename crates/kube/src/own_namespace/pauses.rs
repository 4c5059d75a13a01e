//! Pauses of shoots: one ConfigMap, a key for each shoot that is paused.
//!
//! Two who pause two shoots at once must not lose one another's. So each key is applied under a field
//! manager of its own, which says nothing of the other keys, and on the version that was looked at:
//! whoever comes second looks again. A key is removed by a patch that tests its value, so that nobody
//! ends a pause that he has not seen.

use std::collections::BTreeMap;

use futures::Stream;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use perennial_core::{
    failure::{Failure as _, Kind},
    name::Namespace,
    pause::{self, NAME, PAUSES_MAX, Pause, Pauses},
};
use serde_json::{Value, json};

use super::{
    FIELD_MANAGER, OwnNamespace, labels,
    watch::{Change, Guarded, Watched},
};
use crate::{
    call::bounded,
    error::Error,
    json_patch::{self, Operation, pointer, test},
};

/// Most tries of a write. One fails only where another one in between did not, so as many operators can
/// pause in the same moment.
const TRIES_MAX: usize = 16;

/// A pause that has been over for so long is removed when the next one is made. Not at once: the
/// clocks of two schedulers may be apart.
const KEPT_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// What became of a pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// It is stored.
    New,
    /// The shoot was paused before, like this.
    Before(Pause),
    /// There are [`PAUSES_MAX`] already.
    TooMany,
}

impl OwnNamespace {
    /// Which shoots are paused. Watches until dropped; never ends by itself. Each item of `looks` has the
    /// ConfigMap looked at at once, whatever the watch does. Errors are told and tried again as those of
    /// [`crate::access::AccessSecrets::watch`].
    pub fn watch_pauses<L: Stream<Item = ()> + Send>(
        &self,
        looks: L,
    ) -> impl Stream<Item = Change<Pauses>> + Send + use<L> {
        let operation = "watch the pauses of shoots, ConfigMap perennial-pauses";
        let read = |object: Option<&Guarded>| pause::read(&data_of(object));
        self.follow(Watched { name: NAME, operation, read }, looks)
    }

    /// Pauses a shoot, unless it is paused at `now`.
    ///
    /// # Errors
    /// Those of the API server; [`Kind::Changed`] where others wrote in between again and again.
    pub async fn pause(
        &self,
        shoot: &Namespace,
        pause: &Pause,
        now: Timestamp,
    ) -> Result<Made, Error> {
        let mut tries = 1;
        loop {
            let (held, _) = self.look(NAME).await?;
            let data = data_of(held.as_ref());
            let holding: Pauses =
                pause::read(&data).into_iter().filter(|(_, pause)| pause.holds(now)).collect();
            if let Some(before) = holding.get(shoot) {
                return Ok(Made::Before(before.clone()));
            }
            if holding.len() >= PAUSES_MAX {
                return Ok(Made::TooMany);
            }
            let old: Vec<_> = data.iter().filter(|(_, value)| is_old(value, now)).collect();
            let written = match old.is_empty() {
                true => self.apply(shoot, pause, held.as_ref()).await.map(|()| true),
                false => self.remove(&old).await.map(|()| false),
            };
            match written {
                Ok(true) => return Ok(Made::New),
                Ok(false) => {}
                Err(error) if error.kind() == Kind::Changed && tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends the pause that a shoot has, and no later one. Gives it back; `None` where there was none.
    ///
    /// # Errors
    /// Those of the API server; [`Kind::Changed`] where somebody ended it and began another meanwhile.
    pub async fn resume_shoot(&self, shoot: &Namespace) -> Result<Option<Pause>, Error> {
        let key = shoot.to_string();
        let data = data_of(self.look(NAME).await?.0.as_ref());
        let Some(value) = data.get(&key) else { return Ok(None) };
        match self.remove(&[(&key, value)]).await {
            Ok(()) => Ok(Some(Pause::read(value))),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) if error.kind() == Kind::Changed => {
                let data = data_of(self.look(NAME).await?.0.as_ref());
                if data.contains_key(&key) { Err(error) } else { Ok(None) }
            }
            Err(error) => Err(error),
        }
    }

    /// Writes one key, and makes the ConfigMap where there is none. On another version than the one
    /// that was looked at it is a conflict.
    async fn apply(
        &self,
        shoot: &Namespace,
        pause: &Pause,
        held: Option<&Guarded>,
    ) -> Result<(), Error> {
        let mut metadata = json!({"name": NAME, "labels": labels()});
        if let Some(version) = held.and_then(ResourceExt::resource_version) {
            metadata["resourceVersion"] = version.into();
        }
        let data = json!({shoot.as_str(): pause.value()});
        let object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data});
        let params = PatchParams::apply(&format!("{FIELD_MANAGER}-pause-{shoot}"));
        // What was looked at is over, whoever wrote it. What was not looked at stays whose it is.
        let params = if held.is_some() { params.force() } else { params };
        let operation = format!("write key {shoot} of {}", self.named(NAME));
        let api: Api<Guarded> = self.api();
        bounded(&operation, api.patch(NAME, &params, &Patch::Apply(&object))).await.map(drop)
    }

    /// Removes keys that still have these values.
    async fn remove(&self, keys: &[(&String, &String)]) -> Result<(), Error> {
        let operations = keys.iter().flat_map(|(key, value)| {
            let path = pointer("/data", key);
            [test(&path, Value::from(value.as_str())), Operation::Remove { path }]
        });
        let patch = json_patch::patch(&operations.collect::<Vec<_>>());
        let names: Vec<&str> = keys.iter().map(|(key, _)| key.as_str()).collect();
        let operation = format!("remove key {} of {}", names.join(", "), self.named(NAME));
        let api: Api<ConfigMap> = self.api();
        let patched = bounded(&operation, api.patch(NAME, &PatchParams::default(), &patch)).await;
        patched.map(drop).map_err(|error| match error {
            // What an API server answers where a test of a patch does not hold.
            Error::Refused { operation, code: 422, .. } => Error::Refused {
                operation,
                code: 409,
                reason: "Conflict".to_owned(),
                message: "somebody changed it meanwhile".to_owned(),
                about: None,
                retry_after: None,
            },
            error => error,
        })
    }
}

fn is_old(value: &str, now: Timestamp) -> bool {
    let end = Pause::read(value).until.and_then(|until| until.saturating_add(KEPT_AFTER).ok());
    end.is_some_and(|end| end <= now)
}

fn data_of(object: Option<&Guarded>) -> BTreeMap<String, String> {
    let object = object.and_then(|object| object.0.as_ref().ok());
    object.and_then(|object| object.data.clone()).unwrap_or_default()
}
