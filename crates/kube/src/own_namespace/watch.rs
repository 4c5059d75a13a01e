//! One ConfigMap by name: what stands in it, as soon as it changes.
//!
//! A watch tells of it, and a look (a list of that one name, which the API server answers with what
//! is true then) settles what a watch leaves open: after each whole set, and after our own writes.
//! A watch may be behind a look, so an event older than what is known is left out. Else the end of a
//! former stop could be told after the begin of the next one.

use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::ListParams,
    core::DeserializeGuard,
    runtime::watcher::{self, Event, watcher},
};

use super::OwnNamespace;
use crate::{
    access::{ResourceVersion, reduce::resource_version},
    call::bounded,
    error::Error,
    rewatch::{trouble, with_pauses},
};

/// The API server ends a watch after so long and kube resumes it where it was. A connection that
/// died without a word is noticed 5 s after this: so long what is done by hand may go unheard.
const WATCH_SECONDS: u32 = 20;

/// A ConfigMap, or the reason why it is none: it is there either way.
pub(super) type Guarded = DeserializeGuard<ConfigMap>;

/// What is true now, and as of which version of the ConfigMaps.
type Look = Result<(Option<Guarded>, ResourceVersion), Error>;

/// What the watch tells.
#[derive(Debug)]
pub enum Change<T> {
    /// What the ConfigMap says, or that it is not there. May say again what was said before.
    Known(T),
    /// The API server does not say; it is asked again after a pause.
    Trouble(Error),
}

/// A ConfigMap of ours by name, and what it means.
pub(super) struct Watched<T> {
    pub(super) name: &'static str,
    /// Names the watch: whoever reads of trouble looks for the ConfigMap.
    pub(super) operation: &'static str,
    pub(super) read: fn(Option<&Guarded>) -> T,
}

impl OwnNamespace {
    /// Watches until dropped; never ends by itself. Each item of `looks` has the ConfigMap looked at
    /// at once, whatever the watch does. Errors are told and tried again as those of
    /// [`crate::access::AccessSecrets::watch`].
    pub(super) fn follow<T: Send + 'static, L: Stream<Item = ()> + Send>(
        &self,
        watched: Watched<T>,
        looks: L,
    ) -> impl Stream<Item = Change<T>> + Send + use<T, L> {
        let Watched { name, operation, read } = watched;
        let config = watcher::Config::default().fields(&selector(name)).timeout(WATCH_SECONDS);
        let events = with_pauses(watcher(self.api::<Guarded>(), config)).map(Heard::Event);
        let looks = looks.map(|()| Heard::Asked).chain(stream::pending());
        let own = self.clone();
        // One after the other, so that a look is newer than all that was heard before it.
        let heard = stream::select(events, looks).then(move |heard| {
            let own = own.clone();
            async move {
                let looked = match heard.calls_for_a_look() {
                    true => Some(own.look(name).await),
                    false => None,
                };
                (heard, looked)
            }
        });
        let mut latest = Latest { operation, version: None, listed: None };
        heard.flat_map(move |(heard, looked)| {
            let told = latest.hear(heard, looked).into_iter().map(move |change| match change {
                Change::Known(object) => Change::Known(read(object.as_ref())),
                Change::Trouble(error) => Change::Trouble(error),
            });
            stream::iter(told.collect::<Vec<_>>())
        })
    }

    /// The ConfigMap as it is now.
    pub(super) async fn look(&self, name: &str) -> Look {
        let params = ListParams::default().fields(&selector(name));
        let operation = format!("look at {}", self.named(name));
        let api: Api<Guarded> = self.api();
        let mut list = bounded(&operation, api.list(&params)).await?;
        let version = list.metadata.resource_version.clone().unwrap_or_default();
        let held = (!list.items.is_empty()).then(|| list.items.swap_remove(0));
        Ok((held, ResourceVersion::new(version)))
    }

    pub(super) fn named(&self, name: &str) -> String {
        format!("ConfigMap {}/{name}", self.namespace)
    }
}

fn selector(name: &str) -> String {
    format!("metadata.name={name}")
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
struct Latest {
    operation: &'static str,
    version: Option<ResourceVersion>,
    listed: Option<Guarded>,
}

impl Latest {
    fn hear(&mut self, heard: Heard, looked: Option<Look>) -> Vec<Change<Option<Guarded>>> {
        match (heard, looked) {
            (_, Some(Ok((held, version)))) => {
                self.version = Some(version);
                vec![Change::Known(held)]
            }
            // The list alone has to do, unless a look came in between: that one is newer.
            (Heard::Event(_), Some(Err(error))) if self.version.is_none() => {
                vec![Change::Trouble(error), Change::Known(self.listed.take())]
            }
            (_, Some(Err(error))) => vec![Change::Trouble(error)],
            (Heard::Event(Err(error)), None) => {
                vec![Change::Trouble(trouble(self.operation, error))]
            }
            (Heard::Event(Ok(event)), None) => self.event(event).into_iter().collect(),
            (Heard::Asked, None) => Vec::new(),
        }
    }

    fn event(&mut self, event: Event<Guarded>) -> Option<Change<Option<Guarded>>> {
        match event {
            // Versions begin anew where a seed was restored from an old copy.
            Event::Init => (self.version, self.listed) = (None, None),
            Event::InitApply(object) => self.listed = Some(object),
            Event::Apply(object) if self.is_news(&object) => {
                return Some(Change::Known(Some(object)));
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
