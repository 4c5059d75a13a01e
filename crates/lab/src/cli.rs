//! The command line of `perennial-lab`.

mod args;

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::Parser;

use self::args::{CertificatesAction, Cli, ReachAction, ServiceAction, ShootAction, Task};
use crate::apiserver::process_name;
use crate::binaries::{Binaries, grpcurl, kubectl};
use crate::certificates;
use crate::demo;
use crate::dir::LabDir;
use crate::maker;
use crate::process::{control, leash};
use crate::progress::say;
use crate::proxy::Mode;
use crate::service::SERVICES;
use crate::{proxied, proxy, run};

/// Does what the command line says.
pub async fn main() -> ExitCode {
    match perform(Cli::parse().task).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say(format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn perform(task: Task) -> Result<u8> {
    match task {
        Task::Prepare { tools, kubectl } => prepare(tools, kubectl).await?,
        Task::Run(run) => {
            let (options, command) = run.into_options();
            return run::run(options, &command).await;
        }
        Task::Demo { keep } => return demo::run(keep).await,
        Task::Service { name, action } => {
            service(&name, action, &LabDir::of_running_lab()?).await?
        }
        Task::Shoot { number, action } => shoot(number, action, &LabDir::of_running_lab()?).await?,
        Task::Certificates { action: CertificatesAction::Renew, new_ca } => {
            certificates::renew(new_ca, &LabDir::of_running_lab()?).await?;
        }
        Task::Leash { parent, program } => {
            say(leash::become_program(parent, &program));
            return Ok(leash::EXIT_NOT_RUN);
        }
    }
    Ok(0)
}

async fn prepare(tools: bool, with_kubectl: bool) -> Result<()> {
    let Binaries { kube_apiserver, etcd } = Binaries::find_or_build().await?;
    say(kube_apiserver.display());
    say(etcd.display());
    if tools {
        say(grpcurl().await?.display());
    }
    if with_kubectl {
        say(kubectl().await?.display());
    }
    Ok(())
}

async fn service(name: &str, action: ServiceAction, dir: &LabDir) -> Result<()> {
    ensure!(
        dir.admin_file(name).exists(),
        "this lab has no service {name}; a lab has {}, and further ones with --scheduler-replicas, \
         --writer-replicas and --issuer-replicas",
        SERVICES.join(", ")
    );
    match action {
        ServiceAction::Stop => control::stop(name, dir).await,
        ServiceAction::Start => control::start(name, dir).await.map(drop),
        ServiceAction::Kill => control::kill(name, dir).map(drop),
        ServiceAction::Freeze => control::freeze(name, dir),
        ServiceAction::Thaw => control::thaw(name, dir),
    }
}

async fn shoot(number: usize, action: ShootAction, dir: &LabDir) -> Result<()> {
    match action {
        ShootAction::RotateKey { drop_old } => maker::rotate_key(number, drop_old, dir).await,
        ShootAction::RotateCa { drop_old, tell } => {
            maker::rotate_ca(number, drop_old, tell, dir).await
        }
        ShootAction::NewAddress { tell } => {
            maker::move_to_new_address(number, tell, dir).await.map(drop)
        }
        ShootAction::Reach(action) => reach(number, action, dir).await,
    }
}

/// How, and whether, a shoot is reached.
async fn reach(number: usize, action: ReachAction, dir: &LabDir) -> Result<()> {
    let proxy = proxied::name(number);
    if proxy::control::exists(&proxy, dir) {
        return proxy::control::set(mode(action), &proxy, dir).await;
    }
    let name = process_name(&proxy);
    ensure!(dir.log(&name).exists(), "this lab has no shoot {number}");
    match action {
        ReachAction::Stop => control::stop(&name, dir).await,
        ReachAction::Start => control::start(&name, dir).await.map(drop),
        ReachAction::Freeze => control::freeze(&name, dir),
        ReachAction::Thaw => control::thaw(&name, dir),
        ReachAction::Delay { .. } => {
            bail!("shoot {number} is reached directly; only a proxied shoot can be delayed")
        }
    }
}

const fn mode(action: ReachAction) -> Mode {
    match action {
        ReachAction::Stop => Mode::Cut,
        ReachAction::Start | ReachAction::Thaw => Mode::Open,
        ReachAction::Freeze => Mode::Swallow,
        ReachAction::Delay { by } => Mode::Delay(by),
    }
}
