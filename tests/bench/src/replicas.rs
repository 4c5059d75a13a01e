//! The same work with more replicas of each service: what each adds, and what the seed pays for it.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf, time::Duration};

use anyhow::Result;
use clap::Args;
use perennial_lab::{Options, service::SERVICES};
use serde::Serialize;
use tokio::time;

use crate::{
    cost::Reading,
    report::{median, save},
    rounds::{self, Rounds},
    stage::{Size, Stage},
};

/// The seed is watched for so long while nothing is renewed. Watches are begun anew each minute, so that what is
/// counted in it is what is open.
const IDLE: Duration = Duration::from_secs(60);

/// What is measured.
#[derive(Clone, Debug, Args)]
pub struct ReplicasArgs {
    /// Secrets of each set
    #[arg(long, default_value_t = 1_000)]
    secrets: usize,
    /// Shoots that they are spread over, each behind a proxy of its own
    #[arg(long, default_value_t = 10)]
    shoots: usize,
    /// Renewals at once
    #[arg(long, default_value_t = 8)]
    in_flight: usize,
    /// Rounds of each kind
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Most replicas of a service
    #[arg(long, default_value_t = 3)]
    most: usize,
    /// Where the figures go, as JSON; a table in Markdown stands beside it
    #[arg(long, default_value = "target/bench/replicas.json")]
    out: PathBuf,
}

/// How many of each of [`SERVICES`].
type Count = [usize; 3];

#[derive(Clone, Debug, Serialize)]
struct Figures {
    token_issuers: usize,
    secret_writers: usize,
    schedulers: usize,
    rounds: Rounds,
    /// By kind of service, all replicas of it: CPU of a renewal, in milliseconds, and resident memory.
    cpu_ms: BTreeMap<&'static str, f64>,
    resident_mib: BTreeMap<&'static str, f64>,
    idle: Idle,
}

/// The seed while nothing is renewed, in a minute.
#[derive(Clone, Debug, Serialize)]
struct Idle {
    watches: u64,
    lease_reads: u64,
    lease_writes: u64,
    /// Secrets that were read, listed or written.
    secret_calls: u64,
    /// CPU of the API server, in milliseconds a second.
    seed_cpu_ms: f64,
}

/// Measures one after the other and writes what came out.
///
/// # Errors
/// Something fails.
pub async fn measure(args: ReplicasArgs) -> Result<()> {
    let mut all = Vec::new();
    for count in counts(args.most) {
        all.push(with(&args, count).await?);
        save(&args.out, &all, &table(&all))?;
    }
    println!("{}\nbench: {}", table(&all), args.out.display());
    Ok(())
}

/// One of each, then more of one kind at a time.
fn counts(most: usize) -> Vec<Count> {
    let more = (0..SERVICES.len()).flat_map(|kind| (2..=most).map(move |count| (kind, count)));
    let with = more.map(|(kind, count)| {
        let mut counts = [1; 3];
        counts[kind] = count;
        counts
    });
    std::iter::once([1; 3]).chain(with).collect()
}

async fn with(args: &ReplicasArgs, count: Count) -> Result<Figures> {
    let [issuer_replicas, writer_replicas, scheduler_replicas] = count;
    println!(
        "bench: {issuer_replicas} token-issuers, {writer_replicas} secret-writers, {scheduler_replicas} schedulers"
    );
    let size = Size { secrets: args.secrets, shoots: args.shoots };
    let options =
        Options { issuer_replicas, writer_replicas, scheduler_replicas, ..Options::default() };
    let stage = Stage::start_with(size, args.in_flight, options).await?;
    let rounds = rounds::alternate(&stage, args.rounds).await?;
    let idle = idle(&stage).await?;
    stage.end().await?;
    let of_kind = |kind: &'static str| {
        let is_one = move |name: &str| name.starts_with(kind); // `scheduler`, `scheduler-2`
        let cpu = median(&rounds.services, |round| {
            round.cpu_ms.iter().filter(|(name, _)| is_one(name)).map(|(_, cpu)| cpu).sum()
        });
        let resident = rounds.resident_mib.iter().filter(|(name, _)| is_one(name));
        ((kind, cpu), (kind, resident.map(|(_, mib)| mib).sum::<f64>()))
    };
    let (cpu_ms, resident_mib) = SERVICES.into_iter().map(of_kind).unzip();
    Ok(Figures {
        token_issuers: issuer_replicas,
        secret_writers: writer_replicas,
        schedulers: scheduler_replicas,
        rounds,
        cpu_ms,
        resident_mib,
        idle,
    })
}

async fn idle(stage: &Stage) -> Result<Idle> {
    let before = Reading::take(&stage.lab).await?;
    time::sleep(IDLE).await;
    let after = Reading::take(&stage.lab).await?;
    let seed = after.seed.since(&before.seed);
    let cpu = after.cpu_since(&before).get("seed").copied().unwrap_or_default();
    Ok(Idle {
        watches: seed.count(|request| request.verb == "WATCH"),
        lease_reads: seed.count(|r| r.resource == "leases" && r.verb == "GET"),
        lease_writes: seed.writes("leases"),
        secret_calls: seed.count(|r| r.resource == "secrets" && r.verb != "WATCH"),
        seed_cpu_ms: cpu / IDLE.as_secs_f64(),
    })
}

fn table(all: &[Figures]) -> String {
    let mut text = String::from(
        "| token-issuers | secret-writers | schedulers | services | of the bare loop | CPU token-issuer | secret-writer | scheduler | API servers | resident | seed, idle: watches | lease writes a minute | CPU |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for figures in all {
        let Figures { rounds, cpu_ms, idle, .. } = figures;
        let cpu = |kind: &str| cpu_ms.get(kind).copied().unwrap_or(f64::NAN);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.0}/s | {:.2} | {:.2} ms | {:.2} ms | {:.2} ms | {:.1} ms | {:.0} MiB | {} | {} | {:.1} ms/s |",
            figures.token_issuers,
            figures.secret_writers,
            figures.schedulers,
            median(&rounds.services, |round| round.per_second),
            rounds.ratio(),
            cpu("token-issuer"),
            cpu("secret-writer"),
            cpu("scheduler"),
            median(&rounds.services, |round| round.cpu(&["seed", "shoot"])),
            figures.resident_mib.values().sum::<f64>(),
            idle.watches,
            idle.lease_writes,
            idle.seed_cpu_ms,
        );
    }
    text
}
