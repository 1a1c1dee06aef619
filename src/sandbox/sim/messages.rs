//! Sending, arrival and timers: what happens to a message from the send to the mailbox.

use std::rc::Rc;
use std::sync::Arc;

use crate::codec::write;
use crate::model::{Atom, CallKey, Class, Kind, Origin, Pid, Reference, Term, limits};

use super::atoms::atoms;
use super::behaviour::Raise;
use super::machine::Machine;
use super::mailbox::Arrived;
use super::outbox::{Note, Payload};
use super::scheduler::Job;
use super::signal::{Envelope, shape};
use super::world::{EventIdx, Timer, alias_owner, serial};

/// Whom a destination term means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    Process(Pid),
    Alias {
        owner: Pid,
        serial: u64,
    },
    /// No process has this name.
    Unknown(Atom),
    /// Another node, which the sim does not have.
    Elsewhere,
}

/// `erlang:error(badarg)`.
pub fn badarg() -> Raise {
    Raise::Error { reason: Term::Atom(atoms().badarg), stack: Vec::new() }
}

impl Machine {
    /// Resolves a pid, name, `{Name, Node}` or alias. Errors: badarg for any other term.
    pub fn resolve(&self, dest: &Term) -> Result<Target, Raise> {
        let named = |name: Atom| self.world.whereis(name).map_or(Target::Unknown(name), Target::Process);
        match dest {
            Term::Pid(pid) if pid.origin != Origin::LOCAL => Ok(Target::Elsewhere),
            Term::Pid(pid) => Ok(Target::Process(*pid)),
            Term::Atom(name) => Ok(named(*name)),
            Term::Ref(reference) => match alias_owner(reference) {
                Some(owner) => Ok(Target::Alias { owner, serial: serial(reference) }),
                None => Ok(Target::Elsewhere),
            },
            Term::Tuple(items) => match items[..] {
                [Term::Atom(name), Term::Atom(node)] if node == Origin::LOCAL.id().node => Ok(named(name)),
                [Term::Atom(_), Term::Atom(_)] => Ok(Target::Elsewhere),
                _ => Err(badarg()),
            },
            _ => Err(badarg()),
        }
    }

    /// Sends `message` and records it: as a send or reply, or as sent to the dead. Never fails.
    pub fn send_to(&mut self, from: Pid, target: Target, message: Term, cause: Option<EventIdx>) -> EventIdx {
        let (to, alias) = match target {
            Target::Process(pid) => (Some(pid), None),
            Target::Alias { owner, serial } => (Some(owner), Some(serial)),
            Target::Unknown(_) | Target::Elsewhere => (None, None),
        };
        let shape = shape(&message);
        let is_reply = shape.class == Class::Reply && shape.call.is_some();
        let kind = match to {
            Some(pid) if self.world.is_alive(pid) => {
                if is_reply {
                    Kind::Reply
                } else {
                    Kind::Send
                }
            }
            _ => Kind::SendToDead,
        };
        let note = Note { kind, class: shape.class, process: from, peer: to, tag: shape.tag, call: shape.call, cause };
        let bytes = self.encode_message(&message);
        let mut envelope = Envelope {
            message,
            bytes,
            from: Some(from),
            cause: None,
            class: shape.class,
            tag: shape.tag,
            call: shape.call,
            alias,
        };
        let (Some(to), true) = (to, kind != Kind::SendToDead) else {
            let meta = match target {
                Target::Unknown(name) if self.records => self.outbox.write(|out| write_name(out, name)),
                _ => 0..0,
            };
            return self.emit_meta(note, Payload::Message(Rc::new(envelope)), meta);
        };
        // The event's position is known before it is recorded, so that both share one envelope.
        envelope.cause = Some(self.next_event());
        let envelope = Rc::new(envelope);
        let sent = self.emit(note, Payload::Message(envelope.clone()));
        self.post_message(from, to, envelope);
        sent
    }

    /// A message reaches process number `to`.
    pub fn arrive(&mut self, to: Pid, envelope: Rc<Envelope>) {
        let Some(process) = self.world.process(to) else { return };
        let is_active = |alias: u64| process.monitors.iter().any(|m| m.is_alias && m.serial == alias);
        if envelope.alias.is_some_and(|alias| !is_active(alias)) {
            let note = Note {
                class: envelope.class,
                peer: envelope.from,
                call: envelope.call,
                cause: envelope.cause,
                ..Note::new(Kind::LateReply, to)
            };
            self.emit(note, Payload::Message(envelope));
            return;
        }
        self.put_in_mailbox(Kind::Receive, to, envelope);
    }

    /// Records an arrival of sort `kind` and wakes the receiver when the message is what it waits for.
    pub fn put_in_mailbox(&mut self, kind: Kind, to: Pid, envelope: Rc<Envelope>) {
        let Some(process) = self.world.process(to) else { return };
        if process.mailbox.len() >= limits::SIM_MAILBOX_MAX {
            let text = limits::tripped("SIM_MAILBOX_MAX", limits::SIM_MAILBOX_MAX, "the receiver is too slow for it");
            self.end_process(to, Term::binary(text), None);
            return;
        }
        let is_woken = process.is_woken_by(&envelope.message);
        let note = Note {
            kind,
            class: if kind == Kind::TimerFire { Class::Timer } else { envelope.class },
            process: to,
            peer: envelope.from,
            tag: envelope.tag,
            call: envelope.call,
            cause: envelope.cause,
        };
        let event = self.emit(note, Payload::Message(envelope.clone()));
        if let Some(process) = self.world.process_mut(to) {
            process.mailbox.push(Arrived { envelope, event });
        }
        if is_woken {
            self.schedule(to);
        }
    }

    /// A kernel-made message, as `'DOWN'` and `'EXIT'` are, reaches `to`.
    pub fn put_kernel_message(
        &mut self,
        kind: Kind,
        to: Pid,
        from: Option<Pid>,
        message: Term,
        cause: Option<EventIdx>,
    ) {
        let shape = shape(&message);
        let bytes = self.encode_message(&message);
        let envelope =
            Envelope { message, bytes, from, cause, class: shape.class, tag: shape.tag, call: shape.call, alias: None };
        self.put_in_mailbox(kind, to, Rc::new(envelope));
    }

    /// Starts a timer; with `wraps`, its message becomes `{timeout, Ref, Message}`. Gives its reference.
    pub fn start_timer(&mut self, owner: Pid, after_ms: u64, dest: &Term, message: Term, wraps: bool) -> Term {
        let (reference, serial) = self.world.make_reference(None);
        let call = Some(CallKey(reference.key()));
        let reference = Term::Ref(Arc::new(reference));
        let message =
            if wraps { Term::tuple(vec![Term::Atom(atoms().timeout), reference.clone(), message]) } else { message };
        let note = Note { call, tag: message.tag(), cause: self.run.cause, ..Note::new(Kind::TimerStart, owner) };
        let started = self.emit_with(note, |out| {
            write::version(out);
            write::tuple_header(out, 2);
            write::int(out, i64::try_from(after_ms).unwrap_or(i64::MAX));
            write::term(out, &message);
        });
        let after_ns = i64::try_from(after_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let due_ns = self.world.now_ns.saturating_add(after_ns);
        let timer = Timer { due_ns, message, dest: dest.clone(), owner, started };
        Rc::make_mut(&mut self.world.timers).insert(serial, timer);
        self.world.queue.push(due_ns, owner.id, Job::Timer(serial));
        reference
    }

    /// Cancels a timer: milliseconds left, or `false`.
    pub fn cancel_timer(&mut self, pid: Pid, reference: &Reference) -> Term {
        let Some(timer) = Rc::make_mut(&mut self.world.timers).remove(&serial(reference)) else {
            return Term::Atom(atoms().false_);
        };
        self.world.n_stale_timers += 1;
        if self.world.n_stale_timers > 64 && self.world.n_stale_timers > self.world.queue.len() / 2 {
            let timers = self.world.timers.clone();
            self.world.queue.retain(|_, job| !matches!(job, Job::Timer(serial) if !timers.contains_key(serial)));
            self.world.n_stale_timers = 0;
        }
        let call = Some(CallKey(reference.key()));
        let note = Note { call, cause: Some(timer.started), ..Note::new(Kind::TimerCancel, pid) };
        self.emit(note, Payload::None);
        Term::Int((timer.due_ns - self.world.now_ns).max(0) / 1_000_000)
    }

    /// A timer fires: its message arrives, unless nobody is there.
    pub fn fire_timer(&mut self, serial: u64) {
        let Some(timer) = Rc::make_mut(&mut self.world.timers).remove(&serial) else { return };
        let Ok(Target::Process(to)) = self.resolve(&timer.dest) else { return };
        let bytes = self.encode_message(&timer.message);
        let envelope = Envelope {
            bytes,
            from: None,
            cause: Some(timer.started),
            class: Class::Timer,
            tag: timer.message.tag(),
            call: Some(CallKey(super::world::reference_of(serial).key())),
            alias: None,
            message: timer.message,
        };
        self.put_in_mailbox(Kind::TimerFire, to, Rc::new(envelope));
    }
}

/// `#{name => Name}`.
fn write_name(out: &mut Vec<u8>, name: Atom) {
    write::version(out);
    write::map_header(out, 1);
    write::atom(out, atoms().name);
    write::atom(out, name);
}
