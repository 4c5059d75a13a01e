//! Pauses of shoots: one ConfigMap, a key for each shoot that is paused.
//!
//! How keys are written and removed says [`super::keys`]: two who pause two shoots at once do not lose
//! one another's, and nobody ends a pause that he has not seen.

use futures::Stream;
use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    failure::{Failure as _, Kind},
    name::Namespace,
    pause::{self, NAME, PAUSES_MAX, Pause, Pauses},
};

use super::{
    OwnNamespace,
    keys::{Key, TRIES_MAX, data_of},
    watch::{Change, Guarded, Watched},
};
use crate::error::Error;

/// A pause that has been over for so long is removed when the next one is made. Not at once: the
/// clocks of two schedulers may be apart.
const KEPT_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// What became of a pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// It is stored.
    New,
    /// The shoot was paused before, like this.
    Before(Pause),
    /// There are [`PAUSES_MAX`] already.
    TooMany,
}

impl OwnNamespace {
    /// Which shoots are paused. Watches until dropped; never ends by itself. Each item of `looks` has the
    /// ConfigMap looked at at once, whatever the watch does. Errors are told and tried again as those of
    /// [`crate::access::AccessSecrets::watch`].
    pub fn watch_pauses<L: Stream<Item = ()> + Send>(
        &self,
        looks: L,
    ) -> impl Stream<Item = Change<Pauses>> + Send + use<L> {
        let operation = "watch the pauses of shoots, ConfigMap perennial-pauses";
        let read = |object: Option<&Guarded>| pause::read(&data_of(object));
        self.follow(Watched { name: NAME, operation, read }, looks)
    }

    /// Pauses a shoot, unless it is paused at `now`.
    ///
    /// # Errors
    /// Those of the API server; [`Kind::Changed`] where others wrote in between again and again.
    pub async fn pause(
        &self,
        shoot: &Namespace,
        pause: &Pause,
        now: Timestamp,
    ) -> Result<Made, Error> {
        let mut tries = 1;
        loop {
            let (held, _) = self.look(NAME).await?;
            let data = data_of(held.as_ref());
            let holding: Pauses =
                pause::read(&data).into_iter().filter(|(_, pause)| pause.holds(now)).collect();
            if let Some(before) = holding.get(shoot) {
                return Ok(Made::Before(before.clone()));
            }
            if holding.len() >= PAUSES_MAX {
                return Ok(Made::TooMany);
            }
            let old: Vec<_> = data.iter().filter(|(_, value)| is_old(value, now)).collect();
            let written = match old.is_empty() {
                true => self.apply(NAME, key(shoot, pause), held.as_ref()).await.map(|()| true),
                false => self.remove(NAME, &old).await.map(|()| false),
            };
            match written {
                Ok(true) => return Ok(Made::New),
                Ok(false) => {}
                Err(error) if error.kind() == Kind::Changed && tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends the pause that a shoot has, and no later one. Gives it back; `None` where there was none.
    ///
    /// # Errors
    /// Those of the API server; [`Kind::Changed`] where somebody ended it and began another meanwhile.
    pub async fn resume_shoot(&self, shoot: &Namespace) -> Result<Option<Pause>, Error> {
        let key = shoot.to_string();
        let data = data_of(self.look(NAME).await?.0.as_ref());
        let Some(value) = data.get(&key) else { return Ok(None) };
        match self.remove(NAME, &[(&key, value)]).await {
            Ok(()) => Ok(Some(Pause::read(value))),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) if error.kind() == Kind::Changed => {
                let data = data_of(self.look(NAME).await?.0.as_ref());
                if data.contains_key(&key) { Err(error) } else { Ok(None) }
            }
            Err(error) => Err(error),
        }
    }
}

fn key(shoot: &Namespace, pause: &Pause) -> Key {
    Key { kind: "pause", key: shoot.to_string(), value: pause.value() }
}

fn is_old(value: &str, now: Timestamp) -> bool {
    let end = Pause::read(value).until.and_then(|until| until.saturating_add(KEPT_AFTER).ok());
    end.is_some_and(|end| end <= now)
}
