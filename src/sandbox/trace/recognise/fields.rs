//! Small maps as bytes: the payloads and metadata that the recogniser composes itself.

use crate::codec::walk::RawTerm;
use crate::codec::write;
use crate::model::{Actor, ActorId, Atom, Term};
use crate::sandbox::trace::look::Function;

/// A map under construction: entries in the order of the calls.
#[derive(Default)]
pub(super) struct Fields {
    n_entries: u32,
    /// Version byte, map header, entries; nothing at all before the first entry.
    bytes: Vec<u8>,
}

/// What most maps take.
const USUAL_BYTES: usize = 96;
/// The version byte and the map's tag come before its number of entries.
const COUNT_AT: usize = 2;

impl Fields {
    /// The entries of a map that is there already, its bytes as [`Fields::finish`] gives them, and those to come.
    pub fn on(map: &[u8]) -> Fields {
        let n_entries = map.get(COUNT_AT..COUNT_AT + 4).and_then(|n| n.try_into().ok()).map_or(0, u32::from_be_bytes);
        Fields { n_entries, bytes: map.to_vec() }
    }

    fn next(&mut self) -> &mut Vec<u8> {
        if self.bytes.is_empty() {
            self.bytes.reserve(USUAL_BYTES);
            write::version(&mut self.bytes);
            write::map_header(&mut self.bytes, 0);
        }
        self.n_entries += 1;
        self.bytes[COUNT_AT..COUNT_AT + 4].copy_from_slice(&self.n_entries.to_be_bytes());
        &mut self.bytes
    }

    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        let out = self.next();
        write::atom_text(out, key);
        out
    }

    pub fn atom(&mut self, key: &str, value: Atom) {
        write::atom(self.key(key), value);
    }
    /// An atom that the program itself writes, not interned.
    pub fn word(&mut self, key: &str, value: &str) {
        write::atom_text(self.key(key), value);
    }
    pub fn int(&mut self, key: &str, value: i64) {
        write::int(self.key(key), value);
    }
    pub fn actor(&mut self, key: &str, value: Actor) {
        let out = self.key(key);
        match value.id {
            ActorId::Pid(pid) => write::pid(out, pid),
            ActorId::Port(port) => write::port(out, port),
        }
    }
    pub fn term(&mut self, key: &str, value: RawTerm<'_>) {
        self.bytes(key, value.bytes());
    }
    /// A term's bytes without version byte.
    pub fn bytes(&mut self, key: &str, value: &[u8]) {
        self.key(key).extend_from_slice(value);
    }
    pub fn value(&mut self, key: &str, value: &Term) {
        write::term(self.key(key), value);
    }
    /// The proper list `rest` with `first` in front.
    pub fn list(&mut self, key: &str, first: RawTerm<'_>, rest: RawTerm<'_>) {
        let items = rest.list();
        let out = self.key(key);
        write::list_header(out, 1 + items.as_ref().map_or(0, ExactSizeIterator::len));
        out.extend_from_slice(first.bytes());
        items.into_iter().flatten().for_each(|item| out.extend_from_slice(item.bytes()));
        write::nil(out);
    }
    /// `{Module, Name, Arity}`.
    pub fn function(&mut self, key: &str, value: Function) {
        let out = self.key(key);
        write::tuple_header(out, 3);
        write::atom(out, value.module);
        write::atom(out, value.name);
        write::int(out, i64::from(value.arity));
    }
    /// An entry whose key may be any term.
    pub fn entry(&mut self, key: RawTerm<'_>, value: RawTerm<'_>) {
        let out = self.next();
        out.extend_from_slice(key.bytes());
        out.extend_from_slice(value.bytes());
    }

    pub fn is_empty(&self) -> bool {
        self.n_entries == 0
    }

    /// The map without version byte; nothing at all when it has no entries.
    pub fn bare(&self) -> &[u8] {
        self.bytes.get(1..).unwrap_or_default()
    }

    /// The map with its version byte; nothing at all when it has no entries.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}
