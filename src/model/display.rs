//! Terms and identities as text, in Erlang's syntax (as `~p` writes it, on one line) and in
//! Elixir's (as `inspect` does). Bounded by depth and length, and safe for a terminal whatever
//! the term holds. It must not know tables, colours or where text goes.
//!
//! ```
//! # use cinema::model::{Term, display::Style};
//! let message = Term::tuple([Term::atom("set"), Term::list((0..2000).map(|n| Term::Int(n * 1000)).collect::<Vec<_>>())]);
//! assert_eq!(message.display(Style::erlang().chars_max(24)).to_string(), "{set,[0,1000,2000,3000,4000,… 1 995 more]}");
//! ```

use std::fmt::{self, Write};

use super::atom::Atom;
use super::event::{Actor, ActorId};
use super::limits;
use super::pid::{Pid, Port, Reference};
use super::quote;
use super::sigil;
use super::term::{Bits, Fun, List, Map, Term};

/// Whose syntax.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Syntax {
    #[default]
    Erlang,
    Elixir,
}

/// How much of a term is shown, and in which syntax.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    pub syntax: Syntax,
    /// Compound terms below this depth are shown as `{… 3 more}`.
    pub depth_max: usize,
    /// Characters after which no further item is begun and long items are cut; a little more comes out, to
    /// close what is open.
    pub chars_max: usize,
}

impl Style {
    /// The whole term, in Erlang's syntax, up to 64 Ki characters.
    pub const fn erlang() -> Style {
        Style { syntax: Syntax::Erlang, depth_max: limits::TERM_DEPTH_MAX, chars_max: 1 << 16 }
    }
    /// The whole term, in Elixir's syntax, up to 64 Ki characters.
    pub const fn elixir() -> Style {
        Style { syntax: Syntax::Elixir, ..Style::erlang() }
    }
    /// What fits a table cell.
    pub const fn cell(syntax: Syntax) -> Style {
        Style { syntax, depth_max: limits::SHOWN_TERM_DEPTH, chars_max: limits::SHOWN_TERM_CHARS }
    }
    pub const fn chars_max(self, chars_max: usize) -> Style {
        Style { chars_max, ..self }
    }
}

/// A term to be printed.
pub struct Shown<'t> {
    term: &'t Term,
    style: Style,
}

impl Term {
    /// The term as text in `style`. Padding flags of the formatter are ignored.
    pub fn display(&self, style: Style) -> Shown<'_> {
        Shown { term: self, style }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer { out: f, syntax: self.style.syntax, n_left: self.style.chars_max };
        printer.term(self.term, self.style.depth_max)
    }
}
impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.display(Style::erlang()), f)
    }
}

/// Characters of an atom, number or identity that are shown even where there is no room.
const SHORT_LEAF_CHARS: usize = 24;

/// Writes and counts; `n_left` characters may still begin something.
struct Printer<'f, 'g> {
    out: &'f mut fmt::Formatter<'g>,
    syntax: Syntax,
    n_left: usize,
}

impl Printer<'_, '_> {
    fn text(&mut self, text: &str) -> fmt::Result {
        self.n_left = self.n_left.saturating_sub(text.chars().count());
        self.out.write_str(text)
    }

    /// A text that has no parts: cut when it is long and there is no room.
    fn leaf(&mut self, text: &str) -> fmt::Result {
        let n_fit = self.n_left.max(SHORT_LEAF_CHARS);
        match text.char_indices().nth(n_fit) {
            None => self.text(text),
            Some((end, _)) => {
                self.text(&text[..end])?;
                self.text("…")
            }
        }
    }

    fn is_elixir(&self) -> bool {
        self.syntax == Syntax::Elixir
    }

    fn comma(&mut self) -> fmt::Result {
        self.text(if self.is_elixir() { ", " } else { "," })
    }

    fn term(&mut self, term: &Term, depth: usize) -> fmt::Result {
        match term {
            Term::Atom(atom) => self.leaf(&atom_text(*atom, self.syntax)),
            Term::Int(value) => self.leaf(&value.to_string()),
            // Decimal digits cost the square of the length.
            Term::Big(value) if value.bits() > 1 << 16 => {
                self.leaf(&format!("(integer of {} bits)", quote::grouped(value.bits())))
            }
            Term::Big(value) => self.leaf(&value.to_string()),
            Term::Float(value) => self.leaf(&quote::float(value.0)),
            Term::Bits(bits) => self.bits(bits),
            Term::Tuple(items) => self.sequence("{", items, "}", depth, Self::term),
            Term::Nil => self.text("[]"),
            Term::List(list) => self.list(list, depth),
            Term::Map(map) => self.map(map, depth),
            Term::Pid(pid) => self.leaf(&pid_text(*pid, self.syntax)),
            Term::Port(port) => self.leaf(&port.to_string()),
            Term::Ref(reference) => self.leaf(&reference_text(reference, self.syntax)),
            Term::Fun(fun) => self.leaf(&fun_text(fun, self.syntax)),
        }
    }

    /// Items between brackets, as many as fit.
    fn sequence<T>(
        &mut self,
        open: &str,
        items: &[T],
        close: &str,
        depth: usize,
        mut show: impl FnMut(&mut Self, &T, usize) -> fmt::Result,
    ) -> fmt::Result {
        self.text(open)?;
        for (idx, item) in items.iter().enumerate() {
            if idx > 0 {
                self.comma()?;
            }
            if depth == 0 || self.n_left == 0 {
                self.more(items.len() - idx)?;
                break;
            }
            show(self, item, depth - 1)?;
        }
        self.text(close)
    }

    fn more(&mut self, n: usize) -> fmt::Result {
        self.text(&format!("… {} more", quote::grouped(n as u64)))
    }

    fn list(&mut self, list: &List, depth: usize) -> fmt::Result {
        if list.tail != Term::Nil {
            self.sequence("[", &list.items, "", depth, Self::term)?;
            self.text(if self.is_elixir() { " | " } else { "|" })?;
            if depth == 0 || self.n_left == 0 {
                self.text("…")?;
            } else {
                self.term(&list.tail, depth - 1)?;
            }
            return self.text("]");
        }
        let is_elixir = self.is_elixir();
        if list.is_text(self.syntax) {
            if is_elixir {
                self.text("~c")?;
            }
            let chars = list.items.iter().filter_map(|item| char_of(item, is_elixir));
            return self.quoted(chars, list.items.len());
        }
        if is_elixir && list.items.iter().all(is_keyword) {
            return self.sequence("[", &list.items, "]", depth, |printer, item, depth| match item.as_tuple() {
                Some([key, value]) => printer.entry(key, value, depth),
                _ => printer.term(item, depth),
            });
        }
        self.sequence("[", &list.items, "]", depth, Self::term)
    }

    fn map(&mut self, map: &Map, depth: usize) -> fmt::Result {
        let show = |printer: &mut Self, entry: &(Term, Term), depth| printer.entry(&entry.0, &entry.1, depth);
        if !self.is_elixir() {
            return self.sequence("#{", map.entries(), "}", depth, show);
        }
        if let Some(text) = sigil::written(map) {
            return self.leaf(&text);
        }
        match map.get_atom("__struct__").and_then(Term::as_atom) {
            Some(module) => {
                let fields: Vec<_> = map.entries().iter().filter(|e| !e.0.is_atom("__struct__")).cloned().collect();
                let open = format!("%{}{{", atom_text(module, Syntax::Elixir));
                self.sequence(&open, &fields, "}", depth, show)
            }
            None => {
                // Elixir wants `key: value` pairs after all `key => value` ones.
                let is_short = |key: &Term| key.as_atom().is_some_and(|atom| keyword_text(atom).is_some());
                let is_mixed =
                    map.entries().iter().any(|e| is_short(&e.0)) && map.entries().iter().any(|e| !is_short(&e.0));
                self.sequence("%{", map.entries(), "}", depth, |printer, (key, value), depth| {
                    if is_mixed { printer.arrow(key, value, depth) } else { printer.entry(key, value, depth) }
                })
            }
        }
    }

    /// `key => value`, or Elixir's `key: value` for an atom.
    fn entry(&mut self, key: &Term, value: &Term, depth: usize) -> fmt::Result {
        match key.as_atom().filter(|_| self.is_elixir()).and_then(keyword_text) {
            Some(word) => {
                self.text(&word)?;
                self.text(" ")?;
                self.term(value, depth)
            }
            None => self.arrow(key, value, depth),
        }
    }

    fn arrow(&mut self, key: &Term, value: &Term, depth: usize) -> fmt::Result {
        self.term(key, depth)?;
        self.text(" => ")?;
        self.term(value, depth)
    }

    fn bits(&mut self, bits: &Bits) -> fmt::Result {
        let text = std::str::from_utf8(&bits.bytes).ok().filter(|text| bits.last_bits == 8 && is_text(text));
        match text {
            Some(text) if self.is_elixir() => self.quoted(text.chars(), text.chars().count()),
            Some("") => self.text("<<>>"),
            Some(text) => {
                self.text("<<")?;
                self.quoted(text.chars(), text.chars().count())?;
                self.text(if text.is_ascii() { ">>" } else { "/utf8>>" })
            }
            None => {
                let last = bits.bytes.len().saturating_sub(1);
                let numbered: Vec<(usize, u8)> = bits.bytes.iter().copied().enumerate().collect();
                self.sequence("<<", &numbered, ">>", 1, |printer, (idx, byte), _| match bits.last_bits {
                    n_bits @ 1..8 if *idx == last => {
                        let value = byte >> (8 - n_bits);
                        let size = if printer.is_elixir() { format!("::size({n_bits})") } else { format!(":{n_bits}") };
                        printer.text(&format!("{value}{size}"))
                    }
                    _ => printer.text(&byte.to_string()),
                })
            }
        }
    }

    /// Text in double quotes, as much of it as fits.
    fn quoted(&mut self, chars: impl Iterator<Item = char>, n_chars: usize) -> fmt::Result {
        let mut text = String::from("\"");
        let mut n_done = 0;
        let mut last = ' ';
        // Escapes lengthen the text, so the length is taken from it, not from the characters.
        for c in chars.take(self.n_left) {
            if text.len() > self.n_left.saturating_mul(4) {
                break;
            }
            if self.is_elixir() && last == '#' && c == '{' {
                text.insert(text.len() - 1, '\\');
            }
            quote::push_escaped(&mut text, c, '"', self.syntax);
            last = c;
            n_done += 1;
        }
        text.push('"');
        self.text(&text)?;
        if n_done < n_chars { self.more(n_chars - n_done) } else { Ok(()) }
    }
}

impl List {
    /// Whether it prints as text, in quotes, rather than item by item.
    pub fn is_text(&self, syntax: Syntax) -> bool {
        let is_elixir = syntax == Syntax::Elixir;
        self.tail == Term::Nil && self.items.iter().all(|item| char_of(item, is_elixir).is_some())
    }
}

/// The character that a list item is, where a list of such items prints as text (`io_lib:printable_list/1`,
/// `List.ascii_printable?/1`).
fn char_of(item: &Term, is_elixir: bool) -> Option<char> {
    match item {
        Term::Int(value @ (8..=13 | 27 | 32..=126)) => char::from_u32(*value as u32),
        Term::Int(7) if is_elixir => Some('\u{7}'),
        Term::Int(value @ 160..=255) if !is_elixir => char::from_u32(*value as u32),
        _ => None,
    }
}

/// Whether a binary reads as text: printable characters and the usual white space.
fn is_text(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() || matches!(c, '\u{8}'..='\u{d}' | '\u{1b}'))
}

/// Whether an item makes its list a keyword list.
fn is_keyword(item: &Term) -> bool {
    matches!(item.as_tuple(), Some([Term::Atom(key), _]) if keyword_text(*key).is_some())
}

/// `key:`, for keys that Elixir writes so.
fn keyword_text(key: Atom) -> Option<String> {
    let text = key.as_str();
    if quote::is_bare_in_elixir(text) {
        return Some(format!("{text}:"));
    }
    quote::elixir_alias(text).is_none().then(|| format!("{}:", quote::quoted(text, '"', Syntax::Elixir)))
}

fn atom_text(atom: Atom, syntax: Syntax) -> String {
    let text = atom.as_str();
    match syntax {
        Syntax::Erlang if quote::is_bare_in_erlang(text) => text.to_string(),
        Syntax::Erlang => quote::quoted(text, '\'', syntax),
        Syntax::Elixir if matches!(text, "nil" | "true" | "false") => text.to_string(),
        Syntax::Elixir => match quote::elixir_alias(text) {
            Some(alias) => alias.to_string(),
            None if quote::is_bare_in_elixir(text) => format!(":{text}"),
            None => format!(":{}", quote::quoted(text, '"', syntax)),
        },
    }
}

fn pid_text(pid: Pid, syntax: Syntax) -> String {
    let prefix = if syntax == Syntax::Elixir { "#PID" } else { "" };
    format!("{prefix}<0.{}.{}>", pid.id, pid.serial)
}

fn reference_text(reference: &Reference, syntax: Syntax) -> String {
    let mut text = String::from(if syntax == Syntax::Elixir { "#Reference<0" } else { "#Ref<0" });
    for word in reference.words().iter().rev() {
        write!(text, ".{word}").expect("writing to a string");
    }
    text.push('>');
    text
}

fn fun_text(fun: &Fun, syntax: Syntax) -> String {
    match (fun, syntax) {
        (Fun::External { module, function, arity }, Syntax::Erlang) => {
            format!("fun {}:{}/{arity}", atom_text(*module, syntax), atom_text(*function, syntax))
        }
        (Fun::External { module, function, arity }, Syntax::Elixir) => {
            let function = function.as_str();
            let bare = quote::is_bare_in_elixir(function);
            let function = if bare { function.to_string() } else { quote::quoted(function, '"', syntax) };
            format!("&{}.{function}/{arity}", atom_text(*module, syntax))
        }
        (Fun::Local(fun), Syntax::Erlang) => {
            format!("#Fun<{}.{}.{}>", atom_text(fun.module, syntax), fun.index, fun.old_uniq)
        }
        (Fun::Local(fun), Syntax::Elixir) => {
            format!("#Function<{}.{}/{} in {}>", fun.index, fun.old_uniq, fun.arity, atom_text(fun.module, syntax))
        }
    }
}

impl Atom {
    /// The atom as it stands in a term: quoted where needed.
    pub fn display(self, syntax: Syntax) -> String {
        atom_text(self, syntax)
    }
}

/// `<0.123.0>`. The node is not part of it.
impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&pid_text(*self, Syntax::Erlang))
    }
}
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("#Port<0.{}>", self.id()))
    }
}
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&reference_text(self, Syntax::Erlang))
    }
}

impl Actor {
    /// The pid or port; a reused one has its incarnation behind it: `<0.123.0>~1`.
    pub fn display(self, syntax: Syntax) -> String {
        let text = match self.id {
            ActorId::Pid(pid) => pid_text(pid, syntax),
            ActorId::Port(port) => port.to_string(),
        };
        match self.incarnation {
            0 => text,
            incarnation => format!("{text}~{incarnation}"),
        }
    }
}
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.display(Syntax::Erlang))
    }
}

#[cfg(test)]
mod tests;
