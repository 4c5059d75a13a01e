//! What operators ask: `perennial.scheduler.v1.Scheduler`.

use std::{sync::Arc, time::Duration};

use futures::stream::BoxStream;
use perennial_core::name::{Namespace, SecretRef};
use perennial_process::supervise::Shutdown;
use perennial_proto::scheduler::v1::{
    CancelCampaignRequest, CancelCampaignResponse, ExplainScheduleRequest, ExplainScheduleResponse,
    ForecastRequest, ForecastResponse, GetBudgetRequest, GetBudgetResponse, GetCampaignRequest,
    GetCampaignResponse, GetScheduleRequest, GetScheduleResponse, ListCampaignsRequest,
    ListCampaignsResponse, ListSchedulesRequest, ListSchedulesResponse, PauseShootRequest,
    PauseShootResponse, RenewNowRequest, RenewNowResponse, ResumeRequest, ResumeResponse,
    ResumeShootRequest, ResumeShootResponse, RevokeRequest, RevokeResponse, StartCampaignRequest,
    StartCampaignResponse, StopRequest, StopResponse, WatchCampaignRequest, WatchSchedulesRequest,
    WatchSchedulesResponse, scheduler_server::Scheduler,
};
use perennial_rpc::{status::to_status, trace};
use tokio::{sync::mpsc, time};
use tonic::{Request, Response, Status};
use tracing::info;

use self::error::Error;
use crate::{board::Board, engine, replica::Replica, stop::Handle};
use perennial_fleet::request;

mod budget;
mod campaign;
mod convert;
mod error;
mod forecast;
mod pause;
mod revoke;
mod stop;
mod watch;

#[cfg(test)]
mod tests;

/// Most schedules in one answer, and as many as come when nothing is said.
const PAGE_MAX: usize = 1_000;
/// Longest wait for the outcome of `RenewNow`; the server gives up after 60 s.
const RENEW_NOW_TIMEOUT: Duration = Duration::from_secs(55);

/// Answers operators.
#[derive(Debug)]
pub struct Service {
    board: Arc<Board>,
    requests: mpsc::Sender<engine::Request>,
    shutdown: Shutdown,
    replica: Arc<Replica>,
    handle: Handle,
}

impl Service {
    /// `requests` goes to the engine; streams end when `shutdown` is requested; `handle` throws the
    /// stop switch.
    #[must_use]
    pub const fn new(
        board: Arc<Board>,
        requests: mpsc::Sender<engine::Request>,
        shutdown: Shutdown,
        replica: Arc<Replica>,
        handle: Handle,
    ) -> Self {
        Self { board, requests, shutdown, replica, handle }
    }

    fn list(&self, message: &ListSchedulesRequest) -> Result<ListSchedulesResponse, Error> {
        let namespace = namespace(&message.namespace)?;
        let after = match message.page_token.as_str() {
            "" => None,
            token => Some(page_token(token)?),
        };
        let size = match usize::try_from(message.page_size) {
            Ok(size @ 1..=PAGE_MAX) => size,
            Ok(_) | Err(_) => PAGE_MAX,
        };
        let mut page = self.board.schedules(namespace.as_ref(), after.as_ref(), size + 1);
        let more = page.len() > size;
        page.truncate(size);
        let last = page.last().filter(|_| more);
        let (audit, stopped, pauses) = self.board.read(|fleet, _| {
            let stopped = fleet.switch().stopped().map(stop::stopped);
            (fleet.is_auditing(), stopped, pause::all(fleet, namespace.as_ref()))
        });
        Ok(ListSchedulesResponse {
            next_page_token: last.map(|last| last.secret.to_string()).unwrap_or_default(),
            schedules: page.into_iter().map(convert::schedule).collect(),
            audit,
            stopped,
            pauses,
        })
    }

    async fn renew(&self, secret: SecretRef) -> Result<RenewNowResponse, Error> {
        let (ask, outcome) = engine::Request::new(secret.clone());
        self.requests.try_send(ask).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => request::Error::TooMany,
            mpsc::error::TrySendError::Closed(_) => request::Error::Stopping,
        })?;
        let schedule = match time::timeout(RENEW_NOW_TIMEOUT, outcome).await {
            Ok(Ok(outcome)) => outcome?,
            Ok(Err(_)) => return Err(request::Error::Stopping.into()),
            Err(_) => return Err(Error::StillUnderWay(secret)),
        };
        Ok(RenewNowResponse { schedule: Some(convert::schedule(schedule)) })
    }

    fn revoke_and_watch(&self, message: RevokeRequest) -> Result<RevokeStream, Error> {
        let revoke::Ask { secret, generation, grace } = revoke::Ask::read(message)?;
        trace::about(&secret);
        let watcher = self.board.watch(Some(secret.namespace.clone()));
        let watcher = watcher.ok_or(Error::TooManyWatchers)?;
        let generation = self.board.revoke(&secret, generation, grace)?;
        let SecretRef { namespace, name } = &secret;
        info!(%namespace, %name, generation, ?grace, "an operator revokes tokens");
        let board = Arc::clone(&self.board);
        Ok(revoke::stream(board, watcher, secret, self.shutdown.clone()))
    }
}

type RevokeStream = BoxStream<'static, Result<RevokeResponse, Status>>;

#[tonic::async_trait]
impl Scheduler for Service {
    type WatchSchedulesStream = BoxStream<'static, Result<WatchSchedulesResponse, Status>>;

    type RevokeStream = RevokeStream;

    async fn list_schedules(
        &self,
        request: Request<ListSchedulesRequest>,
    ) -> Result<Response<ListSchedulesResponse>, Status> {
        answer(self.list(request.get_ref()))
    }

    async fn get_schedule(
        &self,
        request: Request<GetScheduleRequest>,
    ) -> Result<Response<GetScheduleResponse>, Status> {
        let GetScheduleRequest { namespace, name } = request.into_inner();
        answer(secret(&namespace, &name).and_then(|secret| {
            let schedule = self.board.schedule(&secret).map(convert::schedule);
            let schedule = schedule.ok_or_else(|| self.board.missing(&secret))?;
            Ok(GetScheduleResponse { schedule: Some(schedule) })
        }))
    }

    async fn explain_schedule(
        &self,
        request: Request<ExplainScheduleRequest>,
    ) -> Result<Response<ExplainScheduleResponse>, Status> {
        let ExplainScheduleRequest { namespace, name } = request.into_inner();
        answer(secret(&namespace, &name).and_then(|secret| {
            let explanation =
                self.board.explain(&secret).ok_or_else(|| self.board.missing(&secret))?;
            let explanation = convert::explanation(explanation, &self.replica);
            Ok(ExplainScheduleResponse { explanation: Some(explanation) })
        }))
    }

    async fn watch_schedules(
        &self,
        request: Request<WatchSchedulesRequest>,
    ) -> Result<Response<Self::WatchSchedulesStream>, Status> {
        let namespace = namespace(&request.get_ref().namespace).map_err(|e| to_status(&e))?;
        let watcher = self.board.watch(namespace.clone()).ok_or(Error::TooManyWatchers);
        let watcher = watcher.map_err(|error| to_status(&error))?;
        let board = Arc::clone(&self.board);
        Ok(Response::new(watch::stream(board, watcher, namespace, self.shutdown.clone())))
    }

    async fn renew_now(
        &self,
        request: Request<RenewNowRequest>,
    ) -> Result<Response<RenewNowResponse>, Status> {
        let RenewNowRequest { namespace, name } = request.into_inner();
        let secret = secret(&namespace, &name).map_err(|error| to_status(&error))?;
        trace::about(&secret);
        answer(self.renew(secret).await)
    }

    async fn stop(&self, request: Request<StopRequest>) -> Result<Response<StopResponse>, Status> {
        let by = stop::caller(&request);
        answer(self.stop_fleet(&request.get_ref().reason, by).await)
    }

    async fn resume(
        &self,
        request: Request<ResumeRequest>,
    ) -> Result<Response<ResumeResponse>, Status> {
        answer(self.resume_fleet(&stop::caller(&request)).await)
    }

    async fn pause_shoot(
        &self,
        request: Request<PauseShootRequest>,
    ) -> Result<Response<PauseShootResponse>, Status> {
        let by = stop::caller(&request);
        answer(self.pause_shoot(request.get_ref(), by).await)
    }

    async fn resume_shoot(
        &self,
        request: Request<ResumeShootRequest>,
    ) -> Result<Response<ResumeShootResponse>, Status> {
        let by = stop::caller(&request);
        answer(self.resume_shoot(&request.get_ref().namespace, &by).await)
    }

    async fn revoke(
        &self,
        request: Request<RevokeRequest>,
    ) -> Result<Response<Self::RevokeStream>, Status> {
        answer(self.revoke_and_watch(request.into_inner()))
    }

    async fn get_budget(
        &self,
        request: Request<GetBudgetRequest>,
    ) -> Result<Response<GetBudgetResponse>, Status> {
        answer(self.get_budget(request.get_ref()))
    }

    type WatchCampaignStream = campaign::Stream;

    async fn start_campaign(
        &self,
        request: Request<StartCampaignRequest>,
    ) -> Result<Response<StartCampaignResponse>, Status> {
        let by = stop::caller(&request);
        answer(self.start_campaign(request.into_inner(), by).await)
    }

    async fn get_campaign(
        &self,
        request: Request<GetCampaignRequest>,
    ) -> Result<Response<GetCampaignResponse>, Status> {
        answer(self.get_campaign(&request.get_ref().id))
    }

    async fn list_campaigns(
        &self,
        _: Request<ListCampaignsRequest>,
    ) -> Result<Response<ListCampaignsResponse>, Status> {
        answer(Ok(self.list_campaigns()))
    }

    async fn watch_campaign(
        &self,
        request: Request<WatchCampaignRequest>,
    ) -> Result<Response<Self::WatchCampaignStream>, Status> {
        answer(self.watch_campaign(&request.get_ref().id))
    }

    async fn cancel_campaign(
        &self,
        request: Request<CancelCampaignRequest>,
    ) -> Result<Response<CancelCampaignResponse>, Status> {
        let by = stop::caller(&request);
        answer(self.cancel_campaign(&request.get_ref().id, &by).await)
    }

    async fn forecast(
        &self,
        request: Request<ForecastRequest>,
    ) -> Result<Response<ForecastResponse>, Status> {
        answer(self.forecast(request.get_ref()).await)
    }
}

fn answer<T>(outcome: Result<T, Error>) -> Result<Response<T>, Status> {
    outcome.map(Response::new).map_err(|error| to_status(&error))
}

fn secret(namespace: &str, name: &str) -> Result<SecretRef, Error> {
    let invalid = |field, source| Error::Name { field, source };
    Ok(SecretRef {
        namespace: namespace.parse().map_err(|source| invalid("namespace", source))?,
        name: name.parse().map_err(|source| invalid("name", source))?,
    })
}

fn namespace(text: &str) -> Result<Option<Namespace>, Error> {
    let parse =
        |text: &str| text.parse().map_err(|source| Error::Name { field: "namespace", source });
    Some(text).filter(|text| !text.is_empty()).map(parse).transpose()
}

fn page_token(token: &str) -> Result<SecretRef, Error> {
    let (namespace, name) = token.split_once('/').ok_or(Error::PageToken)?;
    SecretRef::parse(namespace, name).map_err(|_| Error::PageToken)
}
