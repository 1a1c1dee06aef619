//! Text in pieces: charlists and iolists are put together before anything is looked for in them. It must not know
//! what a secret is.

use super::rules::Rules;
use crate::codec::etf::EtfError;
use crate::codec::read::Reader;
use crate::codec::tags;

/// Characters of the longest key that can be a name.
const NAME_BYTES_MAX: usize = 256;

/// Puts texts together. Each byte of a term is looked at twice at most, however lists are nested.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    text: Vec<u8>,
    /// Where the lists begin in which something else than text stands, ascending; those before the place of the walk
    /// are behind `n_mixed_passed`.
    mixed: Vec<usize>,
    n_mixed_passed: usize,
    /// Up to here, lists are parts of one that was looked at.
    done_until: usize,
}

/// What a list is.
enum Gathered {
    /// Text, up to here.
    Text { end: usize },
    /// No text: where the lists begin that are open around the first thing that is none.
    Mixed { open: Vec<usize> },
}

impl Texts {
    /// Another term begins.
    pub fn restart(&mut self) {
        self.mixed.clear();
        (self.n_mixed_passed, self.done_until) = (0, 0);
    }

    /// Whether the term at `at` is the name of a secret: an atom, a binary or a charlist.
    pub fn is_name(&mut self, rules: &Rules, bytes: &[u8], at: usize) -> Result<bool, EtfError> {
        let mut reader = Reader::new(bytes, at);
        let tag = reader.u8()?;
        Ok(match tag {
            tags::SMALL_ATOM_UTF8 | tags::SMALL_ATOM | tags::ATOM_UTF8 | tags::ATOM => {
                let text = reader.atom_text(tag)?;
                // Modules name no fields.
                !text.starts_with(b"Elixir.") && rules.is_secret_name(text)
            }
            tags::BINARY => {
                let len = reader.len32()?;
                len <= NAME_BYTES_MAX && rules.is_secret_name(reader.take(len)?)
            }
            tags::STRING => {
                let len = usize::from(reader.u16()?);
                len <= NAME_BYTES_MAX && rules.is_secret_name(reader.take(len)?)
            }
            tags::LIST if reader.len32()? <= NAME_BYTES_MAX => {
                matches!(self.gather(bytes, at)?, Gathered::Text { .. }) && rules.is_secret_name(&self.text)
            }
            _ => false,
        })
    }

    /// Where the list at `start` ends, when it is text in which there is a secret.
    pub fn secret_list(&mut self, rules: &Rules, bytes: &[u8], start: usize) -> Result<Option<usize>, EtfError> {
        let n_passed = self.mixed[self.n_mixed_passed..].iter().take_while(|mixed| **mixed < start).count();
        self.n_mixed_passed += n_passed;
        if start < self.done_until || self.mixed.get(self.n_mixed_passed) == Some(&start) {
            return Ok(None);
        }
        match self.gather(bytes, start)? {
            Gathered::Text { end } => {
                self.done_until = end;
                Ok(rules.is_secret_text(&self.text).then_some(end))
            }
            Gathered::Mixed { mut open } => {
                // All lists that end before this place are text, so the next one that is not begins behind it.
                self.mixed.append(&mut open);
                Ok(None)
            }
        }
    }

    /// Puts the text of the list at `start` together. Errors: damage.
    fn gather(&mut self, bytes: &[u8], start: usize) -> Result<Gathered, EtfError> {
        self.text.clear();
        // Where each open list begins, and its items and tail to come.
        let mut open: Vec<(usize, u64)> = Vec::new();
        let mut at = start;
        loop {
            let mut reader = Reader::new(bytes, at);
            match reader.u8()? {
                tags::LIST => {
                    let n_items = u64::from(reader.u32()?);
                    open.push((at, n_items + 1));
                    at = reader.at;
                    continue;
                }
                tags::NIL => {}
                tags::SMALL_INTEGER => self.text.push(reader.u8()?),
                tags::INTEGER => match char::from_u32(reader.u32()?) {
                    Some(c) => self.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    None => return Ok(mixed(&open)),
                },
                tags::BINARY => {
                    let len = reader.len32()?;
                    self.text.extend_from_slice(reader.take(len)?);
                }
                tags::STRING => {
                    let len = usize::from(reader.u16()?);
                    self.text.extend_from_slice(reader.take(len)?);
                }
                _ => return Ok(mixed(&open)),
            }
            at = reader.at;
            while let Some((_, n_left)) = open.last_mut() {
                *n_left -= 1;
                if *n_left > 0 {
                    break;
                }
                open.pop();
            }
            if open.is_empty() {
                return Ok(Gathered::Text { end: at });
            }
        }
    }
}

fn mixed(open: &[(usize, u64)]) -> Gathered {
    Gathered::Mixed { open: open.iter().map(|(start, _)| *start).collect() }
}
