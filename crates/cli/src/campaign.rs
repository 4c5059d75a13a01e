//! `perennial campaign` and `perennial rotate-keys`: many tokens renewed, and waited for.
//!
//! A campaign goes on without us. Whoever loses the stream opens it anew.

use std::io::{self, Write as _};

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use perennial_core::clock::Clock as _;
use perennial_process::clock::SystemClock;
use perennial_proto::scheduler::v1::{
    CampaignPhase, CampaignProgress, CancelCampaignRequest, GetCampaignRequest,
    ListCampaignsRequest, StartCampaignRequest, WatchCampaignRequest,
    start_campaign_request::Wanted,
};
use perennial_rpc::convert;
use tokio::{signal, time};
use tonic::Status;

use crate::{
    args::{
        Output, OutputArgs,
        campaign::{
            Action, HowArgs, RevokeAllArgs, RotateKeysArgs, SelectionArgs, StartArgs, WatchArgs,
        },
    },
    connect::{Scheduler, with_deadline},
    error::CliError,
    exit::Exit,
    json, list,
    live::RETRY_PAUSE,
};

pub mod text;

/// Tries in a row to open the stream anew.
const TRIES_MAX: u32 = 60;

pub(crate) async fn run(scheduler: Scheduler, action: Action) -> Result<Exit, CliError> {
    match action {
        Action::Start(args) => {
            let StartArgs { selection, how } = args;
            let wanted = Some(Wanted::IssuedFromNow(true));
            let request = StartCampaignRequest { wanted, ..selected(selection) };
            start(scheduler, request, how).await
        }
        Action::Revoke(args) => {
            let RevokeAllArgs { selection, grace, how } = args;
            let wanted = Some(Wanted::RevokedFromNow(true));
            let grace = grace.map(convert::duration);
            let request = StartCampaignRequest { wanted, grace, ..selected(selection) };
            start(scheduler, request, how).await
        }
        Action::List(args) => list_all(scheduler, args.output).await,
        Action::Watch(WatchArgs { id, output }) => {
            watch(scheduler, &id.to_string(), output.output).await
        }
        Action::Show(WatchArgs { id, output }) => {
            show(scheduler, &id.to_string(), output.output).await
        }
        Action::Cancel(WatchArgs { id, output }) => {
            cancel(scheduler, &id.to_string(), output.output).await
        }
    }
}

pub(crate) async fn rotate(scheduler: Scheduler, args: RotateKeysArgs) -> Result<Exit, CliError> {
    let RotateKeysArgs { namespace, drop, to, how } = args;
    let wanted = match (drop, to) {
        (Some(key), _) => Wanted::NotSignedBy(key),
        (None, Some(key)) => Wanted::SignedBy(key),
        (None, None) => return Err(CliError::Usage("--drop or --to is missing".to_owned())),
    };
    let request = StartCampaignRequest {
        namespace: namespace.to_string(),
        wanted: Some(wanted),
        ..StartCampaignRequest::default()
    };
    start(scheduler, request, how).await
}

fn selected(selection: SelectionArgs) -> StartCampaignRequest {
    let SelectionArgs { namespace, all, selector } = selection;
    StartCampaignRequest {
        namespace: namespace.map(|namespace| namespace.to_string()).unwrap_or_default(),
        all,
        label_selector: selector.map(|selector| selector.to_string()).unwrap_or_default(),
        ..StartCampaignRequest::default()
    }
}

async fn start(
    mut scheduler: Scheduler,
    request: StartCampaignRequest,
    HowArgs { reason, no_wait, output: OutputArgs { output } }: HowArgs,
) -> Result<Exit, CliError> {
    let request = StartCampaignRequest { reason: reason.as_str().to_owned(), ..request };
    let answer = scheduler.start_campaign(with_deadline(request)).await.map_err(CliError::call)?;
    let campaign = answer.get_ref().campaign.clone().unwrap_or_default();
    match output {
        Output::Text => list::print(&[text::begun(&campaign)])?,
        Output::Json if no_wait => json::print(answer.get_ref())?,
        Output::Json => {}
    }
    if no_wait {
        return Ok(Exit::Ok);
    }
    watch(scheduler, &campaign.id, output).await
}

/// Until it is over, or somebody has seen enough.
async fn watch(scheduler: Scheduler, id: &str, output: Output) -> Result<Exit, CliError> {
    let mut shown = Shown::new(output);
    let last = tokio::select! {
        last = follow(scheduler, id, &mut shown) => last?,
        _ = signal::ctrl_c() => {
            shown.bar.abandon();
            let line = format!("perennial: it goes on; perennial campaign watch {id} shows how far");
            writeln!(io::stderr(), "{line}").map_err(CliError::Output)?;
            return Ok(Exit::Temporary);
        }
    };
    shown.bar.finish_and_clear();
    if output == Output::Text {
        list::print(&text::progress(&last, SystemClock.now()))?;
    }
    Ok(exit(&last))
}

async fn follow(
    mut scheduler: Scheduler,
    id: &str,
    shown: &mut Shown,
) -> Result<CampaignProgress, CliError> {
    let mut tries = 0;
    loop {
        let ended = match open(&mut scheduler, id).await {
            Ok(mut stream) => loop {
                match stream.message().await {
                    Ok(Some(message)) => {
                        tries = 0;
                        let progress = message.progress.unwrap_or_default();
                        shown.show(&progress, SystemClock.now())?;
                        if progress.phase() != CampaignPhase::Running {
                            return Ok(progress);
                        }
                    }
                    Ok(None) => break Status::unavailable("the stream ended"),
                    Err(status) => break status,
                }
            },
            Err(status) => status,
        };
        let error = CliError::call(ended);
        tries += 1;
        if !error.is_temporary() || tries > TRIES_MAX {
            return Err(error);
        }
        shown.bar.set_message(format!("{error}; asking again"));
        time::sleep(RETRY_PAUSE).await;
    }
}

async fn open(
    scheduler: &mut Scheduler,
    id: &str,
) -> Result<tonic::Streaming<perennial_proto::scheduler::v1::WatchCampaignResponse>, Status> {
    let request = WatchCampaignRequest { id: id.to_owned() };
    Ok(scheduler.watch_campaign(request).await?.into_inner())
}

async fn show(mut scheduler: Scheduler, id: &str, output: Output) -> Result<Exit, CliError> {
    let request = with_deadline(GetCampaignRequest { id: id.to_owned() });
    let answer = scheduler.get_campaign(request).await.map_err(CliError::call)?;
    let progress = answer.get_ref().progress.clone().unwrap_or_default();
    match output {
        Output::Text => list::print(&text::progress(&progress, SystemClock.now()))?,
        Output::Json => json::print(answer.get_ref())?,
    }
    Ok(exit(&progress))
}

async fn cancel(mut scheduler: Scheduler, id: &str, output: Output) -> Result<Exit, CliError> {
    let request = with_deadline(CancelCampaignRequest { id: id.to_owned() });
    let answer = scheduler.cancel_campaign(request).await.map_err(CliError::call)?;
    match output {
        Output::Text => {
            let progress = answer.get_ref().progress.clone().unwrap_or_default();
            list::print(&text::progress(&progress, SystemClock.now()))?;
        }
        Output::Json => json::print(answer.get_ref())?,
    }
    Ok(Exit::Ok)
}

async fn list_all(mut scheduler: Scheduler, output: Output) -> Result<Exit, CliError> {
    let request = with_deadline(ListCampaignsRequest {});
    let answer = scheduler.list_campaigns(request).await.map_err(CliError::call)?;
    match output {
        Output::Text => list::print(&text::table(&answer.get_ref().campaigns, SystemClock.now()))?,
        Output::Json => json::print(answer.get_ref())?,
    }
    Ok(Exit::Ok)
}

fn exit(progress: &CampaignProgress) -> Exit {
    match progress.phase() {
        CampaignPhase::Done | CampaignPhase::Running => Exit::Ok,
        CampaignPhase::Incomplete | CampaignPhase::Cancelled | CampaignPhase::Unspecified => {
            Exit::Trouble
        }
    }
}

/// A bar where stdout is a terminal; else a line for each change that is worth one.
struct Shown {
    output: Output,
    bar: ProgressBar,
    said: Option<String>,
}

impl Shown {
    fn new(output: Output) -> Self {
        let bar = match output {
            Output::Text => ProgressBar::new(0), // on stderr, and hidden where that is no terminal
            Output::Json => ProgressBar::hidden(),
        };
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}\n{wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { output, bar, said: None }
    }

    fn show(&mut self, progress: &CampaignProgress, now: Timestamp) -> Result<(), CliError> {
        if self.output == Output::Json {
            return json::print_line(progress);
        }
        self.bar.set_length(progress.total);
        self.bar.set_position(progress.done);
        let line = text::line(progress, now);
        self.bar.set_message(line.clone());
        // A line for each tenth, so that a log of it stays short.
        let tenth = text::tenth(progress);
        if self.bar.is_hidden() && self.said.as_ref() != Some(&tenth) {
            self.said = Some(tenth);
            list::print(&[line])?;
        }
        Ok(())
    }
}
