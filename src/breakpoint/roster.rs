//! Who held which registered name when, and which module each process runs: the little of the
//! system's fold that selectors need. It must not know conditions.

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::model::{Actor, Atom, Event, Filter, Kind, Seq};
use crate::store::Recording;

/// Names and modules along one branch, as far as events were observed.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    names: FxHashMap<Atom, Vec<Tenure>>,
    /// Names in force, by holder.
    held: FxHashMap<Actor, Vec<Atom>>,
    /// The module of each process and the spawn that said so.
    modules: FxHashMap<Actor, (Atom, Seq)>,
}

/// One actor's time with one name.
#[derive(Clone, Copy, Debug)]
struct Tenure {
    actor: Actor,
    from: Seq,
    /// The event that ended it.
    until: Option<Seq>,
}

/// The kinds that a roster learns from.
const KINDS: &[Kind] = &[Kind::Spawn, Kind::Register, Kind::Unregister, Kind::Exit, Kind::Crash];

impl Roster {
    /// The roster over all of `lineage`. One scan of five kinds.
    pub fn of(recording: &Recording, lineage: &[Range<u64>]) -> Roster {
        let mut roster = Roster::default();
        if lineage.is_empty() {
            return roster;
        }
        let filter = Filter { ranges: lineage.to_vec(), ..Filter::kinds(KINDS) };
        recording.scan(&filter).for_each(|event| roster.observe(&event));
        roster
    }

    /// Takes note of an event that has happened. Events come in the order of their seqs.
    pub fn observe(&mut self, event: &Event) {
        match (event.kind, event.tag) {
            (Kind::Spawn, Some(module)) => {
                // An incarnation is spawned once; a second report of it changes nothing.
                self.modules.entry(event.process).or_insert((module, event.seq));
            }
            (Kind::Register, Some(name)) => {
                self.release(name, None, event.seq);
                self.names.entry(name).or_default().push(Tenure { actor: event.process, from: event.seq, until: None });
                self.held.entry(event.process).or_default().push(name);
            }
            (Kind::Unregister, Some(name)) => self.release(name, Some(event.process), event.seq),
            (Kind::Exit | Kind::Crash, _) => {
                for name in self.held.remove(&event.process).unwrap_or_default() {
                    self.release(name, Some(event.process), event.seq);
                }
            }
            _ => {}
        }
    }

    /// Ends the tenure of `name`'s holder, if it is `of` (`None`: whoever).
    fn release(&mut self, name: Atom, of: Option<Actor>, at: Seq) {
        let open = self.names.get_mut(&name).and_then(|tenures| tenures.last_mut()).filter(|last| last.until.is_none());
        let Some(tenure) = open.filter(|tenure| of.is_none_or(|actor| actor == tenure.actor)) else { return };
        tenure.until = Some(at);
        if let Some(names) = self.held.get_mut(&tenure.actor) {
            names.retain(|held| *held != name);
        }
    }

    /// Who held `name`, when; an Elixir module's name may be written as Elixir writes it.
    fn tenures(&self, name: Atom) -> &[Tenure] {
        let found = self.names.get(&name).or_else(|| self.names.get(&name.elixir_module()?));
        found.map_or(&[], Vec::as_slice)
    }

    /// Whether `actor` held `name` just before event `at`.
    pub fn is_named(&self, actor: Actor, name: Atom, at: Seq) -> bool {
        let holds = |t: &Tenure| t.actor == actor && t.from < at && t.until.is_none_or(|until| at <= until);
        self.tenures(name).iter().rev().any(holds)
    }

    /// The callback module of `actor` just before event `at`.
    pub fn module(&self, actor: Actor, at: Seq) -> Option<Atom> {
        self.modules.get(&actor).filter(|(_, from)| *from < at).map(|(module, _)| *module)
    }

    /// Everyone who ever held `name`.
    pub(super) fn ever_named(&self, name: Atom) -> Vec<Actor> {
        let mut actors: Vec<Actor> = self.tenures(name).iter().map(|tenure| tenure.actor).collect();
        actors.dedup();
        actors
    }

    /// Every process of `module`.
    pub(super) fn of_module(&self, module: Atom) -> Vec<Actor> {
        let is_it = |found: Atom| found == module || Some(found) == module.elixir_module();
        self.modules.iter().filter(|(_, (found, _))| is_it(*found)).map(|(actor, _)| *actor).collect()
    }
}
