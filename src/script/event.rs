//! Events and processes as scripts see them: handles with properties, for queries and for
//! breakpoint conditions. They only read; it must not know sessions.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use rhai::INT;
use rhai::plugin::*;

use super::convert::{atom_text, to_dynamic};
use crate::analysis::names::Names;
use crate::codec::etf;
use crate::model::display::{Style, Syntax};
use crate::model::{Actor, Event, Kind, Seq, Term};
use crate::session::SharedRecording;

/// What the handles of one recording share.
pub struct Context {
    recording: SharedRecording,
    /// Names as of so many events.
    names: RefCell<Option<(u64, Arc<Names>)>>,
}

impl Context {
    pub fn new(recording: SharedRecording) -> Rc<Context> {
        Rc::new(Context { recording, names: RefCell::new(None) })
    }
    pub fn recording(&self) -> &SharedRecording {
        &self.recording
    }
    /// A time on the recording's clock, from its first event on: as tables and moments tell it.
    fn since_start_ns(&self, at_ns: i64) -> i64 {
        let recording = self.recording.borrow();
        at_ns.saturating_sub(recording.event(recording.first()).map_or(at_ns, |first| first.at_ns))
    }
    /// The names of the recording's processes; read again when the recording has grown past `at`.
    pub fn names(&self, at: Seq) -> Arc<Names> {
        let mut cached = self.names.borrow_mut();
        let recording = self.recording.borrow();
        match &*cached {
            Some((n_events, names)) if *n_events > at.0 || *n_events == recording.len() => names.clone(),
            _ => {
                let names = Names::of(&recording, &[]);
                *cached = Some((recording.len(), names.clone()));
                names
            }
        }
    }
}

/// One event: recorded, or about to happen.
#[derive(Clone)]
pub struct EventHandle {
    pub event: Event,
    context: Rc<Context>,
    /// The payload of an event that is not recorded yet.
    pending: Option<Rc<[u8]>>,
}

impl EventHandle {
    /// A recorded event.
    pub fn recorded(context: &Rc<Context>, event: Event) -> EventHandle {
        EventHandle { event, context: context.clone(), pending: None }
    }
    /// An event about to happen, with its payload's bytes.
    pub fn pending(context: &Rc<Context>, event: Event, payload: &[u8]) -> EventHandle {
        EventHandle { event, context: context.clone(), pending: Some(payload.into()) }
    }

    pub fn context(&self) -> &Rc<Context> {
        &self.context
    }
    /// The payload as a term; `None` when there is none, or none that can be built.
    pub fn term(&self) -> Option<Term> {
        match &self.pending {
            Some(bytes) if bytes.is_empty() => None,
            Some(bytes) => etf::decode(bytes).ok(),
            None => self.context.recording.borrow().term(self.event.seq),
        }
    }
    fn meta(&self) -> Option<Term> {
        self.pending.is_none().then(|| self.context.recording.borrow().meta(self.event.seq))?
    }
    fn lost(&self) -> Vec<String> {
        if self.pending.is_some() { Vec::new() } else { self.context.recording.borrow().lost_fields(self.event.seq) }
    }
    fn process(&self, actor: Actor) -> ProcessHandle {
        ProcessHandle { actor, at: self.event.seq, context: self.context.clone() }
    }
    /// The same event's handle for a related one.
    fn other(&self, seq: Seq) -> Option<EventHandle> {
        let event = self.context.recording.borrow().event(seq)?;
        Some(EventHandle::recorded(&self.context, event))
    }
}

/// A process or port as of an event.
#[derive(Clone)]
pub struct ProcessHandle {
    pub actor: Actor,
    pub at: Seq,
    context: Rc<Context>,
}

impl ProcessHandle {
    pub fn new(context: &Rc<Context>, actor: Actor, at: Seq) -> ProcessHandle {
        ProcessHandle { actor, at, context: context.clone() }
    }
    /// What a person calls it.
    pub fn name(&self) -> String {
        self.context.names(self.at).at(self.actor, self.at)
    }
    /// Whether `text` is its pid or its name.
    pub fn is_called(&self, text: &str) -> bool {
        match text.as_bytes().first() {
            Some(b'<' | b'#') => {
                text == self.actor.display(Syntax::Erlang) || text == self.actor.display(Syntax::Elixir)
            }
            _ => self.name() == text,
        }
    }
}

fn optional<T: rhai::Variant + Clone>(value: Option<T>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Dynamic::from)
}

#[export_module]
mod functions {
    /// The event's number in its recording, from 0.
    #[rhai_fn(get = "seq", pure)]
    pub fn seq(e: &mut EventHandle) -> INT {
        e.event.seq.0 as INT
    }
    /// Nanoseconds since the recording's first event.
    #[rhai_fn(get = "at_ns", pure)]
    pub fn at_ns(e: &mut EventHandle) -> INT {
        e.context.since_start_ns(e.event.at_ns)
    }
    /// Microseconds since the recording's first event.
    #[rhai_fn(get = "at_us", pure)]
    pub fn at_us(e: &mut EventHandle) -> rhai::FLOAT {
        e.context.since_start_ns(e.event.at_ns) as rhai::FLOAT / 1e3
    }
    /// The event's own clock in nanoseconds: virtual on a sim, monotonic on the BEAM, since 1970 where a trace has wall time.
    #[rhai_fn(get = "clock_ns", pure)]
    pub fn clock_ns(e: &mut EventHandle) -> INT {
        e.event.at_ns
    }
    /// What happened: `send`, `receive`, `state_change`, `crash` ..
    #[rhai_fn(get = "kind", pure)]
    pub fn kind(e: &mut EventHandle) -> ImmutableString {
        KINDS.with(|texts| texts[usize::from(e.event.kind as u8)].clone())
    }
    /// The sort of message or trigger: `call`, `cast`, `info`, `reply` ..
    #[rhai_fn(get = "class", pure)]
    pub fn class(e: &mut EventHandle) -> ImmutableString {
        e.event.class.as_str().into()
    }
    /// The message's tag, the name, or the module; `()` when there is none.
    #[rhai_fn(get = "tag", pure)]
    pub fn tag(e: &mut EventHandle) -> Dynamic {
        e.event.tag.map_or(Dynamic::UNIT, |tag| atom_text(tag).into())
    }
    /// Who acts or is acted on.
    #[rhai_fn(get = "process", pure)]
    pub fn process(e: &mut EventHandle) -> ProcessHandle {
        e.process(e.event.process)
    }
    /// The other end; `()` when there is none or it is unknown.
    #[rhai_fn(get = "peer", pure)]
    pub fn peer(e: &mut EventHandle) -> Dynamic {
        optional(e.event.peer.map(|peer| e.process(peer)))
    }
    /// The event that caused this one; `()` when none is recorded.
    #[rhai_fn(get = "cause", pure)]
    pub fn cause(e: &mut EventHandle) -> Dynamic {
        optional(e.event.cause.and_then(|seq| e.other(seq)))
    }
    /// Whether the event belongs to a call: its send, arrival, reply, timeout.
    #[rhai_fn(get = "is_call", pure)]
    pub fn is_call(e: &mut EventHandle) -> bool {
        e.event.call.is_some()
    }
    /// Bytes of the payload in external term format.
    #[rhai_fn(get = "size", pure)]
    pub fn size(e: &mut EventHandle) -> INT {
        INT::from(e.event.size_bytes)
    }
    /// What the event carries: a message as it was sent, a reason, a state; `()` when nothing, and also when it is lost: then
    /// `lost` has `"payload"`.
    #[rhai_fn(get = "payload", pure)]
    pub fn payload(e: &mut EventHandle) -> Dynamic {
        e.term().map_or(Dynamic::UNIT, |term| to_dynamic(&term))
    }
    /// What is known of the event beside itself, as a map: `late_ns`, `since`, `omitted_bytes` ..; `()` when nothing.
    #[rhai_fn(get = "meta", pure)]
    pub fn meta(e: &mut EventHandle) -> Dynamic {
        e.meta().map_or(Dynamic::UNIT, |meta| to_dynamic(&meta))
    }
    /// Names of the fields that damage of the file took, or that were too large to be kept, as `"payload"`; none when the event is whole.
    #[rhai_fn(get = "lost", pure)]
    pub fn lost(e: &mut EventHandle) -> rhai::Array {
        e.lost().into_iter().map(Dynamic::from).collect()
    }
    /// The payload without the wrapping of a call or a cast.
    #[rhai_fn(get = "message", pure)]
    pub fn message(e: &mut EventHandle) -> Dynamic {
        e.term().map_or(Dynamic::UNIT, |term| to_dynamic(&term.unwrapped()))
    }
    /// The new state, of a state_change; `()` otherwise.
    #[rhai_fn(get = "state", pure)]
    pub fn state(e: &mut EventHandle) -> Dynamic {
        if e.event.kind == Kind::StateChange { payload(e) } else { Dynamic::UNIT }
    }
    /// The exit reason, of an exit, a crash or an exit signal; `()` otherwise.
    #[rhai_fn(get = "reason", pure)]
    pub fn reason(e: &mut EventHandle) -> Dynamic {
        if e.event.kind.is_end() || e.event.kind == Kind::ExitSignal { payload(e) } else { Dynamic::UNIT }
    }
    #[rhai_fn(global, name = "==", pure)]
    pub fn events_equal(left: &mut EventHandle, right: EventHandle) -> bool {
        left.event.seq == right.event.seq
    }
    #[rhai_fn(global, name = "!=", pure)]
    pub fn events_differ(left: &mut EventHandle, right: EventHandle) -> bool {
        left.event.seq != right.event.seq
    }
    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn event_text(e: &mut EventHandle) -> String {
        let event = e.event;
        let mut text = format!("#{} {} {}", event.seq.0, event.kind.as_str(), e.process(event.process).name());
        if let Some(peer) = event.peer {
            text += &format!(" {}", e.process(peer).name());
        }
        if let Some(tag) = event.tag {
            text += &format!(" {}", tag.display(Syntax::Erlang));
        }
        text
    }

    /// The pid, or `()` for a port.
    #[rhai_fn(get = "pid", pure)]
    pub fn pid(p: &mut ProcessHandle) -> Dynamic {
        optional(p.actor.pid().map(Term::Pid))
    }
    /// What a person calls it: its registered name, else its label or module, else its pid.
    #[rhai_fn(get = "name", pure)]
    pub fn name(p: &mut ProcessHandle) -> String {
        p.name()
    }
    /// The pid or port as text.
    #[rhai_fn(get = "id", pure)]
    pub fn id(p: &mut ProcessHandle) -> String {
        p.actor.display(Syntax::Erlang)
    }
    #[rhai_fn(global, name = "==", pure)]
    pub fn is_called(p: &mut ProcessHandle, text: &str) -> bool {
        p.is_called(text)
    }
    #[rhai_fn(global, name = "!=", pure)]
    pub fn is_not_called(p: &mut ProcessHandle, text: &str) -> bool {
        !p.is_called(text)
    }
    #[rhai_fn(global, name = "==", pure)]
    pub fn is_process(p: &mut ProcessHandle, other: ProcessHandle) -> bool {
        p.actor == other.actor
    }
    #[rhai_fn(global, name = "!=", pure)]
    pub fn is_not_process(p: &mut ProcessHandle, other: ProcessHandle) -> bool {
        p.actor != other.actor
    }
    #[rhai_fn(global, name = "==", pure)]
    pub fn is_pid(p: &mut ProcessHandle, pid: Term) -> bool {
        pid.as_pid().is_some_and(|pid| p.actor.pid() == Some(pid))
    }
    #[rhai_fn(global, name = "!=", pure)]
    pub fn is_not_pid(p: &mut ProcessHandle, pid: Term) -> bool {
        !is_pid(p, pid)
    }
    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn process_text(p: &mut ProcessHandle) -> String {
        p.name()
    }
}

thread_local! {
    /// The kinds' names as shared strings, by their byte: conditions compare them for every event.
    static KINDS: Vec<ImmutableString> = (0..=u8::MAX)
        .map(|byte| Kind::from_byte(byte).map_or("", Kind::as_str).into())
        .collect();
}

/// The text of a term in a cell-sized form.
pub fn short(term: &Term) -> String {
    term.display(Style::cell(Syntax::Erlang)).to_string()
}

/// Registers the handles' types and properties.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_type_with_name::<EventHandle>("event").register_type_with_name::<ProcessHandle>("process");
    engine.register_global_module(exported_module!(functions).into());
}
