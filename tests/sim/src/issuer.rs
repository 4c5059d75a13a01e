//! The token-issuer as the scheduler sees it: what its looks at shoots find, and when it looks.
//!
//! It looks at each shoot once a minute, and with pauses from 1 s to 15 s at one that it does not
//! reach (`token-issuer/probe/schedule`). A look that would find what is known already is skipped:
//! only when something has changed there the moment of the next one is worked out.

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    shoot::{Credential, Reach, ShootId, ShootStatus},
    signing::{KeyPolls, POLLS_MIN, WITHDRAWN_AFTER},
};

use crate::{
    shoot::{Health, Shoot},
    time::{MINUTE, Ms, SECOND, stamp},
};

/// Between two looks at a shoot that answers.
pub const INTERVAL: Ms = MINUTE;
/// Longest time for a look at one that does not.
pub const LOOK_LIMIT: Ms = 10 * SECOND;
/// Longest pause between two looks at one that does not answer.
const PAUSE_MAX: Ms = 15 * SECOND;
/// Clocks that are no further apart count as one; `Date` has whole seconds.
const CLOCK_TOLERANCE: Ms = 2 * SECOND;

/// The model.
#[derive(Debug)]
pub struct Issuer {
    /// Whether it runs.
    pub is_up: bool,
    /// How often it was started.
    pub epoch: u32,
    /// Its clock minus the true one.
    pub ahead: Ms,
    sights: Vec<Sight>,
}

/// What is known of one shoot.
#[derive(Debug)]
struct Sight {
    /// When in each minute it is looked at.
    phase: Ms,
    reach: Reach,
    offset: Option<Ms>,
    keys: Vec<String>,
    polls: KeyPolls,
    looked: Option<Ms>,
    /// Begin of the first look in a row that did not reach it.
    failing_since: Option<Ms>,
    /// How many more looks are to be taken although nothing changed, until keys count as settled.
    more: u32,
}

impl Sight {
    const fn new(phase: Ms) -> Self {
        Self {
            phase,
            reach: Reach::Unknown,
            offset: None,
            keys: Vec::new(),
            polls: KeyPolls::new(WITHDRAWN_AFTER),
            looked: None,
            failing_since: None,
            more: 0,
        }
    }
}

/// What came of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// What was known already.
    Same,
    /// The scheduler is to be told.
    News,
    /// The shoot does not answer; it is known at the end of the look.
    Waits,
}

impl Issuer {
    /// One that runs and has not looked. Its looks are spread over the minute.
    #[must_use]
    pub fn new(shoots: usize, ahead: Ms) -> Self {
        let phase = |shoot: usize| INTERVAL * shoot as Ms / shoots as Ms;
        let sights = (0..shoots).map(|shoot| Sight::new(phase(shoot))).collect();
        Self { is_up: true, epoch: 0, ahead, sights }
    }

    /// It runs again and knows nothing.
    pub fn start(&mut self) {
        self.is_up = true;
        self.epoch += 1;
        self.sights.iter_mut().for_each(|sight| *sight = Sight::new(sight.phase));
    }

    /// Whether it has looked at a shoot and reached it.
    #[must_use]
    pub fn reaches(&self, shoot: usize) -> bool {
        self.sights[shoot].reach == Reach::Reachable
    }

    /// When it looks at a shoot next, in the ordinary course of things.
    #[must_use]
    pub fn next_look(&self, now: Ms, shoot: usize) -> Ms {
        let sight = &self.sights[shoot];
        let Some(since) = sight.failing_since else {
            return now + (sight.phase - now).rem_euclid(INTERVAL);
        };
        let (mut at, mut pause) = (since, SECOND);
        while at < now && pause < PAUSE_MAX {
            at += pause;
            pause = (2 * pause).min(PAUSE_MAX);
        }
        at + (now - at).max(0).div_euclid(PAUSE_MAX) * PAUSE_MAX
            + if at < now && (now - at) % PAUSE_MAX > 0 { PAUSE_MAX } else { 0 }
    }

    /// When it looks after a call has failed: soon, but not more often than once a second.
    #[must_use]
    pub fn look_soon(&self, now: Ms, shoot: usize) -> Ms {
        self.sights[shoot].looked.map_or(now, |looked| now.max(looked + SECOND))
    }

    /// Looks at a shoot.
    pub fn look(&mut self, now: Ms, number: usize, shoot: &Shoot) -> Looked {
        let by_own_clock = stamp(now, self.ahead);
        let offset = shoot.ahead - self.ahead;
        let sight = &mut self.sights[number];
        match shoot.health {
            Health::Frozen => return Looked::Waits,
            Health::Away => return self.failed(now, number),
            Health::Well | Health::Slow | Health::Throttles | Health::Errs => {}
        }
        let (keys, before) = (shoot.key_ids(), sight.polls.history());
        sight.polls.saw(&keys, by_own_clock);
        let settles = sight.keys != keys;
        let is_off = |known: Ms| (known - offset).abs() > CLOCK_TOLERANCE;
        let is_news = sight.reach != Reach::Reachable
            || settles
            || before != sight.polls.history()
            || sight.offset.is_none_or(is_off);
        if sight.offset.is_none_or(is_off) {
            // `Date` has whole seconds, and offsets of a few count as none.
            let whole = if offset.abs() <= CLOCK_TOLERANCE { 0 } else { offset / SECOND * SECOND };
            sight.offset = Some(whole);
        }
        sight.more = if settles { POLLS_MIN } else { sight.more.saturating_sub(1) };
        (sight.keys, sight.reach) = (keys, Reach::Reachable);
        (sight.looked, sight.failing_since) = (Some(now), None);
        if is_news { Looked::News } else { Looked::Same }
    }

    /// A look did not reach the shoot.
    pub fn failed(&mut self, now: Ms, shoot: usize) -> Looked {
        let sight = &mut self.sights[shoot];
        let is_news = sight.reach != Reach::Unreachable;
        sight.reach = Reach::Unreachable;
        sight.looked = Some(now);
        sight.failing_since.get_or_insert(now);
        if is_news { Looked::News } else { Looked::Same }
    }

    /// Whether the next look is of interest although nothing changes.
    #[must_use]
    pub fn looks_again(&self, shoot: usize) -> bool {
        self.sights[shoot].more > 0
    }

    /// What it says of a shoot.
    #[must_use]
    pub fn says(&self, number: usize, id: &ShootId) -> ShootStatus {
        let sight = &self.sights[number];
        ShootStatus {
            reach: sight.reach,
            credential: Credential::Own,
            clock_offset: sight.offset.map(SignedDuration::from_millis),
            checked_at: sight.looked.map(|looked| -> Timestamp { stamp(looked, self.ahead) }),
            key_ids: sight.keys.clone(),
            key_history: sight.polls.history(),
            ..ShootStatus::unseen(id.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shoot_that_is_not_reached_is_looked_at_in_the_rhythm_of_the_token_issuer() {
        let mut issuer = Issuer::new(1, 0);
        issuer.failed(0, 0);
        let looks: Vec<_> =
            [1, SECOND, SECOND + 1, 4 * SECOND, 16 * SECOND, 31 * SECOND, 5 * MINUTE + 1]
                .map(|now| issuer.next_look(now, 0))
                .into();
        // 1, 2, 4, 8 and then 15 s after the one before.
        let seconds = [1, 1, 3, 7, 30, 45, 315].map(|second| second * SECOND);
        assert_eq!(looks, seconds);
    }

    #[test]
    fn a_shoot_that_answers_is_looked_at_at_its_place_in_the_minute() {
        let issuer = Issuer::new(2, 0);
        assert_eq!(issuer.next_look(5, 0), MINUTE);
        assert_eq!(issuer.next_look(5, 1), MINUTE / 2);
        assert_eq!(issuer.next_look(MINUTE / 2, 1), MINUTE / 2);
    }

    #[test]
    fn what_is_known_is_no_news_and_keys_settle_with_the_third_look() {
        let mut issuer = Issuer::new(1, 0);
        let mut shoot = Shoot::new(3 * SECOND + 400);
        assert_eq!(issuer.look(0, 0, &shoot), Looked::News);
        assert_eq!(issuer.look(MINUTE, 0, &shoot), Looked::Same);
        assert_eq!(issuer.look(2 * MINUTE, 0, &shoot), Looked::News, "the keys are settled");
        assert_eq!(issuer.look(3 * MINUTE, 0, &shoot), Looked::Same);
        let offset = |issuer: &Issuer| issuer.says(0, &"shoot".parse().unwrap()).clock_offset;
        assert_eq!(offset(&issuer), Some(SignedDuration::from_secs(3)));
        shoot.ahead = 300 * SECOND;
        assert_eq!(issuer.look(4 * MINUTE, 0, &shoot), Looked::News);
        assert_eq!(offset(&issuer), Some(SignedDuration::from_secs(300)));
        shoot.health = Health::Away;
        assert_eq!(issuer.look(5 * MINUTE, 0, &shoot), Looked::News);
        assert_eq!(issuer.look(6 * MINUTE, 0, &shoot), Looked::Same);
    }
}
