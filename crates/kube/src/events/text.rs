//! What may stand in an Event. Whoever reads Events need not be allowed to read Secrets.

/// Longest message, in bytes: what events.k8s.io/v1 accepts.
const MESSAGE_BYTES_MAX: usize = 1024;
/// Longest reason, in bytes: what events.k8s.io/v1 accepts.
const REASON_BYTES_MAX: usize = 128;
/// How a JWT begins, and how one in base64 does.
const TOKEN_BEGINS: [&str; 2] = ["eyJ", "ZXlK"];
/// No token is as short as this, in bytes.
const TOKEN_BYTES_MIN: usize = 16;

/// A message without anything that looks like a token, cut to what fits. None of our texts holds
/// one; but they may quote an annotation, or the words of a shoot's API server.
pub(super) fn message(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = TOKEN_BEGINS.iter().filter_map(|begin| rest.find(begin)).min() {
        let (before, from) = rest.split_at(at);
        let of_token = |c: char| c.is_ascii_alphanumeric() || "-_.+/=".contains(c);
        let end = from.find(|c| !of_token(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        shown.push_str(before);
        shown.push_str(if word.len() < TOKEN_BYTES_MIN { word } else { "(not shown)" });
        rest = after;
    }
    shown.push_str(rest);
    cut(&shown, MESSAGE_BYTES_MAX).to_owned()
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
        assert_eq!(message(&format!("b{token}")), "b(not shown)");
    }
}
