//! Which namespaces of the seed may hold a shoot (contract, section F).
//!
//! Whoever can make a Secret of one of the two fixed names makes us connect to an address of his
//! choice, with a credential of his choice. So names of namespaces say where that is believed; in
//! other namespaces such a Secret is left alone.

use std::{fmt, str::FromStr};

use perennial_core::name::Namespace;
use wildmatch::WildMatch;

/// A name of a namespace in which each `*` stands for any characters, also none.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern(WildMatch);

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write lower-case letters, digits, `-`, and `*` for any characters, such as shoot--*")]
pub struct PatternError;

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        // `?` is a wildcard of the matcher too, and no character of a name.
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '*';
        match text.is_empty() || !text.chars().all(known) {
            true => Err(PatternError),
            false => Ok(Self(WildMatch::new(text))),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `--shoot-namespace`, at least one pattern.
#[derive(Clone, Debug)]
pub struct ShootNamespaces(Vec<Pattern>);

impl ShootNamespaces {
    /// Namespaces that one of the patterns matches.
    #[must_use]
    pub const fn new(patterns: Vec<Pattern>) -> Self {
        Self(patterns)
    }

    /// Whether a namespace may hold a shoot.
    #[must_use]
    pub fn admit(&self, namespace: &Namespace) -> bool {
        self.0.iter().any(|pattern| pattern.0.matches(namespace.as_str()))
    }
}

impl fmt::Display for ShootNamespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let patterns: Vec<_> = self.0.iter().map(Pattern::to_string).collect();
        f.write_str(&patterns.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(patterns: &[&str], namespace: &str) -> bool {
        let patterns = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
        ShootNamespaces::new(patterns).admit(&namespace.parse().unwrap())
    }

    #[test]
    fn a_pattern_matches_whole_names_and_only_the_star_is_a_wildcard() {
        assert!(admits(&["shoot--*"], "shoot--lab--1"));
        assert!(!admits(&["shoot--*"], "shoot-lab"));
        assert!(!admits(&["shoot--*"], "my-shoot--lab"));
        assert!(admits(&["garden", "*--lab--*"], "shoot--lab--1"));
        assert!(!admits(&["garden"], "garden-2"));
        assert!(admits(&["*"], "default"));
    }

    #[test]
    fn what_could_never_match_a_namespace_is_no_pattern() {
        for text in ["", "shoot?", "Shoot--*", "shoot.*", "shoot--[a]", "a b", "shoot--*,garden"] {
            assert_eq!(text.parse::<Pattern>().map(|p| p.to_string()), Err(PatternError), "{text}");
        }
        let both = vec!["shoot--*".parse().unwrap(), "garden".parse().unwrap()];
        assert_eq!(ShootNamespaces::new(both).to_string(), "shoot--*,garden");
    }
}
