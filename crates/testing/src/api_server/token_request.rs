//! The TokenRequest API.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    answer::Asked,
    refusal::{Answer, Cause, Refusal},
    resource::Resource,
    state::State,
    store::{Key, seconds},
    tokens::Bound,
};

const KIND: &str = "TokenRequest.authentication.k8s.io";
const LIFETIME_DEFAULT_SECONDS: i64 = 60 * 60;
const LIFETIME_MIN_SECONDS: i64 = 10 * 60;
const LIFETIME_MAX_SECONDS: i64 = 1 << 32;

pub(super) fn answer(state: &mut State, asked: Asked<'_>) -> Result<Answer, Refusal> {
    let call = &asked.target.call;
    let mut request = asked.json()?;
    // Admission looks at the namespace before anybody looks for the account.
    let namespaces = Resource::named("namespaces");
    if state.store.get(&Key::new(namespaces, "", &call.namespace)).is_none() {
        return Err(Refusal::not_found(namespaces, &call.namespace));
    }
    let account = state.account(&call.namespace, &call.name);
    let missing = || Refusal::not_found(Resource::named("serviceaccounts"), &call.name);
    let account = account.ok_or_else(missing)?;
    check_uid(&request, &call.name, &account.uid)?;
    let lifetime_seconds = lifetime_seconds(&request)?;
    let granted =
        state.granted_seconds_max.map_or(lifetime_seconds, |max| lifetime_seconds.min(max));
    let audiences = audiences(&request).unwrap_or_else(|| state.audiences.clone());
    let bound = bound(state, &call.namespace, &request)?;
    let token = state.tokens.issue(&account, &audiences, bound, asked.now, granted);

    request["kind"] = "TokenRequest".into();
    request["apiVersion"] = "authentication.k8s.io/v1".into();
    request["metadata"] = json!({"name": account.name, "namespace": account.namespace,
        "uid": account.uid, "creationTimestamp": seconds(asked.now)});
    request["spec"]["audiences"] = audiences.into();
    request["spec"]["expirationSeconds"] = granted.into();
    let expires_at = end(asked.now, granted);
    request["status"] = json!({"token": token, "expirationTimestamp": seconds(expires_at)});
    Ok(Answer::json(201, request))
}

/// Of the kinds that an API server binds to, only a Secret is known here.
fn bound(state: &State, namespace: &str, request: &Value) -> Result<Option<Bound>, Refusal> {
    let asked = &request["spec"]["boundObjectRef"];
    let (Some(kind), Some(name)) = (asked["kind"].as_str(), asked["name"].as_str()) else {
        return Ok(None);
    };
    if (kind, asked["apiVersion"].as_str()) != ("Secret", Some("v1")) {
        let problem = format!("{asked}: the fake binds to Secrets of v1 only");
        let cause = Cause::Value(&problem);
        return Err(Refusal::invalid(KIND, "", "spec.boundObjectRef", cause));
    }
    let secrets = Resource::named("secrets");
    let held = state.store.get(&Key::new(secrets, namespace, name));
    let held = held.ok_or_else(|| Refusal::not_found(secrets, name))?;
    let uid = held["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    match asked["uid"].as_str().filter(|asked| !asked.is_empty() && *asked != uid) {
        Some(other) => {
            let why = format!(
                "the UID in the bound object reference ({other}) does not match the UID in record. \
                 The object might have been deleted and then recreated"
            );
            Err(Refusal::conflict("Secret", name, &why, json!({"name": name, "kind": "Secret"})))
        }
        None => Ok(Some(Bound { name: name.to_owned(), uid })),
    }
}

fn check_uid(request: &Value, name: &str, uid: &str) -> Result<(), Refusal> {
    match request["metadata"]["uid"].as_str() {
        Some(asked) if !asked.is_empty() && asked != uid => {
            let why = format!(
                "the UID in the token request ({asked}) does not match the UID of the service \
                 account ({uid})"
            );
            let details = json!({"name": name, "group": "authentication.k8s.io",
                "kind": "TokenRequest"});
            Err(Refusal::conflict(KIND, name, &why, details))
        }
        _ => Ok(()),
    }
}

fn lifetime_seconds(request: &Value) -> Result<i64, Refusal> {
    let asked = request["spec"]["expirationSeconds"].as_i64().unwrap_or(LIFETIME_DEFAULT_SECONDS);
    let problem = match asked {
        ..LIFETIME_MIN_SECONDS => "may not specify a duration less than 10 minutes",
        LIFETIME_MIN_SECONDS..=LIFETIME_MAX_SECONDS => return Ok(asked),
        _ => "may not specify a duration larger than 2^32 seconds",
    };
    let problem = format!("{asked}: {problem}");
    Err(Refusal::invalid(KIND, "", "spec.expirationSeconds", Cause::Value(&problem)))
}

fn audiences(request: &Value) -> Option<Vec<String>> {
    let list = request["spec"]["audiences"].as_array()?;
    let texts: Vec<String> = list.iter().filter_map(|a| a.as_str().map(str::to_owned)).collect();
    (!texts.is_empty()).then_some(texts)
}

fn end(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
