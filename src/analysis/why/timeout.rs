//! Why a call timed out: what its callee was doing instead of answering.

use super::activity::{self, Window};
use super::case::Case;
use super::crash;
use crate::analysis::join::since;
use crate::analysis::latency::{self, CallRow};
use crate::analysis::reason;
use crate::model::time::show_ns;
use crate::model::{Actor, Event, Kind, Seq};

/// Explains the timeout event.
pub(super) fn explain(case: &mut Case<'_>, timeout: Event) {
    tell(case, timeout);
    tell_effect(case, timeout);
    case.next(format!("chain(seq({}))", timeout.seq.0));
}

/// Says who waited how long for whom, and what kept the callee.
fn tell(case: &mut Case<'_>, timeout: Event) {
    let send = timeout.cause.and_then(|send| case.rec.event(send));
    let caller = case.name(timeout.process, timeout.seq);
    let callee = case.name_or(callee(case, timeout), timeout.seq, "an unknown process");
    let request = case.message(send.as_ref().unwrap_or(&timeout));
    let after = match send {
        Some(send) => {
            format!("after {} (sent #{}, given up #{})", case.between(&send, &timeout), send.seq.0, timeout.seq.0)
        }
        None => format!("(#{})", timeout.seq.0),
    };
    case.say(format!("{caller} gave up on its call {request} to {callee} {after}."));
    tell_reasons(case, timeout);
}

/// The same for a caller whose end was told already.
pub(super) fn tell_wait(case: &mut Case<'_>, timeout: Event) {
    if let Some(send) = timeout.cause.and_then(|send| case.rec.event(send)) {
        let waited = case.between(&send, &timeout);
        case.say(format!("It had waited {waited} (sent #{}, given up #{}).", send.seq.0, timeout.seq.0));
    }
    tell_reasons(case, timeout);
}

fn callee(case: &Case<'_>, timeout: Event) -> Option<Actor> {
    let call = timeout.call.and_then(|_| latency::call_of(case.rec, &case.scope, timeout.seq));
    call.and_then(|call| call.callee).or(timeout.peer)
}

fn tell_reasons(case: &mut Case<'_>, timeout: Event) {
    let call = timeout.call.and_then(|_| latency::call_of(case.rec, &case.scope, timeout.seq));
    let caller_name = case.name(timeout.process, timeout.seq);
    let callee = callee(case, timeout);
    let callee_name = case.name_or(callee, timeout.seq, "an unknown process");
    if let Some(send) = timeout.cause.and_then(|send| case.rec.event(send)) {
        case.prove(send.seq, "call", format!("{caller_name} calls {callee_name}: {}", case.message(&send)));
    }
    case.prove(timeout.seq, "timeout", format!("{caller_name} gives up"));
    let (Some(callee), Some(call)) = (callee, &call) else { return };
    tell_callee(case, timeout, callee, call);
    tell_late_reply(case, timeout, callee, call);
    case.next(format!("process_timeline(\"{callee_name}\")"));
}

/// What kept the callee from answering in time.
fn tell_callee(case: &mut Case<'_>, timeout: Event, callee: Actor, call: &CallRow) {
    let name = case.name(callee, timeout.seq);
    let event = |seq: Option<Seq>| seq.and_then(|seq| case.rec.event(seq)).filter(|event| event.seq < timeout.seq);
    let (arrival, start, reply) = (event(call.receive_seq), event(call.start_seq), event(call.reply_seq));
    let end = event(case.names.end(callee));
    let from = arrival.or_else(|| event(call.send_seq)).unwrap_or(timeout);
    let window = Window { from, to: timeout };
    let mut waiters = vec![timeout.process];
    if let Some(reply) = reply {
        case.say(format!(
            "{name} had answered {} before that (#{}), but the reply had not arrived.",
            case.between(&reply, &timeout),
            reply.seq.0
        ));
        case.prove(reply.seq, "reply", format!("{name} replies"));
        return;
    }
    if let Some(end) = end {
        if end.seq > from.seq && start.is_none() {
            activity::tell_queue(case, callee, Window { from, to: end }, &mut waiters);
        }
        let said = case.rec.term(end.seq).map(|term| reason::in_words(&term, &|term| case.show(term)).text);
        let when = if end.seq < from.seq { "had already ended" } else { "ended before it answered" };
        case.say(format!("{name} {when} (#{}: {}).", end.seq.0, said.unwrap_or_else(|| "no reason recorded".into())));
        case.prove(end.seq, "callee's end", format!("{name} ends"));
        return;
    }
    match arrival {
        Some(arrival) => case.prove(arrival.seq, "arrival", format!("the call arrives in {name}'s mailbox")),
        None if start.is_some() => {}
        None => return tell_no_arrival(case, callee, &name),
    }
    match start {
        None => activity::tell_queue(case, callee, window, &mut waiters),
        Some(start) if since(from.at_ns, start.at_ns) > since(start.at_ns, timeout.at_ns) => {
            activity::tell_queue(case, callee, Window { from, to: start }, &mut waiters);
            case.say(format!(
                "{name} took it up only {} before the timeout (#{}).",
                case.between(&start, &timeout),
                start.seq.0
            ));
            case.prove(start.seq, "callback", format!("{name} takes it up"));
        }
        Some(start) => tell_own_callback(case, callee, start, window, &mut waiters),
    }
}

/// A call that is not seen to arrive: it did not, or arrivals at the callee are not recorded.
fn tell_no_arrival(case: &mut Case<'_>, callee: Actor, name: &str) {
    if case.is_recorded(callee, &[Kind::Receive, Kind::Down, Kind::TimerFire]) {
        return case.say(format!("The call never arrived in {name}'s mailbox."));
    }
    case.say(format!("Whether it arrived, and what {name} did meanwhile, is not recorded."));
    case.note(format!("{name} itself was not traced: trace it too, to see what keeps it."));
}

/// The callee was busy with this very call.
fn tell_own_callback(case: &mut Case<'_>, callee: Actor, start: Event, window: Window, waiters: &mut Vec<Actor>) {
    let name = case.name(callee, window.to.seq);
    let run = activity::run_of(case, start);
    case.prove(start.seq, "callback", format!("{name} takes it up"));
    let queue_ns = since(window.from.at_ns, start.at_ns);
    let after = if queue_ns == 0 { "at once".to_string() } else { format!("after {}", show_ns(queue_ns)) };
    match run.end.filter(|end| end.seq < window.to.seq) {
        Some(end) if !case.is_recorded(callee, &activity::SENDING) => {
            case.say(format!(
                "{name} took it up {after} (#{}) and its callback was over {} later (#{}). Whether it had answered by \
                 then is not recorded.",
                start.seq.0,
                case.between(&start, &end),
                end.seq.0
            ));
            case.prove(end.seq, "callback ends", format!("{name}'s callback ends"));
            case.note(format!("What {name} sends was not traced."));
        }
        Some(end) => {
            case.say(format!(
                "{name} took it up {after} (#{}) and its callback was over {} later (#{}) without a reply: \
                 it left the answer for later, and none was sent before the timeout.",
                start.seq.0,
                case.between(&start, &end),
                end.seq.0
            ));
            case.prove(end.seq, "callback ends", format!("{name}'s callback ends without a reply"));
        }
        None => {
            let whole = match run.end {
                Some(end) => format!("; it took {} in all (#{})", case.between(&start, &end), end.seq.0),
                None => String::new(),
            };
            case.say(format!(
                "{name} took it up {after} (#{}) and was still in that callback when the caller gave up, {} later{whole}.",
                start.seq.0,
                case.between(&start, &window.to)
            ));
        }
    }
    activity::tell_nested(case, callee, run, window, waiters);
}

/// The reply that came too late to be of use.
fn tell_late_reply(case: &mut Case<'_>, timeout: Event, callee: Actor, call: &CallRow) {
    let name = case.name(callee, timeout.seq);
    let late = |event: &Event| event.call == Some(call.key);
    let late = case.find(&[Kind::LateReply], timeout.seq.0..case.rec.len(), late);
    let reply = call.reply_seq.and_then(|seq| case.rec.event(seq)).filter(|reply| reply.seq > timeout.seq);
    let Some(came) = reply.or(late) else { return };
    case.say(format!(
        "{name}'s reply came {} after the timeout (#{}), too late, and was dropped.",
        case.between(&timeout, &came),
        came.seq.0
    ));
    case.prove(came.seq, "late reply", format!("{name} replies too late"));
    case.focus(late.map(|event| event.seq));
}

/// What the timeout did to its caller: a call that nobody catches ends it.
fn tell_effect(case: &mut Case<'_>, timeout: Event) {
    let Some(end) = case.names.end(timeout.process).filter(|end| *end > timeout.seq) else { return };
    let Some(end) = case.rec.event(end).filter(|end| crash::is_of_failed_call(case, end, "timeout")) else { return };
    let name = case.name(timeout.process, timeout.seq);
    case.say(format!("Nobody caught the timeout, so {name} ended with it (#{}).", end.seq.0));
    case.prove(end.seq, "effect", format!("{name} ends"));
    case.next(format!("why(seq({}))", end.seq.0));
}
