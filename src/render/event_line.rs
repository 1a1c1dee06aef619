//! One event as one line: for playback on a terminal, breakpoint hits and logs.
//! It must not know where the names come from.

use super::{escape, text, tone};
use crate::view::EventLine;

/// `#1234   12.5 ms  send call     router <0.111.0> → cache <0.119.0>  {get, k}`, escaped, cut to `width` columns.
/// No newline at the end.
pub fn event_line(line: &EventLine, options: &text::TextOptions) -> String {
    let what = if line.class.is_empty() { line.kind.clone() } else { format!("{} {}", line.kind, line.class) };
    let who = match &line.peer {
        Some(peer) => format!("{} {} {peer}", line.process, if line.is_towards_peer { "→" } else { "←" }),
        None => line.process.clone(),
    };
    let seq = format!("#{}", line.seq.0);
    let at = crate::model::time::show_ns(line.at_ns);
    let head = format!("{seq:>7} {at:>9}  ");
    let what_padded = format!("{what:<18}");
    let tail = format!("  {who}  {}", line.detail);
    let room = options
        .width
        .map_or(usize::MAX - 1, usize::from)
        .saturating_sub(head.chars().count() + what_padded.chars().count());
    let tail = escape::bounded(tail.trim_end(), room.max(10));
    match tone::of_word(&line.kind).or_else(|| tone::of_word(&line.class)).filter(|_| options.is_coloured) {
        Some(color) => format!("\x1b[2m{head}\x1b[0m{}{what_padded}\x1b[0m{tail}", tone::sgr(color)),
        None if options.is_coloured => format!("\x1b[2m{head}\x1b[0m{what_padded}{tail}"),
        None => format!("{head}{what_padded}{tail}"),
    }
}
