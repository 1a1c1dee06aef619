//! Terms as users type them: Erlang's syntax and the basic one of Elixir. What
//! [`super::display`] writes reads back to the same term, except closures. It must not know
//! variables, operators or macros: a term is a constant.

use num_bigint::BigInt;

use super::atom::Atom;
use super::display::Syntax;
use super::limits;
use super::pid::{Origin, Pid, Port, Reference};
use super::quote;
use super::term::{Bits, Fun, Term};

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
            '0'..='9' | '-' | '+' => self.number(),
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

    fn number(&mut self) -> Result<Term, ParseError> {
        let start = self.at;
        let is_negative = self.rest().starts_with('-');
        if self.rest().starts_with(['-', '+']) {
            self.at += 1;
        }
        let bad = |parser: &Parser<'_>| ParseError::at(parser.text, start, "not a number");
        let radix_prefix = [("0x", 16), ("0b", 2), ("0o", 8)].into_iter().find(|p| self.rest().starts_with(p.0));
        let (digits, radix) = if let Some((prefix, radix)) = radix_prefix.filter(|_| self.is_elixir()) {
            self.at += prefix.len();
            (self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'), radix)
        } else {
            let digits = self.take_while(|c| c.is_ascii_digit() || c == '_');
            if self.rest().starts_with('#') && !self.is_elixir() {
                self.at += 1;
                let radix = digits.parse().ok().filter(|radix| (2..=36).contains(radix)).ok_or_else(|| bad(self))?;
                (self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'), radix)
            } else if self.rest().starts_with('.') && self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) {
                return self.fraction(start);
            } else {
                (digits, 10)
            }
        };
        let digits = digits.replace('_', "");
        let magnitude = BigInt::parse_bytes(digits.as_bytes(), radix).ok_or_else(|| bad(self))?;
        Ok(Term::integer(if is_negative { -magnitude } else { magnitude }))
    }

    /// The rest of a float whose text began at `start`.
    fn fraction(&mut self, start: usize) -> Result<Term, ParseError> {
        self.at += 1;
        self.take_while(|c| c.is_ascii_digit() || c == '_');
        if self.rest().starts_with(['e', 'E']) {
            self.at += 1;
            if self.rest().starts_with(['-', '+']) {
                self.at += 1;
            }
            self.take_while(|c| c.is_ascii_digit());
        }
        let value = self.text[start..self.at].replace('_', "").parse::<f64>();
        match value {
            Ok(value) if value.is_finite() => Ok(Term::float(value)),
            _ => Err(ParseError::at(self.text, start, "not a float")),
        }
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

    /// The text between `quote`s, with its escapes resolved.
    fn quoted(&mut self, quote: char) -> Result<String, ParseError> {
        let start = self.at;
        self.at += quote.len_utf8();
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else {
                return Err(ParseError::at(self.text, start, format!("no closing {quote}")));
            };
            self.at += c.len_utf8();
            match c {
                '\\' => text.push(self.escaped()?),
                c if c == quote => return Ok(text),
                c => text.push(c),
            }
        }
    }

    /// The character that an escape stands for, after its backslash.
    fn escaped(&mut self) -> Result<char, ParseError> {
        let start = self.at;
        let Some(c) = self.peek() else { return Err(self.error("nothing after the backslash")) };
        self.at += c.len_utf8();
        Ok(match c {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'v' => '\u{b}',
            'f' => '\u{c}',
            'e' => '\u{1b}',
            's' => ' ',
            'd' => '\u{7f}',
            'a' if self.is_elixir() => '\u{7}',
            'x' | 'u' => {
                let digits = if self.rest().starts_with('{') {
                    self.at += 1;
                    let digits = self.take_while(|c| c.is_ascii_hexdigit());
                    self.expect("}")?;
                    digits
                } else {
                    let n =
                        self.rest().bytes().take(if c == 'x' { 2 } else { 4 }).filter(u8::is_ascii_hexdigit).count();
                    let digits = &self.rest()[..n];
                    self.at += n;
                    digits
                };
                let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
                code.ok_or_else(|| ParseError::at(self.text, start, "no such character"))?
            }
            c => c,
        })
    }

    /// `$a` or `?a`.
    fn character(&mut self) -> Result<Term, ParseError> {
        self.at += 1;
        let Some(c) = self.peek() else { return Err(self.error("expected a character")) };
        self.at += c.len_utf8();
        let c = if c == '\\' { self.escaped()? } else { c };
        Ok(Term::Int(i64::from(u32::from(c))))
    }

    /// `<<1,2:3,"text">>`; text is UTF-8 with and without `/utf8` when it is not ASCII.
    fn binary(&mut self) -> Result<Term, ParseError> {
        self.at += 2;
        let mut bytes = Vec::new();
        if self.eat(">>") {
            return Ok(Term::binary(bytes));
        }
        loop {
            self.space();
            if self.peek() == Some('"') {
                bytes.extend_from_slice(self.quoted('"')?.as_bytes());
                self.eat("/utf8");
            } else {
                let at = self.at;
                let wrong = || ParseError::at(self.text, at, "expected a byte (0 to 255) or text");
                let byte = self.term_in_binary().and_then(|value| u8::try_from(value).ok());
                bytes.push(byte.ok_or_else(wrong)?);
                if let Some(last_bits) = self.bit_size()? {
                    self.expect(">>")?;
                    let last = bytes.last_mut().expect("a byte was pushed");
                    *last = last.checked_shl(u32::from(8 - last_bits)).unwrap_or(0);
                    return Ok(Term::Bits(Bits { bytes, last_bits }.into()));
                }
            }
            if self.eat(">>") {
                return Ok(Term::binary(bytes));
            }
            if !self.eat(",") {
                return Err(self.error("expected , or >>"));
            }
        }
    }

    fn term_in_binary(&mut self) -> Option<i64> {
        let digits = self.take_while(|c| c.is_ascii_digit());
        digits.parse().ok()
    }

    /// The size of the last, partial byte: `:3` or `::size(3)`.
    fn bit_size(&mut self) -> Result<Option<u8>, ParseError> {
        let is_long = self.eat("::size(");
        if !is_long && !self.eat(":") {
            return Ok(None);
        }
        let at = self.at;
        let size = self.take_while(|c| c.is_ascii_digit()).parse().ok().filter(|size| (1..=8).contains(size));
        let size = size.ok_or_else(|| ParseError::at(self.text, at, "expected a size of 1 to 8 bits"))?;
        if is_long {
            self.expect(")")?;
        }
        Ok(Some(size))
    }

    /// The dotted numbers of an identity and its closing bracket; the first, the node, is dropped.
    fn identity<N: std::str::FromStr>(&mut self) -> Result<Vec<N>, ParseError> {
        let start = self.at;
        let inside = self.take_while(|c| c.is_ascii_digit() || c == '.');
        let numbers: Result<Vec<N>, _> = inside.split('.').skip(1).map(str::parse).collect();
        let bad = ParseError::at(self.text, start, "expected numbers and dots");
        self.expect(">")?;
        numbers.map_err(|_| bad)
    }

    fn pid(&mut self, prefix: &str) -> Result<Term, ParseError> {
        let start = self.at;
        self.at += prefix.len();
        match self.identity::<u32>()?[..] {
            [id, serial] => Ok(Term::Pid(Pid { serial, id, origin: Origin::LOCAL })),
            _ => Err(ParseError::at(self.text, start, "a pid is <0.N.N>")),
        }
    }

    fn port(&mut self) -> Result<Term, ParseError> {
        let start = self.at;
        match self.identity::<u64>()?[..] {
            [id] => Ok(Term::Port(Port { id_high: (id >> 32) as u32, id_low: id as u32, origin: Origin::LOCAL })),
            _ => Err(ParseError::at(self.text, start, "a port is #Port<0.N>")),
        }
    }

    fn reference(&mut self) -> Result<Term, ParseError> {
        let start = self.at;
        let numbers = self.identity::<u32>()?;
        if !(1..=5).contains(&numbers.len()) {
            return Err(ParseError::at(self.text, start, "a reference has one to five numbers"));
        }
        let mut words = [0; 5];
        for (word, number) in words.iter_mut().zip(numbers.iter().rev()) {
            *word = *number;
        }
        let reference = Reference { origin: Origin::LOCAL, n_words: numbers.len() as u8, words };
        Ok(Term::Ref(reference.into()))
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
