//! Breakpoints of a live source whose conditions are tested inside its processes, which are then held there. A
//! condition that the VM cannot test is tested beside the stream instead, and holds nobody.
//! It must not know how a process is held.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{Session, Source};
use crate::breakpoint::{BreakpointId, Condition, MessagePoint, Selector, Test, What, is_meant};
use crate::codec::redact::is_redacted;
use crate::model::diff::Step;
use crate::model::limits::{LOOK_STATE_BYTES_MAX, LOOK_TIMEOUT_MS};
use crate::model::{ActorId, Atom, Behaviour, Outcome, Pid, Seq, Status, Style, SystemState, Term, nearest};
use crate::sandbox::beam::agent::{HoldOptions, Phase};
use crate::sandbox::beam::guard::{Comparison, Guard};

/// How often new processes are looked for that a breakpoint is about: a server that was restarted has another pid.
const RENEWAL: Duration = Duration::from_millis(250);

/// How long such a process may take to take the breakpoint.
const RENEWAL_WAIT: Duration = Duration::from_millis(50);

/// A breakpoint inside processes.
#[derive(Clone, Debug)]
pub(super) struct Site {
    id: BreakpointId,
    hold: Atom,
    guard: Guard,
    phase: Phase,
    process: Selector,
    options: HoldOptions,
    /// Processes that have it.
    installed: BTreeSet<Pid>,
    looked: Instant,
}

/// What a condition is inside the VM; `None` when it cannot be tested there.
fn guard_of(condition: &Condition) -> Option<(Guard, Phase)> {
    let found = match &condition.what {
        What::State { path, test } => (Guard::State { path: path.clone(), test: comparison(test) }, Phase::After),
        What::Message { tag, class, point: MessagePoint::Arrived | MessagePoint::Handled } => {
            (Guard::Message { tag: *tag, class: *class }, Phase::Before)
        }
        _ => return None,
    };
    (condition.process != Selector::Any && found.0.is_compilable()).then_some(found)
}

fn comparison(test: &Test) -> Comparison {
    match test.clone() {
        Test::Changed => Comparison::Changed,
        Test::Greater(limit) => Comparison::Greater(limit),
        Test::Less(limit) => Comparison::Less(limit),
        Test::AtLeast(limit) => Comparison::AtLeast(limit),
        Test::AtMost(limit) => Comparison::AtMost(limit),
        Test::Equal(wanted) => Comparison::Equal(wanted),
        Test::NotEqual(other) => Comparison::NotEqual(other),
    }
}

/// Whether an atom is what a user wrote, or the Elixir module of that name.
fn is_called(atom: Atom, written: Atom) -> bool {
    atom == written || Some(atom) == written.elixir_module()
}

/// The living processes that a selector means.
fn selected(process: Selector, system: &SystemState) -> BTreeSet<Pid> {
    let alive = system.processes.values().filter(|row| row.status == Status::Alive);
    let is_meant = |row: &&std::sync::Arc<crate::model::ProcessRow>| match process {
        Selector::Any => false,
        Selector::Id(id) => is_meant(row.actor.id, id),
        Selector::Actor(actor) => row.actor == actor,
        Selector::Name(name) => row.names.iter().any(|held| is_called(*held, name)),
        Selector::Module(module) => row.module.is_some_and(|found| is_called(found, module)),
    };
    let pids = alive.filter(is_meant).filter_map(|row| match row.actor.id {
        ActorId::Pid(pid) => Some(pid),
        ActorId::Port(_) => None,
    });
    pids.collect()
}

/// Has a breakpoint that was just set tested inside the processes, if the source is live and the condition allows
/// it; says what the user should know. Errors: a process does not take it; the breakpoint is removed again.
pub(super) fn install(session: &mut Session, id: BreakpointId) -> Outcome<()> {
    let deadline = session.hold_deadline;
    let source = session.source_mut()?;
    let breakpoint = source.breakpoints.get(id)?.clone();
    if !source.capabilities().can_pause || !breakpoint.action.may_stop() {
        return Ok(());
    }
    let found =
        guard_of(&breakpoint.condition).filter(|(guard, _)| source.is_seen_inside(guard, &breakpoint.condition));
    let Some((guard, phase)) = found else {
        session.warn(format!(
            "breakpoint {} is tested beside the stream: its hits come after the fact, and hold no process (a state or \
             message condition of one process or module does; of a gen_statem's state only its name)",
            breakpoint.name
        ));
        return Ok(());
    };
    let options = HoldOptions {
        deadline,
        n_bytes_max: LOOK_STATE_BYTES_MAX,
        is_once: breakpoint.is_temporary,
        timeout: Duration::from_millis(LOOK_TIMEOUT_MS),
    };
    let hold = super::value::atom(&breakpoint.name)?;
    let process = breakpoint.condition.process;
    let looked = Instant::now();
    let mut site = Site { id, hold, guard, phase, process, options, installed: BTreeSet::new(), looked };
    source.breakpoints.set_on_site(id, true)?;
    if let Err(failure) = source.renew(&mut site) {
        source.take_out(&site)?;
        source.breakpoints.remove(id)?;
        return Err(failure);
    }
    let inside = source.told_of(&site);
    source.sites.push(site);
    let held = crate::model::time::show_ns(i64::try_from(deadline.as_nanos()).unwrap_or(i64::MAX));
    let when = if phase == Phase::Before { "before" } else { "after" };
    session.warn(format!(
        "breakpoint {} is {inside}: a hit holds {when} the callback, for {held} at most; resume() goes on",
        breakpoint.name
    ));
    if let Some(missing) = session.source()?.missing_field(id) {
        session.warn(missing);
    }
    Ok(())
}

/// Takes breakpoints out of the processes that are not set, or not enabled, any more.
pub(super) fn prune(session: &mut Session) -> Outcome<()> {
    let source = session.source_mut()?;
    for site in std::mem::take(&mut source.sites) {
        if source.breakpoints.get(site.id).is_ok_and(|breakpoint| breakpoint.is_enabled) {
            source.sites.push(site);
            continue;
        }
        source.take_out(&site)?;
    }
    Ok(())
}

/// How a path's absence reads: what there is instead.
fn shape(state: &Term) -> String {
    match state {
        Term::Tuple(items) => format!(
            "it is a tuple of {}: its elements are \"[0]\" to \"[{}]\", the first is the tag of a record",
            items.len(),
            items.len().saturating_sub(1)
        ),
        Term::Map(map) => {
            let keys: Vec<String> = map
                .entries()
                .iter()
                .take(SHOWN_KEYS)
                .map(|(key, _)| key.display(Style::erlang()).to_string())
                .collect();
            format!("it is a map with {}", keys.join(", "))
        }
        other => format!("it is {}", other.display(Style::erlang().chars_max(60))),
    }
}

/// Keys of a state that are told.
const SHOWN_KEYS: usize = 12;

impl Source {
    /// The system at the recording's end.
    fn system_now(&self) -> SystemState {
        let recording = self.recording();
        let last = recording.len().checked_sub(1);
        last.map(|last| recording.materialise(Seq(last))).unwrap_or_default()
    }

    /// Which processes a site is inside of, in words; of none, which may have been meant.
    fn told_of(&self, site: &Site) -> String {
        let names = self.names();
        match (site.installed.len(), site.installed.first()) {
            (1, Some(pid)) => format!("inside {}", names.name((*pid).into())),
            (0, _) => {
                let (sort, atom) = match site.process {
                    Selector::Name(name) => ("process", name),
                    Selector::Module(module) => ("process of the module", module),
                    _ => return "inside no process: it is not alive".to_string(),
                };
                let known = super::find::known(&self.system_now(), atom.as_str());
                let near = nearest(atom.as_str(), known.iter().map(String::as_str));
                let meant = near.first().map_or(String::new(), |near| format!(" (did you mean {near:?}?)"));
                format!("inside no process yet: no {sort} {}{meant}; one that comes gets it", atom.as_str())
            }
            (n, _) => format!("inside {n} processes"),
        }
    }

    /// What to know of a breakpoint on a field that the state, as far as it is known, does not have.
    fn missing_field(&self, id: BreakpointId) -> Option<String> {
        let site = self.sites.iter().find(|site| site.id == id)?;
        let Guard::State { path, .. } = &site.guard else { return None };
        let system = self.system_now();
        let row = site.installed.iter().find_map(|pid| system.processes.get(&(*pid).into()))?;
        let state = self.recording().term(row.state?)?;
        // What was taken out of a recorded state may be there in the process.
        let is_whole = !self.recording().payload_ref(row.state?).is_some_and(|bytes| is_redacted(&bytes));
        (is_whole && path.get(&state).is_none())
            .then(|| format!("the state of {} has no field {path}: {}", self.names().name(row.actor), shape(&state)))
    }

    /// Whether the processes' own loops show what the guard is about: a gen_statem's shows the state's name, `state`,
    /// but not the data.
    fn is_seen_inside(&self, guard: &Guard, condition: &Condition) -> bool {
        let Guard::State { path, .. } = guard else { return true };
        let is_name = matches!(path.steps.first(), Some(Step::Key(key)) if key.is_atom("state"));
        let system = self.system_now();
        let behaviour = |pid: &Pid| {
            let rows = system.processes.values().rev();
            rows.into_iter().find(|row| row.actor.pid() == Some(*pid)).map(|row| row.behaviour)
        };
        is_name || !selected(condition.process, &system).iter().any(|pid| behaviour(pid) == Some(Behaviour::GenStatem))
    }

    /// Puts a site into the processes that it means and that do not have it. Errors: one does not take it.
    fn renew(&mut self, site: &mut Site) -> Outcome<()> {
        site.looked = Instant::now();
        let wanted = selected(site.process, &self.system_now());
        site.installed.retain(|pid| wanted.contains(pid));
        let fresh: Vec<Pid> = wanted.difference(&site.installed).copied().collect();
        for pid in fresh {
            self.beam("hold processes")?.hold_at(pid, site.hold, site.phase, &site.guard, &site.options)?;
            site.installed.insert(pid);
        }
        Ok(())
    }

    /// Takes a site out of all processes that have it.
    fn take_out(&mut self, site: &Site) -> Outcome<()> {
        let beam = self.beam("hold processes")?;
        for pid in &site.installed {
            // A process that has ended has taken it along.
            let _ = beam.remove_hold(*pid, site.hold);
        }
        Ok(())
    }

    /// As [`Source::renew`], for all sites whose time has come; what does not take them now is asked again. Nobody
    /// waits for that: a process that is busy gets only a moment.
    pub(super) fn renew_sites(&mut self) {
        for mut site in std::mem::take(&mut self.sites) {
            site.options.timeout = RENEWAL_WAIT;
            if site.looked.elapsed() >= RENEWAL {
                let _ = self.renew(&mut site);
            }
            self.sites.push(site);
        }
    }
}
