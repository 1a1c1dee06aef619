//! What every explanation is made from: the recording's facts in words, and the answer as it grows.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::{Evidence, Explanation};
use crate::analysis::names::Names;
use crate::analysis::process::is_exact;
use crate::analysis::{Scope, causality, within};
use crate::model::time::show_ns;
use crate::model::{Actor, Class, Event, Filter, Kind, Seq, Style, Syntax, Term};
use crate::store::Recording;

/// Characters of a term inside a sentence.
const TERM_CHARS: usize = 60;

pub(super) struct Case<'r> {
    pub rec: &'r Recording,
    pub scope: Vec<Range<u64>>,
    pub names: Arc<Names>,
    style: Style,
    out: Explanation,
    focus: BTreeSet<Seq>,
}

impl<'r> Case<'r> {
    pub fn new(rec: &'r Recording, scope: Scope<'_>, event: Event) -> Case<'r> {
        let syntax = if rec.info.is_elixir { Syntax::Elixir } else { Syntax::Erlang };
        let out = Explanation {
            event: event.seq,
            kind: event.kind,
            sentences: Vec::new(),
            evidence: Vec::new(),
            focus: Vec::new(),
            notes: Vec::new(),
            next: Vec::new(),
        };
        Case {
            rec,
            scope: scope.to_vec(),
            names: Names::of(rec, scope),
            style: Style::cell(syntax).chars_max(TERM_CHARS),
            out,
            focus: BTreeSet::from([event.seq]),
        }
    }

    /// Adds a sentence to the paragraph.
    pub fn say(&mut self, sentence: impl Into<String>) {
        self.out.sentences.push(sentence.into());
    }

    /// Adds an event that proves what was said; it is drawn in focus.
    pub fn prove(&mut self, seq: Seq, role: &'static str, text: impl Into<String>) {
        self.focus.insert(seq);
        if !self.out.evidence.iter().any(|evidence| evidence.seq == seq) {
            self.out.evidence.push(Evidence { seq, role, text: text.into() });
        }
    }

    /// Draws events in focus that need no words.
    pub fn focus(&mut self, seqs: impl IntoIterator<Item = Seq>) {
        self.focus.extend(seqs);
    }

    pub fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.out.notes.contains(&note) {
            self.out.notes.push(note);
        }
    }

    /// Names a command that shows more.
    pub fn next(&mut self, command: impl Into<String>) {
        self.out.next.push(command.into());
    }

    pub fn finish(mut self) -> Explanation {
        self.out.evidence.sort_by_key(|evidence| evidence.seq);
        self.out.focus = self.focus.into_iter().collect();
        self.out
    }

    /// The scope's part within `range`.
    pub fn within(&self, range: Range<u64>) -> Vec<Range<u64>> {
        within(self.rec, &self.scope, range)
    }

    /// Whether the recording has events of these kinds of the process where there were some: on a BEAM, what was not
    /// traced is not there.
    pub fn is_recorded(&self, process: Actor, kinds: &[Kind]) -> bool {
        if is_exact(self.rec) {
            return true;
        }
        let filter = Filter { ranges: self.scope.clone(), ..Filter::kinds(kinds).process(process) };
        self.rec.scan(&filter).next().is_some()
    }

    /// The first event of these kinds in `range` that `wanted` accepts.
    pub fn find(&self, kinds: &[Kind], range: Range<u64>, wanted: impl Fn(&Event) -> bool) -> Option<Event> {
        let filter = Filter { ranges: self.within(range), ..Filter::kinds(kinds) };
        self.rec.scan(&filter).find(|event| wanted(event))
    }

    /// The newest event of these kinds of one process in `range`.
    pub fn last_of(&self, process: Actor, kinds: &[Kind], range: Range<u64>) -> Option<Event> {
        let filter = Filter { ranges: self.within(range), ..Filter::kinds(kinds).process(process) };
        self.rec.scan(&filter).next_back()
    }

    /// The callback that runs in `process` when event `at` happens.
    pub fn callback_at(&self, process: Actor, at: Seq) -> Option<Event> {
        let start = causality::callback_at(self.rec, &self.scope, process, at)?;
        self.rec.event(start).filter(|event| event.kind == Kind::HandleStart)
    }

    pub fn name(&self, actor: Actor, at: Seq) -> String {
        self.names.at(actor, at)
    }

    pub fn name_or(&self, actor: Option<Actor>, at: Seq, unknown: &str) -> String {
        actor.map_or_else(|| unknown.to_string(), |actor| self.name(actor, at))
    }

    pub fn syntax(&self) -> Syntax {
        self.style.syntax
    }

    /// The term, whole when it is short, else without its depths.
    pub fn show(&self, term: &Term) -> String {
        let whole = term.display(self.style).to_string();
        if whole.chars().count() <= TERM_CHARS {
            return whole;
        }
        term.display(Style { depth_max: 2, ..self.style }).to_string()
    }

    /// The time between two events, in words.
    pub fn between(&self, from: &Event, to: &Event) -> String {
        show_ns(to.at_ns.saturating_sub(from.at_ns).max(0))
    }

    /// What a message says: the request inside a call or cast, the value inside a reply.
    pub fn message(&self, event: &Event) -> String {
        let source = match (event.kind, event.size_bytes, event.cause) {
            (Kind::HandleStart, 0, Some(arrival)) => arrival,
            _ => event.seq,
        };
        let tag = || event.tag.map_or_else(|| "a message".to_string(), |tag| self.show(&Term::Atom(tag)));
        self.rec.term(source).map_or_else(tag, |term| self.show(unwrap(&term)))
    }

    /// The trigger of a callback, in words: `the call audit of <0.90.0> (#12)`, `its init`.
    pub fn trigger(&self, start: &Event) -> String {
        let seq = start.seq.0;
        let arrival = start.cause.and_then(|cause| self.rec.event(cause));
        let sender = start.peer.or_else(|| arrival.and_then(|event| event.peer));
        let of = sender.map_or_else(String::new, |from| format!(" of {}", self.name(from, start.seq)));
        match start.class {
            Class::Init => format!("its {} (#{seq})", self.names.entry(self.rec, start.process)),
            Class::Terminate => format!("its terminate (#{seq})"),
            Class::Continue => format!("its handle_continue {} (#{seq})", self.message(start)),
            Class::Timeout => format!("its own timeout (#{seq})"),
            Class::Internal => format!("its own event {} (#{seq})", self.message(start)),
            Class::Enter => format!("entering its state (#{seq})"),
            Class::CodeChange => format!("its code_change (#{seq})"),
            Class::Timer => format!("the timer message {} (#{seq})", self.message(start)),
            Class::Call => format!("the call {}{of} (#{seq})", self.message(start)),
            Class::Cast => format!("the cast {}{of} (#{seq})", self.message(start)),
            Class::Exit => format!("the exit message {} (#{seq})", self.message(start)),
            Class::Down => format!("the message {} (#{seq})", self.message(start)),
            _ => format!("the message {}{of} (#{seq})", self.message(start)),
        }
    }
}

/// The request inside `{'$gen_call', From, Request}` or `{'$gen_cast', Request}`, the value inside a reply
/// `{[alias | Ref], Value}` or `{Ref, Value}`; others are what they are.
fn unwrap(message: &Term) -> &Term {
    if let Some(request) = message.request() {
        return request;
    }
    let is_ref = |tag: &Term| match tag {
        Term::List(list) => list.items.iter().all(|item| item.is_atom("alias")) && matches!(list.tail, Term::Ref(_)),
        tag => matches!(tag, Term::Ref(_)),
    };
    match message.as_tuple() {
        Some([tag, value]) if is_ref(tag) => value,
        _ => message,
    }
}
