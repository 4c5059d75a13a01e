//! Generations of the shoot in memory.

use std::time::Duration;

use futures::{
    future::BoxFuture,
    stream::{self, BoxStream},
};
use perennial_core::{
    generation::{Family, Number, parts},
    name::{AccountRef, Namespace, SecretName, SecretRef},
};
use perennial_kube::Error;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{FakeShoot, State, World, refused};
use crate::shoot::generations::{GenerationChange, Generations, SeenGeneration};

/// The family of `shoot-access-kube-proxy`.
pub(crate) fn family() -> Family {
    Family {
        namespace: "kube-system".parse().unwrap(),
        secret: "shoot-access-kube-proxy".parse().unwrap(),
    }
}

/// One of them.
pub(crate) fn generation(number: Number, uid: &str) -> SeenGeneration {
    let (name, uid) = (family().name(number), uid.into());
    SeenGeneration { name, uid, grace: None, made: None, terminating: false }
}

impl World {
    /// Puts a generation of [`family`] there.
    pub(crate) fn has_generation(&self, number: Number, uid: &str) {
        self.put_generation(generation(number, uid));
    }

    pub(crate) fn put_generation(&self, generation: SeenGeneration) {
        let key = format!("kube-system/{}", generation.name);
        self.set().generations.insert(key, generation);
    }

    /// Numbers of those of [`family`] that are there.
    pub(crate) fn generations(&self) -> Vec<Number> {
        let state = self.set();
        let names = state.generations.values().map(|generation| generation.name.as_str());
        names.filter_map(|name| family().number(name)).collect()
    }
}

/// How a call names it: its number.
pub(super) fn short(name: &SecretName) -> String {
    parts(name.as_str()).map_or_else(|| name.to_string(), |(_, number)| number.to_string())
}

/// What a token says of what it is bound to.
pub(super) fn bound(
    state: &State,
    account: &AccountRef,
    name: &SecretName,
) -> Result<Value, Error> {
    let key = format!("{}/{name}", account.namespace);
    let found = state.generations.get(&key).ok_or_else(|| refused(404, Some("secrets")))?;
    let name = state.binds_to.clone().unwrap_or_else(|| found.name.to_string());
    Ok(json!({"name": name, "uid": found.uid}))
}

impl Generations for FakeShoot {
    fn list_generations<'a>(
        &'a self,
        namespace: &'a Namespace,
    ) -> BoxFuture<'a, Result<Vec<SeenGeneration>, Error>> {
        let prefix = format!("{namespace}/");
        let answer = move |state: &mut State| {
            let all = state.generations.iter().filter(|(key, _)| key.starts_with(&prefix));
            Ok(all.map(|(_, seen)| seen.clone()).collect())
        };
        Box::pin(self.call("list generations", answer))
    }

    fn make_generation<'a>(
        &'a self,
        family: &'a Family,
        number: Number,
        grace: Option<Duration>,
        _: &'a SecretRef,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let answer = move |state: &mut State| {
            let name = family.name(number);
            let key = |name: &SecretName| format!("{}/{name}", family.namespace);
            if let Some(first) = state.comes_first.take() {
                state.generations.insert(key(&first.name), first);
            }
            if state.generations.contains_key(&key(&name)) {
                return Err(already_there());
            }
            let uid = format!("made-{number}").into();
            let made =
                SeenGeneration { name: name.clone(), uid, grace, made: None, terminating: false };
            state.generations.insert(key(&name), made);
            Ok(())
        };
        Box::pin(async move { self.call(&format!("make generation {number}"), answer).await })
    }

    fn delete_generation<'a>(
        &'a self,
        namespace: &'a Namespace,
        generation: &'a SeenGeneration,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        let call = format!("delete generation {}", short(&generation.name));
        let answer = move |state: &mut State| {
            let key = format!("{namespace}/{}", generation.name);
            let same = state.generations.get(&key).is_some_and(|held| held.uid == generation.uid);
            Ok(same && state.generations.remove(&key).is_some())
        };
        Box::pin(async move { self.call(&call, answer).await })
    }

    fn watch_generations(&self, namespace: &Namespace) -> BoxStream<'static, GenerationChange> {
        let (tell, told) = mpsc::unbounded_channel();
        let mut state = self.world.set();
        state.calls.push(format!("{}: watch generations in {namespace}", self.credential));
        state.generation_watches.push(tell);
        Box::pin(stream::unfold(told, |mut told| async { Some((told.recv().await?, told)) }))
    }
}

pub(crate) fn already_there() -> Error {
    let reason = "AlreadyExists".to_owned();
    match refused(409, Some("secrets")) {
        Error::Refused { operation, code, message, about, retry_after, .. } => {
            Error::Refused { operation, code, reason, message, about, retry_after }
        }
        other => other,
    }
}
