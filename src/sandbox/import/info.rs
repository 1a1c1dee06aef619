//! ttb's trace information file (`.ti`): which names processes had when the trace began, which node
//! wrote it. A record is one byte of size and a term; a term `{'$size', N}` announces a longer one
//! (observer, ttb:get_term/1). It must not know trace messages.

use crate::codec::walk::RawTerm;
use crate::model::{Atom, Pid};
use crate::sandbox::trace::Defects;

/// What a `.ti` file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceInfo {
    pub node: Option<Atom>,
    /// Registered names that were in force at some time of the trace.
    pub names: Vec<(Pid, Atom)>,
}

/// Reads what is whole; damage goes to `defects` and ends the reading, for nothing marks the next record.
pub fn read(bytes: &[u8], file: &str, defects: &mut Defects) -> TraceInfo {
    let mut info = TraceInfo::default();
    let mut at = 0;
    while at < bytes.len() {
        match record(bytes, at) {
            Ok((term, end)) => {
                info.note(term);
                at = end;
            }
            Err(what) => {
                defects.add(file, at, what);
                break;
            }
        }
    }
    info
}

/// The record at `at` and where the next one begins.
fn record(bytes: &[u8], at: usize) -> Result<(RawTerm<'_>, usize), String> {
    let part = |from: usize, n: usize| {
        let found = bytes.get(from..).and_then(|rest| rest.get(..n));
        let part = found.ok_or_else(|| format!("truncated record: {n} bytes announced"))?;
        let (term, _) = RawTerm::parse(part).map_err(|error| format!("damaged record: {}", error.what))?;
        Ok::<_, String>((term, from + n))
    };
    let (term, end) = part(at + 1, usize::from(bytes[at]))?;
    match term.tuple_of() {
        Some([key, size]) if key.is_atom("$size") => {
            part(end, size.as_int().and_then(|n| usize::try_from(n).ok()).ok_or("a size that is no number")?)
        }
        _ => Ok((term, end)),
    }
}

impl TraceInfo {
    fn note(&mut self, record: RawTerm<'_>) {
        let Some([key, value]) = record.tuple_of() else { return };
        if key.is_atom("node") {
            self.node = value.as_atom();
        } else if key.is_atom("pid")
            && let Some([pid, what]) = value.tuple_of()
            && let (Some(pid), Some(name)) = (pid.as_pid(), what.as_atom())
        {
            self.names.push((pid, name));
        }
    }
}
