//! The same work in bad company: Secrets of others, edits without end, a shoot that is slow.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use perennial_core::clock::Clock as _;
use perennial_lab::{proxy::Mode, shoot::namespace};
use perennial_process::clock::SystemClock;
use serde::Serialize;
use serde_json::json;
use tokio::time;

use crate::{
    cost::{self, Reading},
    growth::{self, since},
    pace,
    report::save,
    rounds::{self, Round},
    stage::{Size, Stage, served_name},
};

/// Data of each foreign Secret: an API server takes 1 MiB, and a request of 1.5 MiB in base64.
const FOREIGN_BYTES: usize = 1_000_000;
/// Renewals, edits and foreign Secrets at once.
const IN_FLIGHT: usize = 8;
/// By so much each piece to and from the slow shoot is late: a call takes a second at least.
const SLOW: Duration = Duration::from_millis(500);
/// What an edit changes.
const EDITED: &str = "bench.perennial.dev/edited";

/// What is measured.
#[derive(Clone, Debug, Args)]
pub struct HostileArgs {
    /// Secrets that are served
    #[arg(long, default_value_t = 1_000)]
    secrets: usize,
    /// Shoots that they are spread over, each behind a proxy of its own; one of them becomes slow
    #[arg(long, default_value_t = 10)]
    shoots: usize,
    /// Secrets of others on the seed, in MB
    #[arg(long, default_value_t = 300)]
    foreign_mb: usize,
    /// Unrelated edits of access Secrets, a minute
    #[arg(long, default_value_t = 10_000)]
    edits_per_minute: u32,
    /// For how long they go on
    #[arg(long, default_value_t = 60)]
    edit_seconds: u32,
    /// Where the figures go, as JSON
    #[arg(long, default_value = "target/bench/hostile.json")]
    out: PathBuf,
}

#[derive(Clone, Debug, Serialize)]
struct Figures {
    /// Before anything else is there.
    alone: State,
    /// With the Secrets of others.
    beside_foreign: State,
    edits: Edits,
    slow_shoot: Slow,
}

/// After a round and a restart of each service.
#[derive(Clone, Debug, Serialize)]
struct State {
    round: Round,
    /// From its start until a service is ready, with all Secrets.
    start_s: BTreeMap<String, f64>,
    /// After that start.
    resident_mib: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, Serialize)]
struct Edits {
    made: usize,
    per_minute: f64,
    token_requests: u64,
    /// Writes of Secrets that were none of the edits.
    other_writes: u64,
    secret_gets: u64,
    /// CPU for each edit, in milliseconds.
    cpu_ms: BTreeMap<String, f64>,
}

/// All Secrets renewed at once, one shoot slow: the others' renewals a second beside those without it.
#[derive(Clone, Debug, Serialize)]
struct Slow {
    fast_per_second: f64,
    before_per_second: f64,
}

/// Measures all three and writes what came out.
///
/// # Errors
/// Something fails, or an edit cost a token.
pub async fn measure(args: HostileArgs) -> Result<()> {
    let size = Size { secrets: args.secrets, shoots: args.shoots };
    println!("bench: {} Secrets of {} shoots, alone", size.secrets, size.shoots);
    let stage = Stage::start(size, IN_FLIGHT).await?;
    let alone = state(&stage).await?;
    println!("bench: beside {} MB of others' Secrets", args.foreign_mb);
    crowd(&stage.lab.seed().client(), args.foreign_mb * 1_000_000 / FOREIGN_BYTES).await?;
    let beside_foreign = state(&stage).await?;
    println!("bench: {} edits a minute for {} s", args.edits_per_minute, args.edit_seconds);
    let edits = edit(&stage, &args).await?;
    println!("bench: one shoot slow by {SLOW:?}");
    let slow_shoot = slow(&stage, &beside_foreign.round).await?;
    stage.end().await?;
    let figures = Figures { alone, beside_foreign, edits, slow_shoot };
    let text = serde_json::to_string_pretty(&figures)?;
    save(&args.out, &figures, &text)?;
    println!("{text}\nbench: {}", args.out.display());
    let Edits { token_requests, other_writes, secret_gets, .. } = figures.edits;
    let cost = token_requests + other_writes + secret_gets;
    anyhow::ensure!(cost == 0, "unrelated edits cost {cost} calls, where none is promised");
    Ok(())
}

async fn state(stage: &Stage) -> Result<State> {
    let round = rounds::services_round(stage).await?;
    let start_s = growth::starts(stage).await?;
    let resident_mib = cost::resident_of_services(&stage.lab)?;
    println!("bench: {:.0}/s, resident {resident_mib:.1?}", round.per_second);
    Ok(State { round, start_s, resident_mib })
}

/// Half of them stand beside access Secrets.
async fn crowd(seed: &Client, count: usize) -> Result<()> {
    let made = stream::iter(0..count).map(|number| {
        let place = if number.is_multiple_of(2) { "default".to_owned() } else { namespace(1) };
        let api: Api<Secret> = Api::namespaced(seed.clone(), &place);
        async move {
            let secret = Secret {
                metadata: ObjectMeta {
                    name: Some(format!("foreign-{number:04}")),
                    ..ObjectMeta::default()
                },
                data: Some([("blob".to_owned(), ByteString(vec![b'x'; FOREIGN_BYTES]))].into()),
                ..Secret::default()
            };
            api.create(&PostParams::default(), &secret).await.map(drop)
        }
    });
    Ok(made.buffer_unordered(IN_FLIGHT).try_collect::<()>().await?)
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
async fn edit(stage: &Stage, args: &HostileArgs) -> Result<Edits> {
    let before = Reading::take(&stage.lab).await?;
    let began = SystemClock.now();
    let count = (args.edits_per_minute * args.edit_seconds / 60) as usize;
    let every = Duration::from_secs(60) / args.edits_per_minute;
    let seed = stage.lab.seed().client();
    let edits = pace::numbers(Some(every)).take(count).map(|number| {
        let secret = number % stage.size.secrets;
        let shoot = namespace(stage.size.shoot(secret));
        let api: Api<Secret> = Api::namespaced(seed.clone(), &shoot);
        async move {
            let patch = json!({"metadata": {"annotations": {EDITED: number.to_string()}}});
            let (name, params) = (served_name(secret), PatchParams::default());
            api.patch_metadata(&name, &params, &Patch::Merge(&patch)).await.map(drop)
        }
    });
    edits.buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
    let took_s = since(began);
    time::sleep(rounds::COUNTED).await;
    let after = Reading::take(&stage.lab).await?;
    let calls = after.calls_since(&before);
    let of = |kind: &str| calls.get(kind).copied().unwrap_or_default();
    let cpu = after.cpu_since(&before).into_iter();
    let edits = Edits {
        made: count,
        per_minute: count as f64 * 60.0 / took_s,
        token_requests: of("token_requests"),
        other_writes: of("secret_writes").saturating_sub(count as u64),
        secret_gets: of("secret_gets"),
        cpu_ms: cpu.map(|(name, cpu)| (name, cpu / count as f64)).collect(),
    };
    println!("bench: {edits:.3?}");
    Ok(edits)
}

async fn slow(stage: &Stage, before: &Round) -> Result<Slow> {
    let proxied = stage.lab.proxied().first().context("no shoot behind a proxy")?;
    proxied.set(Mode::Delay(SLOW)).await?;
    let slow = namespace(proxied.number());
    rounds::services_round(stage).await?;
    proxied.set(Mode::Open).await?;
    let fast_per_second = stage.watch.rate_but(&slow).context("nothing was written")?;
    Ok(Slow { fast_per_second, before_per_second: before.per_second })
}
