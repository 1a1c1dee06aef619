//! What the frames of a node mean for us: answers to calls, messages and exit signals for our mailboxes, and what
//! the protocol wants answered (unlinks, monitors of ours, output of what we started). Pure: frames in, frames out.
//! It must not know sockets, threads or clocks.

use crossbeam::channel::Sender;
use rustc_hash::{FxHashMap, FxHashSet};

use super::control::{self, Control, ControlError, Frame, Spawned, Watched};
use super::mailbox::{Inlet, Received};
use super::printer::{self, Printed};
use crate::codec::etf;
use crate::model::limits::{DIST_CALLS_MAX, DIST_MAILBOXES_MAX, DIST_TIES_MAX};
use crate::model::{Pid, Reference, Term};

/// What a caller waits for.
pub enum Answer {
    /// The exit reason of the process that ran the call, an external term with 131.
    Ended(Vec<u8>),
    /// There was one, too long to be kept.
    TooLong {
        n_bytes: usize,
    },
    Spawned(Pid),
    NotStarted(String),
    Down(String),
}

/// A request that the node has not answered.
struct Pending {
    answer: Sender<Answer>,
    wants: Wants,
    /// The process that works on it, once known.
    pid: Option<Pid>,
}

/// What ends the waiting.
#[derive(Clone, Copy)]
pub enum Wants {
    /// The end of the process that was spawned.
    End,
    /// Its start, linked to this mailbox.
    Start { mailbox: Pid },
}

/// A mailbox and what holds on to it at the node.
struct Occupant {
    inlet: Inlet,
    links: FxHashSet<Pid>,
    monitors: FxHashMap<Reference, (Pid, Watched)>,
}

/// Who of us waits for what.
pub struct Switchboard {
    /// Sends our calls, and is the group leader of everything that we start.
    base: Pid,
    pending: FxHashMap<Reference, Pending>,
    mailboxes: FxHashMap<Pid, Occupant>,
    pub printed: Printed,
    /// Control messages that nobody here wanted, or that are not known.
    pub n_ignored: u64,
    is_down: bool,
}

/// Why a request or a mailbox is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    Down,
    Full,
}

impl Switchboard {
    pub fn new(base: Pid) -> Switchboard {
        Switchboard {
            base,
            pending: FxHashMap::default(),
            mailboxes: FxHashMap::default(),
            printed: Printed::default(),
            n_ignored: 0,
            is_down: false,
        }
    }

    /// Notes that `answer` waits for what the node says to `request`.
    pub fn expect(&mut self, request: Reference, wants: Wants, answer: Sender<Answer>) -> Result<(), Denied> {
        if self.is_down {
            return Err(Denied::Down);
        }
        if self.pending.len() >= DIST_CALLS_MAX {
            return Err(Denied::Full);
        }
        self.pending.insert(request, Pending { answer, wants, pid: None });
        Ok(())
    }

    /// Forgets a request; frames that end what it has started at the node so far go to `out`. What it starts
    /// later is ended when the node tells of it.
    pub fn give_up(&mut self, request: &Reference, out: &mut Vec<Vec<u8>>) {
        let Some(Pending { pid: Some(pid), .. }) = self.pending.remove(request) else { return };
        out.push(control::demonitor(self.base, pid, request));
        out.push(self.kill(pid));
    }

    pub fn open(&mut self, pid: Pid, inlet: Inlet) -> Result<(), Denied> {
        if self.is_down {
            return Err(Denied::Down);
        }
        if self.mailboxes.len() >= DIST_MAILBOXES_MAX {
            return Err(Denied::Full);
        }
        self.mailboxes.insert(pid, Occupant { inlet, links: FxHashSet::default(), monitors: FxHashMap::default() });
        Ok(())
    }

    /// Ends a mailbox, as a process ends: with exit signals to its links and monitors.
    pub fn end(&mut self, pid: Pid, reason: &Term, out: &mut Vec<Vec<u8>>) {
        let Some(occupant) = self.mailboxes.remove(&pid) else { return };
        out.extend(occupant.links.iter().map(|linked| control::exit(pid, *linked, reason)));
        let told = occupant.monitors.iter();
        out.extend(told.map(|(reference, (to, watched))| control::monitor_exit(*watched, *to, reference, reason)));
    }

    /// The connection is gone: everybody who waits is told.
    pub fn down(&mut self, reason: &str) {
        self.is_down = true;
        for (_, pending) in self.pending.drain() {
            let _ = pending.answer.send(Answer::Down(reason.to_string()));
        }
        for (_, occupant) in self.mailboxes.drain() {
            occupant.inlet.signal(Received::NodeDown { reason: reason.to_string() });
        }
    }

    /// Takes a whole frame; what the protocol wants answered goes to `out`.
    pub fn receive(&mut self, frame: Vec<u8>, out: &mut Vec<Vec<u8>>) -> Result<(), ControlError> {
        let Frame { control, payload_at } = control::read_frame(&frame)?;
        match control {
            Control::Send { to } => self.message(to, tail(frame, payload_at), out),
            Control::Exit { from, to, reason } => {
                let reason = reason.map(control::standalone);
                self.exit(from, to, reason.unwrap_or_else(|| tail(frame, payload_at)));
            }
            Control::Exit2 { from, to, reason } => {
                let reason = reason.map(control::standalone);
                self.exit2(from, to, reason.unwrap_or_else(|| tail(frame, payload_at)));
            }
            Control::MonitorExit { reference, reason, .. } => {
                let reason = reason.map(control::standalone);
                let reason = reason.unwrap_or_else(|| tail(frame, payload_at));
                self.answer(&reference, Answer::Ended(reason));
            }
            other => self.signal(&other, out),
        }
        Ok(())
    }

    /// Takes the beginning of a frame of `n_bytes` that is too long to be kept: its receiver is told of the loss.
    pub fn receive_cut(&mut self, head: &[u8], n_bytes: usize, out: &mut Vec<Vec<u8>>) -> Result<(), ControlError> {
        let (control, _) = control::read_control(head)?;
        match control {
            Control::Send { to } => match self.mailboxes.get(&to) {
                Some(occupant) => occupant.inlet.dropped(),
                None => self.n_ignored += 1,
            },
            Control::Exit { from, to, .. } => self.exit(from, to, too_long(n_bytes)),
            Control::Exit2 { from, to, .. } => self.exit2(from, to, too_long(n_bytes)),
            Control::MonitorExit { reference, .. } => self.answer(&reference, Answer::TooLong { n_bytes }),
            other => self.signal(&other, out),
        }
        Ok(())
    }

    /// A control message whose payload, if it has one, is of no use to us.
    fn signal(&mut self, control: &Control<'_>, out: &mut Vec<Vec<u8>>) {
        match *control {
            Control::SpawnReply { ref request, is_linked, result } => self.spawned(request, is_linked, result, out),
            Control::Link { from, to } => self.link(from, to, out),
            Control::Unlink { from, to } => self.unlink(from, to),
            Control::UnlinkId { id, from, to } => {
                self.unlink(from, to);
                out.push(control::unlink_ack(id, to, from));
            }
            Control::Monitor { from, to, ref reference } => self.monitor(from, to, reference, out),
            Control::Demonitor { ref reference, .. } => {
                for occupant in self.mailboxes.values_mut() {
                    occupant.monitors.remove(reference);
                }
            }
            Control::SpawnRequest { ref request, from } => out.push(control::spawn_refused(request, from)),
            _ => self.n_ignored += 1,
        }
    }

    fn message(&mut self, to: Pid, message: Vec<u8>, out: &mut Vec<Vec<u8>>) {
        if let Some(occupant) = self.mailboxes.get(&to) {
            occupant.inlet.message(message);
            return;
        }
        let request = if to == self.base { printer::answer(&message) } else { None };
        match request {
            Some(answer) => {
                self.printed.push(&answer.text);
                out.push(control::send(answer.to, &answer.reply));
            }
            None => self.n_ignored += 1,
        }
    }

    fn exit(&mut self, from: Pid, to: Pid, reason: Vec<u8>) {
        if let Some(occupant) = self.mailboxes.get_mut(&to)
            && occupant.links.remove(&from)
        {
            occupant.inlet.exit(from, reason);
        } else {
            // Without the link it is late: they have unlinked, or it is a lie.
            self.n_ignored += 1;
        }
    }

    fn exit2(&mut self, from: Pid, to: Pid, reason: Vec<u8>) {
        match self.mailboxes.get(&to) {
            Some(occupant) => occupant.inlet.exit(from, reason),
            None => self.n_ignored += 1,
        }
    }

    fn answer(&mut self, request: &Reference, answer: Answer) {
        match self.pending.remove(request) {
            Some(pending) => drop(pending.answer.send(answer)),
            None => self.n_ignored += 1,
        }
    }

    fn spawned(&mut self, request: &Reference, is_linked: bool, result: Spawned, out: &mut Vec<Vec<u8>>) {
        let pid = match result {
            Spawned::Pid(pid) => pid,
            Spawned::Error(reason) => {
                return self.answer(request, Answer::NotStarted(reason.as_str().escape_debug().to_string()));
            }
        };
        match self.pending.get_mut(request).map(|pending| (pending.wants, pending)) {
            Some((Wants::End, pending)) => pending.pid = Some(pid),
            Some((Wants::Start { mailbox }, _)) => match self.mailboxes.get_mut(&mailbox) {
                Some(occupant) => {
                    if is_linked {
                        occupant.links.insert(pid);
                    }
                    self.answer(request, Answer::Spawned(pid));
                }
                None => {
                    out.push(self.kill(pid));
                    self.answer(request, Answer::NotStarted("its mailbox is gone".to_string()));
                }
            },
            // Nobody waits for it any more, and nothing of ours stays behind.
            None => out.push(self.kill(pid)),
        }
    }

    fn kill(&self, pid: Pid) -> Vec<u8> {
        control::exit2(self.base, pid, &Term::atom("kill"))
    }

    fn link(&mut self, from: Pid, to: Pid, out: &mut Vec<Vec<u8>>) {
        match self.mailboxes.get_mut(&to) {
            Some(occupant) if occupant.links.len() < DIST_TIES_MAX => drop(occupant.links.insert(from)),
            Some(_) => out.push(control::exit(to, from, &Term::atom("system_limit"))),
            None if to == self.base => {}
            None => out.push(control::exit(to, from, &Term::atom("noproc"))),
        }
    }

    fn unlink(&mut self, from: Pid, to: Pid) {
        if let Some(occupant) = self.mailboxes.get_mut(&to) {
            occupant.links.remove(&from);
        }
    }

    fn monitor(&mut self, from: Pid, to: Watched, reference: &Reference, out: &mut Vec<Vec<u8>>) {
        let pid = match to {
            Watched::Pid(pid) => Some(pid),
            Watched::Name(_) => None,
        };
        let occupant = pid.and_then(|pid| self.mailboxes.get_mut(&pid));
        match occupant {
            Some(occupant) if occupant.monitors.len() < DIST_TIES_MAX => {
                occupant.monitors.insert(*reference, (from, to));
            }
            Some(_) => out.push(control::monitor_exit(to, from, reference, &Term::atom("system_limit"))),
            None if pid == Some(self.base) => {}
            None => out.push(control::monitor_exit(to, from, reference, &Term::atom("noproc"))),
        }
    }
}

/// A frame's payload, in the frame's own memory.
fn tail(mut frame: Vec<u8>, payload_at: Option<usize>) -> Vec<u8> {
    frame.drain(..payload_at.unwrap_or(frame.len()));
    frame
}

/// The exit reason that stands for one that was too long.
fn too_long(n_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    etf::encode(&Term::tuple([Term::atom("reason_too_long"), Term::Int(n_bytes as i64)]), &mut bytes);
    bytes
}

#[cfg(test)]
mod tests;
