//! The terminal as a place: is it one, how wide, in colour or not; raw mode that always ends.
//! It must not know what is shown.

use std::io::IsTerminal;

use crossterm::style::ContentStyle;

/// Columns of a terminal that does not say.
const WIDTH_DEFAULT: u16 = 100;

/// What standard input and output are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub is_input_terminal: bool,
    pub is_output_terminal: bool,
    pub has_color: bool,
    /// Columns; `None` when output is no terminal, and lines may have any length.
    pub width: Option<u16>,
}

impl Place {
    /// Looks at the standard streams; `NO_COLOR`, `TERM=dumb` and the flag turn colours off.
    pub fn detect(no_color: bool) -> Place {
        let is_output_terminal = std::io::stdout().is_terminal();
        let is_refused = no_color
            || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        let width = || crossterm::terminal::size().map_or(WIDTH_DEFAULT, |(columns, _)| columns);
        Place {
            is_input_terminal: std::io::stdin().is_terminal(),
            is_output_terminal,
            has_color: is_output_terminal && !is_refused,
            width: is_output_terminal.then(width),
        }
    }
    /// Whether a person sits in front of it, who reads and types.
    pub fn is_interactive(self) -> bool {
        self.is_input_terminal && self.is_output_terminal
    }
}

/// Raw mode for as long as this lives; it ends also when a panic unwinds.
pub struct RawMode(());

impl RawMode {
    pub fn enter() -> std::io::Result<RawMode> {
        crossterm::terminal::enable_raw_mode()?;
        Ok(RawMode(()))
    }
}
impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

/// Ends raw mode, if it is on. Errors are of no use to anyone at this point.
pub fn restore() {
    let _ = crossterm::terminal::disable_raw_mode();
}

/// `text` in a style where colours are wanted, plain elsewhere.
pub fn paint(has_color: bool, style: ContentStyle, text: &str) -> String {
    if has_color { style.apply(text).to_string() } else { text.to_string() }
}
