//! A kubeconfig, read and changed. Whatever a document is: it is refused before a token is issued
//! for it, or it takes the token.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use perennial_core::{
    keys,
    kubeconfig::{check_ca_place, connection, current_token, with_token},
    token::Token,
};

use crate::samples::Sample;

const TOKEN: &str = "eyJuZXc.eyJuZXc.c2ln";
const CA: &str = "-----BEGIN CERTIFICATE-----\nbmV3\n-----END CERTIFICATE-----\n";

pub(super) fn seeds(number: u64) -> Vec<Vec<u8>> {
    let samples = [Sample::right(number), Sample::wrong(number)];
    let documents = samples.iter().filter_map(|sample| sample.data.get(keys::DATA_KUBECONFIG));
    documents.cloned().collect()
}

pub(super) fn run(document: &[u8]) {
    let token = Token::new(TOKEN.to_owned());
    let _ = connection(document);
    let before = current_token(document).map(drop);
    let after = with_token(document, &token, None);
    assert_eq!(before, after.as_ref().map(drop).map_err(Clone::clone), "said before it is issued");
    let after = match after {
        Ok(after) => after,
        Err(error) => return is_harmless(&error.to_string()),
    };
    holds(&after);
    assert_eq!(with_token(&after, &token, None).as_ref(), Ok(&after), "twice is once");
    keeps_all_but_one_place(document, &after);
    if check_ca_place(document).is_ok() {
        let with_ca = with_token(document, &token, Some(CA.as_bytes()));
        let with_ca = with_ca.expect("said before it is issued");
        holds(&with_ca);
        let encoded = STANDARD.encode(CA);
        assert!(with_ca.windows(encoded.len()).any(|part| part == encoded.as_bytes()));
        assert_eq!(with_token(&with_ca, &token, Some(CA.as_bytes())), Ok(with_ca));
    }
}

fn holds(document: &[u8]) {
    let held = current_token(document).expect("what was changed can be read");
    assert_eq!(held.as_ref().map(Token::expose), Some(TOKEN));
}

/// All bytes before the place and after it are as they were, and only so many came.
fn keeps_all_but_one_place(before: &[u8], after: &[u8]) {
    let same = |(a, b): &(&u8, &u8)| a == b;
    let front = before.iter().zip(after).take_while(same).count();
    let back = before[front..].iter().rev().zip(after[front..].iter().rev()).take_while(same);
    let place = after.len() - front - back.count();
    assert!(place <= TOKEN.len() + 200, "{place} bytes are new");
}

fn is_harmless(message: &str) {
    assert!(message.len() < 600 && !message.chars().any(char::is_control), "{message:?}");
    assert!(message.contains("; "), "it says what to do: {message}");
}
