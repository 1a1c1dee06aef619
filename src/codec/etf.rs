//! The External Term Format: bytes to terms and back (ERTS User's Guide, "External Term Format").
//!
//! Reads every tag that OTP 17 to 28 emits outside the distribution header, writes the ones that
//! OTP 26 writes. Bytes are not trusted: a length never allocates more than the bytes that are
//! left justify, and nesting beyond [`limits::TERM_DEPTH_MAX`] is [`Defect::TooDeep`], which is no
//! damage: the bytes are legal and [`super::walk`] reads them. It must not know where bytes come from.

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;

use super::read::Reader;
use super::{tags, write};
use crate::model::atom::AtomError;
use crate::model::term::{Bits, Fun, LocalFun, Map};
use crate::model::{Atom, Term, limits};

/// The byte that begins every external term.
pub const VERSION: u8 = tags::VERSION;

/// What is wrong with external term bytes, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub struct EtfError {
    /// Position in the bytes that were given.
    pub offset: usize,
    pub what: Defect,
}

/// The sorts of defect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    #[error("the term ends {n_missing} bytes too early")]
    Truncated { n_missing: usize },
    #[error("not an external term: it begins with {found}, not 131")]
    NotVersion { found: u8 },
    #[error("unknown tag {tag}")]
    Tag { tag: u8 },
    #[error("expected {expected}, found tag {tag}")]
    Expected { expected: &'static str, tag: u8 },
    #[error("{n_terms} terms cannot be in {n_left} bytes")]
    Claim { n_terms: u64, n_left: usize },
    #[error("too deep: limit TERM_DEPTH_MAX ({})", limits::TERM_DEPTH_MAX)]
    TooDeep,
    #[error("an atom is not UTF-8")]
    AtomUtf8,
    #[error("{0}")]
    Atom(AtomError),
    #[error("more than 65536 node incarnations")]
    Nodes,
    #[error("a reference of {n_words} words")]
    RefWords { n_words: usize },
    #[error("a float that is not finite")]
    Float,
    #[error("{last_bits} bits in the last byte of a bitstring")]
    LastBits { last_bits: u8 },
    #[error("a key twice in one map")]
    DuplicateKey,
    #[error("a fun whose size is wrong")]
    FunSize,
    #[error("{n_bytes} bytes after the term")]
    Trailing { n_bytes: usize },
    #[error("the compressed term is damaged")]
    Zlib,
    #[error(
        "limit TERM_INFLATED_BYTES_MAX ({}): the term inflates to {n_bytes} bytes",
        limits::TERM_INFLATED_BYTES_MAX
    )]
    InflatedSize { n_bytes: usize },
    #[error("the term is compressed")]
    Compressed,
    #[error("in the compressed term: {0},")]
    Inside(Box<EtfError>),
}

impl EtfError {
    /// Whether the bytes are legal and only nested beyond what is built as a tree.
    pub fn is_too_deep(&self) -> bool {
        match &self.what {
            Defect::TooDeep => true,
            Defect::Inside(inner) => inner.is_too_deep(),
            _ => false,
        }
    }
}

/// Decodes one term, version byte 131 first; trailing bytes are an error.
pub fn decode(bytes: &[u8]) -> Result<Term, EtfError> {
    let (term, n_used) = decode_prefix(bytes)?;
    match bytes.len() - n_used {
        0 => Ok(term),
        n_bytes => Err(EtfError { offset: n_used, what: Defect::Trailing { n_bytes } }),
    }
}

/// Decodes the term at the start of `bytes` (131 first); gives it and the number of bytes it took.
pub fn decode_prefix(bytes: &[u8]) -> Result<(Term, usize), EtfError> {
    if bytes.starts_with(&[tags::VERSION, tags::COMPRESSED]) {
        let (inflated, n_used) = inflate(bytes)?;
        let inside = |error| EtfError { offset: n_used, what: Defect::Inside(Box::new(error)) };
        return Ok((decode(&inflated).map_err(inside)?, n_used));
    }
    let mut reader = Reader::new(bytes, 0);
    reader.version()?;
    decode_bare(bytes, 1)
}

/// Decodes the term without version byte at `offset`; gives it and the offset after it.
pub(super) fn decode_bare(bytes: &[u8], offset: usize) -> Result<(Term, usize), EtfError> {
    let mut decoder = Decoder { reader: Reader::new(bytes, offset), n_owed: 1, depth: 0 };
    let term = decoder.term()?;
    Ok((term, decoder.reader.at))
}

/// The bytes of a term, version byte first, uncompressed if they were compressed (`131, 80, ..`).
pub fn plain(bytes: &[u8]) -> Result<Cow<'_, [u8]>, EtfError> {
    if bytes.starts_with(&[tags::VERSION, tags::COMPRESSED]) {
        Ok(Cow::Owned(inflate(bytes)?.0))
    } else {
        Ok(Cow::Borrowed(bytes))
    }
}

/// Inflates a compressed term; gives its bytes, version byte first, and the bytes it took.
fn inflate(bytes: &[u8]) -> Result<(Vec<u8>, usize), EtfError> {
    let mut reader = Reader::new(bytes, 2);
    let n_bytes = reader.len32()?;
    if n_bytes > limits::TERM_INFLATED_BYTES_MAX {
        return Err(EtfError { offset: 2, what: Defect::InflatedSize { n_bytes } });
    }
    // Grows as the data proves itself: the size is only a claim.
    let mut inflated = Vec::with_capacity(n_bytes.min(1 << 16) + 1);
    inflated.push(tags::VERSION);
    let mut zlib = flate2::bufread::ZlibDecoder::new(&bytes[reader.at..]);
    let read = (&mut zlib).take(n_bytes as u64 + 1).read_to_end(&mut inflated);
    match read {
        Ok(n) if n == n_bytes => Ok((inflated, reader.at + zlib.total_in() as usize)),
        _ => Err(reader.error(Defect::Zlib)),
    }
}

/// Appends `term` with the version byte 131.
pub fn encode(term: &Term, out: &mut Vec<u8>) {
    write::version(out);
    write::term(out, term);
}

struct Decoder<'a> {
    reader: Reader<'a>,
    /// Terms that the open compound terms still claim; each takes a byte at least.
    n_owed: usize,
    depth: usize,
}

impl Decoder<'_> {
    fn term(&mut self) -> Result<Term, EtfError> {
        self.n_owed -= 1;
        let start = self.reader.at;
        let tag = self.reader.u8()?;
        Ok(match tag {
            tags::SMALL_INTEGER => Term::Int(i64::from(self.reader.u8()?)),
            tags::INTEGER => Term::Int(i64::from(self.reader.u32()? as i32)),
            tags::SMALL_ATOM_UTF8 | tags::SMALL_ATOM | tags::ATOM | tags::ATOM_UTF8 => {
                Term::Atom(self.reader.atom(tag)?)
            }
            tags::NIL => Term::Nil,
            tags::NEW_FLOAT | tags::FLOAT => Term::float(self.reader.float(tag)?),
            tags::SMALL_BIG | tags::LARGE_BIG => Term::integer(self.reader.big(tag)?),
            tags::NEW_PID | tags::PID => Term::Pid(self.reader.pid(tag)?),
            tags::V4_PORT | tags::NEW_PORT | tags::PORT => Term::Port(self.reader.port(tag)?),
            tags::NEWER_REFERENCE | tags::NEW_REFERENCE | tags::REFERENCE => {
                Term::Ref(Arc::new(self.reader.reference(tag)?))
            }
            tags::STRING => {
                let len = usize::from(self.reader.u16()?);
                Term::list(self.reader.take(len)?.iter().map(|&byte| Term::Int(i64::from(byte))).collect::<Vec<_>>())
            }
            tags::BINARY => {
                let len = self.reader.len32()?;
                Term::binary(self.reader.take(len)?)
            }
            tags::BIT_BINARY => self.bitstring()?,
            _ => self.nested(tag, start)?,
        })
    }

    /// A term with terms inside.
    fn nested(&mut self, tag: u8, start: usize) -> Result<Term, EtfError> {
        if self.depth >= limits::TERM_DEPTH_MAX {
            return Err(EtfError { offset: start, what: Defect::TooDeep });
        }
        self.depth += 1;
        let term = match tag {
            tags::SMALL_TUPLE => {
                let arity = usize::from(self.reader.u8()?);
                Term::tuple(self.terms(arity)?)
            }
            tags::LARGE_TUPLE => {
                let arity = self.reader.len32()?;
                Term::tuple(self.terms(arity)?)
            }
            tags::LIST => self.list()?,
            tags::MAP => self.map()?,
            tags::EXPORT => self.export()?,
            tags::NEW_FUN => self.fun()?,
            tags::FUN => self.old_fun()?,
            tag => return Err(EtfError { offset: start, what: Defect::Tag { tag } }),
        };
        self.depth -= 1;
        Ok(term)
    }

    /// Notes that `n` terms follow, unless the bytes left cannot hold them.
    fn owe(&mut self, n: usize) -> Result<(), EtfError> {
        let n_left = self.reader.n_left();
        self.n_owed = self.n_owed.saturating_add(n);
        if self.n_owed > n_left {
            return Err(self.reader.error(Defect::Claim { n_terms: self.n_owed as u64, n_left }));
        }
        Ok(())
    }

    fn terms(&mut self, n: usize) -> Result<Vec<Term>, EtfError> {
        self.owe(n)?;
        let mut items = Vec::with_capacity(n);
        for _ in 0..n {
            items.push(self.term()?);
        }
        Ok(items)
    }

    fn bitstring(&mut self) -> Result<Term, EtfError> {
        let len = self.reader.len32()?;
        let last_bits = self.reader.u8()?;
        let mut bytes = self.reader.take(len)?.to_vec();
        let Some(last) = bytes.last_mut() else { return Ok(Term::binary(bytes)) };
        if !(1..=8).contains(&last_bits) {
            return Err(self.reader.error(Defect::LastBits { last_bits }));
        }
        *last &= 0xff << (8 - last_bits);
        Ok(Term::Bits(Arc::new(Bits { bytes, last_bits })))
    }

    fn list(&mut self) -> Result<Term, EtfError> {
        let mut items = Vec::new();
        loop {
            let n = self.reader.len32()?;
            self.owe(n.saturating_add(1))?;
            items.reserve(n);
            for _ in 0..n {
                items.push(self.term()?);
            }
            // A tail that is again a list lengthens this one: no depth is spent on it.
            if self.reader.bytes.get(self.reader.at) != Some(&tags::LIST) {
                return Ok(Term::improper(items, self.term()?));
            }
            self.n_owed -= 1;
            self.reader.at += 1;
        }
    }

    fn map(&mut self) -> Result<Term, EtfError> {
        let n = self.reader.len32()?;
        self.owe(n.saturating_mul(2))?;
        let mut entries = Vec::with_capacity(n);
        for _ in 0..n {
            entries.push((self.term()?, self.term()?));
        }
        let map: Map = entries.into_iter().collect();
        if map.len() != n {
            return Err(self.reader.error(Defect::DuplicateKey));
        }
        Ok(Term::Map(Arc::new(map)))
    }

    fn atom(&mut self) -> Result<Atom, EtfError> {
        let tag = self.reader.u8()?;
        self.reader.atom(tag)
    }

    fn small_int(&mut self, expected: &'static str) -> Result<i64, EtfError> {
        let offset = self.reader.at;
        match self.reader.u8()? {
            tags::SMALL_INTEGER => Ok(i64::from(self.reader.u8()?)),
            tags::INTEGER => Ok(i64::from(self.reader.u32()? as i32)),
            tag @ (tags::SMALL_BIG | tags::LARGE_BIG) => {
                let wrong = EtfError { offset, what: Defect::Expected { expected, tag } };
                self.reader.big_as_i64(tag).ok_or(wrong)
            }
            tag => Err(EtfError { offset, what: Defect::Expected { expected, tag } }),
        }
    }

    fn arity(&mut self) -> Result<u8, EtfError> {
        let offset = self.reader.at;
        let expected = "an arity";
        let wrong = EtfError { offset, what: Defect::Expected { expected, tag: tags::INTEGER } };
        u8::try_from(self.small_int(expected)?).map_err(|_| wrong)
    }

    fn export(&mut self) -> Result<Term, EtfError> {
        let (module, function, arity) = (self.atom()?, self.atom()?, self.arity()?);
        Ok(Term::Fun(Arc::new(Fun::External { module, function, arity })))
    }

    fn fun(&mut self) -> Result<Term, EtfError> {
        let start = self.reader.at;
        let size = self.reader.len32()?;
        let arity = self.reader.u8()?;
        let uniq = self.reader.uniq()?;
        let index = self.reader.u32()?;
        let n_free = self.reader.len32()?;
        let module = self.atom()?;
        let old_index = self.small_int("a fun's index")?;
        let old_uniq = self.small_int("a fun's hash")?;
        let pid_tag = self.reader.u8()?;
        let pid = self.reader.pid(pid_tag)?;
        let free = self.terms(n_free)?;
        if self.reader.at - start != size {
            return Err(EtfError { offset: start, what: Defect::FunSize });
        }
        let fun = LocalFun { module, arity, index, uniq, old_index, old_uniq, pid, free };
        Ok(Term::Fun(Arc::new(Fun::Local(Box::new(fun)))))
    }

    /// FUN_EXT, which OTP wrote before 23; it has no arity of its own.
    fn old_fun(&mut self) -> Result<Term, EtfError> {
        let n_free = self.reader.len32()?;
        let pid_tag = self.reader.u8()?;
        let pid = self.reader.pid(pid_tag)?;
        let module = self.atom()?;
        let old_index = self.small_int("a fun's index")?;
        let old_uniq = self.small_int("a fun's hash")?;
        let free = self.terms(n_free)?;
        let fun = LocalFun { module, arity: 0, index: 0, uniq: [0; 16], old_index, old_uniq, pid, free };
        Ok(Term::Fun(Arc::new(Fun::Local(Box::new(fun)))))
    }
}

#[cfg(test)]
mod tests;
