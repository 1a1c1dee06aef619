//! The store against a plain model, at its limits, and with damaged files.

mod crash;
mod damage;
mod edges;
mod model;
mod power;
mod ring;
mod salvage;

use super::*;
use crate::model::{Atom, CallKey, Class, Kind, NewEvent, Pid};

/// An event with its own payload, as a plain row.
#[derive(Clone, Debug)]
pub struct Row {
    pub event: NewEvent<'static>,
    pub payload: Vec<u8>,
    pub meta: Vec<u8>,
}

impl Row {
    pub fn new(at_ns: i64, kind: Kind, process: u32) -> Row {
        let event = NewEvent::new(at_ns, kind, Pid::local(process));
        Row { event, payload: Vec::new(), meta: Vec::new() }
    }
    pub fn payload(mut self, term: &Term) -> Row {
        etf::encode(term, &mut self.payload);
        self
    }
    pub fn append_to(&self, recording: &mut Recording) -> Seq {
        let event = NewEvent { payload: &self.payload, meta: &self.meta, ..self.event };
        recording.append(&event).unwrap()
    }
}

/// A recording of `n_events` that looks like servers under load: calls with payloads, states, some deaths.
pub fn busy(n_events: u64) -> Recording {
    let mut recording = Recording::new(RecordingInfo { title: "busy".into(), ..RecordingInfo::default() });
    for n in 0..n_events {
        busy_row(n).append_to(&mut recording);
    }
    recording
}

pub fn busy_row(n: u64) -> Row {
    let server = 10 + (n / 6 % 7) as u32;
    let client = 100 + (n / 6 % 90) as u32;
    let (kind, process, peer, cause) = match n % 6 {
        0 => (Kind::Send, client, Some(server), None),
        1 => (Kind::Receive, server, Some(client), Some(n - 1)),
        2 => (Kind::HandleStart, server, Some(client), Some(n - 1)),
        3 => (Kind::StateChange, server, None, Some(n - 1)),
        4 => (Kind::HandleEnd, server, None, Some(n - 2)),
        _ if n % 300 == 5 => (Kind::Crash, client, None, None),
        _ => (Kind::Link, client, Some(server), None),
    };
    let mut row = Row::new(n as i64 * 1_000 - (n % 5) as i64 * 3_000, kind, process);
    row.event.peer = peer.map(|id| Actor::from(Pid::local(id)));
    row.event.cause = cause.map(Seq);
    row.event.tag = (n.is_multiple_of(3)).then(|| Atom::new(["buy", "sell", "stock"][(n / 3 % 3) as usize]));
    row.event.call = (n % 6 < 3).then_some(CallKey(n / 6 + 1));
    row.event.class = if n % 6 < 3 { Class::Call } else { Class::None };
    match n % 6 {
        0 | 1 => row.payload(&Term::tuple([Term::atom("order"), Term::Int((n / 6) as i64), Term::binary(vec![7; 30])])),
        3 => row.payload(&Term::tuple([Term::atom("state"), Term::Int(n as i64)])),
        4 => row.payload(&Term::tuple([Term::Int(n as i64), Term::Int(2_000 + server as i64)])),
        _ => row,
    }
}

/// Folds from the start along the branch of `at`: what [`Recording::materialise`] must equal.
pub fn fold_from_start(recording: &Recording, at: Seq) -> crate::model::SystemState {
    let mut state = crate::model::SystemState::default();
    for range in recording.lineage(recording.branch_of(at)) {
        for seq in range.take_while(|seq| *seq <= at.0).map(Seq) {
            state.apply(&recording.event(seq).unwrap(), &mut || recording.term(seq));
        }
    }
    state
}

/// Saves to a scratch file and opens it again.
pub fn reopened(recording: &Recording) -> Recording {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.cinema");
    recording.save(&path).unwrap();
    let (opened, report) = Recording::open(&path).unwrap();
    assert!(report.is_whole(), "{report:?}");
    opened
}

/// Writes the archive form to a scratch file and opens it.
pub fn compacted(recording: &Recording) -> Recording {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.cinema");
    recording.compact(&path).unwrap();
    let (opened, report) = Recording::open(&path).unwrap();
    assert!(report.is_whole(), "{report:?}");
    opened
}
