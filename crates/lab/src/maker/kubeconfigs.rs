//! The kubeconfigs that a maker keeps: of the admin as files, and in the two Secrets on the seed.
//!
//! Address and CA change; the credential in them is kept, whosever it is.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, Client};
use perennial_core::keys::DATA_KUBECONFIG;
use perennial_core::kubeconfig::{self, Connection, Inline};
use secrecy::ExposeSecret as _;

use super::{Tell, seed};
use crate::dir::{LabDir, write_private};
use crate::kubeconfig::{Credential, Endpoint};
use crate::pki::Pair;
use crate::poll::{Look, until};
use crate::progress::say;
use crate::proxied;
use crate::shoot::{self, ACCESS_SECRET, BOOTSTRAP_SECRET};

/// How long somebody else may write the same Secret again and again.
const CONFLICTS_MAX: Duration = Duration::from_secs(10);

/// A kubeconfig, read.
pub(super) struct Document {
    pub(super) endpoint: Endpoint,
    credential: Held,
}

/// The credential in it.
enum Held {
    None,
    Token(String),
    Pair(Pair),
}

impl Document {
    fn parse(text: &[u8]) -> Result<Self> {
        let Connection { server, ca_pem, tls_server_name, credential } =
            kubeconfig::connection(text)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).context("PEM is text");
        let ca = text(&ca_pem)?;
        let credential = match credential {
            Inline::None => Held::None,
            Inline::Token(token) => Held::Token(token.expose().to_owned()),
            Inline::Certificate { certificate_pem, key_pem } => {
                let certificate = text(&certificate_pem)?;
                Held::Pair(Pair { certificate, key: text(key_pem.expose_secret())? })
            }
        };
        Ok(Self { endpoint: Endpoint { url: server, ca, tls_server_name }, credential })
    }

    fn write(&self, name: &str) -> String {
        self.endpoint.kubeconfig(name, &self.credential())
    }

    fn credential(&self) -> Credential<'_> {
        match &self.credential {
            Held::None => Credential::None,
            Held::Token(token) => Credential::Token(token),
            Held::Pair(pair) => Credential::Certificate(pair),
        }
    }

    /// A client with what it says.
    pub(super) async fn client(&self) -> Result<Client> {
        self.endpoint.client(&self.credential()).await
    }
}

/// The kubeconfig in a file.
pub(super) fn read(path: &Path) -> Result<Document> {
    let text = std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    Document::parse(&text).with_context(|| path.display().to_string())
}

/// Changes address or CA in the kubeconfig of the admin of a shoot.
pub(super) fn change_admin(
    number: usize,
    change: impl Fn(&mut Endpoint),
    dir: &LabDir,
) -> Result<Document> {
    let name = proxied::name(number);
    let path = dir.kubeconfig(&name);
    let mut document = read(&path)?;
    change(&mut document.endpoint);
    write_private(&path, &document.write(&name))?;
    Ok(document)
}

/// Changes address or CA in the Secrets of a shoot, as far as they are to be told.
pub(super) async fn change_secrets(
    number: usize,
    change: impl Fn(&mut Endpoint),
    tell: Tell,
    dir: &LabDir,
) -> Result<()> {
    let names: &[&str] = match tell {
        Tell::All => &[BOOTSTRAP_SECRET, ACCESS_SECRET],
        Tell::Bootstrap => &[BOOTSTRAP_SECRET],
        Tell::None => &[],
    };
    let secrets = Api::namespaced(seed(dir).await?, &shoot::namespace(number));
    for name in names {
        let what = format!("{}/{name}", shoot::namespace(number));
        let look = async || change_secret(name, number, &change, &secrets).await;
        match until(&format!("write of {what}"), CONFLICTS_MAX, look).await? {
            true => say(format!("{what} says so")),
            false => say(format!("{what} is not there")),
        }
    }
    Ok(())
}

/// Says whether the Secret is there. The version is that of what was read, so that nobody's update
/// is lost; above all not a token that Perennial writes in this moment.
async fn change_secret(
    name: &str,
    number: usize,
    change: &impl Fn(&mut Endpoint),
    secrets: &Api<Secret>,
) -> Result<Look<bool>> {
    let Some(mut secret) = secrets.get_opt(name).await? else { return Ok(Look::Done(false)) };
    let data = secret.data.get_or_insert_default();
    let text = data.get(DATA_KUBECONFIG).with_context(|| format!("{name} has no kubeconfig"))?;
    let mut document = Document::parse(&text.0).with_context(|| format!("kubeconfig of {name}"))?;
    change(&mut document.endpoint);
    let text = document.write(&shoot::namespace(number));
    data.insert(DATA_KUBECONFIG.to_owned(), ByteString(text.into_bytes()));
    match secrets.replace(name, &PostParams::default(), &secret).await {
        Ok(_) => Ok(Look::Done(true)),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(Look::Waiting(status.message)),
        Err(error) => Err(error).with_context(|| format!("failed to write {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_keeps_its_credential_when_its_address_and_ca_change() {
        let ca = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n";
        let endpoint =
            Endpoint { url: "https://here:1".to_owned(), ca: ca.to_owned(), tls_server_name: None };
        let both = Credential::Token("abc");
        for credential in [Credential::None, both] {
            let text = endpoint.kubeconfig("x", &credential);
            let mut document = Document::parse(text.as_bytes()).unwrap();
            assert_eq!(document.write("x"), text);
            document.endpoint.url = "https://elsewhere:2".to_owned();
            let moved = text.replace("https://here:1", "https://elsewhere:2");
            assert_eq!(document.write("x"), moved);
        }
    }
}
