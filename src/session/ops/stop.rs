//! Breakpoints: set them on a run, ask for their hits over the recorded past.

use crate::breakpoint::{Action, BreakpointId, Condition, Hit, Search, Selector};
use std::ops::Range;

use crate::model::{Failure, Moment, Outcome, limits};
use crate::session::operation::{Perform, operations};
use crate::session::reply::Reply;
use crate::session::value::ProcessRef;
use crate::session::{Session, Source, sites};

operations! { STOP:
    /// Sets a breakpoint. On a sandbox it stops *before* the event takes effect; over a recording `cont()` and `rcont()` go
    /// to its hits. On a live node a state or message condition of one process or module is tested inside the process,
    /// which is held there until `resume()`; any other stops the run after the fact and holds nobody.
    ///
    /// Conditions: `on_message(tag)`, `on_state(process, path, gt(100))`, `on_process(process, "crash")`,
    /// `on_result("timeout")`, or a closure `|e| ..`. Actions: `action::pause()`, `action::inspect("state")`,
    /// `action::highlight("supervision_tree")`, `action::log("text")`, or a closure `|hit| ..`.
    Stop "brk" Break {
        /// When to stop.
        condition: Condition,
        /// What to do; pause when left out.
        action: Option<Action>,
        /// A name for lists.
        name: Option<String>,
    } -> "its id", "brk(on_state(\"alice\", \"balance\", gt(100)), action::inspect(\"state\"))";

    /// Sets a breakpoint that removes itself at its first hit.
    Stop "tbrk" TemporaryBreak {
        /// When to stop.
        condition: Condition,
        /// What to do; pause when left out.
        action: Option<Action>,
    } -> "its id", "tbrk(on_message(\"withdraw\"))";

    /// Logs a line at each hit and goes on.
    Stop "logpoint" Logpoint {
        /// When.
        condition: Condition,
        /// What to say; the event when left out.
        text: Option<String>,
    } -> "its id", "logpoint(on_result(\"timeout\"), \"a call timed out\")";

    /// Lists the breakpoints, and how often each stopped a run; `hits()` has those of the recorded past.
    Stop "breakpoints" ListBreakpoints {} -> "a row per breakpoint", "breakpoints()";

    /// Enables a breakpoint.
    Stop "enable_breakpoint" Enable {
        /// Its id.
        id: i64,
    } -> "nothing", "enable_breakpoint(1)";

    /// Disables a breakpoint; it keeps its id and its count.
    Stop "disable_breakpoint" Disable {
        /// Its id.
        id: i64,
    } -> "nothing", "disable_breakpoint(1)";

    /// Removes a breakpoint.
    Stop "remove_breakpoint" Remove {
        /// Its id.
        id: i64,
    } -> "nothing", "remove_breakpoint(1)";

    /// Lists the hits of the breakpoints over the whole timeline, whenever they were set.
    Stop "hits" Hits {
        /// One breakpoint's id; all enabled ones when left out.
        id: Option<i64>,
    } -> "a row per hit", "hits()";

    /// Tells which breakpoints an event of the past hits.
    Stop "evaluate_breakpoints" Evaluate {
        /// The event; the cursor's when left out.
        event: Option<Moment>,
    } -> "a row per hit", "evaluate_breakpoints(\"#12\")";
}

fn add(
    session: &mut Session,
    name: Option<String>,
    condition: Condition,
    action: Action,
    is_temporary: bool,
) -> Outcome<Reply> {
    let note = not_yet(session.source()?, &condition);
    note.into_iter().for_each(|note| session.warn(note));
    let breakpoints = &mut session.source_mut()?.breakpoints;
    let id = breakpoints.add(name.as_deref().unwrap_or(""), condition, action, is_temporary)?;
    sites::install(session, id)?;
    Ok(Reply::Breakpoint(id))
}

/// What is to be told of a name that no process had so far: it may come.
fn not_yet(source: &Source, condition: &Condition) -> Option<String> {
    let Selector::Name(name) = condition.process else { return None };
    if source.recording().is_empty() {
        return None;
    }
    let failure = source.find_process(&ProcessRef::Named(name.as_str().to_string()), Some(&Moment::End)).err()?;
    let hint = failure.hints.join("; ");
    Some(format!("no process {:?} so far: the breakpoint waits for one of that name (hint: {hint})", name.as_str()))
}

impl Perform for Break {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let action = self.action.unwrap_or(Action::Pause);
        add(session, self.name, self.condition, action, false)
    }
}

impl Perform for TemporaryBreak {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let action = self.action.unwrap_or(Action::Pause);
        add(session, None, self.condition, action, true)
    }
}

impl Perform for Logpoint {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let action = Action::Log(self.text.unwrap_or_default());
        add(session, None, self.condition, action, false)
    }
}

impl Perform for ListBreakpoints {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        Ok(Reply::Breakpoints(session.source()?.breakpoints.list().to_vec()))
    }
}

impl Perform for Enable {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let id = id(self.id)?;
        session.source_mut()?.breakpoints.enable(id, true)?;
        sites::install(session, id)?;
        Ok(Reply::Nothing)
    }
}

impl Perform for Disable {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        session.source_mut()?.breakpoints.enable(id(self.id)?, false)?;
        sites::prune(session)?;
        Ok(Reply::Nothing)
    }
}

impl Perform for Remove {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        session.source_mut()?.breakpoints.remove(id(self.id)?)?;
        sites::prune(session)?;
        Ok(Reply::Nothing)
    }
}

impl Perform for Hits {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let only = self.id.map(id).transpose()?;
        if let Some(id) = only {
            source.breakpoints.get(id)?;
        }
        let is_wanted = |id: BreakpointId, is_enabled: bool| only.map_or(is_enabled, |only| only == id);
        hits_in(source, &source.scope(), is_wanted).map(Reply::Hits)
    }
}

impl Perform for Evaluate {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let seq = source.resolve_event(self.event.as_ref())?;
        let here = seq.0..seq.0 + 1;
        hits_in(source, std::slice::from_ref(&here), |_, is_enabled| is_enabled).map(Reply::Hits)
    }
}

/// The hits of the wanted breakpoints within `line`, in the order of their events.
fn hits_in(source: &Source, line: &[Range<u64>], is_wanted: impl Fn(BreakpointId, bool) -> bool) -> Outcome<Vec<Hit>> {
    let recording = source.recording();
    let branch = source.position().branch;
    let mut hits = Vec::new();
    for breakpoint in source.breakpoints.list().iter().filter(|b| is_wanted(b.id, b.is_enabled)) {
        let search = Search::new(&recording, branch, &breakpoint.condition);
        let events = search.all(line, limits::HITS_KEPT_MAX)?;
        hits.extend(events.into_iter().zip(1..).map(|(event, n_hits)| Hit {
            breakpoint: breakpoint.id,
            name: breakpoint.name.clone(),
            action: breakpoint.action.clone(),
            event,
            n_hits,
        }));
    }
    hits.sort_by_key(|hit| hit.event.seq);
    Ok(hits)
}

pub(super) fn id(id: i64) -> Outcome<BreakpointId> {
    u32::try_from(id)
        .map(BreakpointId)
        .map_err(|_| Failure::not_found(format!("no breakpoint {id}")).hint("breakpoints()"))
}
