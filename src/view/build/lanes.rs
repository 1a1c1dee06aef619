//! Which processes get a lane, in which order: that of the supervision tree, with those that nobody supervises on
//! top (they are usually the clients) and OTP's own at the bottom.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;

use crate::analysis::tree::{SupervisionTree, TreeNode};
use crate::model::{Actor, Behaviour, Status, Syntax};
use crate::view::Lane;

/// The lanes of a picture.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    pub lanes: Vec<Lane>,
    index: BTreeMap<Actor, usize>,
    syntax: Syntax,
    /// Processes that had marks and got no lane.
    pub n_hidden: usize,
}

impl Lanes {
    /// Lanes for the processes of `weights` (how much there is to draw; more is more important), at most `n_max`,
    /// and for the supervisors above them while there is room.
    pub fn new(tree: &SupervisionTree, weights: &BTreeMap<Actor, u64>, n_max: usize, syntax: Syntax) -> Lanes {
        let mut heaviest: Vec<(Actor, u64)> = weights.iter().map(|(actor, weight)| (*actor, *weight)).collect();
        heaviest.sort_by_key(|&(actor, weight)| (std::cmp::Reverse(weight), actor));
        let n_hidden = heaviest.len().saturating_sub(n_max);
        heaviest.truncate(n_max);
        let mut wanted: BTreeSet<Actor> = heaviest.iter().map(|(actor, _)| *actor).collect();
        let mut ways = FxHashSet::default();
        for root in tree.clients_first() {
            want_supervisors(root, &mut wanted, &mut ways, n_max);
        }
        let mut lanes = Lanes { n_hidden, syntax, ..Lanes::default() };
        for node in tree.clients_first().filter(|node| ways.contains(&node.actor)) {
            lanes.walk(node, 0, &wanted, &ways);
        }
        for actor in &wanted {
            if !lanes.index.contains_key(actor) {
                lanes.push(*actor, &actor.display(syntax), 0, false);
            }
        }
        lanes
    }

    pub fn of(&self, actor: Actor) -> Option<usize> {
        self.index.get(&actor).copied()
    }

    /// Walks the tree along its `ways`: of thousands of children that a supervisor had, few are wanted.
    fn walk(&mut self, node: &TreeNode, depth: usize, wanted: &BTreeSet<Actor>, ways: &FxHashSet<Actor>) {
        let is_shown = wanted.contains(&node.actor);
        if is_shown {
            self.push(node.actor, &node.name, depth, node.behaviour == Behaviour::Supervisor);
        }
        let is_way = |child: &&TreeNode| ways.contains(&child.actor);
        // Who had the place of a child before it says where that is.
        for child in in_order(node.children.iter().filter(|child| child.child_id.is_some() || is_way(child))) {
            if is_way(&child) {
                self.walk(child, depth + usize::from(is_shown), wanted, ways);
            }
        }
    }
    fn push(&mut self, actor: Actor, name: &str, depth: usize, is_supervisor: bool) {
        let id = actor.display(self.syntax);
        self.index.insert(actor, self.lanes.len());
        self.lanes.push(Lane {
            actor,
            name: without_id(name, &id).to_string(),
            id,
            depth,
            is_supervisor,
            from: None,
            to: None,
        });
    }
}

/// Siblings in their supervisor's order. Where dead ones are among them, that is the order of their pids, except that
/// all who held one place (a child and its successors after restarts) stand together.
pub(super) fn in_order<'t>(children: impl Iterator<Item = &'t TreeNode>) -> Vec<&'t TreeNode> {
    let mut ordered: Vec<&TreeNode> = children.collect();
    if ordered.iter().all(|child| child.status != Status::Dead) {
        return ordered;
    }
    let place = |node: &TreeNode| node.child_id.map_or(node.name.clone(), |id| id.as_str().to_string());
    let mut firsts = BTreeMap::new();
    for child in &ordered {
        let first = firsts.entry(place(child)).or_insert(child.actor);
        *first = child.actor.min(*first);
    }
    ordered.sort_by_key(|child| (firsts[&place(child)], child.actor));
    ordered
}

/// A name without the pid that stands behind it where names are not unique; empty when it is only the pid.
pub(super) fn without_id<'a>(name: &'a str, id: &str) -> &'a str {
    name.strip_suffix(id).map_or(name, str::trim_end)
}

/// Adds supervisors of wanted processes; gives whether the node or something below it is wanted: then it is on the way.
fn want_supervisors(node: &TreeNode, wanted: &mut BTreeSet<Actor>, ways: &mut FxHashSet<Actor>, n_max: usize) -> bool {
    let mut is_wanted = wanted.contains(&node.actor);
    for child in &node.children {
        is_wanted |= want_supervisors(child, wanted, ways, n_max);
    }
    if is_wanted {
        ways.insert(node.actor);
        if wanted.len() < n_max {
            wanted.insert(node.actor);
        }
    }
    is_wanted
}
