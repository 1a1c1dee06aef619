//! supervisor (stdlib's supervisor.erl, OTP 25) as a gen_server written on the host functions
//! that any process has. Starting, stopping and restarting children is in `children`.

use std::rc::Rc;

use crate::model::{Behaviour as BehaviourKind, Kind, Pid, Term};

use super::children::{Child, Running};
use super::supervisor_spec::{ChildSpec, Flags, Restart, SharedSpec, Strategy, SupervisorSpec};
use crate::sandbox::sim::atoms::atoms;
use crate::sandbox::sim::behaviour::{After, Behaviour, Callback, Effect, Return};
use crate::sandbox::sim::context::Context;

/// A supervisor's state around the user's callback module.
#[derive(Clone)]
pub struct Supervisor {
    module: Rc<dyn Behaviour>,
    pub(super) flags: Flags,
    /// In start order. Under simple_one_for_one: the running children.
    pub(super) children: Rc<Vec<Child>>,
    /// simple_one_for_one's only specification.
    template: Option<SharedSpec>,
    /// Seconds of the restarts within the period, newest first.
    pub(super) restarts_s: Vec<i64>,
}

/// What a supervisor does after it dealt with a child.
pub(super) enum Verdict {
    GoOn,
    /// Ends with reason `shutdown`.
    ShutDown,
}

impl Supervisor {
    /// A supervisor around `module`, whose init answers [`Return::Supervisor`].
    pub fn new(module: Box<dyn Behaviour>) -> Supervisor {
        Supervisor {
            module: Rc::from(module),
            flags: Flags::default(),
            children: Rc::default(),
            template: None,
            restarts_s: Vec::new(),
        }
    }

    pub(super) fn is_simple(&self) -> bool {
        self.flags.strategy == Strategy::SimpleOneForOne
    }

    pub(super) fn find(&self, id: &Term) -> Option<usize> {
        self.children.iter().position(|child| child.spec.id == *id)
    }

    pub(super) fn find_pid(&self, pid: Pid) -> Option<usize> {
        self.children.iter().position(|child| child.running == Running::Pid(pid))
    }

    fn init(&mut self, cx: &mut Context, callback: &Callback) -> Effect<Return> {
        cx.trap_exit(true)?;
        let spec = match self.module.clone_box().callback(cx, callback)? {
            Return::Supervisor(spec) => spec,
            Return::Ignore => return Ok(Return::Ignore),
            other => {
                let shown = crate::sandbox::sim::turn::bad_return(other);
                let reason = Term::tuple(vec![Term::atom("bad_return"), shown]);
                return Ok(Return::Stop { reason, reply: None });
            }
        };
        if let Err(wrong) = spec.check() {
            let reason = Term::tuple(vec![Term::atom("start_spec"), wrong]);
            return Ok(Return::Stop { reason, reply: None });
        }
        let SupervisorSpec { flags, children } = spec;
        self.flags = flags;
        if self.is_simple() {
            self.template = children.into_iter().next().map(Rc::new);
            return Ok(Return::Ok(After::Nothing));
        }
        match self.start_all(cx, children)? {
            Ok(()) => Ok(Return::Ok(After::Nothing)),
            Err(failed) => {
                let reason = Term::tuple(vec![Term::Atom(atoms().shutdown), failed]);
                Ok(Return::Stop { reason, reply: None })
            }
        }
    }

    fn call(&mut self, cx: &mut Context, request: &Term) -> Effect<Return> {
        let a = atoms();
        let reply = match request {
            Term::Atom(verb) if *verb == "which_children" => Ok(self.which_children()),
            Term::Atom(verb) if *verb == "count_children" => Ok(self.count_children()),
            Term::Tuple(items) => match &items[..] {
                [Term::Atom(verb), argument] => match verb.as_str() {
                    "start_child" if self.is_simple() => self.start_dynamic(cx, argument)?,
                    "start_child" => self.start_from_spec(cx, argument)?,
                    "terminate_child" => match self.terminate_child(cx, argument)? {
                        Ok((value, Verdict::GoOn)) => Ok(value),
                        Ok((value, Verdict::ShutDown)) => {
                            return Ok(Return::Stop { reason: Term::Atom(a.shutdown), reply: Some(value) });
                        }
                        Err(error) => Err(error),
                    },
                    "restart_child" | "delete_child" if self.is_simple() => Err(Term::Atom(a.simple_one_for_one)),
                    "restart_child" => self.restart_child(cx, argument)?,
                    "delete_child" => self.delete_child(cx, argument)?,
                    _ => return Ok(Return::NoReply(After::Nothing)),
                },
                _ => return Ok(Return::NoReply(After::Nothing)),
            },
            _ => return Ok(Return::NoReply(After::Nothing)),
        };
        let reply = reply.unwrap_or_else(|error| Term::tuple(vec![Term::Atom(a.error), error]));
        Ok(Return::Reply(reply, After::Nothing))
    }

    fn start_dynamic(&mut self, cx: &mut Context, extra: &Term) -> Effect<Result<Term, Term>> {
        let Some(template) = self.template.clone() else { return Ok(Err(Term::Atom(atoms().not_found))) };
        let Some(extra) = extra.as_list() else { return Ok(Err(Term::Atom(atoms().badarg))) };
        let child = Child { spec: template, running: Running::Undefined, extra: extra.to_vec() };
        self.start_new(cx, child)
    }

    fn start_from_spec(&mut self, cx: &mut Context, spec: &Term) -> Effect<Result<Term, Term>> {
        let checked = ChildSpec::parse(spec).and_then(|spec| spec.check(&self.flags).map(|()| spec));
        let spec = match checked {
            Ok(spec) => Rc::new(spec),
            Err(wrong) => return Ok(Err(wrong)),
        };
        let a = atoms();
        if let Some(idx) = self.find(&spec.id) {
            return Ok(Err(match self.children[idx].running {
                Running::Pid(pid) => Term::tuple(vec![Term::Atom(a.already_started), Term::Pid(pid)]),
                Running::Undefined | Running::Restarting(_) => Term::Atom(a.already_present),
            }));
        }
        let started =
            self.start_new(cx, Child { spec: spec.clone(), running: Running::Undefined, extra: Vec::new() })?;
        Ok(started.map_err(|reason| Term::tuple(vec![reason, spec.record(Term::Atom(a.undefined))])))
    }

    /// `[{Id, Child, Type, Modules}]`, newest first.
    fn which_children(&self) -> Term {
        let a = atoms();
        let row = |child: &Child| {
            let id = if self.is_simple() { Term::Atom(a.undefined) } else { child.spec.id.clone() };
            let modules = Term::list(vec![Term::Atom(child.spec.module)]);
            Term::tuple(vec![id, child.running.term(), Term::Atom(child.spec.type_atom()), modules])
        };
        Term::list(self.children.iter().rev().map(row).collect::<Vec<_>>())
    }

    /// `[{specs, N}, {active, N}, {supervisors, N}, {workers, N}]`.
    fn count_children(&self) -> Term {
        let a = atoms();
        let count = |wanted: &dyn Fn(&&Child) -> bool| self.children.iter().filter(wanted).count() as i64;
        let n_specs = if self.is_simple() { 1 } else { self.children.len() as i64 };
        let rows = [
            (a.specs, n_specs),
            (a.active, count(&|child| matches!(child.running, Running::Pid(_)))),
            (a.supervisors, count(&|child| child.spec.is_supervisor)),
            (a.workers, count(&|child| !child.spec.is_supervisor)),
        ];
        Term::list(rows.map(|(key, n)| Term::tuple(vec![Term::Atom(key), Term::Int(n)])).to_vec())
    }

    fn info(&mut self, cx: &mut Context, message: &Term) -> Effect<Verdict> {
        match message.as_tuple() {
            Some([Term::Atom(tag), Term::Pid(pid), reason]) if *tag == atoms().exit_upper => {
                self.child_ended(cx, *pid, reason)
            }
            _ => Ok(Verdict::GoOn),
        }
    }

    /// `{try_again_restart, What}`: the message that a supervisor sends itself when a restart failed.
    fn cast(&mut self, cx: &mut Context, message: &Term) -> Effect<Verdict> {
        let Some([_, what]) = message.as_tuple() else { return Ok(Verdict::GoOn) };
        let waits =
            |child: &Child| matches!(child.running, Running::Restarting(_)) && child.key(self.is_simple()) == *what;
        match self.children.iter().position(waits) {
            Some(idx) => self.restart(cx, idx, Term::atom("failed_to_restart")),
            None => Ok(Verdict::GoOn),
        }
    }

    /// Records a change of the children; `op` is OTP's word or ours, as the table of event kinds has them.
    pub(super) fn note_change(
        &self,
        cx: &mut Context,
        op: &str,
        child: Option<&Child>,
        pid: Option<Pid>,
        reason: Option<&Term>,
    ) -> Effect<()> {
        let a = atoms();
        let mut fields = vec![(Term::Atom(a.op), Term::atom(op))];
        if let Some(child) = child {
            fields.push((Term::Atom(a.id), child.spec.id.clone()));
            fields.push((Term::Atom(a.restart), Term::Atom(child.spec.restart.atom())));
            fields.push((Term::Atom(a.type_), Term::Atom(child.spec.type_atom())));
        }
        if let Some(pid) = pid {
            fields.push((Term::Atom(a.pid), Term::Pid(pid)));
        }
        if let Some(reason) = reason {
            fields.push((Term::Atom(a.reason), reason.clone()));
        }
        let id = child.and_then(|child| child.spec.id.as_atom());
        cx.note_supervision(Kind::ChildSpecChange, id, pid, None, Term::map(fields))
    }
}

impl Behaviour for Supervisor {
    fn callback(&mut self, cx: &mut Context, callback: &Callback) -> Effect<Return> {
        let verdict = match callback {
            Callback::Init(_) => return self.init(cx, callback),
            Callback::Call { request, .. } => return self.call(cx, request),
            Callback::Terminate(_) => {
                self.terminate_all(cx)?;
                return Ok(Return::Done);
            }
            Callback::Info(message) => self.info(cx, message)?,
            Callback::Cast(message) => self.cast(cx, message)?,
            Callback::Run(_) | Callback::Continue(_) => Verdict::GoOn,
        };
        Ok(match verdict {
            Verdict::GoOn => Return::NoReply(After::Nothing),
            Verdict::ShutDown => Return::Stop { reason: Term::Atom(atoms().shutdown), reply: None },
        })
    }

    fn kind(&self) -> BehaviourKind {
        BehaviourKind::Supervisor
    }

    /// `#{strategy, intensity, period, children => [{Id, Child, Restart}], restarts => [Seconds]}`; OTP's is a record.
    fn state(&self) -> Term {
        let a = atoms();
        let row = |child: &Child| {
            let restart = Term::Atom(child.spec.restart.atom());
            Term::tuple(vec![child.spec.id.clone(), child.running.term(), restart])
        };
        let restarts: Vec<Term> = self.restarts_s.iter().map(|second| Term::Int(*second)).collect();
        Term::map([
            (Term::atom("children"), Term::list(self.children.iter().map(row).collect::<Vec<_>>())),
            (Term::Atom(a.intensity), Term::Int(i64::from(self.flags.intensity))),
            (Term::Atom(a.period), Term::Int(i64::from(self.flags.period_s))),
            (Term::atom("restarts"), Term::list(restarts)),
            (Term::Atom(a.strategy), Term::Atom(self.flags.strategy.atom())),
        ])
    }

    fn replace_state(&mut self, _state: &Term) -> Result<(), String> {
        Err("the state of a supervisor is not replaced: use start_child, terminate_child, delete_child".to_string())
    }

    fn clone_box(&self) -> Box<dyn Behaviour> {
        Box::new(self.clone())
    }

    fn memory_bytes(&self) -> u64 {
        self.children.len() as u64 * 160
    }
}

/// Whether a child that ended with `reason` is started again.
pub(super) fn is_restarted(restart: Restart, reason: &Term) -> bool {
    match restart {
        Restart::Permanent => true,
        Restart::Transient => !crate::sandbox::sim::exits::is_orderly(reason),
        Restart::Temporary => false,
    }
}
