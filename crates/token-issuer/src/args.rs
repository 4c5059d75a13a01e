//! Flags.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, Parser};
use perennial_core::name::{AccountRef, NameError, SecretName};
use perennial_process::args::{AdminArgs, DrainArgs, LogArgs, duration, optional_path};
use perennial_rpc::tls::TlsArgs;

use crate::{policy::PolicyArgs, shoot_namespaces::Pattern};

/// Issues tokens of ServiceAccounts in shoots
///
/// It learns from two Secrets of fixed names, in the namespaces of the seed that --shoot-namespace
/// admits, that a shoot exists and how it is reached; nothing else of the seed is read. Every flag
/// can be given as the environment variable beside it; the flag wins.
#[derive(Clone, Debug, Parser)]
#[command(name = "token-issuer", version)]
pub struct Args {
    /// Address of the gRPC server (mutual TLS)
    #[arg(long, env = "PERENNIAL_LISTEN_ADDR", default_value = "0.0.0.0:8443")]
    pub listen_addr: SocketAddr,

    /// Kubeconfig of the seed; without it the ServiceAccount of the Pod is used
    #[arg(long, env = "KUBECONFIG", value_name = "FILE", value_parser = optional_path())]
    pub seed_kubeconfig: Option<PathBuf>,

    /// What it does
    #[command(flatten)]
    pub settings: Settings,

    /// Certificates and identity
    #[command(flatten)]
    pub tls: TlsArgs,

    /// Admin port
    #[command(flatten)]
    pub admin: AdminArgs,

    /// Logs
    #[command(flatten)]
    pub log: LogArgs,

    /// Stop
    #[command(flatten)]
    pub drain: DrainArgs,
}

/// How the token-issuer does its work.
#[derive(ClapArgs, Clone, Debug)]
pub struct Settings {
    /// Name of the Secret with our own access to a shoot, in kubeconfig mode; itself an access
    /// Secret that is renewed like any other. On a Gardener seed: gardener-internal
    #[arg(
        long,
        env = "PERENNIAL_SHOOT_SECRET",
        value_name = "NAME",
        default_value = "shoot-access-token-issuer"
    )]
    pub shoot_secret: SecretName,

    /// Name of the Secret with a short-lived kubeconfig of whoever made the shoot; used while our
    /// own access has no token or does not hold
    #[arg(
        long,
        env = "PERENNIAL_BOOTSTRAP_SECRET",
        value_name = "NAME",
        default_value = "shoot-bootstrap-token-issuer"
    )]
    pub bootstrap_secret: SecretName,

    /// Namespaces of the seed that may hold a shoot, as names in which * stands for any characters.
    /// A Secret of the two names elsewhere is left alone: it would make us connect to wherever it
    /// says. Give it several times, or separate patterns by commas
    #[arg(
        long,
        env = "PERENNIAL_SHOOT_NAMESPACE",
        value_name = "PATTERN",
        value_delimiter = ',',
        default_value = "shoot--*"
    )]
    pub shoot_namespace: Vec<Pattern>,

    /// Our own ServiceAccount in every shoot, NAMESPACE/NAME. Only --shoot-secret gets tokens of it.
    /// Without it kube-system/perennial-token-issuer, and with --shoot-secret=gardener-internal
    /// the account of that Secret, kube-system/gardener-internal
    #[arg(
        long,
        env = "PERENNIAL_OWN_ACCOUNT",
        value_name = "NAMESPACE/NAME",
        value_parser = account
    )]
    pub own_account: Option<AccountRef>,

    /// Pause between two looks at a shoot that is reached, such as 60s. Each is one small GET; one
    /// that is not reached is looked at more often, after 1 s and then up to every 15 s
    #[arg(long, env = "PERENNIAL_PROBE_INTERVAL", value_parser = duration, default_value = "60s")]
    pub probe_interval: Duration,

    /// How long a signing key must be missing from a shoot's key set, by three looks at least,
    /// before it counts as withdrawn and the tokens it signed are renewed. Short ones are for tests,
    /// with a --probe-interval of less than half of it
    #[arg(
        long,
        env = "PERENNIAL_KEY_WITHDRAWN_AFTER",
        value_name = "DURATION",
        value_parser = duration,
        default_value = "2m"
    )]
    pub key_withdrawn_after: Duration,

    /// Most shoots looked at at once
    #[arg(
        long,
        env = "PERENNIAL_PROBES_IN_FLIGHT_MAX",
        value_name = "COUNT",
        value_parser = count,
        default_value = "32"
    )]
    pub probes_in_flight_max: usize,

    /// Most tokens being issued at once, over all shoots; a caller beyond is asked to try again
    #[arg(
        long,
        env = "PERENNIAL_ISSUES_IN_FLIGHT_MAX",
        value_name = "COUNT",
        value_parser = count,
        default_value = "256"
    )]
    pub issues_in_flight_max: usize,

    /// Most tokens of one shoot being issued at once, so that one that hangs leaves room for the
    /// others; a caller beyond is asked to try again
    #[arg(
        long,
        env = "PERENNIAL_ISSUES_IN_FLIGHT_PER_SHOOT_MAX",
        value_name = "COUNT",
        value_parser = count,
        default_value = "64"
    )]
    pub issues_in_flight_per_shoot_max: usize,

    /// Least time between two ordinary renewals of one Secret. A token that has to be replaced
    /// sooner counts as a correction; eight come at once, the next at pauses that double from 10 s,
    /// never more than sixteen in twenty minutes or, where it is shorter, sixteen times this, whoever
    /// calls. The
    /// default is 30 % (the earliest begin of a renewal window) of 600 s (the shortest lifetime that
    /// Kubernetes grants). With a --renewal-basis of the scheduler below 600 s, set it to 30 % of
    /// that, as for the secret-writer
    #[arg(
        long,
        env = "PERENNIAL_RENEWAL_INTERVAL_MIN",
        value_name = "DURATION",
        value_parser = duration,
        default_value = "180s"
    )]
    pub renewal_interval_min: Duration,

    /// What is refused whoever asks
    #[command(flatten)]
    pub policy: PolicyArgs,
}

/// The access Secret in kubeconfig mode that Gardener keeps in every shoot namespace, for the account
/// of the same name in `kube-system`, which is cluster-admin of the shoot.
const GARDENER_INTERNAL: &str = "gardener-internal";

/// The account whose tokens an own Secret of this name holds, where no flag says it.
pub(crate) fn account_of(own_secret: &SecretName) -> AccountRef {
    let name = match own_secret.as_str() {
        GARDENER_INTERNAL => GARDENER_INTERNAL,
        _ => "perennial-token-issuer",
    };
    let namespace = "kube-system".parse().expect("it is a namespace");
    AccountRef { namespace, name: name.parse().expect("it is the name of an account") }
}

/// Highest limit of what is in flight: beyond, memory and not the limit decides.
const COUNT_MAX: usize = 65_536;

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=COUNT_MAX) => Ok(count),
        Ok(_) | Err(_) => Err(format!("must be a number from 1 to {COUNT_MAX}")),
    }
}

pub(crate) fn account(text: &str) -> Result<AccountRef, String> {
    let advice = "write it as NAMESPACE/NAME, each as Kubernetes accepts it";
    text.parse().map_err(|_: NameError| advice.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_defaults_are_the_fixed_names() {
        Args::command().debug_assert();
        let Settings {
            shoot_secret,
            bootstrap_secret,
            own_account,
            shoot_namespace,
            renewal_interval_min,
            key_withdrawn_after,
            ..
        } = Args::try_parse_from(["token-issuer"]).unwrap().settings;
        assert_eq!(shoot_secret.as_str(), "shoot-access-token-issuer");
        assert_eq!(bootstrap_secret.as_str(), "shoot-bootstrap-token-issuer");
        assert_eq!(own_account, None);
        assert_eq!(account_of(&shoot_secret).to_string(), "kube-system/perennial-token-issuer");
        assert_eq!(shoot_namespace, ["shoot--*".parse().unwrap()]);
        assert_eq!(renewal_interval_min, Duration::from_secs(600 * 30 / 100));
        assert_eq!(key_withdrawn_after, perennial_core::signing::WITHDRAWN_AFTER);
    }

    #[test]
    fn f_with_the_preset_of_a_gardener_seed_its_account_is_the_own_one() {
        let preset = ["token-issuer", "--shoot-secret=gardener-internal"];
        let Settings { shoot_secret, own_account, .. } =
            Args::try_parse_from(preset).unwrap().settings;
        assert_eq!(own_account, None);
        assert_eq!(account_of(&shoot_secret).to_string(), "kube-system/gardener-internal");
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        for flag in [
            "--probes-in-flight-max=0",
            "--issues-in-flight-max=-1",
            "--issues-in-flight-per-shoot-max=0",
            "--renewal-interval-min=0s",
            "--shoot-namespace=",
            "--shoot-namespace=shoot?",
            "--own-account=x",
        ] {
            assert!(Args::try_parse_from(["token-issuer", flag]).is_err(), "{flag}");
        }
    }
}
