//! Supervision trees, trees with message arcs, and the matrix of who talks to whom.

use std::collections::BTreeMap;

use super::lanes::{in_order, without_id};
use crate::analysis::flow::PairRow;
use crate::analysis::tree::{SupervisionTree, TreeNode};
use crate::model::{Actor, Behaviour, Status, Syntax, limits, time};
use crate::view::{Arc, ArrowKind, Matrix, Tree, TreeArcs, TreeRow};

/// The supervision tree, those that nobody supervises behind the supervisors, and OTP's own last.
pub fn supervision_tree(tree: &SupervisionTree, start_ns: i64, syntax: Syntax) -> Tree {
    let rows = rows(tree.supervisors_first(), syntax);
    let title = match tree.at {
        Some(at) => format!("supervision tree at #{}, {}", at.0, time::show_ns(tree.at_ns - start_ns)),
        None => "supervision tree".to_string(),
    };
    Tree { title, rows, notes: Vec::new() }
}

fn rows<'a>(nodes: impl Iterator<Item = &'a TreeNode>, syntax: Syntax) -> Vec<TreeRow> {
    let mut rows = Vec::new();
    nodes.for_each(|node| push_rows(node, 0, syntax, &mut rows));
    rows
}

fn push_rows(node: &TreeNode, depth: usize, syntax: Syntax, rows: &mut Vec<TreeRow>) {
    let is_supervisor = node.behaviour == Behaviour::Supervisor;
    let mut details = Vec::new();
    details.extend(node.strategy.clone());
    if let Some((restarts, seconds)) = node.intensity {
        details.push(format!("at most {restarts} restarts in {seconds} s"));
    }
    if let Some(n_queued @ 1..) = node.queue_len {
        details.push(format!("{n_queued} queued"));
    }
    let id = node.actor.display(syntax);
    rows.push(TreeRow {
        actor: Some(node.actor),
        depth,
        name: without_id(&node.name, &id).to_string(),
        id,
        is_supervisor,
        status: match node.status {
            Status::Alive => "alive",
            Status::Restarting => "restarting",
            Status::Dead => "dead",
        }
        .to_string(),
        n_restarts: node.n_restarts,
        detail: details.join(", "),
    });
    for child in in_order(node.children.iter()) {
        push_rows(child, depth + 1, syntax, rows);
    }
}

/// The tree with the traffic between its processes, at most [`limits::PICTURE_LANES_MAX`] of them: the busiest.
pub fn tree_arcs(tree: &SupervisionTree, pairs: &[PairRow], syntax: Syntax) -> TreeArcs {
    // As in the lanes of a space-time diagram, clients come first.
    let rows = rows(tree.clients_first(), syntax);
    let mut view = Tree { title: "Supervision tree with message arcs".to_string(), rows, notes: Vec::new() };
    let n_all = view.rows.len();
    keep_busiest(&mut view.rows, &traffic(pairs), limits::PICTURE_LANES_MAX);
    if view.rows.len() < n_all {
        let raise = format!("{} quieter processes are hidden", n_all - view.rows.len());
        view.notes.push(limits::tripped("PICTURE_LANES_MAX", limits::PICTURE_LANES_MAX, &raise));
    }
    let index: BTreeMap<Actor, usize> =
        view.rows.iter().enumerate().filter_map(|(idx, row)| Some((row.actor?, idx))).collect();
    let mut arcs = Vec::new();
    let (mut n_messages, mut n_hidden) = (0, 0);
    for pair in pairs {
        n_messages += pair.n_messages;
        let to = pair.to.and_then(|to| index.get(&to));
        let (Some(&from), Some(&to)) = (index.get(&pair.from), to) else {
            n_hidden += pair.n_messages;
            continue;
        };
        let kinds = [
            (ArrowKind::Call, pair.n_calls),
            (ArrowKind::Cast, pair.n_casts),
            (ArrowKind::Reply, pair.n_replies),
            (ArrowKind::Info, pair.n_others),
        ];
        arcs.extend(kinds.into_iter().filter(|(_, n)| *n > 0).map(|(kind, n_messages)| Arc {
            from,
            to,
            kind,
            n_messages,
        }));
    }
    arcs.sort_by_key(|arc| (arc.from, arc.to, arc.kind));
    if n_hidden > 0 {
        view.notes.push(format!("{n_hidden} messages from or to processes that are not shown are not drawn"));
    }
    let subtitle = format!("{} processes, {n_messages} messages; the width of an arc is their number", view.rows.len());
    TreeArcs { tree: view, arcs, subtitle }
}

/// Messages that each process sent or got.
fn traffic(pairs: &[PairRow]) -> BTreeMap<Actor, u64> {
    let mut traffic = BTreeMap::new();
    for pair in pairs {
        for actor in [Some(pair.from), pair.to].into_iter().flatten() {
            *traffic.entry(actor).or_default() += pair.n_messages;
        }
    }
    traffic
}

/// Keeps the `n_max` rows with most traffic, in their order. A row whose parent goes moves up to the nearest that stays.
fn keep_busiest(rows: &mut Vec<TreeRow>, traffic: &BTreeMap<Actor, u64>, n_max: usize) {
    if rows.len() <= n_max {
        return;
    }
    let weight = |row: &TreeRow| row.actor.and_then(|actor| traffic.get(&actor)).copied().unwrap_or(0);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&idx| (std::cmp::Reverse(weight(&rows[idx])), idx));
    let mut is_kept = vec![false; rows.len()];
    order[..n_max].iter().for_each(|&idx| is_kept[idx] = true);
    // The depth of each ancestor on the way down that stays.
    let mut kept_above: Vec<bool> = Vec::new();
    for (row, is_kept) in rows.iter_mut().zip(&is_kept) {
        kept_above.truncate(row.depth);
        let depth = kept_above.iter().filter(|kept| **kept).count();
        kept_above.push(*is_kept);
        row.depth = depth;
    }
    let mut is_kept = is_kept.into_iter();
    rows.retain(|_| is_kept.next().unwrap_or(false));
}

fn is_unique(rows: &[TreeRow], row: &TreeRow) -> bool {
    rows.iter().filter(|other| other.name == row.name).count() == 1
}

/// Who talks to whom, in the order of the tree, at most [`limits::PICTURE_LANES_MAX`] processes: those with most traffic.
pub fn matrix(tree: &SupervisionTree, pairs: &[PairRow], syntax: Syntax) -> Matrix {
    let traffic = traffic(pairs);
    let mut rows = rows(tree.clients_first(), syntax);
    rows.retain(|row| row.actor.is_some_and(|actor| traffic.contains_key(&actor)));
    let n_all = rows.len();
    keep_busiest(&mut rows, &traffic, limits::PICTURE_LANES_MAX);
    let mut notes = Vec::new();
    if rows.len() < n_all {
        let raise = format!("{} quieter processes are hidden", n_all - rows.len());
        notes.push(limits::tripped("PICTURE_LANES_MAX", limits::PICTURE_LANES_MAX, &raise));
    }
    let index: BTreeMap<Actor, usize> =
        rows.iter().enumerate().filter_map(|(idx, row)| Some((row.actor?, idx))).collect();
    let mut counts = vec![vec![0; rows.len()]; rows.len()];
    let mut n_messages = 0;
    for pair in pairs {
        n_messages += pair.n_messages;
        if let (Some(&from), Some(&to)) = (index.get(&pair.from), pair.to.and_then(|to| index.get(&to))) {
            counts[from][to] += pair.n_messages;
        }
    }
    Matrix {
        title: "Who talks to whom".to_string(),
        subtitle: format!("{} processes, {n_messages} messages; senders in rows, receivers in columns", rows.len()),
        names: rows
            .iter()
            .map(|row| if is_unique(&rows, row) { row.short_name().to_string() } else { row.full_name() })
            .collect(),
        counts,
        notes,
    }
}
