//! What a person calls a process: its registered name, else its label or module, else its pid.
//! One pass over the name events; a spawn's payload is read only when its process never registers.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Scope;
use crate::model::display::Syntax;
use crate::model::quote::is_safe;
use crate::model::system::label_of;
use crate::model::{Actor, Atom, Event, Filter, Kind, Origin, ProcessRow, Seq, Status, SystemState, Term};
use crate::store::Recording;

/// The names of a scope's processes.
#[derive(Clone, Debug, Default)]
pub struct Names {
    syntax: Syntax,
    spawns: FxHashMap<Actor, Event>,
    /// Labels of processes without a registered name.
    labels: FxHashMap<Actor, Atom>,
    /// Labels that processes gave themselves.
    set_labels: FxHashMap<Actor, Atom>,
    /// Names a process took, in order.
    taken: FxHashMap<Actor, Vec<(Seq, Atom)>>,
    /// What tells the nodes of a cluster apart; empty for one node.
    nodes: FxHashMap<Origin, String>,
    /// The event that ended a process.
    ends: FxHashMap<Actor, Seq>,
    /// Modules of processes whose spawn a ring has evicted.
    modules: FxHashMap<Actor, Atom>,
}

impl Names {
    /// The names in the scope, read once for as long as nothing new is recorded. Costs 30 ns an event of a kind that names.
    pub fn of(rec: &Recording, scope: Scope<'_>) -> Arc<Names> {
        rec.derived(scope, || Names::read(rec, scope))
    }

    /// Reads the spawn, name, child and end events of the scope.
    fn read(rec: &Recording, scope: Scope<'_>) -> Names {
        let kinds = [Kind::Spawn, Kind::Register, Kind::ChildSpecChange, Kind::Sample, Kind::Exit, Kind::Crash];
        let filter = Filter { ranges: scope.to_vec(), ..Filter::kinds(&kinds) };
        let mut names =
            Names { syntax: if rec.info.is_elixir { Syntax::Elixir } else { Syntax::Erlang }, ..Names::default() };
        names.learn_past(rec);
        for event in rec.scan(&filter) {
            names.learn(&event);
        }
        let acting =
            names.spawns.keys().chain(names.taken.keys()).chain(names.modules.keys()).map(|actor| actor.origin());
        names.nodes = suffixes(acting.collect());
        names.labels.extend(names.set_labels.iter().map(|(actor, label)| (*actor, *label)));
        let labels = names.labels_of_spawns(rec, scope);
        names.labels.extend(labels);
        names
    }

    /// The labels that processes without a registered name were started with, or gave themselves.
    fn labels_of_spawns(&self, rec: &Recording, scope: Scope<'_>) -> Vec<(Actor, Atom)> {
        let is_unnamed = |(actor, spawn): &(&Actor, &Event)| spawn.size_bytes > 0 && !self.taken.contains_key(actor);
        let mut spawns: Vec<(&Actor, &Event)> = self.spawns.iter().filter(is_unnamed).collect();
        // Neighbours share a block of payloads.
        spawns.sort_unstable_by_key(|(_, spawn)| spawn.seq);
        let Some((_, newest)) = spawns.last() else { return Vec::new() };
        // The fold of the system has read them all; it writes labels that are no atoms as Erlang does.
        let at = scope.last().map_or(newest.seq, |range| Seq(range.end.saturating_sub(1)));
        let is_folded = self.syntax == Syntax::Erlang;
        let system = if is_folded { rec.materialise(at) } else { SystemState::default() };
        let label = |actor: &Actor, spawn: &Event| {
            if let Some(label) = self.set_labels.get(actor) {
                return Some(*label);
            }
            match system.processes.get(actor).filter(|row| row.spawned == Some(spawn.seq)) {
                Some(row) => row.label,
                None => self.label_of_spawn(rec, spawn.seq),
            }
        };
        spawns.iter().filter_map(|(actor, spawn)| Some((**actor, label(actor, spawn)?))).collect()
    }

    fn label_of_spawn(&self, rec: &Recording, spawn: Seq) -> Option<Atom> {
        let payload = rec.term(spawn)?;
        let fields = payload.as_map()?;
        let label = fields.get_atom("label").and_then(|label| label_of(label, self.syntax));
        label.or_else(|| fields.get_atom("name")?.as_atom())
    }

    /// What is known of the processes at the start of a recording whose first events are gone.
    fn learn_past(&mut self, rec: &Recording) {
        let Some(last_gone) = rec.first().0.checked_sub(1).map(Seq) else { return };
        for row in rec.materialise(last_gone).processes.values() {
            if !row.names.is_empty() {
                self.taken.insert(row.actor, row.names.iter().rev().map(|name| (last_gone, *name)).collect());
            }
            self.labels.extend(row.label.or(row.child_id).map(|label| (row.actor, label)));
            self.modules.extend(row.module.map(|module| (row.actor, module)));
            self.ends.extend(row.ended.map(|seq| (row.actor, seq)));
        }
    }

    fn learn(&mut self, event: &Event) {
        let Event { seq, process, .. } = *event;
        match (event.kind, event.tag) {
            (Kind::Spawn, _) => drop(self.spawns.insert(process, *event)),
            (Kind::Register, Some(name)) => self.taken.entry(process).or_default().push((seq, name)),
            // What proc_lib:set_label/1 set last.
            (Kind::Sample, Some(label)) => drop(self.set_labels.insert(process, label)),
            // A child of a static supervisor goes by its id.
            (Kind::ChildSpecChange, Some(id)) => {
                if let Some(child) = event.peer {
                    self.labels.entry(child).or_insert(id);
                }
            }
            (Kind::Exit | Kind::Crash, _) => drop(self.ends.insert(process, seq)),
            _ => {}
        }
    }

    /// The name as of `at`: the registered one that it had last, or will have first; `worker <0.120.0>`
    /// for a process without one.
    pub fn at(&self, actor: Actor, at: Seq) -> String {
        self.registered(actor, at).map_or_else(|| self.unregistered(actor), |name| self.on_node(name, actor))
    }

    /// The name of a row of the system at `at`: what it is registered as; the dead keep the name that they had last.
    pub fn row(&self, row: &ProcessRow, at: Seq) -> String {
        let last = || self.taken.get(&row.actor)?.iter().rfind(|(seq, _)| *seq <= at).map(|(_, name)| *name);
        let held = row.names.first().copied();
        match held.or_else(|| last().filter(|_| row.status != Status::Alive)) {
            Some(name) => self.on_node(name, row.actor),
            None => {
                let label = row.label.map(|label| self.labels.get(&row.actor).copied().unwrap_or(label));
                self.with_word(label.or(row.child_id).or(row.module), row.actor)
            }
        }
    }

    /// The last name that the process bore in the scope: for lanes and rows that span time.
    pub fn name(&self, actor: Actor) -> String {
        self.at(actor, Seq(u64::MAX))
    }

    /// The registered name, by the rule of [`Names::at`].
    pub fn registered(&self, actor: Actor, at: Seq) -> Option<Atom> {
        let taken = self.taken.get(&actor)?;
        taken.iter().rfind(|(seq, _)| *seq <= at).or_else(|| taken.first()).map(|(_, name)| *name)
    }

    /// The callback module, if its spawn was recorded or it was known at the recording's start.
    pub fn module(&self, actor: Actor) -> Option<Atom> {
        self.spawns.get(&actor).map_or_else(|| self.modules.get(&actor).copied(), |spawn| spawn.tag)
    }

    /// The spawn event.
    pub fn spawn(&self, actor: Actor) -> Option<Event> {
        self.spawns.get(&actor).copied()
    }

    /// The function that the process began with: `init`, or what its spawn tells.
    pub fn entry(&self, rec: &Recording, actor: Actor) -> String {
        let payload = self.spawns.get(&actor).and_then(|spawn| rec.term(spawn.seq));
        let function = payload.as_ref().and_then(Term::as_map).and_then(|map| map.get_atom("function")?.as_atom());
        function.map_or_else(|| "init".to_string(), |function| function.display(self.syntax))
    }

    /// The exit or crash event, if the process ended in the scope.
    pub fn end(&self, actor: Actor) -> Option<Seq> {
        self.ends.get(&actor).copied()
    }

    fn unregistered(&self, actor: Actor) -> String {
        self.with_word(self.labels.get(&actor).copied().or_else(|| self.module(actor)), actor)
    }

    /// A name, with its node in a cluster: each node has names of its own.
    fn on_node(&self, name: Atom, actor: Actor) -> String {
        let node = self.nodes.get(&actor.origin()).map_or("", String::as_str);
        format!("{}{node}", name.display(self.syntax))
    }

    fn with_word(&self, word: Option<Atom>, actor: Actor) -> String {
        let node = self.nodes.get(&actor.origin()).map_or("", String::as_str);
        let id = format!("{}{node}", actor.display(self.syntax));
        match word {
            Some(word) => format!("{} {id}", self.word(word)),
            None => id,
        }
    }

    /// A label is a text for people: it has no quotes, unless it could steer a terminal.
    fn word(&self, word: Atom) -> String {
        let shown = word.display(self.syntax);
        let is_safe = word.as_str().chars().all(is_safe);
        if is_safe && shown.ends_with(['"', '\'']) { word.as_str().to_string() } else { shown }
    }

    /// What a process without a registered name is called, when that is not its module.
    pub fn label(&self, actor: Actor) -> Option<String> {
        self.labels.get(&actor).map(|label| self.word(*label))
    }
}

/// `@shop` for the node `shop@host`, or all of its name where two have that part in common; nothing for a single node.
fn suffixes(origins: FxHashSet<Origin>) -> FxHashMap<Origin, String> {
    let nodes: FxHashSet<Atom> = origins.iter().map(|origin| origin.id().node).collect();
    if nodes.len() < 2 {
        return FxHashMap::default();
    }
    let short = |node: Atom| node.as_str().split('@').next().unwrap_or_default();
    let suffix = |node: Atom| match nodes.iter().filter(|other| short(**other) == short(node)).count() {
        1 => format!("@{}", short(node)),
        _ => format!("@{}", node.as_str()),
    };
    origins.iter().map(|origin| (*origin, suffix(origin.id().node))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NewEvent, Pid};
    use crate::store::RingLimits;

    #[test]
    fn names_outlive_the_events_that_gave_them() {
        let mut rec = Recording::default();
        rec.set_ring(Some(RingLimits { events_min: Some(1_000), ..RingLimits::default() })).unwrap();
        let [named, nameless] = [7, 8].map(|id| Actor::from(Pid::local(id)));
        let tagged = |kind, process, tag| NewEvent { tag: Some(Atom::new(tag)), ..NewEvent::new(0, kind, process) };
        for event in [
            tagged(Kind::Spawn, named, "shop_stock"),
            tagged(Kind::Register, named, "stock"),
            tagged(Kind::Spawn, nameless, "shop_client"),
        ] {
            rec.append(&event).unwrap();
        }
        for _ in 0..20_000 {
            rec.append(&NewEvent { peer: Some(named), ..NewEvent::new(0, Kind::Send, nameless) }).unwrap();
        }
        assert!(rec.first().0 > 3, "the names were evicted");
        let names = Names::of(&rec, &[]);
        assert_eq!((names.name(named), names.name(nameless)), ("stock".into(), "shop_client <0.8.0>".into()));
        assert_eq!(names.module(named), Some(Atom::new("shop_stock")));
    }

    #[test]
    fn labels_have_no_quotes_but_cannot_steer_a_terminal() {
        let word = |text: &str| Names::default().word(Atom::new(text));
        assert_eq!(word("Task of Orders"), "Task of Orders");
        assert_eq!(word("{cart,<<\"bob\">>}"), "{cart,<<\"bob\">>}");
        assert_eq!(word("a\u{1b}[2J"), "'a\\e[2J'");
        assert_eq!(word("a\u{202e}b"), "'a\\x{202E}b'");
    }
}
