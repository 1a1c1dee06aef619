//! Starting processes, talking to them, letting time pass. Only sandboxes can.

use crate::breakpoint::{Action, Condition};
use crate::model::display::Style;
use crate::model::{Actor, Failure, Moment, Outcome, Term};
use crate::sandbox::{Dest, Input, RunEnd, RunLimit};
use crate::session::Session;
use crate::session::operation::{Perform, operations};
use crate::session::reply::{Reply, StopReport};
use crate::session::value::{Duration, ProcessRef, TermArg, atom};

operations! { RUN:
    /// Starts a process of a module, linked to the shell's own process, and waits for its init.
    Run "start_link" StartLink {
        /// The module: a file's name without `.rhai`.
        module: String,
        /// The argument of init; nothing when left out.
        args: Option<TermArg>,
        /// A name to register.
        name: Option<String>,
    } -> "its pid", "start_link(\"account\", 100, \"alice\")";

    /// Starts a process as `start_link` does, without the link.
    Run "start" Start {
        /// The module.
        module: String,
        /// The argument of init.
        args: Option<TermArg>,
        /// A name to register.
        name: Option<String>,
    } -> "its pid", "start(\"account\", 100, \"alice\")";

    /// Calls a gen_server from the shell's process and runs until the answer is there.
    Run "gen_call" GenCall {
        /// Whom.
        dest: ProcessRef,
        /// The request.
        request: TermArg,
        /// How long to wait; 5 s when left out, as in OTP.
        timeout: Option<Duration>,
    } -> "the reply; an exit is an error", "gen_call(\"alice\", \"balance\")";

    /// Casts to a gen_server from the shell's process; it is handled when time passes.
    Run "cast" Cast {
        /// Whom.
        dest: ProcessRef,
        /// The request.
        request: TermArg,
    } -> "nothing", "cast(\"alice\", t(\"deposit\", 10))";

    /// Sends a message from the shell's process.
    Run "send" Send {
        /// Whom.
        dest: ProcessRef,
        /// The message.
        message: TermArg,
    } -> "nothing", "send(\"alice\", \"tick\")";

    /// Sends an exit signal to a process.
    Run "kill" Kill {
        /// Whom.
        dest: ProcessRef,
        /// The reason; `kill` when left out, which cannot be trapped.
        reason: Option<TermArg>,
    } -> "nothing", "kill(\"alice\")";

    /// Runs until nothing is left to do, a breakpoint stops it, or Ctrl-C.
    Run "run" Run {} -> "how it ended", "run()";

    /// Runs for a length of virtual time.
    Run "run_for" RunFor {
        /// How long.
        duration: Duration,
    } -> "how it ended", "run_for(\"100ms\")";

    /// Runs until just before the first event that satisfies a condition.
    Run "run_until" RunUntil {
        /// A condition or a closure `|e| ..`.
        condition: Condition,
    } -> "how it ended", "run_until(on_result(\"timeout\"))";
}

impl Perform for StartLink {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        start(session, &self.module, self.args, self.name.as_deref(), true)
    }
}

impl Perform for Start {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        start(session, &self.module, self.args, self.name.as_deref(), false)
    }
}

fn start(session: &mut Session, module: &str, args: Option<TermArg>, name: Option<&str>, link: bool) -> Outcome<Reply> {
    let input = Input::Start {
        module: atom(module)?,
        args: args.map_or(Term::atom("nil"), |args| args.0),
        name: name.map(atom).transpose()?,
        link,
    };
    let report = do_input(session, input)?;
    let RunEnd::Answered(answer) = &report.end else { return Ok(Reply::Stop(report)) };
    if let Some([_, Term::Pid(pid)]) = answer.tagged("ok", 2) {
        return Ok(Reply::Pid(*pid));
    }
    if answer.is_atom("ignore") {
        return Ok(Reply::Term(answer.clone()));
    }
    Err(Failure::new(crate::model::FailureKind::Script, format!("{module} did not start: {}", answer.display(SHOWN)))
        .hint("events().kind(\"crash\") shows how its init ended"))
}

impl Perform for GenCall {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let to = dest(session, &self.dest)?;
        let timeout_ns = Some(self.timeout.map_or(5_000_000_000, |d| d.ns));
        let mut report = do_input(session, Input::Call { to, request: self.request.0, timeout_ns })?;
        // A live node has answered already; a sim has only taken the call.
        if report.hits.is_empty() && !session.source()?.capabilities().is_live {
            report = run(session, RunLimit::default())?;
        }
        let RunEnd::Answered(answer) = &report.end else { return Ok(Reply::Stop(report)) };
        match (answer.tagged("ok", 2), answer.tagged("exit", 2)) {
            (Some([_, reply]), _) => Ok(Reply::Term(reply.clone())),
            (_, Some([_, reason])) => Err(Failure::new(
                crate::model::FailureKind::Script,
                format!("the call exited: {}", reason.display(SHOWN)),
            )
            .hint("why()")),
            _ => Ok(Reply::Term(answer.clone())),
        }
    }
}

impl Perform for Cast {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let to = heard(session, &self.dest)?;
        quiet(do_input(session, Input::Cast { to, request: self.request.0 })?)
    }
}

impl Perform for Send {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let to = heard(session, &self.dest)?;
        quiet(do_input(session, Input::Send { to, message: self.message.0 })?)
    }
}

impl Perform for Kill {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let to = heard(session, &self.dest)?;
        let reason = self.reason.map_or(Term::atom("kill"), |reason| reason.0);
        let told = session.source()?.capabilities().is_live.then(|| {
            let target = session.source()?.find_process(&self.dest, Some(&Moment::End))?;
            let (name, node) = (session.source()?.names().name(target), target.origin().id().node);
            let name = if name == target.to_string() { name } else { format!("{target} {name}") };
            let reason = reason.display(SHOWN);
            Ok::<_, Failure>(format!("{name} on {} was sent an exit signal {reason}", node.as_str()))
        });
        let reply = quiet(do_input(session, Input::Exit { to, reason })?)?;
        // A name that is not known yet is sent to all the same.
        Ok(told.and_then(Result::ok).map_or(reply, Reply::Said))
    }
}

impl Perform for Run {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        run(session, RunLimit::default()).map(Reply::Stop)
    }
}

impl Perform for RunFor {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        if self.duration.ns < 0 {
            return Err(Failure::usage("run_for: time only goes forward")
                .hint("seek(\"-1s\") looks back, restore(moment) goes back"));
        }
        let now_ns = session.source_mut()?.clock_ns();
        let limit = RunLimit { until_ns: Some(now_ns.saturating_add(self.duration.ns)), ..RunLimit::default() };
        let report = run(session, limit)?;
        Ok(Reply::Stop(StopReport { asked_ns: Some(self.duration.ns), ..report }))
    }
}

impl Perform for RunUntil {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let id = session.source_mut()?.breakpoints.add("", self.condition, Action::Pause, true)?;
        let report = run(session, RunLimit::default());
        // A temporary breakpoint that was hit is gone already.
        let _ = session.source_mut()?.breakpoints.remove(id);
        report.map(Reply::Stop)
    }
}

/// How much of a reason an error shows.
const SHOWN: Style = Style::erlang().chars_max(400);

/// Runs the current source.
pub(super) fn run(session: &mut Session, limit: RunLimit) -> Outcome<StopReport> {
    let (source, context) = session.source_to_run()?;
    source.run(&context, limit)
}

fn do_input(session: &mut Session, input: Input) -> Outcome<StopReport> {
    let (source, context) = session.source_to_run()?;
    source.input(&context, input)
}

/// An input whose outcome is no news; a stop at a breakpoint is.
fn quiet(report: StopReport) -> Outcome<Reply> {
    Ok(if report.hits.is_empty() { Reply::Nothing } else { Reply::Stop(report) })
}

/// As [`dest`], for what nobody answers: tells when a sandbox has no process of that name.
fn heard(session: &mut Session, wanted: &ProcessRef) -> Outcome<Dest> {
    let to = dest(session, wanted)?;
    if let Dest::Name(name) = &to
        && session.source_mut()?.is_nobody(*name)
    {
        let failure = session.source()?.find_process(wanted, Some(&Moment::End)).err();
        let near = failure.map_or_else(String::new, |failure| format!(" (hint: {})", failure.hints.join("; ")));
        session.warn(format!("nobody is registered as {:?}: nobody gets it{near}", name.as_str()));
    }
    Ok(to)
}

fn dest(session: &Session, wanted: &ProcessRef) -> Outcome<Dest> {
    match wanted {
        ProcessRef::Actor(Actor { id: crate::model::ActorId::Pid(pid), .. }) => Ok(Dest::Pid(*pid)),
        ProcessRef::Actor(_) => Err(Failure::usage("a port takes no messages from the shell")),
        // A pid in text is looked up; any other name is sent to as OTP would: it may be unknown.
        ProcessRef::Named(text) if text.contains('.') && text.contains('<') => {
            let actor = session.source()?.find_process(wanted, None)?;
            actor.pid().map(Dest::Pid).ok_or_else(|| Failure::usage("a port takes no messages from the shell"))
        }
        ProcessRef::Named(text) => {
            let name = atom(text)?;
            let is_elixir = session.source()?.recording().info.is_elixir;
            Ok(Dest::Name(name.elixir_module().filter(|_| is_elixir).unwrap_or(name)))
        }
    }
}
