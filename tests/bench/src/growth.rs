//! The same work with more and more Secrets: what grows with them, and how.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use jiff::Timestamp;
use perennial_core::clock::Clock as _;
use perennial_process::clock::SystemClock;
use serde::Serialize;

use crate::{
    report::save,
    restart,
    rounds::{self, Rounds},
    stage::{Size, Stage},
};

/// What is measured.
#[derive(Clone, Debug, Args)]
pub struct GrowthArgs {
    /// Secrets of each set, one size after the other; 30,000 take half an hour
    #[arg(long, value_delimiter = ',', default_value = "1000,5000")]
    secrets: Vec<usize>,
    /// Shoots that they are spread over, each behind a proxy of its own
    #[arg(long, default_value_t = 25)]
    shoots: usize,
    /// Renewals at once
    #[arg(long, default_value_t = 8)]
    in_flight: usize,
    /// Where the figures go, as JSON; a table in Markdown stands beside it
    #[arg(long, default_value = "target/bench/growth.json")]
    out: PathBuf,
}

/// What one size came to.
#[derive(Clone, Debug, Serialize)]
struct Grown {
    secrets: usize,
    shoots: usize,
    /// From the first Secret that was made to the last first token, accounts made on the way.
    first_tokens_s: f64,
    /// To renew all at once: the bare loop, and the services.
    bare_s: f64,
    services_s: f64,
    drain_ratio: f64,
    /// One round of each, and resident memory after it.
    rounds: Rounds,
    /// From the start of the process until it has decided on every Secret, or could be asked about each;
    /// all three after the other, then all three at once.
    start_s: BTreeMap<String, f64>,
    /// By service and kind of call.
    restart_calls: BTreeMap<String, BTreeMap<String, u64>>,
}

/// Measures one size after the other and writes what came out.
///
/// # Errors
/// Something fails.
pub async fn measure(args: GrowthArgs) -> Result<()> {
    let mut all = Vec::new();
    for &secrets in &args.secrets {
        all.push(grown(Size { secrets, shoots: args.shoots }, args.in_flight).await?);
        // After each, because the next one may take half an hour.
        save(&args.out, &all, &table(&all))?;
    }
    println!("{}\nbench: {}", table(&all), args.out.display());
    Ok(())
}

async fn grown(size: Size, in_flight: usize) -> Result<Grown> {
    let Size { secrets, shoots } = size;
    println!("bench: {secrets} Secrets of {shoots} shoots, {in_flight} in flight");
    let stage = Stage::start(size, in_flight).await?;
    let first_tokens_s = stage.first_tokens.as_secs_f64();
    println!("bench: first tokens after {first_tokens_s:.1} s");
    let rounds = rounds::alternate(&stage, 1).await?;
    let (bare, services) = (rounds.bare.first(), rounds.services.first());
    let (bare, services) = (bare.context("no round")?, services.context("no round")?);
    let start_s = starts(&stage).await?;
    let grown = Grown {
        secrets,
        shoots,
        first_tokens_s,
        bare_s: bare.seconds(size),
        services_s: services.seconds(size),
        drain_ratio: rounds.ratio().recip(),
        rounds,
        start_s,
        restart_calls: restart::cost(&stage).await?,
    };
    stage.end().await?;
    Ok(grown)
}

/// Each service alone, then all three at once.
pub(crate) async fn starts(stage: &Stage) -> Result<BTreeMap<String, f64>> {
    let mut took = BTreeMap::new();
    for service in stage.lab.services() {
        service.stop().await?;
        let began = SystemClock.now();
        service.start().await?;
        took.insert(service.name().to_owned(), since(began));
    }
    for service in stage.lab.services() {
        service.stop().await?;
    }
    let began = SystemClock.now();
    let all = stage.lab.services().iter().map(|service| service.start());
    futures::future::try_join_all(all).await?;
    took.insert("all".to_owned(), since(began));
    println!("bench: starts: {took:.2?}");
    Ok(took)
}

pub(crate) fn since(moment: Timestamp) -> f64 {
    SystemClock.now().duration_since(moment).as_secs_f64()
}

fn table(all: &[Grown]) -> String {
    let mut text = String::from(
        "| Secrets | shoots | all at once, bare | services | ratio | CPU services | token-issuer | secret-writer | scheduler | start of the scheduler | of all three |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for grown in all {
        let memory = |name: &str| grown.rounds.resident_mib.get(name).copied().unwrap_or(f64::NAN);
        let start = |name: &str| grown.start_s.get(name).copied().unwrap_or(f64::NAN);
        let _ = writeln!(
            text,
            "| {} | {} | {:.1} s | {:.1} s | {:.3} | {:.3} ms | {:.1} MiB | {:.1} MiB | {:.1} MiB | {:.2} s | {:.2} s |",
            grown.secrets,
            grown.shoots,
            grown.bare_s,
            grown.services_s,
            grown.drain_ratio,
            grown.rounds.cpu_of_services(),
            memory("token-issuer"),
            memory("secret-writer"),
            memory("scheduler"),
            start("scheduler"),
            start("all"),
        );
    }
    text
}
