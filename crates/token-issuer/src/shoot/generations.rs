//! The part of a shoot that is about generations.

use std::time::Duration;

use futures::{future::BoxFuture, stream::BoxStream};
use perennial_core::{
    generation::{Family, Number},
    name::{Namespace, SecretRef},
};
pub use perennial_kube::shoot::generations::{GenerationChange, SeenGeneration, is_name_taken};
use perennial_kube::{Error, shoot::ShootClient};

/// Secrets of one shoot that tokens are bound to.
pub trait Generations {
    /// See [`ShootClient::list_generations`].
    fn list_generations<'a>(
        &'a self,
        namespace: &'a Namespace,
    ) -> BoxFuture<'a, Result<Vec<SeenGeneration>, Error>>;

    /// See [`ShootClient::make_generation`].
    fn make_generation<'a>(
        &'a self,
        family: &'a Family,
        number: Number,
        grace: Option<Duration>,
        secret: &'a SecretRef,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// See [`ShootClient::delete_generation`].
    fn delete_generation<'a>(
        &'a self,
        namespace: &'a Namespace,
        generation: &'a SeenGeneration,
    ) -> BoxFuture<'a, Result<bool, Error>>;

    /// See [`ShootClient::watch_generations`].
    fn watch_generations(&self, namespace: &Namespace) -> BoxStream<'static, GenerationChange>;
}

impl Generations for ShootClient {
    fn list_generations<'a>(
        &'a self,
        namespace: &'a Namespace,
    ) -> BoxFuture<'a, Result<Vec<SeenGeneration>, Error>> {
        Box::pin(Self::list_generations(self, namespace))
    }

    fn make_generation<'a>(
        &'a self,
        family: &'a Family,
        number: Number,
        grace: Option<Duration>,
        secret: &'a SecretRef,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(Self::make_generation(self, family, number, grace, secret))
    }

    fn delete_generation<'a>(
        &'a self,
        namespace: &'a Namespace,
        generation: &'a SeenGeneration,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(Self::delete_generation(self, namespace, generation))
    }

    fn watch_generations(&self, namespace: &Namespace) -> BoxStream<'static, GenerationChange> {
        Self::watch_generations(self, namespace)
    }
}
