//! What a process was doing while somebody waited for it: its callbacks in a window of time, the calls that it
//! was itself blocked in, and the cycle that these may close.

use super::case::Case;
use crate::analysis::join::since;
use crate::analysis::process::is_exact;
use crate::model::time::show_ns;
use crate::model::{Actor, CallKey, Class, Event, Filter, Kind, Seq};

/// What shows that a process's sends are recorded.
pub(super) const SENDING: [Kind; 3] = [Kind::Send, Kind::Reply, Kind::SendToDead];

/// Processes that are followed from one blocked call to the next.
const FOLLOWED_MAX: usize = 16;

/// Earlier calls that are looked through for one without an answer.
const EARLIER_MAX: usize = 64;

/// A wait: from the arrival of a message (or its send) to the moment when its sender gave up.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub from: Event,
    pub to: Event,
}

/// A callback, and its end if it ended within the scope.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub start: Event,
    pub end: Option<Event>,
    /// When its end was not traced: the begin of the next one, by which it must have been over.
    next: Option<Event>,
}

/// A call that was made inside a callback, and what ended it.
struct Nested {
    send: Event,
    key: CallKey,
    end: Option<Event>,
}

impl Window {
    fn len_ns(&self) -> i64 {
        since(self.from.at_ns, self.to.at_ns)
    }
    fn overlap_ns(&self, from_ns: i64, to_ns: Option<i64>) -> i64 {
        let to_ns = to_ns.unwrap_or(self.to.at_ns).min(self.to.at_ns);
        since(from_ns.max(self.from.at_ns), to_ns)
    }
}

impl Run {
    fn overlap_ns(&self, window: &Window) -> i64 {
        window.overlap_ns(self.start.at_ns, self.end.or(self.next).map(|end| end.at_ns))
    }
    /// `took 150 ms (#5 to #9)`, or how long it had taken at `at`.
    fn took(&self, at: &Event) -> String {
        let start = self.start.seq.0;
        match (self.end, self.next) {
            (Some(end), _) => {
                format!("took {} (#{start} to #{})", show_ns(since(self.start.at_ns, end.at_ns)), end.seq.0)
            }
            (None, Some(next)) => {
                format!(
                    "took {} at most (from #{start}; its end was not traced)",
                    show_ns(since(self.start.at_ns, next.at_ns))
                )
            }
            (None, None) => {
                format!("was not over after {} (from #{start})", show_ns(since(self.start.at_ns, at.at_ns)))
            }
        }
    }
}

/// Says what `process` did while a message waited in its mailbox. `waiters` are those who wait, the first one first;
/// the last of them waits for `process`.
pub(super) fn tell_queue(case: &mut Case<'_>, process: Actor, window: Window, waiters: &mut Vec<Actor>) {
    let name = case.name(process, window.to.seq);
    let runs = runs(case, process, window);
    let Some(longest) = runs.iter().max_by_key(|run| run.overlap_ns(&window)).copied() else {
        return tell_silence(case, process, window);
    };
    let held_ns = longest.overlap_ns(&window);
    if held_ns.saturating_mul(10) < window.len_ns().saturating_mul(6) {
        return tell_overload(case, process, window, &runs, longest);
    }
    let trigger = case.trigger(&longest.start);
    let share = match held_ns >= window.len_ns() {
        true => "All that time".to_string(),
        false if held_ns.saturating_mul(100) >= window.len_ns().saturating_mul(95) => {
            "Nearly all that time".to_string()
        }
        false => format!("For {} of that time", show_ns(held_ns)),
    };
    case.say(format!("{share} {name} was busy with {trigger}, which {}.", longest.took(&window.to)));
    case.prove(longest.start.seq, "holder", format!("{name} begins {trigger}"));
    if let Some(end) = longest.end {
        case.prove(
            end.seq,
            "holder ends",
            format!("{name} is done with it, {} later", case.between(&longest.start, &end)),
        );
    }
    case.focus(longest.start.cause);
    tell_nested(case, process, longest, window, waiters);
}

/// Says what `run`, a callback of `process`, itself waited for in the window, and follows that.
pub(super) fn tell_nested(case: &mut Case<'_>, process: Actor, run: Run, window: Window, waiters: &mut Vec<Actor>) {
    let overlap_ns = |nested: &Nested| window.overlap_ns(nested.send.at_ns, nested.end.map(|end| end.at_ns));
    let nested = nested_calls(case, process, run, window).into_iter().max_by_key(overlap_ns);
    let name = case.name(process, window.to.seq);
    let Some(nested) = nested.filter(|n| overlap_ns(n).saturating_mul(2) >= run.overlap_ns(&window).max(1)) else {
        return;
    };
    let send = nested.send;
    let request = case.message(&send);
    let callee = send.peer.or_else(|| arrival(case, nested.key).map(|event| event.process));
    let callee_name = case.name_or(callee, send.seq, "an unknown process");
    let waited = show_ns(overlap_ns(&nested));
    case.prove(send.seq, "nested call", format!("{name} calls {callee_name}: {request}"));
    waiters.push(process);
    if let Some(callee) = callee
        && let Some(at) = waiters.iter().position(|waiter| *waiter == callee)
    {
        let cycle: Vec<String> = waiters[at..].iter().map(|actor| case.name(*actor, send.seq)).collect();
        let rest = match nested.end {
            Some(end) if end.seq < window.to.seq => format!("until {name} gave up (#{})", end.seq.0),
            _ if at == 0 => format!("until {} gave up (#{})", case.name(callee, send.seq), window.to.seq.0),
            Some(end) => format!("until {name} gave up (#{})", end.seq.0),
            None => "and nothing in the recording ends it".to_string(),
        };
        let turn = if cycle.len() == 1 { "itself".to_string() } else { callee_name };
        case.say(format!(
            "But in that callback {name} was waiting for {turn}: its call {request} (#{}) closes the cycle {} → {}. \
             None of them can take a message while it waits for the next: a deadlock, {rest}.",
            send.seq.0,
            cycle.join(" → "),
            cycle[0],
        ));
        return;
    }
    case.say(format!(
        "{name} was not computing: it was itself waiting, for {waited}, for the answer to its call {request} to {callee_name} (#{}).",
        send.seq.0
    ));
    let Some(callee) = callee.filter(|_| waiters.len() < FOLLOWED_MAX) else { return };
    follow(case, callee, &nested, window, waiters);
}

/// Goes on with the callee of a nested call.
fn follow(case: &mut Case<'_>, callee: Actor, nested: &Nested, window: Window, waiters: &mut Vec<Actor>) {
    let name = case.name(callee, window.to.seq);
    let Some(arrival) = arrival(case, nested.key).filter(|event| event.seq < window.to.seq) else {
        case.say(format!("That call never arrived at {name}."));
        return;
    };
    let inner = Window { from: arrival, to: window.to };
    match taken(case, arrival).filter(|start| start.seq < window.to.seq) {
        Some(start) => {
            let run = run_of(case, start);
            case.prove(start.seq, "nested callback", format!("{name} takes it up"));
            tell_nested(case, callee, run, inner, waiters);
        }
        None => tell_queue(case, callee, inner, waiters),
    }
}

/// The callbacks of `process` that overlap the window, in order.
pub(super) fn runs(case: &Case<'_>, process: Actor, window: Window) -> Vec<Run> {
    let first = case.callback_at(process, window.from.seq);
    let starts = Filter {
        ranges: case.within(window.from.seq.0..window.to.seq.0),
        ..Filter::kind(Kind::HandleStart).process(process)
    };
    let starts: Vec<Event> = first.into_iter().chain(case.rec.scan(&starts)).collect();
    starts.into_iter().map(|start| run_of(case, start)).collect()
}

/// The callback that begins with `start`, with its end.
pub(super) fn run_of(case: &Case<'_>, start: Event) -> Run {
    let later = case.within(start.seq.0 + 1..case.rec.len());
    let own = Filter { ranges: later.clone(), cause: Some(start.seq), ..Filter::kind(Kind::HandleEnd) };
    if let Some(end) = case.rec.scan(&own.process(start.process)).next() {
        return Run { start, end: Some(end), next: None };
    }
    let kinds = [Kind::HandleStart, Kind::Exit, Kind::Crash];
    let after = Filter { ranges: later, ..Filter::kinds(&kinds).process(start.process) };
    let after = case.rec.scan(&after).next();
    // A process may end long after a callback whose end was not traced.
    let is_end = |event: &Event| event.kind.is_end() && (event.cause == Some(start.seq) || is_exact(case.rec));
    Run { start, end: after.filter(is_end), next: after.filter(|event| !is_end(event)) }
}

/// The handle_start that took the message of `arrival`.
pub(super) fn taken(case: &Case<'_>, arrival: Event) -> Option<Event> {
    let is_it = |event: &Event| event.cause == Some(arrival.seq) && event.process == arrival.process;
    case.find(&[Kind::HandleStart], arrival.seq.0..case.rec.len(), is_it)
}

/// The arrival of a call.
pub(super) fn arrival(case: &Case<'_>, key: CallKey) -> Option<Event> {
    let filter = Filter {
        ranges: case.scope.clone(),
        call: Some(key),
        classes: vec![Class::Call],
        ..Filter::kind(Kind::Receive)
    };
    case.rec.scan(&filter).next()
}

/// The calls that `process` made inside `run` and before the window's end.
fn nested_calls(case: &Case<'_>, process: Actor, run: Run, window: Window) -> Vec<Nested> {
    let until = run.end.map_or(window.to.seq.0, |end| end.seq.0.min(window.to.seq.0));
    let sends = Filter {
        ranges: case.within(run.start.seq.0..until),
        classes: vec![Class::Call],
        ..Filter::kind(Kind::Send).process(process)
    };
    let to_nested = |send: Event| {
        let key = send.call?;
        let ends = Filter {
            ranges: case.within(send.seq.0 + 1..case.rec.len()),
            call: Some(key),
            ..Filter::kinds(&[Kind::Receive, Kind::Timeout, Kind::Down]).process(process)
        };
        let end = case.rec.scan(&ends).next();
        Some(Nested { send, key, end })
    };
    case.rec.scan(&sends).filter_map(to_nested).collect()
}

/// No callback of the process overlaps the window.
fn tell_silence(case: &mut Case<'_>, process: Actor, window: Window) {
    let name = case.name(process, window.to.seq);
    let ever = Filter { ranges: case.scope.clone(), ..Filter::kind(Kind::HandleStart).process(process) };
    if case.rec.scan(&ever).next().is_some() {
        case.say(format!(
            "{name} took no message out of its mailbox in that time, and no callback of it ran (#{} to #{}).",
            window.from.seq.0, window.to.seq.0
        ));
    } else {
        tell_unanswered(case, process, window);
    }
}

/// Without callbacks in the recording: an earlier call that was still without its reply shows who held the process.
fn tell_unanswered(case: &mut Case<'_>, process: Actor, window: Window) {
    let name = case.name(process, window.to.seq);
    case.note(format!("No callbacks of {name} were recorded (calls of its handle_* functions were not traced)."));
    let before = Filter {
        ranges: case.within(0..window.from.seq.0),
        classes: vec![Class::Call],
        ..Filter::kind(Kind::Receive).process(process)
    };
    let reply_of = |call: &Event| {
        let replies =
            Filter { ranges: case.within(call.seq.0..case.rec.len()), call: call.call, ..Filter::kind(Kind::Reply) };
        call.call.and_then(|_| case.rec.scan(&replies).next())
    };
    let mut earlier: Vec<Event> = case.rec.scan(&before).rev().take(EARLIER_MAX).collect();
    earlier.reverse();
    let is_open = |reply: &Option<Event>| reply.is_none_or(|reply| reply.seq > window.from.seq);
    // Calls are answered in the order of their arrival: the oldest one without an answer is the one at work.
    let held = earlier.iter().map(|call| (*call, reply_of(call))).find(|(_, reply)| is_open(reply));
    let Some((call, reply)) = held.filter(|_| case.is_recorded(process, &SENDING)) else {
        case.say(format!("What {name} was doing meanwhile was not recorded."));
        return;
    };
    let caller = case.name_or(call.peer, call.seq, "an unknown process");
    let request = case.message(&call);
    let until = match reply {
        Some(reply) => format!("answered only after {} (#{})", case.between(&call, &reply), reply.seq.0),
        None => "never answered".to_string(),
    };
    case.say(format!(
        "When it arrived, {name} had not answered an earlier call yet: {request} of {caller} (#{}), which it {until}.",
        call.seq.0
    ));
    case.note("That the earlier call held it is inferred from the order of arrivals and replies.");
    case.prove(call.seq, "earlier call", format!("{request} of {caller} arrives at {name}"));
    if let Some(reply) = reply {
        case.prove(reply.seq, "earlier reply", format!("{name} answers it"));
    }
}

/// Many callbacks, none of which holds the process for long.
fn tell_overload(case: &mut Case<'_>, process: Actor, window: Window, runs: &[Run], longest: Run) {
    let name = case.name(process, window.to.seq);
    let state = case.rec.materialise(window.from.seq);
    let waiting = state.processes.get(&process).map_or(0, |row| row.queue_len());
    let queued = match waiting.saturating_sub(1) {
        0 => String::new(),
        1 => "One message was waiting there before it. ".to_string(),
        n => format!("{n} messages were waiting there before it. "),
    };
    let busy_ns: i64 = runs.iter().map(|run| run.overlap_ns(&window)).sum();
    case.say(format!(
        "{queued}In that time {name} worked through {} callbacks ({} in all); the longest, {}, {}. It was overloaded, not stuck.",
        runs.len(),
        show_ns(busy_ns),
        case.trigger(&longest.start),
        longest.took(&window.to),
    ));
    case.prove(longest.start.seq, "longest callback", case.trigger(&longest.start));
    let shown = runs.len().min(50);
    case.focus(runs[..shown].iter().map(|run| run.start.seq).collect::<Vec<Seq>>());
}
