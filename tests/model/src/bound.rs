//! A revocable Secret in small numbers, and what they stand for; as [`crate::secret`].
//!
//! Its token is bound to a generation. What is promised of older ones stands in the note as real
//! [`Ends`]; here each generation has its own moment, which says the same.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use perennial_core::{
    decision::{self, Decision, Policy, ShootView},
    generation::{End, Ends, Family, GRACE_DEFAULT, Generation, GenerationsSeen, Noted},
    inputs::Interpretation,
    issued::{Issued, IssuedFor},
    keys,
    reason::Reason,
    record::{Record, SecretView},
    shoot::{Reach, ShootStatus},
    token::{Claims, TokenHash},
    window::{BASIS_DEFAULT_SECONDS, Plan, Window},
};
use serde_json::json;

use crate::secret::{
    BEGIN_SECONDS, Kept, LIFETIME_SECONDS, TICK_SECONDS, Tick, at, kept, seconds, secret, signed,
};

/// Number of a generation.
pub type Number = u8;
/// The highest number that a model may come to.
pub const GENERATIONS: usize = 4;
/// The usual grace.
pub const GRACE_USUAL: Tick = (GRACE_DEFAULT.as_secs() / TICK_SECONDS.unsigned_abs()) as Tick;

/// A generation that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Made {
    /// Which one of its number; another one has another uid.
    pub life: u8,
    /// For how long older ones live on.
    pub grace: Option<Tick>,
}

/// The generations that are there, 1 first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Present(pub [Option<Made>; GENERATIONS]);

impl Present {
    /// The one of that number.
    #[must_use]
    pub fn get(&self, number: Number) -> Option<Made> {
        *self.0.get(usize::from(number).checked_sub(1)?)?
    }

    /// The place of that number.
    ///
    /// # Panics
    /// Where a model comes to a number that it has no place for.
    pub fn place(&mut self, number: Number) -> &mut Option<Made> {
        &mut self.0[usize::from(number) - 1]
    }

    /// All that are there, the oldest first.
    pub fn numbers(&self) -> impl DoubleEndedIterator<Item = Number> + '_ {
        (1..=GENERATIONS as Number).filter(|number| self.get(*number).is_some())
    }

    /// The newest; 0 where there is none.
    #[must_use]
    pub fn newest(&self) -> Number {
        self.numbers().next_back().unwrap_or(0)
    }

    /// Whether the one that a token is bound to is there, and not another of its number.
    #[must_use]
    pub fn has(&self, token: Token) -> bool {
        self.get(token.generation).is_some_and(|made| made.life == token.life)
    }
}

/// Until when each older generation lives, 1 first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Until(pub [Option<Tick>; GENERATIONS - 1]);

impl Until {
    /// All up to that one go then.
    #[must_use]
    pub fn one(up_to: Number, until: Tick) -> Self {
        Self::of(&Ends::from_iter([End { up_to: up_to.into(), until: at(until) }]))
    }

    /// That of one generation.
    #[must_use]
    pub fn get(self, number: Number) -> Option<Tick> {
        *self.0.get(usize::from(number).checked_sub(1)?)?
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut ends = self.ends();
        ends.merge(&other.ends());
        Self::of(&ends)
    }

    /// See [`Ends::over`].
    #[must_use]
    pub fn over(self, now: Tick) -> Number {
        self.ends().over(at(now)) as Number
    }

    fn ends(self) -> Ends {
        let each = (1..).zip(self.0);
        each.filter_map(|(up_to, until)| Some(End { up_to, until: at(until?) })).collect()
    }

    fn of(ends: &Ends) -> Self {
        let mut until = Self::default();
        for (number, place) in (1..).zip(&mut until.0) {
            *place = ends.of(number).map(tick);
        }
        until
    }
}

/// A token that the shoot issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// The how-manieth; 0 is the one that is there at the beginning.
    pub serial: u8,
    /// Its `iat`.
    pub at: Tick,
    /// Ten hours older than that, and due.
    pub is_due: bool,
    /// The generation that it is bound to.
    pub generation: Number,
    /// Which one of that number.
    pub life: u8,
}

impl Token {
    /// The one that is there at the beginning.
    #[must_use]
    pub const fn first(is_due: bool) -> Self {
        Self { serial: 0, at: 0, is_due, generation: 1, life: 0 }
    }

    fn text(self) -> String {
        let issued_at = seconds(self.at) - if self.is_due { BEGIN_SECONDS } else { 0 };
        let claims = json!({
            "iat": issued_at, "exp": issued_at + LIFETIME_SECONDS, "iss": "https://shoot.example",
            "sub": "system:serviceaccount:kube-system:account",
            "kubernetes.io": {"secret": {
                "name": family().name(self.generation.into()).as_str(),
                "uid": uid(self.generation, self.life),
            }},
        });
        signed(&claims, self.serial)
    }
}

/// All of an access Secret that a decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Content {
    /// The token beside the note about it.
    pub token: Token,
    /// When that was written.
    pub noted_at: Tick,
    /// What it says of older generations.
    pub until: Until,
    /// Whether the renew timestamp is there.
    pub stamp: bool,
}

impl Content {
    /// At the beginning.
    #[must_use]
    pub fn first(is_due: bool) -> Self {
        let token = Token::first(is_due);
        Self { token, noted_at: 0, until: Until::default(), stamp: true }
    }

    /// Its record, as the secret-writer reduces it.
    #[must_use]
    pub fn record(self) -> Rc<Record> {
        kept(&RECORDS, self, || self.reduce())
    }

    /// What the note says of generations.
    #[must_use]
    pub fn noted(self) -> Noted {
        let (up_to, ends) = (self.token.generation - 1, self.until.ends());
        let older_until = ends.of(up_to.into()).filter(|_| up_to > 0);
        let sooner = ends.iter().filter(|end| end.up_to < up_to.into()).collect();
        Noted { older_until, sooner, ..noted_anew(self.token) }
    }

    /// The same with another note of generations.
    #[must_use]
    pub fn with(self, noted: &Noted) -> Self {
        Self { until: Until::of(&noted.ends(None)), ..self }
    }

    fn reduce(self) -> Record {
        let text = self.token.text();
        let claims = Claims::read(text.as_bytes()).expect("a token that reads well");
        let plan = Plan::draw(&claims, BASIS_DEFAULT_SECONDS, Window::ORDINARY, 0.5);
        let asks = [
            (keys::ACCOUNT_NAME, "account"),
            (keys::ACCOUNT_NAMESPACE, "kube-system"),
            (keys::REVOCABLE, "true"),
        ];
        let mut annotations: BTreeMap<_, _> =
            asks.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let reduced = |annotations: &BTreeMap<String, String>| {
            let view = SecretView {
                secret: &secret(),
                uid: "0",
                labels: &BTreeMap::new(),
                annotations,
                token: Some(text.as_bytes()),
                kubeconfig: None,
                bundle: None,
                immutable: false,
                terminating: false,
            };
            Record::reduce(&view, &Interpretation::default())
        };
        let inputs = reduced(&annotations).inputs.expect("what the model asks for is valid");
        let written_at = if self.token.is_due { claims.issued_at } else { at(self.noted_at) };
        let note = Issued::note(IssuedFor {
            token: TokenHash::of(text.as_bytes()),
            claims: &claims,
            inputs: &inputs,
            plan,
            reason: Reason::Due,
            written_at,
            streak: 0,
            spent: 0,
            left: Vec::new(),
            generation: Some(self.noted()),
        });
        annotations.insert(keys::ISSUED.to_owned(), note.to_line());
        if self.stamp {
            annotations.insert(keys::RENEW_TIMESTAMP.to_owned(), plan.latest.to_string());
        }
        reduced(&annotations)
    }
}

/// What was seen of the generations, and when that was last news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seen {
    /// Those that were there.
    pub present: Present,
    /// When.
    pub at: Tick,
}

/// What an operator adds to a decision: all tokens up to that generation go, by these ends.
pub type Asked = (Number, Until);

/// What is decided, by `core::decision`.
#[must_use]
pub fn decided(
    now: Tick,
    content: Content,
    seen: Option<Seen>,
    asked: Option<Asked>,
) -> Rc<Decision> {
    kept(&DECISIONS, (now, content, seen, asked), || {
        let (record, status) = (content.record(), status(now, seen));
        let (view, policy) = (ShootView::Seen(&status), Policy::default());
        let decision = decision::decide(at(now), &record, view, &policy);
        let is_kept = match &decision {
            Decision::Keep { .. } => true,
            Decision::Renew(reason) => !reason.needs_token(),
            _ => false,
        };
        match asked.filter(|_| is_kept) {
            Some((up_to, until)) => {
                let asked = (up_to.into(), &until.ends());
                decision::decide_revoked(at(now), &record, view, &policy, asked)
            }
            None => decision,
        }
    })
}

/// See [`decision::ends`].
#[must_use]
pub fn ends(now: Tick, content: Content, seen: Option<Seen>) -> Until {
    let status = status(now, seen);
    Until::of(&decision::ends(&content.record(), ShootView::Seen(&status)).settled(at(now)))
}

/// See [`decision::generation_wanted`].
#[must_use]
pub fn generation_wanted(
    now: Tick,
    content: Content,
    seen: Option<Seen>,
    revoked: Option<Number>,
) -> Number {
    let status = status(now, seen);
    let view = ShootView::Seen(&status);
    decision::generation_wanted(&content.record(), view, revoked.map(u32::from)) as Number
}

/// See [`decision::grace_of`].
#[must_use]
pub fn grace_of(now: Tick, content: Content, seen: Option<Seen>, number: Number) -> Tick {
    let status = status(now, seen);
    let grace = decision::grace_of(&content.record(), ShootView::Seen(&status), number.into());
    (grace.as_secs() / TICK_SECONDS.unsigned_abs()) as Tick
}

/// What is noted of the generation of a token, where nothing was of older ones.
#[must_use]
pub fn noted_anew(token: Token) -> Noted {
    let (number, uid) = (token.generation.into(), uid(token.generation, token.life));
    Noted { number, uid, older_until: None, sooner: Ends::default() }
}

/// The same note with these ends as well.
#[must_use]
pub fn with_ends(noted: Noted, now: Tick, ends: Until) -> Noted {
    noted.with(at(now), ends.ends())
}

fn status(now: Tick, seen: Option<Seen>) -> ShootStatus {
    let mut status = ShootStatus {
        reach: Reach::Reachable,
        clock_offset: Some(SignedDuration::ZERO),
        checked_at: Some(at(now)),
        ..ShootStatus::unseen(secret().namespace)
    };
    if let Some(seen) = seen {
        let there = (1..).zip(seen.present.0).filter_map(|(number, made)| Some((number, made?)));
        let made = |(number, made): (Number, Made)| Generation {
            number: number.into(),
            uid: uid(number, made.life).into(),
            grace: made
                .grace
                .map(|grace| Duration::from_secs(u64::from(grace) * TICK_SECONDS.unsigned_abs())),
            made: None,
        };
        let present = there.map(made).collect();
        status.generations.insert(family(), GenerationsSeen { present, at: at(seen.at) });
    }
    status
}

fn family() -> Family {
    Family::new(&"kube-system".parse().expect("a good name"), &secret())
}

fn uid(number: Number, life: u8) -> String {
    format!("{number}-{life}")
}

fn tick(moment: Timestamp) -> Tick {
    let ticks = (moment.as_second() - BEGIN_SECONDS) / TICK_SECONDS;
    Tick::try_from(ticks).expect("a moment of the model")
}

type DecidedOn = (Tick, Content, Option<Seen>, Option<Asked>);

thread_local! {
    static RECORDS: Kept<Content, Record> = RefCell::default();
    static DECISIONS: Kept<DecidedOn, Decision> = RefCell::default();
}
