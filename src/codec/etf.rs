//! The External Term Format: bytes to terms and back. (Stub: the codec part replaces it.)

use crate::model::Term;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub struct EtfError {
    pub offset: usize,
    pub what: String,
}

/// Decodes one term, version byte 131 first; trailing bytes are an error.
pub fn decode(_bytes: &[u8]) -> Result<Term, EtfError> {
    todo!("codec")
}

/// Appends `term` with the version byte 131.
pub fn encode(_term: &Term, _out: &mut Vec<u8>) {
    todo!("codec")
}
