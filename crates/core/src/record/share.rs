//! Texts that many records have in common, kept once.
//!
//! Off the wire each record comes with texts of its own, and most of them are those of other records:
//! all tokens of a shoot have one issuer and a few keys, a token names the account that its Secret
//! asks for, and a renewed Secret has the names that it had. A clone of such a text is a pointer.

use arcstr::ArcStr;

use super::Record;
use crate::{
    inputs::Audiences,
    issued::Issued,
    labels::Labels,
    name::{AccountName, AccountRef, Namespace, SecretName, SecretRef},
    token::Claims,
};

/// The texts of a record that others may have too.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    /// Which Secret.
    pub secret: &'a SecretRef,
    /// `metadata.uid`, where it is kept as a text.
    pub uid: Option<&'a ArcStr>,
    /// Its labels.
    pub labels: &'a Labels,
    /// What it asks for, where that can be served.
    pub inputs: Option<(&'a AccountRef, &'a Audiences)>,
    /// What its token says of itself, where it has one.
    pub claims: Option<TextsOfClaims<'a>>,
}

/// The same of claims.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "see Claims")]
pub struct TextsOfClaims<'a> {
    pub issuer: &'a ArcStr,
    pub key_id: &'a Option<ArcStr>,
    pub account: &'a AccountRef,
    pub account_uid: &'a Option<ArcStr>,
    pub audiences: &'a Audiences,
}

impl Record {
    /// Its texts.
    #[must_use]
    pub fn texts(&self) -> Texts<'_> {
        let claims = self.held.claims().map(|claims| TextsOfClaims {
            issuer: &claims.issuer,
            key_id: &claims.key_id,
            account: &claims.account,
            account_uid: &claims.account_uid,
            audiences: &claims.audiences,
        });
        let inputs = self.inputs.as_ref().ok();
        let inputs = inputs.map(|inputs| (&inputs.account, &inputs.audiences));
        let (uid, labels) = (Some(&self.uid), &self.labels);
        Texts { secret: &self.secret, uid, labels, inputs, claims }
    }

    /// Keeps no text twice that this record has in several places.
    pub fn share_own(&mut self) {
        let Self { inputs, issued, .. } = self;
        let inputs = inputs.as_ref().ok();
        let Some(claims) = self.held.claims_mut() else { return };
        if let Some(inputs) = inputs {
            share_account(&mut claims.account, &inputs.account);
            share(&mut claims.audiences, &inputs.audiences);
        }
        if let Some(note) = issued {
            let Issued { iss, kid, uid, .. } = note;
            share(iss, &claims.issuer);
            share(kid, &claims.key_id);
            share(uid, &claims.account_uid);
        }
    }

    /// Takes from another record each text that is the same there.
    pub fn share_with(&mut self, other: Texts<'_>) {
        other.uid.iter().for_each(|uid| share(&mut self.uid, uid));
        share(&mut self.secret.namespace, &other.secret.namespace);
        share(&mut self.secret.name, &other.secret.name);
        share(&mut self.labels, other.labels);
        if let (Ok(own), Some((account, audiences))) = (&mut self.inputs, other.inputs) {
            share_account(&mut own.account, account);
            share(&mut own.audiences, audiences);
        }
        if let (Some(own), Some(other)) = (self.held.claims_mut(), other.claims) {
            let Claims { issuer, key_id, account, account_uid, audiences, .. } = own;
            share(issuer, other.issuer);
            share(key_id, other.key_id);
            share(account_uid, other.account_uid);
            share(audiences, other.audiences);
            share_account(account, other.account);
        }
    }
}

fn share_account(own: &mut AccountRef, other: &AccountRef) {
    share(&mut own.namespace, &other.namespace);
    share(&mut own.name, &other.name);
}

/// What is shared already costs no look at the text, and no count of those who have it.
fn share<T: Text>(own: &mut T, other: &T) {
    if !own.is_one(other) && own == other {
        own.clone_from(other);
    }
}

/// What a clone of is a pointer.
trait Text: Clone + PartialEq {
    /// Whether both are one text in memory.
    fn is_one(&self, other: &Self) -> bool;
}

impl Text for ArcStr {
    fn is_one(&self, other: &Self) -> bool {
        Self::ptr_eq(self, other)
    }
}

impl Text for Option<ArcStr> {
    fn is_one(&self, other: &Self) -> bool {
        match (self, other) {
            (Some(own), Some(other)) => own.is_one(other),
            (own, other) => own.is_none() && other.is_none(),
        }
    }
}

macro_rules! text {
    ($($type:ty),+) => {
        $(impl Text for $type {
            fn is_one(&self, other: &Self) -> bool {
                <$type>::is_one(self, other)
            }
        })+
    };
}

text!(Audiences, Labels, Namespace, SecretName, AccountName);

#[cfg(test)]
mod tests {
    use crate::fixtures::SecretBuilder;

    #[test]
    fn a_record_says_the_same_after_it_shares_its_texts() {
        let first = SecretBuilder::new().renewed(0, 43_200, 86_400, 0.5).record();
        let second = SecretBuilder::new().renewed(9_000, 43_200, 86_400, 0.5).record();
        let mut shared = second.clone();
        shared.share_with(first.texts());
        shared.share_own();
        assert_eq!(shared, second);
        let issuers = [&shared, &first].map(|record| record.held.claims().unwrap().issuer.clone());
        assert!(arcstr::ArcStr::ptr_eq(&issuers[0], &issuers[1]));
        let note = shared.issued.as_ref().unwrap();
        assert!(arcstr::ArcStr::ptr_eq(&note.iss, &issuers[0]));
    }
}
