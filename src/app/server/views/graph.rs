//! The system at a moment: the supervision tree in rows, links and monitors, and the traffic around the moment.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::Wanted;
use crate::analysis::process::{ProcessInfo, processes};
use crate::analysis::pyramid::Detail;
use crate::analysis::tree::{SupervisionTree, TreeNode, tree};
use crate::app::server::glass::Glass;
use crate::app::server::problem::Problem;
use crate::app::server::stage::Stage;
use crate::model::{Actor, Class, Status, Style};

/// Processes, the dead among them, that can be seen at one time.
const FEW: usize = 60;
/// Processes that are shown; of more, the busiest.
const NODES_MAX: usize = 400;
/// Edges of each sort; of more, the busiest.
const EDGES_MAX: usize = 1_500;

pub fn make(stage: &Stage, glass: &Glass, wanted: &Wanted) -> Result<Json, Problem> {
    let at = wanted.at(glass)?;
    let rec = &glass.recording;
    let infos: BTreeMap<Actor, ProcessInfo> = processes(rec, at).into_iter().map(|info| (info.actor, info)).collect();
    let tree = match wanted.text("dead") {
        Some("true") => tree(rec, at, true),
        // The dead in their places, unless there are too many to see the living.
        Some("few") if infos.len() <= FEW => tree(rec, at, true),
        _ => tree(rec, at, false),
    };
    let mut rows = rows(&tree, &infos);
    let n_all = rows.len();
    if rows.len() > NODES_MAX {
        keep_busiest(&mut rows, &infos);
    }
    let index: BTreeMap<Actor, usize> = rows.iter().enumerate().map(|(idx, row)| (row.node.actor, idx)).collect();
    let mut edges = Vec::new();
    for info in infos.values() {
        let Some(from) = index.get(&info.actor) else { continue };
        let to = |actor: &Actor| index.get(actor).copied();
        let links = info.links.iter().filter_map(to).filter(|to| from < to);
        edges.extend(links.map(|to| json!([from, to, "link"])));
        edges.extend(info.monitors.iter().filter_map(to).map(|to| json!([from, to, "monitor"])));
    }
    edges.truncate(EDGES_MAX);
    Ok(json!({
        "at": at.0,
        "nodes": rows.iter().map(|row| node_json(glass, row, &infos)).collect::<Vec<_>>(),
        "edges": edges,
        "traffic": traffic(stage, glass, wanted, &index)?,
        "n_hidden": n_all - rows.len(),
    }))
}

struct Row<'a> {
    node: &'a TreeNode,
    depth: usize,
    parent: Option<Actor>,
}

fn rows<'a>(tree: &'a SupervisionTree, infos: &BTreeMap<Actor, ProcessInfo>) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    tree.roots.iter().for_each(|node| walk(node, 0, None, &mut rows));
    // What was only heard of, and never seen doing anything, is no part of the system.
    let is_known = |node: &&TreeNode| {
        infos.get(&node.actor).is_some_and(|info| {
            info.n_sent + info.n_received + info.n_handled > 0 || info.spawned.is_some() || !info.names.is_empty()
        })
    };
    tree.unsupervised.iter().filter(is_known).for_each(|node| walk(node, 0, None, &mut rows));
    rows
}

fn walk<'a>(node: &'a TreeNode, depth: usize, parent: Option<Actor>, rows: &mut Vec<Row<'a>>) {
    rows.push(Row { node, depth, parent });
    node.children.iter().for_each(|child| walk(child, depth + 1, Some(node.actor), rows));
}

/// Keeps supervisors and the processes with most traffic.
fn keep_busiest(rows: &mut Vec<Row<'_>>, infos: &BTreeMap<Actor, ProcessInfo>) {
    let weight = |row: &Row<'_>| {
        let info = infos.get(&row.node.actor);
        (
            !row.node.children.is_empty(),
            info.map_or(0, |info| info.n_sent + info.n_received + info.queue_len.unwrap_or(0)),
        )
    };
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&idx| (std::cmp::Reverse(weight(&rows[idx])), idx));
    let mut is_kept = vec![false; rows.len()];
    order.iter().take(NODES_MAX).for_each(|&idx| is_kept[idx] = true);
    let mut is_kept = is_kept.into_iter();
    rows.retain(|_| is_kept.next().unwrap_or(false));
}

/// Characters of a state beside a node, and bytes up to which it is read for that.
const STATE_CHARS_MAX: usize = 80;
const STATE_BYTES_MAX: usize = 16 << 10;

fn state_text(glass: &Glass, info: &ProcessInfo) -> Option<String> {
    let seq = info.state?;
    let is_small = glass.recording.payload_ref(seq).is_some_and(|bytes| bytes.len() <= STATE_BYTES_MAX);
    let term = is_small.then(|| glass.recording.term(seq)).flatten()?;
    Some(term.display(Style::cell(glass.syntax()).chars_max(STATE_CHARS_MAX)).to_string())
}

fn node_json(glass: &Glass, row: &Row<'_>, infos: &BTreeMap<Actor, ProcessInfo>) -> Json {
    let node = row.node;
    let info = infos.get(&node.actor);
    json!({
        "process": node.actor.to_string(),
        "name": node.name.strip_suffix(&node.actor.to_string()).map_or(node.name.as_str(), str::trim_end),
        "module": node.module.map(|module| module.as_str()),
        "behaviour": node.behaviour,
        "status": match node.status { Status::Alive => "alive", Status::Restarting => "restarting", Status::Dead => "dead" },
        "depth": row.depth,
        "parent": row.parent.map(|actor| actor.to_string()),
        "strategy": node.strategy,
        "intensity": node.intensity,
        "n_restarts": node.n_restarts,
        // Where the recording does not show messages being taken out, how many wait is not known.
        "queue_len": node.queue_len.unwrap_or(0),
        "is_handling": info.is_some_and(|info| info.handling.is_some()),
        "n_sent": info.map_or(0, |info| info.n_sent),
        "n_received": info.map_or(0, |info| info.n_received),
        "reductions": info.map_or(0, |info| info.reductions),
        "memory_bytes": info.and_then(|info| info.memory_bytes),
        "state": info.and_then(|info| state_text(glass, info)),
    })
}

/// Messages between the nodes in the stretch `from`..`to`, busiest first.
fn traffic(stage: &Stage, glass: &Glass, wanted: &Wanted, index: &BTreeMap<Actor, usize>) -> Result<Json, Problem> {
    let ranks = wanted.ranks(glass)?;
    let pyramid = stage.pyramid();
    let mut pairs: BTreeMap<(usize, usize), [u64; 4]> = BTreeMap::new();
    for range in glass.seqs_of(ranks) {
        for ((from, to, class), n) in pyramid.counts(&glass.recording, range, Detail::Pairs).pairs {
            let (Some(from), Some(to)) = (index.get(&from), index.get(&to)) else { continue };
            let sort = match class {
                Class::Call => 0,
                Class::Cast => 1,
                Class::Reply => 2,
                _ => 3,
            };
            pairs.entry((*from, *to)).or_default()[sort] += n;
        }
    }
    let mut rows: Vec<_> = pairs.into_iter().collect();
    rows.sort_by_key(|(pair, counts)| (std::cmp::Reverse(counts.iter().sum::<u64>()), *pair));
    rows.truncate(EDGES_MAX);
    Ok(rows.into_iter().map(|((from, to), counts)| json!([from, to, counts])).collect())
}
