//! Watches access Secrets from beside, as their consumers would, and remembers every token that
//! ever stood in one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    runtime::watcher::{self, Event, watcher},
};
use perennial_core::{
    clock::Clock as _,
    issued::Issued,
    keys,
    token::{Claims, TokenHash},
};
use perennial_lab::{
    access_secret::token,
    poll::{Look, until},
};
use perennial_process::clock::SystemClock;
use tokio::task::JoinSet;

use crate::{
    house::{MOMENT, annotation},
    strangers,
};

/// What is seen until this is dropped.
pub(crate) struct Witness {
    seen: Arc<Mutex<Seen>>,
    _watch: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    complete: bool,
    secrets: BTreeMap<String, History>,
    renewals: Vec<Renewal>,
    wrongs: Vec<String>,
}

/// All tokens that one Secret held, one after the other.
#[derive(Default)]
struct History {
    tokens: Vec<TokenHash>,
    token: Option<String>,
    renew_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    edits: BTreeMap<String, u64>,
}

/// One token taking the place of another.
#[derive(Clone, Debug)]
pub(crate) struct Renewal {
    /// NAMESPACE/NAME
    pub(crate) secret: String,
    /// When the watch showed it.
    pub(crate) at: Timestamp,
    /// From the planned moment of the token before.
    pub(crate) lateness: Duration,
}

impl Witness {
    /// Begins to watch all access Secrets; back when the first list is in.
    pub(crate) async fn begin(seed: Client) -> Self {
        let secrets: Api<Secret> = Api::all(seed);
        let selector = format!("{}={}", keys::PURPOSE, keys::PURPOSE_TOKEN_REQUESTOR);
        let mut events = watcher(secrets, watcher::Config::default().labels(&selector)).boxed();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (mut watch, take) = (JoinSet::new(), Arc::clone(&seen));
        watch.spawn(async move {
            // An error is the end: once the lab is down, the next one would come at once, for ever.
            while let Some(Ok(event)) = events.next().await {
                take.lock().unwrap().take(event);
            }
            take.lock().unwrap().wrongs.push("the watch failed".to_owned());
        });
        let witness = Self { seen, _watch: watch };
        let look = async || {
            Ok(if witness.lock().complete { Look::Done(()) } else { Look::Waiting(String::new()) })
        };
        until("the first list", MOMENT, look).await.unwrap();
        witness
    }

    /// How many different tokens stood in all Secrets together.
    pub(crate) fn tokens(&self) -> u64 {
        let seen = self.lock();
        seen.secrets.values().map(|history| history.tokens.len() as u64).sum()
    }

    /// How many Secrets hold a token.
    pub(crate) fn holding(&self) -> usize {
        self.lock().secrets.values().filter(|history| history.token.is_some()).count()
    }

    /// The token that stands in a Secret, NAMESPACE/NAME, now.
    pub(crate) fn token(&self, secret: &str) -> Option<String> {
        self.lock().secrets.get(secret)?.token.clone()
    }

    /// NAMESPACE/NAME of all Secrets.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.lock().secrets.keys().cloned().collect()
    }

    /// What has been due for so long and is not renewed: NAMESPACE/NAME, and the planned moment.
    pub(crate) fn waiting(&self, so_long: Duration) -> Vec<(String, Timestamp)> {
        let limit = SystemClock.now() - so_long;
        let seen = self.lock();
        let planned =
            seen.secrets.iter().filter_map(|(id, held)| Some((id.clone(), held.renew_at?)));
        planned.filter(|(_, at)| *at < limit).collect()
    }

    /// The renewals that were seen from `begin` on.
    pub(crate) fn renewals_since(&self, begin: Timestamp) -> Vec<Renewal> {
        self.lock().renewals.iter().filter(|renewal| renewal.at >= begin).cloned().collect()
    }

    /// What must never be seen: a Secret that lost its usable token or let it expire, an edit that
    /// went back.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        let (seen, now) = (self.lock(), SystemClock.now());
        let is_over = |history: &History| history.expires_at.is_some_and(|end| end <= now);
        let over = seen.secrets.iter().filter(|(_, history)| is_over(history));
        let over = over.map(|(id, _)| format!("{id} holds an expired token"));
        seen.wrongs.iter().cloned().chain(over).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

impl Seen {
    fn take(&mut self, event: Event<Secret>) {
        match event {
            Event::Init if self.complete => {
                self.wrongs.push("the watch began anew, tokens may have been missed".to_owned());
            }
            Event::Init => {}
            Event::InitDone => self.complete = true,
            Event::InitApply(secret) | Event::Apply(secret) => self.look(&secret),
            Event::Delete(secret) => {
                self.wrongs.push(format!("{:?} was deleted", secret.metadata.name));
            }
        }
    }

    fn look(&mut self, secret: &Secret) {
        let meta = &secret.metadata;
        let id = format!("{}/{}", meta.namespace.as_ref().unwrap(), meta.name.as_ref().unwrap());
        let now = SystemClock.now();
        let history = self.secrets.entry(id.clone()).or_default();
        for (key, value) in strangers::edits(secret) {
            if history.edits.insert(key.clone(), value).is_some_and(|before| before > value) {
                self.wrongs.push(format!("{id}: {key} went back to {value}"));
            }
        }
        let Some(text) = token(secret) else {
            if !history.tokens.is_empty() {
                self.wrongs.push(format!("{id} lost its token"));
            }
            return;
        };
        let hash = TokenHash::of(text.as_bytes());
        let is_another = history.tokens.last() != Some(&hash);
        if is_another && history.expires_at.is_some_and(|end| end <= now) {
            self.wrongs.push(format!("{id}: the token before expired, and stood there"));
        }
        match Claims::read(text.as_bytes()) {
            Ok(claims) if claims.expires_at > now => history.expires_at = Some(claims.expires_at),
            Ok(claims) => self.wrongs.push(format!("{id}: expired at {}", claims.expires_at)),
            Err(error) => self.wrongs.push(format!("{id}: {error}")),
        }
        if !is_another {
            return;
        }
        if history.tokens.contains(&hash) {
            self.wrongs.push(format!("{id}: an old token came back"));
        }
        let note = annotation(secret, keys::ISSUED).and_then(Issued::read);
        let planned = std::mem::replace(&mut history.renew_at, note.map(|note| note.renew_at));
        if let Some(planned) = planned {
            let lateness = Duration::try_from(now.duration_since(planned)).unwrap_or_default();
            self.renewals.push(Renewal { secret: id, at: now, lateness });
        }
        history.tokens.push(hash);
        history.token = Some(text);
    }
}

/// The longest lateness, and the one that half of them stay under.
pub(crate) fn lateness(renewals: &[Renewal]) -> (Duration, Duration) {
    let mut all: Vec<_> = renewals.iter().map(|renewal| renewal.lateness).collect();
    all.sort();
    let at = |index: usize| all.get(index).copied().unwrap_or_default();
    (at(all.len().saturating_sub(1)), at(all.len() / 2))
}
