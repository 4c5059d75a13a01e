//! Campaigns in words. Pure.

use jiff::Timestamp;
use perennial_core::length::length;
use perennial_proto::scheduler::v1::{
    Campaign, CampaignLeft, CampaignPhase, CampaignProgress, campaign::Wanted,
};

use crate::moment;

/// That it began.
#[must_use]
pub fn begun(campaign: &Campaign) -> String {
    format!(
        "Campaign {}: {}. It goes on whether somebody watches or not.",
        campaign.id,
        what(campaign)
    )
}

/// What is to be done.
#[must_use]
pub fn what(campaign: &Campaign) -> String {
    let with = match campaign.label_selector.as_str() {
        "" => String::new(),
        selector => format!(" with labels {selector}"),
    };
    let of = match campaign.namespace.as_str() {
        "" => format!("of all shoots{with}"),
        namespace => format!("of {namespace}{with}"),
    };
    match &campaign.wanted {
        Some(Wanted::IssuedSince(at)) => {
            let at = moment::absolute(Some(at));
            format!("every token {of} that was issued before {at} is renewed")
        }
        Some(Wanted::SignedBy(key)) => {
            format!("every token {of} that is not signed by key {key} is renewed")
        }
        Some(Wanted::NotSignedBy(key)) => {
            format!("every token {of} that is signed by key {key} is renewed")
        }
        Some(Wanted::RevokedBefore(at)) => {
            let at = moment::absolute(Some(at));
            let grace = campaign.grace.as_ref().map_or(0, |grace| grace.seconds);
            let grace = match grace {
                0 => "without a grace".to_owned(),
                seconds => format!("after a grace of {}", length(seconds)),
            };
            format!("every token {of} that was issued before {at} is revoked, {grace}")
        }
        None => format!("something that this version does not know is done to tokens {of}"),
    }
}

/// How far it is, on one line.
#[must_use]
pub fn line(progress: &CampaignProgress, now: Timestamp) -> String {
    let CampaignProgress { done, total, under_way, .. } = progress;
    let mut parts = match (total, progress.phase()) {
        (0, CampaignPhase::Running) => vec!["its Secrets are looked at first".to_owned()],
        _ => vec![format!("{done} of {total} done")],
    };
    match progress.phase() {
        CampaignPhase::Running => {}
        phase => parts.insert(0, word(phase).to_owned()),
    }
    if *under_way > 0 {
        parts.push(format!("{under_way} under way"));
    }
    let waiting: u64 = progress.awaited.iter().map(|left| left.count).sum();
    if waiting > 0 {
        parts.push(format!("{waiting} wait"));
    }
    if let (CampaignPhase::Running, Some(from)) = (progress.phase(), &progress.refused_from) {
        let left = from.seconds.saturating_sub(now.as_second()).max(0);
        parts.push(format!("every old token is refused within {}", length(left)));
    }
    let cannot: u64 = progress.cannot.iter().map(|left| left.count).sum();
    if cannot > 0 {
        parts.push(format!("{cannot} cannot"));
    }
    if progress.phase() == CampaignPhase::Running {
        if progress.per_second > 0.0 {
            parts.push(format!("{:.1} a second", progress.per_second));
        }
        if let (Some(end), None) = (&progress.ends_at, &progress.refused_from) {
            let left = end.seconds.saturating_sub(now.as_second()).max(0);
            parts.push(format!("about {} left", length(left)));
        }
        if !progress.held_back.is_empty() {
            parts.push(progress.held_back.clone());
        }
    }
    parts.join(", ")
}

/// Changes with each tenth that is done, and with what is said beside that.
#[must_use]
pub fn tenth(progress: &CampaignProgress) -> String {
    let tenth = (progress.done * 10).checked_div(progress.total).unwrap_or_default();
    let kinds = (progress.awaited.len(), progress.cannot.len());
    format!("{tenth} {kinds:?} {} {}", progress.phase().as_str_name(), progress.held_back)
}

/// How far it is, and what is left for which reason.
#[must_use]
pub fn progress(progress: &CampaignProgress, now: Timestamp) -> Vec<String> {
    let campaign = progress.campaign.clone().unwrap_or_default();
    let since = moment::both(campaign.since.as_ref(), now);
    let mut lines = vec![
        format!("Campaign {}: {}", campaign.id, what(&campaign)),
        format!("  since      {since}, by {}: {}", campaign.by, campaign.reason),
        format!("  progress   {}", line(progress, now)),
    ];
    if progress.ended_at.is_some() {
        let ended = moment::both(progress.ended_at.as_ref(), now);
        lines.push(format!("  {:10} {ended}", word(progress.phase())));
    }
    lines.extend(progress.awaited.iter().flat_map(|left| secrets("waits", left)));
    lines.extend(progress.cannot.iter().flat_map(|left| secrets("cannot", left)));
    lines
}

fn secrets(kind: &str, left: &CampaignLeft) -> Vec<String> {
    let why = match left.message.as_str() {
        "" => reason(&left.why).to_owned(),
        message => format!("{}: {message}", reason(&left.why)),
    };
    let mut lines = vec![format!("  {kind:10} {}: {why}", left.count)];
    lines.extend(left.first.iter().map(|secret| format!("             {secret}")));
    let named = u64::try_from(left.first.len()).unwrap_or(u64::MAX);
    if left.count > named {
        lines.push(format!("             and {} more", left.count - named));
    }
    lines
}

fn reason(why: &str) -> &str {
    match why {
        "no_token" => "no token yet, the first one comes anyway",
        "key_not_used" => {
            "the shoot signs by another key than is wanted; one token a minute is issued to see it"
        }
        "not_bound" => "the token is bound to nothing yet; the next one is, and comes by itself",
        "generations_not_seen" => "what its token is bound to was not seen in the shoot yet",
        "grace" => "the new token is written; old ones are refused when the grace is over",
        "shoot_paused" => "the shoot is paused; perennial resume NAMESPACE ends that",
        "shoot_not_known" => "no token-issuer knows the shoot",
        "shoot_unreachable" => "the shoot does not answer",
        "shoot_not_looked_at" => "the shoot was not looked at yet",
        "shoot_hibernated" => "the shoot hibernates",
        "account_terminating" => "its ServiceAccount is being deleted",
        "held" => "another token so soon would be a storm",
        "failing" => "renewals fail",
        "invalid" => "it asks for something impossible, see perennial explain",
        "not_revocable" => {
            "its tokens are bound to nothing, and work until they expire; for those to come: kubectl -n \
             NAMESPACE annotate secret NAME perennial.dev/revocable=true"
        }
        "obstructed" => "it is immutable, or being deleted",
        other => other,
    }
}

/// One line for each campaign.
#[must_use]
pub fn table(campaigns: &[CampaignProgress], now: Timestamp) -> Vec<String> {
    if campaigns.is_empty() {
        return vec!["There is no campaign.".to_owned()];
    }
    let row = |progress: &CampaignProgress| {
        let campaign = progress.campaign.clone().unwrap_or_default();
        let said = format!("{} ({})", what(&campaign), campaign.reason);
        format!("{}  {}; {said}", campaign.id, line(progress, now))
    };
    campaigns.iter().map(row).collect()
}

const fn word(phase: CampaignPhase) -> &'static str {
    match phase {
        CampaignPhase::Running => "running",
        CampaignPhase::Done => "done",
        CampaignPhase::Incomplete => "incomplete",
        CampaignPhase::Cancelled => "cancelled",
        CampaignPhase::Unspecified => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn stamp(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    fn running() -> CampaignProgress {
        CampaignProgress {
            campaign: Some(Campaign {
                id: "c-1".to_owned(),
                reason: "yearly".to_owned(),
                by: "spiffe://x".to_owned(),
                since: stamp(0),
                namespace: "shoot--lab--1".to_owned(),
                wanted: Some(Wanted::NotSignedBy("old".to_owned())),
                ..Campaign::default()
            }),
            phase: CampaignPhase::Running.into(),
            total: 2_000,
            done: 500,
            under_way: 16,
            to_do: 1_484,
            per_second: 100.0,
            ends_at: stamp(75),
            ..CampaignProgress::default()
        }
    }

    #[test]
    fn a_running_one_says_how_far_it_is_and_when_it_is_done() {
        assert_eq!(
            line(&running(), at(60)),
            "500 of 2000 done, 16 under way, 100.0 a second, about 15s left"
        );
        let campaign = running().campaign.unwrap();
        assert_eq!(
            what(&campaign),
            "every token of shoot--lab--1 that is signed by key old is renewed"
        );
    }

    #[test]
    fn a_revocation_says_of_what_with_which_grace_and_until_when_old_tokens_may_be_taken() {
        let campaign = Campaign {
            namespace: String::new(),
            label_selector: "app in (a,b)".to_owned(),
            wanted: Some(Wanted::RevokedBefore(stamp(0).unwrap())),
            grace: Some(prost_types::Duration { seconds: 240, nanos: 0 }),
            ..running().campaign.unwrap()
        };
        assert_eq!(
            what(&campaign),
            "every token of all shoots with labels app in (a,b) that was issued before \
             1970-01-01T00:00:00Z is revoked, after a grace of 4m00s"
        );
        let at_once = Campaign { grace: None, ..campaign };
        assert!(what(&at_once).ends_with("is revoked, without a grace"), "{}", what(&at_once));
        let gone = CampaignProgress {
            done: 2_000,
            to_do: 0,
            under_way: 0,
            per_second: 0.0,
            refused_from: stamp(75),
            ends_at: stamp(75),
            ..running()
        };
        let said = "2000 of 2000 done, every old token is refused within 15s";
        assert_eq!(line(&gone, at(60)), said);
    }

    #[test]
    fn what_is_left_is_named_with_the_reason() {
        let left = CampaignLeft {
            why: "invalid".to_owned(),
            count: 3,
            first: vec!["shoot--lab--1/a".to_owned()],
            ..CampaignLeft::default()
        };
        let phase = CampaignPhase::Incomplete.into();
        let ended =
            CampaignProgress { phase, cannot: vec![left], ended_at: stamp(60), ..running() };
        let shown = progress(&ended, at(60)).join("\n");
        assert!(shown.contains("incomplete, 500 of 2000 done"), "{shown}");
        assert!(shown.contains("cannot     3: it asks for something impossible"), "{shown}");
        assert!(shown.contains("shoot--lab--1/a\n             and 2 more"), "{shown}");
    }

    #[test]
    fn a_log_gets_a_line_for_each_tenth() {
        let at = |done| tenth(&CampaignProgress { done, ..running() });
        assert_eq!(at(500), at(599));
        assert_ne!(at(500), at(600));
        assert!(!tenth(&CampaignProgress::default()).is_empty(), "none is selected");
    }
}
