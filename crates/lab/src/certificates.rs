//! The certificates for gRPC: written at the start, and renewed while the lab runs, the authority too.
//!
//! A new authority comes in an order that refuses nobody: everybody trusts both, then everybody has a
//! certificate of the new one, then the old one goes. Each step waits until every service that runs
//! has taken up the one before; its metric `…_certificate_expires_seconds` says so, because every
//! certificate that is written expires later than those before it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use perennial_core::clock::Clock as _;
use perennial_process::clock::SystemClock;
use rcgen::{ExtendedKeyUsagePurpose, SanType};

use crate::dir::LabDir;
use crate::http;
use crate::pki::{Authority, LAB_LIFE, Leaf, loopback};
use crate::poll::{Look, until};
use crate::process::control;
use crate::progress::say;
use crate::projected;
use crate::service::{REPLICAS_MAX, SERVICES, replica};

/// Who gets a certificate.
pub const IDENTITIES: [&str; 4] = ["token-issuer", "secret-writer", "scheduler", "operator"];

/// The name of every authority, old and new, as an issuer in a cluster keeps its name.
const AUTHORITY: &str = "perennial-lab gRPC";

/// Services look every 2 s; the rest is for a busy machine.
const TAKEN_UP_MAX: Duration = Duration::from_secs(30);

/// Writes the first certificates: `certs/` for people, and per service the folder for `--tls-dir`.
///
/// # Errors
/// No key could be made or a file not be written.
pub fn write_first(dir: &LabDir) -> Result<()> {
    let authority = Authority::new(AUTHORITY)?;
    authority.save(&dir.authority())?;
    write(LAB_LIFE, &authority.pem(), &authority, dir)
}

/// Renews all certificates of a running lab, with `new_ca` the authority too. When this returns every
/// service that runs has the new ones.
///
/// # Errors
/// A file cannot be written, or a service does not take them up; with the last state.
pub async fn renew(new_ca: bool, dir: &LabDir) -> Result<()> {
    let old = Authority::load(&dir.authority())?;
    if !new_ca {
        return roll_out(&old.pem(), &old, dir).await;
    }
    let new = Authority::new(AUTHORITY)?;
    let both = old.pem() + &new.pem();
    roll_out(&both, &old, dir).await.context("while the new authority is made known")?;
    new.save(&dir.authority())?;
    roll_out(&both, &new, dir).await.context("while the new authority signs for everybody")?;
    roll_out(&new.pem(), &new, dir).await.context("while the old authority is dropped")?;
    say("the old authority is trusted by nobody any more");
    Ok(())
}

/// New certificates by `authority` for everybody, who then trusts `bundle`.
async fn roll_out(bundle: &str, authority: &Authority, dir: &LabDir) -> Result<()> {
    let now = SystemClock.now().as_second();
    let life = i64::try_from(LAB_LIFE.as_secs()).context("30 days")?;
    let in_use = try_join_all(running(dir)?.into_iter().map(expires)).await?;
    let end = in_use.into_iter().map(|end| end + 1).fold(now + life, i64::max);
    write(Duration::from_secs(end.abs_diff(now)), bundle, authority, dir)?;
    try_join_all(running(dir)?.into_iter().map(|service| wait_taken_up(end, service))).await?;
    Ok(())
}

fn write(life: Duration, bundle: &str, authority: &Authority, dir: &LabDir) -> Result<()> {
    let mut for_people = vec![("ca.crt".to_owned(), bundle.to_owned())];
    for identity in IDENTITIES {
        let pair = authority.issue(leaf(identity, life)?)?;
        let files = [("tls.crt", &*pair.certificate), ("tls.key", &*pair.key), ("ca.crt", bundle)];
        let files = files.map(|(name, content)| (name.to_owned(), content.to_owned()));
        projected::write(&dir.tls(identity), &files)?;
        for_people.push((format!("{identity}.crt"), pair.certificate));
        for_people.push((format!("{identity}.key"), pair.key));
    }
    projected::write(&dir.certificates(), &for_people)
}

fn leaf(identity: &str, life: Duration) -> Result<Leaf<'_>> {
    let uri = format!("spiffe://cluster.local/ns/perennial-system/sa/{identity}");
    let mut names = loopback()?;
    names.push(SanType::URI(uri.try_into().context("the identity does not fit into a URI")?));
    Ok(Leaf {
        common_name: identity,
        organisation: None,
        names,
        usages: vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        life,
    })
}

/// A service that runs, and its admin port.
type Running = (String, SocketAddr);

/// One that is down reads the new files when it starts.
fn running(dir: &LabDir) -> Result<Vec<Running>> {
    let mut running = Vec::new();
    let replicas = SERVICES
        .iter()
        .flat_map(|service| (1..=REPLICAS_MAX).map(|number| replica(service, number)));
    for name in replicas {
        if control::pid(&name, dir)?.is_some() {
            let file = dir.admin_file(&name);
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("failed to read {}", file.display()))?;
            running.push((name, text.trim().parse().context("no address of an admin port")?));
        }
    }
    Ok(running)
}

async fn wait_taken_up(end: i64, service: Running) -> Result<()> {
    let name = service.0.clone();
    let look = async || {
        let in_use = expires(service.clone()).await?;
        let state = || format!("its certificate expires at {in_use}, the new one not before {end}");
        Ok(if in_use >= end { Look::Done(()) } else { Look::Waiting(state()) })
    };
    until(&format!("new certificate of {name}"), TAKEN_UP_MAX, look).await
}

/// When the certificate in use expires, unix seconds.
async fn expires((service, admin): Running) -> Result<i64> {
    let (status, metrics) = http::get("/metrics", admin).await?;
    anyhow::ensure!(status == 200, "{service}: /metrics answers {status}");
    let name = format!("perennial_{}_certificate_expires_seconds ", service.replace('-', "_"));
    let value = metrics.lines().find_map(|line| line.strip_prefix(&name));
    value.and_then(|value| value.parse().ok()).with_context(|| format!("{service} has no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identity_has_its_files_in_both_places() {
        let folder = tempfile::tempdir().unwrap();
        let dir = LabDir::create(folder.path()).unwrap();
        write_first(&dir).unwrap();

        for identity in IDENTITIES {
            let certificate = dir.certificates().join(format!("{identity}.crt"));
            let same = std::fs::read(dir.tls(identity).join("tls.crt")).unwrap();
            assert_eq!(std::fs::read(certificate).unwrap(), same);
            assert!(dir.tls(identity).join("ca.crt").is_file());
        }
    }

    #[tokio::test]
    async fn a_renewal_replaces_certificates_and_a_new_authority_the_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let dir = LabDir::create(folder.path()).unwrap();
        write_first(&dir).unwrap();
        let read = |file: &str| std::fs::read(dir.tls("scheduler").join(file)).unwrap();

        let first = (read("tls.crt"), read("ca.crt"));
        renew(false, &dir).await.unwrap();
        let second = (read("tls.crt"), read("ca.crt"));
        assert!(second.0 != first.0 && second.1 == first.1);
        renew(true, &dir).await.unwrap();
        assert!(read("tls.crt") != second.0 && read("ca.crt") != second.1);
    }
}
