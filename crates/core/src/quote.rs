//! How a stranger's text is repeated in a message of ours: an Event, a log line, an answer. Whoever
//! reads those need not be allowed to read Secrets.

/// Longest part that is repeated, in characters.
const CHARS_MAX: usize = 80;
/// How a JWT begins, and how one in base64 does.
const TOKEN_BEGINS: [&str; 2] = ["eyJ", "ZXlK"];
/// No token is as short as this, in bytes.
const TOKEN_BYTES_MIN: usize = 16;

/// The text, cut to [`CHARS_MAX`] characters, without control characters, so that it can end neither
/// a log line nor a terminal's patience, and without what looks like a token.
pub(crate) fn cut(text: &str) -> String {
    let clean = |c: char| if is_shown(c) { c } else { '\u{fffd}' };
    let quoted: String = text.chars().take(CHARS_MAX).map(clean).collect();
    let mut quoted = without_tokens(&quoted);
    if text.chars().nth(CHARS_MAX).is_some() {
        quoted.push('…');
    }
    quoted
}

/// Neither a control character, nor one that a reader does not see and that may turn the direction
/// of a line (Unicode, "Bidirectional Algorithm", explicit formatting characters).
pub(crate) fn is_shown(c: char) -> bool {
    let unseen = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !c.is_control() && !unseen
}

/// A text with `(not shown)` instead of everything in it that looks like a token. None of our texts
/// holds one; but they may quote an annotation, or the words of a shoot's API server.
#[must_use]
pub fn without_tokens(text: &str) -> String {
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
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_token_is_not_shown() {
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl";
        let in_base64 = "ZXlKaGJHY2lPaUpTVXpJMU5pSjkuZXlK";
        let told =
            without_tokens(&format!("annotation x (\"{token}\") and {in_base64}, eyJ alone"));
        assert_eq!(told, "annotation x (\"(not shown)\") and (not shown), eyJ alone");
        assert_eq!(without_tokens(&format!("b{token}")), "b(not shown)");
        let long = format!("{token}{}", token.repeat(20));
        assert_eq!(cut(&long), "(not shown)…");
    }

    #[test]
    fn what_nobody_sees_is_made_visible() {
        assert_eq!(cut("a\n\u{202e}b\u{200b}\u{feff}"), "a\u{fffd}\u{fffd}b\u{fffd}\u{fffd}");
    }
}
