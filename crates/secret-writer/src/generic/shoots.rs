//! Where shoots are, as the token-issuers say, over every break of a stream.

use std::{fmt::Debug, time::Duration};

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use perennial_core::{backoff::doubled, kubeconfig::Endpoint, name::Namespace};
use perennial_proto::issuer::v1::{
    WatchShootsRequest, WatchShootsResponse, token_issuer_client::TokenIssuerClient,
    watch_shoots_response::Event,
};
use perennial_rpc::{
    client::{Channel, Replicas},
    convert::{self, ConvertError},
    status::Remote,
};
use tokio::time;
use tonic::Streaming;
use tracing::warn;

/// First pause after a stream could not be opened or broke; it doubles up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Longest wait until a stream is open. After that it may be silent for ever; a dead peer is
/// noticed by the keep-alive of the connection.
const OPEN_MAX: Duration = Duration::from_secs(10);

/// Who says where shoots are.
pub trait Shoots: Send + Sync + Debug {
    /// What all sources say; never ends. Nobody is asked before it is read, nor after it is dropped.
    fn watch(&self) -> BoxStream<'static, Told>;

    /// The sources in the order in which they count for a shoot.
    fn rank(&self, shoot: &Namespace) -> Vec<usize>;
}

/// A word of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which source.
    pub source: usize,
    /// What it says.
    pub word: Word,
}

/// What a source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It tells the whole set from here on.
    Opened,
    /// Where a shoot is; `None` while no call to it has succeeded.
    Upsert(Namespace, Option<Endpoint>),
    /// A shoot is gone.
    Removed(Namespace),
    /// The set is whole.
    Complete,
    /// It cannot be heard for now, and why.
    Lost(String),
}

/// The token-issuers over gRPC.
#[derive(Clone, Debug)]
pub struct TokenIssuers(Replicas);

impl TokenIssuers {
    /// The token-issuers behind these channels.
    #[must_use]
    pub const fn new(replicas: Replicas) -> Self {
        Self(replicas)
    }
}

impl Shoots for TokenIssuers {
    fn watch(&self) -> BoxStream<'static, Told> {
        let streams = self.0.all().enumerate().map(|(source, (_, channel))| {
            let session = Session { channel, stream: None, pause: None, breaks: 0 };
            stream::unfold(session, move |mut session| async move {
                let word = session.next().await;
                Some((Told { source, word }, session))
            })
            .boxed()
        });
        stream::select_all(streams).boxed()
    }

    fn rank(&self, shoot: &Namespace) -> Vec<usize> {
        self.0.rank(shoot.as_str())
    }
}

/// One token-issuer.
struct Session {
    channel: Channel,
    stream: Option<Streaming<WatchShootsResponse>>,
    /// Before the next try.
    pause: Option<Duration>,
    /// Since a set was whole.
    breaks: u32,
}

impl Session {
    async fn next(&mut self) -> Word {
        loop {
            let Some(stream) = &mut self.stream else { return self.open().await };
            match stream.message().await {
                Ok(Some(message)) => match word(message) {
                    Ok(Some(word)) => {
                        if word == Word::Complete {
                            self.breaks = 0;
                        }
                        return word;
                    }
                    Ok(None) => {}
                    // One shoot that makes no sense must not end the stream.
                    Err(error) => warn!("left out a shoot that cannot be understood: {error}"),
                },
                Ok(None) => return self.lost("the other side ended it".to_owned()),
                Err(status) => return self.lost(Remote::from(status).message().to_owned()),
            }
        }
    }

    async fn open(&mut self) -> Word {
        if let Some(pause) = self.pause.take() {
            time::sleep(pause).await;
        }
        let request = WatchShootsRequest { shoots: Vec::new(), with_connection: true };
        let mut client = TokenIssuerClient::new(self.channel.clone());
        match time::timeout(OPEN_MAX, client.watch_shoots(request)).await {
            Ok(Ok(answer)) => {
                self.stream = Some(answer.into_inner());
                Word::Opened
            }
            Ok(Err(status)) => self.lost(Remote::from(status).message().to_owned()),
            Err(_) => self.lost(format!("no answer within {} s", OPEN_MAX.as_secs())),
        }
    }

    fn lost(&mut self, why: String) -> Word {
        self.stream = None;
        self.pause = Some(doubled(PAUSE_MIN, self.breaks, PAUSE_MAX));
        self.breaks = self.breaks.saturating_add(1);
        Word::Lost(why)
    }
}

fn word(message: WatchShootsResponse) -> Result<Option<Word>, ConvertError> {
    let namespace = |text: &str| convert::parsed("shoot.namespace", text);
    Ok(match message.event {
        None | Some(Event::Account(_) | Event::Target(_) | Event::Generations(_)) => None, // not of what a kubeconfig says
        Some(Event::Upsert(shoot)) => {
            let endpoint = shoot.connection.map(convert::endpoint_from_proto).transpose()?;
            Some(Word::Upsert(namespace(&shoot.namespace)?, endpoint))
        }
        Some(Event::Removed(shoot)) => Some(Word::Removed(namespace(&shoot)?)),
        Some(Event::SnapshotComplete(_)) => Some(Word::Complete),
    })
}
