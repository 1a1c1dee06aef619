//! Identities of the BEAM: pids, ports and references, with the node incarnation they belong to.
//! Printing lives in `display`.

use std::sync::{Mutex, OnceLock, PoisonError};

use super::atom::Atom;

/// A node incarnation (name and creation), interned: nodes are few and pids are many.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Origin(u32);

/// What an [`Origin`] stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId {
    pub node: Atom,
    pub creation: u32,
}

/// Node incarnations that are interned; only damaged bytes name more.
const ORIGINS_MAX: usize = 1 << 16;

/// The incarnations in the order in which they came, read without a lock: pids are hashed, compared and looked up by their
/// node everywhere. The first is the local one, there when it is asked for.
static ORIGINS: [OnceLock<NodeId>; ORIGINS_MAX] = [const { OnceLock::new() }; ORIGINS_MAX];

/// Held by who adds one.
static ADDING: Mutex<()> = Mutex::new(());

impl Origin {
    /// `nonode@nohost`, creation 0: the node of every sim unless a script names another.
    pub const LOCAL: Origin = Origin(0);

    /// Interns a node incarnation. `None` when 65 536 are known already: only damaged bytes name so many.
    pub fn intern(node: Atom, creation: u32) -> Option<Origin> {
        let wanted = NodeId { node, creation };
        Origin::LOCAL.id();
        // It is there, or the first place is free.
        let find = || ORIGINS.iter().position(|id| id.get().is_none_or(|id| *id == wanted));
        let mut idx = find()?;
        if ORIGINS[idx].get().is_none() {
            let _adding = ADDING.lock().unwrap_or_else(PoisonError::into_inner);
            idx = find()?;
            ORIGINS[idx].get_or_init(|| wanted);
        }
        Some(Origin(idx as u32))
    }

    /// The node name and creation.
    pub fn id(self) -> NodeId {
        let local = || NodeId { node: Atom::new("nonode@nohost"), creation: 0 };
        *ORIGINS[self.0 as usize].get_or_init(local)
    }
}
impl PartialOrd for Origin {
    fn partial_cmp(&self, other: &Origin) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Origin {
    fn cmp(&self, other: &Origin) -> std::cmp::Ordering {
        if self == other { std::cmp::Ordering::Equal } else { self.id().cmp(&other.id()) }
    }
}

/// A process identifier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pid {
    pub serial: u32,
    pub id: u32,
    pub origin: Origin,
}

/// A port identifier; the 64-bit number is split so that a term stays 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Port {
    pub id_high: u32,
    pub id_low: u32,
    pub origin: Origin,
}

/// A reference: one to five words, the first the least significant, as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Reference {
    pub origin: Origin,
    pub n_words: u8,
    pub words: [u32; 5],
}

impl Pid {
    /// `<0.id.0>` of the sim's local node.
    pub fn local(id: u32) -> Pid {
        Pid { serial: 0, id, origin: Origin::LOCAL }
    }
}

impl Port {
    pub fn id(self) -> u64 {
        u64::from(self.id_high) << 32 | u64::from(self.id_low)
    }
}

impl Reference {
    /// The words in use.
    pub fn words(&self) -> &[u32] {
        &self.words[..usize::from(self.n_words).min(5)]
    }
    /// A number by which the two ends of a call find each other; equal references have equal keys.
    /// Never 0, which in the store means "no reference".
    pub fn key(&self) -> u64 {
        let w = &self.words;
        let mix = |h: u64, x: u32| (h ^ u64::from(x)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        let creation = self.origin.id().creation;
        w.iter().fold(u64::from(creation), |h, &x| mix(h, x)).max(1)
    }
}
