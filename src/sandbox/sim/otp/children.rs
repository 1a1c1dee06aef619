//! A supervisor's children: started in order, stopped in reverse, restarted by strategy, until the
//! restarts are too many for the period.

use std::rc::Rc;

use crate::model::{Kind, Pid, Term};

use super::supervisor::{Supervisor, Verdict, is_restarted};
use super::supervisor_spec::{AutoShutdown, ChildSpec, Restart, SharedSpec, Shutdown, Strategy};
use crate::sandbox::sim::atoms::atoms;
use crate::sandbox::sim::behaviour::Effect;
use crate::sandbox::sim::context::Context;

/// A child with its specification.
#[derive(Clone, Debug)]
pub struct Child {
    pub spec: SharedSpec,
    pub running: Running,
    /// Arguments of start_child under simple_one_for_one.
    pub extra: Vec<Term>,
}

/// A child's pid, or why it has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Running {
    Pid(Pid),
    Undefined,
    /// A restart failed and is tried again; the pid is the last one that ran.
    Restarting(Option<Pid>),
}

impl Running {
    pub fn term(self) -> Term {
        match self {
            Running::Pid(pid) => Term::Pid(pid),
            Running::Undefined => Term::Atom(atoms().undefined),
            Running::Restarting(_) => Term::Atom(atoms().restarting),
        }
    }
    fn pid(self) -> Option<Pid> {
        if let Running::Pid(pid) = self { Some(pid) } else { None }
    }
    /// The process that ran last.
    fn last(self) -> Option<Pid> {
        if let Running::Restarting(last) = self { last } else { self.pid() }
    }
}

impl Child {
    /// What a retry of a restart names: the id, or under simple_one_for_one the last pid.
    pub fn key(&self, is_simple: bool) -> Term {
        match self.running.last() {
            Some(pid) if is_simple => Term::Pid(pid),
            _ => self.spec.id.clone(),
        }
    }
}

impl Supervisor {
    fn children_mut(&mut self) -> &mut Vec<Child> {
        Rc::make_mut(&mut self.children)
    }

    /// Starts the children of init in order. When one fails, those that run are stopped: `{failed_to_start_child, Id, Reason}`.
    pub(super) fn start_all(&mut self, cx: &mut Context, specs: Vec<ChildSpec>) -> Effect<Result<(), Term>> {
        for spec in specs {
            let mut child = Child { spec: Rc::new(spec), running: Running::Undefined, extra: Vec::new() };
            match start(cx, &child)? {
                Ok(pid) => {
                    self.note_change(cx, "added", Some(&child), pid, None)?;
                    child.running = pid.map_or(Running::Undefined, Running::Pid);
                    if pid.is_some() || child.spec.restart != Restart::Temporary {
                        self.children_mut().push(child);
                    }
                }
                Err(reason) => {
                    self.terminate_all(cx)?;
                    let a = atoms();
                    let failed = vec![Term::Atom(a.failed_to_start_child), child.spec.id.clone(), reason];
                    return Ok(Err(Term::tuple(failed)));
                }
            }
        }
        Ok(Ok(()))
    }

    /// Starts one more child: `{ok, Pid}`, or the error's reason. A temporary or dynamic child that ignores is forgotten.
    pub(super) fn start_new(&mut self, cx: &mut Context, mut child: Child) -> Effect<Result<Term, Term>> {
        let a = atoms();
        Ok(match start(cx, &child)? {
            Ok(pid) => {
                self.note_change(cx, "added", Some(&child), pid, None)?;
                child.running = pid.map_or(Running::Undefined, Running::Pid);
                let reply = Term::tuple(vec![Term::Atom(a.ok), child.running.term()]);
                if pid.is_some() || !(self.is_simple() || child.spec.restart == Restart::Temporary) {
                    self.children_mut().push(child);
                }
                Ok(reply)
            }
            Err(reason) => Err(reason),
        })
    }

    /// `terminate_child`: by id, or by pid under simple_one_for_one. Errors: not_found, simple_one_for_one.
    pub(super) fn terminate_child(&mut self, cx: &mut Context, which: &Term) -> Effect<Result<(Term, Verdict), Term>> {
        let a = atoms();
        let found = match (self.is_simple(), which) {
            (true, Term::Pid(pid)) => self.find_pid(*pid),
            (true, _) => return Ok(Err(Term::Atom(a.simple_one_for_one))),
            (false, id) => self.find(id),
        };
        let Some(idx) = found else { return Ok(Err(Term::Atom(a.not_found))) };
        let child = self.children[idx].clone();
        stop(cx, &child)?;
        self.note_change(cx, "terminated", Some(&child), child.running.pid(), None)?;
        self.forget(cx, idx)?;
        Ok(Ok((Term::Atom(a.ok), Verdict::GoOn)))
    }

    /// `restart_child`. Errors: running, restarting, not_found, the start's own.
    pub(super) fn restart_child(&mut self, cx: &mut Context, id: &Term) -> Effect<Result<Term, Term>> {
        let a = atoms();
        let Some(idx) = self.find(id) else { return Ok(Err(Term::Atom(a.not_found))) };
        Ok(match self.children[idx].running {
            Running::Pid(_) => Err(Term::Atom(a.running)),
            Running::Restarting(_) => Err(Term::Atom(a.restarting)),
            Running::Undefined => {
                let child = self.children[idx].clone();
                match start(cx, &child)? {
                    Ok(pid) => {
                        self.note_change(cx, "added", Some(&child), pid, None)?;
                        let running = pid.map_or(Running::Undefined, Running::Pid);
                        self.children_mut()[idx].running = running;
                        Ok(Term::tuple(vec![Term::Atom(a.ok), running.term()]))
                    }
                    Err(reason) => Err(reason),
                }
            }
        })
    }

    /// `delete_child`. Errors: running, restarting, not_found.
    pub(super) fn delete_child(&mut self, cx: &mut Context, id: &Term) -> Effect<Result<Term, Term>> {
        let a = atoms();
        let Some(idx) = self.find(id) else { return Ok(Err(Term::Atom(a.not_found))) };
        Ok(match self.children[idx].running {
            Running::Pid(_) => Err(Term::Atom(a.running)),
            Running::Restarting(_) => Err(Term::Atom(a.restarting)),
            Running::Undefined => {
                let child = self.children_mut().remove(idx);
                self.note_change(cx, "removed", Some(&child), None, None)?;
                Ok(Term::Atom(a.ok))
            }
        })
    }

    /// A child's 'EXIT'. That of an unknown process is ignored.
    pub(super) fn child_ended(&mut self, cx: &mut Context, pid: Pid, reason: &Term) -> Effect<Verdict> {
        let Some(idx) = self.find_pid(pid) else { return Ok(Verdict::GoOn) };
        let spec = self.children[idx].spec.clone();
        if is_restarted(spec.restart, reason) {
            return self.restart(cx, idx, reason.clone());
        }
        self.forget(cx, idx)?;
        let shuts_down = spec.significant
            && match self.flags.auto_shutdown {
                AutoShutdown::Never => false,
                AutoShutdown::AnySignificant => true,
                AutoShutdown::AllSignificant => {
                    !self.children.iter().any(|child| child.spec.significant && child.running != Running::Undefined)
                }
            };
        Ok(if shuts_down { Verdict::ShutDown } else { Verdict::GoOn })
    }

    /// Keeps the specification of a child that is gone, unless it is temporary or dynamic.
    fn forget(&mut self, cx: &mut Context, idx: usize) -> Effect<()> {
        if !self.is_simple() && self.children[idx].spec.restart != Restart::Temporary {
            self.children_mut()[idx].running = Running::Undefined;
            return Ok(());
        }
        let child = self.children_mut().remove(idx);
        self.note_change(cx, "removed", Some(&child), child.running.last(), None)
    }

    /// Restarts a child as the strategy says, or gives up. A restart whose start fails counts too, and is tried
    /// again by a message to itself, which leaves room for other requests.
    pub(super) fn restart(&mut self, cx: &mut Context, idx: usize, reason: Term) -> Effect<Verdict> {
        if !self.count_restart(cx)? {
            let child = self.children[idx].clone();
            let too_many = Term::Atom(atoms().reached_max);
            self.note_change(cx, "gave_up", Some(&child), child.running.last(), Some(&too_many))?;
            self.forget(cx, idx)?;
            return Ok(Verdict::ShutDown);
        }
        let failed = match self.flags.strategy {
            Strategy::OneForOne | Strategy::SimpleOneForOne => self.restart_one(cx, idx, &reason)?,
            Strategy::RestForOne => self.restart_from(cx, idx, idx, &reason)?,
            Strategy::OneForAll => self.restart_from(cx, 0, idx, &reason)?,
        };
        if let Some(what) = failed {
            let me = Term::Pid(cx.self_pid());
            cx.cast(&me, Term::tuple(vec![Term::atom("try_again_restart"), what]))?;
        }
        Ok(Verdict::GoOn)
    }

    /// Counts a restart; false when there were more than the intensity within the period.
    fn count_restart(&mut self, cx: &mut Context) -> Effect<bool> {
        let now_s = cx.now_ns()? / 1_000_000_000;
        let period_s = i64::from(self.flags.period_s);
        self.restarts_s.insert(0, now_s);
        self.restarts_s.retain(|then_s| now_s <= then_s + period_s);
        Ok(self.restarts_s.len() <= self.flags.intensity as usize)
    }

    fn restart_one(&mut self, cx: &mut Context, idx: usize, reason: &Term) -> Effect<Option<Term>> {
        let child = self.children[idx].clone();
        let last = child.running.last();
        match start(cx, &child)? {
            Ok(Some(pid)) => {
                note_restart(cx, &child, pid, reason)?;
                self.children_mut()[idx].running = Running::Pid(pid);
                Ok(None)
            }
            Ok(None) => {
                self.forget(cx, idx)?;
                Ok(None)
            }
            Err(_) => {
                self.children_mut()[idx].running = Running::Restarting(last);
                Ok(Some(self.children[idx].key(self.is_simple())))
            }
        }
    }

    /// Stops the children from the last down to `first`, without the one that is dead already, and starts them
    /// again in order. Temporary ones are not started again. `failed_idx` is the child whose end is the cause.
    fn restart_from(
        &mut self,
        cx: &mut Context,
        first: usize,
        failed_idx: usize,
        reason: &Term,
    ) -> Effect<Option<Term>> {
        let failed_id = self.children[failed_idx].spec.id.clone();
        let last_pids: Vec<Option<Pid>> = self.children[first..].iter().map(|child| child.running.last()).collect();
        for idx in (first..self.children.len()).rev() {
            let child = self.children[idx].clone();
            if idx != failed_idx {
                stop(cx, &child)?;
            }
            if child.spec.restart == Restart::Temporary {
                self.forget(cx, idx)?;
            } else {
                self.children_mut()[idx].running = Running::Restarting(last_pids[idx - first]);
            }
        }
        for idx in first..self.children.len() {
            let child = self.children[idx].clone();
            match start(cx, &child)? {
                Ok(started) => {
                    self.children_mut()[idx].running = started.map_or(Running::Undefined, Running::Pid);
                    let shutdown = Term::Atom(atoms().shutdown);
                    let reason = if child.spec.id == failed_id { reason } else { &shutdown };
                    if let Some(pid) = started {
                        note_restart(cx, &child, pid, reason)?;
                    }
                }
                Err(_) => {
                    for later in &mut self.children_mut()[idx + 1..] {
                        later.running = Running::Undefined;
                    }
                    return Ok(Some(child.spec.id.clone()));
                }
            }
        }
        Ok(None)
    }

    /// Stops every child: in reverse order of start, one at a time; dynamic ones all at once.
    pub(super) fn terminate_all(&mut self, cx: &mut Context) -> Effect<()> {
        let children = std::mem::take(self.children_mut());
        if self.is_simple() {
            let signal = |child: &Child| match child.spec.shutdown() {
                Shutdown::BrutalKill => Term::Atom(atoms().kill),
                _ => Term::Atom(atoms().shutdown),
            };
            for child in &children {
                if let Running::Pid(pid) = child.running {
                    cx.exit_signal(pid, signal(child))?;
                }
            }
        }
        for child in children.iter().rev() {
            stop(cx, child)?;
        }
        Ok(())
    }
}

/// Starts a child: its pid, `None` when its init ignored, or the reason of its failure.
fn start(cx: &mut Context, child: &Child) -> Effect<Result<Option<Pid>, Term>> {
    let spec = &child.spec;
    let answer = cx.start_process(spec.module, spec.init_args(&child.extra), spec.name, true, true)?;
    Ok(match answer.as_tuple() {
        Some([Term::Atom(tag), Term::Pid(pid)]) if *tag == atoms().ok => Ok(Some(*pid)),
        Some([_, reason]) => Err(reason.clone()),
        _ => Ok(None),
    })
}

/// Stops a child by its shutdown mode, if it runs.
fn stop(cx: &mut Context, child: &Child) -> Effect<()> {
    let Running::Pid(pid) = child.running else { return Ok(()) };
    let a = atoms();
    match child.spec.shutdown() {
        Shutdown::BrutalKill => cx.shut_down(pid, Term::Atom(a.kill), None)?,
        Shutdown::Infinity => cx.shut_down(pid, Term::Atom(a.shutdown), None)?,
        Shutdown::Ms(ms) => cx.shut_down(pid, Term::Atom(a.shutdown), Some(ms))?,
    };
    Ok(())
}

/// Records a restart: `#{id, old, new, reason}`; its cause is the old one's end.
fn note_restart(cx: &mut Context, child: &Child, new: Pid, reason: &Term) -> Effect<()> {
    let a = atoms();
    let old = child.running.last();
    let payload = Term::map([
        (Term::Atom(a.id), child.spec.id.clone()),
        (Term::Atom(a.new), Term::Pid(new)),
        (Term::Atom(a.old), old.map_or(Term::Atom(a.undefined), Term::Pid)),
        (Term::Atom(a.reason), reason.clone()),
    ]);
    cx.note_supervision(Kind::SupervisorRestart, child.spec.id.as_atom(), Some(new), old, payload)
}
