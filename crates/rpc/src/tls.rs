//! Mutual TLS 1.3 from three PEM files that may change under us.
//!
//! A [`TlsStore`] holds what was read last and was good. Servers and clients ask it for a
//! configuration per connection, so a renewed certificate counts from the next connection on.
//! Files are read on a timer and compared by content: a mounted Secret is replaced by swapping a
//! symlink, which inode watchers miss.

mod files;
mod material;
mod metrics;
mod reload;
mod validity;
mod verify;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use clap::Args;
use jiff::Timestamp;
use rustls::{ClientConfig, ServerConfig};

use self::{files::Files, material::Material};
pub use self::{material::TlsError, reload::RELOAD_INTERVAL, verify::Expected};
use crate::identity::{Namespace, Role, SpiffeId, Trust, TrustDomain};

/// Flags for identity and TLS.
#[derive(Args, Clone, Debug)]
pub struct TlsArgs {
    /// Folder with tls.crt, tls.key and ca.crt (the keys of a cert-manager Secret); read again
    /// every 2 s
    #[arg(long, env = "PERENNIAL_TLS_DIR", default_value = "/etc/perennial/tls")]
    pub tls_dir: PathBuf,

    /// Trust domain of the SPIFFE URIs in the certificates
    #[arg(long, env = "PERENNIAL_TRUST_DOMAIN", default_value = "cluster.local")]
    pub trust_domain: TrustDomain,

    /// Namespace of the services in the SPIFFE URIs
    #[arg(long, env = "PERENNIAL_IDENTITY_NAMESPACE", default_value = "perennial-system")]
    pub identity_namespace: Namespace,
}

impl TlsArgs {
    /// Who has a role.
    #[must_use]
    pub fn trust(&self) -> Trust {
        Trust {
            trust_domain: self.trust_domain.clone(),
            namespace: self.identity_namespace.clone(),
        }
    }

    /// Opens the folder, which must hold the certificate of `role`: with another one every peer
    /// would refuse us, one call at a time. So they would with one that is not valid at `now`.
    ///
    /// # Errors
    ///
    /// As for [`TlsStore::open`], and when the certificate is of somebody else or not valid.
    pub fn open(&self, role: Role, now: Timestamp) -> Result<Arc<TlsStore>, TlsError> {
        let store = TlsStore::open(&self.tls_dir)?;
        store.check_time(now)?;
        let (is, should_be) = (store.identity(), self.trust().id(role));
        if is == should_be {
            Ok(store)
        } else {
            Err(TlsError::NotOurs { file: self.tls_dir.join("tls.crt"), is, should_be })
        }
    }
}

/// The certificate of this process and the authorities it trusts, always the last good ones.
#[derive(Debug)]
pub struct TlsStore {
    files: Files,
    held: ArcSwap<Material>,
    taken_up: AtomicU64,
    refused: AtomicU64,
}

/// What a look at the files brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// The content is the one already held.
    Unchanged,
    /// New content is held from now on.
    Swapped,
}

impl TlsStore {
    /// Reads `tls.crt`, `tls.key` and `ca.crt` of a folder.
    ///
    /// # Errors
    ///
    /// [`TlsError`], which names the file and what to do.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Arc<Self>, TlsError> {
        let folder = folder.into();
        Self::from_files(folder.join("tls.crt"), folder.join("tls.key"), folder.join("ca.crt"))
    }

    /// Reads three PEM files: the certificate with its intermediates, its key, the authorities.
    ///
    /// # Errors
    ///
    /// As for [`TlsStore::open`].
    pub fn from_files(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
        authorities: impl Into<PathBuf>,
    ) -> Result<Arc<Self>, TlsError> {
        let files = Files {
            certificate: certificate.into(),
            key: key.into(),
            authorities: authorities.into(),
        };
        let held = ArcSwap::from_pointee(Material::parse(&files.read()?, &files)?);
        let (taken_up, refused) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Arc::new(Self { files, held, taken_up, refused }))
    }

    /// Our own identity.
    #[must_use]
    pub fn identity(&self) -> SpiffeId {
        self.held.load().identity().clone()
    }

    /// When our own certificate expires.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.held.load().expires_at()
    }

    /// Looks at the files once, and holds their content if it is new and good.
    ///
    /// # Errors
    ///
    /// As for [`TlsStore::open`], and when the new certificate is of somebody else or not valid at
    /// `now`. What was held stays then.
    pub fn reload(&self, now: Timestamp) -> Result<Reload, TlsError> {
        let outcome = self.take_up(now);
        match outcome {
            Ok(Reload::Unchanged) => {}
            Ok(Reload::Swapped) => drop(self.taken_up.fetch_add(1, Ordering::Relaxed)),
            Err(_) => drop(self.refused.fetch_add(1, Ordering::Relaxed)),
        }
        outcome
    }

    fn take_up(&self, now: Timestamp) -> Result<Reload, TlsError> {
        let read = self.files.read()?;
        let held = self.held.load();
        if held.is_of(&read) {
            return Ok(Reload::Unchanged);
        }
        let new = Material::parse(&read, &self.files)?;
        if new.identity() != held.identity() {
            return Err(TlsError::IdentityChanged {
                file: self.files.certificate.clone(),
                was: held.identity().clone(),
                is: new.identity().clone(),
            });
        }
        new.check_time(now, &self.files)?;
        self.held.store(Arc::new(new));
        Ok(Reload::Swapped)
    }

    fn check_time(&self, now: Timestamp) -> Result<(), TlsError> {
        self.held.load().check_time(now, &self.files)
    }

    /// For one incoming connection: TLS 1.3, client certificate required, HTTP/2.
    #[must_use]
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.held.load().server_config()
    }

    /// For one outgoing connection: TLS 1.3, our certificate, and a server that is `expected` by
    /// its SPIFFE URI; DNS names do not count.
    ///
    /// # Errors
    ///
    /// [`TlsError::Rustls`] when rustls refuses the combination.
    pub fn client_config(
        &self,
        expected: impl Into<Expected>,
    ) -> Result<Arc<ClientConfig>, TlsError> {
        self.held.load().client_config(expected.into())
    }
}
