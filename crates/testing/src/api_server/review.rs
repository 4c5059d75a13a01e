//! TokenReview and SelfSubjectAccessReview.

use serde_json::{Value, json};

use super::{
    answer::Asked,
    refusal::{Answer, Refusal},
    state::State,
};

pub(super) fn token(state: &State, asked: Asked<'_>) -> Result<Answer, Refusal> {
    let mut review = asked.json()?;
    let token = review["spec"]["token"].as_str().unwrap_or_default();
    let asked_audiences = review["spec"]["audiences"].as_array().cloned();
    let audiences = asked_audiences.unwrap_or_else(|| own(&state.audiences));
    let shared = |held: &[String]| -> Vec<Value> {
        held.iter().map(|a| Value::from(a.as_str())).filter(|a| audiences.contains(a)).collect()
    };
    let living = state.tokens.living(token, asked.now);
    let common = living.map(|issued| shared(&issued.audiences)).unwrap_or_default();
    review["status"] = match state.account_of(token, asked.now) {
        Some(account) if !common.is_empty() => json!({
            "authenticated": true, "audiences": common,
            "user": {
                "username": format!("system:serviceaccount:{}:{}", account.namespace, account.name),
                "uid": account.uid,
            },
        }),
        _ => json!({"user": {}, "error": "invalid bearer token"}),
    };
    Ok(Answer::json(201, review))
}

pub(super) fn access(state: &State, asked: Asked<'_>) -> Result<Answer, Refusal> {
    let mut review = asked.json()?;
    review["status"] = json!({"allowed": state.reviews_allow});
    Ok(Answer::json(201, review))
}

fn own(audiences: &[String]) -> Vec<Value> {
    audiences.iter().map(|audience| audience.as_str().into()).collect()
}
