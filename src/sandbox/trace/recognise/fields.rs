//! Small maps as bytes: the payloads and metadata that the recogniser composes itself.

use crate::codec::walk::RawTerm;
use crate::codec::write;
use crate::model::{Actor, ActorId, Atom};

/// A map under construction: atom keys, in the order of the calls.
#[derive(Default)]
pub(super) struct Fields {
    n_entries: usize,
    entries: Vec<u8>,
}

impl Fields {
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        self.n_entries += 1;
        write::atom_text(&mut self.entries, key);
        &mut self.entries
    }

    pub fn atom(&mut self, key: &str, value: Atom) {
        write::atom(self.key(key), value);
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

    /// The map with its version byte; nothing at all when it has no entries.
    pub fn finish(self) -> Vec<u8> {
        if self.n_entries == 0 {
            return Vec::new();
        }
        let mut out = Vec::with_capacity(self.entries.len() + 6);
        write::version(&mut out);
        write::map_header(&mut out, self.n_entries);
        out.extend_from_slice(&self.entries);
        out
    }
}
