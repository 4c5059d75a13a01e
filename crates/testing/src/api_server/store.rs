//! Objects, their versions, and what happened to them.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{managed, refusal::Refusal, resource::Resource, secret};

/// Changes that a watch can still begin behind. More than any test makes.
const HISTORY_MAX: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    qualified: String,
    namespace: String,
    name: String,
}

impl Key {
    pub(super) fn new(resource: &Resource, namespace: &str, name: &str) -> Self {
        let qualified = resource.qualified();
        Self { qualified, namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Change {
    pub version: u64,
    pub qualified: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

#[derive(Debug, Default)]
pub(super) struct Store {
    version: u64,
    forgotten: u64, // versions up to this one have no history
    objects: BTreeMap<Key, Value>,
    history: VecDeque<Change>,
    deleted: BTreeMap<String, Timestamp>, // uids of Secrets
}

impl Store {
    /// The version of the last change.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The oldest version that a watch can begin behind.
    pub(super) fn oldest(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn forget(&mut self) {
        self.forgotten = self.version;
        self.history.clear();
    }

    pub(super) fn since(&self, version: u64) -> impl Iterator<Item = &Change> {
        self.history.iter().filter(move |change| change.version > version)
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key)
    }

    /// When the Secret of this uid was deleted first.
    pub(super) fn deleted_at(&self, uid: &str) -> Option<Timestamp> {
        self.deleted.get(uid).copied()
    }

    /// All objects of a kind, ordered by namespace and name.
    pub(super) fn all(&self, resource: &Resource) -> impl Iterator<Item = &Value> {
        let qualified = resource.qualified();
        self.objects.iter().filter(move |(key, _)| key.qualified == qualified).map(|(_, o)| o)
    }

    /// Whether there is room for it, as a dry run asks.
    pub(super) fn may_create(
        &self,
        resource: &'static Resource,
        namespace: &str,
        object: &Value,
    ) -> Result<Key, Refusal> {
        self.require_namespace(resource, namespace)?;
        let name = name(object)?;
        let key = Key::new(resource, namespace, &name);
        match self.objects.contains_key(&key) {
            true => Err(Refusal::already_exists(resource, &name)),
            false => Ok(key),
        }
    }

    pub(super) fn create(
        &mut self,
        resource: &'static Resource,
        namespace: &str,
        mut object: Value,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let key = self.may_create(resource, namespace, &object)?;
        if resource.namespaced {
            object["metadata"]["namespace"] = namespace.into();
        }
        object["metadata"]["uid"] = Uuid::new_v4().to_string().into();
        object["metadata"]["creationTimestamp"] = seconds(now).into();
        normalize(resource, &mut object)?;
        Ok(self.put(resource, key, Some(object)))
    }

    /// Writes over an object. What the server owns stays as it was; without a difference nothing
    /// happens, and the version stays too.
    pub(super) fn replace(
        &mut self,
        resource: &'static Resource,
        key: Key,
        mut object: Value,
    ) -> Result<Value, Refusal> {
        let old =
            self.objects.get(&key).ok_or_else(|| Refusal::not_found(resource, &key.name))?.clone();
        let asked = |field: &str| object["metadata"][field].as_str().map(str::to_owned);
        if asked("resourceVersion").is_some_and(|v| old["metadata"]["resourceVersion"] != *v) {
            return Err(Refusal::modified(resource, &key.name));
        }
        let uid = old["metadata"]["uid"].as_str().unwrap_or_default();
        if let Some(other) = asked("uid").filter(|asked| asked != uid) {
            return Err(Refusal::other_uid(resource, &key.name, &other, uid));
        }
        for field in ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"] {
            put_back(&mut object["metadata"], &old["metadata"], field);
        }
        put_back(&mut object["metadata"], &old["metadata"], "resourceVersion");
        normalize(resource, &mut object)?;
        match resource.plural {
            "secrets" => secret::check_update(&old, &object)?,
            "serviceaccounts" => managed::changed(&old, &mut object),
            _ => {}
        }
        if object == old {
            return Ok(old);
        }
        let ends = !object["metadata"]["deletionTimestamp"].is_null() && !is_held(&object);
        Ok(self.put(resource, key, (!ends).then_some(object)))
    }

    /// Deletes an object, or marks it while finalizers hold it.
    pub(super) fn delete(
        &mut self,
        resource: &'static Resource,
        key: Key,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let Some(object) = self.objects.get(&key) else {
            return Err(Refusal::not_found(resource, &key.name));
        };
        if let Some(uid) = object["metadata"]["uid"].as_str().filter(|_| resource.kind == "Secret")
        {
            self.deleted.entry(uid.to_owned()).or_insert(now);
        }
        if !is_held(object) {
            return Ok(self.put(resource, key, None));
        }
        let mut object = object.clone();
        if object["metadata"]["deletionTimestamp"].is_null() {
            object["metadata"]["deletionTimestamp"] = seconds(now).into();
            return Ok(self.put(resource, key, Some(object)));
        }
        Ok(object)
    }

    /// The next version; what was written, or what was there before it was deleted.
    fn put(&mut self, resource: &Resource, key: Key, after: Option<Value>) -> Value {
        self.version += 1;
        let stamp = |mut object: Value| {
            object["metadata"]["resourceVersion"] = self.version.to_string().into();
            object
        };
        let after = after.map(stamp);
        let before = match &after {
            Some(object) => self.objects.insert(key, object.clone()),
            None => self.objects.remove(&key),
        };
        let told = after.clone().or_else(|| before.clone()).unwrap_or_default();
        let (version, qualified) = (self.version, resource.qualified());
        self.history.push_back(Change { version, qualified, before, after });
        if self.history.len() > HISTORY_MAX {
            self.forgotten = self.history.pop_front().map_or(self.version, |change| change.version);
        }
        told
    }

    fn require_namespace(&self, resource: &Resource, namespace: &str) -> Result<(), Refusal> {
        let namespaces = Resource::named("namespaces");
        let exists = self.objects.contains_key(&Key::new(namespaces, "", namespace));
        if resource.namespaced && !exists {
            return Err(Refusal::not_found(namespaces, namespace));
        }
        Ok(())
    }
}

fn name(object: &Value) -> Result<String, Refusal> {
    let metadata = &object["metadata"];
    let text = |key: &str| metadata[key].as_str().filter(|text| !text.is_empty());
    match (text("name"), text("generateName")) {
        (Some(name), _) => Ok(name.to_owned()),
        (None, Some(prefix)) => {
            Ok(format!("{prefix}{}", &Uuid::new_v4().simple().to_string()[..5]))
        }
        (None, None) => Err(Refusal::bad_request("name or generateName is required")),
    }
}

fn normalize(resource: &Resource, object: &mut Value) -> Result<(), Refusal> {
    object["apiVersion"] = resource.api_version().into();
    object["kind"] = resource.kind.into();
    if let Value::Object(metadata) = &mut object["metadata"] {
        // Empty maps and lists are left out, as Go's omitempty does.
        metadata.retain(|_, value| !value.is_null() && *value != json!({}) && *value != json!([]));
    }
    if resource.plural == "secrets" { secret::normalize(object) } else { Ok(()) }
}

fn put_back(object: &mut Value, old: &Value, field: &str) {
    match old.get(field) {
        Some(value) => object[field] = value.clone(),
        None => {
            object.as_object_mut().and_then(|fields| fields.remove(field));
        }
    }
}

fn is_held(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|held| !held.is_empty())
}

/// RFC 3339, whole seconds, as an API server writes times.
pub(super) fn seconds(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment).to_string()
}
