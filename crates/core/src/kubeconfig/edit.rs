//! One scalar put in its place: planned on the bytes and on the tree, and both have to agree.

use std::ops::Range;

use granit_parser::{ScalarStyle, StructureStyle};

use super::{
    current::{Current, Entry, Kind, text},
    error::{KubeconfigError, Part},
    tree::{Node, Tree, Value},
};

/// A change of a document, as bytes and as what they mean.
pub(super) struct Change<'d> {
    bytes: Range<usize>,
    text: String,
    /// Indices from the root to the node that changes.
    path: Vec<usize>,
    meaning: Meaning<'d>,
}

/// What becomes of the node at the path.
enum Meaning<'d> {
    Replace(Node<'d>),
    /// A first entry of this mapping.
    Prepend(Node<'d>, Node<'d>),
}

/// Applies the changes, parses the result, and compares all of it with what was meant.
pub(super) fn apply<'d>(
    tree: &Tree<'d>,
    mut changes: Vec<Change<'d>>,
) -> Result<Vec<u8>, KubeconfigError> {
    let mut meant = tree.root.clone();
    let mut edited = tree.source.to_owned();
    // From the back, so that the offsets of the others hold.
    changes.sort_by_key(|change| std::cmp::Reverse(change.bytes.start));
    for Change { bytes, text, path, meaning } in changes {
        if edited.get(bytes.clone()).is_none() {
            return Err(KubeconfigError::Unedited);
        }
        edited.replace_range(bytes, &text);
        let mut node = &mut meant;
        for index in path {
            node = node.child_mut(index).ok_or(KubeconfigError::Unedited)?;
        }
        match (meaning, &mut node.value) {
            (Meaning::Replace(new), _) => *node = new,
            (Meaning::Prepend(key, value), Value::Mapping(_, entries)) => {
                entries.insert(0, (key, value));
            }
            (Meaning::Prepend(..), _) => return Err(KubeconfigError::Unedited),
        }
    }
    let proved = Tree::parse(edited.as_bytes()).is_ok_and(|result| result.root == meant);
    if proved { Ok(edited.into_bytes()) } else { Err(KubeconfigError::Unedited) }
}

/// Where a scalar of a cluster or user stands, or would stand.
pub(super) struct Place<'t, 'd> {
    entry: Entry<'t, 'd>,
    key: &'static str,
    /// The scalar and its index in the inner mapping.
    scalar: Option<(usize, &'t Node<'d>)>,
}

impl<'t, 'd> Current<'t, 'd> {
    /// The place of this key in the current cluster or user.
    pub(super) fn place(
        &self,
        kind: Kind,
        key: &'static str,
    ) -> Result<Place<'t, 'd>, KubeconfigError> {
        let entry = self.entry(kind)?;
        let scalar = match &entry.inner {
            Some((_, inner)) => inner.find(key)?,
            None => None,
        };
        Ok(Place { entry, key, scalar })
    }
}

impl<'t, 'd> Place<'t, 'd> {
    /// What stands there; `None` where it is absent, null or empty.
    pub(super) fn text(&self) -> Result<Option<&'t str>, KubeconfigError> {
        self.scalar.map_or(Ok(None), |(_, node)| text(self.part(), self.key, node))
    }

    /// Plans that this text stands there, always double-quoted: the one form that means the same
    /// in block style, in flow style and in JSON, whatever the text.
    pub(super) fn plan(&self, text: &str) -> Result<Change<'d>, KubeconfigError> {
        self.text()?;
        self.check_unshared()?;
        let quoted = serde_json::Value::from(text).to_string();
        let scalar = Node::scalar(text.to_owned(), ScalarStyle::DoubleQuoted);
        let (outer, [list, entry]) = (&self.entry.outer, self.entry.path);
        let Some((inner_index, inner)) = &self.entry.inner else {
            let (text, node) = self.flow(&quoted, scalar);
            let key = self.entry.kind.key();
            return self.prepend(outer.node, key, &text, node, vec![list, entry]);
        };
        let path = vec![list, entry, *inner_index];
        match self.scalar {
            Some((index, old)) => {
                let path = [path.as_slice(), &[index]].concat();
                self.replace(inner.entries().get(index), old, quoted, scalar, path)
            }
            None if inner.node.is_null() => {
                let (text, node) = self.flow(&quoted, scalar);
                self.replace(outer.entries().get(*inner_index), inner.node, text, node, path)
            }
            None => self.prepend(inner.node, self.key, &quoted, scalar, path),
        }
    }

    /// A mapping in flow style with this one entry, as text and as node.
    fn flow(&self, quoted: &str, scalar: Node<'d>) -> (String, Node<'d>) {
        let key = Node::scalar(self.key, ScalarStyle::DoubleQuoted);
        let mapping = Value::Mapping(StructureStyle::Flow, vec![(key, scalar)]);
        (format!("{{\"{}\": {quoted}}}", self.key), Node::new(mapping))
    }

    /// Nothing that changes may be repeated by an alias.
    fn check_unshared(&self) -> Result<(), KubeconfigError> {
        let Entry { tree, list, outer, inner, .. } = &self.entry;
        let inner = inner.iter().map(|(_, section)| section.node);
        let shared = [&tree.root, list, outer.node]
            .into_iter()
            .chain(inner)
            .find(|node| tree.aliased.contains(&node.anchor));
        shared.map_or(Ok(()), |node| Err(self.shared(node.line)))
    }

    /// Puts a text in the place of a scalar.
    fn replace(
        &self,
        entry: Option<&(Node<'d>, Node<'d>)>,
        old: &Node<'d>,
        text: String,
        new: Node<'d>,
        path: Vec<usize>,
    ) -> Result<Change<'d>, KubeconfigError> {
        if old.anchor != 0 {
            return Err(self.shared(old.line));
        }
        let meaning = Meaning::Replace(new);
        let value_start = || entry.and_then(|(key, _)| after_colon(self.source(), key.bytes.end));
        let form = || self.form(entry.map_or(old.line, |(key, _)| key.line));
        match old.value {
            Value::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded) => {
                let bytes = value_start().and_then(|at| block_scalar(self.source(), at, old));
                Ok(Change { bytes: bytes.ok_or_else(form)?, text, path, meaning })
            }
            _ if old.bytes.is_empty() => {
                let at = value_start().ok_or_else(form)?;
                Ok(Change { bytes: at..at, text: format!(" {text}"), path, meaning })
            }
            _ => Ok(Change { bytes: old.bytes.clone(), text, path, meaning }),
        }
    }

    /// Puts an entry before all others of a mapping.
    fn prepend(
        &self,
        mapping: &Node<'d>,
        key: &'static str,
        value: &str,
        new: Node<'d>,
        path: Vec<usize>,
    ) -> Result<Change<'d>, KubeconfigError> {
        let form = || self.form(mapping.line);
        let Value::Mapping(style, entries) = &mapping.value else {
            return Err(form());
        };
        let (source, first) = (self.source(), entries.first().map(|(key, _)| key));
        let (insertion, key_style) = match style {
            StructureStyle::Flow => {
                (into_flow(source, mapping, first, key, value), ScalarStyle::DoubleQuoted)
            }
            StructureStyle::Block => {
                (first.map(|first| into_block(source, first, key, value)), ScalarStyle::Plain)
            }
        };
        let (at, text) = insertion.ok_or_else(form)?;
        let meaning = Meaning::Prepend(Node::scalar(key, key_style), new);
        Ok(Change { bytes: at..at, text, path, meaning })
    }

    fn source(&self) -> &'d str {
        self.entry.tree.source
    }

    fn part(&self) -> &Part {
        &self.entry.outer.part
    }

    fn shared(&self, line: usize) -> KubeconfigError {
        KubeconfigError::Shared { part: self.part().clone(), line }
    }

    fn form(&self, line: usize) -> KubeconfigError {
        KubeconfigError::Form { part: self.part().clone(), key: self.key, line }
    }
}

/// Where and as what an entry goes before the first one of a mapping in flow style. `None` for the
/// mapping without brackets in `[a: b]`.
fn into_flow(
    source: &str,
    mapping: &Node<'_>,
    first: Option<&Node<'_>>,
    key: &str,
    value: &str,
) -> Option<(usize, String)> {
    if source.get(mapping.bytes.clone()) != Some("{") {
        return None;
    }
    let entry = format!("\"{key}\": {value}");
    let Some(first) = first.map(|first| first.bytes.start) else {
        return Some((mapping.bytes.end, entry));
    };
    let indent = source.get(line_start(source, first)..first)?;
    Some(if indent.trim().is_empty() {
        (first, format!("{entry},{}{indent}", newline(source)))
    } else {
        (first, format!("{entry}, "))
    })
}

/// Where and as what an entry goes before the first one of a mapping in block style.
fn into_block(source: &str, first: &Node<'_>, key: &str, value: &str) -> (usize, String) {
    let (start, newline) = (first.bytes.start, newline(source));
    let line = line_start(source, start);
    let indent = source.get(line..start).unwrap_or_default();
    if indent.bytes().all(|byte| byte == b' ') {
        let at = above_comments(source, line);
        return (at, format!("{indent}{key}: {value}{newline}"));
    }
    // After a dash: the entry that was first moves to a line of its own.
    let indent = " ".repeat(first.column);
    (start, format!("{key}: {value}{newline}{indent}"))
}

fn newline(source: &str) -> &'static str {
    if source.contains("\r\n") { "\r\n" } else { "\n" }
}

fn line_start(source: &str, at: usize) -> usize {
    let end = source.get(..at).and_then(|head| head.rfind('\n'));
    end.map_or(0, |end| end + 1)
}

/// The byte after the colon that follows a key on its line.
fn after_colon(source: &str, key_end: usize) -> Option<usize> {
    let rest = source.get(key_end..)?;
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    rest[blanks..].starts_with(':').then_some(key_end + blanks + 1)
}

/// The bytes of a block scalar from its header to its last line, without that line's end. `None`
/// where the header has a comment, which would be lost.
fn block_scalar(source: &str, value_start: usize, scalar: &Node<'_>) -> Option<Range<usize>> {
    let header = source.get(value_start..scalar.bytes.start)?;
    let start = value_start + header.find(['|', '>'])?;
    if !header.chars().all(|c| c.is_ascii_whitespace() || "|>+-123456789".contains(c)) {
        return None;
    }
    let length = source.get(start..scalar.bytes.end)?.trim_end().len();
    Some(start..start + length)
}

/// Start of the first of the comment lines right above a line.
fn above_comments(source: &str, mut line: usize) -> usize {
    while let Some(head) = source.get(..line).and_then(|head| head.strip_suffix('\n')) {
        let start = line_start(source, head.len());
        if !head[start..].trim_start().starts_with('#') {
            break;
        }
        line = start;
    }
    line
}
