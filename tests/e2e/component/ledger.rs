//! Every request of every client, and what they come to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display},
    sync::Mutex,
    time::Duration,
};

use jiff::Timestamp;
use perennial_core::clock::Clock as _;
use perennial_process::clock::SystemClock;

use super::kubelet::{Held, Kubelet};

/// The id of the token that the shoot accepted, or what went wrong.
pub(crate) type Answer = Result<String, String>;

pub(crate) struct Ledger {
    begin: Timestamp,
    uses: Mutex<Vec<Use>>,
}

#[derive(Clone)]
struct Use {
    kind: &'static str,
    client: usize,
    at: Timestamp,
    answer: Answer,
}

/// What they come to, with `failed` first of all.
#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) failed: Vec<String>,
    pub(crate) kinds: BTreeMap<&'static str, Seen>,
}

/// Of all clients of one kind.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) requests: usize,
    /// Places in the history of the files.
    pub(crate) tokens: BTreeSet<usize>,
    /// Longest use of a token after another one had replaced it in the files.
    pub(crate) overdue: Duration,
    pub(crate) clients: BTreeMap<usize, Client>,
}

#[derive(Default)]
pub(crate) struct Client {
    /// Each token it used, and seconds from the begin to the first use.
    pub(crate) tokens: BTreeMap<usize, i64>,
    /// How often the files changed between its first and its last request.
    pub(crate) renewals: usize,
    since: Option<Timestamp>,
}

impl Ledger {
    pub(super) fn begin() -> Self {
        Self { begin: SystemClock.now(), uses: Mutex::default() }
    }

    pub(super) fn add(&self, kind: &'static str, client: usize, answer: Answer) {
        let at = SystemClock.now();
        self.uses.lock().unwrap().push(Use { kind, client, at, answer });
    }

    /// Judged by what stood in the files when; that is looked at last, so that it has all tokens.
    pub(super) fn summary(&self, kubelet: &Kubelet) -> Summary {
        let uses = self.uses.lock().unwrap().clone();
        Summary::of(&uses, self.begin, &kubelet.history())
    }
}

impl Summary {
    fn of(uses: &[Use], begin: Timestamp, history: &[Held]) -> Self {
        let mut summary = Self::default();
        for used in uses {
            summary.take(used, begin, history);
        }
        summary
    }

    fn take(&mut self, used: &Use, begin: Timestamp, history: &[Held]) {
        let seen = self.kinds.entry(used.kind).or_default();
        seen.requests += 1;
        let place = |id: &String| history.iter().position(|held| held.id == *id);
        let stood = |id: &String| place(id).ok_or_else(|| format!("{id} was never in the files"));
        let token = match used.answer.as_ref().map_err(String::clone).and_then(stood) {
            Ok(token) => token,
            Err(error) => {
                return self.failed.push(format!("{} {}: {error}", used.kind, used.client));
            }
        };
        seen.tokens.insert(token);
        if let Some(next) = history.get(token + 1) {
            let overdue = Duration::try_from(used.at.duration_since(next.since));
            seen.overdue = seen.overdue.max(overdue.unwrap_or_default());
        }
        let client = seen.clients.entry(used.client).or_default();
        let since = *client.since.get_or_insert(used.at);
        client.tokens.entry(token).or_insert(used.at.as_second() - begin.as_second());
        let lived = history.iter().filter(|held| since < held.since && held.since <= used.at);
        client.renewals = lived.count();
    }

    pub(super) fn requests(&self) -> usize {
        self.kinds.values().map(|seen| seen.requests).sum()
    }
}

/// A line for each kind, and one for the first client of it: `#4@50s` is the fourth token, first used after 50 s.
impl Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} failed of {} requests", self.failed.len(), self.requests())?;
        for (kind, seen) in &self.kinds {
            let Seen { requests, tokens, overdue, clients } = seen;
            let used = clients.values().map(|client| client.tokens.len());
            writeln!(
                f,
                "{kind:9} {requests:>5} requests of {:>2} clients, {:>2} tokens, {} or more each, \
                 one still used {overdue:.1?} after it was replaced",
                clients.len(),
                tokens.len(),
                used.min().unwrap_or_default(),
            )?;
            if let Some(first) = clients.get(&0) {
                let uses = first.tokens.iter().map(|(token, at)| format!(" #{}@{at}s", token + 1));
                let uses: String = uses.collect();
                writeln!(f, "          the first saw {} renewals:{uses}", first.renewals)?;
            }
        }
        Ok(())
    }
}

#[test]
fn a_client_that_keeps_its_token_and_one_that_fails_are_told() {
    let begin = SystemClock.now();
    let after = |seconds| begin + Duration::from_secs(seconds);
    let held = |id: &str, seconds| Held {
        id: id.to_owned(),
        since: after(seconds),
        expires_at: after(seconds + 600),
    };
    let history = [held("a", 0), held("b", 6), held("c", 12)];
    let used = |client, seconds, answer| Use { kind: "test", client, at: after(seconds), answer };
    let a = || Ok("a".to_owned());
    let uses = [
        used(0, 1, a()),
        used(0, 70, a()),
        used(1, 13, Ok("c".to_owned())),
        used(2, 1, Err("Unauthorized".to_owned())),
        used(2, 2, Ok("z".to_owned())),
    ];
    let summary = Summary::of(&uses, begin, &history);

    assert_eq!(summary.failed, ["test 2: Unauthorized", "test 2: z was never in the files"]);
    let seen = &summary.kinds["test"];
    assert_eq!((seen.requests, seen.tokens.len()), (5, 2));
    assert_eq!(seen.overdue, Duration::from_secs(64), "a was replaced after 6 s");
    assert_eq!(seen.clients[&0].renewals, 2);
}
