//! The stop switch in the engine, and the task that follows it.

use std::pin::pin;

use futures::{
    future,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use perennial_core::{
    campaign::{Campaign, Campaigns},
    failure::Failure as _,
    name::{CampaignId, Namespace},
    pause::{Pause, Pauses},
};
use perennial_kube::{
    Error,
    own_namespace::{Change, Made},
};
use perennial_process::outage::Outage;

use super::*;
use crate::{
    fixtures::Unthrown,
    stop::{Handle, follow::follow},
};

fn stop() -> Stop {
    Stop::new("wrong tokens".parse().unwrap(), "spiffe://x".to_owned(), at(0))
}

#[tokio::test(start_paused = true)]
async fn an_operator_who_waits_for_a_renewal_is_told_that_the_fleet_was_stopped() {
    running(async |mut bench: Bench| {
        bench.first_sets(&[fresh("shoot-1/a", 0)]).await;
        for n in 0..8 {
            bench.say(Input::Records(Event::Upsert(bare(&format!("shoot-1/b{n}"))))).await;
        }
        let mut under_way = Vec::new();
        for _ in 0..8 {
            under_way.push(bench.orders.recv().await.unwrap()); // as many as one shoot may have
        }
        let waiting = bench.ask("shoot-1/a").await;
        time::sleep(BEAT).await;
        bench.say(Input::Stop(Some(stop()))).await;
        let told = waiting.await.unwrap().unwrap_err();
        assert_eq!(told.reason(), "FLEET_STOPPED", "{told}");
        let mut switch = bench.board.follow_switch();
        switch.wait_for(|switch| switch.stopped().is_some()).await.unwrap();
        for (order, answer) in under_way {
            let record = written(&bare(&order.secret.to_string()), 1, order.reason);
            answer.send(Ok(record)).unwrap();
        }
        bench.clock.set(at(PLANNED + 60));
        time::sleep(BEAT * 3).await;
        assert!(bench.orders.try_recv().is_err(), "nothing goes out");
        assert_eq!(bench.board.schedule(&secret("shoot-1/b0")).unwrap().state, State::Due);
        bench.say(Input::Stop(None)).await;
        assert!(bench.orders.recv().await.is_some());
    })
    .await;
}

/// A seed that says these things and then nothing.
#[derive(Debug)]
struct Says(Vec<Result<Option<Stop>, u16>>, Option<Pauses>);

impl crate::stop::Switch for Says {
    fn watch(&self, _: BoxStream<'static, ()>) -> BoxStream<'static, Change<Option<Stop>>> {
        let change = |said: Result<Option<Stop>, u16>| match said {
            Ok(stop) => Change::Known(stop),
            Err(code) => Change::Trouble(Error::Refused {
                operation: "watch the stop switch".to_owned(),
                code,
                reason: String::new(),
                message: "no".to_owned(),
                about: None,
                retry_after: None,
            }),
        };
        stream::iter(self.0.clone().into_iter().map(change)).chain(stream::pending()).boxed()
    }

    fn stop(&self, _: Stop) -> BoxFuture<'static, Result<(Stop, bool), Error>> {
        future::pending().boxed() // nobody stops here
    }

    fn resume(&self) -> BoxFuture<'static, Result<Option<Stop>, Error>> {
        future::pending().boxed() // nor resumes
    }

    fn watch_pauses(&self, _: BoxStream<'static, ()>) -> BoxStream<'static, Change<Pauses>> {
        stream::iter(self.1.clone()).map(Change::Known).chain(stream::pending()).boxed()
    }

    fn pause(
        &self,
        _: Namespace,
        _: Pause,
        _: Timestamp,
    ) -> BoxFuture<'static, Result<Made, Error>> {
        future::pending().boxed()
    }

    fn resume_shoot(&self, _: Namespace) -> BoxFuture<'static, Result<Option<Pause>, Error>> {
        future::pending().boxed()
    }

    fn watch_campaigns(&self, _: BoxStream<'static, ()>) -> BoxStream<'static, Change<Campaigns>> {
        // Told of while nobody knows the pauses: they say nothing of those.
        stream::iter([Change::Known(Campaigns::new())]).chain(stream::pending()).boxed()
    }

    fn start_campaign(
        &self,
        id: CampaignId,
        campaign: Campaign,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<bool, Error>> {
        Unthrown.start_campaign(id, campaign, now)
    }

    fn cancel_campaign(
        &self,
        id: CampaignId,
        now: Timestamp,
    ) -> BoxFuture<'static, Result<Option<Campaign>, Error>> {
        Unthrown.cancel_campaign(id, now)
    }
}

/// How the task ends within a minute, and what the engine is told meanwhile.
async fn follows(said: Vec<Result<Option<Stop>, u16>>) -> (Option<String>, usize, Readiness) {
    follows_both(said, Some(Pauses::new())).await
}

async fn follows_both(
    said: Vec<Result<Option<Stop>, u16>>,
    pauses: Option<Pauses>,
) -> (Option<String>, usize, Readiness) {
    let readiness = Readiness::new();
    let clock = Arc::new(ManualClock::at(at(0)));
    let outage = Outage::new(readiness.gate("stop switch"), "apply it", clock);
    let (inputs, mut told) = mpsc::channel(8);
    let supervisor = Supervisor::new(GRACE);
    let (handle, looks) = Handle::new(Arc::new(Says(said, pauses)));
    let metrics = Metrics::register(&mut Registry::default());
    let task = pin!(follow(handle.switch, looks, inputs, outage, metrics, supervisor.shutdown()));
    let ended = time::timeout(Duration::from_secs(60), task).await;
    let mut count = 0;
    while let Ok(input) = told.try_recv() {
        count += usize::from(matches!(input, Input::Stop(_)));
    }
    (ended.ok().map(|ended| ended.unwrap_err().to_string()), count, readiness)
}

#[tokio::test(start_paused = true)]
async fn a_seed_that_refuses_is_waited_for_30_s_and_one_that_is_away_without_end() {
    let (ended, told, readiness) = follows(vec![Err(403)]).await;
    assert!(ended.unwrap().starts_with("the seed has refused for 30 s"));
    assert_eq!((told, readiness.is_ready()), (0, false));
    let (ended, told, readiness) = follows(vec![Err(503)]).await;
    assert_eq!((ended, told, readiness.is_ready()), (None, 0, false));
}

#[tokio::test(start_paused = true)]
async fn once_it_was_read_no_refusal_ends_the_process_or_takes_back_what_was_said() {
    let (ended, told, readiness) = follows(vec![Err(403), Ok(Some(stop())), Err(403)]).await;
    assert_eq!((ended, told), (None, 1));
    assert!(readiness.is_ready(), "a stopped fleet is a ready one");
}

#[tokio::test(start_paused = true)]
async fn a_restart_orders_nothing_before_the_pauses_were_read_too() {
    let (ended, told, readiness) = follows_both(vec![Ok(None)], None).await;
    assert_eq!((ended, told, readiness.is_ready()), (None, 0, false));
    let (ended, told, readiness) = follows_both(vec![Ok(None)], Some(Pauses::new())).await;
    assert_eq!((ended, told, readiness.is_ready()), (None, 1, true));
}
