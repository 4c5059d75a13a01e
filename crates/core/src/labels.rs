//! The labels of an access Secret, for whoever selects by them. No decision depends on them.

use std::{collections::BTreeMap, fmt};

use arcstr::ArcStr;

/// Most labels of a Secret that are kept, the first by key. Kubernetes has no bound, Gardener writes two.
/// One has 380 bytes at most, so all that a stranger can make us keep of a Secret is 24 KiB.
pub const LABELS_MAX: usize = 64;

/// Labels as one text, `key=value,key=value` in order of their keys: neither sign can be part of one.
/// Those of very many Secrets are the same, so the text can be shared.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Labels(ArcStr);

impl Labels {
    /// The first [`LABELS_MAX`] of these. One that no API server would have taken is left out.
    #[must_use]
    pub fn of(labels: &BTreeMap<String, String>) -> Self {
        let is_whole = |part: &str| !part.contains(['=', ',']);
        let labels = labels.iter().filter(|(key, value)| is_whole(key) && is_whole(value));
        let texts: Vec<_> =
            labels.take(LABELS_MAX).map(|(key, value)| format!("{key}={value}")).collect();
        Self(texts.join(",").into())
    }

    /// All that are kept, in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.split(',').filter_map(|label| label.split_once('='))
    }

    /// The value of one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find_map(|(own, value)| (own == key).then_some(value))
    }

    /// Whether both are one text in memory.
    pub(crate) fn is_one(&self, other: &Self) -> bool {
        ArcStr::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn they_come_back_as_they_were() {
        for map in [labels(&[]), labels(&[("a", "")]), labels(&[("b.example/c", "d"), ("a", "x")])]
        {
            let kept = Labels::of(&map);
            let back = kept.iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
            assert_eq!(back.collect::<BTreeMap<_, _>>(), map);
            map.iter().for_each(|(key, value)| assert_eq!(kept.get(key), Some(value.as_str())));
            assert_eq!(kept.get("other"), None);
        }
        assert_eq!(Labels::of(&labels(&[])), Labels::default());
    }

    #[test]
    fn a_stranger_who_writes_thousands_has_the_first_kept() {
        let many: BTreeMap<_, _> =
            (0..5_000).map(|n| (format!("k{n:04}"), "v".to_owned())).collect();
        let kept = Labels::of(&many);
        assert_eq!(kept.iter().count(), LABELS_MAX);
        assert_eq!((kept.get("k0063"), kept.get("k0064")), (Some("v"), None));
        assert_eq!(Labels::of(&labels(&[("a,b=c", "d"), ("e", "f,g=h")])), Labels::default());
    }
}
