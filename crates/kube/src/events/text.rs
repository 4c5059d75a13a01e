//! What may stand in an Event. Whoever reads Events need not be allowed to read Secrets.

use perennial_core::quote::without_tokens;

/// Longest message, in bytes: what events.k8s.io/v1 accepts.
const MESSAGE_BYTES_MAX: usize = 1024;
/// Longest reason, in bytes: what events.k8s.io/v1 accepts.
const REASON_BYTES_MAX: usize = 128;

/// A message without anything that looks like a token, cut to what fits.
pub(super) fn message(text: &str) -> String {
    cut(&without_tokens(text), MESSAGE_BYTES_MAX).to_owned()
}

/// `DURATION_INVALID` as Events say it: `DurationInvalid`.
pub(super) fn camel_case(reason: &str) -> String {
    let words = reason.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let camel: String = words
        .map(|word| {
            let (first, rest) = word.split_at(1); // ASCII
            first.to_ascii_uppercase() + &rest.to_ascii_lowercase()
        })
        .collect();
    cut(&camel, REASON_BYTES_MAX).to_owned()
}

/// The beginning of a text, at most so many bytes of whole characters.
pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    let fits = |end: &usize| *end <= bytes_max && text.is_char_boundary(*end);
    let end = (0..=bytes_max.min(text.len())).rev().find(fits).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_becomes_camel_case() {
        assert_eq!(camel_case("DURATION_INVALID"), "DurationInvalid");
        assert_eq!(camel_case("POLICY_OWN_ACCOUNT"), "PolicyOwnAccount");
        assert_eq!(camel_case("__x--é"), "X");
        assert_eq!(camel_case(&"A_".repeat(500)).len(), 128);
    }

    #[test]
    fn a_message_is_cut_between_characters() {
        let long = message(&"é".repeat(600));
        assert_eq!(long, "é".repeat(512));
        assert_eq!(message(&format!("a{}", "é".repeat(600))).len(), 1023);
        assert_eq!(message("short"), "short");
    }

    #[test]
    fn what_looks_like_a_token_is_not_shown() {
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl";
        let in_base64 = "ZXlKaGJHY2lPaUpTVXpJMU5pSjkuZXlK";
        let told = message(&format!("annotation x (\"{token}\") and {in_base64}, eyJ alone"));
        assert_eq!(told, "annotation x (\"(not shown)\") and (not shown), eyJ alone");
    }
}
