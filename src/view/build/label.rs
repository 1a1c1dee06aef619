//! Short texts for marks: pids, messages, events in words.

use crate::model::{Actor, ActorId, Class, Event, Kind, Seq};
use crate::store::Recording;
use crate::view::EventLine;

/// The pid or port as text.
pub fn actor_id(actor: Actor) -> String {
    match actor.id {
        ActorId::Pid(pid) => format!("<0.{}.{}>", pid.id, pid.serial),
        ActorId::Port(port) => format!("#Port<0.{}>", port.id()),
    }
}

/// What a message says: its tag. Empty when there is none.
pub(super) fn message(_rec: &Recording, event: &Event) -> String {
    event.tag.map(|tag| tag.as_str().to_string()).unwrap_or_default()
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
        _ => "handle_info",
    };
    match event.tag {
        Some(tag) => format!("{callback} {}", tag.as_str()),
        None => callback.to_string(),
    }
}

/// An event as a line of words; `name` gives a process's name as of the event.
pub fn event_line(rec: &Recording, seq: Seq, mut name: impl FnMut(Actor) -> String) -> Option<EventLine> {
    let event = rec.event(seq)?;
    let start_ns = rec.time_range_ns().map_or(0, |(first, _)| first);
    let is_arrival = event.kind.is_arrival() || matches!(event.kind, Kind::ExitSignal | Kind::LateReply);
    Some(EventLine {
        seq,
        at_ns: event.at_ns - start_ns,
        kind: event.kind.as_str().to_string(),
        class: if event.class == Class::None { String::new() } else { event.class.as_str().to_string() },
        process: name(event.process),
        peer: event.peer.map(&mut name),
        is_towards_peer: !is_arrival,
        detail: message(rec, &event),
    })
}
