//! The breakpoints that are set, indexed by the kinds of event they can hit, so that all other
//! events cost a bit test. It must not know what a hit does.

use std::ops::Range;

use super::{Action, Candidate, Condition, Hit, Roster, Search};
use crate::model::{Event, Failure, FailureKind, Kind, Outcome, Seq, limits};
use crate::store::Recording;

/// The identity of a breakpoint in its table, from 1; never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
pub struct BreakpointId(pub u32);

/// A condition with its action.
#[derive(Clone, Debug)]
pub struct Breakpoint {
    pub id: BreakpointId,
    pub name: String,
    pub condition: Condition,
    pub action: Action,
    pub is_enabled: bool,
    /// Removed by its first hit.
    pub is_temporary: bool,
    pub n_hits: u64,
    /// The first [`limits::HITS_KEPT_MAX`] hits.
    pub hits: Vec<Seq>,
    /// Why its condition failed, which disabled it.
    pub failure: Option<Failure>,
    /// Whether its condition is tested inside the observed processes, which are held there: then the stream of
    /// events does not test it again, but tells of the held ones.
    pub is_on_site: bool,
}

/// All breakpoints of a session.
#[derive(Clone, Debug, Default)]
pub struct Table {
    breakpoints: Vec<Breakpoint>,
    n_ever: u32,
    /// Positions in `breakpoints` of the enabled ones, by kind.
    by_kind: Vec<Vec<u16>>,
    /// Bit k: `by_kind[k]` is not empty.
    watched: u64,
    roster: Roster,
}

/// Bits of `watched`; every kind's byte is smaller.
const N_KINDS: usize = 64;
const _: () = assert!(limits::BREAKPOINTS_MAX <= u16::MAX as usize);

impl Table {
    pub fn new() -> Table {
        Table::default()
    }

    /// Sets a breakpoint; an empty `name` becomes `bN`. Errors: the name is taken, or there are
    /// [`limits::BREAKPOINTS_MAX`] already.
    pub fn add(
        &mut self,
        name: &str,
        condition: Condition,
        action: Action,
        is_temporary: bool,
    ) -> Outcome<BreakpointId> {
        if self.breakpoints.len() >= limits::BREAKPOINTS_MAX {
            let text = limits::tripped("BREAKPOINTS_MAX", limits::BREAKPOINTS_MAX, "remove some breakpoints");
            return Err(Failure::new(FailureKind::Limit, text).hint("remove_breakpoint(id)"));
        }
        if let Some(other) = self.breakpoints.iter().find(|b| b.name == name) {
            return Err(Failure::usage(format!("breakpoint {} has the name {name:?} already", other.id.0)));
        }
        self.n_ever += 1;
        let id = BreakpointId(self.n_ever);
        let name = if name.is_empty() { format!("b{}", id.0) } else { name.to_string() };
        self.breakpoints.push(Breakpoint {
            id,
            name,
            condition,
            action,
            is_enabled: true,
            is_temporary,
            n_hits: 0,
            hits: Vec::new(),
            failure: None,
            is_on_site: false,
        });
        self.index();
        Ok(id)
    }

    /// All breakpoints in the order of their ids.
    pub fn list(&self) -> &[Breakpoint] {
        &self.breakpoints
    }

    pub fn get(&self, id: BreakpointId) -> Outcome<&Breakpoint> {
        Ok(&self.breakpoints[self.position(id)?])
    }

    /// Enables or disables. Enabling forgets an earlier failure.
    pub fn enable(&mut self, id: BreakpointId, is_enabled: bool) -> Outcome<()> {
        let position = self.position(id)?;
        let breakpoint = &mut self.breakpoints[position];
        breakpoint.is_enabled = is_enabled;
        breakpoint.failure = None;
        self.index();
        Ok(())
    }

    /// Has the condition tested inside the observed processes, or not any more.
    pub fn set_on_site(&mut self, id: BreakpointId, is_on_site: bool) -> Outcome<()> {
        let position = self.position(id)?;
        self.breakpoints[position].is_on_site = is_on_site;
        self.index();
        Ok(())
    }

    /// Counts the hit of a breakpoint whose condition was tested on site: `event` tells that a process is held.
    /// `None` when no enabled breakpoint has that name.
    pub fn hit_on_site(&mut self, name: &str, event: Event) -> Option<Hit> {
        let found = self.breakpoints.iter_mut().find(|b| b.name == name && b.is_on_site && b.is_enabled)?;
        Some(found.hit(event))
    }

    pub fn remove(&mut self, id: BreakpointId) -> Outcome<Breakpoint> {
        let position = self.position(id)?;
        let removed = self.breakpoints.remove(position);
        self.index();
        Ok(removed)
    }

    pub fn clear(&mut self) {
        self.breakpoints.clear();
        self.index();
    }

    fn position(&self, id: BreakpointId) -> Outcome<usize> {
        self.breakpoints
            .iter()
            .position(|b| b.id == id)
            .ok_or_else(|| Failure::not_found(format!("no breakpoint {}", id.0)).hint("breakpoints() lists them"))
    }

    fn index(&mut self) {
        self.by_kind = vec![Vec::new(); N_KINDS];
        for (position, breakpoint) in self.breakpoints.iter().enumerate().filter(|(_, b)| b.is_enabled && !b.is_on_site)
        {
            let kinds = breakpoint.condition.kinds();
            let kinds = if kinds.is_empty() { Kind::ALL } else { &kinds };
            for kind in kinds {
                self.by_kind[*kind as usize].push(position as u16);
            }
        }
        let is_used = |kind: &usize| !self.by_kind[*kind].is_empty();
        self.watched = (0..N_KINDS).filter(is_used).fold(0, |bits, kind| bits | 1 << kind);
    }

    /// Whether an event of `kind` can hit anything. One bit test.
    #[inline]
    pub fn is_watching(&self, kind: Kind) -> bool {
        self.watched >> (kind as u32) & 1 == 1
    }

    /// The hits of an event that is about to happen, counted; none for most. A condition that fails is
    /// disabled with its [`Breakpoint::failure`]; such breakpoints are in the second value.
    ///
    /// Ask once per event: an event that was refused and comes again is not asked again.
    pub fn check(&mut self, candidate: &Candidate<'_>) -> (Vec<Hit>, Vec<BreakpointId>) {
        let (mut hits, mut failed) = (Vec::new(), Vec::new());
        if !self.is_watching(candidate.event.kind) {
            return (hits, failed);
        }
        for &position in &self.by_kind[candidate.event.kind as usize] {
            let breakpoint = &mut self.breakpoints[usize::from(position)];
            match breakpoint.condition.holds(candidate, &self.roster) {
                Ok(false) => {}
                Ok(true) => hits.push(breakpoint.hit(candidate.event)),
                Err(failure) => {
                    breakpoint.is_enabled = false;
                    breakpoint.failure = Some(failure);
                    failed.push(breakpoint.id);
                }
            }
        }
        let n_before = self.breakpoints.len();
        self.breakpoints.retain(|b| !(b.is_temporary && hits.iter().any(|hit| hit.breakpoint == b.id)));
        if self.breakpoints.len() < n_before || !failed.is_empty() {
            self.index();
        }
        (hits, failed)
    }

    /// Takes note of an event that has happened, for names and modules. A few nanoseconds for most kinds.
    #[inline]
    pub fn observe(&mut self, event: &Event) {
        self.roster.observe(event);
    }

    /// Takes note of a whole past at once: after opening a recording or beginning a branch.
    pub fn follow(&mut self, recording: &Recording) {
        self.roster = Roster::of(recording, &recording.lineage(recording.current_branch()));
    }

    /// The nearest event of `line` after `at` that hits an enabled, stopping breakpoint, with all of
    /// those it hits. Errors: a script's.
    pub fn next_hit(&self, past: Past<'_>, at: Option<Seq>) -> Outcome<Option<(Event, Vec<BreakpointId>)>> {
        self.nearest(past, |search| search.after(past.line, at), |a, b| a.seq < b.seq)
    }

    /// As [`Table::next_hit`], backwards: the nearest before `at`.
    pub fn prev_hit(&self, past: Past<'_>, at: Option<Seq>) -> Outcome<Option<(Event, Vec<BreakpointId>)>> {
        self.nearest(past, |search| search.before(past.line, at), |a, b| a.seq > b.seq)
    }

    /// A search for one breakpoint's hits, enabled or not. Errors: no such breakpoint.
    pub fn search<'a>(&'a self, id: BreakpointId, past: Past<'a>) -> Outcome<Search<'a>> {
        Ok(Search::new(past.recording, past.branch, &self.get(id)?.condition))
    }

    fn nearest(
        &self,
        past: Past<'_>,
        find: impl Fn(&Search<'_>) -> Outcome<Option<Event>>,
        is_nearer: impl Fn(&Event, &Event) -> bool,
    ) -> Outcome<Option<(Event, Vec<BreakpointId>)>> {
        let mut nearest: Option<(Event, Vec<BreakpointId>)> = None;
        for breakpoint in self.breakpoints.iter().filter(|b| b.is_enabled && b.action.may_stop()) {
            let search = Search::new(past.recording, past.branch, &breakpoint.condition);
            let Some(event) = find(&search)? else { continue };
            match &mut nearest {
                Some((found, ids)) if found.seq == event.seq => ids.push(breakpoint.id),
                Some((found, _)) if !is_nearer(&event, found) => {}
                _ => nearest = Some((event, vec![breakpoint.id])),
            }
        }
        Ok(nearest)
    }
}

/// The recorded events that a search goes through.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    pub recording: &'a Recording,
    pub branch: u32,
    /// Ascending, disjoint ranges of seqs: a timeline's, or the branch's whole lineage.
    pub line: &'a [Range<u64>],
}

impl Breakpoint {
    fn hit(&mut self, event: Event) -> Hit {
        self.n_hits += 1;
        if self.hits.len() < limits::HITS_KEPT_MAX {
            self.hits.push(event.seq);
        }
        Hit { breakpoint: self.id, name: self.name.clone(), action: self.action.clone(), event, n_hits: self.n_hits }
    }
}
