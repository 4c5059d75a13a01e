//! Flags of the policy.

use std::time::Duration;

use clap::Args;
use perennial_core::{
    inputs::{LIFETIME_MAX_SECONDS, LIFETIME_MIN_SECONDS},
    name::{AccountRef, Namespace},
};
use perennial_process::args::{audience, duration};

use super::controllers::CONTROLLERS;
use crate::args::account;

/// Longest lifetime that the API takes, 2^32 s: without the flag it is the only fence.
const LIFETIME_MAX: Duration = Duration::from_secs(LIFETIME_MAX_SECONDS.unsigned_abs());
/// Shortest lifetime that an API server grants; a fence below would refuse everything.
const LIFETIME_MIN: Duration = Duration::from_secs(LIFETIME_MIN_SECONDS.unsigned_abs());

/// What is refused whoever asks.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct PolicyArgs {
    /// Namespaces in the shoots whose ServiceAccounts may get tokens; without it all of them. Give
    /// it several times, or separate namespaces by commas. Our own account needs no entry
    #[arg(
        long,
        env = "PERENNIAL_ALLOWED_ACCOUNT_NAMESPACE",
        value_name = "NAMESPACE",
        value_delimiter = ','
    )]
    pub allowed_account_namespace: Vec<Namespace>,

    /// ServiceAccounts in the shoots that get no token, NAMESPACE/NAME, beside those of Kubernetes'
    /// own controllers (see --allow-controller-accounts). Give it several times, or separate
    /// accounts by commas
    #[arg(
        long,
        env = "PERENNIAL_DENIED_ACCOUNT",
        value_name = "NAMESPACE/NAME",
        value_delimiter = ',',
        value_parser = account
    )]
    pub denied_account: Vec<AccountRef>,

    /// Allow tokens of the accounts that Kubernetes' own controllers act as
    #[arg(
        long,
        env = "PERENNIAL_ALLOW_CONTROLLER_ACCOUNTS",
        long_help = format!(
            "Allow tokens of the accounts that Kubernetes' own controllers act as. Without it they \
             are denied, because several of them are cluster-admin in effect: in kube-system {}",
            CONTROLLERS.join(", ")
        )
    )]
    pub allow_controller_accounts: bool,

    /// Namespaces in the shoots whose Secrets may be targets; without it all of them. Give it several
    /// times, or separate namespaces by commas
    #[arg(
        long,
        env = "PERENNIAL_ALLOWED_TARGET_NAMESPACE",
        value_name = "NAMESPACE",
        value_delimiter = ','
    )]
    pub allowed_target_namespace: Vec<Namespace>,

    /// Longest lifetime that may be asked for, such as 720h; a longer one is refused and not
    /// shortened. At least 600s; the default is the longest that Kubernetes accepts (2^32 s). The
    /// Secret with our own access asks for 720h: with a lower limit, lower it there too
    #[arg(
        long,
        env = "PERENNIAL_LIFETIME_MAX",
        value_name = "DURATION",
        value_parser = lifetime_max,
        default_value = "4294967296s"
    )]
    pub lifetime_max: Duration,

    /// Audiences that may be asked for; without it any. Give it several times, or separate audiences
    /// by commas. A token for which no audience is asked is one for the API server of its shoot, and
    /// always allowed
    #[arg(
        long,
        env = "PERENNIAL_ALLOWED_AUDIENCE",
        value_name = "AUDIENCE",
        value_delimiter = ',',
        value_parser = audience
    )]
    pub allowed_audience: Vec<String>,
}

/// The defaults of the flags.
impl Default for PolicyArgs {
    fn default() -> Self {
        Self {
            allowed_account_namespace: Vec::new(),
            denied_account: Vec::new(),
            allow_controller_accounts: false,
            allowed_target_namespace: Vec::new(),
            lifetime_max: LIFETIME_MAX,
            allowed_audience: Vec::new(),
        }
    }
}

fn lifetime_max(text: &str) -> Result<Duration, String> {
    let given = duration(text).map_err(|error| error.to_string())?;
    match (LIFETIME_MIN..=LIFETIME_MAX).contains(&given) {
        true => Ok(given),
        false => Err("must be 600s to 4294967296s, as Kubernetes grants".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Args as Flags;

    fn parse(flags: &[&str]) -> Result<PolicyArgs, clap::Error> {
        let flags = ["token-issuer"].iter().chain(flags);
        Flags::try_parse_from(flags).map(|args| args.settings.policy)
    }

    #[test]
    fn without_flags_only_the_controllers_are_denied() {
        assert_eq!(parse(&[]).unwrap(), PolicyArgs::default());
    }

    #[test]
    fn lists_are_given_several_times_or_with_commas() {
        let given = parse(&[
            "--denied-account=kube-system/a,kube-system/b",
            "--denied-account=default/c",
            "--allowed-audience=gardener, kubernetes",
            "--lifetime-max=24h",
        ])
        .unwrap();
        assert_eq!(given.denied_account.len(), 3);
        assert_eq!(given.allowed_audience, ["gardener", "kubernetes"]);
        assert_eq!(given.lifetime_max, Duration::from_secs(24 * 3_600));
    }

    #[test]
    fn flags_that_cannot_be_right_are_refused() {
        for flag in [
            "--allowed-account-namespace=Kube.System",
            "--denied-account=kube-proxy",
            "--allowed-target-namespace=Kube.System",
            "--lifetime-max=599s",
            "--lifetime-max=4294967297s",
            "--allowed-audience=a,,b",
        ] {
            assert!(parse(&[flag]).is_err(), "{flag}");
        }
    }

    #[test]
    fn the_help_lists_every_account_that_is_denied_without_a_flag() {
        use clap::CommandFactory as _;
        let help = Flags::command().term_width(0).render_long_help().to_string();
        for name in CONTROLLERS {
            assert!(help.contains(name), "{name} is missing");
        }
    }
}
