//! What the command line may say.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::RangedU64ValueParser};
use perennial_process::args::duration;

use crate::lab::Options;
use crate::maker::Tell;
use crate::proxy::PROXIES_MAX;
use crate::service::REPLICAS_MAX;

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
        /// Find or build kubectl too, for tests
        #[arg(long)]
        kubectl: bool,
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
    Service {
        /// token-issuer, secret-writer, scheduler; scheduler-2 and so on with --scheduler-replicas, as for the others
        name: String,
        action: ServiceAction,
    },
    /// Act on a shoot of the running lab (needs LAB_DIR)
    Shoot {
        /// Its number; the first is 1, and those of proxied shoots go on after the real ones
        number: usize,
        #[command(subcommand)]
        action: ShootAction,
    },
    /// Act on the gRPC certificates of the running lab (needs LAB_DIR)
    Certificates {
        action: CertificatesAction,
        /// Replace the authority too: both are trusted until everybody has a certificate of the new
        #[arg(long)]
        new_ca: bool,
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
    /// Number of more shoots, each at an address of its own (127.77.x.y) with a proxy to the first
    /// real one. They share its ServiceAccounts and its counts; what they cost is a namespace each
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(0..=PROXIES_MAX as u64))]
    proxied_shoots: usize,
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
    /// Number of replicas of the token-issuer: `token-issuer`, `token-issuer-2` and so on
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = replicas())]
    issuer_replicas: usize,
    /// Number of replicas of the secret-writer: `secret-writer`, `secret-writer-2` and so on
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = replicas())]
    writer_replicas: usize,
    /// Number of replicas of the scheduler: `scheduler`, `scheduler-2` and so on
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = replicas())]
    scheduler_replicas: usize,
    /// Leave LAB_DIR behind (it stays anyway when something fails)
    #[arg(long)]
    keep_dir: bool,
    /// What to run, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum ServiceAction {
    /// End it in order and keep it down
    Stop,
    Start,
    /// SIGKILL; it is started again at once
    Kill,
    /// SIGSTOP: it stays and does nothing
    Freeze,
    /// SIGCONT
    Thaw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum ShootAction {
    #[command(flatten)]
    Reach(ReachAction),
    /// Let a new key sign the tokens of ServiceAccounts; the old one is accepted on
    ///
    /// The API server is started anew with the keys, as the control plane of a shoot is rolled:
    /// for two or three seconds it does not answer. Tokens of the old key go on working until
    /// `rotate-key --drop-old`, which takes it out of the key set and signs with the same new key
    /// on. Where no rotation was begun, --drop-old does both at once: every token that was issued
    /// up to then is refused.
    ///
    /// Back when the key set has the new keys and no others; prints their ids (`kid`).
    RotateKey {
        /// Accept no old key any more; ends a rotation, or does all of it at once
        #[arg(long)]
        drop_old: bool,
    },
    /// Give the API server a serving certificate of a new CA; the old CA is trusted on
    ///
    /// As the seed of a Gardener does it: first the kubeconfigs of the shoot trust old and new CA,
    /// then the certificate is exchanged while connections stay open, and `rotate-ca --drop-old`
    /// leaves the new CA alone. Where no rotation was begun, --drop-old does all at once: who has
    /// only the old CA is cut off until told. LAB_SHOOT_KUBECONFIG* stay valid.
    ///
    /// Back when the API server serves the new certificate and the kubeconfigs are written.
    RotateCa {
        /// Trust the new CA alone; ends a rotation, or does all of it at once
        #[arg(long)]
        drop_old: bool,
        /// Which Secrets on the seed are told
        #[arg(long, value_enum, default_value_t)]
        tell: Tell,
    },
    /// Move the API server to another loopback address; nobody answers at the old one
    ///
    /// One of its own is started anew there, under the same port. A proxy takes new connections
    /// there; connections to its old address stay until somebody ends them. LAB_SHOOT_KUBECONFIG*
    /// stay valid.
    ///
    /// Back when the shoot answers there and the kubeconfigs are written; prints both addresses.
    NewAddress {
        /// Which Secrets on the seed are told
        #[arg(long, value_enum, default_value_t)]
        tell: Tell,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum ReachAction {
    /// End its API server and keep it down; a proxy cuts and refuses connections
    Stop,
    /// Start its API server again; a proxy passes everything on again
    Start,
    /// Let its API server hang: connections stay open and nothing answers
    Freeze,
    /// Let it go on where it was frozen
    Thaw,
    /// Hold back each piece of data, both ways (proxied shoots only; `start` ends it)
    Delay {
        /// Such as 200ms
        #[arg(value_parser = duration)]
        by: Duration,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum CertificatesAction {
    /// Write new ones for everybody and wait until every service has taken up its own
    Renew,
}

fn replicas() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=REPLICAS_MAX as u64)
}

impl Run {
    /// The lab to start, and COMMAND.
    pub(super) fn into_options(self) -> (Options, Vec<String>) {
        let Self {
            shoots,
            proxied_shoots,
            shoot_flag,
            issuer_arg,
            writer_arg,
            scheduler_arg,
            issuer_replicas,
            writer_replicas,
            scheduler_replicas,
            keep_dir,
            command,
        } = self;
        let options = Options {
            shoots,
            proxied_shoots,
            shoot_flags: shoot_flag,
            issuer_args: issuer_arg,
            writer_args: writer_arg,
            scheduler_args: scheduler_arg,
            issuer_replicas,
            writer_replicas,
            scheduler_replicas,
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

    #[test]
    fn a_shoot_is_acted_on_by_its_number() {
        let action = |line: &str| match Cli::parse_from(line.split(' ')).task {
            Task::Shoot { number, action } => (number, action),
            _ => panic!("not shoot"),
        };
        assert!(matches!(
            action("perennial-lab shoot 2 freeze"),
            (2, ShootAction::Reach(ReachAction::Freeze))
        ));
        let (number, delay) = action("perennial-lab shoot 12 delay 200ms");
        let by = Duration::from_millis(200);
        assert_eq!(delay, ShootAction::Reach(ReachAction::Delay { by }));
        assert_eq!(number, 12);
        let (_, rotate) = action("perennial-lab shoot 1 rotate-ca --drop-old --tell bootstrap");
        let expected = ShootAction::RotateCa { drop_old: true, tell: Tell::Bootstrap };
        assert_eq!(rotate, expected);
        let moved = ShootAction::NewAddress { tell: Tell::All };
        assert_eq!(action("perennial-lab shoot 1 new-address").1, moved);
    }
}
