//! Diagrams for other tools: Mermaid sequence charts and Graphviz graphs. Foreign text is reduced to what cannot end
//! a label.

use std::fmt::Write;

use crate::view::{ArrowKind, PointKind, Spacetime, TreeArcs};

/// The messages of a view as a Mermaid `sequenceDiagram`, in order of arrival.
pub fn mermaid(view: &Spacetime) -> String {
    let mut out = String::from("sequenceDiagram\n");
    for (idx, lane) in view.lanes.iter().enumerate() {
        let _ = writeln!(out, "    participant p{idx} as {}", mermaid_text(lane.short_name()));
    }
    let arrows = view.arrows.iter().map(|arrow| {
        let line = match arrow.kind {
            ArrowKind::Call | ArrowKind::Info => "->>",
            ArrowKind::Cast => "-)",
            ArrowKind::Reply => "-->>",
            ArrowKind::Exit => "-x",
        };
        let label = mermaid_text(&format!("{} {}", arrow.kind.as_str(), arrow.label));
        (arrow.to, format!("    p{}{line}p{}: {label}", arrow.from_lane, arrow.to_lane))
    });
    let told = view.points.iter().filter(|point| !matches!(point.kind, PointKind::Spawn | PointKind::Exit));
    let notes = told.map(|point| (point.at, format!("    Note over p{}: {}", point.lane, point.kind.as_str())));
    let mut lines: Vec<_> = arrows.chain(notes).collect();
    lines.sort_by_key(|(at, _)| *at);
    for (_, line) in lines {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// Keeps letters, digits and harmless signs; the rest becomes Mermaid's `#code;` entities.
fn mermaid_text(text: &str) -> String {
    let mut out = String::new();
    for c in text.trim().chars().take(120) {
        match c {
            c if c.is_alphanumeric() || " ._-+*/'()[]{},=@?!".contains(c) => out.push(c),
            c if c.is_control() => out.push('?'),
            c => {
                let _ = write!(out, "#{};", c as u32);
            }
        }
    }
    if out.is_empty() { "?".to_string() } else { out }
}

/// The supervision tree (bold lines) and the messages (with their count) as a Graphviz `digraph`.
pub fn dot(view: &TreeArcs) -> String {
    let mut out =
        String::from("digraph cinema {\n    rankdir=LR;\n    node [fontname=\"sans-serif\", style=filled];\n");
    let mut above: Vec<usize> = Vec::new();
    for (idx, row) in view.tree.rows.iter().enumerate() {
        let (shape, fill) = if row.is_supervisor { ("box", "#ead9ea") } else { ("ellipse", "#e3edf6") };
        let fill = if row.status == "alive" { fill } else { "#fbe3d3" };
        let label = format!("{}\\n{}", dot_text(row.short_name()), dot_text(&row.id));
        let _ = writeln!(out, "    p{idx} [label=\"{label}\", shape={shape}, fillcolor=\"{fill}\"];");
        above.truncate(row.depth);
        if let Some(parent) = above.last() {
            let _ = writeln!(out, "    p{parent} -> p{idx} [arrowhead=none, penwidth=2, color=\"#9aa3ae\"];");
        }
        above.push(idx);
    }
    for arc in &view.arcs {
        let (style, color) = match arc.kind {
            ArrowKind::Call => ("solid", "#0072b2"),
            ArrowKind::Cast => ("dotted", "#e69f00"),
            ArrowKind::Reply => ("dashed", "#009e73"),
            ArrowKind::Info => ("dashed", "#6e7781"),
            ArrowKind::Exit => ("bold", "#d55e00"),
        };
        let _ = writeln!(
            out,
            "    p{} -> p{} [label=\"{} {}\", style={style}, color=\"{color}\", constraint=false];",
            arc.from,
            arc.to,
            arc.n_messages,
            arc.kind.as_str()
        );
    }
    out.push_str("}\n");
    out
}

fn dot_text(text: &str) -> String {
    let clean = text.chars().take(120).map(|c| if c.is_control() { '?' } else { c });
    clean.collect::<String>().replace('\\', "\\\\").replace('"', "\\\"")
}
