//! What operators, and impostors, see over gRPC.

use std::{sync::Arc, time::Duration};

use perennial_lab::poll::Look;
use perennial_proto::scheduler::v1::{
    GetScheduleRequest, ListSchedulesRequest, RenewNowRequest, Schedule, State,
    scheduler_client::SchedulerClient,
};
use perennial_rpc::{
    client::{Channel, connect, with_deadline},
    identity::Role,
    tls::TlsStore,
};
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};
use tonic::{Code, Status};

use super::{House, namespace, service::trust};

/// Deadline of a call.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

impl House {
    /// A new connection to `service` with the certificate of `role`.
    pub(crate) fn channel(&self, role: Role, service: Role) -> Channel {
        self.channel_with(&self.services.tls(role), service)
    }

    /// A new connection to `service` with the certificate of this folder.
    pub(crate) fn channel_with(&self, tls: &Arc<TlsStore>, service: Role) -> Channel {
        let address = self.services.address(service).to_string();
        connect(&address, trust().id(service), tls).unwrap()
    }

    /// The authority of all services.
    pub(crate) fn authority_pem(&self) -> String {
        self.services.authority.pem()
    }

    /// How many bytes `service` sends to somebody who trusts it, asks nothing and has no
    /// certificate, until it hangs up.
    pub(crate) async fn hear_without_certificate(&self, service: Role) -> usize {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(self.authority_pem().as_bytes());
        roots.add(authority.unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let tcp = TcpStream::connect(self.services.address(service)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(name, tcp).await.unwrap();
        let mut heard = Vec::new();
        let end = stream.read_to_end(&mut heard);
        let outcome = tokio::time::timeout(DEADLINE, end).await.expect("it hangs up");
        assert!(outcome.is_err(), "a refusal of the handshake");
        heard.len()
    }

    pub(crate) fn scheduler(&self) -> SchedulerClient<Channel> {
        SchedulerClient::new(self.channel(Role::Operator, Role::Scheduler))
    }

    pub(crate) async fn schedules(&self) -> Result<Vec<Schedule>, Status> {
        let (mut schedules, mut request) = (Vec::new(), ListSchedulesRequest::default());
        let mut scheduler = self.scheduler();
        loop {
            let asked = with_deadline(request.clone(), DEADLINE);
            let page = scheduler.list_schedules(asked).await?.into_inner();
            schedules.extend(page.schedules);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                return Ok(schedules);
            }
        }
    }

    pub(crate) async fn schedule(&self, shoot: usize, name: &str) -> Result<Schedule, Status> {
        let request = GetScheduleRequest { namespace: namespace(shoot), name: name.to_owned() };
        let answer = self.scheduler().get_schedule(with_deadline(request, DEADLINE)).await?;
        Ok(answer.into_inner().schedule.expect("an answer has a schedule"))
    }

    /// Renews one Secret as an operator does, and answers when it is written.
    pub(crate) async fn renew_now(&self, shoot: usize, name: &str) -> Result<Schedule, Status> {
        let request = RenewNowRequest { namespace: namespace(shoot), name: name.to_owned() };
        let answer = self.scheduler().renew_now(with_deadline(request, DEADLINE)).await?;
        Ok(answer.into_inner().schedule.expect("an answer has a schedule"))
    }

    /// The same after the clock leapt: that was a time in which the scheduler stood still, and it reads Leases
    /// before it orders anything.
    pub(crate) async fn renew_after_leap(&self, shoot: usize, name: &str) -> Schedule {
        self.until("a renewal after a leap of the clock", async || {
            match self.renew_now(shoot, name).await {
                Err(status) if status.code() == Code::Unavailable => {
                    Look::Waiting(status.message().to_owned())
                }
                outcome => Look::Done(outcome.unwrap()),
            }
        })
        .await
    }

    /// The schedule of a Secret, once it is as wanted.
    pub(crate) async fn wait_for_schedule(
        &self,
        shoot: usize,
        name: &str,
        what: &str,
        wanted: impl Fn(&Schedule) -> bool,
    ) -> Schedule {
        self.until(&format!("{name} in shoot {shoot}: {what}"), async || {
            match self.schedule(shoot, name).await {
                Ok(schedule) if wanted(&schedule) => Look::Done(schedule),
                Ok(schedule) => Look::Waiting(in_words(&schedule)),
                Err(status) => Look::Waiting(status.to_string()),
            }
        })
        .await
    }

    /// Waits until the scheduler knows `count` Secrets and finds each fresh.
    pub(crate) async fn all_fresh(&self, count: usize) {
        self.until("a fresh fleet", async || match self.schedules().await {
            Ok(schedules) => {
                let fresh = schedules.iter().filter(|s| s.state() == State::Fresh).count();
                if fresh == count && schedules.len() == count {
                    return Look::Done(());
                }
                let not_fresh = |schedule: &&Schedule| schedule.state() != State::Fresh;
                let all: Vec<_> = schedules.iter().filter(not_fresh).map(in_words).collect();
                Look::Waiting(format!("{fresh} of {count} are fresh: {}", all.join("; ")))
            }
            Err(status) => Look::Waiting(status.to_string()),
        })
        .await;
    }

    /// What the scheduler says of a Secret, for the error of a test that waits in vain.
    pub(super) async fn standing(&self, shoot: usize, name: &str) -> String {
        match self.schedule(shoot, name).await {
            Ok(schedule) => in_words(&schedule),
            Err(status) => status.to_string(),
        }
    }
}

fn in_words(schedule: &Schedule) -> String {
    let failure = schedule.last_failure.as_ref().map_or("", |failure| &failure.message);
    let Schedule { name, reason, detail, .. } = schedule;
    format!("{name} {} {reason} {detail} {failure}", schedule.state().as_str_name())
}
