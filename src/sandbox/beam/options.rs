//! What a user can say about attaching and tracing, with safe defaults. It must not know scripts or flags.

use std::path::PathBuf;
use std::time::Duration;

use super::select::Selection;
use crate::model::limits::{
    TRACE_EVENTS_MAX, TRACE_MEMORY_BYTES_MAX, TRACE_PER_SECOND_MAX, TRACE_QUEUE_LEN, TRACE_STATE_BYTES_MAX,
    TRACE_TIME_S_MAX, TRACED_QUEUE_LEN_MAX,
};
use crate::model::{Atom, Path};
use crate::sandbox::trace::Redaction;

/// Where the cookie comes from. The text itself is never printed or stored.
#[derive(Clone, Debug, Default)]
pub enum CookieSource {
    /// `~/.erlang.cookie`.
    #[default]
    Home,
    File(PathBuf),
    Text(super::dist::Cookie),
}

/// Which node, and how to get in.
#[derive(Clone, Debug)]
pub struct AttachOptions {
    /// `name@host`, `name@host:PORT` without epmd, or a bare `name` on this machine.
    pub node: String,
    pub cookie: CookieSource,
    /// Whether a bare name is completed with the long host name.
    pub is_long: bool,
    /// For everything until the node is known.
    pub timeout: Duration,
    /// What is taken out before anything is recorded or shown.
    pub redact: Redaction,
}

/// How much of callbacks is traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Capture {
    /// Messages, callbacks and states; states only of processes whose heap is small ([`TraceOptions::state_bytes_max`]).
    #[default]
    Auto,
    /// Whole states of all: dear where they are large.
    Full,
    /// Messages and callbacks without states; watched fields.
    Lean,
    /// Only what arrives at the processes: the cheapest.
    Received,
}

/// What to trace and when to end by itself.
#[derive(Clone, Debug)]
pub struct TraceOptions {
    pub what: Vec<Selection>,
    pub capture: Capture,
    /// Further modules whose callbacks are traced, from their first call on.
    pub modules: Vec<Atom>,
    /// Whether processes that traced ones spawn are traced too.
    pub follows_children: bool,
    /// Whether every new process is traced.
    pub follows_all_new: bool,
    pub with_gc: bool,
    /// Tags of messages that are not told when they are received.
    pub without: Vec<Atom>,
    /// Fields that lean traces tell.
    pub watched: Vec<Path>,
    /// Bytes of heap up to which a process's whole state is traced.
    pub state_bytes_max: u64,
    /// Time between two samples of `process_info`; `None`: none.
    pub sample_every: Option<Duration>,
    pub limits: TraceLimits,
    /// What is taken out from now on; `None`: as before.
    pub redact: Option<Redaction>,
    /// Messages that the node's trace port queues before it drops. Never below 100: a tiny queue can crash the VM.
    pub queue_len: u32,
}

/// When tracing ends by itself; `None` for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceLimits {
    pub time: Option<Duration>,
    pub n_events: Option<u64>,
    /// Trace messages per second, over two seconds.
    pub n_per_second: Option<u64>,
    /// Messages in the mailbox of a traced process.
    pub queue_len: Option<u64>,
    /// Growth of the node's memory.
    pub memory_bytes: Option<u64>,
}

impl Default for TraceLimits {
    fn default() -> TraceLimits {
        TraceLimits {
            time: Some(Duration::from_secs(TRACE_TIME_S_MAX)),
            n_events: Some(TRACE_EVENTS_MAX),
            n_per_second: Some(TRACE_PER_SECOND_MAX),
            queue_len: Some(TRACED_QUEUE_LEN_MAX),
            memory_bytes: Some(TRACE_MEMORY_BYTES_MAX),
        }
    }
}

impl TraceLimits {
    /// No limits: for nodes of our own.
    pub const NONE: TraceLimits =
        TraceLimits { time: None, n_events: None, n_per_second: None, queue_len: None, memory_bytes: None };
}

impl Default for TraceOptions {
    fn default() -> TraceOptions {
        TraceOptions {
            what: vec![Selection::Applications],
            capture: Capture::Auto,
            modules: Vec::new(),
            follows_children: true,
            follows_all_new: false,
            with_gc: false,
            without: Vec::new(),
            watched: Vec::new(),
            state_bytes_max: TRACE_STATE_BYTES_MAX,
            sample_every: Some(Duration::from_secs(1)),
            limits: TraceLimits::default(),
            redact: None,
            queue_len: TRACE_QUEUE_LEN,
        }
    }
}

impl TraceOptions {
    /// The trace flags of processes, by erlang:trace/3's names.
    pub fn flags(&self, is_lean: bool) -> Vec<&'static str> {
        let mut flags = vec!["receive", "procs", "strict_monotonic_timestamp"];
        match self.capture {
            Capture::Received => {}
            // Where control returns to tells the end of a callback at a tenth of the price of what it returned.
            Capture::Lean => flags.extend(["call", "arity", "return_to"]),
            Capture::Auto | Capture::Full if is_lean => flags.extend(["send", "call", "arity", "return_to"]),
            Capture::Auto | Capture::Full => flags.extend(["send", "call"]),
        }
        if self.follows_children {
            flags.push("set_on_spawn");
        }
        if self.with_gc {
            flags.push("garbage_collection");
        }
        flags
    }
}
