//! What happens, and when.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::RENEWAL_BASIS;
use super::components::{self, SHOOTS, access_secrets};
use super::proof::{self, Baseline};
use super::stage::Stage;
use crate::lab::Lab;

/// How long each act is watched; with start and proof about a minute.
const ACT: Duration = Duration::from_secs(13);

/// Longest wait for something that takes a moment.
const MOMENT: Duration = Duration::from_secs(30);

/// Tells the story; whether everything was proved.
pub(super) async fn tell(lab: &Lab, keep: bool) -> Result<bool> {
    let mut stage = Stage::set(lab)?;
    stage.say(&format!(
        "\n1/5  Two shoots, each with a real API server; Perennial has a token of its own in both.\n\
         \x20    Every token is renewed within 80 % of {RENEWAL_BASIS}, so that one can watch.\n"
    ))?;
    let baseline = baseline(lab, &mut stage).await?;

    stage.say(&format!(
        "\n2/5  {} components get an access Secret each.\n",
        access_secrets().len()
    ))?;
    for number in SHOOTS {
        components::create(number, &lab.seed().client()).await?;
    }
    let keys = access_secrets();
    if !stage.play_until(MOMENT, |ledger| ledger.waits(&keys).is_some()).await? {
        bail!("not every Secret got a token within {MOMENT:?}");
    }
    let waits = stage.ledger.waits(&keys).unwrap_or_default();
    let longest = waits.last().copied().unwrap_or_default();
    stage.say(&format!("\n     All have a token, the last one after {longest:.2} s.\n"))?;
    stage.play(ACT).await?;

    stage.say(
        "\n3/5  The bootstrap credentials are removed: Perennial lives on its own tokens now.\n",
    )?;
    for number in SHOOTS {
        components::remove_bootstrap(number, &lab.seed().client()).await?;
    }
    let removed = stage.ledger.counts();
    stage.play(ACT).await?;

    let killed = lab.service("scheduler").kill()?;
    stage.say(&format!(
        "\n4/5  The scheduler (pid {killed}) is killed, and started again by the lab.\n"
    ))?;
    stage.play(ACT).await?;

    stage.say("\n5/5  Proof. The scheduler is stopped, so that everything can be counted.\n")?;
    lab.service("scheduler").stop().await?;
    stage.play(Duration::from_secs(1)).await?;
    let proved = proof::all(lab, &mut stage, &baseline, &removed, longest).await?;
    if keep {
        lab.service("scheduler").start().await?;
        stay(lab, &mut stage).await?;
    }
    Ok(proved)
}

/// Counts while nothing can change: the scheduler is down.
async fn baseline(lab: &Lab, stage: &mut Stage) -> Result<Baseline> {
    lab.service("scheduler").stop().await?;
    stage.play(Duration::from_secs(1)).await?;
    let mut granted = BTreeMap::new();
    for number in SHOOTS {
        let counts = lab.shoot(number).request_counts().await?;
        granted.insert(number, counts.tokens_granted());
    }
    lab.service("scheduler").start().await?;
    Ok(Baseline { granted, tokens: stage.ledger.counts() })
}

/// Shows how to look around, and goes on until somebody interrupts.
async fn stay(lab: &Lab, stage: &mut Stage) -> Result<()> {
    crate::binaries::grpcurl().await?;
    let file = environment_file(lab)?;
    let call = "grpcurl -cacert $LAB_OPERATOR_CA -cert $LAB_OPERATOR_CERT -key $LAB_OPERATOR_KEY";
    let one = r#"'{"namespace": "shoot--lab--1", "name": "shoot-access-kube-scheduler"}'"#;
    stage.say(&format!(
        "\n     It goes on until Ctrl-C. To look around, paste this into another terminal:\n\n\
         . {}\n\
         {call} $LAB_SCHEDULER_ADDR list\n\
         {call} $LAB_SCHEDULER_ADDR perennial.scheduler.v1.Scheduler/ListSchedules\n\
         {call} -d {one} $LAB_SCHEDULER_ADDR perennial.scheduler.v1.Scheduler/RenewNow\n\
         {call} $LAB_TOKEN_ISSUER_ADDR perennial.issuer.v1.TokenIssuer/ListShoots\n\
         perennial watch\n",
        file.display()
    ))?;
    stage.only_the_table();
    loop {
        stage.play(Duration::from_secs(3600)).await?;
    }
}

/// A file to be sourced: what COMMAND of `perennial-lab run` finds in its environment.
fn environment_file(lab: &Lab) -> Result<PathBuf> {
    let mut text = String::new();
    for (name, value) in lab.environment()? {
        let value = value.to_string_lossy().replace('\'', "'\\''");
        text.push_str(&format!("export {name}='{value}'\n"));
    }
    let file = lab.dir().root().join("env.sh");
    std::fs::write(&file, text).with_context(|| format!("failed to write {}", file.display()))?;
    Ok(file)
}
