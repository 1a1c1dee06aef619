//! What the agent can be asked, typed: each request is a term that `agent.erl` matches, each answer is read here.
//! It must not know when to ask.

use std::time::Duration;

use crossbeam::channel::Receiver;

use super::{Agent, SHOWN};
use crate::codec::walk::RawTerm;
use crate::model::limits::FORWARDED_AHEAD;
use crate::model::{Atom, Failure, FailureKind, Outcome, Pid, Term};

/// Which moment of a callback a breakpoint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The message is out of the mailbox, the callback has not begun.
    Before,
    /// The callback has returned its new state; the reply is sent.
    After,
}

/// What a request adds to its own waiting time before it is given up.
const GRACE: Duration = Duration::from_secs(2);

/// Patterns in one request.
const PATTERNS_AT_ONCE: usize = 16;

/// A module, a function or `_`, and an arity.
pub type Mfa = (Atom, Atom, u8);

/// Options of a breakpoint inside a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldOptions {
    /// After so long the process goes on by itself.
    pub deadline: Duration,
    /// Larger messages and states are told by their size only.
    pub n_bytes_max: u64,
    /// Only the first hit holds.
    pub is_once: bool,
    /// How long to wait for a busy process to take the breakpoint.
    pub timeout: Duration,
}

fn ms(duration: Duration) -> Term {
    Term::Int(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

fn pids(list: &[Pid]) -> Term {
    Term::list(list.iter().map(|pid| Term::Pid(*pid)).collect::<Vec<_>>())
}

fn atoms(list: &[&str]) -> Term {
    Term::list(list.iter().map(|text| Term::atom(text)).collect::<Vec<_>>())
}

fn request<const N: usize>(tag: &str, rest: [Term; N]) -> Term {
    Term::tuple(std::iter::once(Term::atom(tag)).chain(rest).collect::<Vec<_>>())
}

impl Agent {
    /// Opens the trace port, whose queue holds `queue_len` messages; gives its TCP port. Errors: the node has no
    /// runtime_tools, or its driver cannot be loaded; [`Agent::start_forwarding`] does without.
    pub fn start_tracing(&self, queue_len: u32) -> Outcome<u16> {
        let source = self.done(request("start", [Term::Int(i64::from(queue_len))]))?;
        let port = source.tagged("port", 2).and_then(|items| u16::try_from(items[1].as_int()?).ok());
        port.ok_or_else(|| self.unexpected(&source))
    }

    /// Begins to trace by a process that forwards over the distribution: slower, and needs nothing. Gives it, and what
    /// it sends; it wants to be asked for more ([`Agent::ask_for_more`]) for each batch.
    pub fn start_forwarding(&self, queue_len: u32) -> Outcome<(Pid, Receiver<Vec<u8>>)> {
        let ahead = Term::Int(FORWARDED_AHEAD as i64);
        let source = self.done(request("start_forwarding", [Term::Int(i64::from(queue_len)), ahead]))?;
        let forwarder = source.tagged("forwarder", 2).and_then(|items| items[1].as_pid());
        // An earlier one is over: its last batches came before this answer.
        Ok((forwarder.ok_or_else(|| self.unexpected(&source))?, self.forwarded()))
    }

    /// Takes back every flag and pattern: nothing new comes. What is on its way still does, and a mark after it.
    pub fn quieten(&self) -> Outcome<()> {
        self.done(Term::atom("quiet")).map(drop)
    }

    /// Closes the trace port, with whatever is still on its way there. Tracing may be begun anew.
    pub fn close_tracer(&self) -> Outcome<()> {
        self.done(Term::atom("close")).map(drop)
    }

    /// Ends the tracing because of a limit; does not wait, and the agent tells of it.
    pub fn stop_for(&self, limit: &str) {
        self.tell(request("stop_for", [Term::atom(limit)]));
    }

    /// Writes `{cinema, nonce}` into the trace stream; does not wait. The node may drop it, as any trace message.
    pub fn mark(&self, nonce: i64) {
        self.tell(request("mark", [Term::Int(nonce)]));
    }

    /// Sets the limits that the target itself watches; see `Tripped` in `agent.erl`.
    pub fn set_limits(&self, limits: &[(&str, u64)]) -> Outcome<()> {
        let entry = |(key, max): &(&str, u64)| (Term::atom(key), Term::Int(i64::try_from(*max).unwrap_or(i64::MAX)));
        self.done(request("limit", [Term::map(limits.iter().map(entry))])).map(drop)
    }

    /// Sets trace flags on processes; gives how many took them, and those that refused with the reason.
    pub fn trace_processes(&self, who: &[Pid], flags: &[&str]) -> Outcome<(u64, Vec<(Pid, String)>)> {
        let answer = self.ask(request("processes", [pids(who), atoms(flags)]))?;
        let Some([_, Term::Int(n), refused]) = answer.tagged("ok", 3) else { return Err(self.refused(&answer)) };
        let pair = |item: &Term| match item.as_tuple() {
            Some([Term::Pid(pid), why]) => Some((*pid, why.display(SHOWN).to_string())),
            _ => None,
        };
        Ok((n.unsigned_abs(), refused.as_list().unwrap_or_default().iter().filter_map(pair).collect()))
    }

    /// Traces every process that is spawned from now on.
    pub fn trace_new(&self, flags: &[&str]) -> Outcome<()> {
        let answer = self.ask(request("new_processes", [atoms(flags)]))?;
        if answer.as_int().is_some() { Ok(()) } else { Err(self.refused(&answer)) }
    }

    /// Sets the match specification of received messages. Errors: another tool has set one.
    pub fn match_received(&self, spec: Term) -> Outcome<()> {
        let answer = self.ask(request("received", [spec]))?;
        if answer.as_int().is_some() || answer.is_atom("true") { Ok(()) } else { Err(self.refused(&answer)) }
    }

    /// Sets call trace patterns, loading modules that are not; gives those that were refused with the reason. A few at
    /// a time: on a busy node each takes long, and others want to be answered, too.
    pub fn set_patterns(&self, patterns: &[(Mfa, Term)]) -> Outcome<Vec<(Mfa, String)>> {
        let mut refused = Vec::new();
        for some in patterns.chunks(PATTERNS_AT_ONCE) {
            refused.extend(self.set_some_patterns(some)?);
        }
        Ok(refused)
    }

    fn set_some_patterns(&self, patterns: &[(Mfa, Term)]) -> Outcome<Vec<(Mfa, String)>> {
        let mfa = |(m, f, a): Mfa| Term::tuple([Term::Atom(m), Term::Atom(f), Term::Int(i64::from(a))]);
        let wanted = patterns.iter().map(|(at, spec)| Term::tuple([mfa(*at), spec.clone()])).collect::<Vec<_>>();
        let answers = self.done(request("patterns", [Term::list(wanted)]))?;
        let answers = answers.as_list().unwrap_or_default().iter().zip(patterns);
        let refused = answers.filter_map(|(answer, (at, _))| match answer.as_tuple() {
            Some([_, Term::Int(_)]) => None,
            Some([_, why]) => Some((*at, why.display(SHOWN).to_string())),
            _ => Some((*at, "no answer".to_string())),
        });
        Ok(refused.collect())
    }

    /// Facts of processes, of all when `None`: the raw list of `{Pid, Info, InitialCall, Label}`.
    pub fn facts(&self, of: Option<&[Pid]>, timeout: Duration) -> Outcome<Vec<u8>> {
        self.done_raw(request("facts", [of.map_or(Term::atom("all"), pids)]), timeout)
    }

    /// Facts of loaded modules: `{Module, Behaviours, [{Function, Arity}]}`.
    pub fn modules(&self, modules: &[Atom]) -> Outcome<Term> {
        self.done(request("modules", [Term::list(modules.iter().map(|m| Term::Atom(*m)).collect::<Vec<_>>())]))
    }

    /// The application masters: the group leaders of all that an application runs. `undefined` for one that does not run.
    pub fn masters(&self, applications: &[Atom]) -> Outcome<Vec<(Atom, Option<Pid>)>> {
        let names = Term::list(applications.iter().map(|name| Term::Atom(*name)).collect::<Vec<_>>());
        let answer = self.done(request("masters", [names]))?;
        let pair = |item: &Term| match item.as_tuple() {
            Some([Term::Atom(name), master]) => Some((*name, master.as_pid())),
            _ => None,
        };
        Ok(answer.as_list().unwrap_or_default().iter().filter_map(pair).collect())
    }

    /// The modules of the handlers that gen_event managers have; none of one that does not answer in `timeout`.
    pub fn handlers(&self, managers: &[Pid], timeout: Duration) -> Outcome<Vec<Atom>> {
        let answer = self.done(request("handlers", [pids(managers), ms(timeout)]))?;
        Ok(answer.as_list().unwrap_or_default().iter().filter_map(Term::as_atom).collect())
    }

    /// A supervisor's children as `supervisor:which_children/1` tells them. Errors: it does not answer in time.
    pub fn children(&self, supervisor: Pid, timeout: Duration) -> Outcome<Term> {
        let bytes = self.done_raw(request("children", [Term::Pid(supervisor), ms(timeout)]), timeout)?;
        crate::codec::etf::decode(&bytes).map_err(|error| Failure::bad_input(error.to_string()))
    }

    /// Asks a process for its state (`sys:get_state/2`); gives the node's monotonic clock and the state's bytes, 131
    /// first. Errors: no OTP process, too large, no answer in time.
    pub fn state(&self, of: Pid, n_bytes_max: u64, timeout: Duration) -> Outcome<(i64, Vec<u8>)> {
        let max = Term::Int(i64::try_from(n_bytes_max).unwrap_or(i64::MAX));
        self.state_answer(request("state", [Term::Pid(of), max, ms(timeout)]), timeout)
    }

    /// Replaces a process's state; gives the clock and the new state as the process tells it.
    pub fn replace_state(&self, of: Pid, new: Term, timeout: Duration) -> Outcome<(i64, Vec<u8>)> {
        self.state_answer(request("replace", [Term::Pid(of), new, ms(timeout)]), timeout)
    }

    fn state_answer(&self, request: Term, timeout: Duration) -> Outcome<(i64, Vec<u8>)> {
        let bytes = self.ask_raw(request, timeout + GRACE)?;
        let (answer, _) = RawTerm::parse(&bytes).map_err(|error| Failure::bad_input(error.to_string()))?;
        if let Some([ok, at_ns, state]) = answer.tuple_of()
            && ok.is_atom("ok")
            && let Some(at_ns) = at_ns.as_int()
        {
            let mut whole = vec![131];
            whole.extend_from_slice(state.bytes());
            return Ok((at_ns, whole));
        }
        Err(self.refused(&answer.to_term().map_err(|error| Failure::bad_input(error.to_string()))?))
    }

    /// Puts a breakpoint into a process. `spec` is a match specification over `{Phase, Message, State}`.
    pub fn install(&self, into: Pid, id: Atom, phase: Phase, spec: Term, options: &HoldOptions) -> Outcome<()> {
        let phase = Term::atom(if phase == Phase::Before { "before" } else { "after" });
        let bytes_max = Term::Int(i64::try_from(options.n_bytes_max).unwrap_or(i64::MAX));
        let entries = [
            (Term::atom("deadline_ms"), ms(options.deadline)),
            (Term::atom("bytes_max"), bytes_max),
            (Term::atom("is_once"), Term::bool(options.is_once)),
            (Term::atom("timeout_ms"), ms(options.timeout)),
        ];
        let request = request("install", [Term::Pid(into), Term::Atom(id), phase, spec, Term::map(entries)]);
        self.done_in(request, options.timeout).map(drop)
    }

    /// Takes a breakpoint out of a process and lets it go on.
    pub fn remove(&self, from: Pid, id: Atom) -> Outcome<()> {
        self.done_in(request("remove", [Term::Pid(from), Term::Atom(id)]), GRACE).map(drop)
    }

    /// Lets a held process go on. Errors: it is not held there any more.
    pub fn resume(&self, held: Pid, id: Atom) -> Outcome<()> {
        self.done_in(request("resume", [Term::Pid(held), Term::Atom(id)]), GRACE).map(drop)
    }

    /// Suspends a process between two callbacks (`sys:suspend/2`).
    pub fn suspend(&self, who: Pid, timeout: Duration) -> Outcome<()> {
        self.done_in(request("suspend", [Term::Pid(who), ms(timeout)]), timeout).map(drop)
    }

    /// Lets a suspended process go on.
    pub fn unsuspend(&self, who: Pid) -> Outcome<()> {
        self.done_in(request("unsuspend", [Term::Pid(who)]), GRACE).map(drop)
    }

    /// Sends a request whose answer nobody waits for. A node that is gone does nothing any more.
    fn tell(&self, request: Term) {
        let reference = Term::Ref(std::sync::Arc::new(self.node().make_ref()));
        let _ = self.node().send(self.pids()[0], &Term::tuple([reference, request]));
    }

    /// The value of `{ok, Value}`, or nothing for `ok`.
    fn done(&self, request: Term) -> Outcome<Term> {
        self.done_in(request, super::ANSWER_TIMEOUT)
    }

    fn done_in(&self, request: Term, timeout: Duration) -> Outcome<Term> {
        let bytes = self.ask_raw(request, timeout + GRACE)?;
        let answer = crate::codec::etf::decode(&bytes).map_err(|error| Failure::bad_input(error.to_string()))?;
        match answer.tagged("ok", 2) {
            Some([_, value]) => Ok(value.clone()),
            _ if answer.is_atom("ok") => Ok(answer),
            _ => Err(self.refused(&answer)),
        }
    }

    /// As [`Agent::done_in`], as bytes with 131 first: the answer may be large.
    fn done_raw(&self, request: Term, timeout: Duration) -> Outcome<Vec<u8>> {
        let bytes = self.ask_raw(request, timeout + GRACE)?;
        let (answer, _) = RawTerm::parse(&bytes).map_err(|error| Failure::bad_input(error.to_string()))?;
        match answer.tuple_of() {
            Some([ok, value]) if ok.is_atom("ok") => {
                let mut whole = vec![131];
                whole.extend_from_slice(value.bytes());
                Ok(whole)
            }
            _ => Err(self.refused(&answer.to_term().map_err(|error| Failure::bad_input(error.to_string()))?)),
        }
    }

    fn unexpected(&self, answer: &Term) -> Failure {
        Failure::bad_input(format!("{}: an unexpected answer: {}", self.node().name().as_str(), answer.display(SHOWN)))
    }

    /// What an answer other than `ok` means for people.
    fn refused(&self, answer: &Term) -> Failure {
        let node = self.node().name().as_str();
        let reason = answer.tagged("error", 2).map_or(answer, |items| &items[1]);
        let word = reason.as_atom().map(Atom::as_str);
        if let Some([_, Term::Int(n_bytes)]) = reason.tagged("too_large", 2) {
            return Failure::new(
                FailureKind::Limit,
                format!("the state is larger than the limit: about {n_bytes} bytes"),
            )
            .hint("raise it for this look: state_max in the options");
        }
        match word {
            Some("noproc") => Failure::not_found("the process is not alive"),
            Some("not_otp") => Failure::unsupported(
                "this process answers no system messages (capability can_pause): it is not a gen_server, gen_statem, gen_event or supervisor",
            ),
            Some("keeps_the_cookie") => {
                Failure::unsupported("this process keeps the node's cookie: nobody is told its state")
            }
            Some("timeout") => Failure::io("the process did not answer in time: it is busy, or blocked in a call")
                .hint("its trace still shows what it does; why() may tell whom it waits for"),
            Some("not_held") => Failure::not_found("the process is not held there any more")
                .hint("paused() lists the processes that are held"),
            Some("not_tracing") => Failure::usage("nothing is traced").hint("start_tracing(\"all\")"),
            Some("traced_by_another") => {
                Failure::unsupported(format!("{node}: another tool traces there already; cinema does not disturb it"))
                    .hint("OTP 27 and later give each tool a trace session of its own")
            }
            Some("no_runtime_tools") => {
                Failure::unsupported(format!("{node} has no runtime_tools: the trace port's driver is part of it"))
                    .hint("tracing falls back to a process that forwards, which costs more")
            }
            _ => Failure::io(format!("{node} refused: {}", reason.display(SHOWN))),
        }
    }
}
