//! Colour by meaning on a terminal: which words are alarming, which are fine. Colour never carries meaning
//! alone: the word is always there.

use comfy_table::Color;

/// The colour of a cell that holds exactly this word; `None` for ordinary words.
pub(super) fn of_word(word: &str) -> Option<Color> {
    Some(match word {
        "crash" | "dead" | "timeout" | "exit" | "noproc" | "error" | "loss" | "send_to_dead" | "killed"
        | "critical" => Color::Red,
        "late_reply" | "restarting" | "supervisor_restart" | "exit_signal" | "warning" | "down" => Color::Yellow,
        "alive" | "ok" | "received" | "spawn" => Color::Green,
        "call" => Color::Blue,
        "cast" => Color::DarkYellow,
        "reply" => Color::Cyan,
        _ => return None,
    })
}

/// The SGR code of a colour of [`of_word`], for lines that are not tables.
pub(super) fn sgr(color: Color) -> &'static str {
    match color {
        Color::Red => "\x1b[31m",
        Color::Yellow => "\x1b[93m",
        Color::Green => "\x1b[32m",
        Color::Blue => "\x1b[34m",
        Color::DarkYellow => "\x1b[33m",
        _ => "\x1b[36m",
    }
}
