//! Conditions: which events a breakpoint hits, and how a candidate is tested. It must not know
//! the table, nor scripts beyond [`Predicate`].

use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;

use super::{Candidate, Roster};
use crate::codec::walk::RawTerm;
use crate::model::diff::Step;
use crate::model::{
    Actor, ActorId, Atom, Class, Event, Failure, Filter, Kind, Origin, Outcome, Path, Style, Syntax, Term, nearest,
};

/// Which processes a condition is about. Names and modules mean those at the moment of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Selector {
    #[default]
    Any,
    /// One process, whatever its incarnation.
    Id(ActorId),
    /// One incarnation of a process.
    Actor(Actor),
    /// Whoever holds the registered name.
    Name(Atom),
    /// Every process of the callback module.
    Module(Atom),
}

/// A condition: an event of the right sort, of the right process.
///
/// The process is the event's own: the receiver of a message that arrives, the caller of a call
/// that timed out. A supervisor restart is about the supervisor and the new child both.
#[derive(Clone, Debug)]
pub struct Condition {
    pub process: Selector,
    pub what: What,
}

/// The sorts of condition.
#[derive(Clone, Debug)]
pub enum What {
    /// A message with this tag and of this class.
    Message {
        tag: Option<Atom>,
        class: Option<Class>,
        point: MessagePoint,
    },
    /// A state change that changes the value at `path` to one that passes `test`. The first known state of a
    /// process changes every path that it has.
    State {
        path: Path,
        test: Test,
    },
    /// An event of one of these kinds.
    Process {
        kinds: Vec<Kind>,
    },
    /// A message or call that came to this end.
    Result(CallResult),
    /// A conjunction over the event's own fields.
    Filter(Filter),
    Script(Rc<dyn Predicate>),
}

/// Where in its life a message hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MessagePoint {
    /// It leaves the sender.
    Sent,
    /// It arrives in the mailbox.
    #[default]
    Arrived,
    /// Its callback begins.
    Handled,
}

/// A test of the value at a path. Order holds between numbers, or between two terms of one type;
/// equality is Erlang's `==`.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    Changed,
    Greater(Term),
    Less(Term),
    AtLeast(Term),
    AtMost(Term),
    Equal(Term),
    NotEqual(Term),
}

/// How a message or call ended badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// The caller gave up waiting.
    Timeout,
    /// The reply came after the caller's timeout.
    Late,
    /// The message went to a dead process or an unknown name.
    NoProcess,
    /// The callee ended before it answered.
    Exit,
}

/// A condition in code.
pub trait Predicate {
    /// Kinds of event that it can hold for; empty for all. It is asked about no others.
    fn kinds(&self) -> Vec<Kind>;
    /// Whether it holds. An error disables the breakpoint.
    fn test(&self, candidate: &Candidate<'_>) -> Outcome<bool>;
    /// Its source, for lists.
    fn describe(&self) -> String;
}

/// The kinds that a process event's name stands for: a kind's own name, `restart`, or `end` for exit and crash.
pub fn event_kinds(name: &str) -> Outcome<Vec<Kind>> {
    match name {
        "restart" => Ok(vec![Kind::SupervisorRestart]),
        "end" => Ok(vec![Kind::Exit, Kind::Crash]),
        name => Kind::from_name(name).map(|kind| vec![kind]).ok_or_else(|| {
            let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
            let failure = Failure::usage(format!("no event is called {name:?}"));
            let failure = match nearest(name, all.iter().copied()).first() {
                Some(near) => failure.hint(format!("did you mean {near:?}?")),
                None => failure,
            };
            failure.hint(format!("events: restart, end, {}", all.join(", ")))
        }),
    }
}

impl CallResult {
    /// The result that `name` stands for.
    pub fn from_name(name: &str) -> Outcome<CallResult> {
        match name {
            "timeout" => Ok(CallResult::Timeout),
            "late" => Ok(CallResult::Late),
            "noproc" => Ok(CallResult::NoProcess),
            "exit" => Ok(CallResult::Exit),
            _ => {
                Err(Failure::usage(format!("no result is called {name:?}"))
                    .hint("results: timeout, late, noproc, exit"))
            }
        }
    }
    fn name(self) -> &'static str {
        match self {
            CallResult::Timeout => "timeout",
            CallResult::Late => "late",
            CallResult::NoProcess => "noproc",
            CallResult::Exit => "exit",
        }
    }
    fn kind(self) -> Kind {
        match self {
            CallResult::Timeout => Kind::Timeout,
            CallResult::Late => Kind::LateReply,
            CallResult::NoProcess => Kind::SendToDead,
            CallResult::Exit => Kind::Down,
        }
    }
}

impl Condition {
    /// Holds when a message with `tag` arrives; `None` for any message.
    pub fn on_message(tag: Option<Atom>) -> Condition {
        What::Message { tag, class: None, point: MessagePoint::Arrived }.into()
    }
    /// Holds when the state of a process changes at `path` to a value that passes `test`.
    pub fn on_state(process: Selector, path: Path, test: Test) -> Condition {
        Condition { process, what: What::State { path, test } }
    }
    /// Holds at the events that `name` stands for ([`event_kinds`]).
    pub fn on_process(process: Selector, name: &str) -> Outcome<Condition> {
        Ok(Condition { process, what: What::Process { kinds: event_kinds(name)? } })
    }
    /// Holds when a message or call comes to the end that `name` stands for ([`CallResult::from_name`]).
    pub fn on_result(name: &str) -> Outcome<Condition> {
        Ok(What::Result(CallResult::from_name(name)?).into())
    }
    pub fn script(predicate: Rc<dyn Predicate>) -> Condition {
        What::Script(predicate).into()
    }
    /// Narrows to the events of `process`.
    pub fn of(self, process: Selector) -> Condition {
        Condition { process, ..self }
    }

    /// The kinds of event that it can hold for; empty for all.
    pub fn kinds(&self) -> Vec<Kind> {
        match &self.what {
            What::Message { point: MessagePoint::Sent, .. } => vec![Kind::Send, Kind::Reply, Kind::SendToDead],
            What::Message { point: MessagePoint::Arrived, .. } => {
                vec![Kind::Receive, Kind::Down, Kind::TimerFire, Kind::ExitSignal]
            }
            What::Message { point: MessagePoint::Handled, .. } => vec![Kind::HandleStart],
            What::State { .. } => vec![Kind::StateChange],
            What::Process { kinds } => kinds.clone(),
            What::Result(result) => vec![result.kind()],
            What::Filter(filter) => filter.kinds.clone(),
            What::Script(predicate) => predicate.kinds(),
        }
    }

    /// Whether it holds for `candidate`, whose kind is one of [`Condition::kinds`]. Nanoseconds for
    /// conditions on the event's fields, a look-up of the previous state for states. Errors: a script's.
    pub fn holds(&self, candidate: &Candidate<'_>, roster: &Roster) -> Outcome<bool> {
        let event = &candidate.event;
        // Fields before names, names before payloads: the cheap tests first.
        let is_of_sort = match &self.what {
            What::Message { tag, class, .. } => {
                is_message(event)
                    && tag.is_none_or(|tag| message_tag(event) == Some(tag))
                    && class.is_none_or(|class| event.class == class)
            }
            What::Filter(filter) => filter.matches(event),
            What::State { .. } | What::Process { .. } | What::Result(_) | What::Script(_) => true,
        };
        if !is_of_sort || !self.process.selects_event(event, roster) {
            return Ok(false);
        }
        match &self.what {
            What::State { path, test } => Ok(state_holds(candidate, path, test)),
            What::Result(CallResult::Exit) => Ok(ends_a_call(candidate)),
            What::Script(predicate) => predicate.test(candidate),
            What::Message { .. } | What::Process { .. } | What::Result(_) | What::Filter(_) => Ok(true),
        }
    }

    /// A filter that passes every event for which the condition can hold; the store evaluates it first.
    /// `None` when nothing in the recording can match.
    pub(super) fn filter(&self, actors: &[Actor], roster: &Roster) -> Option<Filter> {
        let mut filter = match &self.what {
            What::Filter(filter) => filter.clone(),
            _ => Filter { kinds: self.kinds(), ..Filter::default() },
        };
        if let What::Message { tag, class, .. } = &self.what {
            // A 'DOWN' message may have no tag of its own.
            filter.tags.extend(tag.filter(|tag| *tag != "DOWN"));
            filter.classes.extend(*class);
        }
        let wanted = match self.process {
            Selector::Any => return Some(filter),
            Selector::Actor(actor) => vec![actor],
            Selector::Id(id) => actors.iter().copied().filter(|actor| is_meant(actor.id, id)).collect(),
            Selector::Name(name) => roster.ever_named(name),
            Selector::Module(module) => roster.of_module(module),
        };
        if wanted.is_empty() {
            return None;
        }
        let is_about_two = filter.kinds.is_empty() || filter.kinds.contains(&Kind::SupervisorRestart);
        let target = if is_about_two { &mut filter.involved } else { &mut filter.processes };
        // A filter condition that names processes already is narrowed by `holds`.
        if target.is_empty() {
            *target = wanted;
        }
        Some(filter)
    }
}

impl From<What> for Condition {
    fn from(what: What) -> Condition {
        Condition { process: Selector::Any, what }
    }
}

impl Selector {
    /// Whether the event is about a selected process.
    pub(super) fn selects_event(self, event: &Event, roster: &Roster) -> bool {
        self.selects(event.process, event, roster)
            || event.kind == Kind::SupervisorRestart && event.peer.is_some_and(|peer| self.selects(peer, event, roster))
    }

    fn selects(self, actor: Actor, event: &Event, roster: &Roster) -> bool {
        match self {
            Selector::Any => true,
            Selector::Id(id) => is_meant(actor.id, id),
            Selector::Actor(wanted) => actor == wanted,
            Selector::Name(name) => roster.is_named(actor, name, event.seq),
            Selector::Module(module) => {
                let spawned = event.tag.filter(|_| event.kind == Kind::Spawn && actor == event.process);
                let found = roster.module(actor, event.seq).or(spawned);
                found == Some(module) || found.is_some() && found == module.elixir_module()
            }
        }
    }
}

/// Whether `id` is the one that a user means: a pid as text, `<0.12.0>`, says no node.
pub fn is_meant(id: ActorId, wanted: ActorId) -> bool {
    match (id, wanted) {
        (ActorId::Pid(pid), ActorId::Pid(wanted)) if wanted.origin == Origin::LOCAL => {
            (pid.serial, pid.id) == (wanted.serial, wanted.id)
        }
        _ => id == wanted,
    }
}

/// Whether an exit signal is a message (the others' kind says it already).
fn is_message(event: &Event) -> bool {
    event.kind != Kind::ExitSignal || event.tag.is_some_and(|tag| tag == "EXIT")
}

fn message_tag(event: &Event) -> Option<Atom> {
    match event.kind {
        Kind::Down => event.tag.or_else(|| Atom::try_new("DOWN").ok()),
        _ => event.tag,
    }
}

/// Whether the process that ended owed the process of this 'DOWN' an answer.
fn ends_a_call(candidate: &Candidate<'_>) -> bool {
    let Some(call) = candidate.event.call else { return false };
    let send = Filter { call: Some(call), classes: vec![Class::Call], ..Filter::kind(Kind::Send) };
    candidate.last_before(send.process(candidate.event.process)).is_some()
}

fn state_holds(candidate: &Candidate<'_>, path: &Path, test: &Test) -> bool {
    let Some(value) = candidate.payload().and_then(|state| value_at(&state, path)) else { return false };
    test.passes(&value) && value_before(candidate, path).is_none_or(|before| before != value)
}

/// The value at `path` of the process's state just before the event. A look-up.
pub(super) fn value_before(candidate: &Candidate<'_>, path: &Path) -> Option<Term> {
    value_at(&candidate.state_before(candidate.event.process)?, path)
}

/// The value at `path` inside an encoded state; builds only that value.
pub(super) fn value_at(state: &[u8], path: &Path) -> Option<Term> {
    let (mut raw, _) = RawTerm::parse(state).ok()?;
    for (position, step) in path.steps.iter().enumerate() {
        let inner = match step {
            Step::Key(Term::Atom(key)) if key.as_str().is_ascii() => raw.get(key.as_str()),
            Step::Index(idx) => raw.tuple().or_else(|| raw.list()).and_then(|mut items| items.nth(*idx)),
            Step::Key(_) => None,
        };
        raw = match inner {
            Some(inner) => inner,
            // Keys that are terms and items of strings cannot be found in the bytes alone.
            None => {
                let rest = Path { steps: path.steps[position..].to_vec() };
                return rest.get(&raw.to_term().ok()?).cloned();
            }
        };
    }
    raw.to_term().ok()
}

impl Test {
    /// Whether `value` passes.
    pub fn passes(&self, value: &Term) -> bool {
        match self {
            Test::Changed => true,
            Test::Greater(limit) => ordered(value, limit).is_some_and(Ordering::is_gt),
            Test::Less(limit) => ordered(value, limit).is_some_and(Ordering::is_lt),
            Test::AtLeast(limit) => ordered(value, limit).is_some_and(Ordering::is_ge),
            Test::AtMost(limit) => ordered(value, limit).is_some_and(Ordering::is_le),
            Test::Equal(wanted) => value.loosely_equals(wanted),
            Test::NotEqual(other) => !value.loosely_equals(other),
        }
    }
}

/// The order of two numbers, or of two terms of one type. Erlang orders any two terms, but
/// `undefined > 100` is not what a user of a condition means.
fn ordered(a: &Term, b: &Term) -> Option<Ordering> {
    let is_number = |term: &Term| matches!(term, Term::Int(_) | Term::Big(_) | Term::Float(_));
    let is_comparable = is_number(a) && is_number(b) || std::mem::discriminant(a) == std::mem::discriminant(b);
    is_comparable.then(|| a.compare_loosely(b))
}

impl fmt::Debug for dyn Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::Any => f.write_str("any"),
            Selector::Id(id) => write!(f, "{}", Actor { id: *id, incarnation: 0 }),
            Selector::Actor(actor) => write!(f, "{actor}"),
            Selector::Name(name) => f.write_str(&name.display(Syntax::Erlang)),
            Selector::Module(module) => write!(f, "module {}", module.display(Syntax::Erlang)),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, term) = match self {
            Test::Changed => return f.write_str("changed"),
            Test::Greater(term) => (">", term),
            Test::Less(term) => ("<", term),
            Test::AtLeast(term) => (">=", term),
            Test::AtMost(term) => ("=<", term),
            Test::Equal(term) => ("==", term),
            Test::NotEqual(term) => ("/=", term),
        };
        write!(f, "{sign} {}", term.display(Style::cell(Syntax::Erlang)))
    }
}

/// The condition in words: `state of account: balance > 100`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Message { tag, class, point } => {
                let point = match point {
                    MessagePoint::Sent => "sent by",
                    MessagePoint::Arrived => "arrives at",
                    MessagePoint::Handled => "handled by",
                };
                let sort = class.map_or("message", Class::as_str);
                let tag = tag.map_or(String::new(), |tag| format!(" {}", tag.display(Syntax::Erlang)));
                write!(f, "{sort}{tag} {point} {}", self.process)
            }
            What::State { path, test } if path.steps.is_empty() => write!(f, "state of {} {test}", self.process),
            What::State { path, test } => write!(f, "state of {}: {path} {test}", self.process),
            What::Process { kinds } => {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
                write!(f, "{} of {}", names.join(" or "), self.process)
            }
            What::Result(result) => write!(f, "result {} at {}", result.name(), self.process),
            What::Filter(filter) => {
                let names: Vec<&str> = filter.kinds.iter().map(|kind| kind.as_str()).collect();
                let kinds = if names.is_empty() { "event".to_string() } else { names.join(" or ") };
                write!(f, "{kinds} by its fields, of {}", self.process)
            }
            What::Script(predicate) => f.write_str(&predicate.describe()),
        }
    }
}
