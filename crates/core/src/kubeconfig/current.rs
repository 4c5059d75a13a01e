//! The way from `current-context` to its cluster and its user.
//!
//! Every mapping on that way has to be plain, see [`Section::of`]: what an alias or a merge key
//! adds would be found by kubectl and not by us, or be changed in two places at once.

use granit_parser::StructureStyle;

use super::{
    error::{KubeconfigError, Part},
    tree::{Node, Tree, Value},
};
use crate::quote::cut;

/// A list of named entries.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Context,
    Cluster,
    User,
}

impl Kind {
    /// Key of the list.
    const fn list(self) -> &'static str {
        match self {
            Self::Context => "contexts",
            Self::Cluster => "clusters",
            Self::User => "users",
        }
    }

    /// Key inside an entry of that list, and inside a context.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Cluster => "cluster",
            Self::User => "user",
        }
    }

    pub(super) fn part(self, name: &str) -> Part {
        match self {
            Self::Context => Part::Context(cut(name)),
            Self::Cluster => Part::Cluster(cut(name)),
            Self::User => Part::User(cut(name)),
        }
    }
}

/// A mapping whose keys are plain texts; null counts as an empty one.
pub(super) struct Section<'t, 'd> {
    pub(super) part: Part,
    pub(super) node: &'t Node<'d>,
}

impl<'t, 'd> Section<'t, 'd> {
    /// # Errors
    /// When it is no mapping, or has keys that are aliases, merges, tagged or no texts.
    fn of(part: Part, node: &'t Node<'d>, key: &'static str) -> Result<Self, KubeconfigError> {
        let indirect =
            |node: &Node<'_>| KubeconfigError::Indirect { part: part.clone(), line: node.line };
        if matches!(node.value, Value::Alias(_)) || node.tag.is_some() {
            return Err(indirect(node));
        }
        let section = Self { part: part.clone(), node };
        if !matches!(node.value, Value::Mapping(..)) && !node.is_null() {
            return Err(KubeconfigError::Type { part, key, expected: "a mapping" });
        }
        match section.entries().iter().find(|(key, _)| !is_plain_key(key)) {
            Some((key, _)) => Err(indirect(key)),
            None => Ok(section),
        }
    }

    pub(super) fn entries(&self) -> &'t [(Node<'d>, Node<'d>)] {
        match &self.node.value {
            Value::Mapping(_, entries) => entries,
            _ => &[],
        }
    }

    /// The entry of this key with its index.
    pub(super) fn find(
        &self,
        key: &'static str,
    ) -> Result<Option<(usize, &'t Node<'d>)>, KubeconfigError> {
        let is_it = |(_, (name, _)): &(usize, &'t (Node<'d>, Node<'d>))| matches!(&name.value, Value::Scalar(text, _) if text == key);
        let mut found = self.entries().iter().enumerate().filter(is_it);
        let first = found.next();
        if found.next().is_some() {
            return Err(KubeconfigError::DuplicateKey { part: self.part.clone(), key });
        }
        Ok(first.map(|(index, (_, value))| (index, value)))
    }

    /// The text of this key; `None` where it is absent, null or empty.
    pub(super) fn text(&self, key: &'static str) -> Result<Option<&'t str>, KubeconfigError> {
        let Some((_, node)) = self.find(key)? else {
            return Ok(None);
        };
        text(&self.part, key, node)
    }

    /// The text of this key.
    pub(super) fn required(&self, key: &'static str) -> Result<&'t str, KubeconfigError> {
        let missing = || KubeconfigError::Missing { part: self.part.clone(), key };
        self.text(key)?.ok_or_else(missing)
    }
}

/// Keys that mean what they say: not `<<`, no alias, no tag, no collection.
fn is_plain_key(key: &Node<'_>) -> bool {
    key.tag.is_none() && matches!(&key.value, Value::Scalar(text, _) if text != "<<")
}

/// The text of a node; `None` where it is null or empty.
pub(super) fn text<'t>(
    part: &Part,
    key: &'static str,
    node: &'t Node<'_>,
) -> Result<Option<&'t str>, KubeconfigError> {
    if matches!(node.value, Value::Alias(_)) || node.tag.is_some() {
        return Err(KubeconfigError::Indirect { part: part.clone(), line: node.line });
    }
    match &node.value {
        Value::Scalar(text, _) if text.is_empty() || node.is_null() => Ok(None),
        Value::Scalar(text, _) => Ok(Some(text)),
        _ => Err(KubeconfigError::Type { part: part.clone(), key, expected: "a text" }),
    }
}

/// A named entry of a list, and the nodes on the way to it.
pub(super) struct Entry<'t, 'd> {
    pub(super) tree: &'t Tree<'d>,
    pub(super) kind: Kind,
    /// Index of the list at the top level, and of the entry in the list.
    pub(super) path: [usize; 2],
    pub(super) list: &'t Node<'d>,
    /// `name` and, under [`Kind::key`], what is named.
    pub(super) outer: Section<'t, 'd>,
    /// What is named, and its index; `None` where the key is absent.
    pub(super) inner: Option<(usize, Section<'t, 'd>)>,
}

impl<'t, 'd> Entry<'t, 'd> {
    fn find(tree: &'t Tree<'d>, kind: Kind, name: &str) -> Result<Self, KubeconfigError> {
        let part = kind.part(name);
        let unknown = || KubeconfigError::Unknown { part: part.clone() };
        let root = Section::of(Part::Document, &tree.root, kind.list())?;
        let (list_index, list) = root.find(kind.list())?.ok_or_else(unknown)?;
        let items = items(list, kind)?;
        let mut found = None;
        for (index, item) in items.iter().enumerate() {
            if !is_named(item, name, kind)? {
                continue;
            }
            if found.replace((index, item)).is_some() {
                return Err(KubeconfigError::Ambiguous { part });
            }
        }
        let (index, item) = found.ok_or_else(unknown)?;
        let outer = Section::of(part.clone(), item, kind.key())?;
        let inner = match outer.find(kind.key())? {
            Some((at, node)) => Some((at, Section::of(part, node, kind.key())?)),
            None => None,
        };
        Ok(Self { tree, kind, path: [list_index, index], list, outer, inner })
    }
}

/// The entries of a list; none where it is null.
fn items<'t, 'd>(list: &'t Node<'d>, kind: Kind) -> Result<&'t [Node<'d>], KubeconfigError> {
    let (part, key, line) = (Part::Document, kind.list(), list.line);
    match &list.value {
        Value::Alias(_) => Err(KubeconfigError::Indirect { part, line }),
        _ if list.tag.is_some() => Err(KubeconfigError::Indirect { part, line }),
        Value::List(StructureStyle::Block | StructureStyle::Flow, items) => Ok(items),
        _ if list.is_null() => Ok(&[]),
        _ => Err(KubeconfigError::Type { part, key, expected: "a list" }),
    }
}

/// Whether an entry has this name. An entry whose name is hidden (an alias, or behind a merge key)
/// could be a second one of that name, so it is refused.
fn is_named(item: &Node<'_>, name: &str, kind: Kind) -> Result<bool, KubeconfigError> {
    let entries = match &item.value {
        Value::Mapping(_, entries) => entries,
        Value::Scalar(..) if item.is_null() => return Ok(false),
        Value::Alias(_) => {
            return Err(KubeconfigError::Indirect { part: Part::Document, line: item.line });
        }
        _ => {
            let (part, key) = (Part::Document, kind.list());
            return Err(KubeconfigError::Type { part, key, expected: "a list of mappings" });
        }
    };
    let mut names = entries.iter().filter_map(|(key, value)| match &key.value {
        Value::Scalar(text, _) if text == "name" => Some(value),
        _ => None,
    });
    match (names.next(), names.next()) {
        (Some(value), None) => Ok(text(&Part::Document, "name", value)? == Some(name)),
        (Some(_), Some(_)) => {
            let expected = "a list of entries with one name each";
            Err(KubeconfigError::Type { part: Part::Document, key: kind.list(), expected })
        }
        (None, _) => match entries.iter().find(|(key, _)| !is_plain_key(key)) {
            Some((key, _)) => {
                Err(KubeconfigError::Indirect { part: Part::Document, line: key.line })
            }
            None => Ok(false),
        },
    }
}

/// The current context.
pub(super) struct Current<'t, 'd> {
    tree: &'t Tree<'d>,
    context: Section<'t, 'd>,
}

impl<'t, 'd> Current<'t, 'd> {
    /// # Errors
    /// When `current-context` does not name exactly one context.
    pub(super) fn of(tree: &'t Tree<'d>) -> Result<Self, KubeconfigError> {
        let root = Section::of(Part::Document, &tree.root, "current-context")?;
        let name = root.required("current-context")?;
        let entry = Entry::find(tree, Kind::Context, name)?;
        let missing = || KubeconfigError::Missing {
            part: Kind::Context.part(name),
            key: Kind::Context.key(),
        };
        let (_, context) = entry.inner.ok_or_else(missing)?;
        Ok(Self { tree, context })
    }

    /// The cluster or the user it names.
    pub(super) fn entry(&self, kind: Kind) -> Result<Entry<'t, 'd>, KubeconfigError> {
        Entry::find(self.tree, kind, self.context.required(kind.key())?)
    }
}
