//! Live nodes: attach, choose what is traced, look at processes, stop them inside their own loops.

use crate::model::{Actor, Failure, Moment, Outcome, Pid, Seq, Term, time};
use crate::sandbox::beam::Beam;
use crate::session::live_options::{self, Attach};
use crate::session::operation::{Perform, operations};
use crate::session::reply::{HeldRow, NodeRow, Reply};
use crate::session::value::{Duration, Options, ProcessRef, TermArg, Value};
use crate::session::{Session, live};

operations! { LIVE:
    /// Attaches to a running Erlang or Elixir node, as a hidden node, and lists what runs there. Nothing is traced yet,
    /// unless `trace` says what.
    ///
    /// Options: `cookie`, `cookie_file` (else `~/.erlang.cookie`), `long_names`, `timeout`; `others`: further nodes of the
    /// cluster, into the same recording; `record`: a `.cinema` file that the recording goes to as it grows (`force: true` writes over one that is there); `redact`: what
    /// is taken out, see below; `trace` and the options of `start_tracing`. No code is loaded
    /// on the node, and nothing is left on it when we go, or are killed.
    ///
    /// A crash of ours takes from the file of `record` what is not sealed: the events of the last `seal_after` (`"1s"`) of the
    /// events' clock, 65 536 at most. A loss of power takes what is not synced besides: `sync` is `"none"` (the system
    /// decides), `"segment"` (all that is sealed) or a time such as `"1s"` (all that was written so long ago).
    ///
    /// Secrets are taken out before anything is recorded or shown: the values of fields named `password`, `secret`,
    /// `token`, `api_key`, `authorization`, `cookie`, `private_key` and the like become `<<"[redacted]">>`.
    /// `redact: #{fields: ["pin"], patterns: ["AKIA[0-9A-Z]{16}"], processes: ["vault", "Shop.Vault"]}` takes out more:
    /// values of these fields, too; binaries and charlists that match; all that these processes say, hear and have.
    /// With `defaults: false` only that; `redact: ()` takes out nothing. Processes with the flag `sensitive` tell
    /// nothing to any tracer, but others do what they tell them: hide these by their registered names, too.
    Live "attach" AttachNode {
        /// `name@host`, `name@host:PORT` for a node without epmd, or a bare name on this machine.
        node: String,
        /// `#{cookie: "..", trace: "app:shop"}`.
        options: Option<Options>,
    } -> "the source", "attach(\"shop@localhost\", #{trace: \"app:shop\"})";

    /// Starts a node of our own as a sandbox, attaches to it, traces it and starts your code. It ends with us.
    ///
    /// Options: `pa`: folders of compiled modules; `start`: `"module:function(args)"`; `mix`: the folder of a mix project;
    /// `flags`: flags for `erl`; `record`, `sync`, `seal_after`, `redact`: as of `attach`; `trace` (everything but OTP's own applications when left out) and the options of
    /// `start_tracing`, without limits.
    Live "beam" LaunchNode {
        /// `#{pa: ["ebin"], start: "shop:start()"}` or `#{mix: "my_app"}`.
        options: Options,
    } -> "the source", "beam(#{pa: [\"_build/ebin\"], start: \"shop:start()\"})";

    /// Lists the attached nodes: release, processes, clock offset and its error, what was dropped.
    Live "nodes" Nodes {} -> "a row per node", "nodes()";

    /// Begins to trace: messages, callbacks, states, starts and ends of the selected processes, and of what they spawn.
    ///
    /// What: `"applications"` (all but OTP's own; the default), `"app:shop"`, `"tree:shop_sup"` (a process and its
    /// descendants), `"module:stock"`, a registered name, a pid, `"all"`, or a list of them. Options: `capture`: `"auto"`
    /// (states of processes with small heaps), `"full"`, `"lean"` (no states), `"received"` (arrivals only: the
    /// cheapest); `watch`: fields that lean traces tell; `without`: message tags to leave out; `all_new`: every new process,
    /// too; `children`: what they spawn (true); `gc`; `sample`: how often memory and queues are read; `state_max` bytes;
    /// `limits`: `#{time, events, rate, queue, memory_bytes}`, each ends the tracing by itself; `()` lifts one;
    /// `redact`: what is taken out from now on, as of `attach`.
    Live "start_tracing" StartTracing {
        /// Which processes.
        what: Option<Value>,
        /// `#{capture: "lean", limits: #{time: "1min"}}`.
        options: Option<Options>,
    } -> "what is traced now", "start_tracing(\"app:shop\", #{limits: #{time: \"1min\"}})";

    /// Ends the tracing. What was recorded stays; `start_tracing` goes on in the same recording.
    Live "stop_tracing" StopTracing {} -> "a sentence", "stop_tracing()";

    /// Traces one process: as `start_tracing` with it, without what it spawns.
    Live "trace_process" TraceProcess {
        /// Which process.
        process: ProcessRef,
        /// As of `start_tracing`.
        options: Option<Options>,
    } -> "what is traced now", "trace_process(\"stock\")";

    /// Traces only the messages that arrive at the selected processes: the cheapest look at who talks to whom.
    Live "trace_messages" TraceMessages {
        /// Which processes, as of `start_tracing`.
        what: Option<Value>,
        /// As of `start_tracing`.
        options: Option<Options>,
    } -> "what is traced now", "trace_messages(\"app:shop\")";

    /// Asks the nodes for their processes anew, and records those that were not known.
    Live "refresh" Refresh {} -> "a sentence", "refresh()";

    /// Reads memory, reductions, queue and status of a live process, and records them. Disturbs nobody.
    Live "sample" Sample {
        /// Which process.
        process: ProcessRef,
    } -> "the process", "sample(\"stock\")";

    /// Asks a live process for its state (`sys:get_state`) and records it. A process that is too large or too busy is
    /// not disturbed. Options: `timeout`, `state_max` bytes.
    Live "get_state" AskState {
        /// Which process.
        process: ProcessRef,
        /// `#{timeout: "1s", state_max: 1_000_000}`.
        options: Option<Options>,
    } -> "the state", "get_state(\"stock\")";

    /// Sets how long breakpoints that are set from now on hold a live process before it goes on by itself; 30 s at first.
    Live "hold_for" HoldFor {
        /// How long.
        duration: Duration,
    } -> "nothing", "hold_for(\"2min\")";

    /// Lists the live processes that are held at breakpoints or suspended now.
    Live "paused" Paused {} -> "a row per process", "paused()";

    /// Lets held or suspended processes go on.
    Live "resume" Resume {
        /// Which process; all that are held or suspended when left out.
        process: Option<ProcessRef>,
    } -> "a sentence", "resume(\"stock\")";

    /// Suspends a live process between two messages (`sys:suspend`) until `resume`, or our end.
    Live "suspend" Suspend {
        /// Which process.
        process: ProcessRef,
    } -> "a sentence", "suspend(\"stock\")";

    /// Replaces a live process's state (`sys:replace_state`). Only the state.
    Live "replace_state" ReplaceState {
        /// Which process.
        process: ProcessRef,
        /// The new state.
        state: TermArg,
    } -> "a sentence", "replace_state(\"counter\", 0)";

    /// Puts the recorded states of live processes back, and says what it does not restore. Several processes are
    /// suspended together meanwhile.
    Live "restore_state" RestoreState {
        /// Which process, or a list of them.
        process: Value,
        /// When they had these states.
        moment: Moment,
    } -> "a sentence", "restore_state(\"counter\", \"#1234\")";
}

impl Perform for AttachNode {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let mut options = self.options.unwrap_or(Options(Vec::new()));
        let Attach { target, others, trace, record } = live_options::attach(session, self.node, &mut options)?;
        let title = target.node.clone();
        let mut beam = Beam::attach(&target, Seq(0))?;
        for other in &others {
            beam.attach_more(other)?;
        }
        live::open(session, title, beam, trace.as_ref(), record, |_| Ok(()))
    }
}

impl Perform for LaunchNode {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let mut options = self.options;
        let record = live_options::record(&mut options)?;
        let (launch, mut trace) = live_options::launch(session, &mut options)?;
        let beam = Beam::launch(&launch, Seq(0))?;
        trace.modules = beam.own_modules(&launch)?;
        let title = live_options::title(&launch);
        live::open(session, title, beam, Some(&trace), record, |beam| beam.start_launched(&launch))
    }
}

impl Perform for Nodes {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let was_live = session.source()?.recording().info.source == "beam";
        let beam = session.source_mut()?.beam("list nodes").map_err(|failure| match was_live {
            true => failure.hint("info() tells of the recorded nodes and their clocks, loss() what was lost"),
            false => failure,
        })?;
        let (n_dropped, n_redacted) = (beam.counts().n_dropped(), beam.counts().n_redacted());
        let rows = beam.nodes().into_iter().map(|info| NodeRow { info, n_dropped, n_redacted });
        Ok(Reply::Nodes(rows.collect()))
    }
}

fn start(session: &mut Session, what: Option<Value>, options: Option<Options>) -> Outcome<Reply> {
    let mut options = options.unwrap_or(Options(Vec::new()));
    let trace = live_options::trace(session, what, &mut options)?;
    let what = trace.what.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let started = session.source_mut()?.beam("be traced")?.start_tracing(&trace)?;
    live::tell_refused(session, &started);
    live::settle(session)?;
    let limit = trace.limits.time.map_or(String::new(), |limit| {
        format!("; it ends by itself after {}", time::show_ns(i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX)))
    });
    let lean = match started.n_lean {
        0 => String::new(),
        n => format!(" ({n} without states: large)"),
    };
    Ok(Reply::Said(format!(
        "tracing {what}: {} processes{lean}, callbacks of {} modules{limit}",
        started.n_processes, started.n_modules
    )))
}

impl Perform for StartTracing {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        start(session, self.what, self.options)
    }
}

impl Perform for TraceProcess {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let pid = pid(session, &self.process)?;
        let mut options = self.options.unwrap_or(Options(Vec::new()));
        options.0.push(("children".into(), Value::Bool(false)));
        start(session, Some(Value::Term(Term::Pid(pid))), Some(options))
    }
}

impl Perform for TraceMessages {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let mut options = self.options.unwrap_or(Options(Vec::new()));
        options.0.push(("capture".into(), Value::Text("received".into())));
        start(session, self.what, Some(options))
    }
}

impl Perform for StopTracing {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        session.source_mut()?.beam("be traced")?.stop_tracing()?;
        live::settle(session)?;
        let n_events = session.source()?.recording().len();
        Ok(Reply::Said(format!("nothing is traced any more; {n_events} events are recorded")))
    }
}

impl Perform for Refresh {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let n_new = session.source_mut()?.beam("be asked")?.refresh()?;
        live::settle(session)?;
        Ok(Reply::Said(format!("{n_new} processes were not known")))
    }
}

impl Perform for Sample {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let pid = pid(session, &self.process)?;
        session.source_mut()?.beam("be looked at")?.sample(pid)?;
        live::settle(session)?;
        super::ask::GetProcess { process: self.process, moment: Some(Moment::End) }.perform(session)
    }
}

impl Perform for AskState {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let pid = pid(session, &self.process)?;
        let look = live_options::look(self.options)?;
        let beam = session.source_mut()?.beam("be asked for a state")?;
        let state = beam.look_at_state(pid, look.n_bytes_max, look.timeout)?;
        live::settle(session)?;
        Ok(Reply::Term(state))
    }
}

impl Perform for HoldFor {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        session.hold_deadline = live_options::std_duration(self.duration);
        Ok(Reply::Nothing)
    }
}

impl Perform for Paused {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        // So that the recording tells of those who are held, too.
        live::settle(session)?;
        let source = session.source_mut()?;
        let start_ns = source.recording().time_range_ns().map_or(0, |(first_ns, _)| first_ns);
        let beam = source.beam("hold processes")?;
        let row = |pid, held, at_ns: i64| HeldRow { pid, held, since_start_ns: at_ns - start_ns };
        let held = beam.held().into_iter().map(|held| row(held.pid, Some(held.clone()), held.at_ns));
        let mut rows: Vec<HeldRow> = held.collect();
        rows.extend(beam.suspended().into_iter().map(|(pid, at_ns)| row(pid, None, at_ns)));
        Ok(Reply::Held(rows))
    }
}

impl Perform for Resume {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let wanted = self.process.map(|process| pid(session, &process)).transpose()?;
        let beam = session.source_mut()?.beam("be resumed")?;
        let held: Vec<Pid> = beam.held().iter().map(|held| held.pid).collect();
        let suspended: Vec<Pid> = beam.suspended().into_iter().map(|(pid, _)| pid).collect();
        let all: Vec<Pid> = match wanted {
            Some(pid) => vec![pid],
            None => held.iter().chain(&suspended).copied().collect(),
        };
        for pid in &all {
            let resumed = if held.contains(pid) { beam.resume(*pid) } else { beam.unsuspend(*pid) };
            resumed?;
        }
        session.source_mut()?.follow();
        live::settle(session)?;
        let names = session.source()?.names();
        Ok(Reply::Said(match all.as_slice() {
            [] => "nothing was held or suspended".to_string(),
            [pid] => format!("{} goes on", names.name((*pid).into())),
            all => format!("{} processes go on", all.len()),
        }))
    }
}

impl Perform for Suspend {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let pid = pid(session, &self.process)?;
        let look = live_options::look(None)?;
        session.source_mut()?.beam("be suspended")?.suspend(pid, look.timeout)?;
        let name = match &self.process {
            ProcessRef::Named(name) => name.clone(),
            ProcessRef::Actor(_) => pid.to_string(),
        };
        Ok(Reply::Said(format!("{name} is suspended between two messages: resume({name:?}) lets it go on")))
    }
}

impl Perform for ReplaceState {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let pid = pid(session, &self.process)?;
        let look = live_options::look(None)?;
        session.source_mut()?.beam("take a state")?.replace_state(pid, self.state.0, look.timeout)?;
        live::settle(session)?;
        Ok(Reply::Said(format!("{pid} has a new state; its mailbox, timers and links are as they were")))
    }
}

impl Perform for RestoreState {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let wanted = match self.process {
            Value::List(items) => items,
            one => vec![one],
        };
        let mut states = Vec::new();
        for value in wanted {
            let process = <ProcessRef as crate::session::value::Param>::from_value(value).map_err(Failure::usage)?;
            states.push(live::recorded_state(session, &process, &self.moment)?);
        }
        let look = live_options::look(None)?;
        live::restore(session, &states, look.timeout).map(Reply::Said)
    }
}

/// The pid of a process that a user names, at the end of the recording.
fn pid(session: &Session, process: &ProcessRef) -> Outcome<Pid> {
    let actor: Actor = session.source()?.find_process(process, Some(&Moment::End))?;
    actor.pid().ok_or_else(|| Failure::usage("a port is no process"))
}
