//! A checked cursor over external term format: bounds, leaves and skipping, shared by `etf` and
//! `walk`. It never recurses and must not know how nested terms are built.

use std::cell::RefCell;

use num_bigint::{BigInt, Sign};

use super::etf::{Defect, EtfError};
use super::extent::{atom_len, end_of_term};
use super::tags;
use crate::model::{Atom, Origin, Pid, Port, Reference};

/// A position in `bytes`; every read checks the bounds.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

thread_local! {
    /// The node incarnation read last: nearly all pids of a recording belong to one.
    static LAST_ORIGIN: RefCell<KnownOrigin> = const { RefCell::new(KnownOrigin::NONE) };
}

/// Without anything to drop, so that the thread's own is found without a look whether it is there yet.
struct KnownOrigin {
    /// The node's atom as it stood in the bytes, tag first, in the first `n_bytes`; 0 of them before there is one.
    node: [u8; NODE_BYTES_MAX],
    n_bytes: usize,
    creation: u32,
    origin: Origin,
}

/// A node whose name takes more is looked up each time.
const NODE_BYTES_MAX: usize = 128;

impl KnownOrigin {
    const NONE: KnownOrigin = KnownOrigin { node: [0; NODE_BYTES_MAX], n_bytes: 0, creation: 0, origin: Origin::LOCAL };
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Reader<'a> {
        Reader { bytes, at }
    }

    pub fn n_left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub fn error(&self, what: Defect) -> EtfError {
        EtfError { offset: self.at, what }
    }

    #[inline]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], EtfError> {
        match self.bytes[self.at..].get(..n) {
            Some(taken) => {
                self.at += n;
                Ok(taken)
            }
            None => Err(self.error(Defect::Truncated { n_missing: n - self.n_left() })),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], EtfError> {
        Ok(self.take(N)?.try_into().expect("take gives as many bytes as asked"))
    }
    #[inline]
    pub fn u8(&mut self) -> Result<u8, EtfError> {
        Ok(self.array::<1>()?[0])
    }
    #[inline]
    pub fn u16(&mut self) -> Result<u16, EtfError> {
        Ok(u16::from_be_bytes(self.array()?))
    }
    #[inline]
    pub fn u32(&mut self) -> Result<u32, EtfError> {
        Ok(u32::from_be_bytes(self.array()?))
    }
    #[inline]
    pub fn u64(&mut self) -> Result<u64, EtfError> {
        Ok(u64::from_be_bytes(self.array()?))
    }
    /// A 32-bit count or length.
    pub fn len32(&mut self) -> Result<usize, EtfError> {
        Ok(self.u32()? as usize)
    }
    pub fn uniq(&mut self) -> Result<[u8; 16], EtfError> {
        self.array()
    }

    /// Reads the version byte 131.
    pub fn version(&mut self) -> Result<(), EtfError> {
        match self.bytes.get(self.at) {
            Some(&tags::VERSION) => {
                self.at += 1;
                Ok(())
            }
            Some(&found) => Err(self.error(Defect::NotVersion { found })),
            None => Err(self.error(Defect::Truncated { n_missing: 1 })),
        }
    }

    /// Skips one term of any depth. Checks lengths and tags, not texts. About 4 ns per term inside.
    #[inline]
    pub fn skip(&mut self) -> Result<(), EtfError> {
        match end_of_term(self.bytes, self.at) {
            Some(end) => {
                self.at = end;
                Ok(())
            }
            None => self.skip_stepwise(),
        }
    }

    /// [`Reader::skip`], term by term: it knows what is wrong with one.
    #[cold]
    pub(super) fn skip_stepwise(&mut self) -> Result<(), EtfError> {
        // Terms still to skip; each takes a byte at least, so no claim exceeds the bytes left.
        let mut n_owed: u64 = 1;
        while n_owed > 0 {
            let start = self.at;
            n_owed = n_owed - 1 + self.skip_head()?;
            if n_owed > self.n_left() as u64 {
                let what = Defect::Claim { n_terms: n_owed, n_left: self.n_left() };
                return Err(EtfError { offset: start, what });
            }
        }
        Ok(())
    }

    /// Skips a leaf, or the head of a compound term; gives the number of terms inside it.
    #[inline]
    pub fn skip_head(&mut self) -> Result<u64, EtfError> {
        let start = self.at;
        let n_bytes = match self.u8()? {
            tags::NIL => return Ok(0),
            tags::SMALL_INTEGER => 1,
            tags::INTEGER => 4,
            tags::NEW_FLOAT => 8,
            tags::FLOAT => 31,
            tags::SMALL_ATOM_UTF8 | tags::SMALL_ATOM => usize::from(self.u8()?),
            tags::ATOM | tags::ATOM_UTF8 | tags::STRING => usize::from(self.u16()?),
            tags::BINARY => self.len32()?,
            tags::BIT_BINARY | tags::LARGE_BIG => self.len32()?.saturating_add(1),
            tags::SMALL_BIG => usize::from(self.u8()?) + 1,
            tags::SMALL_TUPLE => return Ok(u64::from(self.u8()?)),
            tags::LARGE_TUPLE => return Ok(u64::from(self.u32()?)),
            tags::LIST => return Ok(u64::from(self.u32()?) + 1),
            tags::MAP => return Ok(u64::from(self.u32()?) * 2),
            tags::EXPORT => return Ok(3),
            tags::FUN => return Ok(u64::from(self.u32()?) + 4),
            tags::NEW_FUN => self.fun_len()?,
            tags::NEW_PID => self.skip_node(12)?,
            tags::PID => self.skip_node(9)?,
            tags::V4_PORT => self.skip_node(12)?,
            tags::NEW_PORT => self.skip_node(8)?,
            tags::PORT | tags::REFERENCE => self.skip_node(5)?,
            tags::NEWER_REFERENCE => {
                let n_words = usize::from(self.u16()?);
                self.skip_node(4 + 4 * n_words)?
            }
            tags::NEW_REFERENCE => {
                let n_words = usize::from(self.u16()?);
                self.skip_node(1 + 4 * n_words)?
            }
            tag => return Err(EtfError { offset: start, what: Defect::Tag { tag } }),
        };
        self.take(n_bytes)?;
        Ok(0)
    }

    /// Skips the head of a closure; gives the number of terms inside it: module, two numbers, a pid, and what it holds.
    pub fn skip_fun_head(&mut self) -> Option<u64> {
        /// Tag, size, arity, uniq, index.
        const BEFORE_N_FREE: usize = 1 + 4 + 1 + 16 + 4;
        let head =
            self.bytes[self.at..].first_chunk::<{ BEFORE_N_FREE + 4 }>().filter(|head| head[0] == tags::NEW_FUN)?;
        self.at += head.len();
        Some(u64::from(u32::from_be_bytes(*head.last_chunk()?)) + 4)
    }

    /// The bytes of a NEW_FUN after its size field.
    fn fun_len(&mut self) -> Result<usize, EtfError> {
        let start = self.at;
        let size = self.len32()?;
        size.checked_sub(4).ok_or(EtfError { offset: start, what: Defect::FunSize })
    }

    /// Skips a node name and gives back how many bytes follow it.
    fn skip_node(&mut self, n_bytes: usize) -> Result<usize, EtfError> {
        self.node()?;
        Ok(n_bytes)
    }

    /// The atom that names a node, as bytes.
    #[inline]
    fn node(&mut self) -> Result<&'a [u8], EtfError> {
        let rest = &self.bytes[self.at..];
        match atom_len(rest) {
            Some(len) if len <= rest.len() => {
                self.at += len;
                Ok(&rest[..len])
            }
            _ => self.node_stepwise(),
        }
    }

    /// [`Reader::node`], field by field: it knows what is wrong.
    #[cold]
    fn node_stepwise(&mut self) -> Result<&'a [u8], EtfError> {
        let start = self.at;
        let len = match self.u8()? {
            tags::SMALL_ATOM_UTF8 | tags::SMALL_ATOM => usize::from(self.u8()?),
            tags::ATOM | tags::ATOM_UTF8 => usize::from(self.u16()?),
            tag => {
                return Err(EtfError { offset: start, what: Defect::Expected { expected: "an atom", tag } });
            }
        };
        self.take(len)?;
        Ok(&self.bytes[start..self.at])
    }

    /// The rest of an atom whose tag was `tag`.
    pub fn atom(&mut self, tag: u8) -> Result<Atom, EtfError> {
        let start = self.at;
        let text = self.atom_text(tag)?;
        let is_utf8 = matches!(tag, tags::SMALL_ATOM_UTF8 | tags::ATOM_UTF8) || text.is_ascii();
        if let Some(known) = Atom::find(text).filter(|_| is_utf8) {
            return Ok(known);
        }
        let interned = match tag {
            tags::SMALL_ATOM_UTF8 | tags::ATOM_UTF8 => match std::str::from_utf8(text) {
                Ok(text) => Atom::try_new(text),
                Err(_) => return Err(EtfError { offset: start, what: Defect::AtomUtf8 }),
            },
            _ if text.is_ascii() => Atom::try_new(std::str::from_utf8(text).expect("ASCII is UTF-8")),
            _ => Atom::try_new(&text.iter().map(|&byte| char::from(byte)).collect::<String>()),
        };
        interned.map_err(|error| EtfError { offset: start, what: Defect::Atom(error) })
    }

    /// The undecoded text of an atom whose tag was `tag`.
    pub fn atom_text(&mut self, tag: u8) -> Result<&'a [u8], EtfError> {
        let len = match tag {
            tags::SMALL_ATOM_UTF8 | tags::SMALL_ATOM => usize::from(self.u8()?),
            tags::ATOM | tags::ATOM_UTF8 => usize::from(self.u16()?),
            tag => {
                let what = Defect::Expected { expected: "an atom", tag };
                return Err(EtfError { offset: self.at - 1, what });
            }
        };
        self.take(len)
    }

    #[inline]
    fn origin(&self, node: &[u8], creation: u32) -> Result<Origin, EtfError> {
        let known = LAST_ORIGIN.with_borrow(|known| {
            let is_known = known.creation == creation && &known.node[..known.n_bytes] == node;
            is_known.then_some(known.origin)
        });
        known.map_or_else(|| self.look_up(node, creation), Ok)
    }

    #[cold]
    fn look_up(&self, node: &[u8], creation: u32) -> Result<Origin, EtfError> {
        let atom = Reader::new(node, 1).atom(node[0]).map_err(|error| self.error(error.what))?;
        let origin = Origin::intern(atom, creation).ok_or_else(|| self.error(Defect::Nodes))?;
        LAST_ORIGIN.with_borrow_mut(|known| {
            if let Some(kept) = known.node.get_mut(..node.len()) {
                kept.copy_from_slice(node);
                (known.n_bytes, known.creation, known.origin) = (node.len(), creation, origin);
            }
        });
        Ok(origin)
    }

    /// The `N` bytes after a node's name, the last four of them its creation, when that is the incarnation that was read
    /// last: most are.
    #[inline]
    fn after_known_node<const N: usize>(&mut self) -> Option<(&'a [u8; N], Origin)> {
        LAST_ORIGIN.with_borrow(|known| {
            let (node, rest) = self.bytes.get(self.at..)?.split_at_checked(known.n_bytes)?;
            let fields = rest.first_chunk::<N>()?;
            let is_known = known.n_bytes > 0
                && node == &known.node[..known.n_bytes]
                && fields.last_chunk() == Some(&known.creation.to_be_bytes());
            self.at += if is_known { known.n_bytes + N } else { 0 };
            is_known.then_some((fields, known.origin))
        })
    }

    /// The rest of a pid whose tag was `tag`.
    pub fn pid(&mut self, tag: u8) -> Result<Pid, EtfError> {
        let is_new = match tag {
            tags::NEW_PID => true,
            tags::PID => false,
            tag => {
                let what = Defect::Expected { expected: "a pid", tag };
                return Err(EtfError { offset: self.at - 1, what });
            }
        };
        if is_new && let Some(([id @ .., a, b, c, d, _, _, _, _], origin)) = self.after_known_node::<12>() {
            return Ok(Pid { serial: u32::from_be_bytes([*a, *b, *c, *d]), id: u32::from_be_bytes(*id), origin });
        }
        let node = self.node()?;
        let (id, serial) = (self.u32()?, self.u32()?);
        let creation = if is_new { self.u32()? } else { u32::from(self.u8()?) };
        Ok(Pid { serial, id, origin: self.origin(node, creation)? })
    }

    /// The rest of a port whose tag was `tag`.
    pub fn port(&mut self, tag: u8) -> Result<Port, EtfError> {
        if tag == tags::NEW_PORT
            && let Some(([id @ .., _, _, _, _], origin)) = self.after_known_node::<8>()
        {
            return Ok(Port { id_high: 0, id_low: u32::from_be_bytes(*id), origin });
        }
        let node = self.node()?;
        let id = if tag == tags::V4_PORT { self.u64()? } else { u64::from(self.u32()?) };
        let creation = if tag == tags::PORT { u32::from(self.u8()?) } else { self.u32()? };
        let origin = self.origin(node, creation)?;
        Ok(Port { id_high: (id >> 32) as u32, id_low: id as u32, origin })
    }

    /// The rest of a reference whose tag was `tag`.
    pub fn reference(&mut self, tag: u8) -> Result<Reference, EtfError> {
        let start = self.at;
        let n_words = if tag == tags::REFERENCE { 1 } else { usize::from(self.u16()?) };
        if !(1..=5).contains(&n_words) {
            return Err(EtfError { offset: start, what: Defect::RefWords { n_words } });
        }
        let node = self.node()?;
        let mut words = [0; 5];
        let mut creation = 0;
        match tag {
            tags::NEWER_REFERENCE => creation = self.u32()?,
            tags::NEW_REFERENCE => creation = u32::from(self.u8()?),
            _ => {}
        }
        for word in &mut words[..n_words] {
            *word = self.u32()?;
        }
        if tag == tags::REFERENCE {
            creation = u32::from(self.u8()?);
        }
        Ok(Reference { origin: self.origin(node, creation)?, n_words: n_words as u8, words })
    }

    /// The rest of a small or large big integer whose tag was `tag`.
    pub fn big(&mut self, tag: u8) -> Result<BigInt, EtfError> {
        let len = if tag == tags::SMALL_BIG { usize::from(self.u8()?) } else { self.len32()? };
        let sign = if self.u8()? == 0 { Sign::Plus } else { Sign::Minus };
        Ok(BigInt::from_bytes_le(sign, self.take(len)?))
    }

    /// The rest of a big integer, when it fits 64 bits.
    pub fn big_as_i64(&mut self, tag: u8) -> Option<i64> {
        let len = if tag == tags::SMALL_BIG { usize::from(self.u8().ok()?) } else { self.len32().ok()? };
        let is_negative = self.u8().ok()? != 0;
        let (digits, more) = self.take(len).ok()?.split_at(len.min(8));
        if more.iter().any(|&byte| byte != 0) {
            return None;
        }
        let word = match digits.first_chunk() {
            Some(word) => u64::from_le_bytes(*word),
            None => digits.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        if is_negative { 0i64.checked_sub_unsigned(word) } else { i64::try_from(word).ok() }
    }

    /// The rest of a float whose tag was `tag`.
    pub fn float(&mut self, tag: u8) -> Result<f64, EtfError> {
        let start = self.at;
        let value = if tag == tags::NEW_FLOAT {
            Some(f64::from_be_bytes(self.array()?))
        } else {
            let text = self.take(31)?;
            let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
            std::str::from_utf8(text).ok().and_then(|text| text.trim().parse::<f64>().ok())
        };
        value.filter(|value| value.is_finite()).ok_or(EtfError { offset: start, what: Defect::Float })
    }
}
