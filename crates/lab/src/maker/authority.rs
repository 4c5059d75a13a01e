//! Another CA signs the serving certificate. An API server takes a new certificate up while it
//! runs, and connections that are open stay open, so this can go on under them.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{Real, Tell, kubeconfigs, pem, ready};
use crate::apiserver::{self, CA_BUNDLE, write_serving};
use crate::dir::{LabDir, write_private};
use crate::kubeconfig::Endpoint;
use crate::pki::Authority;
use crate::poll::until;
use crate::progress::say;

/// An API server hears of a changed file at once, and looks once a minute where it did not.
const TAKEN_UP_MAX: Duration = Duration::from_secs(90);

/// The API server gets a serving certificate of a new CA. First everybody is told to trust both, then
/// the certificate is exchanged; with `drop_old` the new CA alone is trusted in the end.
///
/// With `drop_old` while two are trusted, the CA that signs stays: that ends a rotation which was
/// begun without. With `drop_old` alone all is done at once, and who still trusts the old CA is cut off.
///
/// # Errors
/// There is no such shoot, its API server does not take the certificate up, or the seed does not answer.
pub async fn rotate_ca(number: usize, drop_old: bool, tell: Tell, dir: &LabDir) -> Result<()> {
    let shoot = Real::find(number, dir)?;
    let folder = dir.cluster(&shoot.name);
    let trusted = pem::read(&folder.join(CA_BUNDLE))?;
    let ends_a_rotation = drop_old && trusted.len() > 1;
    let new = if ends_a_rotation {
        trusted[0].clone()
    } else {
        let authority = Authority::new(apiserver::AUTHORITY)?;
        let both = format!("{}{}", authority.pem(), trusted.concat());
        if !drop_old {
            publish(&shoot, &both, tell, dir).await?;
        }
        write_serving(&authority, &folder)?;
        wait_taken_up(&shoot, &authority.pem(), dir).await?;
        say(format!("shoot {number} has a serving certificate of a new CA"));
        authority.pem()
    };
    if drop_old {
        publish(&shoot, &new, tell, dir).await?;
    }
    say(match drop_old {
        true => "the new CA alone is trusted".to_owned(),
        false => format!("old and new CA are trusted; shoot {number} rotate-ca --drop-old ends it"),
    });
    Ok(())
}

/// Has the kubeconfigs of all shoots of this API server trust `bundle`.
async fn publish(shoot: &Real, bundle: &str, tell: Tell, dir: &LabDir) -> Result<()> {
    write_private(&dir.cluster(&shoot.name).join(CA_BUNDLE), bundle)?;
    let change = |endpoint: &mut Endpoint| bundle.clone_into(&mut endpoint.ca);
    for number in shoot.shared_by(dir)? {
        kubeconfigs::change_admin(number, change, dir)?;
        kubeconfigs::change_secrets(number, change, tell, dir).await?;
    }
    Ok(())
}

/// Waits until somebody who trusts only `ca` is served.
async fn wait_taken_up(shoot: &Real, ca: &str, dir: &LabDir) -> Result<()> {
    let look = async || {
        // Anew each time: a connection that is open has the certificate of its begin.
        let mut document = kubeconfigs::read(&dir.kubeconfig(&shoot.name))?;
        ca.clone_into(&mut document.endpoint.ca);
        Ok(ready(&document.client().await?).await)
    };
    until(&format!("new certificate of {}", shoot.process), TAKEN_UP_MAX, look)
        .await
        .with_context(|| dir.log_tail(&shoot.process))
}
