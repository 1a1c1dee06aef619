//! Live nodes: what tracing costs the traced, against OTP's own tracers with the same flags on the same node in the
//! same run; what we can take in; how soon a user sees something. The node is one of our own.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::harness::cpu_timed;
use super::{Options, Section, timed};
use crate::model::{Failure, NewEvent, Outcome, Seq, Term};
use crate::sandbox::beam::Beam;
use crate::sandbox::beam::dist::Node;
use crate::sandbox::beam::feed::Feed;
use crate::sandbox::beam::launch::{self, LaunchOptions, Launched};
use crate::sandbox::beam::options::{Capture, TraceLimits, TraceOptions};
use crate::sandbox::beam::select::Selection;
use crate::sandbox::trace::{Redaction, Veil};
use crate::sandbox::{EventSink, RunLimit, Sandbox, Stopped};
use crate::store::{Recording, RecordingInfo};
use crate::view::Table;

const SOURCE: &str = include_str!("beam.erl");

/// How long one call to the node may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Work of a callback that is worth tracing: some 50 µs.
const REAL_WORK: i64 = 600;

/// Records what comes.
struct Recorder(Recording);

impl Recorder {
    fn new() -> Recorder {
        Recorder(Recording::new(RecordingInfo::default()))
    }
}

impl EventSink for Recorder {
    fn emit(&mut self, event: &NewEvent<'_>) -> Result<Seq, Stopped> {
        self.0.append(event).map_err(|_| Stopped)
    }
}

/// The node with the benchmark's own module.
struct Bench {
    launched: Launched,
}

impl Bench {
    fn start() -> Outcome<Bench> {
        let launched = launch::launch(&LaunchOptions::default())?;
        let bench = Bench { launched };
        bench.load()?;
        bench.call("start", Vec::new())?;
        Ok(bench)
    }

    fn node(&self) -> &Node {
        &self.launched.node
    }

    /// Compiles the module on the node, form by form.
    fn load(&self) -> Outcome<()> {
        let wrong = |what: &str, answer: &Term| {
            Failure::io(format!("{what}: {}", answer.display(crate::model::Style::erlang().chars_max(200))))
        };
        let mut forms = Vec::new();
        // A form ends with its line, and no comment does.
        let source: String =
            SOURCE.lines().filter(|line| !line.starts_with('%')).map(|line| format!("{line}\n")).collect();
        for text in source.split_inclusive(".\n").filter(|text| !text.trim().is_empty()) {
            let text = Term::list(text.chars().map(|c| Term::Int(i64::from(u32::from(c)))).collect::<Vec<_>>());
            let scanned = self.node().call("erl_scan", "string", vec![text], PATIENCE)?;
            let [_, tokens, _] = scanned.tagged("ok", 3).ok_or_else(|| wrong("scan", &scanned))? else {
                return Err(wrong("scan", &scanned));
            };
            let parsed = self.node().call("erl_parse", "parse_form", vec![tokens.clone()], PATIENCE)?;
            forms.push(parsed.tagged("ok", 2).ok_or_else(|| wrong("parse", &parsed))?[1].clone());
        }
        let compiled = self.node().call("compile", "forms", vec![Term::list(forms)], PATIENCE)?;
        let Some([_, module, code]) = compiled.tagged("ok", 3) else { return Err(wrong("compile", &compiled)) };
        let file = Term::list(Vec::new());
        let loaded = self.node().call("code", "load_binary", vec![module.clone(), file, code.clone()], PATIENCE)?;
        loaded.tagged("module", 2).map(|_| ()).ok_or_else(|| wrong("load", &loaded))
    }

    fn call(&self, function: &str, args: Vec<Term>) -> Outcome<Term> {
        self.node().call("cinema_bench", function, args, PATIENCE)
    }

    /// A call that gives microseconds.
    fn took(&self, function: &str, args: Vec<Term>) -> Outcome<Duration> {
        let us = self.call(function, args)?;
        Ok(Duration::from_micros(us.as_int().unwrap_or(0).unsigned_abs()))
    }

    /// As [`Bench::took`], while `beam` records.
    fn took_while(&self, beam: &mut Beam, sink: &mut Recorder, function: &str, args: Vec<Term>) -> Outcome<Duration> {
        std::thread::scope(|scope| {
            let call = scope.spawn(|| self.took(function, args));
            while !call.is_finished() {
                beam.drain(sink)?;
                std::thread::sleep(Duration::from_millis(1));
            }
            call.join().map_err(|_| Failure::io("the call failed"))?
        })
    }
}

fn names(names: &[&str]) -> Vec<Selection> {
    names.iter().map(|name| Selection::Name(crate::model::Atom::new(name))).collect()
}

/// How a node is traced while it works.
#[derive(Clone, Copy, PartialEq)]
enum Tracer {
    Nobody,
    CinemaReceived,
    CinemaLean,
    CinemaFull,
    DbgProcess,
    DbgFile,
}

impl Tracer {
    const ALL: [Tracer; 6] = [
        Tracer::Nobody,
        Tracer::CinemaReceived,
        Tracer::CinemaLean,
        Tracer::CinemaFull,
        Tracer::DbgProcess,
        Tracer::DbgFile,
    ];

    fn name(self) -> &'static str {
        match self {
            Tracer::Nobody => "untraced",
            Tracer::CinemaReceived => "cinema, received (the server)",
            Tracer::CinemaLean => "cinema, lean (the server)",
            Tracer::CinemaFull => "cinema, full (both)",
            Tracer::DbgProcess => "dbg, process tracer that drops all (both)",
            Tracer::DbgFile => "dbg, file port (both)",
        }
    }
}

/// What tracing costs a gen_server call, on one that does nothing and on one that works.
pub fn cost(options: &Options) -> Outcome<Table> {
    let mut section = Section::new("beam cost", options);
    let bench = Bench::start()?;
    let scratch = std::env::temp_dir().join(format!("cinema-bench-{}.trace", std::process::id()));
    for (work, unit, n, lean_max) in [(0, "call", 20_000, 2.5), (REAL_WORK, "call with work", 4_000, 1.2)] {
        let n = if options.is_quick { n / 10 } else { n };
        let mut rounds = Tracer::ALL.map(|_| Vec::new());
        for _ in 0..section.n_rounds() {
            for (tracer, rounds) in Tracer::ALL.into_iter().zip(&mut rounds) {
                rounds.push(traced_round(&bench, tracer, n, work, &scratch)?);
            }
        }
        let took = rounds.map(median);
        let of = |tracer: Tracer| took[Tracer::ALL.iter().position(|known| *known == tracer).unwrap_or(0)];
        let per_call_ns = |took: Duration| took.as_nanos() as f64 / n as f64;
        for tracer in Tracer::ALL {
            let unit_ns = section.record(tracer.name(), unit, n, of(tracer));
            match tracer {
                Tracer::CinemaLean => section.aim_ns(unit_ns, lean_max * per_call_ns(of(Tracer::Nobody))),
                Tracer::CinemaFull => section.aim_ns(unit_ns, per_call_ns(of(Tracer::DbgFile))),
                _ => {}
            }
        }
    }
    section.note("medians of rounds that take turns on one node; full capture is to cost no more than the file port");
    let _ = std::fs::remove_file(scratch);
    Ok(section.finish())
}

fn median(mut rounds: Vec<Duration>) -> Duration {
    rounds.sort_unstable();
    rounds[rounds.len() / 2]
}

/// The time of `n` calls under one tracer, which is gone afterwards.
fn traced_round(bench: &Bench, tracer: Tracer, n: u64, work: i64, scratch: &Path) -> Outcome<Duration> {
    let args = || vec![Term::Int(n as i64), Term::Int(work)];
    // A tenth first: code is loaded, heaps have grown.
    bench.took("calls", vec![Term::Int((n / 10) as i64), Term::Int(work)])?;
    match tracer {
        Tracer::Nobody => bench.took("calls", args()),
        Tracer::DbgProcess | Tracer::DbgFile => {
            let file =
                Term::list(scratch.display().to_string().chars().map(|c| Term::Int(c as i64)).collect::<Vec<_>>());
            match tracer {
                Tracer::DbgProcess => bench.call("dbg_process", Vec::new())?,
                _ => bench.call("dbg_file", vec![file])?,
            };
            let took = bench.took("calls", args());
            bench.call("dbg_stop", Vec::new())?;
            took
        }
        _ => {
            let (mut beam, mut sink) = (Beam::on(bench.node().clone(), Seq(0))?, Recorder::new());
            let (what, capture) = match tracer {
                Tracer::CinemaReceived => (names(&["cinema_bench"]), Capture::Received),
                Tracer::CinemaLean => (names(&["cinema_bench"]), Capture::Lean),
                _ => (names(&["cinema_bench", "cinema_bench_client"]), Capture::Full),
            };
            beam.start_tracing(&trace(what, capture))?;
            bench.took_while(&mut beam, &mut sink, "calls", args())
        }
    }
}

/// Tracing without limits, with nothing beside the trace.
fn trace(what: Vec<Selection>, capture: Capture) -> TraceOptions {
    TraceOptions { what, capture, limits: TraceLimits::NONE, sample_every: None, ..TraceOptions::default() }
}

/// What comes in: from a node that floods, and from frames that are there already.
pub fn ingest(options: &Options) -> Outcome<Table> {
    let mut section = Section::new("beam ingest", options);
    let bench = Bench::start()?;
    let n = if options.is_quick { 50_000 } else { 500_000 };
    let (mut beam, mut sink) = (Beam::on(bench.node().clone(), Seq(0))?, Recorder::new());
    let what = names(&["cinema_bench_client", "cinema_bench_sink"]);
    beam.start_tracing(&trace(what, Capture::Full))?;
    let (flooded, took) = timed(|| bench.took_while(&mut beam, &mut sink, "flood", vec![Term::Int(n)]));
    flooded?;
    drain_all(&mut beam, &mut sink)?;
    let (n_frames, n_dropped) = beam.counts().frames();
    section.record("a node that floods: sends and receives", "trace message", n_frames + n_dropped, took);
    section.figure(
        "dropped by the node, told exactly",
        n_dropped as f64 * 100.0 / (n_frames + n_dropped).max(1) as f64,
        "percent",
    );
    drop(beam);

    let scratch = std::env::temp_dir().join(format!("cinema-bench-{}.trace", std::process::id()));
    let file = Term::list(scratch.display().to_string().chars().map(|c| Term::Int(c as i64)).collect::<Vec<_>>());
    bench.call("dbg_file", vec![file])?;
    bench.took("calls", vec![Term::Int(if options.is_quick { 5_000 } else { 60_000 }), Term::Int(0)])?;
    bench.call("dbg_stop", Vec::new())?;
    let frames = std::fs::read(&scratch).map_err(|error| Failure::io(format!("{}: {error}", scratch.display())))?;
    let _ = std::fs::remove_file(scratch);
    let n_frames = count_frames(&frames);
    let mut measure = |name: &str, redaction: Redaction| {
        section.measure(name, "frame of CPU time", n_frames, || {
            let (_, took_ns) = cpu_timed(|| replay(&frames, redaction.clone()));
            Duration::from_nanos(took_ns as u64)
        })
    };
    let _ = measure("the same, secrets not taken out", Redaction::none());
    let cpu_ns = measure("calls, frames to recorded events, all threads", Redaction::default());
    section.aim_per_s(cpu_ns, 300_000.0);
    Ok(section.finish())
}

/// Takes what is still on its way.
fn drain_all(beam: &mut Beam, sink: &mut Recorder) -> Outcome<()> {
    let mut n_last = u64::MAX;
    while n_last != sink.0.len() {
        n_last = sink.0.len();
        beam.run(
            RunLimit { until_ns: beam.clock_ns().map(|now_ns| now_ns + 200_000_000), ..RunLimit::default() },
            sink,
        )?;
    }
    Ok(())
}

/// Frames through a feed into a recording.
fn replay(frames: &[u8], redaction: Redaction) {
    let Ok(mut feed) = Feed::start(Seq(0)) else { return };
    feed.veil(Veil::new(redaction, []));
    let stream = feed.add_stream(crate::model::Atom::new("bench@localhost"), 0);
    let (sender, chunks) = crossbeam::channel::bounded(16);
    if feed.take(stream, chunks, || {}).is_err() {
        return;
    }
    let mut sink = Recorder::new();
    std::thread::scope(|scope| {
        let pusher = scope.spawn(move || {
            let mut rest = frames;
            while !rest.is_empty() {
                let n = whole_frames(rest, 256 << 10);
                // The feed takes as long as there is one.
                let _ = sender.send(rest[..n].to_vec());
                rest = &rest[n..];
            }
        });
        loop {
            let batch = feed.next_batch(Duration::from_millis(60));
            match batch {
                Some(batch) => {
                    batch.iter().for_each(|event| _ = sink.emit(&event));
                    feed.give_back(batch);
                }
                None if pusher.is_finished() => break,
                None => {}
            }
        }
    });
}

/// Bytes of whole frames at the start of `frames`, about `n_bytes`.
fn whole_frames(frames: &[u8], n_bytes: usize) -> usize {
    let mut at = 0;
    while at < n_bytes
        && let Some(&[op, a, b, c, d]) = frames.get(at..at + 5).and_then(|head| head.first_chunk::<5>())
    {
        at += 5 + if op == 0 { u32::from_be_bytes([a, b, c, d]) as usize } else { 0 };
    }
    if at == 0 || at > frames.len() { frames.len() } else { at }
}

fn count_frames(frames: &[u8]) -> u64 {
    let (mut n, mut rest) = (0, frames);
    while !rest.is_empty() {
        rest = &rest[whole_frames(rest, 1)..];
        n += 1;
    }
    n
}

/// How soon a user sees something.
pub fn first_sight(options: &Options) -> Outcome<Table> {
    let mut section = Section::new("beam first sight", options);
    let bench = Bench::start()?;
    let unit_ns = section.measure("attach, trace a server, first traced event", "attach", 1, || {
        let began = Instant::now();
        let seen = first_event(&bench);
        seen.map_or(Duration::MAX, |()| began.elapsed())
    });
    section.aim_ns(unit_ns, 300e6);
    let n_children = if options.is_quick { 1_000 } else { 10_000 };
    bench.call("children", vec![Term::Int(n_children)])?;
    let program = std::env::current_exe().map_err(|error| Failure::io(error.to_string()))?;
    let cookie = bench.launched.cookie_file()?;
    let address = bench.launched.address();
    let unit_ns =
        section.measure(&format!("the program: attach, draw {n_children} processes as a tree"), "run", 1, || {
            let began = Instant::now();
            let drawn = Command::new(&program)
                .args(["attach", &address, "--cookie-file"])
                .arg(cookie.path())
                .args(["--format", "table", "-e", "tree()"])
                .output();
            let is_drawn =
                drawn.is_ok_and(|output| output.stdout.windows(16).any(|bytes| bytes == b"cinema_bench_sup"));
            if is_drawn { began.elapsed() } else { Duration::MAX }
        });
    section.aim_ns(unit_ns, 1e9);
    Ok(section.finish())
}

fn first_event(bench: &Bench) -> Outcome<()> {
    let (mut beam, mut sink) = (Beam::on(bench.node().clone(), Seq(0))?, Recorder::new());
    beam.start_tracing(&trace(names(&["cinema_bench"]), Capture::Full))?;
    bench.call("calls", vec![Term::Int(1), Term::Int(0)])?;
    let before = sink.0.len();
    while sink.0.len() == before || !has_traced(&sink.0) {
        beam.drain(&mut sink)?;
    }
    Ok(())
}

/// Whether a message was recorded: what is only introduced has none.
fn has_traced(recording: &Recording) -> bool {
    recording.count(&crate::model::Filter::kind(crate::model::Kind::Receive)) > 0
}
