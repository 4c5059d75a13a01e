//! Who may call what: one table, and everything that is not in it is denied.

use std::{
    fmt,
    task::{Context, Poll},
};

use futures::future::{Either, Ready, ready};
use http::{Request, Response};
use tonic::Status;
use tower::{Layer, Service};
use tracing::warn;

use crate::{
    identity::{Role, SpiffeId, Trust},
    server::Connection,
};

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// These roles.
    Roles(&'static [Role]),
    /// Whoever has a certificate of the trust domain.
    TrustDomain,
}

use Callers::{Roles, TrustDomain};
use Role::{Operator, Scheduler, SecretWriter};

/// Every method there is, by its full path. A new method is denied to everybody until it stands
/// here.
pub const METHODS: &[(&str, Callers)] = &[
    ("/perennial.issuer.v1.TokenIssuer/IssueToken", Roles(&[SecretWriter])),
    ("/perennial.issuer.v1.TokenIssuer/IssueTokens", Roles(&[SecretWriter])),
    ("/perennial.issuer.v1.TokenIssuer/SyncShoot", Roles(&[SecretWriter])),
    ("/perennial.issuer.v1.TokenIssuer/RevokeGeneration", Roles(&[SecretWriter])),
    ("/perennial.issuer.v1.TokenIssuer/ObserveShoot", Roles(&[Scheduler])),
    ("/perennial.issuer.v1.TokenIssuer/ListShoots", Roles(&[Scheduler, Operator])),
    ("/perennial.issuer.v1.TokenIssuer/WatchShoots", Roles(&[Scheduler, SecretWriter, Operator])),
    ("/perennial.writer.v1.SecretWriter/RenewToken", Roles(&[Scheduler])),
    ("/perennial.writer.v1.SecretWriter/RenewTokens", Roles(&[Scheduler])),
    ("/perennial.writer.v1.SecretWriter/SyncSecret", Roles(&[Scheduler])),
    ("/perennial.writer.v1.SecretWriter/WatchAccessSecrets", Roles(&[Scheduler])),
    ("/perennial.writer.v1.SecretWriter/GetAccessSecret", Roles(&[Scheduler, Operator])),
    ("/perennial.writer.v1.SecretWriter/ListAccessSecrets", Roles(&[Scheduler, Operator])),
    ("/perennial.scheduler.v1.Scheduler/ExplainSchedule", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/GetSchedule", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/ListSchedules", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/WatchSchedules", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/RenewNow", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/Stop", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/Resume", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/Revoke", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/PauseShoot", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/ResumeShoot", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/Forecast", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/GetBudget", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/StartCampaign", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/GetCampaign", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/ListCampaigns", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/WatchCampaign", Roles(&[Operator])),
    ("/perennial.scheduler.v1.Scheduler/CancelCampaign", Roles(&[Operator])),
    ("/grpc.health.v1.Health/Check", TrustDomain),
    ("/grpc.health.v1.Health/Watch", TrustDomain),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Roles(&[Operator])),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Roles(&[Operator])),
];

/// The caller, verified. The layer puts it into the extensions of every request that it lets
/// through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who calls.
    pub id: SpiffeId,
    /// What it is to us, if anything.
    pub role: Option<Role>,
}

impl Peer {
    /// The caller of a request. `None` only where the request did not come through [`Authorize`].
    #[must_use]
    pub fn of<T>(request: &tonic::Request<T>) -> Option<&Self> {
        request.extensions().get()
    }
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The connection has no identity of ours.
    #[error("the client certificate has no SPIFFE identity")]
    Unknown,
    /// Somebody of another trust domain.
    #[error("{id} is not of this trust domain and may not call {method}")]
    Foreign {
        /// Who called.
        id: SpiffeId,
        /// What was called.
        method: String,
    },
    /// Not in the table.
    #[error("{id} may not call {method}: there is no such method")]
    NoSuchMethod {
        /// Who called.
        id: SpiffeId,
        /// What was called.
        method: String,
    },
    /// In the table, for others.
    #[error("{id} may not call {method}; callers: {}", List(callers))]
    NotYours {
        /// Who called.
        id: SpiffeId,
        /// What was called.
        method: &'static str,
        /// Who may call it.
        callers: &'static [Role],
    },
}

impl Refusal {
    fn status(&self) -> Status {
        match self {
            Self::Unknown => Status::unauthenticated(self.to_string()),
            Self::Foreign { .. } | Self::NoSuchMethod { .. } | Self::NotYours { .. } => {
                Status::permission_denied(self.to_string())
            }
        }
    }
}

struct List<'a>(&'a [Role]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|role| role.service_account()).collect();
        f.write_str(&names.join(", "))
    }
}

/// Decides whether `id` may call `method` (the full path).
///
/// # Errors
///
/// The refusal, with the text that the caller gets.
pub fn authorize(trust: &Trust, id: Option<&SpiffeId>, method: &str) -> Result<Peer, Refusal> {
    let id = id.cloned().ok_or(Refusal::Unknown)?;
    if !trust.includes(&id) {
        return Err(Refusal::Foreign { id, method: method.to_owned() });
    }
    let role = trust.role(&id);
    match METHODS.iter().find(|(path, _)| *path == method) {
        None => Err(Refusal::NoSuchMethod { id, method: method.to_owned() }),
        Some((_, TrustDomain)) => Ok(Peer { id, role }),
        Some((_, Roles(callers))) if role.is_some_and(|role| callers.contains(&role)) => {
            Ok(Peer { id, role })
        }
        Some((method, Roles(callers))) => Err(Refusal::NotYours { id, method, callers }),
    }
}

/// Tower layer that asks [`authorize`] before anything else sees the request.
#[derive(Clone, Debug)]
pub struct Authorize {
    trust: Trust,
}

impl Authorize {
    /// A layer for those of `trust`.
    #[must_use]
    pub const fn new(trust: Trust) -> Self {
        Self { trust }
    }
}

impl<S> Layer<S> for Authorize {
    type Service = Authorized<S>;

    fn layer(&self, inner: S) -> Authorized<S> {
        Authorized { inner, trust: self.trust.clone() }
    }
}

/// A service that only authorised requests reach.
#[derive(Clone, Debug)]
pub struct Authorized<S> {
    inner: S,
    trust: Trust,
}

impl<S, B, R> Service<Request<B>> for Authorized<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<Ready<Result<S::Response, S::Error>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let connection = request.extensions().get::<Connection>();
        let id = connection.and_then(|connection| connection.identity.as_ref());
        match authorize(&self.trust, id, request.uri().path()) {
            Ok(peer) => {
                request.extensions_mut().insert(peer);
                Either::Right(self.inner.call(request))
            }
            Err(refusal) => {
                let address = connection.map(|connection| connection.address);
                warn!(?address, "refused a call: {refusal}");
                Either::Left(ready(Ok(refusal.status().into_http())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Role::TokenIssuer;

    fn trust() -> Trust {
        Trust {
            trust_domain: "cluster.local".parse().unwrap(),
            namespace: "perennial-system".parse().unwrap(),
        }
    }

    fn callers(method: &str) -> Vec<Role> {
        let may = |role: &Role| authorize(&trust(), Some(&trust().id(*role)), method).is_ok();
        [TokenIssuer, SecretWriter, Scheduler, Operator].into_iter().filter(may).collect()
    }

    #[test]
    fn each_method_answers_its_callers_and_nobody_else() {
        let issuer = |method| callers(&format!("/perennial.issuer.v1.TokenIssuer/{method}"));
        assert_eq!(issuer("IssueToken"), [SecretWriter]);
        assert_eq!(issuer("WatchShoots"), [SecretWriter, Scheduler, Operator]);
        assert_eq!(issuer("ListShoots"), [Scheduler, Operator]);

        let writer = |method| callers(&format!("/perennial.writer.v1.SecretWriter/{method}"));
        assert_eq!(writer("RenewToken"), [Scheduler]);
        assert_eq!(writer("WatchAccessSecrets"), [Scheduler]);
        assert_eq!(writer("GetAccessSecret"), [Scheduler, Operator]);
        assert_eq!(writer("ListAccessSecrets"), [Scheduler, Operator]);

        let scheduler = |method| callers(&format!("/perennial.scheduler.v1.Scheduler/{method}"));
        for method in [
            "ListSchedules",
            "GetSchedule",
            "ExplainSchedule",
            "WatchSchedules",
            "RenewNow",
            "Stop",
            "Resume",
            "Revoke",
            "PauseShoot",
            "ResumeShoot",
            "Forecast",
        ] {
            assert_eq!(scheduler(method), [Operator], "{method}");
        }
    }

    #[test]
    fn health_answers_the_trust_domain_and_reflection_the_operator() {
        let id = |text: &str| text.parse::<SpiffeId>().unwrap();
        let check = |id: &SpiffeId| authorize(&trust(), Some(id), "/grpc.health.v1.Health/Check");

        assert!(check(&id("spiffe://cluster.local/ns/monitoring/sa/prober")).is_ok());
        assert!(check(&id("spiffe://other.local/ns/monitoring/sa/prober")).is_err());
        for version in ["v1", "v1alpha"] {
            let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
            assert_eq!(callers(&path), [Operator]);
        }
    }

    #[test]
    fn paths_that_only_resemble_a_method_are_denied() {
        for path in [
            "",
            "/",
            "/perennial.issuer.v1.TokenIssuer",
            "/perennial.issuer.v1.TokenIssuer/",
            "/perennial.issuer.v1.TokenIssuer/issuetoken",
            "/perennial.issuer.v1.TokenIssuer/IssueToken/",
            "//perennial.issuer.v1.TokenIssuer/IssueToken",
            "/perennial.issuer.v2.TokenIssuer/IssueToken",
        ] {
            assert_eq!(callers(path), [], "{path:?}");
        }
    }

    #[test]
    fn a_refusal_says_who_called_what_and_who_may() {
        let scheduler = trust().id(Scheduler);
        let method = "/perennial.issuer.v1.TokenIssuer/IssueToken";

        let refusal = authorize(&trust(), Some(&scheduler), method).unwrap_err();

        assert_eq!(
            refusal.to_string(),
            "spiffe://cluster.local/ns/perennial-system/sa/scheduler may not call \
             /perennial.issuer.v1.TokenIssuer/IssueToken; callers: secret-writer"
        );
        assert_eq!(refusal.status().code(), tonic::Code::PermissionDenied);
        let unknown = authorize(&trust(), None, method).unwrap_err();
        assert_eq!(unknown.status().code(), tonic::Code::Unauthenticated);
    }

    #[test]
    fn no_method_stands_in_the_table_twice() {
        let mut paths: Vec<_> = METHODS.iter().map(|(path, _)| path).collect();
        paths.sort();
        paths.dedup();

        assert_eq!(paths.len(), METHODS.len());
    }
}
