//! From a text to what it demands, word by word as apimachinery does it: `in` and `notin` are operators
//! where one may stand and names elsewhere, `a=` demands the empty value, and both `()` and `(a,,b)` have
//! an empty one.

use std::{collections::BTreeSet, iter::Peekable, vec};

use super::{Demand, Requirement, SelectorError};
use crate::{inputs::is_label_value, quote::cut};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word<'a> {
    Name(&'a str),
    Not,
    Equal,
    NotEqual,
    Above,
    Below,
    Open,
    Close,
    Comma,
}

/// Signs, the longer ones first: what is read is the longest that fits.
const SIGNS: [(&str, Word<'static>); 9] = [
    ("==", Word::Equal),
    ("!=", Word::NotEqual),
    ("=", Word::Equal),
    ("!", Word::Not),
    (">", Word::Above),
    ("<", Word::Below),
    ("(", Word::Open),
    (")", Word::Close),
    (",", Word::Comma),
];

pub(super) fn requirements(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let mut words = Words(words(text).into_iter().peekable());
    let mut all = Vec::new();
    while words.0.peek().is_some() {
        all.push(words.requirement()?);
        match words.0.next() {
            None => break,
            Some(Word::Comma) if words.0.peek().is_some() => {}
            Some(Word::Comma) => return Err(unexpected(None, "a label")),
            other => return Err(unexpected(other, "a comma or the end")),
        }
    }
    Ok(all)
}

fn words(mut text: &str) -> Vec<Word<'_>> {
    const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
    let ends_name = |c: char| SPACE.contains(&c) || "=!(),><".contains(c);
    let mut words = Vec::new();
    loop {
        text = text.trim_start_matches(SPACE);
        if text.is_empty() {
            return words;
        }
        if let Some((sign, word)) = SIGNS.iter().find(|(sign, _)| text.starts_with(sign)) {
            words.push(*word);
            text = &text[sign.len()..];
        } else {
            let (name, rest) = text.split_at(text.find(ends_name).unwrap_or(text.len()));
            words.push(Word::Name(name));
            text = rest;
        }
    }
}

struct Words<'a>(Peekable<vec::IntoIter<Word<'a>>>);

impl<'a> Words<'a> {
    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let is_absent = self.0.next_if_eq(&Word::Not).is_some();
        let key = self.name("a label")?;
        let is_bare = self.0.peek().is_none_or(|next| *next == Word::Comma);
        let demand = match (is_absent, is_bare) {
            (true, _) => Demand::Absent,
            (false, true) => Demand::Exists,
            (false, false) => self.demand()?,
        };
        Requirement::new(key, demand)
    }

    fn demand(&mut self) -> Result<Demand, SelectorError> {
        let one = |value: &str| BTreeSet::from([value.to_owned()]);
        match self.0.next() {
            Some(Word::Equal) => Ok(Demand::In(one(self.value()?))),
            Some(Word::NotEqual) => Ok(Demand::NotIn(one(self.value()?))),
            Some(Word::Above) => Ok(Demand::Above(number(self.value()?)?)),
            Some(Word::Below) => Ok(Demand::Below(number(self.value()?)?)),
            Some(Word::Name("in")) => Ok(Demand::In(self.values()?)),
            Some(Word::Name("notin")) => Ok(Demand::NotIn(self.values()?)),
            other => Err(unexpected(other, "=, ==, !=, in, notin, < or >")),
        }
    }

    fn name(&mut self, expected: &'static str) -> Result<&'a str, SelectorError> {
        match self.0.next() {
            Some(Word::Name(name)) => Ok(name),
            other => Err(unexpected(other, expected)),
        }
    }

    fn value(&mut self) -> Result<&'a str, SelectorError> {
        match self.0.peek() {
            None | Some(Word::Comma) => Ok(""),
            Some(_) => self.name("a value"),
        }
    }

    fn values(&mut self) -> Result<BTreeSet<String>, SelectorError> {
        match self.0.next() {
            Some(Word::Open) => {}
            other => return Err(unexpected(other, "(")),
        }
        let mut values = BTreeSet::new();
        loop {
            let name = self.0.next_if(|word| matches!(word, Word::Name(_)));
            values.insert(match name {
                Some(Word::Name(name)) => name.to_owned(),
                _ => String::new(),
            });
            match self.0.next() {
                Some(Word::Comma) => {}
                Some(Word::Close) => return Ok(values),
                other => return Err(unexpected(other, "a comma or )")),
            }
        }
    }
}

/// As apimachinery reads it: it is a value too, so it has no sign.
fn number(text: &str) -> Result<i64, SelectorError> {
    if !is_label_value(text) {
        return Err(SelectorError::Value(cut(text)));
    }
    text.parse().map_err(|_| SelectorError::Number(cut(text)))
}

fn unexpected(found: Option<Word<'_>>, expected: &'static str) -> SelectorError {
    let found = match found {
        None => "the end".to_owned(),
        Some(Word::Name(name)) => format!("\"{}\"", cut(name)),
        Some(word) => {
            let sign = SIGNS.iter().find(|(_, known)| *known == word);
            format!("\"{}\"", sign.map_or("", |(sign, _)| sign))
        }
    };
    SelectorError::Syntax { found, expected }
}
