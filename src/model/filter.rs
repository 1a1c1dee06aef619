//! Filters over events as plain data: a conjunction that the store pushes down to its columns.
//! It must not know how a store evaluates it.

use std::ops::Range;

use super::atom::Atom;
use super::event::{Actor, CallKey, Class, Event, Kind, Seq};

/// A conjunction of conditions; an empty list or `None` means "any".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Seqs in ascending, disjoint ranges; empty = the whole recording. A branch is such a list.
    pub ranges: Vec<Range<u64>>,
    /// Nanoseconds, half open.
    pub time_ns: Option<Range<i64>>,
    pub kinds: Vec<Kind>,
    pub classes: Vec<Class>,
    /// Events in which one of these is `process`.
    pub processes: Vec<Actor>,
    /// Events in which one of these is `peer`.
    pub peers: Vec<Actor>,
    /// Events in which one of these is `process` or `peer`.
    pub involved: Vec<Actor>,
    pub tags: Vec<Atom>,
    pub call: Option<CallKey>,
    pub cause: Option<Seq>,
    pub size_bytes_min: Option<u32>,
}

impl Filter {
    pub fn kind(kind: Kind) -> Filter {
        Filter { kinds: vec![kind], ..Filter::default() }
    }
    pub fn kinds(kinds: &[Kind]) -> Filter {
        Filter { kinds: kinds.to_vec(), ..Filter::default() }
    }
    /// Narrows to events whose `process` is `actor`.
    pub fn process(mut self, actor: Actor) -> Filter {
        self.processes.push(actor);
        self
    }
    /// Narrows to seqs of `range`.
    pub fn range(mut self, range: Range<u64>) -> Filter {
        self.ranges = vec![range];
        self
    }

    /// Whether `event` satisfies every condition: the definition that any store must agree with.
    pub fn matches(&self, event: &Event) -> bool {
        let any = |wanted: &[Actor], has: Option<Actor>| has.is_some_and(|actor| wanted.contains(&actor));
        (self.ranges.is_empty() || self.ranges.iter().any(|r| r.contains(&event.seq.0)))
            && self.time_ns.as_ref().is_none_or(|r| r.contains(&event.at_ns))
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && (self.classes.is_empty() || self.classes.contains(&event.class))
            && (self.processes.is_empty() || self.processes.contains(&event.process))
            && (self.peers.is_empty() || any(&self.peers, event.peer))
            && (self.involved.is_empty() || self.involved.contains(&event.process) || any(&self.involved, event.peer))
            && (self.tags.is_empty() || event.tag.is_some_and(|tag| self.tags.contains(&tag)))
            && self.call.is_none_or(|call| event.call == Some(call))
            && self.cause.is_none_or(|cause| event.cause == Some(cause))
            && self.size_bytes_min.is_none_or(|min| event.size_bytes >= min)
    }
}
