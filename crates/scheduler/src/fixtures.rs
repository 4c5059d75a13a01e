//! Faults, settings and a stop switch for the unit tests of this crate; records come from the crate
//! for tests.

use futures::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use perennial_core::{
    campaign::{Campaign, Campaigns},
    failure::Kind,
    name::{CampaignId, Namespace, ReplicaName},
    pause::{Pause, Pauses},
    stop::Stop,
};
use perennial_fleet::{
    Settings,
    attempts::{Blame, Fault},
};
use perennial_kube::{
    Error,
    own_namespace::{Change, Made},
};
pub(crate) use perennial_testing::records::*;

use crate::{leases::Leases, stop::Switch};

/// A failure that says something of the Secret.
pub(crate) fn fault(kind: Kind) -> Fault {
    Fault {
        kind,
        reason: "TESTED".to_owned(),
        message: format!("it is {}", kind.as_str()),
        retry_after: None,
        blame: Blame::Secret,
    }
}

/// What decides in tests of engine and service.
pub(crate) fn settings() -> Settings {
    Settings {
        policy: perennial_core::decision::Policy::default(),
        in_flight_max: 64,
        in_flight_per_shoot_max: 8,
        audit: false,
        own_secret: "shoot-access-token-issuer".parse().unwrap(),
        rate_max: 1_000.try_into().unwrap(),
        rate_per_shoot_max: 500.try_into().unwrap(),
        budget: Default::default(),
    }
}

/// A stop switch that nobody throws.
#[derive(Debug)]
pub(crate) struct Unthrown;

impl Switch for Unthrown {
    fn watch(&self, _: BoxStream<'static, ()>) -> BoxStream<'static, Change<Option<Stop>>> {
        stream::iter([Change::Known(None)]).chain(stream::pending()).boxed()
    }

    fn stop(&self, stop: Stop) -> BoxFuture<'static, Result<(Stop, bool), Error>> {
        async { Ok((stop, false)) }.boxed()
    }

    fn resume(&self) -> BoxFuture<'static, Result<Option<Stop>, Error>> {
        async { Ok(None) }.boxed()
    }

    fn watch_pauses(&self, _: BoxStream<'static, ()>) -> BoxStream<'static, Change<Pauses>> {
        stream::iter([Change::Known(Pauses::new())]).chain(stream::pending()).boxed()
    }

    fn pause(
        &self,
        _: Namespace,
        _: Pause,
        _: Timestamp,
    ) -> BoxFuture<'static, Result<Made, Error>> {
        async { Ok(Made::New) }.boxed()
    }

    fn resume_shoot(&self, _: Namespace) -> BoxFuture<'static, Result<Option<Pause>, Error>> {
        async { Ok(None) }.boxed()
    }

    fn watch_campaigns(&self, _: BoxStream<'static, ()>) -> BoxStream<'static, Change<Campaigns>> {
        stream::iter([Change::Known(Campaigns::new())]).chain(stream::pending()).boxed()
    }

    fn start_campaign(
        &self,
        _: CampaignId,
        _: Campaign,
        _: Timestamp,
    ) -> BoxFuture<'static, Result<bool, Error>> {
        async { Ok(true) }.boxed()
    }

    fn cancel_campaign(
        &self,
        _: CampaignId,
        _: Timestamp,
    ) -> BoxFuture<'static, Result<Option<Campaign>, Error>> {
        async { Ok(None) }.boxed()
    }
}

/// Leases of nobody else.
#[derive(Debug)]
pub(crate) struct Alone;

impl Leases for Alone {
    fn renew(&self, _: &ReplicaName, _: Timestamp) -> BoxFuture<'static, Result<(), Error>> {
        async { Ok(()) }.boxed()
    }

    fn all(&self) -> BoxFuture<'static, Result<Vec<(ReplicaName, String)>, Error>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn delete(&self, _: &ReplicaName) -> BoxFuture<'static, Result<(), Error>> {
        async { Ok(()) }.boxed()
    }
}
