//! `perennial revoke`: asks once, shows how far it is, and asks again where the answer is lost.
//!
//! What is asked for goes on without us. Whoever asks again names the generation of the first
//! answer, so nothing is revoked twice.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use perennial_core::{clock::Clock as _, generation::GRACE_DEFAULT, name::SecretRef};
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{RevocationPhase, RevokeRequest, RevokeResponse};
use perennial_rpc::convert;
use tokio::{signal, time};
use tonic::{Status, Streaming};

use crate::{
    args::{Output, RevokeArgs},
    connect::Scheduler,
    error::CliError,
    exit::Exit,
    json,
    live::{DRAW_INTERVAL, Live, RETRY_PAUSE},
};

pub mod text;

/// Longest silence of a scheduler that is asked.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long is waited beyond the grace where `--timeout` does not say: for the new token, and until
/// an old one is refused.
const BEYOND_GRACE: Duration = Duration::from_secs(2 * 60);

/// How one stream ended.
enum End {
    Done,
    Lost(Status),
}

/// Why nobody watches any longer.
enum Left {
    Interrupted,
    OutOfTime,
}

pub(crate) async fn run(scheduler: Scheduler, args: RevokeArgs) -> Result<Exit, CliError> {
    let RevokeArgs { secret, grace, generation, timeout, output } = args;
    let usual = grace.unwrap_or(GRACE_DEFAULT).saturating_add(BEYOND_GRACE);
    let timeout = timeout.unwrap_or(usual);
    let request = RevokeRequest {
        namespace: secret.namespace.to_string(),
        name: secret.name.to_string(),
        generation: generation.unwrap_or_default(),
        grace: grace.map(convert::duration),
    };
    let json = output.output == Output::Json;
    let mut watch = Watch { secret, json, live: Live::stdout(), last: None };
    let left = tokio::select! {
        done = watch.follow(scheduler, request) => return done.map_or_else(told, |()| Ok(Exit::Ok)),
        _ = signal::ctrl_c() => Left::Interrupted,
        () = time::sleep(timeout) => Left::OutOfTime,
    };
    watch.leave(&left, timeout)
}

/// The text about a Secret that is not revocable has lines to be copied, and is printed as it is.
fn told(error: CliError) -> Result<Exit, CliError> {
    match &error {
        CliError::Call(remote) if error.code() == "NOT_REVOCABLE" => {
            // An error is for stderr; that it cannot be told is no reason for another one.
            let _ = writeln!(io::stderr(), "perennial: {}", remote.message());
            Ok(Exit::Invalid)
        }
        _ => Err(error),
    }
}

struct Watch {
    secret: SecretRef,
    json: bool,
    live: Live<io::Stdout>,
    last: Option<RevokeResponse>,
}

impl Watch {
    /// Asks until it is done. Before the first answer whatever fails is the end.
    async fn follow(
        &mut self,
        mut scheduler: Scheduler,
        mut request: RevokeRequest,
    ) -> Result<(), CliError> {
        loop {
            let asked = time::timeout(ANSWER_TIMEOUT, scheduler.revoke(request.clone())).await;
            let lost = match asked {
                Ok(Ok(stream)) => match self.show(stream.into_inner()).await? {
                    End::Done => return Ok(()),
                    End::Lost(status) => status,
                },
                Ok(Err(status)) => status,
                Err(_) => Status::unavailable("it does not answer"),
            };
            let error = CliError::call(lost);
            let Some(last) = self.last.as_ref().filter(|_| error.exit() == Exit::Unavailable)
            else {
                return Err(error);
            };
            request.generation = last.generation;
            self.say("the scheduler went away; asking again")?;
            time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Shows one stream until it is done or lost.
    async fn show(&mut self, mut stream: Streaming<RevokeResponse>) -> Result<End, CliError> {
        let mut beat = time::interval(DRAW_INTERVAL);
        loop {
            tokio::select! {
                message = stream.message() => match message {
                    Ok(Some(message)) => {
                        let is_done = message.phase() == RevocationPhase::Done;
                        self.take(message)?;
                        if is_done {
                            return Ok(End::Done);
                        }
                    }
                    Ok(None) => {
                        let ended = Status::unavailable("the scheduler ended the stream");
                        return Ok(End::Lost(ended));
                    }
                    Err(status) => return Ok(End::Lost(status)),
                },
                _ = beat.tick() => self.draw()?,
            }
        }
    }

    fn take(&mut self, message: RevokeResponse) -> Result<(), CliError> {
        if self.json {
            json::print_line(&message)?;
        } else if let Some(line) = text::news(self.last.as_ref(), &message, SystemClock.now()) {
            self.say(&line)?;
        }
        self.last = Some(message);
        self.draw()
    }

    /// The line that counts down; none where there is no terminal.
    fn draw(&mut self) -> Result<(), CliError> {
        let line = self.last.as_ref().and_then(|last| text::countdown(last, SystemClock.now()));
        match line.filter(|_| !self.json) {
            Some(line) => self.live.draw(&[line]).map_err(CliError::Output),
            None => Ok(()),
        }
    }

    fn say(&mut self, line: &str) -> Result<(), CliError> {
        if self.json {
            return Ok(());
        }
        let line = format!("{}  {line}", self.secret);
        self.live.say(&line).map_err(CliError::Output)
    }

    /// It goes on without us.
    fn leave(&mut self, why: &Left, timeout: Duration) -> Result<Exit, CliError> {
        let line = text::left(&self.secret, self.last.as_ref());
        let line = match why {
            Left::Interrupted => line,
            Left::OutOfTime => {
                let seconds = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
                let timeout = perennial_core::length::length(seconds);
                format!("not done within {timeout} (--timeout); {line}")
            }
        };
        let last = self.last.as_ref().map(text::state).unwrap_or_default();
        self.say(&last)?;
        let _ = writeln!(io::stderr(), "perennial: {line}"); // nothing is left to do
        Ok(Exit::Temporary)
    }
}
