//! Why a kubeconfig cannot be used. The texts continue "data key kubeconfig cannot take a token: "
//! and say what to do. Of the document they repeat names of contexts, clusters and users only.

use std::fmt;

/// Why a kubeconfig cannot be read, changed or connected with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum KubeconfigError {
    /// More bytes than a Secret has, or far more entries than a kubeconfig.
    #[error("it is larger than any kubeconfig; keep only the contexts that are used")]
    TooLarge,
    /// Nested beyond what a kubeconfig needs.
    #[error("it is nested too deeply at line {line}; flatten it")]
    TooDeep {
        /// Line, from 1.
        line: usize,
    },
    /// Not text.
    #[error("it is not UTF-8; store it as UTF-8 text")]
    NotUtf8,
    /// Neither YAML nor JSON.
    #[error("it is not YAML at line {line}, column {column}; correct it there")]
    NotYaml {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Nothing in it.
    #[error("it is empty; put in a kubeconfig, or remove the key to have the token in `token`")]
    Empty,
    /// `---` between documents.
    #[error("it has several YAML documents; keep one")]
    SeveralDocuments,
    /// A key without a value.
    #[error("{part} has no `{key}`; add it")]
    Missing {
        /// Where.
        part: Part,
        /// Which key.
        key: &'static str,
    },
    /// A name that leads nowhere.
    #[error("{part} is referred to but not there; add it, or correct the reference")]
    Unknown {
        /// What is not there.
        part: Part,
    },
    /// Several entries of one name.
    #[error("{part} is there more than once; keep one")]
    Ambiguous {
        /// What is there too often.
        part: Part,
    },
    /// One key twice in one mapping.
    #[error("{part} has `{key}` twice; keep one")]
    DuplicateKey {
        /// Where.
        part: Part,
        /// Which key.
        key: &'static str,
    },
    /// A value that is not what belongs there.
    #[error("{part} has a `{key}` that is not {expected}; correct it")]
    Type {
        /// Where.
        part: Part,
        /// Which key.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// An alias or a merge key, a key with a tag or one that is no text.
    #[error(
        "{part} has an alias, a merge key, a tag or an unusual key at line {line}; write it out plainly"
    )]
    Indirect {
        /// Where.
        part: Part,
        /// Line, from 1.
        line: usize,
    },
    /// A node which an alias elsewhere repeats.
    #[error(
        "{part} has an anchor at line {line}, so a change could reach other places; remove the anchor and write its aliases out"
    )]
    Shared {
        /// Where.
        part: Part,
        /// Line, from 1.
        line: usize,
    },
    /// A spelling which cannot be replaced safely.
    #[error("{part} has a `{key}` in an unusual form at line {line}; write it as {key}: \"\"")]
    Form {
        /// Where.
        part: Part,
        /// Which key.
        key: &'static str,
        /// Line, from 1.
        line: usize,
    },
    /// The result would not have been what was meant.
    #[error(
        "a change of it would touch more than it should; write its users and clusters in block style, one key a line"
    )]
    Unedited,
    /// A token of characters that no token has. Not the document's fault.
    #[error(
        "the token to be written is empty or not printable ASCII; look at the issuing API server"
    )]
    TokenText,
    /// A CA that is not PEM. Not the document's fault.
    #[error("the CA to be written is not PEM certificates; look at the shoot's connection data")]
    CaText,
    /// An entry that a connection must not have.
    #[error("{part} has `{key}`, which is not followed; {remedy}")]
    Refused {
        /// Where.
        part: Part,
        /// Which key.
        key: &'static str,
        /// What to do.
        remedy: &'static str,
    },
}

/// Part of a kubeconfig, with the name cut and cleaned for a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The top level.
    Document,
    /// An entry of `contexts`.
    Context(String),
    /// An entry of `clusters`.
    Cluster(String),
    /// An entry of `users`.
    User(String),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document => f.write_str("the top level"),
            Self::Context(name) => write!(f, "context \"{name}\""),
            Self::Cluster(name) => write!(f, "cluster \"{name}\""),
            Self::User(name) => write!(f, "user \"{name}\""),
        }
    }
}
