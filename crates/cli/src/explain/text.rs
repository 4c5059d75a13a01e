//! An explanation as text, for a person at night: the verdict first, then the life of the token to
//! look at, then all the rest. Pure.

use std::iter;

use jiff::Timestamp;
use perennial_core::length::length;
use perennial_proto::{
    issuer::v1::Shoot,
    scheduler::v1::{
        Attempt, Explanation, Finding, Generations, Knowledge, Origin, Schedule, StormMemory,
    },
    writer::v1::{AccessSecret, Claims, Inputs, Mode, access_secret::Asks},
};

use super::timeline::Life;
use crate::{
    moment::{absolute, both, relative, took},
    status::text::{credential, reach},
    table,
};

/// Columns of a line. Names are never broken, and commands not at all: they are there to be copied.
const WIDTH: usize = 100;
/// Columns of a key and the space before and behind it.
const KEY_WIDTH: usize = 13;

/// The whole answer.
#[must_use]
pub fn lines(explanation: &Explanation) -> Vec<String> {
    let mut page = Page { lines: Vec::new(), now: moment(explanation.at.as_ref()) };
    let schedule = explanation.schedule.clone().unwrap_or_default();
    page.head(&schedule, explanation);
    let record = explanation.record.clone().unwrap_or_default();
    if let Some(claims) = &record.claims {
        page.life(claims, explanation);
    }
    page.token(&record, explanation);
    page.renewal(&schedule, explanation);
    page.asks(&record);
    page.shoot(&schedule.namespace, explanation);
    page.attempts(explanation);
    page.replica(explanation);
    page.lines
}

fn moment(at: Option<&prost_types::Timestamp>) -> Timestamp {
    at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok()).unwrap_or_default()
}

struct Page {
    lines: Vec<String>,
    now: Timestamp,
}

impl Page {
    fn section(&mut self, title: &str) {
        self.lines.extend([String::new(), title.to_owned()]);
    }

    fn entry(&mut self, key: &str, value: &str) {
        self.block(&format!("  {key:<width$}", width = KEY_WIDTH - 2), value);
    }

    /// A text behind a head, as many lines as it takes.
    fn block(&mut self, head: &str, text: &str) {
        let rest = " ".repeat(head.chars().count());
        let options = textwrap::Options::new(WIDTH)
            .initial_indent(head)
            .subsequent_indent(&rest)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false);
        self.lines.extend(textwrap::wrap(text, options).into_iter().map(|line| line.into_owned()));
    }

    fn head(&mut self, schedule: &Schedule, explanation: &Explanation) {
        let state = table::state(schedule);
        let overdue = if schedule.overdue { ", overdue" } else { "" };
        let audit = if explanation.audit { ", audit mode" } else { "" };
        let stopped = if explanation.stopped.is_some() { ", FLEET STOPPED" } else { "" };
        let paused = if explanation.pause.is_some() { ", SHOOT PAUSED" } else { "" };
        self.lines
            .push(format!("{}  {state}{overdue}{audit}{stopped}{paused}", table::name(schedule)));
        self.lines.push(String::new());
        self.finding(&explanation.verdict.clone().unwrap_or_default());
        let usable = match &explanation.usable_until {
            Some(_) => format!("until {}", both(explanation.usable_until.as_ref(), self.now)),
            None => "no: consumers have no usable token now".to_owned(),
        };
        self.entry("usable", &usable);
        if schedule.troubled_since.is_some() {
            self.entry("since", &both(schedule.troubled_since.as_ref(), self.now));
        }
        for finding in &explanation.more {
            self.lines.push(String::new());
            self.finding(finding);
        }
    }

    fn finding(&mut self, finding: &Finding) {
        self.entry("cause", &finding.cause);
        let nothing = "nothing to do".to_owned();
        let remedy = Some(&finding.remedy).filter(|remedy| !remedy.is_empty());
        self.entry("remedy", remedy.unwrap_or(&nothing));
        if !finding.command.is_empty() {
            // On one line however long, to be copied.
            self.lines.push(format!(
                "  {:<width$}{}",
                "run",
                finding.command,
                width = KEY_WIDTH - 2
            ));
        }
    }

    fn life(&mut self, claims: &Claims, explanation: &Explanation) {
        let seconds = |at: &Option<prost_types::Timestamp>| at.as_ref().map(|at| at.seconds);
        let (Some(issued), Some(expires)) =
            (seconds(&claims.issued_at), seconds(&claims.expires_at))
        else {
            return;
        };
        let offset = offset(explanation);
        self.section(&match offset {
            0 => "Life of the token".to_owned(),
            _ => format!("Life of the token, by the shoot's clock ({})", apart(offset)),
        });
        let now = self.now.as_second().saturating_add(offset);
        let life = Life { issued, expires, now, window: explanation.window.as_ref() };
        let line = life.line().into_iter().flatten();
        self.lines.extend(line.chain(life.moments()).map(|line| format!("  {line}")));
    }

    fn token(&mut self, record: &AccessSecret, explanation: &Explanation) {
        self.section("Token");
        self.entry("whose", origin(explanation.origin()));
        if let Some(note) = &record.issued {
            let written = both(note.written_at.as_ref(), self.now);
            self.entry("written", &format!("{written}, because {}", note.reason));
        }
        if let Some(generations) = &explanation.generations {
            self.entry("bound to", &self.generations(generations));
        }
        let Some(claims) = &record.claims else { return };
        self.entry("account", &account(claims));
        self.entry("audiences", &listed(&claims.audiences));
        self.entry("issuer", &claims.issuer);
        let published = explanation.shoot.as_ref().and_then(|shoot| shoot.signing_key_published);
        let published = match published {
            Some(true) => ", in the shoot's key set",
            Some(false) => ", NOT in the shoot's key set",
            None => "",
        };
        self.entry("key id", &format!("{}{published}", or_dash(&claims.key_id)));
    }

    fn generations(&self, generations: &Generations) -> String {
        let Generations { present, object, since, each, .. } = generations;
        let mut text = match present {
            0 => "nothing, though the Secret is revocable; the next token is".to_owned(),
            present => format!("generation {present} ({object} in the shoot)"),
        };
        if since.is_some() {
            text += &format!(", by a revocation {}", both(since.as_ref(), self.now));
        }
        for (older, before) in each.iter().zip(["; tokens"].into_iter().chain(iter::repeat(","))) {
            let until = both(older.until.as_ref(), self.now);
            text += &format!("{before} of generation {} work until {until}", older.number);
        }
        text
    }

    fn renewal(&mut self, schedule: &Schedule, explanation: &Explanation) {
        self.section("Renewal");
        let next = explanation.next.clone().unwrap_or_default();
        match &next.at {
            Some(_) => {
                self.entry("next", &format!("{} {}", both(next.at.as_ref(), self.now), next.what));
            }
            None => self.entry("next", &next.what),
        }
        if let Some(window) = &explanation.window {
            self.entry("latest", &window.why_latest);
            if let Some(place) = window.place {
                self.entry("place", &format!("{place:.2} of the window (0 its begin, 1 latest)"));
            }
        }
        self.entry("timestamp", &explanation.renew_timestamp);
        if let Some(storm) = &explanation.storm {
            self.entry("storm", &self.storm(storm));
        }
        if let Some(other) = explanation.record.as_ref().and_then(|r| r.other_writer.as_ref()) {
            let when = both(other.at.as_ref(), self.now);
            self.entry("stranger", &format!("\"{}\" wrote it, {when}", other.manager));
        }
        let counts = format!("{} done, {} failed in a row", schedule.renewals, schedule.failures);
        self.entry("renewals", &counts);
    }

    fn storm(&self, storm: &StormMemory) -> String {
        let early = match storm.streak {
            0 => "the last token came when it was due".to_owned(),
            1 => "the last token came before the planned moment of the one before".to_owned(),
            streak => format!("{streak} in a row came before the planned moment of the one before"),
        };
        match &storm.held_until {
            Some(_) => format!(
                "{early}; no other one before {}",
                both(storm.held_until.as_ref(), self.now)
            ),
            None => format!("{early}; another one may come at once"),
        }
    }

    fn asks(&mut self, record: &AccessSecret) {
        self.section("What the Secret asks for");
        match &record.asks {
            Some(Asks::Inputs(inputs)) => self.inputs(inputs),
            Some(Asks::Invalid(invalid)) => {
                self.entry("impossible", &format!("{} ({})", invalid.message, invalid.reason));
            }
            None => self.entry("impossible", "the scheduler did not say"),
        }
    }

    fn inputs(&mut self, inputs: &Inputs) {
        self.entry("account", &format!("{}/{}", inputs.account_namespace, inputs.account_name));
        let lifetime = inputs.lifetime.as_ref().map_or(0, |lifetime| lifetime.seconds);
        self.entry("lifetime", &length(lifetime));
        self.entry("audiences", &listed(&inputs.audiences));
        if !inputs.account_labels.is_empty() {
            let labels = inputs.account_labels.iter().map(|(key, value)| format!("{key}={value}"));
            self.entry("labels", &labels.collect::<Vec<_>>().join(", "));
        }
        let place = match inputs.mode() {
            Mode::Kubeconfig => "user of the current context in data key kubeconfig",
            Mode::Token | Mode::Unspecified => "data key token",
        };
        let ca = if inputs.inject_ca { ", with the CA of the shoot" } else { "" };
        match &inputs.target {
            None => self.entry("put into", &format!("{place}{ca}")),
            Some(target) => {
                let target = format!("{}/{}", target.namespace, target.name);
                self.entry("put into", &format!("target {target} in the shoot{ca}"));
            }
        }
    }

    fn shoot(&mut self, namespace: &str, explanation: &Explanation) {
        self.section(&format!("Shoot {namespace}"));
        let view = explanation.shoot.clone().unwrap_or_default();
        match (view.knowledge(), &view.status) {
            (Knowledge::Reported, Some(status)) => {
                let age = view.age.as_ref().map(|age| length(age.seconds));
                self.status(status, age, offset(explanation));
            }
            (Knowledge::Missing, _) => self.entry("reach", "no token-issuer knows it"),
            _ => self.entry("reach", "not known: no token-issuer is heard"),
        }
    }

    fn status(&mut self, status: &Shoot, age: Option<String>, offset: i64) {
        let age = age.map_or_else(String::new, |age| format!(", reported {age} ago"));
        self.entry("reach", &format!("{}{age}", reach(status)));
        if !status.detail.is_empty() {
            self.entry("detail", &status.detail);
        }
        self.entry("credential", credential(status));
        let clock = match &status.clock_offset {
            Some(_) => apart(offset),
            None => "not seen yet".to_owned(),
        };
        self.entry("clock", &clock);
        let keys = status.key_ids.join(", ");
        self.entry("key set", if keys.is_empty() { "not seen yet" } else { &keys });
    }

    fn attempts(&mut self, explanation: &Explanation) {
        let since = explanation.replica.as_ref().and_then(|replica| replica.since.as_ref());
        self.section(&format!("Attempts since {}, newest first", both(since, self.now)));
        if explanation.attempts.is_empty() {
            self.lines.push("  none".to_owned());
        }
        let mut told = "";
        for attempt in &explanation.attempts {
            self.attempt(attempt, attempt.message == told);
            told = &attempt.message;
        }
    }

    fn attempt(&mut self, attempt: &Attempt, is_told: bool) {
        let ago = attempt.at.as_ref().map(|at| relative(at, self.now)).unwrap_or_default();
        let took = attempt.took.as_ref().map(took).map_or_else(String::new, |t| format!(" in {t}"));
        let code = match attempt.code.as_str() {
            "" => String::new(),
            code => format!(" ({code})"),
        };
        let (at, outcome) = (absolute(attempt.at.as_ref()), &attempt.outcome);
        let reason = &attempt.reason;
        self.lines.push(format!("  {at}  {ago:<11}  {reason}: {outcome}{took}{code}"));
        let request = format!("request {}", attempt.request_id);
        match attempt.message.as_str() {
            "" => self.block("      ", &request),
            _ if is_told => self.block("      ", &format!("{request}: the same")),
            message => self.block("      ", &format!("{request}: {message}")),
        }
    }

    fn replica(&mut self, explanation: &Explanation) {
        let replica = explanation.replica.clone().unwrap_or_default();
        let since = both(replica.since.as_ref(), self.now);
        self.lines.push(String::new());
        let text = format!(
            "Asked scheduler {} at {}, which runs since {since} and knows no attempts from before.",
            replica.name,
            absolute(explanation.at.as_ref())
        );
        self.block("", &text);
    }
}

fn offset(explanation: &Explanation) -> i64 {
    let status = explanation.shoot.as_ref().and_then(|shoot| shoot.status.as_ref());
    status.and_then(|status| status.clock_offset.as_ref()).map_or(0, |offset| offset.seconds)
}

fn apart(offset: i64) -> String {
    match offset {
        0 => "as ours".to_owned(),
        ahead @ 1.. => format!("{} ahead of ours", length(ahead)),
        behind => format!("{} behind ours", length(behind.saturating_neg())),
    }
}

const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Unspecified => "not known",
        Origin::None => "nobody's: there is none",
        Origin::Ours => "ours: its SHA-256 is the one noted",
        Origin::Other => "somebody else's: nothing is noted about it, and its claims decide",
        Origin::Damaged => "damaged: the claims of the one we wrote, but other bytes",
        Origin::Unreadable => "nobody's: what stands there is no ServiceAccount token",
    }
}

fn account(claims: &Claims) -> String {
    let uid = match claims.account_uid.as_str() {
        "" => String::new(),
        uid => format!(" (uid {uid})"),
    };
    format!("{}/{}{uid}", claims.account_namespace, claims.account_name)
}

fn listed(items: &[String]) -> String {
    if items.is_empty() { "those of the API server".to_owned() } else { items.join(", ") }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
