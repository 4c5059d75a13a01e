//! Events on the seed, as `kubectl describe` and `kubectl events` find them.

use k8s_openapi::api::{core::v1::Event, events::v1::Event as NewEvent};
use kube::{Api, api::ListParams};
use perennial_kube::events::CONTROLLER;
use perennial_lab::{
    poll::{Look, until},
    shoot::namespace,
};

use crate::house::{House, MOMENT};

/// All that the secret-writer published about Secrets of the first shoot.
pub(crate) async fn events(house: &House) -> Vec<Event> {
    let events: Api<Event> = Api::namespaced(house.lab.seed().client(), &namespace(1));
    let mut events = events.list(&ListParams::default()).await.unwrap().items;
    events.retain(|event| event.reporting_component.as_deref() == Some(CONTROLLER));
    events
}

/// The only Event about a Secret, once it is there.
pub(crate) async fn wait_for_event(house: &House, name: &str) -> Event {
    let look = async || {
        let mut events = events(house).await;
        events.retain(|event| event.involved_object.name.as_deref() == Some(name));
        assert!(events.len() < 2, "more than one Event about {name}: {events:?}");
        Ok(events.pop().map_or_else(|| Look::Waiting("none".to_owned()), Look::Done))
    };
    until(&format!("an Event about {name}"), MOMENT, look).await.unwrap()
}

/// The text under which the newer API shows the same Event.
pub(crate) async fn note(house: &House, event: &Event) -> Option<String> {
    let events: Api<NewEvent> = Api::namespaced(house.lab.seed().client(), &namespace(1));
    events.get(event.metadata.name.as_deref().unwrap()).await.unwrap().note
}
