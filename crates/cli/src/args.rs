//! Flags, and help with examples.

use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use perennial_core::{
    kubeconfig::TokenFile,
    name::{Namespace, SecretRef},
    stop::StopReason,
};
use perennial_proto::scheduler::v1::State;

use crate::{connect::ConnectArgs, exit::Exit};

pub(crate) mod campaign;
mod ending;
mod length;

use self::ending::{
    ASKING, BUDGET, EXPLAIN, FORECAST, KUBECONFIG, PAUSE, RENEW, REVOKE, STATUS, ending,
};

const EXAMPLES: &str = "  \
  perennial status
  perennial list --troubled
  perennial explain shoot--lab--1/shoot-access-kube-scheduler
  perennial renew shoot--lab--1/shoot-access-kube-scheduler
  perennial revoke shoot--lab--1/shoot-access-kube-scheduler
  perennial watch --namespace shoot--lab--1
  perennial forecast --for 6h
  perennial kubeconfig shoot--lab--1
  perennial stop --reason 'wrong tokens in shoot--lab--1'
  perennial resume
  perennial pause shoot--lab--1 --for 2h --reason 'its etcd is moved'
  perennial resume shoot--lab--1
  perennial budget
  perennial rotate-keys shoot--lab--1 --drop KID --reason 'yearly rotation'
  perennial campaign start --all --reason 'incident 7'";

/// See when the tokens of shoot control planes are renewed, and why then.
#[derive(Debug, Parser)]
#[command(name = "perennial", version, max_term_width = 100)]
#[command(after_help = ending(EXAMPLES, &Exit::ALL))]
#[command(override_usage = "perennial [OPTIONS] <COMMAND>")]
pub struct Args {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Status(StatusArgs),
    List(ListArgs),
    Explain(ExplainArgs),
    Renew(RenewArgs),
    Revoke(RevokeArgs),
    Watch(WatchArgs),
    Forecast(ForecastArgs),
    Kubeconfig(KubeconfigArgs),
    Stop(StopArgs),
    Pause(PauseArgs),
    Resume(ResumeArgs),
    Campaign(campaign::CampaignArgs),
    Budget(BudgetArgs),
    RotateKeys(campaign::RotateKeysArgs),
}

/// Say whether all is well, and what is not.
///
/// Asks the services whether they are ready, counts Secrets and shoots, and names the Secret that
/// has been in trouble for the longest time.
#[derive(Debug, ClapArgs)]
#[command(override_usage = "perennial status [OPTIONS]")]
#[command(after_help = ending("  \
  perennial status                  # exit code 1 where somebody is needed
  perennial status -o json | jq -r .verdict", STATUS))]
pub(crate) struct StatusArgs {
    /// HOST:PORT of the secret-writers, separated by commas; not asked when left out.
    #[arg(long, env = "PERENNIAL_SECRET_WRITER_ADDR", value_name = "HOST:PORT")]
    #[arg(value_delimiter = ',', hide_env_values = true)]
    pub(crate) secret_writer_addr: Vec<String>,
    /// HOST:PORT of the token-issuers, separated by commas; not asked when left out.
    #[arg(long, env = "PERENNIAL_TOKEN_ISSUER_ADDR", value_name = "HOST:PORT")]
    #[arg(value_delimiter = ',', hide_env_values = true)]
    pub(crate) token_issuer_addr: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Print the schedules once.
///
/// One line for each access Secret, cut to the width of the terminal. Where nothing is found, that is
/// said on stderr.
#[derive(Debug, ClapArgs)]
#[command(override_usage = "perennial list [OPTIONS]")]
#[command(after_help = ending("  \
  perennial list --namespace shoot--lab--1 -o wide
  perennial list --state backing-off,held
  perennial list --troubled -o name | xargs -n1 perennial explain
  perennial list -o json | jq -r '.schedules[] | select(.overdue) | .name'", ASKING))]
pub(crate) struct ListArgs {
    /// Only those of this namespace on the seed.
    #[arg(long, short)]
    pub(crate) namespace: Option<Namespace>,
    /// Only those in these states, separated by commas.
    #[arg(long, value_name = "STATE", value_enum, value_delimiter = ',')]
    pub(crate) state: Vec<StateName>,
    /// Only those that something keeps from being renewed, or that are overdue.
    #[arg(long)]
    pub(crate) troubled: bool,
    /// Form of the answer.
    #[arg(long, short, value_enum, default_value = "table")]
    pub(crate) output: ListOutput,
}

/// Say why a Secret is renewed when it is, what keeps it, and what to do.
///
/// The cause and the remedy first, then the life of the token, what the Secret asks for, its shoot,
/// and the last attempts.
#[derive(Debug, ClapArgs)]
#[command(override_usage = "perennial explain [OPTIONS] <NAMESPACE/NAME>")]
#[command(after_help = ending("  \
  perennial explain shoot--lab--1/shoot-access-kube-scheduler
  perennial explain shoot--lab--1/shoot-access-kube-scheduler -o json | jq .verdict", EXPLAIN))]
pub(crate) struct ExplainArgs {
    /// The Secret, as NAMESPACE/NAME on the seed.
    #[arg(value_name = "NAMESPACE/NAME", value_parser = secret)]
    pub(crate) secret: SecretRef,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Say whether every token survives the outages that are to be survived.
///
/// The scheduler is told with --survive-shoot-outage, --survive-seed-outage and --survive-perennial-outage how
/// long each may be away without a token expiring, and renews tokens so early that they have that much life left.
/// Here is whether it holds for every token at this moment, and where not, why and what to do. Without such a
/// flag it says what would be survived.
#[derive(Debug, ClapArgs)]
#[command(override_usage = "perennial budget [OPTIONS] [NAMESPACE]")]
#[command(after_help = ending("  \
  perennial budget                  # exit code 1 where it does not hold
  perennial budget shoot--lab--1
  perennial budget -o json | jq '.broken[].first[].secret'", BUDGET))]
pub(crate) struct BudgetArgs {
    /// Only the Secrets of this shoot.
    #[arg(value_name = "NAMESPACE")]
    pub(crate) namespace: Option<Namespace>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Renew Secrets now, one after the other, and wait until each is written.
///
/// The first one comes at once; another one soon after it is held back, because no reason is good
/// enough for a storm.
#[derive(Debug, ClapArgs)]
#[command(override_usage = "perennial renew [OPTIONS] <NAMESPACE/NAME>...")]
#[command(after_help = ending("  \
  perennial renew shoot--lab--1/shoot-access-kube-scheduler
  perennial list -n shoot--lab--1 -o name | xargs perennial renew", RENEW))]
pub(crate) struct RenewArgs {
    /// The Secrets, each as NAMESPACE/NAME on the seed.
    #[arg(value_name = "NAMESPACE/NAME", value_parser = secret, required = true)]
    pub(crate) secrets: Vec<SecretRef>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Revoke the tokens of a Secret: a new one now, and the old ones refused after a grace.
///
/// It takes a Secret that is revocable (annotation perennial.dev/revocable=true): its tokens are bound
/// to a small Secret in the shoot, their generation, and die with it. A token of the next generation
/// is issued and written, consumers have the grace to take it up, then the old generation is deleted,
/// and an old token is tried until the shoot refuses it. With --grace 0 the old token is refused
/// within 20 s, and consumers see 401 until they have read the new one, 1 to 3 minutes; with the
/// default of 4m none of their requests fails.
///
/// It goes on whether somebody watches or not, also over a crash of any service. Asking again begins
/// nothing anew: it shows how far it is, and a shorter grace wins. For a Secret that is not revocable
/// the answer says how to make it so, and the only other way.
#[derive(Debug, ClapArgs)]
#[command(override_usage = "perennial revoke [OPTIONS] <NAMESPACE/NAME>")]
#[command(after_help = ending("  \
  perennial revoke shoot--lab--1/shoot-access-kube-scheduler
  perennial revoke shoot--lab--1/shoot-access-kube-scheduler --grace 0    # it leaked: at once
  perennial revoke shoot--lab--1/shoot-access-kube-scheduler -o json      # one message a line", REVOKE))]
pub(crate) struct RevokeArgs {
    /// The Secret, as NAMESPACE/NAME on the seed.
    #[arg(value_name = "NAMESPACE/NAME", value_parser = secret)]
    pub(crate) secret: SecretRef,
    /// For how long old tokens go on working after the new one is written, 0 to 24h; 4m when left
    /// out, or as long as the revocation under way says.
    #[arg(long, value_name = "DURATION", value_parser = length::grace)]
    pub(crate) grace: Option<Duration>,
    /// The newest generation to revoke; when left out, that of the revocation under way, else that of
    /// the token which the Secret holds.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) generation: Option<u32>,
    /// How long to watch; 2m longer than the grace when left out. It goes on after that.
    #[arg(long, value_name = "DURATION", value_parser = perennial_process::args::duration)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Keep a live table on the terminal; a line for each change where there is none.
///
/// It runs until it is interrupted. A scheduler that goes away is waited for, once it has answered.
#[derive(Debug, ClapArgs)]
#[command(override_usage = "perennial watch [OPTIONS]")]
#[command(after_help = ending("  \
  perennial watch
  perennial watch --namespace shoot--lab--1 -o json    # one message a line", ASKING))]
pub(crate) struct WatchArgs {
    /// Only those of this namespace on the seed.
    #[arg(long, short)]
    pub(crate) namespace: Option<Namespace>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Say how many renewals are planned when.
///
/// One line for each slot of the coming time. Each Secret counts once, with its next renewal: what
/// follows after that is not planned yet. JSON also has a row for each shoot.
#[derive(Debug, ClapArgs)]
#[command(override_usage = "perennial forecast [OPTIONS] [NAMESPACE]")]
#[command(after_help = ending("  \
  perennial forecast
  perennial forecast shoot--lab--1 --for 6h --slot 10m
  perennial forecast -o json | jq '.peak / .mean'", FORECAST))]
pub(crate) struct ForecastArgs {
    /// Only Secrets of this namespace on the seed.
    #[arg(value_name = "NAMESPACE")]
    pub(crate) namespace: Option<Namespace>,
    /// How far ahead, 1s to 31 days (744h).
    #[arg(long = "for", value_name = "DURATION", default_value = "24h")]
    #[arg(value_parser = perennial_process::args::duration)]
    pub(crate) ahead: Duration,
    /// Length of a slot, whole seconds; as long as keeps to a screen when left out.
    #[arg(long, value_name = "DURATION", value_parser = perennial_process::args::duration)]
    pub(crate) slot: Option<Duration>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Print the generic kubeconfig of a shoot, for those who keep it themselves.
///
/// It has address and CA of the shoot as Perennial reaches it, and the path of a token file; no
/// credential. The same shoot gives the same bytes until its address or CA changes.
#[derive(Debug, ClapArgs)]
#[command(override_usage = "perennial kubeconfig [OPTIONS] <SHOOT-NAMESPACE>")]
#[command(after_help = ending("  \
  perennial kubeconfig shoot--lab--1 > kubeconfig.yaml
  perennial kubeconfig shoot--lab--1 --token-file /var/run/secrets/tokens/shoot
  perennial kubeconfig shoot--lab--1 -o json | jq -r .server", KUBECONFIG))]
pub(crate) struct KubeconfigArgs {
    /// The shoot, by its namespace on the seed.
    #[arg(value_name = "SHOOT-NAMESPACE")]
    pub(crate) shoot: Namespace,
    /// Where components mount the token, absolute.
    #[arg(long, value_name = "PATH", default_value = TokenFile::DEFAULT)]
    pub(crate) token_file: TokenFile,
    /// HOST:PORT of the token-issuers, separated by commas.
    #[arg(long, env = "PERENNIAL_TOKEN_ISSUER_ADDR", value_name = "HOST:PORT", required = true)]
    #[arg(value_delimiter = ',', hide_env_values = true)]
    pub(crate) token_issuer_addr: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Stop the fleet: nothing is renewed any more, over restarts too, until it is resumed.
///
/// What is under way ends; everything is still decided and shown. Tokens grow old meanwhile, so the
/// answer says when the next one expires. Where the fleet is stopped already, that stop and its reason
/// stay. Where no scheduler answers, a ConfigMap made by hand does the same.
#[derive(Debug, ClapArgs)]
#[command(override_usage = "perennial stop [OPTIONS] --reason <TEXT>")]
#[command(after_help = ending("  \
  perennial stop --reason 'wrong tokens in shoot--lab--1, see incident 4711'
  perennial stop --reason 'seed is restored' -o json | jq -r .outlook.nextExpiry
  kubectl -n perennial-system create configmap perennial-stop    # where no scheduler answers", ASKING))]
pub(crate) struct StopArgs {
    /// Why, for whoever finds the fleet stopped: one line, at most 500 characters.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: StopReason,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Pause a shoot: nothing is renewed for its Secrets any more, over restarts too, until it is over.
///
/// What is under way ends; everything is still decided, shown and probed. Tokens grow old meanwhile:
/// where one would expire before the end of the pause (without --for: within the hour), that is said,
/// nothing is done, and the exit code is 1; --yes does it anyway. Where the shoot is paused already,
/// that pause stays as it is. Where no scheduler answers, a key of a ConfigMap made by hand does the
/// same.
#[derive(Debug, ClapArgs)]
#[command(override_usage = "perennial pause [OPTIONS] --reason <TEXT> <SHOOT-NAMESPACE>")]
#[command(after_help = ending("  \
  perennial pause shoot--lab--1 --for 2h --reason 'its etcd is moved'
  perennial pause shoot--lab--1 --reason 'incident 4711' --yes
  perennial pause shoot--lab--1 --reason x --dry-run -o json | jq .outlook", PAUSE))]
pub(crate) struct PauseArgs {
    /// The shoot, by its namespace on the seed.
    #[arg(value_name = "SHOOT-NAMESPACE")]
    pub(crate) namespace: Namespace,
    /// Why, for whoever finds the shoot paused: one line, at most 500 characters.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: StopReason,
    /// For how long, 1s to 8760h; until somebody resumes it when left out.
    #[arg(long = "for", value_name = "DURATION", value_parser = length::pause)]
    pub(crate) lasting: Option<Duration>,
    /// Pause also where a token would expire meanwhile.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Only say what would follow; exit code 1 where a token would expire.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// End a stop of the fleet, or the pause of a shoot.
///
/// What fell due meanwhile is renewed at the usual pace, most urgent first. Where the fleet is not
/// stopped, or the shoot not paused, nothing happens.
#[derive(Debug, ClapArgs)]
#[command(override_usage = "perennial resume [OPTIONS] [SHOOT-NAMESPACE]")]
#[command(after_help = ending("  \
  perennial resume
  perennial resume shoot--lab--1
  perennial resume -o json | jq -r .ended.reason
  kubectl -n perennial-system delete configmap perennial-stop    # where no scheduler answers", ASKING))]
pub(crate) struct ResumeArgs {
    /// The shoot whose pause is ended, by its namespace on the seed; the stop of the fleet when left
    /// out.
    #[arg(value_name = "SHOOT-NAMESPACE")]
    pub(crate) namespace: Option<Namespace>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct OutputArgs {
    /// Form of the answer; JSON is that of the messages in proto/.
    #[arg(long, short, value_enum, default_value = "text")]
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListOutput {
    /// A table.
    Table,
    /// A table with more columns.
    Wide,
    /// One ListSchedulesResponse.
    Json,
    /// NAMESPACE/NAME, one a line.
    Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateName {
    Fresh,
    Due,
    Renewing,
    BackingOff,
    Held,
    Invalid,
    Obstructed,
    WaitingForShoot,
    Hibernated,
}

impl From<StateName> for State {
    fn from(name: StateName) -> Self {
        match name {
            StateName::Fresh => Self::Fresh,
            StateName::Due => Self::Due,
            StateName::Renewing => Self::Renewing,
            StateName::BackingOff => Self::BackingOff,
            StateName::Held => Self::Held,
            StateName::Invalid => Self::Invalid,
            StateName::Obstructed => Self::Obstructed,
            StateName::WaitingForShoot => Self::WaitingForShoot,
            StateName::Hibernated => Self::Hibernated,
        }
    }
}

fn secret(text: &str) -> Result<SecretRef, String> {
    let (namespace, name) = text.split_once('/').ok_or(
        "write it as NAMESPACE/NAME, such as shoot--lab--1/shoot-access-kube-scheduler".to_owned(),
    )?;
    Ok(SecretRef {
        namespace: namespace.parse().map_err(|error| format!("NAMESPACE {error}"))?,
        name: name.parse().map_err(|error| format!("NAME {error}"))?,
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_help_is_what_the_snapshot_shows() {
        let mut perennial = Args::command().term_width(100);
        perennial.build();
        let names: Vec<_> =
            perennial.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        let shown = format!("$ perennial --help\n{}", perennial.render_long_help());
        insta::assert_snapshot!("help", shown);
        for name in names.iter().filter(|name| *name != "help") {
            let command = perennial.find_subcommand_mut(name).unwrap();
            let shown = format!("$ perennial {name} --help\n{}", command.render_long_help());
            insta::assert_snapshot!(format!("help_{name}"), shown);
        }
    }

    #[test]
    fn a_secret_is_named_by_namespace_and_name() {
        let named = secret("shoot--lab--1/etcd").unwrap();
        assert_eq!(named.to_string(), "shoot--lab--1/etcd");
        assert!(secret("etcd").unwrap_err().starts_with("write it as NAMESPACE/NAME"));
        assert!(secret("Shoot/etcd").unwrap_err().starts_with("NAMESPACE must be lower-case"));
        assert!(secret("shoot/").unwrap_err().starts_with("NAME is empty"));
        assert!(secret("a/b/c").unwrap_err().starts_with("NAME must be"));
    }
}
