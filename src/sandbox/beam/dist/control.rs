//! The control messages of the distribution protocol, both ways and pure: a frame is the byte 112, a control tuple
//! and, for some, a payload, each an external term (ERTS User's Guide, "Protocol between Connected Nodes").
//! It must not know who waits for what.

use crate::codec::etf::EtfError;
use crate::codec::walk::{Parts, RawTerm};
use crate::codec::{etf, write};
use crate::model::{Atom, Pid, Reference, Term};

/// The byte before the terms of a frame that uses no atom cache.
const PASS_THROUGH: u8 = 112;
/// The bytes before the terms of a frame to be sent: its length, which [`finished`] fills in, and the above.
const HEAD_BYTES: usize = 5;

/// The numbers of the control messages, by the protocol's names.
pub mod op {
    pub const LINK: i64 = 1;
    pub const SEND: i64 = 2;
    pub const EXIT: i64 = 3;
    pub const UNLINK: i64 = 4;
    pub const REG_SEND: i64 = 6;
    pub const EXIT2: i64 = 8;
    pub const SEND_TT: i64 = 12;
    pub const EXIT_TT: i64 = 13;
    pub const REG_SEND_TT: i64 = 16;
    pub const EXIT2_TT: i64 = 18;
    pub const MONITOR_P: i64 = 19;
    pub const DEMONITOR_P: i64 = 20;
    pub const MONITOR_P_EXIT: i64 = 21;
    pub const SEND_SENDER: i64 = 22;
    pub const SEND_SENDER_TT: i64 = 23;
    pub const PAYLOAD_EXIT: i64 = 24;
    pub const PAYLOAD_EXIT_TT: i64 = 25;
    pub const PAYLOAD_EXIT2: i64 = 26;
    pub const PAYLOAD_EXIT2_TT: i64 = 27;
    pub const PAYLOAD_MONITOR_P_EXIT: i64 = 28;
    pub const SPAWN_REQUEST: i64 = 29;
    pub const SPAWN_REQUEST_TT: i64 = 30;
    pub const SPAWN_REPLY: i64 = 31;
    pub const SPAWN_REPLY_TT: i64 = 32;
    pub const ALIAS_SEND: i64 = 33;
    pub const ALIAS_SEND_TT: i64 = 34;
    pub const UNLINK_ID: i64 = 35;
    pub const UNLINK_ID_ACK: i64 = 36;
}

/// What is wrong with a frame, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    #[error("a frame of kind {found}, not 112, at byte 0")]
    NotPassThrough { found: u8 },
    #[error("an empty frame")]
    Empty,
    #[error("{part}: {error}")]
    Term { part: &'static str, error: EtfError },
    #[error("the control message at byte 1 is no tuple with a number")]
    NotControl,
    #[error("control message {op} of {arity} elements cannot be understood at byte 1")]
    Shape { op: i64, arity: usize },
    #[error("control message {op} without payload")]
    NoPayload { op: i64 },
}

/// A process that another one watches: by pid or by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    Pid(Pid),
    Name(Atom),
}

/// What became of a spawn request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spawned {
    Pid(Pid),
    /// `notsup`, `badopt`, `system_limit`, …
    Error(Atom),
}

/// A control message. Trace tokens are dropped: `*_TT` reads as its plain kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control<'a> {
    Link {
        from: Pid,
        to: Pid,
    },
    /// SEND and SEND_SENDER; the payload is the message.
    Send {
        to: Pid,
    },
    /// A message to a name; the payload is it.
    RegSend {
        from: Pid,
        name: Atom,
    },
    /// A message to an alias; the payload is it.
    AliasSend {
        alias: Reference,
    },
    /// A linked process is gone. The reason is here or, as in all of today's nodes, the payload.
    Exit {
        from: Pid,
        to: Pid,
        reason: Option<&'a [u8]>,
    },
    /// `exit(Pid, Reason)`.
    Exit2 {
        from: Pid,
        to: Pid,
        reason: Option<&'a [u8]>,
    },
    Monitor {
        from: Pid,
        to: Watched,
        reference: Reference,
    },
    Demonitor {
        from: Pid,
        reference: Reference,
    },
    /// A watched process is gone.
    MonitorExit {
        to: Pid,
        reference: Reference,
        reason: Option<&'a [u8]>,
    },
    SpawnRequest {
        request: Reference,
        from: Pid,
    },
    SpawnReply {
        request: Reference,
        is_linked: bool,
        result: Spawned,
    },
    Unlink {
        from: Pid,
        to: Pid,
    },
    UnlinkId {
        id: u64,
        from: Pid,
        to: Pid,
    },
    /// Legal, and nothing to us.
    Ignored {
        op: i64,
    },
}

/// A frame that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub control: Control<'a>,
    /// Where the payload begins in the frame, 131 first; it is one whole term to the frame's end.
    pub payload_at: Option<usize>,
}

/// Reads a whole frame (without its length): every byte is checked. About 5 ns per leaf of its terms.
pub fn read_frame(frame: &[u8]) -> Result<Frame<'_>, ControlError> {
    let (control, used) = read_control(frame)?;
    let payload = &frame[used..];
    if payload.is_empty() {
        let is_complete = control.is_complete();
        return if is_complete {
            Ok(Frame { control, payload_at: None })
        } else {
            Err(ControlError::NoPayload { op: control.op() })
        };
    }
    let at = |error: EtfError| EtfError { offset: error.offset + used, ..error };
    let (_, n_used) =
        RawTerm::parse(payload).map_err(|error| ControlError::Term { part: "payload", error: at(error) })?;
    if n_used != payload.len() {
        let what = etf::Defect::Trailing { n_bytes: payload.len() - n_used };
        return Err(ControlError::Term { part: "payload", error: EtfError { offset: used + n_used, what } });
    }
    Ok(Frame { control, payload_at: Some(used) })
}

/// Reads the control message at the start of a frame of which perhaps only the beginning is there; gives
/// the offset behind it.
pub fn read_control(frame: &[u8]) -> Result<(Control<'_>, usize), ControlError> {
    match frame.first() {
        Some(&PASS_THROUGH) => {}
        Some(&found) => return Err(ControlError::NotPassThrough { found }),
        None => return Err(ControlError::Empty),
    }
    let at = |error: EtfError| EtfError { offset: error.offset + 1, ..error };
    let (parts, n_used) =
        RawTerm::parse_tuple(&frame[1..]).map_err(|error| ControlError::Term { part: "control", error: at(error) })?;
    let op = parts.first().and_then(|part| part.term().as_int()).ok_or(ControlError::NotControl)?;
    let control = read_parts(op, &parts).ok_or(ControlError::Shape { op, arity: parts.len() })?;
    Ok((control, 1 + n_used))
}

/// The control message `op`; `None` when its elements are not what they should be.
fn read_parts<'a>(op: i64, parts: &Parts<'a>) -> Option<Control<'a>> {
    let term = |idx: usize| parts.get(idx).map(|part| part.term());
    let pid = |idx: usize| term(idx)?.as_pid();
    let reference = |idx: usize| term(idx)?.as_ref();
    let reason = |idx: usize| parts.get(idx).map(|part| part.bytes());
    Some(match op {
        op::LINK => Control::Link { from: pid(1)?, to: pid(2)? },
        op::SEND | op::SEND_TT | op::SEND_SENDER | op::SEND_SENDER_TT => Control::Send { to: pid(2)? },
        op::REG_SEND | op::REG_SEND_TT => Control::RegSend { from: pid(1)?, name: term(3)?.as_atom()? },
        op::ALIAS_SEND | op::ALIAS_SEND_TT => Control::AliasSend { alias: reference(2)? },
        op::EXIT => Control::Exit { from: pid(1)?, to: pid(2)?, reason: Some(reason(3)?) },
        op::EXIT_TT => Control::Exit { from: pid(1)?, to: pid(2)?, reason: Some(reason(4)?) },
        op::PAYLOAD_EXIT | op::PAYLOAD_EXIT_TT => Control::Exit { from: pid(1)?, to: pid(2)?, reason: None },
        op::EXIT2 => Control::Exit2 { from: pid(1)?, to: pid(2)?, reason: Some(reason(3)?) },
        op::EXIT2_TT => Control::Exit2 { from: pid(1)?, to: pid(2)?, reason: Some(reason(4)?) },
        op::PAYLOAD_EXIT2 | op::PAYLOAD_EXIT2_TT => Control::Exit2 { from: pid(1)?, to: pid(2)?, reason: None },
        op::MONITOR_P => Control::Monitor { from: pid(1)?, to: watched(term(2)?)?, reference: reference(3)? },
        op::DEMONITOR_P => Control::Demonitor { from: pid(1)?, reference: reference(3)? },
        op::MONITOR_P_EXIT => Control::MonitorExit { to: pid(2)?, reference: reference(3)?, reason: Some(reason(4)?) },
        op::PAYLOAD_MONITOR_P_EXIT => Control::MonitorExit { to: pid(2)?, reference: reference(3)?, reason: None },
        op::SPAWN_REQUEST | op::SPAWN_REQUEST_TT => Control::SpawnRequest { request: reference(1)?, from: pid(2)? },
        op::SPAWN_REPLY | op::SPAWN_REPLY_TT => {
            let result = term(4)?;
            let result = result.as_pid().map(Spawned::Pid).or_else(|| result.as_atom().map(Spawned::Error))?;
            Control::SpawnReply { request: reference(1)?, is_linked: term(3)?.as_int()? & 1 != 0, result }
        }
        op::UNLINK => Control::Unlink { from: pid(1)?, to: pid(2)? },
        op::UNLINK_ID => Control::UnlinkId { id: u64::try_from(term(1)?.as_int()?).ok()?, from: pid(2)?, to: pid(3)? },
        op => Control::Ignored { op },
    })
}

fn watched(term: RawTerm<'_>) -> Option<Watched> {
    term.as_pid().map(Watched::Pid).or_else(|| term.as_atom().map(Watched::Name))
}

impl Control<'_> {
    /// Whether the message means something without a payload.
    fn is_complete(&self) -> bool {
        match self {
            Control::Send { .. } | Control::RegSend { .. } | Control::AliasSend { .. } => false,
            Control::Exit { reason, .. } | Control::Exit2 { reason, .. } | Control::MonitorExit { reason, .. } => {
                reason.is_some()
            }
            _ => true,
        }
    }

    fn op(&self) -> i64 {
        match self {
            Control::Send { .. } => op::SEND,
            Control::RegSend { .. } => op::REG_SEND,
            Control::AliasSend { .. } => op::ALIAS_SEND,
            Control::Exit { .. } => op::PAYLOAD_EXIT,
            Control::Exit2 { .. } => op::PAYLOAD_EXIT2,
            Control::MonitorExit { .. } => op::PAYLOAD_MONITOR_P_EXIT,
            Control::Ignored { op } => *op,
            _ => 0,
        }
    }
}

/// A term with its version byte, from the bytes of one inside a control message.
pub fn standalone(reason: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + reason.len());
    write::version(&mut bytes);
    bytes.extend_from_slice(reason);
    bytes
}

/// Begins a frame with the control tuple `op` of `arity` elements, of which the others follow.
fn begun(op: i64, arity: usize) -> Vec<u8> {
    let mut out = vec![0; HEAD_BYTES];
    out[HEAD_BYTES - 1] = PASS_THROUGH;
    write::version(&mut out);
    write::tuple_header(&mut out, arity);
    write::int(&mut out, op);
    out
}

/// Ends a frame: its length goes before it. A frame that is longer than a u32 can say is refused by the
/// limit on frames before it is sent, so the cut length is never seen.
fn finished(mut out: Vec<u8>) -> Vec<u8> {
    let len = u32::try_from(out.len() - 4).unwrap_or(u32::MAX);
    out[..4].copy_from_slice(&len.to_be_bytes());
    out
}

/// A message to a process; `message` is an external term, 131 first.
pub fn send(to: Pid, message: &[u8]) -> Vec<u8> {
    let mut out = begun(op::SEND, 3);
    // Unused: it was the cookie once.
    write::atom_text(&mut out, "");
    write::pid(&mut out, to);
    out.extend_from_slice(message);
    finished(out)
}

/// A message to a registered name.
pub fn send_name(from: Pid, name: Atom, message: &[u8]) -> Vec<u8> {
    let mut out = begun(op::REG_SEND, 4);
    write::pid(&mut out, from);
    write::atom_text(&mut out, "");
    write::atom(&mut out, name);
    out.extend_from_slice(message);
    finished(out)
}

fn exit_frame(op: i64, from: Pid, to: Pid, reason: &Term) -> Vec<u8> {
    let mut out = begun(op, 3);
    write::pid(&mut out, from);
    write::pid(&mut out, to);
    etf::encode(reason, &mut out);
    finished(out)
}

/// Tells the linked process `to` that `from` of ours is gone.
pub fn exit(from: Pid, to: Pid, reason: &Term) -> Vec<u8> {
    exit_frame(op::PAYLOAD_EXIT, from, to, reason)
}

/// `exit(to, reason)`, as `from` would do it.
pub fn exit2(from: Pid, to: Pid, reason: &Term) -> Vec<u8> {
    exit_frame(op::PAYLOAD_EXIT2, from, to, reason)
}

/// Takes back a monitor of ours.
pub fn demonitor(from: Pid, to: Pid, reference: &Reference) -> Vec<u8> {
    let mut out = begun(op::DEMONITOR_P, 4);
    write::pid(&mut out, from);
    write::pid(&mut out, to);
    write::reference(&mut out, reference);
    finished(out)
}

/// Tells `to` that what it watches (`from`, the pid or the name) is gone.
pub fn monitor_exit(from: Watched, to: Pid, reference: &Reference, reason: &Term) -> Vec<u8> {
    let mut out = begun(op::PAYLOAD_MONITOR_P_EXIT, 4);
    match from {
        Watched::Pid(from) => write::pid(&mut out, from),
        Watched::Name(name) => write::atom(&mut out, name),
    }
    write::pid(&mut out, to);
    write::reference(&mut out, reference);
    etf::encode(reason, &mut out);
    finished(out)
}

/// Acknowledges UNLINK_ID that came from `to` for `from` of ours.
pub fn unlink_ack(id: u64, from: Pid, to: Pid) -> Vec<u8> {
    let mut out = begun(op::UNLINK_ID_ACK, 4);
    write::int(&mut out, i64::try_from(id).unwrap_or(i64::MAX));
    write::pid(&mut out, from);
    write::pid(&mut out, to);
    finished(out)
}

/// What a spawned process is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    Link,
    Monitor,
}

/// Asks for a process that runs `function` of `module` with `args`.
pub struct SpawnRequest<'a> {
    pub request: &'a Reference,
    pub from: Pid,
    pub group_leader: Pid,
    pub module: Atom,
    pub function: Atom,
    pub args: &'a [Term],
    pub tie: Tie,
}

impl SpawnRequest<'_> {
    pub fn frame(&self) -> Vec<u8> {
        let mut out = begun(op::SPAWN_REQUEST, 6);
        write::reference(&mut out, self.request);
        write::pid(&mut out, self.from);
        write::pid(&mut out, self.group_leader);
        write::tuple_header(&mut out, 3);
        write::atom(&mut out, self.module);
        write::atom(&mut out, self.function);
        write::int(&mut out, self.args.len() as i64);
        write::list_header(&mut out, 1);
        write::atom_text(&mut out, if self.tie == Tie::Link { "link" } else { "monitor" });
        write::nil(&mut out);
        write::version(&mut out);
        if self.args.is_empty() {
            write::nil(&mut out);
        } else {
            write::list_header(&mut out, self.args.len());
            self.args.iter().for_each(|arg| write::term(&mut out, arg));
            write::nil(&mut out);
        }
        finished(out)
    }
}

/// Refuses the peer's wish to spawn something here.
pub fn spawn_refused(request: &Reference, to: Pid) -> Vec<u8> {
    let mut out = begun(op::SPAWN_REPLY, 5);
    write::reference(&mut out, request);
    write::pid(&mut out, to);
    write::int(&mut out, 0);
    write::atom_text(&mut out, "notsup");
    finished(out)
}

#[cfg(test)]
mod tests;
