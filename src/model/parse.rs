//! Terms as users type them: Erlang's syntax and the basic one of Elixir. What
//! [`super::display`] writes reads back to the same term, except closures. It must not know
//! variables, operators or macros: a term is a constant.

mod literal;

use super::atom::Atom;
use super::display::Syntax;
use super::limits;
use super::quote;
use super::sigil;
use super::term::{Fun, Term};

/// Why a text is not a term, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at column {column}")]
pub struct ParseError {
    /// Byte offset into the text.
    pub at: usize,
    /// Characters before it, plus one.
    pub column: usize,
    pub what: String,
}

impl ParseError {
    pub(super) fn at(text: &str, at: usize, what: impl Into<String>) -> ParseError {
        ParseError { at, column: text[..at].chars().count() + 1, what: what.into() }
    }
}

impl Term {
    /// Parses one whole term; Erlang's closing dot is allowed.
    pub fn parse(text: &str, syntax: Syntax) -> Result<Term, ParseError> {
        let mut parser = Parser::new(text, 0, syntax);
        let term = parser.term()?;
        if syntax == Syntax::Erlang {
            parser.eat(".");
        }
        parser.space();
        if parser.rest().is_empty() { Ok(term) } else { Err(parser.error("expected the end")) }
    }
}

/// Parses the term that begins at byte `at`; gives it and the byte after it.
pub(super) fn parse_prefix(text: &str, at: usize, syntax: Syntax) -> Result<(Term, usize), ParseError> {
    let mut parser = Parser::new(text, at, syntax);
    let term = parser.term()?;
    Ok((term, parser.at))
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    syntax: Syntax,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, at: usize, syntax: Syntax) -> Parser<'t> {
        Parser { text, at, syntax, depth: 0 }
    }

    fn error(&self, what: impl Into<String>) -> ParseError {
        ParseError::at(self.text, self.at, what)
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Takes `token` if it comes next, after white space.
    fn eat(&mut self, token: &str) -> bool {
        self.space();
        let is_next = self.rest().starts_with(token);
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    fn expect(&mut self, token: &str) -> Result<(), ParseError> {
        if self.eat(token) { Ok(()) } else { Err(self.error(format!("expected {token}"))) }
    }

    fn take_while(&mut self, is_wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let taken = &rest[..rest.find(|c| !is_wanted(c)).unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    fn word(&mut self) -> &'t str {
        self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '@')
    }

    fn atom(&self, text: &str, at: usize) -> Result<Term, ParseError> {
        Atom::try_new(text).map(Term::Atom).map_err(|error| ParseError::at(self.text, at, error.to_string()))
    }

    fn is_elixir(&self) -> bool {
        self.syntax == Syntax::Elixir
    }

    fn term(&mut self) -> Result<Term, ParseError> {
        self.space();
        if self.depth >= limits::TERM_DEPTH_MAX {
            let what = limits::tripped("TERM_DEPTH_MAX", limits::TERM_DEPTH_MAX, "nest the term less");
            return Err(self.error(what));
        }
        self.depth += 1;
        let term = self.any_term()?;
        self.depth -= 1;
        Ok(term)
    }

    fn any_term(&mut self) -> Result<Term, ParseError> {
        let start = self.at;
        let Some(first) = self.peek() else { return Err(self.error("expected a term, found the end")) };
        match first {
            '0'..='9' | '-' | '+' => self.number_or_range(),
            '{' => {
                self.at += 1;
                Ok(Term::tuple(self.items("}")?))
            }
            '[' => self.list(),
            '<' if self.rest().starts_with("<<") => self.binary(),
            '<' => self.pid("<"),
            '#' if self.eat("#{") => self.map("}"),
            '#' if self.eat("#Ref<") || self.eat("#Reference<") => self.reference(),
            '#' if self.eat("#Port<") => self.port(),
            '#' if self.rest().starts_with("#PID<") => self.pid("#PID<"),
            '"' => self.text_literal(),
            '\'' => {
                let text = self.quoted('\'')?;
                if self.is_elixir() { Ok(char_list(&text)) } else { self.atom(&text, start) }
            }
            '$' if !self.is_elixir() => self.character(),
            _ if self.is_elixir() => self.elixir_term(first),
            c if c.is_lowercase() => self.erlang_word(),
            c if c.is_uppercase() || c == '_' => Err(self.error("a variable is not a term")),
            _ => Err(self.error("expected a term")),
        }
    }

    fn erlang_word(&mut self) -> Result<Term, ParseError> {
        let start = self.at;
        match self.word() {
            "fun" => self.external_fun(":"),
            word => self.atom(word, start),
        }
    }

    /// What only Elixir has.
    fn elixir_term(&mut self, first: char) -> Result<Term, ParseError> {
        let start = self.at;
        match first {
            ':' => {
                self.at += 1;
                self.elixir_name()
            }
            '%' if self.eat("%{") => self.map("}"),
            '%' => {
                self.at += 1;
                let module = self.elixir_alias()?;
                self.expect("{")?;
                let Term::Map(fields) = self.map("}")? else { unreachable!("map gives maps") };
                Ok(Term::Map(fields.with(Term::atom("__struct__"), module).into()))
            }
            '~' if self.rest().starts_with("~c\"") => {
                self.at += 2;
                Ok(char_list(&self.quoted('"')?))
            }
            '~' => self.sigil(),
            '?' => self.character(),
            '&' => {
                self.at += 1;
                self.external_fun(".")
            }
            c if c.is_ascii_uppercase() => self.elixir_alias(),
            _ => match self.word() {
                word @ ("nil" | "true" | "false") => self.atom(word, start),
                _ => {
                    self.at = start;
                    Err(self.error("expected a term; an atom begins with a colon"))
                }
            },
        }
    }

    /// A date, a time or both.
    fn sigil(&mut self) -> Result<Term, ParseError> {
        let start = self.at;
        let (Some(letter), Some('[')) = (self.rest().chars().nth(1), self.rest().chars().nth(2)) else {
            return Err(self.error("expected ~c\"..\", ~D[..], ~T[..], ~N[..] or ~U[..]"));
        };
        self.at += 2 + letter.len_utf8();
        let content = self.take_while(|c| c != ']');
        if !self.eat("]") {
            return Err(ParseError::at(self.text, start, "no closing ]"));
        }
        let not_one = || ParseError::at(self.text, start, "not a date, time or date with time");
        sigil::read(letter, content).ok_or_else(not_one)
    }

    fn number_or_range(&mut self) -> Result<Term, ParseError> {
        let first = self.number()?;
        let (true, Some(first_int)) = (self.is_elixir() && self.rest().starts_with(".."), first.as_int()) else {
            return Ok(first);
        };
        let last = self.bound("..")?;
        let step = if self.rest().starts_with("//") { Some(self.bound("//")?) } else { None };
        Ok(sigil::range(first_int, last, step))
    }

    /// The number behind a range's mark.
    fn bound(&mut self, mark: &str) -> Result<i64, ParseError> {
        self.at += mark.len();
        let start = self.at;
        self.number()?.as_int().ok_or_else(|| ParseError::at(self.text, start, "expected a small integer"))
    }

    /// An atom after its colon.
    fn elixir_name(&mut self) -> Result<Term, ParseError> {
        let start = self.at;
        if self.peek() == Some('"') {
            let text = self.quoted('"')?;
            return self.atom(&text, start);
        }
        let word = self.word();
        let word = if self.rest().starts_with(['?', '!']) {
            self.at += 1;
            &self.text[start..self.at]
        } else {
            word
        };
        if word.is_empty() { Err(self.error("expected an atom's name")) } else { self.atom(word, start) }
    }

    fn elixir_alias(&mut self) -> Result<Term, ParseError> {
        let start = self.at;
        let mut alias = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        // In `&Enum.map/2` the last part is the function.
        if let Some(dot) = alias.find('.').filter(|_| quote::elixir_alias(&format!("Elixir.{alias}")).is_none()) {
            let n_parts = alias.split('.').take_while(|part| part.starts_with(|c: char| c.is_ascii_uppercase()));
            let n_bytes = n_parts.map(|part| part.len() + 1).sum::<usize>().max(dot + 1) - 1;
            alias = &alias[..n_bytes];
            self.at = start + n_bytes;
        }
        if !alias.starts_with(|c: char| c.is_ascii_uppercase()) {
            return Err(ParseError::at(self.text, start, "expected a module"));
        }
        self.atom(&format!("Elixir.{alias}"), start)
    }

    /// Terms between commas, up to `close`.
    fn items(&mut self, close: &str) -> Result<Vec<Term>, ParseError> {
        let mut items = Vec::new();
        if self.eat(close) {
            return Ok(items);
        }
        loop {
            items.push(self.term()?);
            if self.eat(close) {
                return Ok(items);
            }
            if !self.eat(",") {
                return Err(self.error(format!("expected , or {close}")));
            }
        }
    }

    fn list(&mut self) -> Result<Term, ParseError> {
        self.at += 1;
        let mut items = Vec::new();
        if self.eat("]") {
            return Ok(Term::Nil);
        }
        loop {
            items.push(match self.keyword()? {
                Some(key) => Term::tuple([key, self.term()?]),
                None => self.term()?,
            });
            if self.eat("|") {
                let tail = self.term()?;
                self.expect("]")?;
                return Ok(Term::improper(items, tail));
            }
            if self.eat("]") {
                return Ok(Term::list(items));
            }
            if !self.eat(",") {
                return Err(self.error("expected , or | or ]"));
            }
        }
    }

    /// Elixir's `key:` before a value, if it comes next.
    fn keyword(&mut self) -> Result<Option<Term>, ParseError> {
        self.space();
        let start = self.at;
        if !self.is_elixir() || !self.rest().starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '"') {
            return Ok(None);
        }
        let name = if self.peek() == Some('"') { self.quoted('"')? } else { self.keyword_word().to_string() };
        let is_keyword = self.rest().starts_with(':') && !self.rest().starts_with("::");
        if !is_keyword {
            self.at = start;
            return Ok(None);
        }
        self.at += 1;
        self.atom(&name, start).map(Some)
    }

    fn keyword_word(&mut self) -> &'t str {
        let start = self.at;
        self.word();
        if self.rest().starts_with("?:") || self.rest().starts_with("!:") {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// A map's entries after its opening bracket.
    fn map(&mut self, close: &str) -> Result<Term, ParseError> {
        let mut entries = Vec::new();
        if self.eat(close) {
            return Ok(Term::map(entries));
        }
        loop {
            let entry = match self.keyword()? {
                Some(key) => (key, self.term()?),
                None => {
                    let key = self.term()?;
                    self.expect("=>")?;
                    (key, self.term()?)
                }
            };
            entries.push(entry);
            if self.eat(close) {
                return Ok(Term::map(entries));
            }
            if !self.eat(",") {
                return Err(self.error(format!("expected , or {close}")));
            }
        }
    }

    /// A double-quoted text: a binary in Elixir, a list of characters in Erlang.
    fn text_literal(&mut self) -> Result<Term, ParseError> {
        let text = self.quoted('"')?;
        Ok(if self.is_elixir() { Term::binary(text) } else { char_list(&text) })
    }

    /// `lists:map/2` or `Enum.map/2`, with `separator` between module and function.
    fn external_fun(&mut self, separator: &str) -> Result<Term, ParseError> {
        let module = self.term()?;
        self.expect(separator)?;
        self.space();
        let start = self.at;
        let function = match self.peek() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
            _ if self.is_elixir() => {
                self.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '@' | '?' | '!')).to_string()
            }
            _ => self.word().to_string(),
        };
        let function = self.atom(&function, start)?;
        self.expect("/")?;
        let arity = self.take_while(|c| c.is_ascii_digit()).parse();
        match (module, function, arity) {
            (Term::Atom(module), Term::Atom(function), Ok(arity)) => {
                Ok(Term::Fun(Fun::External { module, function, arity }.into()))
            }
            _ => Err(ParseError::at(self.text, start, "expected module, function and arity")),
        }
    }
}

fn char_list(text: &str) -> Term {
    Term::list(text.chars().map(|c| Term::Int(i64::from(u32::from(c)))).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
