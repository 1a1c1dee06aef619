//! The world with what a turn needs around it: the events of the turn, the code, the running
//! callback. Its primitives are the BEAM's: post a signal, wake a process, record. It must not know OTP.

use std::rc::Rc;

use crate::codec::write;
use crate::model::{Class, Kind, Pid, Term};

use super::behaviour::{Modules, Raise};
use super::effects::{Entry, Op};
use super::outbox::{Note, Outbox, Payload};
use super::process::{Stage, Wait};
use super::pvec::PVec;
use super::scheduler::Job;
use super::signal::{Control, Envelope};
use super::world::{EventIdx, World};

/// Virtual time that a turn takes before its first event: `TURN_NS` and up to `TURN_SPREAD_NS` more, drawn.
const TURN_NS: i64 = 300;
const TURN_SPREAD_NS: u64 = 700;
/// Virtual time from one event to the next within a turn.
const EVENT_NS: i64 = 100;
/// A signal takes `LATENCY_NS` and up to `LATENCY_SPREAD_NS` more, fixed per pair of processes.
const LATENCY_NS: i64 = 1_000;
const LATENCY_SPREAD_NS: u64 = 2_000;
/// A process that can run waits up to so long for its turn, drawn: this decides who runs first.
const SCHEDULE_SPREAD_NS: u64 = 1_000;

/// Why the running callback has to unwind.
#[derive(Clone, Debug, PartialEq)]
pub enum Unwinding {
    Suspend(Wait),
    /// The process ends with this reason, which names a limit or a broken rule.
    Fatal(Term),
}

/// The callback that runs now.
#[derive(Debug)]
pub struct Run {
    pub pid: Pid,
    pub stage: Stage,
    /// What its effects are caused by: its handle_start, or the input.
    pub cause: Option<EventIdx>,
    pub log: PVec<Entry>,
    /// Operations of the log that this run has repeated.
    pub cursor: usize,
    /// What the interrupted run waited for, until the re-run comes to that place.
    pub resume: Option<Wait>,
    pub unwinding: Option<Unwinding>,
    pub n_blocking: usize,
    pub n_operations: u64,
}

/// The world in motion.
pub struct Machine {
    pub world: World,
    pub outbox: Outbox,
    pub modules: Rc<dyn Modules>,
    pub run: Run,
    /// Whether events are made at all.
    pub records: bool,
    /// Events of this turn, recorded or not.
    n_turn_events: u64,
    /// A script gave way to the user's interrupt: the turn is to be undone.
    pub is_interrupted: bool,
    /// Bytes to encode into, used again and again.
    pub scratch: Vec<u8>,
}

impl Machine {
    pub fn new(world: World, modules: Rc<dyn Modules>, records: bool) -> Machine {
        let run = Run {
            pid: world.next_pid(),
            stage: Stage::Input,
            cause: None,
            log: PVec::default(),
            cursor: 0,
            resume: None,
            unwinding: None,
            n_blocking: 0,
            n_operations: 0,
        };
        Machine {
            world,
            outbox: Outbox::default(),
            modules,
            run,
            records,
            n_turn_events: 0,
            is_interrupted: false,
            scratch: Vec::new(),
        }
    }

    /// Begins a turn at `due_ns` or now, whichever is later.
    pub fn begin_turn(&mut self, due_ns: i64) {
        self.outbox.clear();
        self.n_turn_events = 0;
        let spread = self.world.choices.pick(TURN_SPREAD_NS) as i64;
        self.world.now_ns = self.world.now_ns.max(due_ns) + TURN_NS + spread;
    }

    pub fn end_turn(&mut self) {
        self.world.n_turns += 1;
        self.world.n_events += self.n_turn_events;
    }

    /// Records an event whose payload is written by `encode`.
    pub fn emit_with(&mut self, note: Note, encode: impl FnOnce(&mut Vec<u8>)) -> EventIdx {
        let payload = if self.records { Payload::Own(self.outbox.write(encode)) } else { Payload::None };
        self.emit(note, payload)
    }

    pub fn emit_term(&mut self, note: Note, payload: &Term) -> EventIdx {
        self.emit_with(note, |out| crate::codec::etf::encode(payload, out))
    }

    pub fn emit(&mut self, note: Note, payload: Payload) -> EventIdx {
        self.emit_meta(note, payload, 0..0)
    }

    /// The position that the next event will have.
    pub fn next_event(&self) -> EventIdx {
        EventIdx(self.world.n_events + self.n_turn_events)
    }

    pub fn emit_meta(&mut self, note: Note, payload: Payload, meta: std::ops::Range<usize>) -> EventIdx {
        let idx = self.next_event();
        self.n_turn_events += 1;
        self.world.now_ns += EVENT_NS;
        if self.records {
            self.outbox.push(note, self.world.now_ns, payload, meta);
        }
        idx
    }

    /// The bytes of a message for its envelope.
    pub fn encode_message(&mut self, message: &Term) -> Box<[u8]> {
        if !self.records {
            return Box::default();
        }
        self.scratch.clear();
        crate::codec::etf::encode(message, &mut self.scratch);
        Box::from(self.scratch.as_slice())
    }

    fn arrival_ns(&self, from: Pid, to: Pid) -> i64 {
        if from == to {
            return self.world.now_ns;
        }
        self.world.now_ns + LATENCY_NS + self.world.choices.of_pair(from.id, to.id, LATENCY_SPREAD_NS) as i64
    }

    /// Puts a message on its way.
    pub fn post_message(&mut self, from: Pid, to: Pid, envelope: Rc<Envelope>) {
        let due_ns = self.arrival_ns(from, to);
        self.world.queue.push(due_ns, to.id, Job::Message(envelope));
    }

    /// Puts another signal on its way.
    pub fn post(&mut self, from: Pid, to: Pid, control: Control) {
        let due_ns = self.arrival_ns(from, to);
        self.world.queue.push(due_ns, to.id, Job::Control(Rc::new(control)));
    }

    /// Lets a process run soon, unless it is about to.
    pub fn schedule(&mut self, pid: Pid) {
        let now_ns = self.world.now_ns;
        let Some(process) = self.world.process_mut(pid) else { return };
        if !process.is_scheduled {
            process.is_scheduled = true;
            let delay_ns = self.world.choices.pick(SCHEDULE_SPREAD_NS) as i64;
            self.world.queue.push(now_ns + delay_ns, pid.id, Job::Run);
        }
    }

    /// Sees to it that the process's deadline wakes it. At most one wake per process counts, and it may come early:
    /// then it is set again ([`super::turn`]), so that a call's timeout leaves nothing in the queue.
    pub fn watch_deadline(&mut self, pid: Pid) {
        let Some(process) = self.world.process_mut(pid) else { return };
        let Some(due_ns) = process.deadline_ns() else { return };
        if process.wake_due_ns.is_none_or(|wake_ns| wake_ns > due_ns) {
            process.wake_due_ns = Some(due_ns);
            self.world.queue.push(due_ns, pid.id, Job::Wake);
        }
    }

    /// Records that the callback which began at `started` is over, with the process's reductions and memory.
    pub fn emit_handle_end(&mut self, pid: Pid, class: Class, started: Option<EventIdx>) {
        let Some(process) = self.world.process(pid) else { return };
        let (reductions, memory_bytes) = (process.reductions, process.memory_bytes());
        let note = Note { class, cause: started, ..Note::new(Kind::HandleEnd, pid) };
        self.emit_with(note, |out| {
            write::version(out);
            write::tuple_header(out, 2);
            write::int(out, reductions as i64);
            write::int(out, memory_bytes as i64);
        });
    }

    /// Answers the next operation from the log, when there is one left. Errors: the callback asks for something else than
    /// before, which ends the process: its code is not a function of what it was given.
    pub fn replay(&mut self, op: Op, first: &Term, second: &Term) -> Option<Result<Term, Raise>> {
        let entry = self.run.log.get(self.run.cursor)?;
        if !entry.is(op, first, second) {
            let what = if entry.op == op { "has other arguments".to_string() } else { format!("is {op:?}") };
            let text = format!(
                "callback_not_deterministic: run again after a blocking call, its operation {} {what}; it was {:?}",
                self.run.cursor + 1,
                entry.op
            );
            self.run.unwinding = Some(Unwinding::Fatal(Term::binary(text)));
            return None;
        }
        self.run.cursor += 1;
        if entry.op == Op::Receive && entry.event.is_some() {
            self.run.cause = entry.event;
        }
        Some(entry.result.clone())
    }

    /// Writes an operation that was done into the log.
    pub fn log(&mut self, op: Op, args: [Term; 2], result: Result<Term, Raise>, event: Option<EventIdx>) {
        self.run.log.push(Entry { op, args, result, event });
        self.run.cursor = self.run.log.len();
    }
}
