//! What the demo claims, checked at the API servers.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;

use super::components::{SHOOTS, access_secrets};
use super::ledger::Key;
use super::stage::Stage;
use crate::access_secret;
use crate::kubeconfig::Credential;
use crate::lab::Lab;
use crate::shoot;

/// A Secret gets its first token sooner than this, in seconds.
const FIRST_TOKEN_MAX: f64 = 2.0;

/// Where the counting begins.
pub(super) struct Baseline {
    /// TokenRequests each shoot had granted.
    pub(super) granted: BTreeMap<usize, u64>,
    /// Tokens each Secret had had.
    pub(super) tokens: BTreeMap<Key, usize>,
}

/// Checks every claim and says each; whether all hold.
pub(super) async fn all(
    lab: &Lab,
    stage: &mut Stage,
    baseline: &Baseline,
    at_removal: &BTreeMap<Key, usize>,
    longest_wait: f64,
) -> Result<bool> {
    let mut verdicts = vec![
        first_tokens(longest_wait),
        authentication(lab).await?,
        life_without_bootstrap(lab, stage, at_removal).await?,
        nothing_bad_seen(stage),
    ];
    for number in SHOOTS {
        verdicts.push(counts(lab, stage, baseline, number).await?);
    }
    for verdict in &verdicts {
        let mark = if verdict.holds { "ok    " } else { "FAILED" };
        stage.say(&format!("     {mark}  {}", verdict.claim))?;
    }
    Ok(verdicts.iter().all(|verdict| verdict.holds))
}

struct Verdict {
    holds: bool,
    claim: String,
}

fn first_tokens(longest: f64) -> Verdict {
    Verdict {
        holds: longest < FIRST_TOKEN_MAX,
        claim: format!("the last first token was there after {longest:.2} s"),
    }
}

/// Every token is used, at the API server it is for.
async fn authentication(lab: &Lab) -> Result<Verdict> {
    let mut right = 0;
    let mut wrong = Vec::new();
    for number in SHOOTS {
        let namespace = shoot::namespace(number);
        let secrets: Api<Secret> = Api::namespaced(lab.seed().client(), &namespace);
        for (_, name) in access_secrets().into_iter().filter(|(of, _)| *of == namespace) {
            let secret = secrets.get(&name).await?;
            let user = user_of(lab, number, &secret).await;
            let account = name.trim_start_matches("shoot-access-");
            let expected = format!("system:serviceaccount:kube-system:{account}");
            match user {
                Ok(user) if user == expected => right += 1,
                Ok(user) => wrong.push(format!("{namespace}/{name} is {user}")),
                Err(error) => wrong.push(format!("{namespace}/{name}: {error:#}")),
            }
        }
    }
    let all = access_secrets().len();
    Ok(Verdict {
        holds: right == all,
        claim: format!(
            "{right} of {all} tokens authenticate as their account{}",
            after_colon(&wrong)
        ),
    })
}

/// What speaks against a claim, behind it.
fn after_colon(faults: &[String]) -> String {
    if faults.is_empty() { String::new() } else { format!(": {}", faults.join("; ")) }
}

async fn user_of(lab: &Lab, number: usize, secret: &Secret) -> Result<String> {
    let token = access_secret::token(secret).context("no token")?;
    let client = lab.shoot(number).client_with(&Credential::Token(&token)).await?;
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    review.status.and_then(|status| status.user_info?.username).context("no answer")
}

async fn life_without_bootstrap(
    lab: &Lab,
    stage: &Stage,
    at_removal: &BTreeMap<Key, usize>,
) -> Result<Verdict> {
    let mut holds = true;
    let mut renewals = Vec::new();
    for number in SHOOTS {
        let namespace = shoot::namespace(number);
        let secrets: Api<Secret> = Api::namespaced(lab.seed().client(), &namespace);
        holds &= secrets.get_opt(shoot::BOOTSTRAP_SECRET).await?.is_none();
        let own: Key = (namespace, shoot::ACCESS_SECRET.to_owned());
        let later = stage.ledger.count(&own) - at_removal.get(&own).copied().unwrap_or(0);
        holds &= later > 0;
        renewals.push(later.to_string());
    }
    Ok(Verdict {
        holds,
        claim: format!(
            "without the bootstrap credentials the own ones were renewed {} times",
            renewals.join(" and ")
        ),
    })
}

fn nothing_bad_seen(stage: &Stage) -> Verdict {
    let faults = stage.ledger.faults();
    let looks = stage.ledger.looks();
    Verdict {
        holds: faults.is_empty(),
        claim: format!(
            "in {looks} states of Secrets no token was missing, expired or before its time{}",
            after_colon(&faults)
        ),
    }
}

async fn counts(lab: &Lab, stage: &Stage, baseline: &Baseline, number: usize) -> Result<Verdict> {
    let counts = lab.shoot(number).request_counts().await?;
    let before = baseline.granted.get(&number).copied().unwrap_or(0);
    let granted = counts.tokens_granted() - before;
    let renewals = stage.ledger.issued_in(&shoot::namespace(number), &baseline.tokens);
    let reviews = counts.token_reviews();
    Ok(Verdict {
        holds: granted == renewals as u64 && reviews == 0,
        claim: format!(
            "shoot {number} counted {granted} granted TokenRequests and {reviews} TokenReviews \
             for {renewals} renewals that fell due"
        ),
    })
}
