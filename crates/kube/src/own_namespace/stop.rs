//! The stop switch: one ConfigMap, there or not, and whatever stands in it.
//!
//! A watch tells of it, and a look (a list of that one name, which the API server answers with what
//! is true then) settles what a watch leaves open: after each whole set, and after our own writes.
//! A watch may be behind a look, so an event older than what is known is left out. Else the end of a
//! former stop could be told after the begin of the next one.

use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions},
    core::DeserializeGuard,
    runtime::watcher::{self, Event, watcher},
};
use perennial_core::{
    failure::{Failure as _, Kind},
    stop::{NAME, Stop},
};
use serde_json::json;

use super::{FIELD_MANAGER, OwnNamespace};
use crate::{
    access::{ResourceVersion, reduce::resource_version},
    call::bounded,
    error::Error,
    rewatch::{trouble, with_pauses},
};

/// Names the ConfigMap: whoever reads of trouble looks for it.
const WATCH: &str = "watch the stop switch, ConfigMap perennial-stop";

/// The API server ends a watch after so long and kube resumes it where it was. A connection that
/// died without a word is noticed 5 s after this: so long a stop by hand may go unheard.
const WATCH_SECONDS: u32 = 20;

/// A ConfigMap, or the reason why it is none. It stops either way.
type Guarded = DeserializeGuard<ConfigMap>;

/// What the watch tells.
#[derive(Debug)]
pub enum Change {
    /// The fleet is stopped, or is not. May say again what was said before.
    Known(Option<Stop>),
    /// The API server does not say; it is asked again after a pause.
    Trouble(Error),
}

/// The ConfigMap as it was seen.
struct Held {
    stop: Stop,
    uid: Option<String>,
}

impl OwnNamespace {
    /// Watches until dropped; never ends by itself. Each item of `looks` has the ConfigMap looked at
    /// at once, whatever the watch does. Errors are told and tried again as those of
    /// [`crate::access::AccessSecrets::watch`].
    pub fn watch_stop<L: Stream<Item = ()> + Send>(
        &self,
        looks: L,
    ) -> impl Stream<Item = Change> + Send + use<L> {
        let config = watcher::Config::default().fields(&selector()).timeout(WATCH_SECONDS);
        let events = with_pauses(watcher(self.api::<Guarded>(), config)).map(Heard::Event);
        let looks = looks.map(|()| Heard::Asked).chain(stream::pending());
        let own = self.clone();
        // One after the other, so that a look is newer than all that was heard before it.
        let heard = stream::select(events, looks).then(move |heard| {
            let own = own.clone();
            async move {
                let looked = match heard.calls_for_a_look() {
                    true => Some(own.look().await),
                    false => None,
                };
                (heard, looked)
            }
        });
        let mut latest = Latest::default();
        heard.flat_map(move |(heard, looked)| stream::iter(latest.hear(heard, looked)))
    }

    /// Stops the fleet, unless it is stopped already. Gives back the stop that is in force, and
    /// whether it was before.
    ///
    /// # Errors
    /// Those of the API server.
    pub async fn stop(&self, stop: &Stop) -> Result<(Stop, bool), Error> {
        if let (Some(held), _) = self.look().await? {
            return Ok((held.stop, true));
        }
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME, "labels": {
                "app.kubernetes.io/name": "scheduler", "app.kubernetes.io/part-of": "perennial",
            }},
            "data": stop.keys(),
        });
        // Not forced: keys that somebody made by hand in this moment stay his.
        let (params, patch) = (PatchParams::apply(FIELD_MANAGER), Patch::Apply(&object));
        let operation = format!("write {}", self.named());
        let api: Api<Guarded> = self.api();
        match bounded(&operation, api.patch(NAME, &params, &patch)).await {
            Ok(object) => Ok((stop_of(&object), false)),
            Err(error) if error.kind() == Kind::Changed => match self.look().await? {
                (Some(held), _) => Ok((held.stop, true)),
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
        let (Some(held), _) = self.look().await? else { return Ok(None) };
        let preconditions = Preconditions { uid: held.uid, resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        let operation = format!("delete {}", self.named());
        let api: Api<ConfigMap> = self.api();
        match bounded(&operation, api.delete(NAME, &params)).await {
            Ok(_) => Ok(Some(held.stop)),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is true now, and as of which version of the ConfigMaps.
    async fn look(&self) -> Result<(Option<Held>, ResourceVersion), Error> {
        let params = ListParams::default().fields(&selector());
        let operation = format!("look at {}", self.named());
        let api: Api<Guarded> = self.api();
        let list = bounded(&operation, api.list(&params)).await?;
        let version = list.metadata.resource_version.clone().unwrap_or_default();
        let held =
            list.items.first().map(|object| Held { stop: stop_of(object), uid: object.uid() });
        Ok((held, ResourceVersion::new(version)))
    }

    fn named(&self) -> String {
        format!("ConfigMap {}/{NAME}", self.namespace)
    }
}

fn selector() -> String {
    format!("metadata.name={NAME}")
}

fn stop_of(object: &Guarded) -> Stop {
    let made = object.creation_timestamp().map(|time| time.0);
    let managers = object.managed_fields().iter();
    let maker = managers.min_by_key(|entry| entry.time.as_ref().map(|time| time.0));
    let maker = maker.and_then(|entry| entry.manager.as_deref());
    let data = object.0.as_ref().ok().and_then(|object| object.data.clone());
    Stop::read(&data.unwrap_or_default(), made, maker)
}

#[expect(clippy::large_enum_variant, reason = "one at a time, and a ConfigMap as a rule")]
enum Heard {
    Event(watcher::Result<Event<Guarded>>),
    Asked,
}

impl Heard {
    const fn calls_for_a_look(&self) -> bool {
        matches!(self, Self::Asked | Self::Event(Ok(Event::InitDone)))
    }
}

/// What is known, and since which version.
#[derive(Default)]
struct Latest {
    version: Option<ResourceVersion>,
    listed: Option<Stop>,
}

impl Latest {
    fn hear(
        &mut self,
        heard: Heard,
        looked: Option<Result<(Option<Held>, ResourceVersion), Error>>,
    ) -> Vec<Change> {
        match (heard, looked) {
            (_, Some(Ok((held, version)))) => {
                self.version = Some(version);
                vec![Change::Known(held.map(|held| held.stop))]
            }
            // The list alone has to do, unless a look came in between: that one is newer.
            (Heard::Event(_), Some(Err(error))) if self.version.is_none() => {
                vec![Change::Trouble(error), Change::Known(self.listed.take())]
            }
            (_, Some(Err(error))) => vec![Change::Trouble(error)],
            (Heard::Event(Err(error)), None) => {
                vec![Change::Trouble(trouble(WATCH, error))]
            }
            (Heard::Event(Ok(event)), None) => self.event(event).into_iter().collect(),
            (Heard::Asked, None) => Vec::new(),
        }
    }

    fn event(&mut self, event: Event<Guarded>) -> Option<Change> {
        match event {
            // Versions begin anew where a seed was restored from an old copy.
            Event::Init => (self.version, self.listed) = (None, None),
            Event::InitApply(object) => self.listed = Some(stop_of(&object)),
            Event::Apply(object) if self.is_news(&object) => {
                return Some(Change::Known(Some(stop_of(&object))));
            }
            Event::Delete(object) if self.is_news(&object) => return Some(Change::Known(None)),
            Event::Apply(_) | Event::Delete(_) | Event::InitDone => {}
        }
        None
    }

    fn is_news(&mut self, object: &Guarded) -> bool {
        let version = resource_version(object);
        let older = self.version.as_ref().is_some_and(|known| version.is_older_than(known));
        if !older {
            self.version = Some(version);
        }
        !older
    }
}

#[cfg(test)]
mod tests;
