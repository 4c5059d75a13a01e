//! Flags of the scheduler.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use clap::Parser;
use perennial_core::name::SecretName;
use perennial_process::args::{AdminArgs, DrainArgs, LogArgs, duration, optional_path};
use perennial_rpc::tls::TlsArgs;

pub mod survive;

/// Decides which token is renewed when, and never sees one
///
/// It takes records of access Secrets from the secret-writer and the state of shoots from the
/// token-issuers, and tells the secret-writer which Secret to renew. A restart costs nothing: all
/// it must remember stands on the Secrets.
#[derive(Clone, Debug, Parser)]
#[command(name = "scheduler", version)]
pub struct Args {
    /// Address of the gRPC server for operators
    #[arg(long, env = "PERENNIAL_LISTEN_ADDR", default_value = "0.0.0.0:8443")]
    pub listen_addr: SocketAddr,

    /// Replicas of the secret-writer, host:port, separated by commas. Records come from one of
    /// them at a time, renewals go to each by Secret
    #[arg(
        long,
        env = "PERENNIAL_SECRET_WRITER_ADDR",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        required = true
    )]
    pub secret_writer_addr: Vec<String>,

    /// Replicas of the token-issuer, host:port, separated by commas. What they say of shoots is
    /// put together
    #[arg(
        long,
        env = "PERENNIAL_TOKEN_ISSUER_ADDR",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        required = true
    )]
    pub token_issuer_addr: Vec<String>,

    /// Kubeconfig of the seed, where the stop switch is; without it the ServiceAccount of the Pod
    /// is used. The namespace is that of --identity-namespace
    #[arg(long, env = "KUBECONFIG", value_name = "FILE", value_parser = optional_path())]
    pub seed_kubeconfig: Option<PathBuf>,

    /// Lifetime beyond which a token is renewed as if it lived only this long. Every token is
    /// renewed by 80 % of its lifetime or of this, whichever is less. At least 2s; short ones are
    /// for demos and tests
    #[arg(
        long,
        env = "PERENNIAL_RENEWAL_BASIS",
        value_name = "DURATION",
        value_parser = basis,
        default_value = "24h"
    )]
    pub renewal_basis: Duration,

    /// Audit mode: everything is decided and shown, and nothing is done. No Secret is renewed, on
    /// request neither. The first step on a seed that is already running
    #[arg(long, env = "PERENNIAL_AUDIT")]
    pub audit: bool,

    /// Most renewals under way at once. Fewer while the seed answers badly; those that hang have
    /// places of their own, three for each of these
    #[arg(long, env = "PERENNIAL_IN_FLIGHT_MAX", value_name = "COUNT", default_value = "64")]
    pub in_flight_max: NonZeroUsize,

    /// Most renewals under way at once for one shoot. Fewer while it answers badly, down to one
    #[arg(
        long,
        env = "PERENNIAL_IN_FLIGHT_PER_SHOOT_MAX",
        value_name = "COUNT",
        default_value = "8"
    )]
    pub in_flight_per_shoot_max: NonZeroUsize,

    /// Most renewals ordered a second
    #[arg(long, env = "PERENNIAL_RATE_MAX", value_name = "COUNT", default_value = "1000")]
    pub rate_max: NonZeroU32,

    /// Most renewals ordered a second for one shoot
    #[arg(long, env = "PERENNIAL_RATE_PER_SHOOT_MAX", value_name = "COUNT", default_value = "500")]
    pub rate_per_shoot_max: NonZeroU32,

    /// Name of the token-issuer's own Secret in each shoot namespace; it goes first
    #[arg(
        long,
        env = "PERENNIAL_OWN_SECRET",
        value_name = "NAME",
        default_value = "shoot-access-token-issuer"
    )]
    pub own_secret: SecretName,

    /// Name of this replica in answers of ExplainSchedule; the host name when left out, which is
    /// that of the Pod
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub replica_name: Option<String>,

    #[command(flatten)]
    pub survive: survive::SurviveArgs,

    #[command(flatten)]
    pub tls: TlsArgs,

    #[command(flatten)]
    pub admin: AdminArgs,

    #[command(flatten)]
    pub drain: DrainArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

/// Timestamps are whole seconds: 80 % of less than two seconds would be the moment of issue, and
/// every token due at once.
const BASIS_MIN: Duration = Duration::from_secs(2);

fn basis(text: &str) -> Result<Duration, String> {
    match duration(text) {
        Ok(basis) if basis < BASIS_MIN => Err(format!("must be at least {BASIS_MIN:?}")),
        Ok(basis) if basis.subsec_nanos() > 0 => Err("must be whole seconds".to_owned()),
        Ok(basis) => Ok(basis),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(flags: &[&str]) -> Result<Args, clap::Error> {
        let needed = ["scheduler", "--secret-writer-addr=a:1,b:1", "--token-issuer-addr=c:1"];
        Args::try_parse_from(needed.iter().chain(flags))
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.secret_writer_addr, ["a:1", "b:1"]);
        assert_eq!(args.renewal_basis, Duration::from_secs(24 * 60 * 60));
        assert_eq!((args.in_flight_max.get(), args.in_flight_per_shoot_max.get()), (64, 8));
        assert_eq!((args.rate_max.get(), args.rate_per_shoot_max.get()), (1_000, 500));
        assert_eq!(args.own_secret.as_str(), "shoot-access-token-issuer");
        assert!(!args.audit && parse(&["--audit"]).unwrap().audit);
    }

    #[test]
    fn a_budget_shortens_the_basis_and_one_that_cannot_be_had_is_refused() {
        let basis = |flags: &[&str]| parse(flags).unwrap().survive.basis(86_400);
        assert_eq!(basis(&[]), Ok(86_400));
        assert_eq!(basis(&["--survive-seed-outage=6h"]), Ok(26_250));
        assert!(basis(&["--survive-shoot-outage=12h"]).is_err());
        assert!(basis(&["--survive-shoot-outage=12h", "--survive-lifetime=24h"]).is_ok());
    }

    #[test]
    fn settings_that_cannot_be_right_are_refused() {
        for flag in [
            "--renewal-basis=1s",
            "--renewal-basis=2500ms",
            "--renewal-basis=soon",
            "--in-flight-max=0",
            "--in-flight-per-shoot-max=0",
            "--rate-max=0",
            "--rate-per-shoot-max=0.5",
            "--own-secret=No_Name",
            "--survive-seed-outage=soon",
        ] {
            assert!(parse(&[flag]).is_err(), "{flag}");
        }
        assert!(Args::try_parse_from(["scheduler"]).is_err());
    }
}
