//! What a stop shows beside its hits: the state or mailbox of the process, the supervision tree.
//! It must not know why the run stopped.

use super::record::Block;
use crate::analysis::{process, tree};
use crate::breakpoint::{Action, Hit};
use crate::model::{Actor, Seq, Style, limits};
use crate::view::build;
use crate::view::tables::{self, Of};

/// The blocks that the hits' actions ask for. The hits' events have not happened yet: the past ends before them.
pub fn hit_blocks(of: &Of<'_>, hits: &[Hit]) -> Vec<Block> {
    let Some(at) = of.recording.len().checked_sub(1).map(Seq) else { return Vec::new() };
    hits.iter()
        .flat_map(|hit| match &hit.action {
            Action::Inspect(what) => inspect(of, hit, what, at),
            Action::Highlight(_) => vec![highlight(of, hit, at)],
            _ => Vec::new(),
        })
        .collect()
}

fn inspect(of: &Of<'_>, hit: &Hit, what: &str, at: Seq) -> Vec<Block> {
    let actor = hit.event.process;
    match what {
        "mailbox" => vec![Block::Table(tables::mailbox(of, &process::mailbox(of.recording, actor, at)))],
        "tree" | "supervision_tree" => vec![highlight(of, hit, at)],
        "state" => vec![state(of, actor, at)],
        _ => process::process(of.recording, actor, at)
            .map(|info| Block::Table(tables::process_fields(of, &info, at)))
            .into_iter()
            .collect(),
    }
}

fn state(of: &Of<'_>, actor: Actor, at: Seq) -> Block {
    let name = of.names.at(actor, at);
    let seq = process::process(of.recording, actor, at).and_then(|info| info.state);
    let text = match seq.and_then(|seq| of.recording.term(seq)) {
        Some(term) => {
            let style = Style { syntax: of.syntax(), ..Style::erlang() }
                .chars_max(limits::SHOWN_TERM_CHARS * limits::SHOWN_ROWS);
            format!("{name} still has the state {}", term.display(style))
        }
        None => format!("no state of {name} is recorded yet"),
    };
    Block::Text(text)
}

/// The supervision tree with the processes of the event marked.
fn highlight(of: &Of<'_>, hit: &Hit, at: Seq) -> Block {
    let mut view = build::supervision_tree(&tree::tree(of.recording, at, true), of.start_ns(), of.syntax());
    let marked = [Some(hit.event.process), hit.event.peer];
    for row in view.rows.iter_mut().filter(|row| row.actor.is_some() && marked.contains(&row.actor)) {
        row.detail = format!("{} ◀ {}", row.detail, hit.event.kind.as_str()).trim_start().to_string();
    }
    let is_dead = |status: &str| status == "dead";
    view.rows.retain(|row| !is_dead(&row.status) || marked.contains(&row.actor));
    Block::Tree(view)
}
