//! Texts that many records have in common, kept once.
//!
//! Off the wire each record comes with texts of its own, and most of them are those of other records:
//! all tokens of a shoot have one issuer and a few keys, a token names the account that its Secret
//! asks for, and a renewed Secret has the names that it had. A clone of such a text is a pointer.

use super::Record;
use crate::{issued::Issued, name::AccountRef, token::Claims};

impl Record {
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

    /// Takes from `other` each text that is the same there.
    pub fn share_with(&mut self, other: &Self) {
        share(&mut self.uid, &other.uid);
        share(&mut self.secret.namespace, &other.secret.namespace);
        share(&mut self.secret.name, &other.secret.name);
        if let (Ok(own), Ok(other)) = (&mut self.inputs, &other.inputs) {
            share_account(&mut own.account, &other.account);
            share(&mut own.audiences, &other.audiences);
        }
        if let (Some(own), Some(other)) = (self.held.claims_mut(), other.held.claims()) {
            let Claims { issuer, key_id, account, account_uid, audiences, .. } = own;
            share(issuer, &other.issuer);
            share(key_id, &other.key_id);
            share(account_uid, &other.account_uid);
            share(audiences, &other.audiences);
            share_account(account, &other.account);
        }
    }
}

fn share_account(own: &mut AccountRef, other: &AccountRef) {
    share(&mut own.namespace, &other.namespace);
    share(&mut own.name, &other.name);
}

fn share<T: Clone + PartialEq>(own: &mut T, other: &T) {
    if own == other {
        own.clone_from(other);
    }
}

#[cfg(test)]
mod tests {
    use crate::fixtures::SecretBuilder;

    #[test]
    fn a_record_says_the_same_after_it_shares_its_texts() {
        let first = SecretBuilder::new().renewed(0, 43_200, 86_400, 0.5).record();
        let second = SecretBuilder::new().renewed(9_000, 43_200, 86_400, 0.5).record();
        let mut shared = second.clone();
        shared.share_with(&first);
        shared.share_own();
        assert_eq!(shared, second);
        let issuers = [&shared, &first].map(|record| record.held.claims().unwrap().issuer.clone());
        assert!(arcstr::ArcStr::ptr_eq(&issuers[0], &issuers[1]));
        let note = shared.issued.as_ref().unwrap();
        assert!(arcstr::ArcStr::ptr_eq(&note.iss, &issuers[0]));
    }
}
