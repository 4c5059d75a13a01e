//! Flags of the secret-writer.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::Parser;
use perennial_core::{
    inputs::{Classes, Interpretation},
    kubeconfig::TokenFile,
    name::Namespace,
};
use perennial_process::args::{AdminArgs, DrainArgs, LogArgs, audience, duration, optional_path};
use perennial_rpc::tls::TlsArgs;

use crate::renew::Settings;

/// Watches access Secrets of the seed, shows them to the scheduler without their tokens, and
/// writes the tokens that the scheduler orders and the token-issuer gives
#[derive(Clone, Debug, Parser)]
#[command(name = "secret-writer", version)]
pub struct Args {
    /// Address of the gRPC server (mutual TLS)
    #[arg(
        long,
        env = "PERENNIAL_LISTEN_ADDR",
        value_name = "ADDR",
        default_value = "0.0.0.0:8443"
    )]
    pub listen_addr: SocketAddr,

    /// Addresses of the token-issuer, host:port, separated by commas; all Secrets of a shoot go to
    /// the same one
    #[arg(
        long,
        env = "PERENNIAL_TOKEN_ISSUER_ADDR",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        required = true
    )]
    pub token_issuer_addr: Vec<String>,

    /// Kubeconfig of the seed; without it the ServiceAccount of the Pod is used
    #[arg(long, env = "KUBECONFIG", value_name = "FILE", value_parser = optional_path())]
    pub seed_kubeconfig: Option<PathBuf>,

    /// How Secrets are interpreted.
    #[command(flatten)]
    pub interpretation: InterpretationArgs,

    /// Path of the token in generic kubeconfigs: where components of a shoot mount theirs, absolute
    #[arg(
        long,
        env = "PERENNIAL_TOKEN_FILE",
        value_name = "PATH",
        default_value = TokenFile::DEFAULT
    )]
    pub token_file: TokenFile,

    /// Name under which this process reports Events, that of its Pod; Kubernetes sets HOSTNAME
    #[arg(long, env = "HOSTNAME", value_name = "NAME", default_value = "secret-writer")]
    pub instance_name: String,

    /// Least time between two ordinary renewals of one Secret. A token that has to be replaced
    /// sooner counts as a correction, and corrections come at pauses that double from 10 s up to at
    /// least this; so a wrong or stolen scheduler, which says how soon a token is due, cannot cause
    /// a storm of tokens. The default is 30 % (the earliest begin of a renewal window) of 600 s
    /// (the shortest lifetime that Kubernetes grants). With a --renewal-basis of the scheduler
    /// below 600 s, set it to 30 % of that
    #[arg(
        long,
        env = "PERENNIAL_RENEWAL_INTERVAL_MIN",
        value_name = "DURATION",
        value_parser = duration,
        default_value = "180s"
    )]
    pub renewal_interval_min: Duration,

    /// Most renewals at the same time; more are answered with RESOURCE_EXHAUSTED
    #[arg(
        long,
        env = "PERENNIAL_RENEWALS_IN_FLIGHT_MAX",
        value_name = "COUNT",
        default_value = "256"
    )]
    pub renewals_in_flight_max: NonZeroUsize,

    /// Audit mode: no Secret is written. Orders of the scheduler are refused and generic kubeconfigs
    /// left as they are; Events are made. For the first step on a seed that is already running,
    /// together with --audit of the scheduler
    #[arg(long, env = "PERENNIAL_AUDIT")]
    pub audit: bool,

    /// Identity and TLS.
    #[command(flatten)]
    pub tls: TlsArgs,
    /// Admin port.
    #[command(flatten)]
    pub admin: AdminArgs,
    /// Stop.
    #[command(flatten)]
    pub drain: DrainArgs,
    /// Logs.
    #[command(flatten)]
    pub log: LogArgs,
}

/// How Secrets are interpreted (contract, section A).
#[derive(Clone, Debug, clap::Args)]
pub struct InterpretationArgs {
    /// Class of access Secrets to serve, the value of their label resources.gardener.cloud/class.
    /// Give it several times, or separate classes by commas
    #[arg(
        long,
        env = "PERENNIAL_CLASS",
        value_name = "CLASS",
        value_delimiter = ',',
        value_parser = class,
        default_value = "shoot"
    )]
    pub class: Vec<String>,

    /// Serve every access Secret, whatever its class and without one
    #[arg(long, env = "PERENNIAL_ANY_CLASS", conflicts_with = "class")]
    pub any_class: bool,

    /// Audiences of the tokens, separated by commas, where the annotation perennial.dev/audiences
    /// names none. With neither, a token is for the API server of its shoot
    #[arg(
        long,
        env = "PERENNIAL_AUDIENCE",
        value_name = "AUDIENCE",
        value_delimiter = ',',
        value_parser = audience
    )]
    pub audience: Vec<String>,

    /// Namespace of every ServiceAccount, whatever the annotation
    /// serviceaccount.resources.gardener.cloud/namespace says; without it that is required
    #[arg(long, env = "PERENNIAL_ACCOUNT_NAMESPACE", value_name = "NAMESPACE")]
    pub account_namespace: Option<Namespace>,
}

impl From<InterpretationArgs> for Interpretation {
    fn from(args: InterpretationArgs) -> Self {
        let InterpretationArgs { class, any_class, audience, account_namespace } = args;
        Self {
            classes: if any_class {
                Classes::Any
            } else {
                Classes::Only(class.into_iter().collect())
            },
            audiences: audience.into(),
            account_namespace,
        }
    }
}

impl Args {
    /// Limits of renewals.
    #[must_use]
    pub const fn settings(&self) -> Settings {
        Settings {
            interval_min: self.renewal_interval_min,
            in_flight_max: self.renewals_in_flight_max.get(),
            audit: self.audit,
        }
    }
}

/// A value of a label, not empty (Kubernetes, "Labels and Selectors").
fn class(text: &str) -> Result<String, &'static str> {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let bytes = text.as_bytes();
    match bytes.len() <= 63 && edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inside)
    {
        true => Ok(text.to_owned()),
        false => Err("not the value of a label; write letters, digits, `-`, `_` and `.`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flags: &[&str]) -> Result<Args, clap::Error> {
        let required = ["secret-writer", "--token-issuer-addr=a:1,b:2"];
        Args::try_parse_from(required.iter().chain(flags))
    }

    fn interpretation(flags: &[&str]) -> Interpretation {
        parse(flags).unwrap().interpretation.into()
    }

    #[test]
    fn a_without_flags_the_class_shoot_is_served_and_no_audience_asked_for() {
        assert_eq!(interpretation(&[]), Interpretation::default());
        let args = parse(&[]).unwrap();
        assert_eq!(args.token_issuer_addr, ["a:1", "b:2"]);
        assert_eq!(args.settings().interval_min, Duration::from_secs(600 * 30 / 100));
        assert_eq!(args.settings().in_flight_max, 256);
        assert!(!args.settings().audit && parse(&["--audit"]).unwrap().settings().audit);
    }

    #[test]
    fn a_classes_and_audiences_may_be_several() {
        let given = interpretation(&["--class=shoot", "--class=seed", "--audience=a, b"]);
        assert!(matches!(given.classes, Classes::Only(classes) if classes.len() == 2));
        assert_eq!(*given.audiences, ["a", "b"]);
        assert_eq!(interpretation(&["--any-class"]).classes, Classes::Any);
    }

    #[test]
    fn flags_that_cannot_be_right_are_refused() {
        for flags in [
            &["--class="][..],
            &["--class=a b"],
            &["--class=shoot", "--any-class"],
            &["--audience=a,,b"],
            &["--account-namespace=Kube.System"],
            &["--renewals-in-flight-max=0"],
            &["--renewal-interval-min=0s"],
            &["--token-file=token"],
        ] {
            assert!(parse(flags).is_err(), "{flags:?}");
        }
    }
}
