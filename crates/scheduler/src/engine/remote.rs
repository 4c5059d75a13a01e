//! The secret-writer and the token-issuers over gRPC.

use std::{future::ready, sync::Arc, time::Duration};

use futures::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    clock::Clock,
    name::SecretRef,
    record::Record,
    shoot::{ShootId, ShootStatus},
};
use perennial_proto::{
    issuer::v1::{
        self as issuer, token_issuer_client::TokenIssuerClient, watch_shoots_response as shoots,
    },
    writer::v1::{
        self as writer, secret_writer_client::SecretWriterClient,
        watch_access_secrets_response as records,
    },
};
use perennial_rpc::{
    client::{Channel, Replicas, with_deadline},
    convert::{self, ConvertError},
    pipeline::{Pipelines, RenewTokens},
    status::Remote,
};
use tonic::Status;
use tracing::warn;

use super::{
    Input, Renew,
    follow::{Events, Origin},
};
use crate::replica::Replica;
use perennial_fleet::{
    attempts::Fault,
    feed::{AccountNews, Event, GenerationsNews, TargetNews},
    order::Order,
    outcome::Answer,
};

mod apart;
pub mod fault;
mod observe;

use apart::Apart;

pub use observe::Observers;

/// Longest time one renewal may take: the secret-writer gives the token-issuer 30 s and writes
/// within 10 s. A revocation writes nothing, and takes the token-issuer 25 s.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(40);
/// On top of it for making the connection, which has three seconds of its own.
const CONNECT_ALLOWANCE: Duration = Duration::from_secs(5);

/// Has Secrets renewed by the secret-writer, each always by the same replica.
#[derive(Debug)]
pub struct Writer {
    replicas: Replicas,
    renewals: Pipelines<RenewTokens>,
    basis: Duration,
    replica: Arc<Replica>,
}

impl Writer {
    /// `basis` is `--renewal-basis`; `replica` names the attempts. The future must be run for it.
    pub fn new(
        replicas: Replicas,
        basis: Duration,
        replica: Arc<Replica>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (renewals, driven) = Pipelines::new(replicas.clone());
        (Self { replicas, renewals, basis, replica }, driven)
    }

    fn sync_request(&self, order: &Order) -> writer::SyncSecretRequest {
        writer::SyncSecretRequest {
            namespace: order.secret.namespace.to_string(),
            name: order.secret.name.to_string(),
            digest: order.digest.to_string(),
            reason: order.reason.as_str().to_owned(),
            request_id: self.replica.request_id(order.attempt),
            up_to: Some(order.generation),
            ends: convert::ends_to_proto(&order.ends),
            unproved: order.unproved,
        }
    }

    fn request(&self, order: &Order) -> writer::RenewTokenRequest {
        writer::RenewTokenRequest {
            namespace: order.secret.namespace.to_string(),
            name: order.secret.name.to_string(),
            digest: order.digest.to_string(),
            reason: order.reason.as_str().to_owned(),
            renewal_basis: Some(convert::duration(self.basis)),
            window_from: order.window.share(),
            window_place: order.place,
            request_id: self.replica.request_id(order.attempt),
            generation: order.generation,
            grace: order.grace.map(convert::duration),
            ends: convert::ends_to_proto(&order.ends),
        }
    }
}

/// The Secret as it is then, and whether an old token of it was tried and refused.
type Told = Result<(Option<writer::AccessSecret>, bool), Status>;

impl Writer {
    fn renew_token(
        &self,
        key: String,
        renewal: writer::RenewTokenRequest,
    ) -> impl Future<Output = Told> + Send + use<> {
        let renewals = self.renewals.clone();
        async move { Ok((renewals.call(&key, renewal).await?.record, false)) }
    }

    fn sync_secret(
        &self,
        key: &str,
        repair: writer::SyncSecretRequest,
    ) -> impl Future<Output = Told> + Send + use<> {
        let mut client = SecretWriterClient::new(self.replicas.pick(key));
        let repair = with_deadline(repair, RENEW_DEADLINE);
        async move {
            let answer = client.sync_secret(repair).await?.into_inner();
            Ok((answer.record, answer.old_token_refused))
        }
    }
}

impl Renew for Writer {
    fn renew(&self, order: &Order) -> BoxFuture<'static, Result<Answer, Fault>> {
        let key = order.secret.to_string();
        let outcome = match order.reason.needs_token() {
            true => self.renew_token(key, self.request(order)).left_future(),
            false => self.sync_secret(&key, self.sync_request(order)).right_future(),
        };
        let call = async move {
            let (record, old_token_refused) = outcome.await.map_err(fault::of_status)?;
            let record = record.ok_or_else(|| fault::nonsense("it has no record"))?;
            let record = convert::record_from_proto(record);
            let record = record.map_err(|error| fault::nonsense(&error.to_string()))?;
            Ok(Answer { record, old_token_refused })
        };
        let limit = RENEW_DEADLINE + CONNECT_ALLOWANCE;
        async move { tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(fault::late())) }
            .boxed()
    }
}

/// Records, from one replica at a time: the one after the last that failed.
#[derive(Debug)]
pub struct Records {
    replicas: Vec<(String, Channel)>, // never empty
    turn: usize,
}

impl Records {
    /// Begins with the first replica.
    #[must_use]
    pub fn new(replicas: &Replicas) -> Self {
        let replicas: Vec<_> =
            replicas.all().map(|(address, channel)| (address.to_owned(), channel)).collect();
        let turn = replicas.len() - 1;
        Self { replicas, turn }
    }
}

impl Origin for Records {
    type Item = Record;
    type Key = SecretRef;

    async fn open(&mut self) -> Result<Events<Record, SecretRef>, Remote> {
        self.turn = (self.turn + 1) % self.replicas.len();
        let mut client = SecretWriterClient::new(self.replicas[self.turn].1.clone());
        let stream = client.watch_access_secrets(writer::WatchAccessSecretsRequest {}).await?;
        let event = |message: writer::WatchAccessSecretsResponse| {
            Ok(match message.event {
                None => return Ok(None),
                Some(records::Event::Upsert(record)) => {
                    Some(Event::Upsert(convert::record_from_proto(record)?))
                }
                Some(records::Event::Removed(secret)) => Some(Event::Removed(SecretRef {
                    namespace: convert::parsed("removed.namespace", &secret.namespace)?,
                    name: convert::parsed("removed.name", &secret.name)?,
                })),
                Some(records::Event::SnapshotComplete(_)) => Some(Event::Complete),
            })
        };
        Ok(events(stream.into_inner(), event))
    }

    fn peer(&self) -> &str {
        &self.replicas[self.turn].0
    }

    fn input(&self, event: Event<Record, SecretRef>) -> Input {
        Input::Records(event)
    }

    fn trouble(&self, why: String) -> Input {
        Input::NoRecords(why)
    }
}

/// Shoots, from one token-issuer.
#[derive(Debug)]
pub struct Shoots {
    source: usize,
    address: String,
    channel: Channel,
    clock: Arc<dyn Clock>,
}

impl Shoots {
    /// One for each token-issuer.
    pub fn each(replicas: &Replicas, clock: &Arc<dyn Clock>) -> impl Iterator<Item = Self> {
        replicas.all().enumerate().map(|(source, (address, channel))| Self {
            source,
            address: address.to_owned(),
            channel,
            clock: Arc::clone(clock),
        })
    }
}

/// What a token-issuer tells of.
#[derive(Debug)]
pub enum ShootNews {
    /// A shoot.
    Status(ShootStatus),
    /// A ServiceAccount in one.
    Account(AccountNews),
    /// A target in one.
    Target(TargetNews),
    /// Generations in one.
    Generations(GenerationsNews),
}

impl ShootNews {
    /// What a message says, by our clock, which is so much ahead of that of its sender.
    fn read(event: shoots::Event, ahead: SignedDuration) -> Result<ShootEvent, ConvertError> {
        let moved = |at: Timestamp| at.checked_add(ahead).unwrap_or(at);
        Ok(match event {
            shoots::Event::Upsert(shoot) => {
                let status = convert::shoot_from_proto(shoot)?.by_a_clock_ahead(ahead);
                Event::Upsert(Self::Status(status))
            }
            shoots::Event::Account(message) => {
                let (shoot, account, mut seen) = convert::account_seen_from_proto(message)?;
                seen.at = moved(seen.at);
                Event::Upsert(Self::Account(AccountNews { shoot, account, seen }))
            }
            shoots::Event::Target(message) => {
                let (shoot, target, mut seen) = convert::target_seen_from_proto(message)?;
                seen.at = moved(seen.at);
                Event::Upsert(Self::Target(TargetNews { shoot, target, seen }))
            }
            shoots::Event::Generations(message) => {
                let (shoot, family, mut seen) = convert::generations_seen_from_proto(message)?;
                seen.at = moved(seen.at);
                Event::Upsert(Self::Generations(GenerationsNews { shoot, family, seen }))
            }
            shoots::Event::Removed(shoot) => Event::Removed(convert::parsed("removed", &shoot)?),
            shoots::Event::SnapshotComplete(_) => Event::Complete,
        })
    }
}

type ShootEvent = Event<ShootNews, ShootId>;

impl Origin for Shoots {
    type Item = ShootNews;
    type Key = ShootId;

    async fn open(&mut self) -> Result<Events<ShootNews, ShootId>, Remote> {
        let mut client = TokenIssuerClient::new(self.channel.clone());
        let everything = issuer::WatchShootsRequest::default();
        let stream = client.watch_shoots(everything).await?;
        let mut apart = Apart::new(Arc::clone(&self.clock));
        let dated = stream.into_inner().map(move |message| {
            let message = message?;
            let sent_at = convert::timestamp_from("sent_at", message.sent_at).ok();
            let ahead = apart.ahead(sent_at)?;
            Ok((message.event, ahead))
        });
        let event = |(event, ahead): (Option<shoots::Event>, SignedDuration)| {
            event.map(|event| ShootNews::read(event, ahead)).transpose()
        };
        Ok(events(dated, event))
    }

    fn peer(&self) -> &str {
        &self.address
    }

    fn input(&self, event: Event<ShootNews, ShootId>) -> Input {
        let event = match event {
            Event::Upsert(ShootNews::Account(news)) => return Input::Account(news),
            Event::Upsert(ShootNews::Target(news)) => return Input::Target(news),
            Event::Upsert(ShootNews::Generations(news)) => return Input::Generations(news),
            Event::Upsert(ShootNews::Status(status)) => Event::Upsert(status),
            Event::Opened => Event::Opened,
            Event::Removed(shoot) => Event::Removed(shoot),
            Event::Complete => Event::Complete,
            Event::Lost => Event::Lost,
        };
        Input::Shoots(self.source, event)
    }

    fn trouble(&self, why: String) -> Input {
        Input::NoShoots(why)
    }
}

/// One message that cannot be understood must not end the stream: its Secret or shoot is left out,
/// and a line says so.
fn events<M: Send + 'static, T: Send + 'static, K: Send + 'static>(
    stream: impl Stream<Item = Result<M, Status>> + Send + 'static,
    event: impl Fn(M) -> Result<Option<Event<T, K>>, ConvertError> + Send + 'static,
) -> Events<T, K> {
    let understood = move |message: Result<M, Status>| {
        ready(match message.map(&event) {
            Ok(Ok(event)) => event.map(Ok),
            Ok(Err(error)) => {
                warn!("left out a message that cannot be understood: {error}");
                None
            }
            Err(status) => Some(Err(Remote::from(status))),
        })
    };
    stream.filter_map(understood).boxed()
}
