//! Interned atoms: one word wide, compared and ordered by their text.
//!
//! The table only grows, as the BEAM's does, and has the BEAM's own limit
//! ([`limits::ATOMS_MAX`]). It must not know how atoms are printed.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{LazyLock, RwLock};

use rustc_hash::FxHashSet;

use super::limits;

/// An atom. `Copy`, equal by identity, ordered by its text.
#[derive(Clone, Copy)]
#[expect(clippy::borrowed_box, reason = "a thin pointer keeps a term at 16 bytes")]
pub struct Atom(&'static Box<str>);

static TABLE: LazyLock<RwLock<FxHashSet<Entry>>> = LazyLock::new(Default::default);

/// A table slot that is found by its text.
#[derive(Clone, Copy)]
#[expect(clippy::borrowed_box, reason = "as Atom")]
struct Entry(&'static Box<str>);

impl std::borrow::Borrow<[u8]> for Entry {
    fn borrow(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Entry {}
impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_bytes().hash(state);
    }
}

/// Says why a text is not an atom.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AtomError {
    #[error("an atom has at most 255 characters, this one has {n_chars}")]
    TooLong { n_chars: usize },
    #[error("the atom table is full ({max} atoms: limit ATOMS_MAX)")]
    TableFull { max: usize },
}

impl Atom {
    /// Interns `text`. Use it for names that the program itself writes; text from
    /// outside goes through [`Atom::try_new`].
    ///
    /// # Panics
    /// When `text` is longer than 255 characters or the atom table is full.
    pub fn new(text: &str) -> Atom {
        Atom::try_new(text).expect("a literal atom is short and the table has room")
    }

    /// Interns text that came from outside. Costs one hash look-up.
    pub fn try_new(text: &str) -> Result<Atom, AtomError> {
        if let Some(found) = Atom::find(text.as_bytes()) {
            return Ok(found);
        }
        if text.len() > 255 {
            let n_chars = text.chars().count();
            if n_chars > 255 {
                return Err(AtomError::TooLong { n_chars });
            }
        }
        let mut table = TABLE.write().expect("no panic holds the atom table");
        if let Some(found) = table.get(text.as_bytes()) {
            return Ok(Atom(found.0));
        }
        if table.len() >= limits::ATOMS_MAX {
            return Err(AtomError::TableFull { max: limits::ATOMS_MAX });
        }
        let entry = Entry(Box::leak(Box::new(Box::from(text))));
        table.insert(entry);
        Ok(Atom(entry.0))
    }

    /// The atom whose text is `utf8`, if there is one already. Costs one hash look-up.
    pub fn find(utf8: &[u8]) -> Option<Atom> {
        TABLE.read().expect("no panic holds the atom table").get(utf8).map(|found| Atom(found.0))
    }

    /// The Elixir module that its text is the name of as Elixir writes it: `Elixir.Orders.Cart` of `Orders.Cart`.
    pub fn elixir_module(self) -> Option<Atom> {
        let text = self.as_str();
        let is_alias = text.starts_with(|c: char| c.is_ascii_uppercase()) && !text.starts_with("Elixir.");
        is_alias.then(|| Atom::try_new(&format!("Elixir.{text}")).ok()).flatten()
    }

    /// The text of the atom, without quotes.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl PartialEq for Atom {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}
impl Eq for Atom {}
impl PartialEq<str> for Atom {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}
impl PartialEq<&str> for Atom {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}
impl Hash for Atom {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (std::ptr::from_ref(self.0) as usize).hash(state);
    }
}
impl PartialOrd for Atom {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Atom {
    fn cmp(&self, other: &Self) -> Ordering {
        if self == other { Ordering::Equal } else { self.as_str().cmp(other.as_str()) }
    }
}
impl fmt::Debug for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
/// As its text.
impl serde::Serialize for Atom {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
impl From<&str> for Atom {
    fn from(text: &str) -> Atom {
        Atom::new(text)
    }
}
