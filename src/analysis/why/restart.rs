//! Why a supervisor restarted a child: how the child died, how often it came back and died again and of what, the
//! survivor that stands in its way, and what fell when the supervisor gave up.

use super::case::Case;
use super::crash;
use crate::analysis::reason;
use crate::analysis::tree::Flags;
use crate::model::system::Rows;
use crate::model::{Actor, Event, Filter, Kind, ProcessRow, Seq, Status, SystemState, Term};

/// The restarts of one child, each the consequence of the one before.
struct Storm {
    supervisor: Actor,
    restarts: Vec<Event>,
    /// The first death, which began it.
    origin: Option<Event>,
    /// Why each new process failed, as far as known; the reasons in order.
    failures: Vec<Failure>,
    gave_up: Option<Event>,
}

/// The end of a process that a restart had brought.
struct Failure {
    reason: Term,
    process: Actor,
}

/// Explains the restart, with the whole storm that it belongs to.
pub(super) fn explain(case: &mut Case<'_>, restart: Event) {
    let storm = Storm::around(case, restart);
    let child = restart.tag.map_or_else(|| "the child".to_string(), |id| case.show(&Term::Atom(id)));
    match storm.origin {
        Some(origin) => crash::tell_end(case, origin),
        None => case.say(format!("How {child} ended before was not recorded.")),
    }
    tell_restarts(case, &storm, &child);
    if storm.restarts.len() > 1 || !storm.failures.is_empty() {
        tell_failures(case, &storm, &child);
    }
    match storm.gave_up {
        Some(gave_up) => tell_collapse(case, &storm, gave_up),
        None => tell_last(case, &storm),
    }
    let last = storm.restarts.last().map_or(restart.seq, |last| last.seq);
    case.next(format!("tree(seq({}))", storm.gave_up.map_or(last, |event| event.seq).0));
    if let Some(origin) = storm.origin {
        case.next(format!("why(seq({}))", origin.seq.0));
    }
}

/// The last restart before a supervisor gave up; `None` when the event tells something else.
pub(super) fn of_give_up(case: &Case<'_>, event: Event) -> Option<Event> {
    if !is_give_up(case, &event) {
        return None;
    }
    let restarts = Filter {
        ranges: case.within(0..event.seq.0),
        tags: event.tag.into_iter().collect(),
        ..Filter::kind(Kind::SupervisorRestart).process(event.process)
    };
    case.rec.scan(&restarts).next_back()
}

pub(super) fn is_give_up(case: &Case<'_>, event: &Event) -> bool {
    let payload = case.rec.term(event.seq);
    payload.as_ref().and_then(Term::as_map).and_then(|map| map.get_atom("op")).is_some_and(|op| op.is_atom("gave_up"))
}

impl Storm {
    fn around(case: &Case<'_>, restart: Event) -> Storm {
        let same_child = Filter {
            ranges: case.scope.clone(),
            tags: restart.tag.into_iter().collect(),
            ..Filter::kind(Kind::SupervisorRestart).process(restart.process)
        };
        let all: Vec<Event> = case.rec.scan(&same_child).collect();
        let at = all.iter().position(|event| event.seq == restart.seq).unwrap_or(0);
        let first =
            (1..=at).rev().take_while(|&idx| follows(case, &all[idx - 1], &all[idx])).last().map_or(at, |idx| idx - 1);
        let n_after = all[at..].windows(2).take_while(|pair| follows(case, &pair[0], &pair[1])).count();
        let restarts = all[first..=at + n_after].to_vec();
        let origin = restarts[0].cause.and_then(|end| case.rec.event(end));
        let failures =
            restarts.iter().enumerate().filter_map(|(idx, event)| failure(case, event, restarts.get(idx + 1)));
        let failures: Vec<Failure> = failures.collect();
        let last = restarts[restarts.len() - 1];
        let next = all.get(at + n_after + 1).map_or(case.rec.len(), |event| event.seq.0);
        let gave_up = case.find(&[Kind::ChildSpecChange], last.seq.0..next, |event| {
            event.process == last.process && (event.tag.is_none() || event.tag == last.tag) && is_give_up(case, event)
        });
        Storm { supervisor: restart.process, restarts, origin, failures, gave_up }
    }

    fn span(&self) -> (&Event, &Event) {
        (&self.restarts[0], &self.restarts[self.restarts.len() - 1])
    }
}

/// Whether `later` was made necessary by the process that `earlier` brought.
fn follows(case: &Case<'_>, earlier: &Event, later: &Event) -> bool {
    let is_retry = later.cause.is_some() && later.cause == earlier.cause;
    let ended = later.cause.and_then(|end| case.rec.event(end)).map(|end| end.process);
    is_retry || (ended.is_some() && ended == earlier.peer)
}

/// How the process that `restart` brought ended, if it did: as its successor's restart tells, or by its own end.
fn failure(case: &Case<'_>, restart: &Event, next: Option<&Event>) -> Option<Failure> {
    let process = restart.peer?;
    let told = next.and_then(|next| case.rec.term(next.seq));
    let told = told.as_ref().and_then(Term::as_map).and_then(|map| map.get_atom("start_error")).cloned();
    let own = || case.names.end(process).and_then(|end| case.rec.term(end));
    // Without a successor only an end of its own counts; an orderly one is no failure.
    let reason = told.or_else(own)?;
    let is_orderly = reason.is_atom("normal") || reason.is_atom("shutdown") || reason.tagged("shutdown", 2).is_some();
    (!is_orderly).then_some(Failure { reason, process })
}

fn tell_restarts(case: &mut Case<'_>, storm: &Storm, child: &str) {
    let (first, last) = storm.span();
    let supervisor = case.name(storm.supervisor, first.seq);
    for restart in &storm.restarts {
        case.prove(restart.seq, "restart", format!("{supervisor} starts {child} again"));
    }
    let after = storm.origin.map_or_else(String::new, |origin| format!(" {} later", case.between(&origin, first)));
    if storm.restarts.len() == 1 {
        let new = first.peer.map_or_else(String::new, |new| format!(" as {}", new.display(case.syntax())));
        case.say(format!("{supervisor}, its supervisor, restarted it{new}{after} (#{}).", first.seq.0));
        return;
    }
    case.say(format!(
        "{supervisor}, its supervisor, restarted it {} times within {} (#{} to #{}), each time as a new process.",
        in_words(storm.restarts.len()),
        case.between(first, last),
        first.seq.0,
        last.seq.0
    ));
}

fn tell_failures(case: &mut Case<'_>, storm: &Storm, child: &str) {
    let n_new = storm.restarts.len();
    let Some(first) = storm.failures.first() else { return };
    let shape = reason::shape(&first.reason);
    let n_same = storm.failures.iter().filter(|failure| reason::shape(&failure.reason) == shape).count();
    let (first_process, first_reason) = (first.process, first.reason.clone());
    let words = reason::in_words(&first_reason, &|term| case.show(term));
    let who = match (n_same, n_new) {
        (1, 1) => "The new process".to_string(),
        (n, total) if n == total => format!("Every new {child}"),
        (n, total) => capitalised(&format!("{} of the {} new processes", in_words(n), in_words(total))),
    };
    let origin = storm.origin.and_then(|origin| case.rec.term(origin.seq));
    if origin.is_some_and(|origin| reason::shape(&origin) == shape) {
        case.say(format!("{who} died again of the same sort of reason."));
    } else {
        let site = words.site.map(|site| format!(", raised in {site}")).unwrap_or_default();
        case.say(format!("{who} failed in turn with {}{site}.", words.text));
    }
    let others: Vec<&Failure> =
        storm.failures.iter().filter(|failure| reason::shape(&failure.reason) != shape).collect();
    if let Some(other) = others.first() {
        let other = reason::in_words(&other.reason, &|term| case.show(term)).text;
        case.say(capitalised(&format!("{} failed otherwise, the first with {other}.", in_words(others.len()))));
    }
    tell_survivor(case, storm, &first_reason, child);
    if let Some(end) = case.names.end(first_process).and_then(|end| case.rec.event(end)) {
        case.prove(end.seq, "failed again", format!("{} ends: {}", first_process.display(case.syntax()), words.text));
        crash::tell_answer(case, end, &first_reason);
    }
}

/// Whether the last new process held.
fn tell_last(case: &mut Case<'_>, storm: &Storm) {
    let last = *storm.span().1;
    let Some(new) = last.peer.filter(|new| case.names.end(*new).is_none()) else { return };
    let subject = match storm.restarts.len() {
        1 => "It".to_string(),
        _ => format!("The last one, {},", new.display(case.syntax())),
    };
    case.say(format!("{subject} has run since."));
}

/// A process named in the reason that outlived the first death stands in the way of every new start.
fn tell_survivor(case: &mut Case<'_>, storm: &Storm, reason: &Term, child: &str) {
    let Some(origin) = storm.origin else { return };
    if reason.tagged("already_started", 2).is_none() {
        return;
    }
    let last = storm.span().1;
    let state = case.rec.materialise(last.seq);
    let survivor = reason::pids(reason).into_iter().find_map(|pid| {
        let row = state.processes.get(&state.newest(pid)?)?;
        let is_older = row.spawned.is_none_or(|spawned| spawned < origin.seq);
        (row.status == Status::Alive && is_older && row.actor != origin.process).then_some(row)
    });
    let Some(row) = survivor else { return };
    let name = case.names.row(row, last.seq);
    let owner = row.supervisor.or(row.parent).filter(|owner| *owner != storm.supervisor);
    let under = match owner {
        Some(owner) => format!(" under another supervisor, {}", case.name(owner, last.seq)),
        None => String::new(),
    };
    let id = row.actor.display(case.syntax());
    let who = if name.contains(&id) { name } else { format!("{name} ({id})") };
    case.say(format!(
        "That pid is {who}. It was running before {child} died and survived it{under}: what each new {child} \
         wanted to start was there already."
    ));
    if let Some(seq) = known_since(case, row, last.seq) {
        case.prove(seq, "survivor", format!("{who} runs{under}"));
    }
}

/// The event by which the recording knows a process: its spawn, or its mention by its supervisor.
fn known_since(case: &Case<'_>, row: &ProcessRow, until: Seq) -> Option<Seq> {
    let mention = |event: &Event| event.peer == Some(row.actor);
    row.spawned.or_else(|| Some(case.find(&[Kind::ChildSpecChange], 0..until.0, mention)?.seq))
}

/// The supervisor gave up: what it allowed, and what it took down.
fn tell_collapse(case: &mut Case<'_>, storm: &Storm, gave_up: Event) {
    let supervisor = case.name(storm.supervisor, gave_up.seq);
    let state = case.rec.materialise(gave_up.seq);
    let own = state.processes.get(&storm.supervisor).and_then(|row| row.state).and_then(|seq| case.rec.term(seq));
    let allowed = match own.map(|state| Flags::read(&state)).unwrap_or_default().intensity {
        Some((n, period_s)) => format!(
            "{supervisor} allows {} within {period_s} s; the next one was too many, and it gave up (#{}).",
            if n == 1 { "one restart".to_string() } else { format!("{n} restarts") },
            gave_up.seq.0
        ),
        None => format!("That was more than {supervisor} allows, and it gave up (#{}).", gave_up.seq.0),
    };
    case.say(allowed);
    case.prove(gave_up.seq, "gave up", format!("{supervisor} gives up"));
    let Some(end) =
        case.names.end(storm.supervisor).and_then(|end| case.rec.event(end)).filter(|e| e.seq > gave_up.seq)
    else {
        return;
    };
    let taken: Vec<Event> =
        ends_between(case, gave_up.seq, end.seq).filter(|e| is_taken_down(case, &state, storm.supervisor, e)).collect();
    let reason = case.rec.term(end.seq).map_or_else(String::new, |reason| format!(" with {}", case.show(&reason)));
    let what = match taken.len() {
        0 => format!("It ended itself{reason} {} later (#{}).", case.between(&gave_up, &end), end.seq.0),
        n => format!(
            "The collapse that followed is its effect: it took down {} below it ({}) and then ended itself{reason} (#{}), {} after giving up.",
            if n == 1 { "the one process".to_string() } else { format!("{n} processes") },
            if n == 1 {
                format!("#{}", taken[0].seq.0)
            } else {
                format!("#{} to #{}", taken[0].seq.0, taken[n - 1].seq.0)
            },
            end.seq.0,
            case.between(&gave_up, &end)
        ),
    };
    case.say(what);
    case.prove(end.seq, "supervisor's end", format!("{supervisor} ends{reason}"));
    case.focus(taken.iter().take(50).map(|event| event.seq));
    tell_above(case, storm.supervisor, &state, end);
}

fn ends_between<'c>(case: &'c Case<'_>, from: Seq, to: Seq) -> impl Iterator<Item = Event> + 'c {
    let filter = Filter { ranges: case.within(from.0..to.0), ..Filter::kinds(&[Kind::Exit, Kind::Crash]) };
    let ends: Vec<Event> = case.rec.scan(&filter).collect();
    ends.into_iter()
}

/// Whether the end is that of a process below `top` that was told to shut down, or killed when it did not.
fn is_taken_down(case: &Case<'_>, state: &SystemState, top: Actor, end: &Event) -> bool {
    let owner = |actor: Actor| state.processes.get(&actor).and_then(|row| row.supervisor.or(row.parent));
    let is_below = std::iter::successors(owner(end.process), |actor| owner(*actor)).take(64).any(|actor| actor == top);
    let is_told = |reason: Term| reason.is_atom("shutdown") || reason.is_atom("killed");
    is_below && case.rec.term(end.seq).is_some_and(is_told)
}

/// What the end of the supervisor did above it.
fn tell_above(case: &mut Case<'_>, supervisor: Actor, state: &SystemState, end: Event) {
    let Some(above) = state.processes.get(&supervisor).and_then(|row| row.supervisor) else { return };
    let name = case.name(above, end.seq);
    let restart =
        case.find(&[Kind::SupervisorRestart], end.seq.0..case.rec.len(), |event| event.cause == Some(end.seq));
    if let Some(restart) = restart {
        case.say(format!("{name}, above it, started it anew (#{}).", restart.seq.0));
        case.prove(restart.seq, "started anew", format!("{name} restarts the supervisor"));
    } else if let Some(ended) = case.names.end(above).filter(|ended| *ended > end.seq) {
        case.say(format!("{name}, above it, ended too (#{}).", ended.0));
        case.prove(ended, "above", format!("{name} ends"));
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn in_words(n: usize) -> String {
    const WORDS: [&str; 13] =
        ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    WORDS.get(n).map_or_else(|| n.to_string(), |word| word.to_string())
}
