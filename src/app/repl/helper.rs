//! What the line editor asks while the user types: completion, hints, colours, whether the input is whole.
//! It must not know the session: names come as published.

use std::borrow::Cow;

use crossterm::style::{ContentStyle, Stylize};
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::complete;
use super::lex::{self, Class, Token};
use crate::app::worker::PublishedNames;

/// Completion, hints, highlighting and validation for the line editor.
pub struct LineHelper {
    names: PublishedNames,
    history: HistoryHinter,
}

impl LineHelper {
    pub fn new(names: PublishedNames) -> LineHelper {
        LineHelper { names, history: HistoryHinter::new() }
    }
}

impl Helper for LineHelper {}

impl Completer for LineHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(complete::complete(line, pos, &self.names.get()))
    }
}

/// Faint text behind the cursor; `insert` is what the right arrow takes over.
pub struct LineHint {
    display: String,
    insert: Option<String>,
}

impl rustyline::hint::Hint for LineHint {
    fn display(&self) -> &str {
        &self.display
    }
    fn completion(&self) -> Option<&str> {
        self.insert.as_deref()
    }
}

impl Hinter for LineHelper {
    type Hint = LineHint;

    fn hint(&self, line: &str, pos: usize, ctx: &Context<'_>) -> Option<LineHint> {
        if pos < line.len() {
            return None;
        }
        if let Some(display) = complete::parameters(line, &self.names.get()) {
            return Some(LineHint { display, insert: None });
        }
        let rest = self.history.hint(line, pos, ctx)?;
        // A hint of several lines would push the prompt around.
        let is_short = !rest.contains('\n');
        is_short.then(|| LineHint { display: rest.clone(), insert: Some(rest) })
    }
}

impl Highlighter for LineHelper {
    fn highlight<'l>(&self, line: &'l str, pos: usize) -> Cow<'l, str> {
        let tokens = lex::tokens(line);
        let under = lex::partner(&tokens, pos).or_else(|| lex::partner(&tokens, pos.checked_sub(1)?));
        let names = self.names.get();
        let plain = ContentStyle::new();
        let style = |token: &Token| match token.class {
            Class::Comment => Some(plain.dim()),
            Class::Text { .. } => Some(plain.dark_green()),
            Class::Number => Some(plain.dark_magenta()),
            Class::Keyword => Some(plain.dark_blue()),
            Class::Name if names.overloads(&line[token.range.clone()]).next().is_some() => Some(plain.dark_cyan()),
            Class::Open | Class::Close if under.as_ref() == Some(&token.range) => Some(plain.bold()),
            _ => None,
        };
        Cow::Owned(paint(line, &tokens, style))
    }
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(hint.dim().to_string())
    }
    fn highlight_char(&self, _line: &str, _pos: usize, kind: CmdKind) -> bool {
        kind != CmdKind::ForcedRefresh
    }
}

/// `line` with its tokens styled; its visible width stays.
fn paint(line: &str, tokens: &[Token], style: impl Fn(&Token) -> Option<ContentStyle>) -> String {
    let mut out = String::with_capacity(line.len() + 9 * tokens.len());
    let mut at = 0;
    for token in tokens {
        out.push_str(&line[at..token.range.start]);
        let text = &line[token.range.clone()];
        match style(token) {
            // Colours end at line breaks, or the editor's own line counting would be off.
            Some(style) => {
                let lines: Vec<String> = text.split('\n').map(|l| style.apply(l).to_string()).collect();
                out.push_str(&lines.join("\n"));
            }
            None => out.push_str(text),
        }
        at = token.range.end;
    }
    out.push_str(&line[at..]);
    out
}

impl Validator for LineHelper {
    fn validate(&self, ctx: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(if lex::is_open(ctx.input()) { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}
