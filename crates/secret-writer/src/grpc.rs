//! `perennial.writer.v1.SecretWriter`.

use futures::stream::BoxStream;
use perennial_core::name::{Namespace, SecretRef};
use perennial_process::supervise::Shutdown;
use perennial_proto::writer::v1::{
    GetAccessSecretRequest, GetAccessSecretResponse, ListAccessSecretsRequest,
    ListAccessSecretsResponse, RenewTokenRequest, RenewTokenResponse, RenewTokensRequest,
    RenewTokensResponse, SyncSecretRequest, SyncSecretResponse, WatchAccessSecretsRequest,
    secret_writer_server::SecretWriter,
};
use perennial_rpc::{
    convert::{ConvertError, parsed, record_to_proto},
    pipeline::{self, RenewTokens},
    status::to_status,
    trace,
};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    metrics::Metrics,
    renew::{Order, RenewError, Renewals, Repair},
    store::Store,
    stream::{self, Events},
};

/// Most records of one page.
const PAGE_MAX: usize = 1_000;

/// The gRPC service.
#[derive(Debug)]
pub struct Service {
    /// The records.
    pub store: Store,
    /// Who renews.
    pub renewals: Renewals,
    /// What is counted.
    pub metrics: Metrics,
    /// Ends the streams.
    pub shutdown: Shutdown,
}

#[tonic::async_trait]
impl SecretWriter for Service {
    type WatchAccessSecretsStream = Events;

    async fn renew_token(
        &self,
        request: Request<RenewTokenRequest>,
    ) -> Result<Response<RenewTokenResponse>, Status> {
        renew(&self.renewals, request.into_inner()).await.map(Response::new)
    }

    type RenewTokensStream = BoxStream<'static, Result<RenewTokensResponse, Status>>;

    async fn renew_tokens(
        &self,
        request: Request<Streaming<RenewTokensRequest>>,
    ) -> Result<Response<Self::RenewTokensStream>, Status> {
        let (renewals, until) = (self.renewals.clone(), self.shutdown.clone().requested_owned());
        let renew = move |message| {
            let renewals = renewals.clone();
            async move { renew(&renewals, message).await }
        };
        Ok(Response::new(pipeline::answers::<RenewTokens, _>(request, until, renew)))
    }

    async fn sync_secret(
        &self,
        request: Request<SyncSecretRequest>,
    ) -> Result<Response<SyncSecretResponse>, Status> {
        let order = Repair::try_from(request.into_inner()).map_err(refuse)?;
        trace::about(&order.secret);
        let repaired = self.renewals.repair(order).await.map_err(|error| to_status(&error))?;
        let record = Some(record_to_proto(&repaired.seen.record));
        let old_token_refused = repaired.old_token_refused;
        Ok(Response::new(SyncSecretResponse { record, old_token_refused }))
    }

    async fn watch_access_secrets(
        &self,
        _: Request<WatchAccessSecretsRequest>,
    ) -> Result<Response<Events>, Status> {
        stream::open(&self.store, &self.metrics, self.shutdown.clone())
            .map(Response::new)
            .map_err(|error| to_status(&error))
    }

    async fn get_access_secret(
        &self,
        request: Request<GetAccessSecretRequest>,
    ) -> Result<Response<GetAccessSecretResponse>, Status> {
        let request = request.into_inner();
        let secret = SecretRef {
            namespace: parsed("namespace", &request.namespace).map_err(refuse)?,
            name: parsed("name", &request.name).map_err(refuse)?,
        };
        self.complete()?;
        let seen = self.store.get(&secret);
        let seen = seen.ok_or_else(|| to_status(&RenewError::NotFound { secret }))?;
        let record = Some(record_to_proto(&seen.record));
        Ok(Response::new(GetAccessSecretResponse { record }))
    }

    async fn list_access_secrets(
        &self,
        request: Request<ListAccessSecretsRequest>,
    ) -> Result<Response<ListAccessSecretsResponse>, Status> {
        let page = Page::try_from(request.into_inner()).map_err(refuse)?;
        self.complete()?;
        Ok(Response::new(page.of(&self.store)))
    }
}

async fn renew(
    renewals: &Renewals,
    message: RenewTokenRequest,
) -> Result<RenewTokenResponse, Status> {
    let order = Order::try_from(message).map_err(refuse)?;
    trace::about(&order.secret);
    let seen = renewals.renew(order).await.map_err(|error| to_status(&error))?;
    Ok(RenewTokenResponse { record: Some(record_to_proto(&seen.record)) })
}

impl Service {
    fn complete(&self) -> Result<(), Status> {
        match self.store.is_complete() {
            true => Ok(()),
            false => Err(to_status(&RenewError::SnapshotIncomplete)),
        }
    }
}

fn refuse(error: ConvertError) -> Status {
    to_status(&RenewError::Request(error))
}

/// A page of records, parsed. The page token is `namespace/name` of the last record before it.
#[derive(Debug)]
struct Page {
    namespace: Option<Namespace>,
    after: Option<SecretRef>,
    size: usize,
}

impl TryFrom<ListAccessSecretsRequest> for Page {
    type Error = ConvertError;

    fn try_from(request: ListAccessSecretsRequest) -> Result<Self, ConvertError> {
        let optional = |text: String| Some(text).filter(|text| !text.is_empty());
        let namespace = optional(request.namespace);
        let after = optional(request.page_token).map(|token| {
            let bad = || ConvertError {
                field: "page_token",
                problem: "is none of ours; use next_page_token of the answer before".to_owned(),
            };
            let (namespace, name) = token.split_once('/').ok_or_else(bad)?;
            SecretRef::parse(namespace, name).map_err(|_| bad())
        });
        let size = usize::try_from(request.page_size).unwrap_or(PAGE_MAX);
        Ok(Self {
            namespace: namespace.map(|text| parsed("namespace", &text)).transpose()?,
            after: after.transpose()?,
            size: if size == 0 { PAGE_MAX } else { size.min(PAGE_MAX) },
        })
    }
}

impl Page {
    fn of(&self, store: &Store) -> ListAccessSecretsResponse {
        let namespace = self.namespace.as_ref().map(Namespace::as_str);
        // One more than asked for shows whether there is a next page.
        let mut found = store.page(namespace, self.after.as_ref(), self.size + 1);
        let more = found.len() > self.size;
        found.truncate(self.size);
        let last = found.last().filter(|_| more);
        ListAccessSecretsResponse {
            next_page_token: last.map_or_else(String::new, |seen| seen.record.secret.to_string()),
            records: found.iter().map(|seen| record_to_proto(&seen.record)).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
