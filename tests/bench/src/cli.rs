//! The command line of `bench`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::{
    bare, growth, hostile, latency, replicas, report, restart, rounds,
    stage::{Size, Stage},
};

/// Perennial beside the bare loop, on real API servers, in one run.
///
/// The bare loop is a TokenRequest and the same patch with the same client library, the same number in
/// flight and the same watch open, and no logic. Rounds alternate; medians and their spread are told.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure: throughput, CPU, calls, memory, added latency, cost of a restart
    Run(RunArgs),
    /// The same work with more Secrets over many shoots: time, memory, and how long a start takes
    Growth(growth::GrowthArgs),
    /// The same work beside 300 MB of others' Secrets, under edits without end, and with one shoot slow
    Hostile(hostile::HostileArgs),
    /// The same work with one, two and three replicas of each service
    Replicas(replicas::ReplicasArgs),
    /// The bare loop, once over all Secrets of its set; `run` starts it as a process of its own
    #[command(hide = true)]
    Bare(bare::BareArgs),
}

/// What `run` measures.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Secrets of each set, all of one shoot
    #[arg(long, default_value_t = 2_000)]
    pub secrets: usize,
    /// Rounds of each kind
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Renewals at once, one after the other
    #[arg(long, value_delimiter = ',', default_value = "8,32")]
    pub in_flight: Vec<usize>,
    /// Secrets of the slow part, in which latency is measured
    #[arg(long, default_value_t = 200)]
    pub slow: usize,
    /// 200 Secrets, one round, no slow part: for the counts, which are held to
    #[arg(long)]
    pub quick: bool,
    /// Where the figures go, as JSON; a table in Markdown stands beside it
    #[arg(long, default_value = "target/bench/latest.json")]
    pub out: PathBuf,
}

impl RunArgs {
    fn settled(self) -> Self {
        match self.quick {
            true => Self { secrets: self.secrets.min(200), rounds: 1, in_flight: vec![8], ..self },
            false => self,
        }
    }
}

/// Parses, measures, and says what is wrong.
#[must_use]
pub fn main() -> ExitCode {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let outcome = match provider.install_default() {
        Ok(()) => run(Cli::parse()),
        Err(_) => Err(anyhow::anyhow!("there is a crypto provider already")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Run(args) => measure(args.settled()).await,
            Command::Growth(args) => growth::measure(args).await,
            Command::Hostile(args) => hostile::measure(args).await,
            Command::Replicas(args) => replicas::measure(args).await,
            Command::Bare(args) => bare::main(args).await,
        }
    })
}

async fn measure(args: RunArgs) -> Result<()> {
    let mut report = report::Report::new(&args);
    for in_flight in args.in_flight.clone() {
        println!("bench: {in_flight} in flight, {} Secrets of each set", args.secrets);
        let stage = Stage::start(Size { secrets: args.secrets, shoots: 0 }, in_flight).await?;
        report.throughput.insert(in_flight, rounds::alternate(&stage, args.rounds).await?);
        if report.restart_calls.is_empty() {
            report.restart_calls = restart::cost(&stage).await?;
        }
        stage.end().await?;
    }
    if !args.quick {
        println!("bench: 10 renewals a second, {} Secrets", args.slow);
        report.latency = Some(latency::slowly(args.slow).await?);
    }
    report.write(&args.out)?;
    report.hold_counts()
}
