//! IssueToken: from a checked request to a checked token.
//!
//! TokenRequest goes first, because an account that is missing is rare. Only a 404 that is about
//! the account makes it and asks once more. Nothing is retried beyond that and the second
//! credential ([`attempt`](mod@crate::attempt)): whoever schedules renewals knows better when.

mod check;
mod deliver;
mod error;
mod proof;
mod request;
mod sync;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use perennial_core::{
    clock::Clock,
    failure::Failure as _,
    name::AccountRef,
    shoot::ShootId,
    token::{Claims, Token},
};
use perennial_kube::{Error as KubeError, shoot::is_account_missing, shoot_secrets::Which};
use perennial_process::crash;
use tokio::sync::Semaphore;

pub use self::{deliver::Goal, error::Error, request::Ask, sync::Sync};
use crate::{
    accounts::Accounts,
    attempt::{Failed, attempt},
    directory::{Candidate, Directory, Purpose, Ways},
    policy::Policy,
    probe::Probes,
    shoot::{Shoot, targets::Delivered},
    storm::{self, Storms, Ticket},
};

/// Longest time one IssueToken may take: with each credential a TokenRequest, an account and a
/// second TokenRequest, and a proof. Each call has 10 s of its own; a shoot that needs more than
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
    in_flight_max: usize,
    in_flight: Semaphore,
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
        let in_flight = Semaphore::new(in_flight_max);
        Self { directory, policy, probes, clock, storms, accounts, in_flight_max, in_flight }
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
                Err(Error::TimedOut { shoot, limit: LIMIT })
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
        let (candidate, (token, account_created)) = self.request(ask, &ways, &mut ticket).await?;
        crash::point("token-issuer.granted");
        self.directory.worked(shoot, &ways, candidate.which, self.clock.now());
        let verified = self.verify(&token, ask).await;
        let claims = verified.inspect_err(|error| ticket.dropped(error.reason()))?;
        if let Some(uid) = &claims.account_uid {
            let Ask { account, account_labels, .. } = ask;
            self.accounts.granted(shoot, account, uid, account_labels, account_created);
        }
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
    ) -> Result<(Candidate, (Token, bool)), Error> {
        let shoot = &ask.secret.namespace;
        let call = |candidate: Candidate| async move {
            request_token(candidate.client.as_ref(), ask).await
        };
        ticket.sent();
        let Some(outcome) = attempt(&ways.candidates, Purpose::Issue, call).await else {
            ticket.refused(); // there was nobody to ask
            let obstacle = ways.obstacle.clone();
            let (shoot, refused) = (shoot.clone(), false);
            return Err(Error::NoCredential { shoot, refused, obstacle });
        };
        match outcome {
            Ok((candidate, (token, created))) => {
                if ways.candidates.first().is_some_and(|first| first.which != candidate.which) {
                    self.probes.soon(shoot); // why, is what a look finds out
                }
                let claims = Claims::read(token.expose().as_bytes()).ok();
                ticket.granted(claims.as_ref().map(Claims::granted_seconds));
                Ok((candidate, (token, created)))
            }
            Err(cause) => {
                if !cause.may_have_worked() {
                    ticket.refused();
                }
                if cause.is_way_lost() {
                    self.probes.soon(shoot);
                }
                Err(self.refused(cause, shoot, &ask.account))
            }
        }
    }
}

impl Issuer {
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

/// Asks for a token; makes the account where that is what is missing. Says whether it was made.
async fn request_token(shoot: &dyn Shoot, ask: &Ask) -> Result<(Token, bool), KubeError> {
    let ask_once = || shoot.request_token(&ask.account, ask.lifetime_seconds, &ask.audiences);
    match ask_once().await {
        Ok(token) => Ok((token, false)),
        Err(error) if is_account_missing(&error) => {
            let created = shoot.apply_account(&ask.account, &ask.account_labels).await?;
            crash::point("token-issuer.account-created");
            ask_once().await.map(|token| (token, created))
        }
        Err(error) => Err(error),
    }
}
