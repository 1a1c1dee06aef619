//! What the agent tells by itself, read from its messages. It must not know who listens.

use crate::codec::walk::RawTerm;
use crate::model::{Atom, Pid};

/// A message of the agent that answers nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentEvent {
    /// It runs now.
    Ready(Ready),
    /// A limit was tripped on the target and tracing has ended.
    Stopped { limit: String },
    /// A process is held at a breakpoint.
    Held(Held),
    /// A held process goes on: `resumed`, `deadline` or `died`.
    Released { breakpoint: Atom, pid: Pid, how: Atom, at_ns: i64 },
    /// A process that does a piece of work for us.
    Worker { pid: Pid, has_ended: bool },
    /// Trace frames, from a node without the trace port's driver.
    Frames { bytes: Vec<u8> },
    /// The agent, or the node, is gone.
    Gone { reason: String },
}

/// The node as the agent found it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ready {
    pub janitor: Pid,
    pub otp_release: String,
    /// OTP 27 and later trace in sessions.
    pub has_sessions: bool,
    pub is_elixir: bool,
    pub n_processes: u64,
    pub memory_bytes: u64,
    /// The node's monotonic clock when it was ready.
    pub monotonic_ns: i64,
    /// Wall clock minus monotonic clock.
    pub offset_ns: i64,
}

/// A process at a hit, waiting inside its own loop.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    pub breakpoint: Atom,
    pub pid: Pid,
    pub is_before: bool,
    /// The node's monotonic clock.
    pub at_ns: i64,
    pub message: Seen,
    pub state: Seen,
}

/// A term that may have been too large to be sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// External term format, 131 first.
    Bytes(Vec<u8>),
    /// As [`Seen::Bytes`], but not all of it: the state's name of a gen_statem, without the data.
    Part(Vec<u8>),
    TooLarge {
        n_bytes: u64,
    },
    /// The process has made no callback since the breakpoint was set: nobody has seen its state.
    Unknown,
}

/// The event in `message`; `None` when it is an answer, or not the agent's.
pub fn read(message: &[u8]) -> Option<AgentEvent> {
    let (term, _) = RawTerm::parse(message).ok()?;
    let [tag, what] = term.tuple_of()?;
    if tag.is_atom("frames") {
        return Some(AgentEvent::Frames { bytes: what.as_binary()?.to_vec() });
    }
    if !tag.is_atom("event") {
        return None;
    }
    if let Some([tag, pid, stage]) = what.tuple_of()
        && tag.is_atom("worker")
    {
        return Some(AgentEvent::Worker { pid: pid.as_pid()?, has_ended: stage.is_atom("ended") });
    }
    if let Some([tag, janitor, facts]) = what.tuple_of()
        && tag.is_atom("ready")
    {
        return ready(janitor, facts).map(AgentEvent::Ready);
    }
    if let Some([tag, limit]) = what.tuple_of()
        && tag.is_atom("stopped")
    {
        return Some(AgentEvent::Stopped { limit: limit.as_atom()?.as_str().to_string() });
    }
    let [tag, breakpoint, pid, rest] = what.tuple_of()?;
    let (breakpoint, pid) = (breakpoint.as_atom()?, pid.as_pid()?);
    if tag.is_atom("released") {
        let [how, at_ns] = rest.tuple_of()?;
        return Some(AgentEvent::Released { breakpoint, pid, how: how.as_atom()?, at_ns: at_ns.as_int()? });
    }
    let [phase, at_ns, message, state] = rest.tuple_of().filter(|_| tag.is_atom("hit"))?;
    let held = Held {
        breakpoint,
        pid,
        is_before: phase.is_atom("before"),
        at_ns: at_ns.as_int()?,
        message: seen(message)?,
        state: seen(state)?,
    };
    Some(AgentEvent::Held(held))
}

fn ready(janitor: RawTerm<'_>, facts: RawTerm<'_>) -> Option<Ready> {
    let int = |key: &str| facts.get(key).and_then(RawTerm::as_int);
    let flag = |key: &str| facts.get(key).is_some_and(|value| value.is_atom("true"));
    let release: Option<String> = facts.get("otp")?.to_term().ok().map(|release| match release.as_binary() {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => release.as_list().unwrap_or_default().iter().filter_map(digit).collect(),
    });
    Some(Ready {
        janitor: janitor.as_pid()?,
        otp_release: release?,
        has_sessions: flag("has_sessions"),
        is_elixir: flag("elixir"),
        n_processes: int("n_processes")?.unsigned_abs(),
        memory_bytes: int("memory_bytes")?.unsigned_abs(),
        monotonic_ns: int("monotonic_ns")?,
        offset_ns: int("offset_ns")?,
    })
}

fn digit(code: &crate::model::Term) -> Option<char> {
    char::from_u32(u32::try_from(code.as_int()?).ok()?)
}

/// `{ok, Term}`, `{part, Term}` or `{too_large, Bytes}`.
fn seen(answer: RawTerm<'_>) -> Option<Seen> {
    let [tag, value] = answer.tuple_of()?;
    if tag.is_atom("too_large") {
        return Some(Seen::TooLarge { n_bytes: value.as_int()?.unsigned_abs() });
    }
    if value.is_atom("$cinema_unknown") {
        return Some(Seen::Unknown);
    }
    let mut bytes = vec![131];
    bytes.extend_from_slice(value.bytes());
    Some(if tag.is_atom("part") { Seen::Part(bytes) } else { Seen::Bytes(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::etf;
    use crate::model::Term;

    fn event(what: Term) -> Option<AgentEvent> {
        let mut bytes = Vec::new();
        etf::encode(&Term::tuple([Term::atom("event"), what]), &mut bytes);
        read(&bytes)
    }

    #[test]
    fn a_hit_tells_what_could_be_sent() {
        let pid = Pid::local(7);
        let ok = Term::tuple([Term::atom("ok"), Term::atom("tick")]);
        let large = Term::tuple([Term::atom("too_large"), Term::Int(9_000)]);
        let what = Term::tuple([Term::atom("after"), Term::Int(-5), ok, large]);
        let hit = Term::tuple([Term::atom("hit"), Term::atom("b1"), Term::Pid(pid), what]);
        let Some(AgentEvent::Held(held)) = event(hit) else { panic!("a hit") };
        assert_eq!((held.pid, held.is_before, held.at_ns), (pid, false, -5));
        assert_eq!(held.message, Seen::Bytes(b"\x83w\x04tick".to_vec()));
        assert_eq!(held.state, Seen::TooLarge { n_bytes: 9_000 });
    }

    #[test]
    fn what_is_no_event_is_none() {
        assert_eq!(event(Term::atom("ready")), None);
        assert_eq!(event(Term::tuple([Term::atom("hit"), Term::Int(1), Term::Int(2), Term::Int(3)])), None);
        assert_eq!(read(b"\x83h\x02w\x01aw\x01b"), None);
        assert_eq!(read(b"\x83h\x02"), None);
    }
}
