//! What several detectors need to know at each event: who runs which callback, who is blocked in a call of its own,
//! and what waits in each mailbox.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::analysis::Scope;
use crate::analysis::join::since;
use crate::model::{Actor, CallKey, Class, Event, Kind, Seq};
use crate::store::Recording;

/// The processes as of the newest event.
pub(super) struct Watch {
    processes: FxHashMap<Actor, Live>,
    /// Whether every message that a process takes is recorded.
    is_exact: bool,
    /// The scope's first event: what was taken before is not counted here.
    first: Seq,
    now_ns: i64,
    last: Seq,
}

/// A process as it is now.
#[derive(Default)]
struct Live {
    /// The messages that wait, oldest first.
    waiting: VecDeque<Waiting>,
    running: Option<Running>,
    /// Whether it was ever seen taking a message out.
    has_taken: bool,
    /// The classes of callbacks whose ends are recorded, as bits: a BEAM's trace may have begins only.
    ends_seen: u32,
}

/// A message in a mailbox.
#[derive(Clone, Copy)]
struct Waiting {
    arrival: Seq,
    at_ns: i64,
    from: Option<Actor>,
}

/// A callback that runs.
struct Running {
    start: Event,
    /// Its message, when its arrival was seen.
    message: Option<Waiting>,
    /// Time spent so far in calls of its own.
    blocked_ns: i64,
    /// The call that it waits in, whom for, and since when.
    blocked: Option<(CallKey, Option<Actor>, i64)>,
    /// Whom it waited for so far, and how long.
    waited_for: WaitedFor,
}

/// Callees of a callback's own calls, with the time that they took.
pub(super) type WaitedFor = SmallVec<[(Actor, i64); 2]>;

/// A callback that is over, or still runs at the scope's end.
pub(super) struct Done {
    pub start: Event,
    /// Its end, its process's end, or the scope's last event.
    pub end: Seq,
    pub end_ns: i64,
    pub is_over: bool,
    pub from: Option<Actor>,
    /// Time that its message waited, when its arrival was seen.
    pub queue_ns: Option<i64>,
    /// Time that it waited in calls of its own.
    pub blocked_ns: i64,
    pub waited_for: WaitedFor,
    /// Messages waiting behind it at its end.
    pub n_waiting: u64,
}

impl Done {
    pub fn duration_ns(&self) -> i64 {
        since(self.start.at_ns, self.end_ns)
    }
}

impl Watch {
    pub fn new(rec: &Recording, scope: Scope<'_>) -> Watch {
        let first = Seq(scope.first().map_or(0, |range| range.start));
        let is_exact = crate::analysis::process::is_exact(rec);
        Watch { processes: FxHashMap::default(), is_exact, first, now_ns: 0, last: first }
    }

    /// Messages that wait for the process; `None` when the recording does not tell what it takes out.
    pub fn n_waiting(&self, process: Actor) -> Option<u64> {
        let live = self.processes.get(&process)?;
        (self.is_exact || live.has_taken).then_some(live.waiting.len() as u64)
    }

    /// Takes the next event; gives the callback that it ends.
    pub fn push(&mut self, event: &Event) -> Option<Done> {
        (self.now_ns, self.last) = (event.at_ns, event.seq);
        match (event.kind, event.class) {
            (Kind::Receive | Kind::Down | Kind::Timeout, _) if event.call.is_some() => self.unblock(event),
            _ => {}
        }
        match (event.kind, event.class) {
            (Kind::Receive, Class::Reply) => {}
            (Kind::ExitSignal, _) if event.tag.is_none_or(|tag| tag != "EXIT") => {}
            (Kind::Receive | Kind::Down | Kind::TimerFire | Kind::ExitSignal, _) => {
                let message = Waiting { arrival: event.seq, at_ns: event.at_ns, from: event.peer };
                self.live(event.process).waiting.push_back(message);
            }
            (Kind::Send, Class::Call) => {
                let running = self.processes.get_mut(&event.process).and_then(|live| live.running.as_mut());
                if let (Some(running), Some(key)) = (running, event.call) {
                    running.blocked = Some((key, event.peer, event.at_ns));
                }
            }
            (Kind::HandleStart, _) => self.begin(event),
            (Kind::HandleEnd, _) => {
                let live = self.processes.get_mut(&event.process)?;
                live.ends_seen |= bit(event.class);
                let running = live.running.take()?;
                return Some(running.over(event, live.waiting.len() as u64, true));
            }
            (Kind::Exit | Kind::Crash, _) => {
                let live = self.processes.remove(&event.process)?;
                let n_waiting = live.waiting.len() as u64;
                let running = live.running.filter(|running| {
                    self.is_exact
                        || event.cause == Some(running.start.seq)
                        || live.ends_seen & bit(running.start.class) != 0
                })?;
                return Some(running.over(event, n_waiting, true));
            }
            _ => {}
        }
        None
    }

    /// The callbacks that still run. `last` is the scope's last message, which may not have been pushed.
    pub fn finish(mut self, last: Option<Event>) -> Vec<Done> {
        if let Some(last) = last.filter(|last| last.seq > self.last) {
            (self.now_ns, self.last) = (last.at_ns, last.seq);
        }
        let (now_ns, last, is_exact) = (self.now_ns, self.last, self.is_exact);
        let still = |live: Live| {
            let n_waiting = live.waiting.len() as u64;
            let running = live.running.filter(|running| is_exact || live.ends_seen & bit(running.start.class) != 0)?;
            let now = Event { seq: last, at_ns: now_ns, ..running.start };
            Some(running.over(&now, n_waiting, false))
        };
        let mut done: Vec<Done> = self.processes.into_values().filter_map(still).collect();
        done.sort_by_key(|done| done.start.seq);
        done
    }

    fn live(&mut self, process: Actor) -> &mut Live {
        self.processes.entry(process).or_default()
    }

    /// A callback begins; one whose end was not recorded is forgotten.
    fn begin(&mut self, event: &Event) {
        let (is_exact, first) = (self.is_exact, self.first);
        let live = self.live(event.process);
        live.has_taken = true;
        let arrival = event.cause.filter(|arrival| *arrival >= first);
        let message = arrival.and_then(|arrival| live.take(arrival, is_exact));
        live.running =
            Some(Running { start: *event, message, blocked_ns: 0, blocked: None, waited_for: WaitedFor::new() });
    }

    fn unblock(&mut self, event: &Event) {
        let running = self.processes.get_mut(&event.process).and_then(|live| live.running.as_mut());
        let Some(running) = running else { return };
        if running.blocked.is_some_and(|(key, ..)| event.call == Some(key)) {
            running.unblock(event.at_ns);
        }
    }
}

fn bit(class: Class) -> u32 {
    1 << class as u32
}

impl Live {
    /// Takes the message of `arrival` out of the mailbox; gives it.
    ///
    /// A server takes its messages in their order. What came before and is still there was taken by a selective
    /// receive, which a BEAM's trace does not show: outside the sim it is dropped.
    fn take(&mut self, arrival: Seq, is_exact: bool) -> Option<Waiting> {
        let idx = self.waiting.binary_search_by_key(&arrival, |message| message.arrival).ok()?;
        let message = self.waiting[idx];
        match idx {
            0 => drop(self.waiting.pop_front()),
            idx if is_exact => drop(self.waiting.remove(idx)),
            idx => drop(self.waiting.drain(..=idx)),
        }
        Some(message)
    }
}

impl Running {
    /// The call that it waited in is over.
    fn unblock(&mut self, now_ns: i64) {
        let Some((_, callee, since_ns)) = self.blocked.take() else { return };
        let waited_ns = since(since_ns, now_ns);
        self.blocked_ns += waited_ns;
        let Some(callee) = callee else { return };
        match self.waited_for.iter_mut().find(|(known, _)| *known == callee) {
            Some((_, ns)) => *ns += waited_ns,
            None => self.waited_for.push((callee, waited_ns)),
        }
    }

    fn over(mut self, end: &Event, n_waiting: u64, is_over: bool) -> Done {
        // A callback does not end in a call that it waits for: what is open then was only sent, to be awaited later.
        if end.kind != Kind::HandleEnd {
            self.unblock(end.at_ns);
        }
        Done {
            start: self.start,
            end: end.seq,
            end_ns: end.at_ns,
            is_over,
            from: self.message.and_then(|message| message.from),
            queue_ns: self.message.map(|message| since(message.at_ns, self.start.at_ns)),
            blocked_ns: self.blocked_ns,
            waited_for: self.waited_for,
            n_waiting,
        }
    }
}
