//! Names that an API server takes, and names that it refuses.

use fastrand::Rng;

/// Which rule a name is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// RFC 1123 label: a namespace.
    Label,
    /// RFC 1123 subdomain: a ServiceAccount.
    Subdomain,
}

/// Characters that no name has.
const STRANGE: [char; 40] = [
    '/', '%', '?', '#', '\\', ' ', '_', ':', '@', '&', '=', '+', ',', ';', '\'', '"', '*', '~',
    '|', '{', '}', '<', '>', '[', ']', '(', ')', '!', '$', '`', '^', '\n', '\t', '\r', '\0', 'ä',
    'а', 'ａ', '\u{200b}', '\u{202e}',
];

/// Texts that would lead elsewhere in a URL.
const ELSEWHERE: [&str; 12] = [
    "..",
    ".",
    "/",
    "../../secrets/x",
    "x/token",
    "x?dryRun=All",
    "x#y",
    "%2e%2e%2f",
    "x%00",
    "-",
    "x\r\nHost: y",
    " ",
];

/// A good one of up to 40 characters.
pub(super) fn right(rng: &mut Rng, rule: Rule) -> String {
    let part = |rng: &mut Rng| {
        let length = rng.usize(1..=12);
        let inside: String = (0..length).map(|_| middle(rng)).collect();
        format!("{}{inside}{}", edge(rng), edge(rng))
    };
    match rule {
        Rule::Subdomain if rng.bool() => format!("{}.{}", part(rng), part(rng)),
        Rule::Subdomain | Rule::Label => part(rng),
    }
}

fn edge(rng: &mut Rng) -> char {
    if rng.bool() { rng.lowercase() } else { rng.digit(10) }
}

fn middle(rng: &mut Rng) -> char {
    if rng.u8(..4) == 0 { '-' } else { edge(rng) }
}

/// One that is refused.
pub(super) fn bad(rng: &mut Rng, rule: Rule) -> String {
    let good = right(rng, rule);
    let longest = if rule == Rule::Label { 63 } else { 253 };
    match rng.u8(..7) {
        0 | 1 => {
            let strange = STRANGE[rng.usize(..STRANGE.len())];
            insert(rng, &good, strange)
        }
        2 => {
            let capital = rng.uppercase();
            insert(rng, &good, capital)
        }
        3 => format!("-{good}"),
        4 => format!("{good}-"),
        5 => "x".repeat(longest + rng.usize(1..50)),
        _ if rule == Rule::Label && rng.bool() => format!("{good}.{good}"),
        _ => ELSEWHERE[rng.usize(..ELSEWHERE.len())].to_owned(),
    }
}

/// The text with this character somewhere.
pub(super) fn insert(rng: &mut Rng, text: &str, c: char) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    chars.insert(rng.usize(..=chars.len()), c);
    chars.into_iter().collect()
}
