//! Generations: empty Secrets in a shoot that tokens are bound to (contract, section D).
//!
//! They are ours: nobody else makes them, and each has a label. No other Secret is deleted, and of
//! all Secrets only the metadata is asked for.

use std::time::Duration;

use futures::{StreamExt as _, future, stream::BoxStream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api,
    api::{DeleteParams, ListParams, ObjectMeta, PartialObjectMeta, PostParams, Preconditions},
    runtime::watcher::{self, Event, watcher},
};
use perennial_core::{
    generation::{self, Family, GRACE_MAX, Number},
    keys,
    name::{Namespace, SecretName, SecretRef},
};

use super::{FIELD_MANAGER, ShootClient};
use crate::{
    call::bounded,
    error::Error,
    rewatch::{trouble, with_pauses},
};

/// Generations in one answer of a list. The metadata of one has 1 KiB, so an answer stays far below
/// [`super::ANSWER_BYTES_MAX`].
const PAGE: u32 = 200;
/// Answers of one list: 10,000 generations in one namespace, of which each access Secret has two at
/// most.
const PAGES_MAX: usize = 50;
/// The API server ends a watch after so long and kube resumes it where it was.
const WATCH_SECONDS: u32 = 120;

/// What a Secret of ours in a shoot says of the generation that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenGeneration {
    /// Its name; [`Family::number`] knows whose it is.
    pub name: SecretName,
    /// `metadata.uid`
    pub uid: Box<str>,
    /// For how long older ones live on.
    pub grace: Option<Duration>,
    /// When it was made, by the shoot's clock.
    pub made: Option<Timestamp>,
    /// Whether it is being deleted.
    pub terminating: bool,
}

/// What a watch tells.
#[derive(Debug)]
pub enum GenerationChange {
    /// A list begins: what is not in it is not there.
    ListBegins,
    /// It was there when the list began.
    Listed(SeenGeneration),
    /// The list is whole; from now on changes follow.
    ListComplete,
    /// It is new, or was changed.
    Upsert(SeenGeneration),
    /// This one is gone; another one of its name may be there.
    Removed(SeenGeneration),
    /// A call failed and is tried again after a pause.
    Trouble(Error),
}

impl ShootClient {
    /// All generations in a namespace, whosever, as they are now.
    ///
    /// # Errors
    /// Those of the calls; [`Error::Nonsense`] where there are more than 10,000.
    pub async fn list_generations(
        &self,
        namespace: &Namespace,
    ) -> Result<Vec<SeenGeneration>, Error> {
        let operation = format!("list generations in namespace {namespace}");
        let generations = self.generations(namespace);
        let mut params = ListParams::default().labels(&selector()).limit(PAGE);
        let mut found = Vec::new();
        for _ in 0..PAGES_MAX {
            let page = bounded(&operation, generations.list(&params)).await?;
            found.extend(page.items.iter().filter_map(reduce));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(found),
            }
        }
        let problem = format!("there are more than {}", PAGE as usize * PAGES_MAX);
        Err(Error::Nonsense { operation, problem })
    }

    /// Makes one for an access Secret of the seed.
    ///
    /// # Errors
    /// Those of the call; 404 means that the namespace is missing, and [`is_name_taken`] that a
    /// Secret of its name is there.
    pub async fn make_generation(
        &self,
        family: &Family,
        number: Number,
        grace: Option<Duration>,
        secret: &SecretRef,
    ) -> Result<(), Error> {
        let generation = generation(family, number, grace, secret);
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), family.namespace.as_str());
        let params =
            PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let made = secrets.create(&params, &generation);
        bounded(&format!("create generation {number} of {family}"), made).await.map(|_| ())
    }

    /// Deletes this generation and no other of its name. `false` where it is not there any more.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn delete_generation(
        &self,
        namespace: &Namespace,
        generation: &SeenGeneration,
    ) -> Result<bool, Error> {
        let name = generation.name.as_str();
        let uid = Some(generation.uid.to_string());
        let preconditions = Some(Preconditions { uid, resource_version: None });
        let params = DeleteParams { preconditions, ..DeleteParams::default() };
        let generations = self.generations(namespace);
        let deleted = generations.delete(name, &params);
        match bounded(&format!("delete generation {namespace}/{name}"), deleted).await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Watches the generations of a namespace until dropped; never ends by itself. After a failure
    /// it pauses (0.8 s, doubling up to 5 s) and goes on. A page of a list that does not come is
    /// waited for without end: the caller has to bound that.
    #[must_use]
    pub fn watch_generations(&self, namespace: &Namespace) -> BoxStream<'static, GenerationChange> {
        let operation = format!("watch generations in namespace {namespace}");
        let config =
            watcher::Config::default().labels(&selector()).page_size(PAGE).timeout(WATCH_SECONDS);
        let events = with_pauses(watcher(self.generations(namespace), config));
        events.filter_map(move |event| future::ready(change(&operation, event))).boxed()
    }

    fn generations(&self, namespace: &Namespace) -> Api<PartialObjectMeta<Secret>> {
        Api::namespaced(self.client.clone(), namespace.as_str())
    }
}

/// Whether an error of [`ShootClient::make_generation`] says that a Secret of the name is there.
#[must_use]
pub fn is_name_taken(error: &Error) -> bool {
    matches!(error, Error::Refused { code: 409, reason, .. } if reason == "AlreadyExists")
}

fn selector() -> String {
    format!("{}={}", keys::GENERIC, keys::PURPOSE_GENERATION)
}

fn generation(
    family: &Family,
    number: Number,
    grace: Option<Duration>,
    secret: &SecretRef,
) -> Secret {
    let told = format!(
        "Generation {number} of the access Secret {} in namespace {} of the seed: its tokens are bound \
         to this Secret. Deleting it revokes them all.",
        secret.name, secret.namespace
    );
    let grace = grace.map(|grace| (keys::GRACE_SECONDS.to_owned(), grace.as_secs().to_string()));
    let annotations = [(keys::GENERATION_OF.to_owned(), told)].into_iter().chain(grace);
    let label = (keys::GENERIC.to_owned(), keys::PURPOSE_GENERATION.to_owned());
    Secret {
        metadata: ObjectMeta {
            name: Some(family.name(number).to_string()),
            labels: Some([label].into()),
            annotations: Some(annotations.collect()),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

fn change(
    operation: &str,
    event: watcher::Result<Event<PartialObjectMeta<Secret>>>,
) -> Option<GenerationChange> {
    match event {
        Ok(Event::Init) => Some(GenerationChange::ListBegins),
        Ok(Event::InitApply(object)) => reduce(&object).map(GenerationChange::Listed),
        Ok(Event::InitDone) => Some(GenerationChange::ListComplete),
        Ok(Event::Apply(object)) => reduce(&object).map(GenerationChange::Upsert),
        Ok(Event::Delete(object)) => reduce(&object).map(GenerationChange::Removed),
        Err(error) => Some(GenerationChange::Trouble(trouble(operation, error))),
    }
}

/// `None` for a Secret that has our label and no name of ours.
fn reduce(object: &PartialObjectMeta<Secret>) -> Option<SeenGeneration> {
    let meta = &object.metadata;
    let name = meta.name.as_deref().filter(|name| generation::is_one(name))?;
    let seconds = meta.annotations.as_ref().and_then(|all| all.get(keys::GRACE_SECONDS));
    let grace = seconds.and_then(|text| text.parse().ok()).map(Duration::from_secs);
    Some(SeenGeneration {
        name: name.parse().ok()?,
        uid: meta.uid.as_deref()?.into(),
        grace: grace.map(|grace| grace.min(GRACE_MAX)),
        made: meta.creation_timestamp.as_ref().map(|made| made.0),
        terminating: meta.deletion_timestamp.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    #[test]
    fn d_a_generation_is_empty_and_says_whose_it_is_and_what_its_deletion_does() {
        let (namespace, name) =
            ("shoot--lab--1".parse().unwrap(), "shoot-access-a".parse().unwrap());
        let secret = SecretRef { namespace, name };
        let family = Family::new(&"kube-system".parse().unwrap(), &secret);
        let made = generation(&family, 3, Some(Duration::from_secs(240)), &secret);
        assert_eq!((made.immutable, &made.data, &made.string_data), (Some(true), &None, &None));
        let told = &made.metadata.annotations.as_ref().unwrap()[keys::GENERATION_OF];
        for part in ["shoot-access-a", "shoot--lab--1", "Deleting it revokes"] {
            assert!(told.contains(part), "{told}");
        }
        let mut metadata = made.metadata;
        metadata.uid = Some("u".to_owned());
        metadata.creation_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        let read = |metadata| {
            let (types, _phantom) = (None, std::marker::PhantomData);
            reduce(&PartialObjectMeta { types, metadata, _phantom })
        };
        let seen = read(metadata.clone()).unwrap();
        assert_eq!(family.number(seen.name.as_str()), Some(3));
        assert_eq!((seen.grace, seen.terminating), (Some(Duration::from_secs(240)), false));
        assert_eq!(seen.made, Some(Timestamp::UNIX_EPOCH));
        metadata.name = Some("somebody-elses".to_owned());
        assert_eq!(read(metadata), None);
    }
}
