//! An API server of a shoot: how it answers, what it grants, what its clock shows.

use arcstr::{ArcStr, literal};
use perennial_core::token::Claims;

use crate::{
    draw::Draw,
    time::{Ms, SECOND, stamp},
    town::{Home, Tenant},
};

/// How a shoot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Well,
    /// Each call takes seconds.
    Slow,
    /// It answers 429.
    Throttles,
    /// It answers 500.
    Errs,
    /// Calls run into their deadline.
    Frozen,
    /// Nothing listens there.
    Away,
}

impl Health {
    /// Whether a look reaches it.
    #[must_use]
    pub const fn answers(self) -> bool {
        match self {
            Self::Well | Self::Slow | Self::Throttles | Self::Errs => true,
            Self::Frozen | Self::Away => false,
        }
    }
}

/// What comes of a TokenRequest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A token exists after so long.
    Token(Ms),
    /// 429 after so long, with a Retry-After.
    Throttled(Ms, Ms),
    /// 500 after so long.
    Error(Ms),
    /// No answer.
    Silence,
    /// No connection after so long.
    Gone(Ms),
}

/// The model.
#[derive(Clone, Debug)]
pub struct Shoot {
    /// How it is.
    pub health: Health,
    /// Its clock minus the true one.
    pub ahead: Ms,
    /// Number of the key that signs, and its id.
    key: u32,
    key_id: ArcStr,
    /// Whether the key before that is still published.
    pub has_former_key: bool,
    /// What it may expire in: consumers of a shoot that is away longer than lifetimes allow find an
    /// expired token when it is back, and until the moment here that is nobody's fault.
    pub excused_until: Ms,
}

impl Shoot {
    /// One that is well.
    #[must_use]
    pub fn new(ahead: Ms) -> Self {
        let excused_until = Ms::MIN;
        let (health, key_id) = (Health::Well, key_id(1));
        Self { health, ahead, key: 1, key_id, has_former_key: false, excused_until }
    }

    /// It signs with another key, and publishes both.
    pub fn exchange_key(&mut self) {
        self.key += 1;
        self.key_id = key_id(self.key);
        self.has_former_key = true;
    }

    /// Id of the key that it signs with before an exchange.
    #[must_use]
    pub fn key_before(&self, is_to_come: bool) -> Option<ArcStr> {
        match is_to_come {
            true => Some(self.key_id.clone()),
            false => self.has_former_key.then(|| key_id(self.key - 1)),
        }
    }

    /// What comes of a call that arrives now.
    pub fn ask(&self, draw: &mut Draw) -> Reply {
        match self.health {
            Health::Well => Reply::Token(draw.latency(8, 15)),
            Health::Slow => Reply::Token(draw.latency(2 * SECOND, SECOND).min(9 * SECOND)),
            Health::Throttles => Reply::Throttled(draw.latency(2, 3), draw.between(1, 30) * SECOND),
            Health::Errs => Reply::Error(draw.latency(3, 5)),
            Health::Frozen => Reply::Silence,
            Health::Away => Reply::Gone(draw.latency(1, 2)),
        }
    }

    /// The claims of a token that it issues now.
    #[must_use]
    pub fn issue(&self, now: Ms, home: &Home, tenant: &Tenant) -> Claims {
        let inputs = tenant.bare.inputs.as_ref().expect("made valid");
        let lifetime = home.grants.min(inputs.lifetime_seconds * SECOND);
        let second = |at: Ms| {
            let at = stamp(at, self.ahead);
            jiff::Timestamp::from_second(at.as_second()).expect("in range, as `at` is")
        };
        Claims {
            issued_at: second(now),
            expires_at: second(now + lifetime),
            issuer: literal!("https://shoot.example"),
            account: inputs.account.clone(),
            account_uid: None,
            audiences: inputs.audiences.clone(),
            key_id: Some(self.key_id.clone()),
            bound: None,
        }
    }

    /// Ids of the keys that it publishes.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        let former = self.has_former_key.then(|| key_id(self.key - 1));
        let mut ids: Vec<_> = former.into_iter().chain([self.key_id.clone()]).collect();
        ids.sort();
        ids.iter().map(ToString::to_string).collect()
    }
}

fn key_id(number: u32) -> ArcStr {
    arcstr::format!("key-{number:06}")
}
