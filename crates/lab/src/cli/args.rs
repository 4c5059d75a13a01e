//! What the command line may say.

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::lab::Options;

/// Real API servers and the three services of Perennial on this machine
#[derive(Debug, Parser)]
#[command(name = "perennial-lab", version)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) task: Task,
}

#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Find kube-apiserver and etcd, or build them (minutes, once)
    Prepare {
        /// Build grpcurl too
        #[arg(long)]
        tools: bool,
    },
    /// Start everything, run COMMAND when all is ready, end everything
    Run(Run),
    /// Keep the tokens of two shoots fresh for a minute, and prove it
    Demo {
        /// Stay at the end, and print grpcurl lines to try
        #[arg(long)]
        keep: bool,
    },
    /// Act on a service of the running lab (needs LAB_DIR)
    Service { name: ServiceName, action: ServiceAction },
    /// Act on a shoot of the running lab (needs LAB_DIR)
    Shoot {
        /// Its number; the first is 1
        number: usize,
        action: ShootAction,
    },
    /// Become PROGRAM and end with PARENT (for the lab itself)
    #[command(hide = true)]
    Leash {
        parent: i32,
        #[arg(last = true, required = true)]
        program: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub(super) struct Run {
    /// Number of shoots, each with an API server of its own
    #[arg(long, default_value_t = 1, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    shoots: usize,
    /// One more flag for the API servers of shoots; may be repeated
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    shoot_flag: Vec<String>,
    /// One more flag for the token-issuer; may be repeated
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    issuer_arg: Vec<String>,
    /// One more flag for the secret-writer; may be repeated
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    writer_arg: Vec<String>,
    /// One more flag for the scheduler; may be repeated
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    scheduler_arg: Vec<String>,
    /// Leave LAB_DIR behind (it stays anyway when something fails)
    #[arg(long)]
    keep_dir: bool,
    /// What to run, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ServiceName {
    TokenIssuer,
    SecretWriter,
    Scheduler,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ServiceAction {
    /// End it in order and keep it down
    Stop,
    Start,
    /// SIGKILL; it is started again at once
    Kill,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ShootAction {
    /// End its API server and keep it down
    Stop,
    Start,
    /// Let its API server hang: connections stay open and nothing answers
    Freeze,
    Thaw,
}

impl Run {
    /// The lab to start, and COMMAND.
    pub(super) fn into_options(self) -> (Options, Vec<String>) {
        let Self { shoots, shoot_flag, issuer_arg, writer_arg, scheduler_arg, keep_dir, command } =
            self;
        let options = Options {
            shoots,
            shoot_flags: shoot_flag,
            issuer_args: issuer_arg,
            writer_args: writer_arg,
            scheduler_args: scheduler_arg,
            start_services: true,
            keep_dir,
        };
        (options, command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_for_others_may_begin_with_hyphens() {
        let line =
            "perennial-lab run --shoots 2 --scheduler-arg --renewal-basis=8s -- make -k demo";
        let Task::Run(run) = Cli::parse_from(line.split(' ')).task else { panic!("not run") };
        let (options, command) = run.into_options();

        assert_eq!(
            (options.shoots, options.scheduler_args),
            (2, vec!["--renewal-basis=8s".to_owned()])
        );
        assert_eq!(command, ["make", "-k", "demo"]);
    }
}
