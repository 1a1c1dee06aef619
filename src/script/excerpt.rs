//! The line of a script with a caret under the place. It must not know what went wrong there.

use rhai::Position;

use super::sources::Sources;

/// Lines typed into the shell count on in one text of this name, so that a position stays true for
/// functions of earlier lines.
pub(super) const SHELL_SOURCE: &str = "<shell>";

/// The source of an argument's text: its name for the user, and a number, since closures are kept with their texts.
pub(super) fn argument_source(name: &str, n: u64) -> String {
    format!("<{name} {n}>")
}

fn argument_name(source: &str) -> Option<&str> {
    Some(source.strip_prefix('<')?.strip_suffix('>')?.split_once(' ')?.0)
}

/// A position in a named script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub source: String,
    pub line: usize,
    /// From 1; 0 when only the line is known.
    pub column: usize,
}

impl Place {
    /// `None` when the position says nothing.
    pub(super) fn new(source: &str, position: Position) -> Option<Place> {
        // An argument is evaluated within a call, which has the line before.
        let line = position.line()? - usize::from(argument_name(source).is_some());
        Some(Place { source: source.to_string(), line, column: position.position().unwrap_or(0) })
    }

    /// `examples/bank/main.rhai:12:9`; nothing for what was typed.
    pub(super) fn label(&self) -> Option<String> {
        match self.source.as_str() {
            SHELL_SOURCE => None,
            source => argument_name(source)
                .or(Some(source))
                .map(|source| format!("{source}:{}:{}", self.line, self.column.max(1))),
        }
    }

    /// Where it is, the line, and a caret under the word. Empty when the text is not known.
    pub(super) fn show(&self, sources: &Sources) -> String {
        let mut shown = String::new();
        if let Some(label) = self.label() {
            shown.push_str(&format!("\n  --> {label}"));
        }
        let Some(line) = sources.line(&self.source, self.line) else { return shown };
        let gutter = if self.source == SHELL_SOURCE { String::new() } else { self.line.to_string() };
        let (text, column) = window(&line, self.column);
        shown.push_str(&format!("\n{gutter:>4} | {text}"));
        if column > 0 {
            let carets = "^".repeat(word_length(&text, column));
            shown.push_str(&format!("\n     | {}{carets}", " ".repeat(column - 1)));
        }
        shown
    }
}

/// Characters of a line that an error shows.
const SHOWN_CHARS: usize = 110;

/// The part of a long line around `column`, with control characters replaced, and the column in it.
fn window(line: &str, column: usize) -> (String, usize) {
    let chars: Vec<char> = line.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let column = column.min(chars.len() + 1);
    let start = column.saturating_sub(SHOWN_CHARS * 2 / 3);
    let end = (start + SHOWN_CHARS).min(chars.len());
    let mut text: String = chars[start.min(end)..end].iter().collect();
    if end < chars.len() {
        text.push('…');
    }
    if start == 0 { (text, column) } else { (format!("…{text}"), column - start + 1) }
}

/// The length of the word or sign that begins at `column` (from 1).
fn word_length(text: &str, column: usize) -> usize {
    let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
    text.chars().skip(column - 1).take_while(is_word).count().max(1)
}
