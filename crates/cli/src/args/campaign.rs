//! Flags of `perennial campaign` and `perennial rotate-keys`.

use std::time::Duration;

use clap::{ArgGroup, Args as ClapArgs, Subcommand};
use perennial_core::{
    name::{CampaignId, Namespace},
    selector::Selector,
    stop::StopReason,
};

use super::{
    OutputArgs,
    ending::{CAMPAIGN, ending},
    length,
};

/// Renew or revoke every token of a selection, and wait until the last one is.
///
/// A campaign is stored on the seed and goes on whether somebody watches or not, over restarts of
/// anything, within the usual limits; what falls due by itself goes first. It is done when the token of
/// every Secret of its selection is as wanted, those that are made meanwhile too. Secrets that have to wait
/// (shoot away, hibernated, held against a storm) are waited for; those that nobody can renew before
/// somebody mends them are named, and the exit code is 1.
#[derive(Debug, ClapArgs)]
#[command(override_usage = "perennial campaign <COMMAND>")]
#[command(after_help = ending("  \
  perennial campaign start shoot--lab--1 --reason 'tokens may have leaked'
  perennial campaign start --all --reason 'incident 7' --no-wait
  perennial campaign start -l 'app in (etcd,vpn)' --reason 'incident 7'
  perennial campaign revoke shoot--lab--1 --reason 'its etcd was copied' --grace 0
  perennial campaign list
  perennial campaign watch c-1764000000000
  perennial campaign cancel c-1764000000000", CAMPAIGN))]
pub(crate) struct CampaignArgs {
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Renew every token that was issued before now, and wait until that is done.
    Start(StartArgs),
    /// Revoke every token that was issued before now, and wait until the shoots refuse them.
    ///
    /// A new token is issued and written for each, consumers have the grace to take it up, and then
    /// whatever the old ones were bound to is deleted. Only Secrets with the annotation
    /// perennial.dev/revocable can be revoked: others of the selection are named, nothing happens to
    /// them, and the exit code is 1.
    Revoke(RevokeAllArgs),
    /// All campaigns of the last week, and how far each is.
    List(OutputArgs),
    /// Wait until a campaign is done.
    Watch(WatchArgs),
    /// How far a campaign is, and which Secrets are not done for which reason.
    Show(WatchArgs),
    /// End a campaign: nothing more is renewed for it. What was renewed stays.
    Cancel(WatchArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) how: HowArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RevokeAllArgs {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// How long old tokens live on after a new one is written, from 0 to 24h; 4m when left out. A
    /// consumer needs up to 3m to take up its new token, and sees 401 if it has less.
    #[arg(long, value_name = "DURATION", value_parser = length::grace)]
    pub(crate) grace: Option<Duration>,
    #[command(flatten)]
    pub(crate) how: HowArgs,
}

/// Which Secrets.
#[derive(Debug, ClapArgs)]
#[command(group(ArgGroup::new("which").required(true).multiple(true).args(["namespace", "all", "selector"])))]
pub(crate) struct SelectionArgs {
    /// Namespace of the shoot whose Secrets it is about.
    #[arg(value_name = "NAMESPACE", conflicts_with = "all")]
    pub(crate) namespace: Option<Namespace>,
    /// Every Secret of every shoot.
    #[arg(long)]
    pub(crate) all: bool,
    /// Only Secrets with such labels, written as for kubectl; without a namespace those of every shoot.
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    pub(crate) selector: Option<Selector>,
}

/// How it is begun.
#[derive(Debug, ClapArgs)]
pub(crate) struct HowArgs {
    /// Why: some words on one line, for whoever finds it.
    #[arg(long, value_name = "WHY")]
    pub(crate) reason: StopReason,
    /// Begin it, print its id, and do not wait.
    #[arg(long)]
    pub(crate) no_wait: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct WatchArgs {
    /// Its id, as `campaign start` and `campaign list` print it.
    #[arg(value_name = "ID")]
    pub(crate) id: CampaignId,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Renew every token of a shoot that is signed by an old key, and wait until that is done.
///
/// Use it between the two halves of a rotation of the signing key: the API server signs with the new key
/// and still accepts the old one; when this ends with exit code 0, no access Secret holds a token of the
/// old key, and it can be dropped once consumers have read the new ones (a kubelet takes up to 2 minutes).
/// While the shoot still signs with the old key nothing is renewed but one token a minute, to see it.
#[derive(Debug, ClapArgs)]
#[command(
    override_usage = "perennial rotate-keys <NAMESPACE> <--drop KID|--to KID> --reason <WHY>"
)]
#[command(group(ArgGroup::new("which_key").required(true).args(["drop", "to"])))]
#[command(after_help = ending("  \
  kubectl --kubeconfig shoot get --raw /openid/v1/jwks | jq -r '.keys[].kid'   # the ids of its keys
  perennial rotate-keys shoot--lab--1 --drop KID --reason 'yearly rotation'
  perennial rotate-keys shoot--lab--1 --to KID --reason 'yearly rotation' --no-wait", CAMPAIGN))]
pub(crate) struct RotateKeysArgs {
    /// Namespace of the shoot.
    #[arg(value_name = "NAMESPACE")]
    pub(crate) namespace: Namespace,
    /// Id (`kid`) of the key that is to be dropped: every token that it signed is renewed.
    #[arg(long, value_name = "KID")]
    pub(crate) drop: Option<String>,
    /// Id (`kid`) of the new key: every token that it did not sign is renewed.
    #[arg(long, value_name = "KID")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) how: HowArgs,
}
