use perennial_core::failure::Failure as _;
use serde_json::{Value, json};

use super::*;

fn object(version: u32, data: Value) -> Guarded {
    serde_json::from_value(json!({"data": data, "metadata": {
        "namespace": "perennial-system", "name": "perennial-stop", "uid": "u",
        "resourceVersion": version.to_string(), "creationTimestamp": "2026-11-23T20:00:00Z",
        "managedFields": [{"manager": "kubectl-create", "operation": "Update",
            "time": "2026-11-23T20:00:00Z"}],
    }}))
    .unwrap()
}

fn stop(reason: &str) -> Guarded {
    object(5, json!({"reason": reason}))
}

fn latest() -> Latest {
    Latest { operation: "watch it", version: None, listed: None }
}

fn told(changes: &[Change<Option<Guarded>>]) -> Vec<String> {
    let word = |change: &Change<Option<Guarded>>| match change {
        Change::Known(Some(object)) => {
            object.0.as_ref().unwrap().data.as_ref().unwrap()["reason"].clone()
        }
        Change::Known(None) => "runs".to_owned(),
        Change::Trouble(error) => error.reason().to_owned(),
    };
    changes.iter().map(word).collect()
}

impl Latest {
    fn of_event(&mut self, event: Event<Guarded>) -> Vec<String> {
        told(&self.hear(Heard::Event(Ok(event)), None))
    }

    fn of_look(&mut self, heard: Heard, held: Option<&Guarded>, version: u32) -> Vec<String> {
        let version = ResourceVersion::new(version.to_string());
        told(&self.hear(heard, Some(Ok((held.cloned(), version)))))
    }
}

const NONE: [&str; 0] = [];

#[test]
fn an_end_of_a_former_stop_that_comes_late_does_not_end_the_next_one() {
    let mut latest = latest();
    assert_eq!(latest.of_look(Heard::Asked, Some(&stop("second")), 10), ["second"]);
    assert_eq!(latest.of_event(Event::Apply(object(5, json!({"reason": "first"})))), NONE);
    assert_eq!(latest.of_event(Event::Delete(object(8, Value::Null))), NONE);
    let second = object(10, json!({"reason": "second"}));
    assert_eq!(latest.of_event(Event::Apply(second)), ["second"], "said again, and so what");
    assert_eq!(latest.of_event(Event::Delete(object(12, Value::Null))), ["runs"]);
}

#[test]
fn a_list_counts_where_the_look_behind_it_fails() {
    let failed = || {
        let operation = "look".to_owned();
        Some(Err(Error::TimedOut { operation, limit: crate::call::LIMIT }))
    };
    let done = || Heard::Event(Ok(Event::InitDone));
    let mut latest = latest();
    assert_eq!(latest.of_event(Event::Init), NONE);
    assert_eq!(latest.of_event(Event::InitApply(stop("listed"))), NONE);
    assert_eq!(told(&latest.hear(done(), failed())), ["API_SERVER_TIMED_OUT", "listed"]);

    assert_eq!(latest.of_event(Event::Init), NONE);
    assert_eq!(latest.of_look(Heard::Asked, Some(&stop("ours")), 9), ["ours"]);
    assert_eq!(told(&latest.hear(done(), failed())), ["API_SERVER_TIMED_OUT"], "a look is newer");
}

#[test]
fn a_whole_set_is_followed_by_a_look_also_where_versions_began_anew() {
    let mut latest = latest();
    assert_eq!(latest.of_look(Heard::Asked, Some(&stop("before")), 900), ["before"]);
    assert_eq!(latest.of_event(Event::Init), NONE);
    let done = Heard::Event(Ok(Event::InitDone));
    assert!(done.calls_for_a_look());
    assert_eq!(latest.of_look(done, None, 7), ["runs"]);
    assert_eq!(latest.of_event(Event::Apply(object(8, json!({"reason": "new"})))), ["new"]);
}
