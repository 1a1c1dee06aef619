//! How processes end and who hears of it: exit signals, links, monitors, names. Order and effect
//! are those of the reference manual's chapter on processes.

use std::rc::Rc;
use std::sync::Arc;

use crate::model::{Atom, CallKey, Class, Kind, Origin, Pid, Reference, Term};

use super::atoms::atoms;
use super::behaviour::{Frame, Raise};
use super::machine::Machine;
use super::messages::{Target, badarg};
use super::outbox::{Note, Payload};
use super::process::Monitor;
use super::signal::{Control, Pattern};
use super::world::EventIdx;

/// Whether `reason` counts as an orderly end: `normal`, `shutdown`, `{shutdown, _}`.
pub fn is_orderly(reason: &Term) -> bool {
    let a = atoms();
    match reason {
        Term::Atom(atom) => *atom == a.normal || *atom == a.shutdown,
        Term::Tuple(items) => items.len() == 2 && items[0] == Term::Atom(a.shutdown),
        _ => false,
    }
}

/// The exit reason that an uncaught exception becomes.
pub fn exit_reason(raise: Raise) -> Term {
    match raise {
        Raise::Exit(reason) => reason,
        Raise::Error { reason, stack } => Term::tuple(vec![reason, stack_term(&stack)]),
        Raise::Throw(value) => Term::tuple(vec![Term::tuple(vec![Term::Atom(atoms().nocatch), value]), Term::Nil]),
    }
}

/// `[{Module, Function, Arity, [{file, File}, {line, Line}]}, ..]`.
fn stack_term(stack: &[Frame]) -> Term {
    let a = atoms();
    let frame = |frame: &Frame| {
        let location = frame.location.as_ref().map_or(Term::Nil, |(file, line)| {
            let file: Vec<Term> = file.chars().map(|c| Term::Int(i64::from(u32::from(c)))).collect();
            let pair = |key: Atom, value: Term| Term::tuple(vec![Term::Atom(key), value]);
            Term::list(vec![pair(a.file, Term::list(file)), pair(a.line, Term::Int(i64::from(*line)))])
        });
        let arity = Term::Int(i64::from(frame.arity));
        Term::tuple(vec![Term::Atom(frame.module), Term::Atom(frame.function), arity, location])
    };
    Term::list(stack.iter().map(frame).collect::<Vec<_>>())
}

impl Machine {
    /// Ends a process: records it, releases its name, then tells the linked and, after them, the watchers.
    pub fn end_process(&mut self, pid: Pid, reason: Term, cause: Option<EventIdx>) {
        let Some(module) = self.world.process(pid).map(|process| process.birth.module) else { return };
        let kind = if is_orderly(&reason) { Kind::Exit } else { Kind::Crash };
        let note = Note { tag: Some(module), cause, ..Note::new(kind, pid) };
        let ended = self.emit_term(note, &reason);
        let Some(process) = self.world.remove(pid, ended) else { return };
        if let Some(name) = process.name {
            Rc::make_mut(&mut self.world.names).remove(&name);
            self.emit(Note { tag: Some(name), cause: Some(ended), ..Note::new(Kind::Unregister, pid) }, Payload::None);
        }
        for monitor in process.monitors.iter() {
            if let Some(target) = monitor.target.and_then(|target| self.world.process_mut(target)) {
                Rc::make_mut(&mut target.watchers).retain(|watcher| *watcher != (pid, monitor.serial));
            }
        }
        for linked in process.links.iter() {
            let reason = reason.clone();
            self.post(pid, *linked, Control::Exit { from: pid, reason, is_link: true, cause: Some(ended) });
        }
        for (watcher, serial) in process.watchers.iter() {
            let reason = reason.clone();
            self.post(pid, *watcher, Control::Down { from: pid, serial: *serial, reason, cause: Some(ended) });
        }
    }

    /// A signal that is not a message reaches `to`.
    pub fn arrive_control(&mut self, to: Pid, control: &Control) {
        match control {
            Control::Exit { from, reason, is_link, cause } => self.arrive_exit(to, *from, reason, *is_link, *cause),
            Control::Link { from } => match self.world.process_mut(to) {
                Some(process) => {
                    Rc::make_mut(&mut process.links).insert(*from);
                }
                None => {
                    let reason = Term::Atom(atoms().noproc);
                    let cause = self.world.ended(to);
                    self.post(to, *from, Control::Exit { from: to, reason, is_link: true, cause });
                }
            },
            Control::Unlink { from } => {
                if let Some(process) = self.world.process_mut(to) {
                    Rc::make_mut(&mut process.links).remove(from);
                }
            }
            Control::Monitor { from, serial } => match self.world.process_mut(to) {
                Some(process) => Rc::make_mut(&mut process.watchers).push((*from, *serial)),
                None => {
                    let reason = Term::Atom(atoms().noproc);
                    let cause = self.world.ended(to);
                    self.post(to, *from, Control::Down { from: to, serial: *serial, reason, cause });
                }
            },
            Control::Demonitor { from, serial } => {
                if let Some(process) = self.world.process_mut(to) {
                    Rc::make_mut(&mut process.watchers).retain(|watcher| *watcher != (*from, *serial));
                }
            }
            Control::Down { from, serial, reason, cause } => self.arrive_down(to, *from, *serial, reason, *cause),
        }
    }

    fn arrive_exit(&mut self, to: Pid, from: Pid, reason: &Term, is_link: bool, cause: Option<EventIdx>) {
        let a = atoms();
        let Some(process) = self.world.process_mut(to) else { return };
        if is_link && process.links.contains(&from) {
            Rc::make_mut(&mut process.links).remove(&from);
        } else if is_link {
            return;
        }
        let is_kill = !is_link && *reason == Term::Atom(a.kill);
        if process.traps_exit && !is_kill {
            let message = Term::tuple(vec![Term::Atom(a.exit_upper), Term::Pid(from), reason.clone()]);
            self.put_kernel_message(Kind::ExitSignal, to, Some(from), message, cause);
            return;
        }
        if *reason == Term::Atom(a.normal) && from != to {
            return;
        }
        let note = Note { class: Class::Exit, peer: Some(from), cause, ..Note::new(Kind::ExitSignal, to) };
        let signal = self.emit_term(note, reason);
        let reason = if is_kill { Term::Atom(a.killed) } else { reason.clone() };
        self.end_process(to, reason, Some(signal));
    }

    fn arrive_down(&mut self, to: Pid, from: Pid, serial: u64, reason: &Term, cause: Option<EventIdx>) {
        let Some(process) = self.world.process_mut(to) else { return };
        let Some(idx) = process.monitors.iter().position(|monitor| monitor.serial == serial) else { return };
        let monitor = Rc::make_mut(&mut process.monitors).remove(idx);
        let message = down_message(&monitor, reason);
        self.put_kernel_message(Kind::Down, to, Some(from), message, cause);
    }

    /// `exit(Pid, Reason)`.
    pub fn exit_signal(&mut self, from: Pid, to: Pid, reason: Term) {
        let cause = self.run.cause;
        if to.origin == Origin::LOCAL {
            self.post(from, to, Control::Exit { from, reason, is_link: false, cause });
        }
    }

    /// `link(Pid)`. Errors: noproc for a process that is known to be dead, unless the caller traps exits.
    pub fn link(&mut self, from: Pid, to: Pid) -> Result<(), Raise> {
        let is_alive = self.world.is_alive(to);
        let Some(process) = self.world.process_mut(from) else { return Ok(()) };
        if from == to || process.links.contains(&to) {
            return Ok(());
        }
        let noproc = Term::Atom(atoms().noproc);
        if !is_alive && !process.traps_exit {
            return Err(Raise::Error { reason: noproc, stack: Vec::new() });
        }
        Rc::make_mut(&mut process.links).insert(to);
        if is_alive {
            let note = Note { peer: Some(to), cause: self.run.cause, ..Note::new(Kind::Link, from) };
            self.emit(note, Payload::None);
            self.post(from, to, Control::Link { from });
        } else {
            let cause = self.world.ended(to);
            self.post(to, from, Control::Exit { from: to, reason: noproc, is_link: true, cause });
        }
        Ok(())
    }

    /// `unlink(Pid)`: an exit signal of `to` that has not arrived is dropped.
    pub fn unlink(&mut self, from: Pid, to: Pid) {
        let Some(process) = self.world.process_mut(from) else { return };
        if Rc::make_mut(&mut process.links).remove(&to) && self.world.is_alive(to) {
            let note = Note { peer: Some(to), cause: self.run.cause, ..Note::new(Kind::Unlink, from) };
            self.emit(note, Payload::None);
            self.post(from, to, Control::Unlink { from });
        }
    }

    /// `monitor(process, Dest)`. With `is_alias` the reference is an alias for the length of the monitor; such
    /// monitors belong to calls, and are not recorded. Gives the reference. Errors: badarg for what is no process.
    pub fn monitor(
        &mut self,
        from: Pid,
        dest: &Term,
        is_alias: bool,
        is_recorded: bool,
    ) -> Result<Arc<Reference>, Raise> {
        let name = match dest {
            Term::Atom(name) => Some(*name),
            Term::Tuple(items) => items.first().and_then(Term::as_atom),
            _ => None,
        };
        let target = match self.resolve(dest)? {
            Target::Process(pid) => Some(pid),
            Target::Unknown(_) | Target::Elsewhere => None,
            Target::Alias { .. } => return Err(badarg()),
        };
        let (reference, serial) = self.world.make_reference(Some(from));
        let reference = Arc::new(reference);
        if is_recorded {
            let call = Some(CallKey(reference.key()));
            let note = Note { peer: target, tag: name, call, cause: self.run.cause, ..Note::new(Kind::Monitor, from) };
            self.emit(note, Payload::None);
        }
        if let Some(process) = self.world.process_mut(from) {
            let monitor = Monitor { reference: reference.clone(), serial, target, name, is_alias };
            Rc::make_mut(&mut process.monitors).push(monitor);
        }
        match target {
            Some(target) => self.post(from, target, Control::Monitor { from, serial }),
            None => {
                let reason = Term::Atom(atoms().noproc);
                self.post(from, from, Control::Down { from, serial, reason, cause: None });
            }
        }
        Ok(reference)
    }

    /// `demonitor(Ref)`, with `flush` also of a 'DOWN' that has arrived.
    pub fn demonitor(&mut self, from: Pid, serial: u64, flush: bool, is_recorded: bool) {
        let Some(process) = self.world.process_mut(from) else { return };
        if let Some(idx) = process.monitors.iter().position(|monitor| monitor.serial == serial) {
            let monitor = Rc::make_mut(&mut process.monitors).remove(idx);
            if is_recorded {
                let call = Some(CallKey(monitor.reference.key()));
                let cause = self.run.cause;
                self.emit(
                    Note { peer: monitor.target, call, cause, ..Note::new(Kind::Demonitor, from) },
                    Payload::None,
                );
            }
            if let Some(target) = monitor.target {
                self.post(from, target, Control::Demonitor { from, serial });
            }
        }
        if flush {
            self.take_all(from, &Pattern::Down(serial));
        }
    }

    /// Takes out of the mailbox all that match, as a receive in a callback does; oldest first.
    pub fn take_all(&mut self, pid: Pid, pattern: &Pattern) -> Vec<Term> {
        let Some(process) = self.world.process_mut(pid).filter(|process| !process.mailbox.is_empty()) else {
            return Vec::new();
        };
        let taken = process.mailbox.flush(|envelope| pattern.matches(&envelope.message));
        taken.iter().for_each(|arrived| self.emit_taken(pid, arrived));
        taken.into_iter().map(|arrived| arrived.envelope.message.clone()).collect()
    }

    /// `register(Name, Pid)`. Errors: badarg, as in OTP.
    pub fn register(&mut self, name: Atom, pid: Pid) -> Result<(), Raise> {
        if name == atoms().undefined || self.world.whereis(name).is_some() {
            return Err(badarg());
        }
        let process = self.world.process_mut(pid).filter(|process| process.name.is_none()).ok_or_else(badarg)?;
        process.name = Some(name);
        Rc::make_mut(&mut self.world.names).insert(name, pid);
        self.emit(Note { tag: Some(name), cause: self.run.cause, ..Note::new(Kind::Register, pid) }, Payload::None);
        Ok(())
    }

    /// `unregister(Name)`. Errors: badarg for an unknown name.
    pub fn unregister(&mut self, name: Atom) -> Result<(), Raise> {
        let pid = Rc::make_mut(&mut self.world.names).remove(&name).ok_or_else(badarg)?;
        if let Some(process) = self.world.process_mut(pid) {
            process.name = None;
        }
        self.emit(Note { tag: Some(name), cause: self.run.cause, ..Note::new(Kind::Unregister, pid) }, Payload::None);
        Ok(())
    }
}

/// `{'DOWN', Ref, process, Object, Reason}`; the object of a monitor by name is `{Name, Node}`.
fn down_message(monitor: &Monitor, reason: &Term) -> Term {
    let a = atoms();
    let object = match (monitor.name, monitor.target) {
        (Some(name), _) => Term::tuple(vec![Term::Atom(name), Term::Atom(Origin::LOCAL.id().node)]),
        (None, Some(pid)) => Term::Pid(pid),
        (None, None) => Term::Atom(a.undefined),
    };
    let reference = Term::Ref(monitor.reference.clone());
    Term::tuple(vec![Term::Atom(a.down_upper), reference, Term::Atom(a.process), object, reason.clone()])
}
