//! What operations give back, as plain data. It must not know tables, pictures or scripts: `view`
//! makes tables of it, `script` makes values.

use super::recorder::Recorded;
use super::source::{SourceId, TimelineId};
use crate::analysis::causality::Chain;
use crate::analysis::flow::{MessageRow, PairRow};
use crate::analysis::latency::{CallRow, LatencyRow};
use crate::analysis::patterns::Finding;
use crate::analysis::process::{MailboxRow, ProcessInfo, StateRow, SystemSummary};
use crate::analysis::tree::SupervisionTree;
use crate::analysis::why::Explanation;
use crate::breakpoint::{Breakpoint, BreakpointId, Hit};
use crate::model::diff::Change;
use crate::model::{Actor, Pid, Seq, Status, Term};
use crate::sandbox::beam::{HeldProcess, NodeInfo};
use crate::sandbox::{Capabilities, RunEnd};
use crate::store::{Branch, Loss, Mark};
use crate::timeline::Position;

/// The result of an operation.
#[derive(Clone)]
pub enum Reply {
    Nothing,
    /// A sentence for people.
    Said(String),
    Bool(bool),
    Int(i64),
    Text(String),
    Term(Term),
    /// A state, the event that carried it, and what is to be told of events lost since.
    State {
        term: Term,
        seq: Seq,
        lost: Option<String>,
    },
    Losses(Vec<Loss>),
    Pid(Pid),
    Position(Position),
    Stop(StopReport),
    Sources(Vec<SourceInfo>),
    Source(SourceInfo),
    Timeline(TimelineId),
    Event(Seq),
    NoEvent,
    Events {
        seqs: Vec<Seq>,
        n_more: u64,
    },
    Process(Box<ProcessInfo>),
    Processes(Vec<ProcessInfo>),
    System(SystemSummary),
    History(Vec<StateRow>),
    Mailbox(Vec<MailboxRow>),
    Tree(SupervisionTree),
    Diff(Comparison),
    Chain(Chain),
    Explanation(Explanation),
    Calls(Vec<CallRow>),
    Latency(Vec<LatencyRow>),
    Messages {
        rows: Vec<MessageRow>,
        n_more: u64,
    },
    Pairs(Vec<PairRow>),
    Findings(Vec<Finding>),
    Breakpoint(BreakpointId),
    Breakpoints(Vec<Breakpoint>),
    Hits(Vec<Hit>),
    Marks(Vec<Mark>),
    Branches(Vec<Branch>),
    Spans(Vec<TimeSpan>),
    Nodes(Vec<NodeRow>),
    Held(Vec<HeldRow>),
    Recorded(Recorded),
}

/// An attached node, and what its trace dropped and what was taken out; both of the whole recording.
#[derive(Clone, Debug)]
pub struct NodeRow {
    pub info: NodeInfo,
    pub n_dropped: u64,
    pub n_redacted: u64,
}

/// A live process that is held at a breakpoint, or suspended.
#[derive(Clone, Debug)]
pub struct HeldRow {
    pub pid: Pid,
    /// `None`: it is suspended between two messages.
    pub held: Option<HeldProcess>,
    pub since_start_ns: i64,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct StopReport {
    pub end: RunEnd,
    pub n_events: u64,
    /// The hits that stopped it.
    pub hits: Vec<Hit>,
    /// Whether the events of the hits have happened: on a live system they have.
    pub has_happened: bool,
    pub position: Position,
    /// How much time was to pass, where it was told so.
    pub asked_ns: Option<i64>,
    /// The sandbox's clock; past the last event's when nothing happened since.
    pub clock_ns: i64,
}

/// A source as a list shows it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SourceInfo {
    pub id: SourceId,
    pub is_current: bool,
    pub title: String,
    pub description: String,
    pub capabilities: Capabilities,
    pub n_events: u64,
    pub n_branches: u64,
    /// Clock of the first and the last event.
    pub time_range_ns: Option<(i64, i64)>,
    pub notes: Vec<(String, String)>,
}

/// What differs between two moments.
#[derive(Clone, Debug)]
pub struct Comparison {
    pub from: Option<Seq>,
    pub to: Option<Seq>,
    /// Processes that differ, in order of their pids.
    pub processes: Vec<ProcessChange>,
}

/// How one process differs between two moments.
#[derive(Clone, Debug)]
pub struct ProcessChange {
    pub actor: Actor,
    pub name: String,
    /// `None`: the process was not known at that moment.
    pub status: (Option<Status>, Option<Status>),
    pub queue_len: (Option<u64>, Option<u64>),
    /// Changed paths of the state.
    pub changes: Vec<Change>,
}

/// Events from `first` to `last` for which a predicate held throughout.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct TimeSpan {
    pub first: Seq,
    pub last: Seq,
    pub n_events: u64,
    pub from_ns: i64,
    pub to_ns: i64,
}
