//! Answers to everything but watches.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    managed, patch,
    refusal::{Answer, Refusal},
    resource::Resource,
    review,
    selector::Selector,
    state::State,
    store::Key,
    target::{Target, What},
    token_request,
};

/// A request whose body has been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub target: &'a Target,
    pub content_type: &'a str,
    pub body: &'a [u8],
    pub now: Timestamp,
}

impl State {
    pub(super) fn answer(&mut self, asked: Asked<'_>) -> Result<Answer, Refusal> {
        match (asked.target.what, asked.target.call.verb) {
            (What::Health, "get") => Ok(Answer::text(200, "ok")),
            (What::KeySet, "get") => Ok(Answer::json(200, self.tokens.key_set())),
            (What::TokenRequest, "create") => token_request::answer(self, asked),
            (What::TokenReview, "create") => review::token(self, asked),
            (What::AccessReview, "create") => review::access(self, asked),
            (What::Objects(resource), verb) => self.objects(resource, verb, asked),
            _ => Err(Refusal::no_such_path()),
        }
    }

    fn objects(
        &mut self,
        resource: &'static Resource,
        verb: &str,
        asked: Asked<'_>,
    ) -> Result<Answer, Refusal> {
        let Asked { target, now, .. } = asked;
        let call = &target.call;
        let key = || Key::new(resource, &call.namespace, &call.name);
        match verb {
            "list" => self.list(resource, target),
            "get" => {
                let found = self.store.get(&key()).cloned();
                let found = found.ok_or_else(|| Refusal::not_found(resource, &call.name))?;
                Ok(Answer::json(200, found))
            }
            "create" if target.asks("dryRun") == Some("All") => {
                self.store.may_create(resource, &call.namespace, &asked.json()?)?;
                Ok(Answer::json(201, asked.json()?))
            }
            "create" => {
                let created = self.store.create(resource, &call.namespace, asked.json()?, now)?;
                Ok(Answer::json(201, created))
            }
            "update" => Ok(Answer::json(200, self.store.replace(resource, key(), asked.json()?)?)),
            "patch" if asked.content_type.starts_with(managed::APPLY_PATCH) => {
                self.apply(resource, key(), asked)
            }
            "patch" => {
                let held = self.store.get(&key());
                let held = held.ok_or_else(|| Refusal::not_found(resource, &call.name))?;
                let patched = patch::apply(held, asked.content_type, asked.body)?;
                Ok(Answer::json(200, self.store.replace(resource, key(), patched)?))
            }
            "delete" => self.delete(resource, key(), asked),
            _ => Err(Refusal::no_such_path()),
        }
    }

    /// Server-side apply makes what is missing.
    fn apply(
        &mut self,
        resource: &'static Resource,
        key: Key,
        asked: Asked<'_>,
    ) -> Result<Answer, Refusal> {
        let manager = asked.target.asks("fieldManager").unwrap_or_default();
        let held = self.store.get(&key);
        let object = managed::applied(held, manager, &asked.json()?);
        match held.is_some() {
            true => Ok(Answer::json(200, self.store.replace(resource, key, object)?)),
            false => {
                let namespace = &asked.target.call.namespace;
                let made = self.store.create(resource, namespace, object, asked.now)?;
                Ok(Answer::json(201, made))
            }
        }
    }

    fn delete(
        &mut self,
        resource: &'static Resource,
        key: Key,
        asked: Asked<'_>,
    ) -> Result<Answer, Refusal> {
        let name = &asked.target.call.name;
        let options = if asked.body.is_empty() { Value::Null } else { asked.json()? };
        let uid = self.store.get(&key).map(|held| held["metadata"]["uid"].clone());
        if let (Some(wanted), Some(Value::String(is))) =
            (options["preconditions"]["uid"].as_str(), &uid)
            && wanted != is
        {
            return Err(Refusal::other_uid(resource, name, wanted, is));
        }
        let object = self.store.delete(resource, key.clone(), asked.now)?;
        if self.store.get(&key).is_some() {
            return Ok(Answer::json(200, object));
        }
        let mut details = resource.details(name);
        details["uid"] = uid.unwrap_or_default();
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Success", "details": details});
        Ok(Answer::json(200, status))
    }

    fn list(&self, resource: &'static Resource, target: &Target) -> Result<Answer, Refusal> {
        let selector = Selector::of(resource, target)?;
        let place = |object: &Value| {
            let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
            (text("namespace"), text("name"))
        };
        let after = target.asks("continue").map(read_continue).transpose()?;
        let limit = target.asks("limit").and_then(|limit| limit.parse().ok()).filter(|n| *n > 0);
        let mut left = self
            .store
            .all(resource)
            .filter(|object| selector.matches(object))
            .filter(|object| after.as_ref().is_none_or(|after| place(object) > *after));
        let page: Vec<&Value> = left.by_ref().take(limit.unwrap_or(usize::MAX)).collect();
        let mut metadata = json!({"resourceVersion": self.store.version().to_string()});
        let remaining = left.count();
        if let Some(last) = page.last().filter(|_| remaining > 0) {
            let place = json!(place(last)).to_string();
            metadata["continue"] = URL_SAFE_NO_PAD.encode(place).into();
            metadata["remainingItemCount"] = remaining.into();
        }
        let body = json!({
            "kind": format!("{}List", resource.kind), "apiVersion": resource.api_version(),
            "metadata": metadata, "items": page.into_iter().map(item).collect::<Vec<_>>(),
        });
        Ok(Answer::json(200, body))
    }
}

impl Asked<'_> {
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        let value: Value = serde_json::from_slice(self.body)
            .map_err(|error| Refusal::bad_request(format!("error decoding body: {error}")))?;
        if value.is_object() {
            return Ok(value);
        }
        Err(Refusal::bad_request("the object provided is unrecognized"))
    }
}

/// Items of a list do not repeat their kind.
fn item(object: &Value) -> Value {
    let mut object = object.clone();
    if let Value::Object(fields) = &mut object {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    object
}

fn read_continue(token: &str) -> Result<(String, String), Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let place = bytes.and_then(|bytes| {
        let value: Value = serde_json::from_slice(&bytes).ok()?;
        Some((value[0].as_str()?.to_owned(), value[1].as_str()?.to_owned()))
    });
    place.ok_or_else(|| Refusal::bad_request("continue key is not valid"))
}
