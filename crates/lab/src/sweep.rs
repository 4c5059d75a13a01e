//! Looks for tokens in whatever a run left behind.
//!
//! A token is found in two ways. By its shape: three parts whose first decodes to a JSON object
//! with `alg`, which finds tokens that nobody knew of. And by content: any [`WINDOW`] characters of
//! the signature of a token that the run made, which finds pieces. Both are looked for in the text
//! as it is, with escapes and separators taken out (a token split over lines or JSON strings), and
//! in what base64 and lists of numbers in it decode to, one in another a few times over.
//!
//! A finding says where, never what.

pub mod places;
mod shape;
mod views;

use std::{collections::HashSet, fmt};

/// Characters of a signature that are taken for a piece of it: 144 random bits.
pub const WINDOW: usize = 24;
/// How often something is decoded that was found in something decoded: a token in a kubeconfig in
/// `data` of a Secret in an annotation is three.
const DEPTH_MAX: usize = 4;

/// A token, or a piece of one, where none should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where it was looked for.
    pub place: String,
    /// Line that it stands on, from 1; none if it goes over several.
    pub line: Option<usize>,
    /// What was found.
    pub what: What,
    /// How it was hidden, outermost first.
    pub hidden: Vec<&'static str>,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Three parts, the first a header.
    Jwt,
    /// A piece of the signature of a token that the run made.
    Signature,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Jwt => "a JWT",
            What::Signature => "a piece of a token's signature",
        };
        match self.line {
            Some(line) => write!(f, "{}, line {line}: {what}", self.place)?,
            None => write!(f, "{}, over several lines: {what}", self.place)?,
        }
        match self.hidden.as_slice() {
            [] => Ok(()),
            hidden => write!(f, " ({})", hidden.join(", in it ")),
        }
    }
}

/// Knows the tokens of a run.
#[derive(Clone, Default)]
pub struct Sweep {
    windows: HashSet<[u8; WINDOW]>,
}

impl fmt::Debug for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep").field("windows", &self.windows.len()).finish()
    }
}

impl Sweep {
    /// Knows these tokens, and the shape of any other.
    pub fn new<T: AsRef<str>>(tokens: impl IntoIterator<Item = T>) -> Self {
        let mut windows = HashSet::new();
        for token in tokens {
            let signature = token.as_ref().trim().rsplit('.').next().unwrap_or_default();
            windows.extend(signature.as_bytes().array_windows_of());
        }
        Self { windows }
    }

    /// How many pieces of tokens it knows.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Everything in `content` that is a token or a piece of one. `place` stands in the findings.
    #[must_use]
    pub fn look(&self, content: &[u8], place: &str) -> Vec<Finding> {
        let finding =
            |line, (what, hidden)| Finding { place: place.to_owned(), line, what, hidden };
        let on_line = |(line, text)| {
            self.search(text, DEPTH_MAX).into_iter().map(move |found| finding(Some(line), found))
        };
        let mut findings: Vec<Finding> = views::lines(content).flat_map(on_line).collect();
        if findings.is_empty() {
            let found = self.search(content, DEPTH_MAX);
            findings.extend(found.into_iter().map(|found| finding(None, found)));
        }
        // The plainest form of each says enough.
        findings.sort_by_key(|found| (found.line, found.what, found.hidden.len()));
        findings.dedup_by_key(|found| (found.line, found.what));
        findings
    }

    fn search(&self, text: &[u8], depth: usize) -> Vec<(What, Vec<&'static str>)> {
        let mut found = Vec::new();
        if shape::has_jwt(text) {
            found.push((What::Jwt, Vec::new()));
        }
        if text.array_windows_of().any(|window| self.windows.contains(&window)) {
            found.push((What::Signature, Vec::new()));
        }
        if depth == 0 || !found.is_empty() {
            return found;
        }
        for (hidden, view) in views::of(text) {
            for (what, mut deeper) in self.search(&view, depth - 1) {
                deeper.insert(0, hidden);
                found.push((what, deeper));
            }
        }
        found
    }
}

trait Windows {
    fn array_windows_of(&self) -> impl Iterator<Item = [u8; WINDOW]>;
}

impl Windows for [u8] {
    fn array_windows_of(&self) -> impl Iterator<Item = [u8; WINDOW]> {
        self.windows(WINDOW).filter_map(|window| window.try_into().ok())
    }
}

#[cfg(test)]
mod tests;
