//! Who lives there: shoots and their access Secrets, under names that are made once.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use perennial_core::{
    digest::Digest,
    inputs::{Inputs, InputsHash, Mode},
    labels::Labels,
    name::SecretRef,
    record::{Held, Record, Stamp},
    shoot::ShootId,
};

use crate::{
    draw::Draw,
    time::{HOUR, Ms},
};

/// How big it is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Access Secrets.
    pub tokens: usize,
    /// Shoots, which have about the same number of Secrets each.
    pub shoots: usize,
    /// Lifetime that Secrets ask for.
    pub lifetime: Ms,
    /// Share of the shoots that grant no more than half of that.
    pub capped: f64,
}

impl Size {
    /// So many tokens of 12 h, 25 to a shoot.
    #[must_use]
    pub const fn of(tokens: usize) -> Self {
        Self { tokens, shoots: tokens.div_ceil(25), lifetime: 12 * HOUR, capped: 0.0 }
    }
}

/// Names, and what Secrets ask for. None of it ever changes.
#[derive(Debug)]
pub struct Town {
    /// Shoots.
    pub shoots: Vec<Home>,
    /// Access Secrets, those of one shoot side by side.
    pub secrets: Vec<Tenant>,
    index: HashMap<SecretRef, usize, RandomState>, // asked by name only, never gone through
}

/// A shoot.
#[derive(Debug)]
pub struct Home {
    /// Its name.
    pub id: ShootId,
    /// Its first Secret, and the one behind its last.
    pub secrets: std::ops::Range<usize>,
    /// What it grants at most.
    pub grants: Ms,
}

/// An access Secret.
#[derive(Debug)]
pub struct Tenant {
    /// Its shoot.
    pub shoot: usize,
    /// The hash of what it asks for.
    pub hash: InputsHash,
    /// The record of it as it was made, without a token.
    pub bare: Record,
}

impl Town {
    /// Builds it.
    #[must_use]
    pub fn new(size: Size, draw: &mut Draw) -> Self {
        let (mut shoots, mut secrets) = (Vec::new(), Vec::new());
        for shoot in 0..size.shoots {
            let name = format!("shoot--sim--{shoot:05}");
            let begin = secrets.len();
            let end = size.tokens * (shoot + 1) / size.shoots;
            let is_capped = draw.chance(size.capped);
            secrets.extend((begin..end).map(|number| {
                let bare = bare(&name, number - begin, size.lifetime);
                let hash = bare.inputs.as_ref().map(Inputs::hash).expect("made valid");
                Tenant { shoot, hash, bare }
            }));
            shoots.push(Home {
                id: name.parse().expect("a label"),
                secrets: begin..end,
                grants: if is_capped { size.lifetime / 2 } else { size.lifetime },
            });
        }
        let named = |(index, tenant): (usize, &Tenant)| (tenant.bare.secret.clone(), index);
        let index = secrets.iter().enumerate().map(named).collect();
        Self { shoots, secrets, index }
    }

    /// The number of a Secret.
    #[must_use]
    pub fn number(&self, secret: &SecretRef) -> Option<usize> {
        self.index.get(secret).copied()
    }
}

fn bare(shoot: &str, number: usize, lifetime: Ms) -> Record {
    let name = format!("shoot-access-{number:03}");
    let inputs = Inputs {
        account: format!("kube-system/component-{number:03}").parse().expect("good names"),
        account_labels: [].into(),
        lifetime_seconds: lifetime / 1_000,
        audiences: Vec::new().into(),
        inject_ca: false,
        mode: Mode::Token,
        target: None,
        revocable: false,
    };
    Record {
        secret: SecretRef::parse(shoot, &name).expect("good names"),
        uid: format!("{shoot}-{number}").into(),
        labels: Labels::default(),
        inputs: Ok(inputs),
        held: Held::Nothing,
        issued: None,
        stamp: Stamp::Absent,
        obstacle: None,
        ca: None,
        left: Vec::new(),
        memory: None,
        other_writer: None,
        digest: Digest::received("0".to_owned()),
    }
}
