//! Posting lists of one segment in compressed sparse row form: for each local actor the ascending
//! indexes of the events in which it is the process, and of those in which it is the peer.

use std::borrow::Cow;

use super::columns::Columns;

/// Which column a posting list indexes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Process,
    Peer,
}

/// Starts (`n_actors + 1`) and lists of a column. `locals` gives the local actor of each event, if any.
/// Two passes: count, then place.
pub fn build(locals: impl Iterator<Item = Option<u16>> + Clone, n_actors: usize) -> (Vec<[u8; 4]>, Vec<[u8; 2]>) {
    let mut places = vec![0u32; n_actors + 1];
    for local in locals.clone().flatten() {
        places[usize::from(local) + 1] += 1;
    }
    for idx in 1..places.len() {
        places[idx] += places[idx - 1];
    }
    let starts = places.iter().map(|place| place.to_le_bytes()).collect();
    let mut list = vec![[0; 2]; places.last().map_or(0, |n| *n as usize)];
    for (idx, local) in (0u16..=u16::MAX).zip(locals) {
        if let Some(local) = local {
            let place = &mut places[usize::from(local)];
            list[*place as usize] = idx.to_le_bytes();
            *place += 1;
        }
    }
    (starts, list)
}

impl<'a> Columns<'a> {
    /// The posting list of a local actor; only in sealed segments.
    pub fn postings(&self, role: Role, local: u16) -> &'a [[u8; 2]] {
        let (starts, list) = match role {
            Role::Process => (self.process_starts, self.process_list),
            Role::Peer => (self.peer_starts, self.peer_list),
        };
        let place = |idx: usize| starts.get(idx).map_or(0, |start| u32::from_le_bytes(*start) as usize);
        list.get(place(usize::from(local))..place(usize::from(local) + 1)).unwrap_or_default()
    }

    /// Event indexes in which any of `locals` has any of `roles`, ascending, each once.
    pub fn union(&self, roles: &[Role], locals: &[u16]) -> Cow<'a, [[u8; 2]]> {
        if let ([role], [local]) = (roles, locals) {
            return Cow::Borrowed(self.postings(*role, *local));
        }
        let lists = roles.iter().flat_map(|role| locals.iter().map(|local| self.postings(*role, *local)));
        let mut indexes: Vec<[u8; 2]> = lists.flatten().copied().collect();
        indexes.sort_unstable_by_key(|idx| u16::from_le_bytes(*idx));
        indexes.dedup();
        Cow::Owned(indexes)
    }
}
