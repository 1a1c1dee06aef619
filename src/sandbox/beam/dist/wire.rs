//! A checked cursor over the fixed-size fields of epmd and handshake messages: big-endian numbers and texts.
//! It must not know which message it reads.

/// What is wrong with a message's bytes, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub struct WireError {
    pub offset: usize,
    pub what: &'static str,
}

/// A position in a message.
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    pub fn new(bytes: &'a [u8]) -> Fields<'a> {
        Fields { bytes, at: 0 }
    }

    pub fn error(&self, what: &'static str) -> WireError {
        WireError { offset: self.at, what }
    }

    pub fn take(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        let taken = self.bytes[self.at..].get(..n).ok_or_else(|| self.error("the message ends too early"))?;
        self.at += n;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        Ok(self.take(N)?.try_into().expect("take gives as many bytes as asked"))
    }
    pub fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }
    pub fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.array()?))
    }
    pub fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_be_bytes(self.array()?))
    }
    pub fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// A name of a node: UTF-8 behind its 16-bit length.
    pub fn name(&mut self) -> Result<&'a str, WireError> {
        let len = usize::from(self.u16()?);
        let start = self.at;
        let text = std::str::from_utf8(self.take(len)?);
        text.map_err(|_| WireError { offset: start, what: "a name is not UTF-8" })
    }

    pub fn rest(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        rest
    }
}
