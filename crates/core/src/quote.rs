//! How a stranger's text is repeated in a message of ours.

/// Longest part that is repeated, in characters.
const CHARS_MAX: usize = 80;

/// The text, cut to [`CHARS_MAX`] characters, and without control characters, so that it can end
/// neither a log line nor a terminal's patience.
pub(crate) fn cut(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut quoted: String = text.chars().take(CHARS_MAX).map(clean).collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        quoted.push('…');
    }
    quoted
}
