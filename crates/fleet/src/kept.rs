//! A record as the fleet keeps it, 100,000 times.
//!
//! Most Secrets hold a token that we wrote, as we wrote it: then note and claims say the same, moments
//! are whole seconds, and half of the fields of a record are empty. Such an *ordinary* record is kept
//! as the few facts that it can be made from again; any other is kept whole. To make one costs some
//! clones of pointers, so what is asked often is told from the facts.

use std::collections::BTreeMap;

use arcstr::ArcStr;
use jiff::Timestamp;
use perennial_core::{
    ca::CaHash,
    campaign::Cannot,
    digest::Digest,
    inputs::{Audiences, Inputs, InputsHash, Mode},
    issued::Issued,
    labels::Labels,
    name::{AccountRef, SecretRef},
    reason::Reason,
    record::{Held, Record, Stamp},
    signing::Mark,
    token::{Claims, TokenHash},
    window,
};
use uuid::Uuid;

mod same;

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every record is ordinary; a box would cost an allocation each"
)]
pub(super) enum Kept {
    Ordinary(Ordinary),
    Whole(Box<Record>),
}

#[derive(Debug)]
pub(super) struct Ordinary {
    secret: SecretRef,
    uid: Uid,
    labels: Labels,
    account: AccountRef,
    account_uid: Option<ArcStr>,
    /// Hardly any Secret has some.
    #[expect(clippy::box_collection, reason = "8 bytes in each record and not 24")]
    account_labels: Option<Box<BTreeMap<String, String>>>,
    lifetime_seconds: u32,
    audiences: Audiences,
    target: Option<SecretRef>,
    issuer: ArcStr,
    key_id: Option<ArcStr>,
    ca: Option<CaHash>,
    sha256: TokenHash,
    inputs: InputsHash,
    digest: Digest,
    issued_at: i64,
    expires: After,
    renew: After,
    written: After,
    stamp: After,
    streak: u32,
    spent: u32,
    reason: Reason,
    mode: Mode,
    inject_ca: bool,
    revocable: bool,
}

/// API servers make UUIDs, which take 16 bytes in place of 36 and an allocation.
#[derive(Debug)]
enum Uid {
    Uuid(Uuid),
    Text(ArcStr),
}

impl Uid {
    fn of(text: &ArcStr) -> Self {
        let uuid = Uuid::try_parse(text).map(Self::Uuid).ok();
        uuid.filter(|uuid| uuid.text() == *text).unwrap_or_else(|| Self::Text(text.clone()))
    }

    fn text(&self) -> ArcStr {
        match self {
            Self::Uuid(uuid) => {
                (&*uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer())).into()
            }
            Self::Text(text) => text.clone(),
        }
    }
}

/// A moment, in seconds after `issued_at` or, if negative, before it.
type After = i32;

impl From<Record> for Kept {
    fn from(record: Record) -> Self {
        // Whatever an ordinary record cannot say shows here; what is added to records later does not compile.
        match Ordinary::of(&record) {
            Some(ordinary) if ordinary.is(&record) => Self::Ordinary(ordinary),
            _ => Self::Whole(Box::new(record)),
        }
    }
}

impl Kept {
    pub(super) fn record(&self) -> Record {
        match self {
            Self::Ordinary(ordinary) => ordinary.record(),
            Self::Whole(record) => Record::clone(record),
        }
    }

    /// Its labels.
    pub(super) const fn labels(&self) -> &Labels {
        match self {
            Self::Ordinary(ordinary) => &ordinary.labels,
            Self::Whole(record) => &record.labels,
        }
    }

    /// The account that it names, where what it asks for can be served.
    pub(super) fn account(&self) -> Option<&AccountRef> {
        match self {
            Self::Ordinary(ordinary) => Some(&ordinary.account),
            Self::Whole(record) => record.inputs.as_ref().ok().map(|inputs| &inputs.account),
        }
    }

    /// Whether it has labels for that account.
    pub(super) fn has_labels(&self) -> bool {
        match self {
            Self::Ordinary(ordinary) => ordinary.account_labels.is_some(),
            Self::Whole(record) => {
                record.inputs.as_ref().is_ok_and(|inputs| !inputs.account_labels.is_empty())
            }
        }
    }

    /// The target that it names, where what it asks for can be served.
    pub(super) fn target(&self) -> Option<&SecretRef> {
        match self {
            Self::Ordinary(ordinary) => ordinary.target.as_ref(),
            Self::Whole(record) => record.inputs.as_ref().ok()?.target.as_ref(),
        }
    }

    /// Whether it surely has no generations: its token is bound to none, and no look at a target or at
    /// the shoot can show another.
    pub(super) const fn is_of_no_generation(&self) -> bool {
        matches!(self, Self::Ordinary(Ordinary { revocable: false, target: None, .. }))
    }

    /// The uid of the account of its token.
    pub(super) fn account_uid(&self) -> Option<&ArcStr> {
        match self {
            Self::Ordinary(ordinary) => ordinary.account_uid.as_ref(),
            Self::Whole(record) => record.held.claims()?.account_uid.as_ref(),
        }
    }

    /// The key that signed its token.
    pub(super) fn key_id(&self) -> Option<&str> {
        match self {
            Self::Ordinary(ordinary) => ordinary.key_id.as_deref(),
            Self::Whole(record) => record.held.claims()?.key_id.as_deref(),
        }
    }

    /// When its token was issued, by the shoot's clock, where it has one.
    pub(super) fn issued_at(&self) -> Option<Timestamp> {
        match self {
            Self::Ordinary(ordinary) => Timestamp::from_second(ordinary.issued_at).ok(),
            Self::Whole(record) => record.held.claims().map(|claims| claims.issued_at),
        }
    }

    /// Whether nobody can renew it before somebody mends the Secret.
    pub(super) fn is_hopeless(&self) -> Option<Cannot> {
        match self {
            Self::Ordinary(_) => None,
            Self::Whole(record) if record.obstacle.is_some() => Some(Cannot::Obstructed),
            Self::Whole(record) => record.inputs.is_err().then_some(Cannot::Invalid),
        }
    }

    /// When its token expires, by the shoot's clock, where it has one.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Self::Ordinary(ordinary) => Some(ordinary.moment(ordinary.expires)),
            Self::Whole(record) => record.held.claims().map(|claims| claims.expires_at),
        }
    }

    /// What its token says of key and issuer, where we wrote it.
    pub(super) fn mark(&self) -> Option<Mark> {
        match self {
            Self::Ordinary(ordinary) => {
                let (key_id, issuer) = (ordinary.key_id.clone(), ordinary.issuer.clone());
                Some(Mark::new(ordinary.moment(0), key_id, issuer))
            }
            Self::Whole(record) => Mark::of(record),
        }
    }

    /// Who issued its token.
    pub(super) fn issuer(&self) -> Option<&str> {
        match self {
            Self::Ordinary(ordinary) => Some(&ordinary.issuer),
            Self::Whole(record) => record.held.claims().map(|claims| &*claims.issuer),
        }
    }

    /// Latest moment of renewal, by the shoot's clock (B4).
    pub(super) fn latest(&self, basis_seconds: i64) -> Option<Timestamp> {
        match self {
            Self::Ordinary(ordinary) => {
                let end = ordinary.moment(ordinary.expires);
                Some(window::latest_of(ordinary.moment(0), end, basis_seconds))
            }
            Self::Whole(record) => record.held.claims().map(|claims| match &record.issued {
                Some(_) => window::latest(claims, basis_seconds),
                None => window::latest_of_reference(claims),
            }),
        }
    }

    /// When its token is to be renewed by our note.
    pub(super) fn renew_at(&self) -> Option<Timestamp> {
        match self {
            Self::Ordinary(ordinary) => Some(ordinary.moment(ordinary.renew)),
            Self::Whole(record) => record.issued.as_ref().map(|note| note.renew_at),
        }
    }

    /// The lifetime that it asks for, where that can be served.
    pub(super) fn asked_seconds(&self) -> Option<i64> {
        match self {
            Self::Ordinary(ordinary) => Some(ordinary.lifetime_seconds.into()),
            Self::Whole(record) => {
                record.inputs.as_ref().ok().map(|inputs| inputs.lifetime_seconds)
            }
        }
    }

    /// The lifetime of its token.
    pub(super) fn granted_seconds(&self) -> Option<i64> {
        match self {
            Self::Ordinary(ordinary) => Some(ordinary.expires.into()),
            Self::Whole(record) => record.held.claims().map(Claims::granted_seconds),
        }
    }

    /// A text that is another one for each Secret and each state of it.
    pub(super) fn seed(&self) -> String {
        match self {
            Self::Ordinary(Ordinary { uid: Uid::Uuid(uid), digest, .. }) => {
                format!("{uid}{digest}")
            }
            Self::Ordinary(Ordinary { uid: Uid::Text(uid), digest, .. }) => {
                format!("{uid}{digest}")
            }
            Self::Whole(record) => format!("{}{}", record.uid, record.digest),
        }
    }

    pub(super) const fn digest(&self) -> &Digest {
        match self {
            Self::Ordinary(ordinary) => &ordinary.digest,
            Self::Whole(record) => &record.digest,
        }
    }
}

impl Ordinary {
    fn of(record: &Record) -> Option<Self> {
        let (Ok(inputs), Held::Token(claims)) = (&record.inputs, &record.held) else { return None };
        let (Some(note), Stamp::At(stamp)) = (&record.issued, record.stamp) else { return None };
        let issued_at = claims.issued_at.as_second();
        let after = |moment: Timestamp| After::try_from(moment.as_second() - issued_at).ok();
        let labels = Some(&inputs.account_labels).filter(|labels| !labels.is_empty());
        Some(Self {
            secret: record.secret.clone(),
            uid: Uid::of(&record.uid),
            labels: record.labels.clone(),
            account: inputs.account.clone(),
            account_uid: claims.account_uid.clone(),
            account_labels: labels.cloned().map(Box::new),
            lifetime_seconds: inputs.lifetime_seconds.try_into().ok()?,
            audiences: inputs.audiences.clone(),
            target: inputs.target.clone(),
            issuer: claims.issuer.clone(),
            key_id: claims.key_id.clone(),
            ca: record.ca,
            sha256: note.sha256.clone(),
            inputs: note.inputs.clone(),
            digest: record.digest.clone(),
            issued_at,
            expires: after(claims.expires_at)?,
            renew: after(note.renew_at)?,
            written: after(note.at)?,
            stamp: after(stamp)?,
            streak: note.streak,
            spent: note.spent,
            reason: note.reason,
            mode: inputs.mode,
            inject_ca: inputs.inject_ca,
            revocable: inputs.revocable,
        })
    }

    fn record(&self) -> Record {
        let issued = self.note();
        Record {
            secret: self.secret.clone(),
            uid: self.uid.text(),
            labels: self.labels.clone(),
            inputs: Ok(self.inputs()),
            held: Held::Token(self.claims()),
            stamp: Stamp::At(self.moment(self.stamp)),
            obstacle: None,
            ca: self.ca,
            left: Vec::new(),
            memory: Some(issued.memory()),
            other_writer: None,
            digest: self.digest.clone(),
            issued: Some(issued),
        }
    }

    fn moment(&self, after: After) -> Timestamp {
        Timestamp::from_second(self.issued_at + i64::from(after))
            .expect("these are the seconds of a moment")
    }

    fn inputs(&self) -> Inputs {
        Inputs {
            account: self.account.clone(),
            account_labels: self.account_labels.as_deref().cloned().unwrap_or_default(),
            lifetime_seconds: self.lifetime_seconds.into(),
            audiences: self.audiences.clone(),
            inject_ca: self.inject_ca,
            mode: self.mode,
            target: self.target.clone(),
            revocable: self.revocable,
        }
    }

    fn claims(&self) -> Claims {
        Claims {
            issued_at: self.moment(0),
            expires_at: self.moment(self.expires),
            issuer: self.issuer.clone(),
            account: self.account.clone(),
            account_uid: self.account_uid.clone(),
            audiences: self.audiences.clone(),
            key_id: self.key_id.clone(),
            bound: None,
        }
    }

    fn note(&self) -> Issued {
        Issued {
            sha256: self.sha256.clone(),
            inputs: self.inputs.clone(),
            iat: self.moment(0),
            exp: self.moment(self.expires),
            kid: self.key_id.clone(),
            iss: self.issuer.clone(),
            uid: self.account_uid.clone(),
            renew_at: self.moment(self.renew),
            reason: self.reason,
            at: self.moment(self.written),
            streak: self.streak,
            spent: self.spent,
            target: self.target.clone(),
            left: Vec::new(),
            generation: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use perennial_core::storm::Memory;

    use super::*;
    use crate::fixtures::*;

    fn is_ordinary(record: &Record) -> bool {
        let kept = Kept::from(record.clone());
        assert_eq!(kept.record(), *record);
        assert!(kept.is(record) && kept.has_uid(&record.uid));
        assert_eq!(kept.mark(), Mark::of(record));
        assert_eq!(*kept.digest(), record.digest);
        matches!(kept, Kept::Ordinary(_))
    }

    #[test]
    fn whatever_a_record_is_it_comes_back_as_it_was() {
        let ordinary = fresh("shoot-1/a", 0);
        assert!(is_ordinary(&ordinary));
        let with = |change: &dyn Fn(&mut Record)| {
            let mut record = ordinary.clone();
            change(&mut record);
            record
        };
        assert!(is_ordinary(&with(&|record| {
            let inputs = record.inputs.as_mut().unwrap();
            inputs.account_labels.insert("a".to_owned(), "b".to_owned());
        })));
        assert!(is_ordinary(&with(&|record| record.labels = labels("app", "etcd"))));
        let uids =
            ["a3f0c2de-1111-4222-8333-abcdefabcdef", "A3F0C2DE-1111-4222-8333-ABCDEFABCDEF", ""];
        assert!(uids.iter().all(|uid| is_ordinary(&with(&|record| record.uid = (*uid).into()))));
        let whole = [
            bare("shoot-1/a"),
            invalid("shoot-1/a"),
            bound(&ordinary, 1, None),
            without_timestamp(&ordinary, 1),
            with(&|record| record.issued = None),
            with(&|record| record.memory = record.memory.map(Memory::spoilt)),
            with(&|record| record.stamp = Stamp::At(Timestamp::new(5, 1).unwrap())),
            with(&|record| record.inputs.as_mut().unwrap().account = "a/b".parse().unwrap()),
            with(&|record| record.issued.as_mut().unwrap().kid = Some("another".into())),
            with(&|record| record.obstacle = Some(perennial_core::record::Obstacle::Immutable)),
        ];
        assert!(whole.iter().all(|record| !is_ordinary(record)));
        let kept = Kept::from(ordinary);
        assert!(!whole.iter().any(|record| kept.is(record)));
    }
}
