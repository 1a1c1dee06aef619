//! The literals of terms: numbers, quoted text, binaries and identities. It must not know
//! compound terms.

use num_bigint::BigInt;

use super::{ParseError, Parser};
use crate::model::pid::{Origin, Pid, Port, Reference};
use crate::model::term::{Bits, Term};

impl<'t> Parser<'t> {
    pub(super) fn number(&mut self) -> Result<Term, ParseError> {
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

    /// The text between `quote`s, with its escapes resolved.
    pub(super) fn quoted(&mut self, quote: char) -> Result<String, ParseError> {
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
    pub(super) fn character(&mut self) -> Result<Term, ParseError> {
        self.at += 1;
        let Some(c) = self.peek() else { return Err(self.error("expected a character")) };
        self.at += c.len_utf8();
        let c = if c == '\\' { self.escaped()? } else { c };
        Ok(Term::Int(i64::from(u32::from(c))))
    }

    /// `<<1,2:3,"text">>`; text is UTF-8 with and without `/utf8` when it is not ASCII.
    pub(super) fn binary(&mut self) -> Result<Term, ParseError> {
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

    pub(super) fn pid(&mut self, prefix: &str) -> Result<Term, ParseError> {
        let start = self.at;
        self.at += prefix.len();
        match self.identity::<u32>()?[..] {
            [id, serial] => Ok(Term::Pid(Pid { serial, id, origin: Origin::LOCAL })),
            _ => Err(ParseError::at(self.text, start, "a pid is <0.N.N>")),
        }
    }

    pub(super) fn port(&mut self) -> Result<Term, ParseError> {
        let start = self.at;
        match self.identity::<u64>()?[..] {
            [id] => Ok(Term::Port(Port { id_high: (id >> 32) as u32, id_low: id as u32, origin: Origin::LOCAL })),
            _ => Err(ParseError::at(self.text, start, "a port is #Port<0.N>")),
        }
    }

    pub(super) fn reference(&mut self) -> Result<Term, ParseError> {
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
}
