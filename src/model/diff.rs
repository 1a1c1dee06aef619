//! What changed between two terms, as paths: `balance`, `orders[3].qty`.
//!
//! Lists are compared after their common beginning and end, so that an item put in front is one
//! change and not one per item. It must not know where the terms come from.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::atom::Atom;
use super::display::{Style, Syntax};
use super::limits;
use super::parse::{self, ParseError};
use super::term::{List, Map, Term};

/// One step into a term.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Step {
    /// The value at a map's key: `.name`, or `{Key}` for a key that is no atom.
    Key(Term),
    /// An element of a tuple or an item of a list, from 0: `[3]`.
    Index(usize),
}

/// A place inside a term; no steps mean the term itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Path {
    pub steps: Vec<Step>,
}

/// One place that differs.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// List positions are those of the new list, or of the old one for what is gone.
    pub path: Path,
    /// `None`: the place is new.
    pub before: Option<Term>,
    /// `None`: the place is gone.
    pub after: Option<Term>,
}

/// The smallest places that differ, in order of the terms' own order; empty for equal terms
/// (`=:=`). At most [`limits::DIFF_CHANGES_MAX`], after which one change at the root stands for
/// them all. Linear in the size of both terms; what they share costs nothing.
pub fn diff(before: &Term, after: &Term) -> Vec<Change> {
    let mut differ = Differ { path: Path::default(), changes: Vec::new() };
    differ.compare(before, after);
    if differ.changes.len() > limits::DIFF_CHANGES_MAX {
        let path = Path::default();
        return vec![Change { path, before: Some(before.clone()), after: Some(after.clone()) }];
    }
    differ.changes
}

struct Differ {
    path: Path,
    changes: Vec<Change>,
}

impl Differ {
    fn push(&mut self, before: Option<&Term>, after: Option<&Term>) {
        // One more than allowed is kept, as the sign that there were too many.
        if self.changes.len() <= limits::DIFF_CHANGES_MAX {
            let path = self.path.clone();
            self.changes.push(Change { path, before: before.cloned(), after: after.cloned() });
        }
    }

    fn push_at(&mut self, step: Step, before: Option<&Term>, after: Option<&Term>) {
        self.path.steps.push(step);
        self.push(before, after);
        self.path.steps.pop();
    }

    fn compare_at(&mut self, step: Step, before: &Term, after: &Term) {
        self.path.steps.push(step);
        self.compare(before, after);
        self.path.steps.pop();
    }

    fn compare(&mut self, before: &Term, after: &Term) {
        match (before, after) {
            (Term::Tuple(a), Term::Tuple(b)) if Arc::ptr_eq(a, b) => {}
            (Term::List(a), Term::List(b)) if Arc::ptr_eq(a, b) => {}
            (Term::Map(a), Term::Map(b)) if Arc::ptr_eq(a, b) => {}
            (Term::Tuple(a), Term::Tuple(b)) if a.len() == b.len() => {
                for (idx, (a, b)) in a.iter().zip(b.iter()).enumerate() {
                    self.compare_at(Step::Index(idx), a, b);
                }
            }
            (Term::Map(a), Term::Map(b)) => self.maps(a, b),
            (Term::List(a), Term::List(b)) if a.tail == b.tail => self.lists(a, b),
            (Term::Nil, Term::List(b)) if b.tail == Term::Nil => self.items(&[], &b.items, 0),
            (Term::List(a), Term::Nil) if a.tail == Term::Nil => self.items(&a.items, &[], 0),
            _ if before == after => {}
            _ => self.push(Some(before), Some(after)),
        }
    }

    fn maps(&mut self, before: &Map, after: &Map) {
        let (mut a, mut b) = (before.entries().iter().peekable(), after.entries().iter().peekable());
        loop {
            let order = match (a.peek(), b.peek()) {
                (None, None) => return,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(x), Some(y)) => x.0.cmp(&y.0),
            };
            let (old, new) = (a.next_if(|_| order.is_le()), b.next_if(|_| order.is_ge()));
            match (old, new) {
                (Some((key, old)), Some((_, new))) => self.compare_at(Step::Key(key.clone()), old, new),
                (Some((key, old)), None) => self.push_at(Step::Key(key.clone()), Some(old), None),
                (None, Some((key, new))) => self.push_at(Step::Key(key.clone()), None, Some(new)),
                (None, None) => unreachable!("one of both sides has the smaller key"),
            }
        }
    }

    fn lists(&mut self, before: &List, after: &List) {
        let (a, b) = (&before.items, &after.items);
        let n_same_first = a.iter().zip(b).take_while(|(x, y)| x == y).count();
        let (a, b) = (&a[n_same_first..], &b[n_same_first..]);
        let n_same_last = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
        self.items(&a[..a.len() - n_same_last], &b[..b.len() - n_same_last], n_same_first);
    }

    /// The differing middle of two lists, which begins at `first` in both.
    fn items(&mut self, before: &[Term], after: &[Term], first: usize) {
        let n_paired = before.len().min(after.len());
        for idx in 0..n_paired {
            self.compare_at(Step::Index(first + idx), &before[idx], &after[idx]);
        }
        let rest = |items: &[Term]| -> Range<usize> { n_paired..items.len() };
        for idx in rest(before) {
            self.push_at(Step::Index(first + idx), Some(&before[idx]), None);
        }
        for idx in rest(after) {
            self.push_at(Step::Index(first + idx), None, Some(&after[idx]));
        }
    }
}

impl Path {
    /// The term at this place of `term`.
    pub fn get<'t>(&self, term: &'t Term) -> Option<&'t Term> {
        self.steps.iter().try_fold(term, |term, step| match (step, term) {
            (Step::Key(key), Term::Map(map)) => map.get(key),
            (Step::Index(idx), Term::Tuple(items)) => items.get(*idx),
            (Step::Index(idx), Term::List(list)) => list.items.get(*idx),
            _ => None,
        })
    }

    /// Whether `other` lies at or inside this place.
    pub fn contains(&self, other: &Path) -> bool {
        other.steps.starts_with(&self.steps)
    }

    /// Parses what [`Path`] prints: `orders[3].qty`, `prices{<<"eur">>}`, `.'Odd key'`; an empty text is the root.
    pub fn parse(text: &str) -> Result<Path, ParseError> {
        let mut steps = Vec::new();
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            at = match c {
                '[' => {
                    let n_digits = text[at + 1..].find(']').ok_or(ParseError::at(text, at, "no ] after ["))?;
                    let number = &text[at + 1..at + 1 + n_digits];
                    let idx = number.trim().parse().map_err(|_| ParseError::at(text, at + 1, "expected a position"))?;
                    steps.push(Step::Index(idx));
                    at + n_digits + 2
                }
                '{' => {
                    let (key, end) = parse::parse_prefix(text, at + 1, Syntax::Erlang)?;
                    if !text[end..].starts_with('}') {
                        return Err(ParseError::at(text, end, "expected } after the key"));
                    }
                    steps.push(Step::Key(key));
                    end + 1
                }
                _ => {
                    let start = if c == '.' { at + 1 } else { at };
                    if c != '.' && at > 0 {
                        return Err(ParseError::at(text, at, "expected . or [ or {"));
                    }
                    let (key, end) = key_name(text, start)?;
                    steps.push(Step::Key(Term::Atom(key)));
                    end
                }
            };
        }
        Ok(Path { steps })
    }
}

/// An atom key at `start`: a word of any case, or an atom in quotes.
fn key_name(text: &str, start: usize) -> Result<(Atom, usize), ParseError> {
    if text[start..].starts_with('\'') {
        let (key, end) = parse::parse_prefix(text, start, Syntax::Erlang)?;
        let key = key.as_atom().ok_or(ParseError::at(text, start, "expected a field name"))?;
        return Ok((key, end));
    }
    let n_bytes = text[start..].find(['.', '[', '{']).unwrap_or(text.len() - start);
    let word = &text[start..start + n_bytes];
    if !is_plain_key(word) {
        return Err(ParseError::at(text, start, "expected a field name"));
    }
    let key = Atom::try_new(word).map_err(|error| ParseError::at(text, start, error.to_string()))?;
    Ok((key, start + n_bytes))
}

/// Whether a field name needs no quotes in a path.
fn is_plain_key(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '@' | '?' | '!' | '$'))
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.steps.iter().enumerate() {
            match step {
                Step::Index(idx) => write!(f, "[{idx}]")?,
                Step::Key(Term::Atom(key)) => {
                    let dot = if position > 0 { "." } else { "" };
                    let word = key.as_str();
                    if is_plain_key(word) {
                        write!(f, "{dot}{word}")?;
                    } else {
                        write!(f, "{dot}{}", super::quote::quoted(word, '\'', Syntax::Erlang))?;
                    }
                }
                Step::Key(key) => write!(f, "{{{}}}", key.display(Style::erlang()))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
