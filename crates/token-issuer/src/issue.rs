//! IssueToken: from a checked request to a checked token.
//!
//! TokenRequest goes first, because an account that is missing is rare. Only a 404 that is about
//! the account, or the generation that the token is bound to ([`bind`]), makes it and asks once more. Nothing is retried beyond that and the second
//! credential ([`attempt`](mod@crate::attempt)): whoever schedules renewals knows better when.

mod bind;
mod check;
mod deliver;
mod error;
mod kept;
mod proof;
mod request;
mod revoke;
mod sync;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use perennial_core::{
    clock::Clock,
    failure::Failure as _,
    generation::Generation,
    name::AccountRef,
    shoot::ShootId,
    token::{Claims, Token},
};
use perennial_kube::{Error as KubeError, shoot_secrets::Which};
use perennial_process::crash;
use tokio::sync::Semaphore;

pub use self::{
    bind::Binding,
    deliver::Goal,
    error::Error,
    request::Ask,
    revoke::{REVOKE_LIMIT, Revoke, Revoked},
    sync::Sync,
};
use self::{
    bind::{Chosen, Granted, request_token},
    kept::Kept,
    revoke::REVOKES_MAX,
};
use crate::{
    accounts::Accounts,
    attempt::{Failed, attempt},
    directory::{Candidate, Directory, Purpose, Ways},
    generations::Generations,
    policy::Policy,
    probe::Probes,
    shoot::targets::Delivered,
    storm::{self, Storms, Ticket},
};

/// Longest time one IssueToken may take: with each credential a TokenRequest, an account, a
/// generation and two more TokenRequests, and a proof. Each call has 10 s of its own; a shoot that needs more than
/// this for all of them is not well. A caller's own deadline should be a little longer.
pub const LIMIT: Duration = Duration::from_secs(25);
const _: () = assert!(LIMIT.as_secs() > 2 * perennial_kube::call::LIMIT.as_secs());

/// A token and what belongs to it.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token, or where it is.
    pub given: Given,
    /// CA certificates of the shoot, PEM.
    pub ca_pem: Vec<u8>,
    /// Whether the ServiceAccount had to be made.
    pub account_created: bool,
    /// The credential it was asked for with.
    pub credential: Which,
}

impl IssuedToken {
    /// The token, where it is handed out.
    #[must_use]
    pub const fn token(&self) -> Option<&Token> {
        match &self.given {
            Given::Token(token) => Some(token),
            Given::Delivered(_) => None,
        }
    }
}

/// What a caller gets.
#[derive(Debug)]
pub enum Given {
    /// The token.
    Token(Token),
    /// It stands in the target.
    Delivered(Delivered),
}

/// Issues tokens, so many at once.
#[derive(Debug)]
pub struct Issuer {
    /// The shoots.
    pub directory: Arc<Directory>,
    /// What is refused whoever asks.
    pub policy: Policy,
    /// Told when a shoot should be looked at.
    pub probes: Arc<Probes>,
    /// Our clock.
    pub clock: Arc<dyn Clock>,
    /// What each Secret got lately.
    pub storms: Storms,
    /// What is known of the accounts that are observed.
    pub accounts: Arc<Accounts>,
    /// What is known of the generations that are observed.
    pub generations: Arc<Generations>,
    kept: Kept,
    in_flight_max: usize,
    in_flight: Semaphore,
    revokes: Semaphore,
}

/// Bounds of what is issued.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `--issues-in-flight-max`
    pub in_flight_max: usize,
    /// For one Secret, and one shoot.
    pub storm: storm::Limits,
}

impl Issuer {
    /// An issuer that has requests under way up to its limits.
    #[must_use]
    pub fn new(
        directory: Arc<Directory>,
        policy: Policy,
        probes: Arc<Probes>,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Self {
        let Limits { in_flight_max, storm } = limits;
        let storms = Storms::new(Arc::clone(&clock), storm);
        let accounts = Arc::new(Accounts::new(Arc::clone(&clock)));
        let generations = Arc::new(Generations::new(Arc::clone(&clock)));
        let (in_flight, revokes) = (Semaphore::new(in_flight_max), Semaphore::new(REVOKES_MAX));
        Self {
            directory,
            policy,
            probes,
            clock,
            storms,
            accounts,
            generations,
            kept: Kept::default(),
            in_flight_max,
            in_flight,
            revokes,
        }
    }

    /// How many are under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight_max - self.in_flight.available_permits()
    }

    /// Issues a token within 25 s.
    ///
    /// # Errors
    /// Why there is none; no token is passed on then.
    pub async fn issue(&self, ask: &Ask) -> Result<IssuedToken, Error> {
        self.policy.admit(ask)?;
        let _permit =
            self.in_flight.try_acquire().map_err(|_| Error::Busy { max: self.in_flight_max })?;
        match tokio::time::timeout(LIMIT, self.issue_at_shoot(ask)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let shoot = ask.secret.namespace.clone();
                self.probes.soon(&shoot);
                Err(Error::TimedOut { shoot, what: "issue a token", limit: LIMIT })
            }
        }
    }

    async fn issue_at_shoot(&self, ask: &Ask) -> Result<IssuedToken, Error> {
        let shoot = &ask.secret.namespace;
        let ways = self.ways(shoot)?;
        self.accounts_alive(shoot, &ask.account)?;
        let mut ticket = self.storms.admit(&ask.secret, ask.lifetime_seconds)?;
        crash::point("token-issuer.admitted");
        let found = self.check_target(ask, &ways).await?;
        let (candidate, granted) = self.request(ask, &ways, &mut ticket).await?;
        let Granted { token, account_created, bound } = granted;
        crash::point("token-issuer.granted");
        self.directory.worked(shoot, &ways, candidate.which, self.clock.now());
        let verified = self.verify(&token, ask).await;
        let claims = verified.inspect_err(|error| ticket.dropped(error.reason()))?;
        if let Some(uid) = &claims.account_uid {
            let Ask { account, account_labels, .. } = ask;
            self.accounts.granted(shoot, account, uid, account_labels, account_created);
        }
        self.remember(ask, bound, &token, &claims);
        let given = match &ask.goal {
            None => Given::Token(token),
            Some(goal) => {
                let delivered = self.deliver(ask, goal, &candidate, token, found).await;
                Given::Delivered(delivered.inspect_err(|error| ticket.dropped(error.reason()))?)
            }
        };
        crash::point("token-issuer.delivered");
        let ca_pem = candidate.endpoint.ca_pem().to_vec();
        Ok(IssuedToken { given, ca_pem, account_created, credential: candidate.which })
    }

    /// What came back is what was asked for; and where it is for ourselves, it works.
    async fn verify(&self, token: &Token, ask: &Ask) -> Result<Claims, Error> {
        let shoot = &ask.secret.namespace;
        let claims = check::check(token, ask)
            .map_err(|cause| Error::Mismatch { shoot: shoot.clone(), cause })?;
        if self.policy.is_own(&ask.secret) {
            proof::prove(token, shoot, &self.directory)
                .await
                .map_err(|cause| Error::Proof { shoot: shoot.clone(), cause })?;
        }
        Ok(claims)
    }

    /// What a token is bound to is there; and the token can tell when it no longer is.
    fn remember(&self, ask: &Ask, bound: Option<Chosen>, token: &Token, claims: &Claims) {
        let (Some(chosen), Some(bound)) = (bound, &claims.bound) else { return };
        let (family, shoot) = (ask.family(), &ask.secret.namespace);
        let Chosen { number, grace } = chosen;
        let generation = Generation { number, uid: bound.uid.as_str().into(), grace, made: None };
        self.generations.granted(shoot, &family, generation);
        self.kept.issued(&ask.secret, number, token, claims, self.clock.now());
    }

    /// A shoot goes on issuing tokens for an account that is being deleted, and refuses them (B12).
    fn accounts_alive(&self, shoot: &ShootId, account: &AccountRef) -> Result<(), Error> {
        match self.accounts.is_terminating(shoot, account) {
            true => {
                let (shoot, account) = (shoot.clone(), account.clone());
                Err(Error::AccountTerminating { shoot, account })
            }
            false => Ok(()),
        }
    }

    fn ways(&self, shoot: &ShootId) -> Result<Ways, Error> {
        if self.directory.is_hibernated(shoot) {
            return Err(Error::Hibernated { shoot: shoot.clone() });
        }
        let ways = self.directory.ways(shoot, Purpose::Issue);
        ways.ok_or_else(|| match self.directory.is_complete() {
            false => Error::Starting,
            true => Error::ShootUnknown {
                shoot: shoot.clone(),
                secret: self.directory.names().own.to_string(),
                bootstrap: self.directory.names().bootstrap.to_string(),
            },
        })
    }

    async fn request(
        &self,
        ask: &Ask,
        ways: &Ways,
        ticket: &mut Ticket<'_>,
    ) -> Result<(Candidate, Granted), Error> {
        let shoot = &ask.secret.namespace;
        let looks_first = ask.binding.is_some_and(|binding| {
            binding.is_doubtful()
                || self.generations.lacks(shoot, &ask.family(), binding.generation)
        });
        let call = |candidate: Candidate| async move {
            request_token(candidate.client.as_ref(), ask, looks_first).await
        };
        ticket.sent();
        let Some(outcome) = attempt(&ways.candidates, Purpose::Issue, call).await else {
            ticket.refused(); // there was nobody to ask
            let obstacle = ways.obstacle.clone();
            let (shoot, refused) = (shoot.clone(), false);
            return Err(Error::NoCredential { shoot, refused, obstacle });
        };
        match outcome {
            Ok((candidate, granted)) => {
                if ways.candidates.first().is_some_and(|first| first.which != candidate.which) {
                    self.probes.soon(shoot); // why, is what a look finds out
                }
                let claims = Claims::read(granted.token.expose().as_bytes()).ok();
                ticket.granted(claims.as_ref().map(Claims::granted_seconds));
                Ok((candidate, granted))
            }
            Err(cause) => {
                if !cause.may_have_worked() {
                    ticket.refused();
                }
                if cause.is_way_lost() {
                    self.probes.soon(shoot);
                }
                Err(self.generation_lost(cause, shoot, &ask.account))
            }
        }
    }
}

impl Issuer {
    /// What goes wrong with generations is about Secrets of the shoot.
    fn generation_lost(&self, cause: Failed, shoot: &ShootId, account: &AccountRef) -> Error {
        let about_secrets = |about: &Option<String>| about.as_deref() == Some("secrets");
        match cause.decisive() {
            KubeError::Refused { code: 404 | 409, about, .. } if about_secrets(about) => {
                let (shoot, cause) = (shoot.clone(), cause.to_string());
                Error::GenerationContended { shoot, cause }
            }
            KubeError::Refused { code: 403, about, .. } if about_secrets(about) => {
                let namespace = account.namespace.clone();
                Error::GenerationsForbidden {
                    shoot: shoot.clone(),
                    namespace,
                    cause: Box::new(cause),
                }
            }
            _ => self.refused(cause, shoot, account),
        }
    }

    fn refused(&self, cause: Failed, shoot: &ShootId, account: &AccountRef) -> Error {
        let shoot = shoot.clone();
        match cause.decisive() {
            KubeError::Refused { code: 404, about: Some(kind), .. } if kind == "namespaces" => {
                let (account, namespace) = (account.clone(), account.namespace.clone());
                Error::NamespaceMissing { shoot, namespace, account }
            }
            _ if cause.is_unauthorized() => {
                let bootstrap = &self.directory.names().bootstrap;
                let obstacle =
                    format!("{cause}; put a kubeconfig with a valid credential into {bootstrap}");
                Error::NoCredential { shoot, refused: true, obstacle }
            }
            _ => Error::Shoot { shoot, cause: Box::new(cause) },
        }
    }
}
