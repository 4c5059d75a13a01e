//! A YAML document as a tree that knows where its scalars stand.
//!
//! Aliases stay aliases, so no document grows while it is read, and numbers, dates and booleans
//! stay the text they are. Two trees are equal when they mean the same in the same spelling,
//! wherever they stand. No `Debug`: values may be credentials.

use std::{borrow::Cow, collections::BTreeSet, ops::Range};

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span, StructureStyle, Tag, options};

use super::error::KubeconfigError;

/// Longest document, in bytes: a Secret holds no more.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Most nodes of a tree; a kubeconfig of 700 contexts has about as many. One with_token holds three
/// trees, so a stranger's Secret costs at most 3 × 20,000 × 160 bytes: 10 MB, or twice that while
/// a list grows.
const NODES_MAX: usize = 20_000;
const _: () = assert!(size_of::<Node<'_>>() <= 160);
/// Deepest nesting of flow and of block collections each. A kubeconfig needs 6; recursion over a
/// tree is therefore bounded by twice this.
const DEPTH_MAX: usize = 64;

/// A document.
pub(super) struct Tree<'d> {
    pub(super) source: &'d str,
    pub(super) root: Node<'d>,
    /// Anchors that an alias refers to.
    pub(super) aliased: BTreeSet<usize>,
}

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Node<'d> {
    pub(super) value: Value<'d>,
    pub(super) tag: Option<Tag>,
    /// 0 where there is none.
    pub(super) anchor: usize,
    /// Bytes of a scalar without anchor and tag (of a block scalar without its header too), or of
    /// the opening bracket of a flow collection.
    pub(super) bytes: Range<usize>,
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 0.
    pub(super) column: usize,
}

#[derive(Clone, PartialEq)]
pub(super) enum Value<'d> {
    Scalar(Cow<'d, str>, ScalarStyle),
    List(StructureStyle, Vec<Node<'d>>),
    Mapping(StructureStyle, Vec<(Node<'d>, Node<'d>)>),
    Alias(usize),
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.anchor == other.anchor && self.tag == other.tag && self.value == other.value
    }
}

impl<'d> Node<'d> {
    /// A node that stands nowhere yet.
    pub(super) fn new(value: Value<'d>) -> Self {
        Self { value, tag: None, anchor: 0, bytes: 0..0, line: 0, column: 0 }
    }

    /// A scalar that stands nowhere yet.
    pub(super) fn scalar(text: impl Into<Cow<'d, str>>, style: ScalarStyle) -> Self {
        Self::new(Value::Scalar(text.into(), style))
    }

    /// Whether it is null, in the spellings of YAML 1.1 and 1.2.
    pub(super) fn is_null(&self) -> bool {
        let Value::Scalar(text, ScalarStyle::Plain) = &self.value else {
            return false;
        };
        self.tag.is_none() && matches!(&**text, "" | "~" | "null" | "Null" | "NULL")
    }

    /// The value at this index of a list or mapping.
    pub(super) fn child_mut(&mut self, index: usize) -> Option<&mut Self> {
        match &mut self.value {
            Value::List(_, items) => items.get_mut(index),
            Value::Mapping(_, entries) => entries.get_mut(index).map(|(_, value)| value),
            Value::Scalar(..) | Value::Alias(_) => None,
        }
    }
}

impl<'d> Tree<'d> {
    /// Parses one document.
    pub(super) fn parse(document: &'d [u8]) -> Result<Self, KubeconfigError> {
        if document.len() > DOCUMENT_BYTES_MAX {
            return Err(KubeconfigError::TooLarge);
        }
        let source = std::str::from_utf8(document).map_err(|_| KubeconfigError::NotUtf8)?;
        let options = options! {
            emit_comments: false,
            flow_nesting_limit: DEPTH_MAX,
            block_nesting_limit: DEPTH_MAX,
        };
        let mut builder = Builder::default();
        for next in Parser::new_from_str_with_options(source, options) {
            let (event, span) = next.map_err(|error| {
                let line = error.marker().line();
                match error.kind() {
                    ErrorKind::RecursionLimitExceeded => KubeconfigError::TooDeep { line },
                    _ => KubeconfigError::NotYaml { line, column: error.marker().col() + 1 },
                }
            })?;
            builder.take(event, &span)?;
        }
        let root = builder.root.ok_or(KubeconfigError::Empty)?;
        Ok(Self { source, root, aliased: builder.aliased })
    }
}

/// Makes a tree of the parser's events.
#[derive(Default)]
struct Builder<'d> {
    /// Collections that are not closed, each with the key that waits for its value.
    open: Vec<(Node<'d>, Option<Node<'d>>)>,
    root: Option<Node<'d>>,
    aliased: BTreeSet<usize>,
    documents: usize,
    nodes: usize,
}

impl<'d> Builder<'d> {
    fn take(&mut self, event: Event<'d>, span: &Span) -> Result<(), KubeconfigError> {
        let (value, anchor, tag) = match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                let single = self.documents == 1;
                return if single { Ok(()) } else { Err(KubeconfigError::SeveralDocuments) };
            }
            Event::Alias(anchor) => {
                self.aliased.insert(anchor);
                (Value::Alias(anchor), 0, None)
            }
            Event::Scalar(text, style, anchor, tag) => (Value::Scalar(text, style), anchor, tag),
            Event::SequenceStart(style, anchor, tag) => {
                (Value::List(style, Vec::new()), anchor, tag)
            }
            Event::MappingStart(style, anchor, tag) => {
                (Value::Mapping(style, Vec::new()), anchor, tag)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                return match self.open.pop() {
                    Some((node, None)) => self.close(node),
                    Some((_, Some(_))) | None => Err(not_yaml(span)),
                };
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => return Ok(()),
            // Events that are off by default, and any that a later parser may add.
            _ => return Err(not_yaml(span)),
        };
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(KubeconfigError::TooLarge);
        }
        let node = Node {
            value,
            tag: tag.map(Cow::into_owned),
            anchor,
            bytes: span.byte_range().ok_or_else(|| not_yaml(span))?,
            line: span.start.line(),
            column: span.start.col(),
        };
        match node.value {
            Value::List(..) | Value::Mapping(..) => {
                self.open.push((node, None));
                Ok(())
            }
            Value::Scalar(..) | Value::Alias(_) => self.close(node),
        }
    }

    /// Puts a finished node where it belongs.
    fn close(&mut self, node: Node<'d>) -> Result<(), KubeconfigError> {
        let Some((parent, key)) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut parent.value, key.take()) {
            (Value::List(_, items), _) => items.push(node),
            (Value::Mapping(_, entries), Some(key)) => entries.push((key, node)),
            (Value::Mapping(..), None) => *key = Some(node),
            (Value::Scalar(..) | Value::Alias(_), _) => return Err(KubeconfigError::Unedited),
        }
        Ok(())
    }
}

fn not_yaml(span: &Span) -> KubeconfigError {
    KubeconfigError::NotYaml { line: span.start.line(), column: span.start.col() + 1 }
}
