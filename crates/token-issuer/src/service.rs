//! The gRPC service: messages in, messages out, one log line for each token.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream::BoxStream};
use perennial_core::failure::{self, Failure as _};
use perennial_process::supervise::Shutdown;
use perennial_proto::issuer::v1::{
    IssueTokenRequest, IssueTokenResponse, IssueTokensRequest, IssueTokensResponse,
    ListShootsRequest, ListShootsResponse, ObserveShootRequest, ObserveShootResponse,
    RevokeGenerationRequest, RevokeGenerationResponse, SyncShootRequest, SyncShootResponse,
    WatchShootsRequest, WatchShootsResponse, token_issuer_server::TokenIssuer,
};
use perennial_rpc::{
    convert,
    pipeline::{self, IssueTokens},
    status::to_status,
    trace,
};
use tonic::{Request, Response, Status, Streaming};
use tracing::{debug, info, warn};

use crate::{
    issue::{Ask, Error, Given, IssuedToken, Issuer, Revoke, Revoked, Sync},
    metrics::Metrics,
    observe::{self, Observe},
    shoot::targets::Delivered,
    targets::Targets,
    watch::{Filter, Watches},
};

/// The service. It decides nothing. Clones share everything.
#[derive(Clone, Debug)]
pub struct Service {
    issuer: Arc<Issuer>,
    watches: Watches,
    targets: Arc<Targets>,
    metrics: Metrics,
    shutdown: Shutdown,
}

impl Service {
    /// A service whose streams end at shutdown.
    #[must_use]
    pub fn new(
        issuer: Arc<Issuer>,
        targets: Arc<Targets>,
        metrics: Metrics,
        shutdown: Shutdown,
    ) -> Self {
        let watches = Watches::new(
            Arc::clone(&issuer.directory),
            Arc::clone(&issuer.accounts),
            Arc::clone(&issuer.generations),
            Arc::clone(&targets),
            Arc::clone(&issuer.clock),
        );
        Self { issuer, watches, targets, metrics, shutdown }
    }

    async fn issue_and_count(
        &self,
        message: IssueTokenRequest,
    ) -> Result<IssueTokenResponse, Status> {
        let (outcome, took) = self.measured(self.issue(message)).await;
        let label = outcome.as_ref().map_or_else(|error| error.kind().as_str(), |_| "ok");
        self.metrics.issued(label, took);
        outcome.map_err(|error| to_status(&error))
    }

    async fn issue(&self, message: IssueTokenRequest) -> Result<IssueTokenResponse, Error> {
        let ask = Ask::parse(message)?;
        trace::about(&ask.secret);
        let secret = &ask.secret;
        let (namespace, name, account) = (&secret.namespace, &secret.name, &ask.account);
        match self.issuer.issue(&ask).await {
            Ok(IssuedToken { given, ca_pem, account_created, credential }) => {
                let target = ask.goal.as_ref().map(|goal| tracing::field::display(&goal.target));
                info!(
                    %namespace, %name, %account, ?credential, account_created, target,
                    "issued a token"
                );
                if account_created {
                    self.metrics.account_created();
                }
                let (token, delivered) = match &given {
                    Given::Token(token) => (token.expose().to_owned(), None),
                    Given::Delivered(Delivered { claims, sha256 }) => {
                        (String::new(), Some(convert::delivered_to_proto(claims, sha256)))
                    }
                };
                Ok(IssueTokenResponse { token, ca_pem, account_created, delivered })
            }
            Err(error @ (Error::Busy { .. } | Error::Held(_) | Error::Starting)) => {
                debug!(%namespace, %name, "issued no token: {error}");
                Err(error)
            }
            Err(error) => {
                let kind = error.kind().as_str();
                let chain = failure::chain(&error);
                warn!(%namespace, %name, %account, kind, "issued no token: {chain}");
                Err(error)
            }
        }
    }

    async fn sync(&self, message: SyncShootRequest) -> Result<Vec<u8>, Error> {
        let sync = Sync::parse(message)?;
        trace::about(&sync.secret);
        let outcome = self.issuer.sync(&sync).await;
        let Sync { secret, account, apply_account, .. } = &sync;
        let (namespace, name) = (&secret.namespace, &secret.name);
        match &outcome {
            Ok(_) if !sync.left.is_empty() => {
                let left = sync.left.len();
                info!(%namespace, %name, left, "cleaned former targets");
            }
            Ok(_) if sync.refresh.is_some() => {
                info!(%namespace, %name, "brought the CA of its target up to date");
            }
            Ok(_) if *apply_account => info!(%namespace, %name, %account, "applied its account"),
            Ok(_) => debug!(%namespace, %name, "gave the CA of the shoot"),
            Err(error) => {
                let kind = error.kind().as_str();
                warn!(%namespace, %name, %account, kind, "not synced: {}", failure::chain(error));
            }
        }
        outcome
    }

    async fn revoke(&self, message: RevokeGenerationRequest) -> Result<Revoked, Error> {
        let revoke = Revoke::parse(message)?;
        trace::about(&revoke.secret);
        let Revoke { secret, account, keep, up_to, unproved } = &revoke;
        let (namespace, name) = (&secret.namespace, &secret.name);
        let outcome = self.issuer.revoke(&revoke).await;
        match &outcome {
            Ok(Revoked { deleted, refused }) => {
                info!(%namespace, %name, %account, keep, up_to, unproved, deleted, refused, "revoked its older tokens");
            }
            Err(error) => {
                let (kind, chain) = (error.kind().as_str(), failure::chain(error));
                warn!(%namespace, %name, %account, kind, "did not revoke its older tokens: {chain}");
            }
        }
        outcome
    }

    fn observe(&self, message: ObserveShootRequest) -> Result<(), observe::Error> {
        let mut observe = Observe::parse(message)?;
        if !self.issuer.directory.knows(&observe.shoot) {
            return Err(observe::Error::ShootUnknown(observe.shoot));
        }
        let more = self.targets.set(&observe.shoot, &observe.targets);
        if more > 0 {
            warn!(shoot = %observe.shoot, more, "too many targets in one shoot: not all are watched");
        }
        let mut families = std::mem::take(&mut observe.families);
        families.retain(|family| self.issuer.policy.may_observe_in(&family.namespace));
        let more = self.issuer.generations.observe(&observe.shoot, families)?;
        if more > 0 {
            warn!(
                shoot = %observe.shoot, more,
                "revocable Secrets name too many namespaces of one shoot: not all are watched"
            );
        }
        let Observe { shoot, accounts, .. } = &mut observe;
        accounts.retain(|account| self.issuer.policy.may_observe(shoot, account));
        self.issuer.accounts.observe(observe)
    }

    /// Wall time; a clock that was set back meanwhile counts as no time.
    async fn measured<T>(&self, call: impl Future<Output = T>) -> (T, Duration) {
        let begun = self.issuer.clock.now();
        let outcome = call.await;
        let took = self.issuer.clock.now().duration_since(begun);
        (outcome, Duration::try_from(took).unwrap_or_default())
    }
}

#[tonic::async_trait]
impl TokenIssuer for Service {
    async fn issue_token(
        &self,
        request: Request<IssueTokenRequest>,
    ) -> Result<Response<IssueTokenResponse>, Status> {
        self.issue_and_count(request.into_inner()).await.map(Response::new)
    }

    type IssueTokensStream = BoxStream<'static, Result<IssueTokensResponse, Status>>;

    async fn issue_tokens(
        &self,
        request: Request<Streaming<IssueTokensRequest>>,
    ) -> Result<Response<Self::IssueTokensStream>, Status> {
        let (service, until) = (Arc::new(self.clone()), self.shutdown.clone().requested_owned());
        let issue = move |message| {
            let service = Arc::clone(&service);
            async move { service.issue_and_count(message).await }
        };
        Ok(Response::new(pipeline::answers::<IssueTokens, _>(request, until, issue)))
    }

    async fn sync_shoot(
        &self,
        request: Request<SyncShootRequest>,
    ) -> Result<Response<SyncShootResponse>, Status> {
        let outcome = self.sync(request.into_inner()).await;
        let answer = |ca_pem| Response::new(SyncShootResponse { ca_pem });
        outcome.map(answer).map_err(|error| to_status(&error))
    }

    async fn revoke_generation(
        &self,
        request: Request<RevokeGenerationRequest>,
    ) -> Result<Response<RevokeGenerationResponse>, Status> {
        let outcome = self.revoke(request.into_inner()).await;
        let answer = |Revoked { deleted, refused }| RevokeGenerationResponse { deleted, refused };
        outcome.map(|done| Response::new(answer(done))).map_err(|error| to_status(&error))
    }

    async fn observe_shoot(
        &self,
        request: Request<ObserveShootRequest>,
    ) -> Result<Response<ObserveShootResponse>, Status> {
        self.observe(request.into_inner()).map_err(|error| to_status(&error))?;
        Ok(Response::new(ObserveShootResponse {}))
    }

    type WatchShootsStream = BoxStream<'static, Result<WatchShootsResponse, Status>>;

    async fn watch_shoots(
        &self,
        request: Request<WatchShootsRequest>,
    ) -> Result<Response<Self::WatchShootsStream>, Status> {
        let WatchShootsRequest { shoots, with_connection } = request.into_inner();
        let stream = Filter::parse(&shoots, with_connection)
            .and_then(|filter| self.watches.watch(filter, self.shutdown.clone()))
            .map_err(|error| to_status(&error))?;
        Ok(Response::new(stream.map(Ok).boxed()))
    }

    async fn list_shoots(
        &self,
        request: Request<ListShootsRequest>,
    ) -> Result<Response<ListShootsResponse>, Status> {
        let ListShootsRequest { shoots, with_connection } = request.into_inner();
        let shoots = Filter::parse(&shoots, with_connection)
            .and_then(|filter| self.watches.list(&filter))
            .map_err(|error| to_status(&error))?;
        Ok(Response::new(ListShootsResponse { shoots }))
    }
}
