//! Why a process ended: its own error in words, with the message that it was handling and its state before; or
//! the exit signal that reached it, followed from link to link to the first process that died.

use super::case::Case;
use super::{restart, timeout};
use crate::analysis::latency;
use crate::analysis::reason::{self, Words};
use crate::model::{Actor, Class, Event, Filter, Kind, Seq, Term};

/// Links that are followed from one dead process to the one that took it along.
const LINKS_MAX: usize = 32;

/// What made a process end.
enum Maker {
    /// An exit signal of a process that lived on.
    Signal { signal: Event, sender: Actor },
    /// Its supervisor, in the midst of this event.
    Supervisor { event: Event },
    /// Its own callback.
    Callback(Event),
    /// Nothing in the recording.
    Unknown,
}

/// Explains the exit or crash event.
pub(super) fn explain(case: &mut Case<'_>, end: Event) {
    let gave_up = case.last_of(end.process, &[Kind::ChildSpecChange], 0..end.seq.0);
    if let Some(restart) = gave_up.and_then(|event| restart::of_give_up(case, event)) {
        return restart::explain(case, restart);
    }
    let path = links(case, end);
    let origin = *path.last().expect("the path begins with the end itself");
    if path.len() > 1 {
        tell_links(case, &path);
    }
    tell_end(case, origin);
    tell_state(case, origin);
    tell_effects(case, end);
    case.next(format!("chain(seq({}))", end.seq.0));
}

/// The ends from `end` back to the first one, each taken along by the next.
fn links(case: &Case<'_>, end: Event) -> Vec<Event> {
    let mut path = vec![end];
    while let Some(earlier) = taken_along_by(case, path[path.len() - 1]).filter(|_| path.len() < LINKS_MAX) {
        path.push(earlier);
    }
    path
}

/// The end of the linked process whose exit signal ended this one.
fn taken_along_by(case: &Case<'_>, end: Event) -> Option<Event> {
    let cause = case.rec.event(end.cause?)?;
    let linked = match cause.kind {
        Kind::ExitSignal if terminate_before(case, end, cause.seq).is_some() => return None,
        Kind::ExitSignal => case.names.end(cause.peer?).filter(|end| *end < cause.seq)?,
        Kind::Exit | Kind::Crash if cause.process != end.process => cause.seq,
        _ => return None,
    };
    case.rec.event(linked)
}

/// The terminate that the process was in already when event `at` came: then that event is not why it ended.
fn terminate_before(case: &Case<'_>, end: Event, at: Seq) -> Option<Event> {
    case.callback_at(end.process, at).filter(|start| start.class == Class::Terminate && start.cause != Some(at))
}

fn tell_links(case: &mut Case<'_>, path: &[Event]) {
    for pair in path.windows(2) {
        let (victim, killer) = (pair[0], pair[1]);
        let (name, other) = (case.name(victim.process, victim.seq), case.name(killer.process, killer.seq));
        let signal =
            victim.cause.and_then(|cause| case.rec.event(cause)).filter(|event| event.kind == Kind::ExitSignal);
        match signal {
            Some(signal) => {
                case.say(format!(
                    "{name} died of {other}'s exit signal (#{}): the two were linked, and {other} had ended (#{}).",
                    signal.seq.0, killer.seq.0
                ));
                case.prove(signal.seq, "exit signal", format!("{other}'s exit signal reaches {name}"));
            }
            None => case.say(format!(
                "{name} died with {other}, to which it was linked: {other} had ended with the same reason (#{}).",
                killer.seq.0
            )),
        }
        case.prove(victim.seq, "end", format!("{name} ends"));
    }
}

/// Says how and why one process ended, apart from links.
pub(super) fn tell_end(case: &mut Case<'_>, end: Event) {
    let name = case.name(end.process, end.seq);
    let reason = case.rec.term(end.seq);
    let words = reason.as_ref().map(|reason| reason::in_words(reason, &|term| case.show(term)));
    let text = words.as_ref().map_or_else(|| "a reason that was not recorded".to_string(), |words| words.text.clone());
    case.prove(end.seq, "end", format!("{name} ends: {text}"));
    let seq = end.seq.0;
    let was_killed = reason.as_ref().is_some_and(|reason| reason.is_atom("killed"));
    match maker(case, end) {
        Maker::Signal { signal, sender } => tell_signal(case, end, signal, sender, &text),
        Maker::Supervisor { event } => {
            let supervisor = case.name(event.process, event.seq);
            case.say(format!(
                "{name} ended with {text} (#{seq}): its supervisor {supervisor} shut it down (#{}).",
                event.seq.0
            ));
            case.prove(event.seq, "shut down", format!("{supervisor} takes its children down"));
            tell_above(case, event.process, end);
        }
        _ if was_killed => {
            case.say(format!("{name} was killed (#{seq}). No recorded process sent the signal: it came from outside."))
        }
        Maker::Callback(start) => tell_callback(case, end, start, words.as_ref(), &text),
        Maker::Unknown => tell_unknown(case, end, words.as_ref(), &text),
    }
    if let Some(words) = words.filter(|words| words.failed_call.is_some()) {
        tell_failed_call(case, end, &words);
    } else if let Some(reason) = &reason {
        tell_answer(case, end, reason);
    }
}

fn maker(case: &Case<'_>, end: Event) -> Maker {
    let running = case.callback_at(end.process, end.seq);
    let cause = end.cause.and_then(|cause| case.rec.event(cause));
    let own = |event: &Event| event.kind == Kind::HandleStart && event.process == end.process;
    let terminate = cause.filter(own).or(running).filter(|start| start.class == Class::Terminate);
    // A signal that came when the process was in its terminate already is not why; what made it terminate is.
    if let Some(terminate) = terminate.or_else(|| terminate_before(case, end, cause?.seq)) {
        return before_terminate(case, terminate);
    }
    match cause {
        Some(signal) if signal.kind == Kind::ExitSignal => of_signal(signal),
        Some(start) if own(&start) => Maker::Callback(start),
        Some(event) if event.process != end.process => Maker::Supervisor { event },
        _ => running.map_or(Maker::Unknown, Maker::Callback),
    }
}

fn of_signal(signal: Event) -> Maker {
    signal.peer.map_or(Maker::Unknown, |sender| Maker::Signal { signal, sender })
}

/// What made a process terminate: the exit signal that came last, or the callback that was over last.
fn before_terminate(case: &Case<'_>, terminate: Event) -> Maker {
    let cause = terminate.cause.and_then(|cause| case.rec.event(cause));
    let kinds = [Kind::ExitSignal, Kind::HandleEnd];
    let last = case.last_of(terminate.process, &kinds, 0..terminate.seq.0);
    match cause.filter(|cause| cause.kind == Kind::ExitSignal).or(last) {
        Some(signal) if signal.kind == Kind::ExitSignal => of_signal(signal),
        Some(over) => over.cause.and_then(|start| case.rec.event(start)).map_or(Maker::Unknown, Maker::Callback),
        None => Maker::Callback(terminate),
    }
}

fn tell_signal(case: &mut Case<'_>, end: Event, signal: Event, sender: Actor, text: &str) {
    let (name, from) = (case.name(end.process, end.seq), case.name(sender, signal.seq));
    let state = case.rec.materialise(signal.seq);
    let is_supervisor = state.processes.get(&end.process).is_some_and(|row| row.supervisor == Some(sender));
    case.prove(signal.seq, "exit signal", format!("{from}'s exit signal reaches {name}"));
    if is_supervisor {
        case.say(format!(
            "{name} ended with {text} (#{}): its supervisor {from} shut it down (#{}).",
            end.seq.0, signal.seq.0
        ));
        tell_above(case, sender, end);
        return;
    }
    case.say(format!(
        "{name} ended with {text} (#{}): {from}, which lived on, sent it that exit signal (#{}).",
        end.seq.0, signal.seq.0
    ));
    if let Some(start) = signal.cause.and_then(|cause| case.rec.event(cause)).filter(|e| e.kind == Kind::HandleStart) {
        let trigger = case.trigger(&start);
        case.say(format!("{from} did so while handling {trigger}."));
        case.prove(start.seq, "sender's callback", format!("{from} handles {trigger}"));
    }
}

/// Why a supervisor took its children down: it gave up on one, or was itself shut down from above.
fn tell_above(case: &mut Case<'_>, supervisor: Actor, end: Event) {
    let mut supervisor = supervisor;
    for _ in 0..LINKS_MAX {
        let name = case.name(supervisor, end.seq);
        let changes = case.last_of(supervisor, &[Kind::ChildSpecChange], 0..end.seq.0);
        if let Some(gave_up) = changes.filter(|event| restart::is_give_up(case, event)) {
            let child = gave_up.tag.map_or_else(|| "a child".to_string(), |id| case.show(&Term::Atom(id)));
            case.say(format!(
                "{name} was going down because it had given up on restarting {child} (#{}).",
                gave_up.seq.0
            ));
            case.prove(gave_up.seq, "gave up", format!("{name} gives up on {child}"));
            case.next(format!("why(seq({}))", gave_up.seq.0));
            return;
        }
        let own_end = case.names.end(supervisor).and_then(|seq| case.rec.event(seq));
        let Some(Maker::Signal { signal, sender }) = own_end.map(|own_end| maker(case, own_end)) else { return };
        let above = case.name(sender, signal.seq);
        case.say(format!("{name} in turn was told to end by {above} (#{}).", signal.seq.0));
        case.prove(signal.seq, "from above", format!("{above}'s exit signal reaches {name}"));
        supervisor = sender;
    }
}

/// The process ended by its own doing, inside a callback.
fn tell_callback(case: &mut Case<'_>, end: Event, start: Event, words: Option<&Words>, text: &str) {
    let name = case.name(end.process, end.seq);
    let trigger = case.trigger(&start);
    let seq = end.seq.0;
    let site =
        words.and_then(|words| words.site.as_ref()).map(|site| format!(", raised in {site}")).unwrap_or_default();
    let (verb, while_doing) = match (end.kind, start.class) {
        (Kind::Crash, Class::Init) => ("failed in", String::new()),
        (Kind::Crash, _) => ("crashed while handling", String::new()),
        (_, _) => ("ended while handling", ", an orderly end".to_string()),
    };
    case.say(format!("{name} {verb} {trigger}: {text}{site} (#{seq}){while_doing}."));
    case.prove(start.seq, "callback", format!("{name} begins {trigger}"));
    case.focus(start.cause);
    if let Some(call) = start.call.filter(|_| start.class == Class::Call)
        && let Some(row) = latency::call_of(case.rec, &case.scope, start.seq)
        && let Some(caller) = row.caller
    {
        case.focus(row.send_seq);
        let told =
            Filter { ranges: case.within(end.seq.0..case.rec.len()), call: Some(call), ..Filter::kind(Kind::Down) };
        let told = case.rec.scan(&told.process(caller)).next();
        if let Some(down) = told {
            let caller = case.name(caller, down.seq);
            case.say(format!("{caller}, which waited for the answer, got the exit instead (#{}).", down.seq.0));
            case.prove(down.seq, "caller told", format!("{caller}'s call fails"));
        }
    }
}

/// No signal and no callback: the last thing that was recorded of it.
fn tell_unknown(case: &mut Case<'_>, end: Event, words: Option<&Words>, text: &str) {
    let name = case.name(end.process, end.seq);
    let site =
        words.and_then(|words| words.site.as_ref()).map(|site| format!(", raised in {site}")).unwrap_or_default();
    let is_clause = words.is_some_and(|words| words.failed_call.is_some());
    case.say(match text {
        "normal" => format!("{name} ended normally (#{}): it was done.", end.seq.0),
        text if is_clause => format!("{name} ended because {text} and it did not catch that (#{}).", end.seq.0),
        text => format!("{name} ended with {text}{site} (#{}).", end.seq.0),
    });
    let last = case.last_of(end.process, &[Kind::HandleEnd], 0..end.seq.0);
    if let Some((last, start)) = last.and_then(|last| Some((last, case.rec.event(last.cause?)?))) {
        let trigger = case.trigger(&start);
        case.say(format!(
            "The last that it did was {trigger}, which was over {} before (#{}).",
            case.between(&last, &end),
            last.seq.0
        ));
        case.prove(last.seq, "last callback", format!("{name} is done with {trigger}"));
    } else if end.kind == Kind::Crash {
        case.note(format!("What {name} was doing when it ended was not recorded."));
    }
}

/// A gen call that failed ended the process: says what became of the call.
fn tell_failed_call(case: &mut Case<'_>, end: Event, words: &Words) {
    let kinds = [Kind::Timeout, Kind::Down, Kind::SendToDead];
    let Some(failure) = case.last_of(end.process, &kinds, 0..end.seq.0) else { return };
    match failure.kind {
        Kind::Timeout if words.text.ends_with("timed out") => timeout::tell_wait(case, failure),
        Kind::Down | Kind::SendToDead => {
            let Some(callee) = failure.peer else { return };
            let name = case.name(callee, failure.seq);
            let Some(ended) = case.names.end(callee).and_then(|seq| case.rec.event(seq)).filter(|e| e.seq < end.seq)
            else {
                return;
            };
            let why = case.rec.term(ended.seq).map(|term| reason::in_words(&term, &|term| case.show(term)).text);
            case.say(format!(
                "{name} had ended {} before (#{}): {}.",
                case.between(&ended, &end),
                ended.seq.0,
                why.unwrap_or_else(|| "no reason recorded".into())
            ));
            case.prove(ended.seq, "callee's end", format!("{name} ends"));
            case.next(format!("why(seq({}))", ended.seq.0));
        }
        _ => {}
    }
}

/// Whether the process ended because a gen call of its own failed with `why`.
pub(super) fn is_of_failed_call(case: &Case<'_>, end: &Event, why: &str) -> bool {
    let reason = case.rec.term(end.seq);
    let reason = reason.as_ref().map(|reason| reason::split_stack(reason).0);
    reason.and_then(Term::as_tuple).is_some_and(|items| items.len() == 2 && items[0].is_atom(why))
}

/// Says whose answer the reason came in, when the process passed on an `{error, Reason}` that it got.
pub(super) fn tell_answer(case: &mut Case<'_>, end: Event, reason: &Term) {
    let inner = reason::split_stack(reason).0;
    if inner.as_atom().is_some() {
        return;
    }
    let Some(answer) = answer_with(case, end.process, 0..end.seq.0, inner) else { return };
    let Some(call) = latency::call_of(case.rec, &case.scope, answer.seq) else { return };
    let Some((send, callee)) = call.send_seq.and_then(|seq| case.rec.event(seq)).zip(call.callee) else { return };
    let name = case.name(end.process, end.seq);
    let (request, callee) = (case.message(&send), case.name(callee, answer.seq));
    case.say(format!(
        "{name} got that reason as the answer of {callee} (#{}) to its call {request} (#{}).",
        answer.seq.0, send.seq.0
    ));
    case.prove(send.seq, "its call", format!("{name} calls {callee}: {request}"));
    case.prove(answer.seq, "the answer", format!("{callee} answers {}", case.message(&answer)));
}

/// The newest reply to `process` in the range that holds the reason.
fn answer_with(case: &Case<'_>, process: Actor, range: std::ops::Range<u64>, reason: &Term) -> Option<Event> {
    let replies = Filter {
        ranges: case.within(range),
        classes: vec![Class::Reply],
        ..Filter::kind(Kind::Receive).process(process)
    };
    let holds = |event: &Event| {
        let term = event.cause.and_then(|reply| case.rec.term(reply)).or_else(|| case.rec.term(event.seq));
        term.is_some_and(|term| reason::holds(&term, reason))
    };
    case.rec.scan(&replies).rev().take(20).find(holds)
}

/// The state that the process had when it ended.
fn tell_state(case: &mut Case<'_>, end: Event) {
    if end.kind != Kind::Crash {
        return;
    }
    let born = case.names.spawn(end.process).map_or(0, |spawn| spawn.seq.0);
    let Some(state) = case.last_of(end.process, &[Kind::StateChange], born..end.seq.0) else { return };
    let Some(term) = case.rec.term(state.seq) else { return };
    let text = case.show(&term);
    case.say(format!("Its state was {text} (since #{}).", state.seq.0));
    case.prove(state.seq, "state before", text);
}

/// What the end did to others: restart, and who died with it.
fn tell_effects(case: &mut Case<'_>, end: Event) {
    let filter = Filter {
        ranges: case.within(end.seq.0..case.rec.len()),
        cause: Some(end.seq),
        ..Filter::kind(Kind::SupervisorRestart)
    };
    let restarts: Vec<Event> = case.rec.scan(&filter).collect();
    if let Some(first) = restarts.first() {
        let supervisor = case.name(first.process, first.seq);
        let after = case.between(&end, first);
        case.prove(first.seq, "restart", format!("{supervisor} restarts it"));
        match restarts.len() {
            1 => case.say(format!("{supervisor} restarted it {after} later (#{}).", first.seq.0)),
            n => {
                case.say(format!("{supervisor} tried to restart it {n} times, first {after} later (#{}).", first.seq.0))
            }
        }
        case.next(format!("why(seq({}))", first.seq.0));
    }
    let (n_ends, last) = taken_along(case, end);
    if let Some(last) = last {
        let they = if n_ends == 1 { "One other process".to_string() } else { format!("{n_ends} other processes") };
        case.say(format!("{they} died of it, along links (the last one at #{}).", last.0));
    }
}

/// How many processes this end took along, directly or through others, and the last of them.
fn taken_along(case: &mut Case<'_>, end: Event) -> (usize, Option<Seq>) {
    let later =
        Filter { ranges: case.within(end.seq.0 + 1..case.rec.len()), ..Filter::kinds(&[Kind::Exit, Kind::Crash]) };
    let mut dead = vec![end.seq];
    for event in case.rec.scan(&later) {
        let is_of_it = taken_along_by(case, event).is_some_and(|killer| dead.binary_search(&killer.seq).is_ok());
        if is_of_it {
            dead.push(event.seq);
        }
    }
    let last = dead.last().copied().filter(|last| *last != end.seq);
    let n_ends = dead.len() - 1;
    case.focus(dead.into_iter().take(50));
    (n_ends, last)
}
