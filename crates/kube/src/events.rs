//! Warning Events on access Secrets, one per trouble.
//!
//! The name of an Event is made of the Secret's uid and of what is wrong, so whoever publishes the
//! same trouble again, after a restart or in another replica, finds the Event that is there, and
//! counts it up at most once in [`REPEAT_MIN`]. kube's own `Recorder` knows only what it published
//! itself within six minutes, and a restart of it makes a second Event.
//!
//! They are written as core/v1: there count and text of an Event may follow what happens. Of one
//! that is written as events.k8s.io/v1 an API server lets only the series change, and neither the
//! text nor the instance that reports, which is another one after each restart.

mod text;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use perennial_core::name::SecretRef;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{access::FIELD_MANAGER, call::bounded, error::Error};

/// Who reports.
pub const CONTROLLER: &str = "perennial.dev/secret-writer";
/// The same trouble is told at most once in this time. API servers forget an Event after an hour
/// by default, so one about trouble that stays is renewed twice before.
pub const REPEAT_MIN: Duration = Duration::from_secs(20 * 60);
const _: () = assert!(REPEAT_MIN.as_secs() * 2 < 60 * 60);

/// What was being done.
const ACTION: &str = "RenewToken";
/// Longest name of an instance, in bytes.
const INSTANCE_BYTES_MAX: usize = 128;
/// Bytes of a Secret's name that stand in the name of its Event; with a dot and 16 more bytes that
/// is below the 253 bytes that a name may have.
const NAME_BYTES_MAX: usize = 200;

/// What is wrong with one access Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which Secret.
    pub secret: SecretRef,
    /// Its `metadata.uid`.
    pub uid: String,
    /// Stable, upper-case name of what is wrong, such as `DURATION_INVALID`.
    pub reason: String,
    /// The key that is wrong; may be empty.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether other words under the same name are news: so they are for a value that somebody is
    /// correcting, and not for what changes with every attempt.
    pub exact: bool,
}

impl Notice {
    /// Name of the Event: the same for the same Secret, reason and key, whoever asks and when.
    #[must_use]
    pub fn event_name(&self) -> String {
        let mut hasher = Sha256::new();
        for part in [&self.uid, &self.reason, &self.key] {
            // Length first, so that no two different notices feed the same bytes.
            hasher.update(format!("{}:", part.len()));
            hasher.update(part);
        }
        let hash: String = hasher.finalize()[..8].iter().map(|b| format!("{b:02x}")).collect();
        let name = text::cut(self.secret.name.as_str(), NAME_BYTES_MAX);
        format!("{}.{hash}", name.trim_end_matches(['.', '-']))
    }

    /// Whether the Event says what is no longer so.
    fn corrects(&self, held: &Event) -> bool {
        self.exact && held.message.as_deref() != Some(text::message(&self.message).as_str())
    }

    fn event(&self, instance: &str, now: Timestamp) -> Event {
        let now = Some(seconds(now));
        Event {
            metadata: ObjectMeta {
                name: Some(self.event_name()),
                namespace: Some(self.secret.namespace.to_string()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Secret".to_owned()),
                namespace: Some(self.secret.namespace.to_string()),
                name: Some(self.secret.name.to_string()),
                uid: Some(self.uid.clone()),
                ..ObjectReference::default()
            },
            type_: Some("Warning".to_owned()),
            reason: Some(text::camel_case(&self.reason)),
            message: Some(text::message(&self.message)),
            action: Some(ACTION.to_owned()),
            count: Some(1),
            first_timestamp: now.clone(),
            last_timestamp: now,
            reporting_component: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(instance.to_owned()),
            source: Some(EventSource {
                component: Some(CONTROLLER.to_owned()),
                ..EventSource::default()
            }),
            ..Event::default()
        }
    }
}

/// What came of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// There is an Event now.
    Made,
    /// The Event that is there was counted up, and has the words of now.
    Counted,
    /// It was told less than [`REPEAT_MIN`] ago, and nothing was written.
    Known,
}

/// The Events of a seed. Clones share the connection.
#[derive(Clone)]
pub struct Events {
    client: Client,
    instance: String,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl Events {
    /// Events reported by `instance`, the name of this Pod. Nothing is called yet.
    #[must_use]
    pub fn new(client: Client, instance: &str) -> Self {
        Self { client, instance: text::cut(instance, INSTANCE_BYTES_MAX).to_owned() }
    }

    /// Publishes a notice: one GET, and at most one write.
    ///
    /// # Errors
    /// When the API server does not do it.
    pub async fn publish(&self, notice: &Notice, now: Timestamp) -> Result<Published, Error> {
        let namespace = notice.secret.namespace.as_str();
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let name = notice.event_name();
        let what = format!("Event {namespace}/{name}");
        match bounded(&format!("read {what}"), api.get_opt(&name)).await? {
            Some(held) if was_told_lately(&held, now) && !notice.corrects(&held) => {
                Ok(Published::Known)
            }
            Some(held) => {
                let count = held.count.unwrap_or_default().max(1).saturating_add(1);
                let merge = json!({"count": count, "lastTimestamp": seconds(now),
                    "message": text::message(&notice.message)});
                let params = PatchParams {
                    field_manager: Some(FIELD_MANAGER.to_owned()),
                    ..PatchParams::default()
                };
                let patch = Patch::Merge(merge);
                bounded(&format!("count {what}"), api.patch(&name, &params, &patch)).await?;
                Ok(Published::Counted)
            }
            None => {
                let params = PostParams {
                    field_manager: Some(FIELD_MANAGER.to_owned()),
                    ..PostParams::default()
                };
                let event = notice.event(&self.instance, now);
                match bounded(&format!("make {what}"), api.create(&params, &event)).await {
                    Ok(_) => Ok(Published::Made),
                    // Another replica was faster.
                    Err(error) if error.code() == Some(409) => Ok(Published::Known),
                    Err(error) => Err(error),
                }
            }
        }
    }
}

/// Either way: a moment that lies ahead comes from a clock that ran ahead.
fn was_told_lately(held: &Event, now: Timestamp) -> bool {
    let repeat = SignedDuration::try_from(REPEAT_MIN).unwrap_or(SignedDuration::MAX);
    held.last_timestamp.as_ref().is_some_and(|last| now.duration_since(last.0).abs() < repeat)
}

/// Events have whole seconds.
fn seconds(moment: Timestamp) -> Time {
    Time(Timestamp::from_second(moment.as_second()).unwrap_or(moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(reason: &str, key: &str, message: &str) -> Notice {
        Notice {
            secret: SecretRef::parse("shoot--lab--1", "shoot-access-kube-proxy").unwrap(),
            uid: "uid-1".to_owned(),
            reason: reason.to_owned(),
            key: key.to_owned(),
            message: message.to_owned(),
            exact: true,
        }
    }

    #[test]
    fn another_mistake_is_another_event_and_other_words_are_not() {
        let name = notice("DURATION_INVALID", "a", "x").event_name();
        assert!(name.starts_with("shoot-access-kube-proxy."), "{name}");
        assert_eq!(name, notice("DURATION_INVALID", "a", "y").event_name());
        for (reason, key) in [("BOOL_INVALID", "a"), ("DURATION_INVALID", "b")] {
            assert_ne!(name, notice(reason, key, "x").event_name());
        }
        let anew = Notice { uid: "uid-2".to_owned(), ..notice("DURATION_INVALID", "a", "x") };
        assert_ne!(name, anew.event_name(), "the Secret was made anew");
    }

    #[test]
    fn b10_an_event_is_corrected_where_the_words_are_those_of_a_value() {
        let held = notice("DURATION_INVALID", "a", "x").event("pod", Timestamp::UNIX_EPOCH);
        assert!(!notice("DURATION_INVALID", "a", "x").corrects(&held));
        let other = notice("DURATION_INVALID", "a", "y");
        assert!(other.corrects(&held));
        assert!(!Notice { exact: false, ..other }.corrects(&held));
    }

    #[test]
    fn the_longest_name_of_a_secret_leaves_a_name_for_its_event() {
        let longest = format!("{}.{}", "a".repeat(199), "b".repeat(53));
        let secret = SecretRef::parse("shoot--lab--1", &longest).unwrap();
        let name = Notice { secret, ..notice("X", "", "") }.event_name();
        assert!(name.len() <= 253 && !name.contains(".."), "{name}");
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_silence_an_event_for_hours() {
        let told = |seconds: i64| {
            let held = Event {
                last_timestamp: Some(Time(Timestamp::from_second(100_000).unwrap())),
                ..Event::default()
            };
            was_told_lately(&held, Timestamp::from_second(100_000 + seconds).unwrap())
        };
        let repeat = i64::try_from(REPEAT_MIN.as_secs()).unwrap();
        assert!(told(0) && told(repeat - 1) && told(-5));
        assert!(!told(repeat) && !told(-13 * 3_600));
    }
}
