//! What the token-issuers said of where shoots are. Pure.

use std::collections::BTreeMap;

use perennial_core::{
    kubeconfig::{Endpoint, TokenFile, generic},
    name::Namespace,
};

use super::shoots::{Told, Word};

type Endpoints = BTreeMap<Namespace, Endpoint>;

/// What all sources said last. A source that is away keeps what it said.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<usize, Source>);

#[derive(Debug, Default)]
struct Source {
    endpoints: Endpoints,
    /// The whole set, in the making.
    listing: Option<Endpoints>,
    /// Its set is whole, and it can be heard.
    is_live: bool,
}

/// For whom a word may change something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Affected {
    Nobody,
    Shoot(Namespace),
    All,
}

impl Known {
    pub(super) fn hear(&mut self, Told { source, word }: Told) -> Affected {
        let source = self.0.entry(source).or_default();
        match word {
            Word::Opened => {
                source.listing = Some(Endpoints::new());
                Affected::Nobody
            }
            Word::Upsert(shoot, endpoint) => source.set(shoot, endpoint),
            Word::Removed(shoot) => source.set(shoot, None),
            Word::Complete => {
                if let Some(listed) = source.listing.take() {
                    source.endpoints = listed;
                }
                source.is_live = true;
                Affected::All
            }
            Word::Lost(_) => {
                (source.listing, source.is_live) = (None, false);
                Affected::All
            }
        }
    }

    /// The generic kubeconfig of a shoot; `None` where nobody knows how it is reached. The first
    /// that can be heard counts: where two differ for a moment, every secret-writer takes the same.
    pub(super) fn document(
        &self,
        shoot: &Namespace,
        rank: &[usize],
        token_file: &TokenFile,
    ) -> Option<String> {
        let of = |live: bool| {
            rank.iter().filter_map(move |source| {
                self.0.get(source).filter(|s| s.is_live == live)?.endpoints.get(shoot)
            })
        };
        of(true).chain(of(false)).next().map(|endpoint| generic(shoot, endpoint, token_file))
    }
}

impl Source {
    fn set(&mut self, shoot: Namespace, endpoint: Option<Endpoint>) -> Affected {
        let told = self.listing.as_mut().unwrap_or(&mut self.endpoints);
        let before = match endpoint {
            Some(endpoint) => {
                let same = told.get(&shoot) == Some(&endpoint);
                told.insert(shoot.clone(), endpoint);
                same
            }
            None => told.remove(&shoot).is_none(),
        };
        // A set in the making counts when it is whole.
        if before || self.listing.is_some() { Affected::Nobody } else { Affected::Shoot(shoot) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::tests::{endpoint, shoot};

    fn hear(known: &mut Known, source: usize, word: Word) -> Affected {
        known.hear(Told { source, word })
    }

    fn whole(known: &mut Known, source: usize, server: &str) {
        hear(known, source, Word::Opened);
        hear(known, source, Word::Upsert(shoot(1), Some(endpoint(server))));
        assert_eq!(hear(known, source, Word::Complete), Affected::All);
    }

    /// The server that counts for shoot 1.
    fn server(known: &Known, rank: &[usize]) -> Option<String> {
        let document = known.document(&shoot(1), rank, &"/t".parse().unwrap())?;
        let line = document.lines().find_map(|line| line.trim().strip_prefix("server: "));
        line.map(str::to_owned)
    }

    #[test]
    fn e_the_same_source_counts_for_everybody_and_the_next_one_while_it_is_away() {
        let mut known = Known::default();
        whole(&mut known, 0, "https://a");
        whole(&mut known, 1, "https://b");
        assert_eq!(server(&known, &[0, 1]).as_deref(), Some("https://a"));
        assert_eq!(server(&known, &[1, 0]).as_deref(), Some("https://b"));
        assert_eq!(hear(&mut known, 0, Word::Lost(String::new())), Affected::All);
        assert_eq!(server(&known, &[0, 1]).as_deref(), Some("https://b"));
        hear(&mut known, 1, Word::Lost(String::new()));
        assert_eq!(server(&known, &[0, 1]).as_deref(), Some("https://a"), "what was last said");
    }

    #[test]
    fn e_a_source_that_starts_and_has_not_reached_the_shoot_takes_nothing_away() {
        let mut known = Known::default();
        whole(&mut known, 0, "https://a");
        whole(&mut known, 1, "https://a");
        hear(&mut known, 0, Word::Opened);
        assert_eq!(server(&known, &[0]).as_deref(), Some("https://a"), "until it is whole");
        hear(&mut known, 0, Word::Upsert(shoot(1), None));
        hear(&mut known, 0, Word::Complete);
        assert_eq!(server(&known, &[0]), None);
        assert_eq!(server(&known, &[0, 1]).as_deref(), Some("https://a"));
    }

    #[test]
    fn e_a_word_that_changes_nothing_wakes_nobody() {
        let mut known = Known::default();
        whole(&mut known, 0, "https://a");
        let same = Word::Upsert(shoot(1), Some(endpoint("https://a")));
        assert_eq!(hear(&mut known, 0, same), Affected::Nobody);
        let moved = Word::Upsert(shoot(1), Some(endpoint("https://b")));
        assert_eq!(hear(&mut known, 0, moved), Affected::Shoot(shoot(1)));
        assert_eq!(hear(&mut known, 0, Word::Removed(shoot(1))), Affected::Shoot(shoot(1)));
        assert_eq!(hear(&mut known, 0, Word::Removed(shoot(1))), Affected::Nobody);
    }
}
