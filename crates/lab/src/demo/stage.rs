//! The live table, and what goes on behind it: schedules from the scheduler, Secrets from the seed.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::StreamExt;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::runtime::watcher::{self, Event};
use perennial_cli::live::{self, Live};
use perennial_cli::watch::Schedules;
use perennial_core::clock::Clock;
use perennial_core::keys;
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::scheduler_client::SchedulerClient;
use perennial_proto::scheduler::v1::{WatchSchedulesRequest, WatchSchedulesResponse};
use perennial_rpc::client::Channel;
use tonic::Streaming;

use super::ledger::Ledger;
use crate::lab::Lab;

/// How often the table is drawn, a lost stream asked for again, and a condition looked at.
const BEAT: Duration = Duration::from_millis(250);

/// What is on show.
pub(super) struct Stage {
    live: Live<std::io::Stdout>,
    schedules: Schedules,
    scheduler: SchedulerClient<Channel>,
    stream: Option<Streaming<WatchSchedulesResponse>>,
    secrets: BoxStream<'static, watcher::Result<Event<Secret>>>,
    pub(super) ledger: Ledger,
    /// Renewals are told line by line.
    news: bool,
}

impl Stage {
    /// Begins to watch; the first whole sets come with [`Stage::play`].
    pub(super) fn set(lab: &Lab) -> Result<Self> {
        let channel = lab.channel("operator", "scheduler")?;
        let selector = format!("{}={}", keys::PURPOSE, keys::PURPOSE_TOKEN_REQUESTOR);
        let secrets: Api<Secret> = Api::all(lab.seed().client());
        Ok(Self {
            live: Live::stdout(),
            schedules: Schedules::default(),
            scheduler: SchedulerClient::new(channel),
            stream: None,
            secrets: watcher::watcher(secrets, watcher::Config::default().labels(&selector))
                .boxed(),
            ledger: Ledger::default(),
            news: true,
        })
    }

    /// Says a line of the story above the table.
    pub(super) fn say(&mut self, line: &str) -> Result<()> {
        self.live.say(line).context("the terminal is gone")
    }

    /// From now on nothing scrolls: what was said last stays to be read.
    pub(super) fn only_the_table(&mut self) {
        self.news = false;
    }

    /// Plays for `length`.
    pub(super) async fn play(&mut self, length: Duration) -> Result<()> {
        self.play_until(length, |_| false).await.map(drop)
    }

    /// Plays until `done`, at most for `limit`; whether it was done.
    pub(super) async fn play_until(
        &mut self,
        limit: Duration,
        done: impl Fn(&Ledger) -> bool,
    ) -> Result<bool> {
        let mut beat = tokio::time::interval(BEAT);
        let end = tokio::time::sleep(limit);
        tokio::pin!(end);
        while !done(&self.ledger) {
            tokio::select! {
                () = &mut end => return Ok(false),
                event = self.secrets.next() => self.secret(event)?,
                message = next(&mut self.stream) => self.schedule(message)?,
                _ = beat.tick() => self.beat().await?,
            }
        }
        Ok(true)
    }

    fn secret(&mut self, event: Option<watcher::Result<Event<Secret>>>) -> Result<()> {
        let event = event.context("the watch of the seed ended")?;
        if let Event::Apply(secret) | Event::InitApply(secret) =
            event.context("the watch of the seed broke")?
        {
            self.ledger.look(&secret, SystemClock.now());
        }
        Ok(())
    }

    fn schedule(&mut self, message: Option<WatchSchedulesResponse>) -> Result<()> {
        let Some(message) = message else {
            self.stream = None; // the scheduler went away; the next beat asks again
            return Ok(());
        };
        match self.schedules.apply(message) {
            Some(line) if self.news => {
                let line = format!("     {}  {line}", SystemClock.now().strftime("%H:%M:%S"));
                self.live.say(&line).context("the terminal is gone")
            }
            _ => Ok(()),
        }
    }

    async fn beat(&mut self) -> Result<()> {
        if self.stream.is_none() {
            let request = WatchSchedulesRequest::default();
            if let Ok(answer) = self.scheduler.watch_schedules(request).await {
                self.schedules.begin();
                self.stream = Some(answer.into_inner());
            }
        }
        let lines = self.schedules.lines(SystemClock.now(), live::columns());
        self.live.draw(&lines).context("the terminal is gone")
    }
}

/// The next message; `None` when the stream is over, and never while there is none.
async fn next(
    stream: &mut Option<Streaming<WatchSchedulesResponse>>,
) -> Option<WatchSchedulesResponse> {
    match stream {
        Some(stream) => stream.message().await.unwrap_or(None),
        None => std::future::pending().await,
    }
}
