//! Events, by the publisher that Perennial has: one per trouble, whoever publishes it.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Event;
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams},
};
use perennial_core::name::SecretRef;
use perennial_kube::events::{CONTROLLER, Events, Notice, Published, REPEAT_MIN};
use serde_json::json;

use super::{object, refusal};

pub(super) async fn suite(client: &Client, namespace: &str) {
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    the_same_trouble_is_one_event_also_after_a_restart(client, namespace, &events).await;
    other_words_about_a_value_are_news(client, namespace, &events).await;
    another_trouble_is_another_event(client, namespace, &events).await;
    a_second_one_of_the_same_name_is_refused(namespace, &events).await;
}

fn notice(namespace: &str, reason: &str, message: &str) -> Notice {
    Notice {
        secret: SecretRef::parse(namespace, "shoot-access-a").unwrap(),
        uid: "6e0a2f0c-0000-4000-8000-000000000000".to_owned(),
        reason: reason.to_owned(),
        key: "a/key".to_owned(),
        message: message.to_owned(),
        exact: false,
    }
}

fn noon() -> Timestamp {
    "2026-11-23T12:00:00.5Z".parse().unwrap()
}

async fn the_same_trouble_is_one_event_also_after_a_restart(
    client: &Client,
    namespace: &str,
    events: &Api<Event>,
) {
    let repeat = SignedDuration::try_from(REPEAT_MIN).unwrap();
    for (instance, after, message, expected) in [
        ("first", SignedDuration::ZERO, "m", Published::Made),
        ("first", SignedDuration::from_secs(60), "m", Published::Known),
        ("second", SignedDuration::from_secs(120), "m", Published::Known),
        ("second", repeat, "other words", Published::Counted),
        ("third", repeat + SignedDuration::from_secs(1), "m", Published::Known),
        ("third", repeat * 2, "at last", Published::Counted),
    ] {
        let publisher = Events::new(client.clone(), instance);
        let notice = notice(namespace, "DURATION_INVALID", message);
        let now = noon().checked_add(after).unwrap();
        assert_eq!(publisher.publish(&notice, now).await.unwrap(), expected, "{after:?}");
    }
    let held = events.list(&ListParams::default()).await.unwrap().items;
    let [event] = held.as_slice() else { panic!("one Event, not {held:?}") };
    assert_eq!((event.count, event.message.as_deref()), (Some(3), Some("at last")));
    assert_eq!(event.first_timestamp.as_ref().unwrap().0.to_string(), "2026-11-23T12:00:00Z");
    assert_eq!(event.last_timestamp.as_ref().unwrap().0.to_string(), "2026-11-23T12:40:00Z");
    assert_eq!(event.type_.as_deref(), Some("Warning"));
    assert_eq!(event.reason.as_deref(), Some("DurationInvalid"));
    assert_eq!(event.reporting_component.as_deref(), Some(CONTROLLER));
    assert_eq!(event.reporting_instance.as_deref(), Some("first"));
    assert_eq!(event.action.as_deref(), Some("RenewToken"));
    let about = &event.involved_object;
    assert_eq!(
        (about.kind.as_deref(), about.name.as_deref()),
        (Some("Secret"), Some("shoot-access-a"))
    );
    assert_eq!(about.uid.as_deref(), Some("6e0a2f0c-0000-4000-8000-000000000000"));
}

async fn other_words_about_a_value_are_news(client: &Client, namespace: &str, events: &Api<Event>) {
    let publisher = Events::new(client.clone(), "first");
    let exact = |message| Notice { exact: true, ..notice(namespace, "NAME_INVALID", message) };
    for (message, expected) in [
        ("one value", Published::Made),
        ("one value", Published::Known),
        ("another value", Published::Counted),
    ] {
        assert_eq!(
            publisher.publish(&exact(message), noon()).await.unwrap(),
            expected,
            "{message}"
        );
    }
    let held = events.get(&exact("").event_name()).await.unwrap();
    assert_eq!((held.count, held.message.as_deref()), (Some(2), Some("another value")));
    events.delete(&exact("").event_name(), &DeleteParams::default()).await.unwrap();
}

async fn another_trouble_is_another_event(client: &Client, namespace: &str, events: &Api<Event>) {
    let publisher = Events::new(client.clone(), "first");
    let longest = "x".repeat(5_000);
    let notice = notice(namespace, "BOOL_INVALID", &longest);
    assert_eq!(publisher.publish(&notice, noon()).await.unwrap(), Published::Made);
    let made = events.get(&notice.event_name()).await.unwrap();
    assert_eq!(made.message.map(|message| message.len()), Some(1024));
    assert_eq!(events.list(&ListParams::default()).await.unwrap().items.len(), 2);
}

/// What two replicas find that publish in the same moment.
async fn a_second_one_of_the_same_name_is_refused(namespace: &str, events: &Api<Event>) {
    let name = notice(namespace, "BOOL_INVALID", "").event_name();
    let second: Event = object(json!({
        "metadata": {"name": name},
        "involvedObject": {"namespace": namespace},
    }));
    let refused = events.create(&PostParams::default(), &second).await;
    assert!(refusal(refused).starts_with("409 AlreadyExists [events]"));
}
