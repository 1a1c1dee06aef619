//! The supervision tree at a moment, as nested plain data, from the store's fold.
//! It must not know how results are shown.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use super::names::Names;
use super::process::queue_len;
use crate::model::platform::actors_of_otp;
use crate::model::{Actor, Atom, Behaviour, ProcessRow, Seq, Status, SystemState, Term};
use crate::store::Recording;

/// A process in the tree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TreeNode {
    pub actor: Actor,
    pub name: String,
    pub module: Option<Atom>,
    pub behaviour: Behaviour,
    pub child_id: Option<Atom>,
    pub status: Status,
    /// `one_for_one`, ..; known on the sim and where the supervisor's state was recorded.
    pub strategy: Option<String>,
    /// Restarts allowed, within so many seconds.
    pub intensity: Option<(u64, u64)>,
    pub n_restarts: u32,
    /// `None` where it is not known.
    pub queue_len: Option<u64>,
    pub ended: Option<Seq>,
    /// Whether it is OTP's or Elixir's own.
    pub is_of_otp: bool,
    /// In start order.
    pub children: Vec<TreeNode>,
}

/// The trees of a system.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SupervisionTree {
    pub at: Option<Seq>,
    pub at_ns: i64,
    /// Supervisors without a supervisor, with all that is below them: OTP's own behind the others.
    pub roots: Vec<TreeNode>,
    /// Processes that no supervisor is known to own: OTP's own behind the others.
    pub unsupervised: Vec<TreeNode>,
}

impl SupervisionTree {
    /// What has nothing above it: supervisors before what nobody supervises, and all of OTP's own last.
    pub fn supervisors_first(&self) -> impl Iterator<Item = &TreeNode> {
        ordered(self.roots.iter().chain(&self.unsupervised))
    }
    /// As [`SupervisionTree::supervisors_first`], but what nobody supervises comes first: usually the clients.
    pub fn clients_first(&self) -> impl Iterator<Item = &TreeNode> {
        ordered(self.unsupervised.iter().chain(&self.roots))
    }
    /// The part at and below `actor`; `None` when it is not in the tree.
    pub fn below(self, actor: Actor) -> Option<SupervisionTree> {
        let mut open: Vec<TreeNode> = self.roots.into_iter().chain(self.unsupervised).collect();
        while let Some(node) = open.pop() {
            if node.actor == actor {
                return Some(SupervisionTree { roots: vec![node], unsupervised: Vec::new(), ..self });
            }
            open.extend(node.children);
        }
        None
    }
}

fn ordered<'a>(nodes: impl Iterator<Item = &'a TreeNode> + Clone) -> impl Iterator<Item = &'a TreeNode> {
    nodes.clone().filter(|node| !node.is_of_otp).chain(nodes.filter(|node| node.is_of_otp))
}

/// The tree just after `at`; `with_dead` keeps the nodes of dead processes in their place.
pub fn tree(rec: &Recording, at: Seq, with_dead: bool) -> SupervisionTree {
    let state = rec.materialise(at);
    let names = Names::of(rec, &rec.lineage(rec.branch_of(at)));
    let children = children(&state, with_dead);
    let owned: FxHashSet<Actor> = children.values().flatten().copied().collect();
    let of_otp = actors_of_otp(&state);
    let maker = Maker { rec, names, at, children, state: &state, of_otp: &of_otp };
    let mut tree = SupervisionTree { at: state.at, at_ns: state.at_ns, roots: Vec::new(), unsupervised: Vec::new() };
    let mut rows: Vec<_> = state.processes.values().filter(|row| is_shown(row, with_dead)).collect();
    rows.sort_by_key(|row| of_otp.contains(&row.actor));
    for row in rows {
        match row.behaviour {
            _ if owned.contains(&row.actor) => {}
            Behaviour::Port => {}
            Behaviour::Supervisor => tree.roots.push(maker.node(row, 0)),
            _ => tree.unsupervised.push(maker.node(row, 0)),
        }
    }
    tree
}

/// Nesting that is followed; a real tree is far below, a damaged recording may hold a cycle.
const DEPTH_MAX: usize = 64;

struct Maker<'a> {
    rec: &'a Recording,
    names: Arc<Names>,
    at: Seq,
    state: &'a SystemState,
    children: FxHashMap<Actor, Vec<Actor>>,
    of_otp: &'a BTreeSet<Actor>,
}

impl Maker<'_> {
    fn node(&self, row: &ProcessRow, depth: usize) -> TreeNode {
        let state = row.state.filter(|_| row.behaviour == Behaviour::Supervisor).and_then(|seq| self.rec.term(seq));
        let flags = state.map(|state| Flags::read(&state)).unwrap_or_default();
        let mine = self.children.get(&row.actor).map(Vec::as_slice).unwrap_or_default();
        let rows = mine.iter().filter_map(|child| self.state.processes.get(child)).filter(|_| depth < DEPTH_MAX);
        TreeNode {
            actor: row.actor,
            name: self.names.row(row, self.at),
            module: row.module,
            behaviour: row.behaviour,
            child_id: row.child_id,
            status: row.status,
            strategy: flags.strategy,
            intensity: flags.intensity,
            n_restarts: row.n_restarts,
            queue_len: queue_len(self.rec, row),
            ended: row.ended,
            is_of_otp: self.of_otp.contains(&row.actor),
            children: rows.map(|row| self.node(row, depth + 1)).collect(),
        }
    }
}

/// What a supervisor's own state tells of its flags: the sim's map, or the record of OTP's supervisor.erl.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flags {
    pub strategy: Option<String>,
    /// Restarts allowed, within so many seconds.
    pub intensity: Option<(u64, u64)>,
}

impl Flags {
    /// Reads the state; what it does not tell is `None`.
    pub fn read(state: &Term) -> Flags {
        let (strategy, intensity, period) = match (state, state.as_tuple()) {
            (Term::Map(map), _) => (map.get_atom("strategy"), map.get_atom("intensity"), map.get_atom("period")),
            (_, Some([head, _, strategy, _, _, intensity, period, ..])) if head.is_atom("state") => {
                (Some(strategy), Some(intensity), Some(period))
            }
            _ => (None, None, None),
        };
        let number = |term: Option<&Term>| u64::try_from(term?.as_int()?).ok();
        Flags {
            strategy: strategy.and_then(Term::as_atom).map(|atom| atom.as_str().to_string()),
            intensity: number(intensity).zip(number(period)),
        }
    }
}

fn is_shown(row: &ProcessRow, with_dead: bool) -> bool {
    with_dead || row.status != Status::Dead
}

/// Children per supervisor: the living in start order, then the dead by their end.
fn children(state: &SystemState, with_dead: bool) -> FxHashMap<Actor, Vec<Actor>> {
    let mut children: FxHashMap<Actor, Vec<Actor>> = FxHashMap::default();
    for row in state.processes.values().filter(|row| !row.children.is_empty()) {
        children.insert(row.actor, row.children.clone());
    }
    if with_dead {
        let placed: FxHashSet<Actor> = children.values().flatten().copied().collect();
        let rows = state.processes.values().filter(|row| row.status == Status::Dead && !placed.contains(&row.actor));
        let mut dead: Vec<_> = rows.filter_map(|row| Some((row.ended, row.actor, row.supervisor?))).collect();
        dead.sort_unstable();
        for (_, child, supervisor) in dead {
            children.entry(supervisor).or_default().push(child);
        }
    }
    children
}

#[cfg(test)]
mod tests;
