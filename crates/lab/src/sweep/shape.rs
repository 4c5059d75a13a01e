//! What a JWT looks like.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `{` and what may follow it in a JSON object, as base64 begins it.
const BEGINNINGS: [&[u8]; 2] = [b"ey", b"ew"];
/// Shortest signature, in characters: HMAC-SHA256 has 43. Less is a word between dots.
const SIGNATURE_MIN: usize = 16;

pub(super) fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Whether three parts somewhere in the text are a JWT. What stands before it does not matter, so a
/// token that is glued to a word is found too.
pub(super) fn has_jwt(text: &[u8]) -> bool {
    let begins = |at: &usize| BEGINNINGS.iter().any(|begin| text[*at..].starts_with(begin));
    (0..text.len()).filter(begins).any(|at| is_jwt(&text[at..]))
}

fn is_jwt(text: &[u8]) -> bool {
    let Some((header, rest)) = part(text) else { return false };
    let Some((claims, rest)) = part(rest) else { return false };
    let signature = rest.iter().take_while(|byte| is_base64url(**byte)).count();
    !claims.is_empty() && signature >= SIGNATURE_MIN && is_header(header)
}

/// Up to the dot, and after it.
fn part(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = text.iter().take_while(|byte| is_base64url(**byte)).count();
    let rest = text[length..].strip_prefix(b".")?;
    Some((&text[..length], rest))
}

fn is_header(part: &[u8]) -> bool {
    let Ok(decoded) = URL_SAFE_NO_PAD.decode(part) else { return false };
    let header: Option<serde_json::Value> = serde_json::from_slice(&decoded).ok();
    header.is_some_and(|header| header.get("alg").is_some())
}
