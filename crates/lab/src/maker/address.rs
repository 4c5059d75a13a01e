//! The API server moves to another address. One of its own listens there after a restart and is
//! gone from the old one; a proxy takes new connections there, and those of the old address live on
//! until somebody ends them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Real, Tell, kubeconfigs, ready};
use crate::dir::{LabDir, write_private};
use crate::kubeconfig::Endpoint;
use crate::pki::{HOMES, home};
use crate::poll::until;
use crate::process::control;
use crate::progress::say;
use crate::{proxied, proxy};

/// An API server is there again within three seconds on an idle machine; this is for a busy one.
const BACK_MAX: Duration = Duration::from_secs(120);

/// The shoot moves to another loopback address, under the same port; returns its URL. After so many
/// moves as there are addresses ([`HOMES`]) it is where it was first.
///
/// # Errors
/// There is no such shoot, others share its API server, it does not come back, or the seed does not
/// answer.
pub async fn move_to_new_address(number: usize, tell: Tell, dir: &LabDir) -> Result<String> {
    let name = proxied::name(number);
    let path = dir.kubeconfig(&name);
    ensure!(path.exists(), "this lab has no shoot {number}");
    let old = address_of(&kubeconfigs::read(&path)?.endpoint)?;
    let new = if proxy::control::exists(&name, dir) {
        let new = proxy::moved(old);
        proxy::control::move_to(new, &name, dir).await?;
        new
    } else {
        let shoot = Real::find(number, dir)?;
        let carried = shoot.shared_by(dir)?.len() > 1;
        ensure!(!carried, "shoot 1 carries the proxied shoots; move one of those instead");
        let new = next_home(old);
        bind(&shoot, new, dir).await?;
        new
    };
    let url = format!("https://{new}");
    let change = |endpoint: &mut Endpoint| endpoint.url.clone_from(&url);
    let admin = kubeconfigs::change_admin(number, change, dir)?.client().await?;
    let look = async || Ok(ready(&admin).await);
    until(&format!("answer of shoot {number} at {url}"), BACK_MAX, look).await?;
    say(format!("shoot {number} moved from https://{old} to {url}"));
    kubeconfigs::change_secrets(number, change, tell, dir).await?;
    Ok(url)
}

fn address_of(endpoint: &Endpoint) -> Result<SocketAddr> {
    let address = endpoint.url.strip_prefix("https://").and_then(|text| text.parse().ok());
    address.with_context(|| format!("{} is no address of a lab", endpoint.url))
}

/// The next address that the serving certificates are valid for.
fn next_home(old: SocketAddr) -> SocketAddr {
    let at = (0..HOMES).find(|index| old.ip() == home(*index)).unwrap_or_default();
    let next: Ipv4Addr = home((at + 1) % HOMES);
    SocketAddr::from((next, old.port()))
}

/// Starts the API server anew, bound to that address.
async fn bind(shoot: &Real, address: SocketAddr, dir: &LabDir) -> Result<()> {
    let flag = format!("--bind-address={}\n", address.ip());
    write_private(&dir.flags_file(&shoot.process), &flag)?;
    control::restart(&shoot.process, dir).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shoot_moves_on_and_comes_home() {
        let first = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let mut at = first;
        for _ in 1..HOMES {
            at = next_home(at);
            assert!(at != first && at.ip().is_loopback() && at.port() == 1, "{at}");
        }
        assert_eq!(next_home(at), first);
    }
}
