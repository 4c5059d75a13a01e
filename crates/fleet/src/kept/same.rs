//! Whether a record is the one that is kept, and which texts it has: told from what is kept, without
//! making a record of that first.

use perennial_core::{
    inputs::Inputs,
    issued::Issued,
    record::{Held, Record, Stamp, Texts, TextsOfClaims},
    token::Claims,
};

use super::{ArcStr, Kept, Ordinary, Uid, Uuid};

impl Kept {
    /// Whether this is the record.
    pub(crate) fn is(&self, record: &Record) -> bool {
        match self {
            Self::Ordinary(ordinary) => ordinary.is(record),
            Self::Whole(whole) => **whole == *record,
        }
    }

    /// Whether this is the uid of its Secret.
    pub(crate) fn has_uid(&self, uid: &ArcStr) -> bool {
        match self {
            Self::Ordinary(ordinary) => ordinary.uid.is(uid),
            Self::Whole(whole) => whole.uid == *uid,
        }
    }

    /// Its texts.
    pub(crate) fn texts(&self) -> Texts<'_> {
        match self {
            Self::Ordinary(ordinary) => ordinary.texts(),
            Self::Whole(whole) => whole.texts(),
        }
    }
}

impl Uid {
    fn is(&self, text: &ArcStr) -> bool {
        match self {
            Self::Uuid(uuid) => {
                uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text.as_str()
            }
            Self::Text(own) => own == text,
        }
    }
}

impl Ordinary {
    /// Whether [`Ordinary::record`] is this one. Every field is named, so that one that is added
    /// later does not compile before somebody has compared it.
    pub(super) fn is(&self, record: &Record) -> bool {
        let Record {
            secret,
            uid,
            labels,
            inputs: Ok(inputs),
            held: Held::Token(claims),
            issued: Some(note),
            stamp: Stamp::At(stamp),
            obstacle: None,
            ca,
            left,
            memory,
            other_writer: None,
            digest,
        } = record
        else {
            return false;
        };
        *digest == self.digest // tells nearly all apart
            && *stamp == self.moment(self.stamp)
            && *ca == self.ca
            && left.is_empty()
            && *memory == Some(note.memory())
            && *secret == self.secret
            && self.uid.is(uid)
            && *labels == self.labels
            && self.has_inputs(inputs)
            && self.has_claims(claims)
            && self.has_note(note)
    }

    fn has_inputs(&self, inputs: &Inputs) -> bool {
        let Inputs {
            account,
            account_labels,
            lifetime_seconds,
            audiences,
            inject_ca,
            mode,
            target,
            revocable,
        } = inputs;
        let labels_are_ours = match &self.account_labels {
            Some(labels) => **labels == *account_labels,
            None => account_labels.is_empty(),
        };
        labels_are_ours
            && *account == self.account
            && *lifetime_seconds == i64::from(self.lifetime_seconds)
            && *audiences == self.audiences
            && *inject_ca == self.inject_ca
            && *mode == self.mode
            && *target == self.target
            && *revocable == self.revocable
    }

    fn has_claims(&self, claims: &Claims) -> bool {
        let Claims {
            issued_at,
            expires_at,
            issuer,
            account,
            account_uid,
            audiences,
            key_id,
            bound,
        } = claims;
        bound.is_none()
            && *issued_at == self.moment(0)
            && *expires_at == self.moment(self.expires)
            && *issuer == self.issuer
            && *account == self.account
            && *account_uid == self.account_uid
            && *audiences == self.audiences
            && *key_id == self.key_id
    }

    fn has_note(&self, note: &Issued) -> bool {
        let Issued {
            sha256,
            inputs,
            iat,
            exp,
            kid,
            iss,
            uid,
            renew_at,
            reason,
            at,
            streak,
            spent,
            target,
            left,
            generation,
        } = note;
        left.is_empty()
            && generation.is_none()
            && *sha256 == self.sha256
            && *inputs == self.inputs
            && *iat == self.moment(0)
            && *exp == self.moment(self.expires)
            && *kid == self.key_id
            && *iss == self.issuer
            && *uid == self.account_uid
            && *renew_at == self.moment(self.renew)
            && *reason == self.reason
            && *at == self.moment(self.written)
            && *streak == self.streak
            && *spent == self.spent
            && *target == self.target
    }

    fn texts(&self) -> Texts<'_> {
        let uid = match &self.uid {
            Uid::Uuid(_) => None,
            Uid::Text(uid) => Some(uid),
        };
        let claims = TextsOfClaims {
            issuer: &self.issuer,
            key_id: &self.key_id,
            account: &self.account,
            account_uid: &self.account_uid,
            audiences: &self.audiences,
        };
        let inputs = Some((&self.account, &self.audiences));
        Texts { secret: &self.secret, uid, labels: &self.labels, inputs, claims: Some(claims) }
    }
}
