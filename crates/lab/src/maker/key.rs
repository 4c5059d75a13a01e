//! Another key signs the tokens of ServiceAccounts. An API server reads its keys at its start, so
//! it is started anew, as the control plane of a shoot is rolled.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use kube::Client;
use serde_json::Value;

use super::{Real, kubeconfigs, pem, ready};
use crate::apiserver::{ACCEPTED_KEYS, SIGNING_KEY};
use crate::dir::{LabDir, write_private};
use crate::pki;
use crate::poll::{Look, until};
use crate::process::control;
use crate::progress::say;

/// An API server is there again within three seconds on an idle machine; this is for a busy one.
const BACK_MAX: Duration = Duration::from_secs(120);

/// A new key signs. The old ones are accepted as before; with `drop_old` they leave the key set,
/// and every token that they signed is refused.
///
/// With `drop_old` while an old key is still accepted, the key that signs stays: that ends a rotation which
/// was begun without.
///
/// # Errors
/// There is no such shoot, or its API server does not come back with these keys; with the last state.
pub async fn rotate_key(number: usize, drop_old: bool, dir: &LabDir) -> Result<()> {
    let shoot = Real::find(number, dir)?;
    let folder = dir.cluster(&shoot.name);
    let keys = next_keys(pem::read(&folder.join(ACCEPTED_KEYS))?, drop_old)?;
    write(&keys, &folder)?;
    control::restart(&shoot.process, dir).await?;
    let ids = keys.iter().map(|key| pki::key_id(key)).collect::<Result<Vec<_>>>()?;
    let admin = kubeconfigs::read(&dir.kubeconfig(&shoot.name))?.client().await?;
    let what = format!("key set of shoot {number}");
    until(&what, BACK_MAX, async || Ok(look(&ids, &admin).await))
        .await
        .with_context(|| dir.log_tail(&shoot.process))?;
    let (signing, accepted) = ids.split_first().context("one key signs")?;
    say(match accepted {
        [] => format!("shoot {number} signs with {signing} and accepts no other key"),
        _ => {
            format!("shoot {number} signs with {signing} and still accepts {}", accepted.join(", "))
        }
    });
    Ok(())
}

/// The one that signs comes first.
fn next_keys(accepted: Vec<String>, drop_old: bool) -> Result<Vec<String>> {
    let under_way = accepted.len() > 1;
    Ok(match (drop_old, under_way) {
        (true, true) => accepted.into_iter().take(1).collect(),
        (true, false) => vec![pki::signing_key()?],
        (false, _) => [vec![pki::signing_key()?], accepted].concat(),
    })
}

fn write(keys: &[String], folder: &Path) -> Result<()> {
    write_private(&folder.join(SIGNING_KEY), &keys[0])?;
    write_private(&folder.join(ACCEPTED_KEYS), &keys.concat())
}

/// Whether it is ready, and its key set has these keys and no others.
async fn look(ids: &[String], admin: &Client) -> Look<()> {
    if let Look::Waiting(state) = ready(admin).await {
        return Look::Waiting(state);
    }
    let wanted: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    match key_set(admin).await {
        Ok(published) => {
            let published: BTreeSet<&str> = published.iter().map(String::as_str).collect();
            if published == wanted {
                Look::Done(())
            } else {
                Look::Waiting(format!("{published:?}, and {wanted:?} is wanted"))
            }
        }
        Err(error) => Look::Waiting(format!("{error:#}")),
    }
}

async fn key_set(admin: &Client) -> Result<Vec<String>> {
    let request = ::http::Request::get("/openid/v1/jwks").body(Vec::new())?;
    let text = admin.request_text(request).await?;
    let set: Value = serde_json::from_str(&text).context("the key set is no JSON")?;
    let keys = set["keys"].as_array().context("the key set has no keys")?;
    Ok(keys.iter().filter_map(|key| key["kid"].as_str().map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_adds_a_key_and_its_end_drops_the_old_ones_only() {
        let one = pki::signing_key().unwrap();
        let two = next_keys(vec![one.clone()], false).unwrap();
        assert_eq!(two.len(), 2);
        assert_eq!(two[1], one);
        let ended = next_keys(two.clone(), true).unwrap();
        assert_eq!(ended, two[..1]);

        let hard = next_keys(ended.clone(), true).unwrap();
        assert!(hard.len() == 1 && hard != ended, "at once, where none was under way");
    }
}
