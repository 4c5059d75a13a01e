use std::collections::VecDeque;

use futures::{StreamExt as _, stream};
use perennial_core::{name::SecretRef, record::Record};
use perennial_rpc::status::Remote;
use tonic::Status;

use super::*;
use crate::engine::follow::{Events, Origin, follow};

/// Each opening plays the next script; after the last one nothing answers.
struct Scripts(VecDeque<Script>);

enum Script {
    Refuses,
    Says(Vec<Event<Record, SecretRef>>),
    FallsSilentAfter(Vec<Event<Record, SecretRef>>),
}

impl Origin for Scripts {
    type Item = Record;
    type Key = SecretRef;

    async fn open(&mut self) -> Result<Events<Record, SecretRef>, Remote> {
        match self.0.pop_front() {
            None | Some(Script::Refuses) => Err(Status::unavailable("refused").into()),
            Some(Script::Says(events)) => Ok(stream::iter(events).map(Ok).boxed()),
            Some(Script::FallsSilentAfter(events)) => {
                Ok(stream::iter(events).map(Ok).chain(stream::pending()).boxed())
            }
        }
    }

    fn peer(&self) -> &str {
        "writer:1"
    }

    fn input(&self, event: Event<Record, SecretRef>) -> Input {
        Input::Records(event)
    }

    fn trouble(&self, why: String) -> Input {
        Input::NoRecords(why)
    }
}

/// What the engine is told, in words.
async fn told(scripts: Vec<Script>, count: usize) -> Vec<String> {
    let supervisor = Supervisor::new(GRACE);
    let (inputs, mut heard) = mpsc::channel(1);
    let stop = supervisor.shutdown();
    supervisor.tasks().spawn("records", async move {
        follow(Scripts(scripts.into()), inputs, stop).await;
        Ok(())
    });
    let mut told = Vec::new();
    let listening = async {
        for _ in 0..count {
            told.push(match heard.recv().await.unwrap() {
                Input::Records(Event::Upsert(record)) => record.secret.to_string(),
                Input::Records(event) => format!("{event:?}"),
                Input::NoRecords(why) => why,
                other => format!("{other:?}"),
            });
        }
    };
    supervisor.run_until(listening).await.unwrap();
    told
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_is_opened_again_until_it_answers() {
    let whole = || Script::Says(vec![Event::Upsert(bare("shoot-1/a")), Event::Complete]);
    let told = told(vec![Script::Refuses, whole(), whole()], 9).await;
    let ended = "writer:1: the other side ended it";
    let refused = "writer:1: refused (PEER_UNREACHABLE)";
    let set = ["Opened", "shoot-1/a", "Complete", "Lost", ended];
    assert_eq!(told[0], refused);
    assert_eq!(told[1..6], set);
    assert_eq!(told[6..], set[..3]);
}

#[tokio::test(start_paused = true)]
async fn silence_before_the_mark_counts_as_broken_and_silence_after_it_does_not() {
    let before = Script::FallsSilentAfter(vec![Event::Upsert(bare("shoot-1/a"))]);
    let after = Script::FallsSilentAfter(vec![Event::Complete]);
    let told = told(vec![before, after], 6).await;
    assert_eq!(told[..3], ["Opened", "shoot-1/a", "Lost"]);
    assert!(told[3].contains("silent for 30s"), "{}", told[3]);
    assert_eq!(told[4..], ["Opened", "Complete"]);
}
