//! Short texts for marks: messages, callbacks, events in words.

use crate::model::{Actor, Class, Event, Kind, Seq, Style, Syntax, Term};
use crate::store::Recording;
use crate::view::EventLine;

/// Characters of a message on an arrow or in a line.
const MESSAGE_CHARS: usize = 60;

/// The syntax of a recording's target.
pub(super) fn syntax(rec: &Recording) -> Syntax {
    if rec.info.is_elixir { Syntax::Elixir } else { Syntax::Erlang }
}

/// What the event carries, without the wrapping of calls, casts and replies; its tag when it carries nothing.
pub(super) fn message(rec: &Recording, event: &Event) -> String {
    let syntax = syntax(rec);
    match rec.term(event.seq) {
        Some(term) => unwrapped(&term, event.class).display(Style::cell(syntax).chars_max(MESSAGE_CHARS)).to_string(),
        None => event.tag.map(|tag| tag.display(syntax)).unwrap_or_default(),
    }
}

/// The request inside of a call or cast, the answer inside of a reply; other terms as they are.
fn unwrapped(term: &Term, class: Class) -> &Term {
    match (term.request(), term.as_tuple()) {
        (Some(request), _) => request,
        (_, Some([_, answer])) if class == Class::Reply => answer,
        (_, Some([notify, event])) if class == Class::Cast && notify.is_atom("notify") => event,
        _ => term,
    }
}

/// The callback that begins with a handle_start: `handle_call get`.
pub(super) fn callback(event: &Event) -> String {
    let callback = match event.class {
        Class::Call => "handle_call",
        Class::Cast => "handle_cast",
        Class::Init => "init",
        Class::Continue => "handle_continue",
        Class::Terminate => "terminate",
        Class::CodeChange => "code_change",
        Class::Enter => "enter",
        Class::Internal => "internal",
        _ => "handle_info",
    };
    match event.tag {
        Some(tag) => format!("{callback} {}", tag.as_str()),
        None => callback.to_string(),
    }
}

/// An event as a line of words; `name` gives a process's name as of the event. `None`: there is no such event.
pub fn event_line(rec: &Recording, seq: Seq, mut name: impl FnMut(Actor) -> String) -> Option<EventLine> {
    let event = rec.event(seq)?;
    let start_ns = rec.time_range_ns().map_or(0, |(first, _)| first);
    let is_arrival = event.kind.is_arrival() || matches!(event.kind, Kind::ExitSignal | Kind::LateReply);
    let says_class = event.class != Class::None && event.class.as_str() != event.kind.as_str();
    Some(EventLine {
        seq,
        at_ns: event.at_ns - start_ns,
        kind: event.kind.as_str().to_string(),
        class: if says_class { event.class.as_str().to_string() } else { String::new() },
        process: name(event.process),
        peer: event.peer.map(&mut name),
        is_towards_peer: !is_arrival,
        detail: message(rec, &event),
    })
}
