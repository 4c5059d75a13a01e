//! The stop switch: one ConfigMap, there or not, and whatever stands in it.

use futures::Stream;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use perennial_core::{
    failure::{Failure as _, Kind},
    stop::{NAME, Stop},
};
use serde_json::json;

use super::{
    FIELD_MANAGER, OwnNamespace, labels,
    watch::{Change, Guarded, Watched},
};
use crate::{call::bounded, error::Error};

impl OwnNamespace {
    /// Whether the fleet is stopped. Watches until dropped; never ends by itself. Each item of `looks`
    /// has the ConfigMap looked at at once, whatever the watch does. Errors are told and tried again as
    /// those of [`crate::access::AccessSecrets::watch`].
    pub fn watch_stop<L: Stream<Item = ()> + Send>(
        &self,
        looks: L,
    ) -> impl Stream<Item = Change<Option<Stop>>> + Send + use<L> {
        let operation = "watch the stop switch, ConfigMap perennial-stop";
        let read = |object: Option<&Guarded>| object.map(stop_of);
        self.follow(Watched { name: NAME, operation, read }, looks)
    }

    /// Stops the fleet, unless it is stopped already. Gives back the stop that is in force, and
    /// whether it was before.
    ///
    /// # Errors
    /// Those of the API server.
    pub async fn stop(&self, stop: &Stop) -> Result<(Stop, bool), Error> {
        if let (Some(held), _) = self.look(NAME).await? {
            return Ok((stop_of(&held), true));
        }
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME, "labels": labels()},
            "data": stop.keys(),
        });
        // Not forced: keys that somebody made by hand in this moment stay his.
        let (params, patch) = (PatchParams::apply(FIELD_MANAGER), Patch::Apply(&object));
        let operation = format!("write {}", self.named(NAME));
        let api: Api<Guarded> = self.api();
        match bounded(&operation, api.patch(NAME, &params, &patch)).await {
            Ok(object) => Ok((stop_of(&object), false)),
            Err(error) if error.kind() == Kind::Changed => match self.look(NAME).await? {
                (Some(held), _) => Ok((stop_of(&held), true)),
                (None, _) => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Ends the stop that is in force, and no later one. Gives it back; `None` where there was none.
    ///
    /// # Errors
    /// Those of the API server.
    pub async fn resume(&self) -> Result<Option<Stop>, Error> {
        let (Some(held), _) = self.look(NAME).await? else { return Ok(None) };
        let preconditions = Preconditions { uid: held.uid(), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let operation = format!("delete {}", self.named(NAME));
        let api: Api<ConfigMap> = self.api();
        match bounded(&operation, api.delete(NAME, &params)).await {
            Ok(_) => Ok(Some(stop_of(&held))),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn stop_of(object: &Guarded) -> Stop {
    let made = object.creation_timestamp().map(|time| time.0);
    let managers = object.managed_fields().iter();
    let maker = managers.min_by_key(|entry| entry.time.as_ref().map(|time| time.0));
    let maker = maker.and_then(|entry| entry.manager.as_deref());
    let data = object.0.as_ref().ok().and_then(|object| object.data.clone());
    Stop::read(&data.unwrap_or_default(), made, maker)
}

#[cfg(test)]
mod tests;
