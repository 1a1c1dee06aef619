//! `cinema bench server`: what reaches viewers, how late, and what it costs, while events pour in.
//!
//! The events are appended on the session's thread, as a live source does; viewers are channel clients on threads of
//! their own, over the loopback interface; the page's own figures come from Chromium, where there is one ([`browser`]).
//! It must not know how a table is shown.

mod browser;
mod viewer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use viewer::{Seen, Viewer};

use crate::app::cli::Format;
use crate::app::host::Ending;
use crate::app::live::{Live, Setup};
use crate::app::terminal::Place;
use crate::app::worker::Worker;
use crate::bench::Workload;
use crate::model::{Outcome, Pid, limits};
use crate::session::Source;
use crate::store::{Recording, RecordingInfo};
use crate::view::{Cell, Table};

/// Events per second that are offered.
const OFFERED_PER_S: u64 = 500_000;
/// Batches per second in which they come.
const BATCHES_PER_S: u64 = 50;
/// How long a viewer waits for anything; then the measurement fails rather than hangs.
const PATIENCE: Duration = Duration::from_secs(limits::SERVER_WAIT_SECONDS);
/// Events of the workload, which is repeated.
const WORKLOAD_EVENTS: usize = 1_000_000;

/// When each batch was there: the recording's length after it.
type Arrivals = Arc<Mutex<Vec<(u64, Instant)>>>;

/// Measures; a tenth of the time when quick.
pub fn run(place: Place, is_quick: bool) -> Outcome<Table> {
    let mut table = Table::new("server", &["name", ">viewers", ">value", "unit", "of"]);
    if cfg!(debug_assertions) {
        table = table.note("this is a debug build: the figures say nothing");
    }
    let workload = Arc::new(Workload::new(if is_quick { WORKLOAD_EVENTS / 10 } else { WORKLOAD_EVENTS }));
    let seconds = if is_quick { 1 } else { 5 };
    for (name, n_viewers, n_stuck) in
        [("one viewer", 1, 0), ("50 viewers", 50, 0), ("50 viewers, one of them stuck", 49, 1)]
    {
        let bench = Bench::start(place, Recording::new(info()))?;
        bench.flow(&mut table, name, &workload, n_viewers, n_stuck, seconds)?;
    }
    let n_events = if is_quick { 1_000_000 } else { 10_000_000 };
    let mut recording = Recording::new(info());
    while recording.len() < n_events {
        for event in workload.events(recording.len()) {
            recording.append(&event)?;
        }
    }
    let n_events = recording.len();
    let bench = Bench::start(place, recording)?;
    bench.first_sight(&mut table, n_events)?;
    if !browser::is_here() {
        return Ok(table.note("no figures of the page: tests/browser/node_modules or node is missing"));
    }
    bench.page(&mut table, &["first_paint"], &format!("{n_events} events"))?;
    Bench::start(place, twenty_processes()?)?.page(&mut table, &["playing", "0.001"], "calls among 20 processes")?;
    Bench::start(place, Recording::new(info()))?.paints(&mut table, &workload, seconds)?;
    Ok(table)
}

/// Calls among twenty processes, every five microseconds something.
fn twenty_processes() -> Outcome<Recording> {
    use crate::model::{Actor, Class, Kind, NewEvent};
    let mut recording = Recording::new(info());
    let mut at_ns = 0;
    for n in 0..20_000_u32 {
        let (caller, callee): (Actor, Actor) = (Pid::local(100 + n % 10).into(), Pid::local(110 + n * 7 % 10).into());
        let steps = [
            (Kind::Send, Class::Call, caller, callee),
            (Kind::Receive, Class::Call, callee, caller),
            (Kind::HandleStart, Class::Call, callee, caller),
            (Kind::HandleEnd, Class::Call, callee, caller),
            (Kind::Reply, Class::Reply, callee, caller),
            (Kind::Receive, Class::Reply, caller, callee),
        ];
        for (kind, class, process, peer) in steps {
            at_ns += 5_000;
            let event = NewEvent::new(at_ns, kind, process);
            recording.append(&NewEvent { class, peer: Some(peer), ..event })?;
        }
    }
    Ok(recording)
}

fn info() -> RecordingInfo {
    RecordingInfo { source: "bench".into(), title: "bench".into(), ..RecordingInfo::default() }
}

struct Bench {
    worker: Worker<Live>,
    port: u16,
    token: String,
    url: String,
}

impl Bench {
    /// A server over a session with one recording.
    fn start(place: Place, recording: Recording) -> Outcome<Bench> {
        let setup = Setup {
            format: Format::Jsonl,
            place,
            seed: None,
            interrupt: Arc::default(),
            is_shell: false,
            notify: Box::new(drop),
        };
        let worker = Worker::start(Arc::default(), false, move || Live::new(setup))?;
        worker.ask(move |live| {
            live.session().borrow_mut().add(Source::recorded("bench".into(), recording));
            Ok(Ending::Value(String::new()))
        })?;
        let settings = super::Settings { port: Some(0), ..super::Settings::default() };
        let running = super::start(worker.clone(), &settings)?;
        let (url, port) = (running.url(), running.address.port());
        Ok(Bench { worker, port, url, token: running.token })
    }

    /// Figures that the page takes of itself.
    fn page(&self, table: &mut Table, what: &[&str], of: &str) -> Outcome<()> {
        for (name, value, unit) in browser::figures(&self.url, what)? {
            table.push(vec![text(&format!("page: {name}")), Cell::Int(1), rounded(value), text(&unit), text(of)]);
        }
        Ok(())
    }

    /// From an event to its paint in a browser, while events pour in.
    fn paints(&self, table: &mut Table, workload: &Arc<Workload>, seconds: u64) -> Outcome<()> {
        let arrivals = Arrivals::default();
        // A page has something to show before it is asked to keep up.
        self.pour(workload, &arrivals, 1)?;
        let painter = browser::Painter::open(&self.url)?;
        let clocks = (Instant::now(), SystemTime::now());
        self.pour(workload, &arrivals, seconds)?;
        std::thread::sleep(Duration::from_millis(300));
        let drawn = painter.finish();
        let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let delay_ms = |(n_recorded, at): &(u64, SystemTime)| {
            let idx = arrivals.binary_search_by_key(n_recorded, |(n, _)| *n).ok()?;
            let arrived_s = arrivals[idx].1.duration_since(clocks.0).as_secs_f64();
            Some((at.duration_since(clocks.1).ok()?.as_secs_f64() - arrived_s) * 1e3)
        };
        let mut delays_ms: Vec<f64> = drawn.iter().filter_map(delay_ms).collect();
        delays_ms.sort_by(f64::total_cmp);
        let of = format!("{OFFERED_PER_S} events/s offered");
        for (name, share) in [("median", 0.5), ("99 %", 0.99)] {
            let name = text(&format!("page: from event to paint, {name}"));
            table.push(vec![name, Cell::Int(1), rounded(quantile(&delays_ms, share)), text("ms"), text(&of)]);
        }
        Ok(())
    }

    /// Lets events pour in for some seconds while viewers look.
    fn flow(
        &self,
        table: &mut Table,
        name: &str,
        workload: &Arc<Workload>,
        n_viewers: usize,
        n_stuck: usize,
        seconds: u64,
    ) -> Outcome<()> {
        let (arrivals, is_over) = (Arrivals::default(), Arc::new(AtomicBool::new(false)));
        // The stuck ones join, and then neither read nor acknowledge.
        let stuck = (0..n_stuck).map(|_| Viewer::join(self.port, &self.token)).collect::<Outcome<Vec<_>>>()?;
        let viewers: Vec<_> = (0..n_viewers)
            .map(|_| {
                let viewer = Viewer::join(self.port, &self.token)?;
                let is_over = Arc::clone(&is_over);
                Ok(std::thread::spawn(move || viewer.look(&is_over)))
            })
            .collect::<Outcome<Vec<_>>>()?;
        let begin = Instant::now();
        let n_appended = self.pour(workload, &arrivals, seconds)?;
        let took_s = begin.elapsed().as_secs_f64();
        // The last frame is on its way.
        std::thread::sleep(Duration::from_millis(200));
        is_over.store(true, Ordering::Relaxed);
        let seen: Vec<Seen> = viewers.into_iter().filter_map(|viewer| viewer.join().ok()).collect();
        drop(stuck);
        let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        report(table, name, &seen, &arrivals, n_appended, took_s);
        Ok(())
    }

    /// Appends at the offered rate, a batch at a time between two tasks of others.
    fn pour(&self, workload: &Arc<Workload>, arrivals: &Arrivals, seconds: u64) -> Outcome<u64> {
        let n_batch = (OFFERED_PER_S / BATCHES_PER_S) as usize;
        let begin = Instant::now();
        let mut n_appended = 0;
        for n in 0..seconds * BATCHES_PER_S {
            let (workload, arrivals) = (Arc::clone(workload), Arc::clone(arrivals));
            self.worker.ask(move |live| {
                let mut session = live.session().borrow_mut();
                let source = session.source_mut()?;
                {
                    let mut recording = source.shared_recording().borrow_mut();
                    let first = recording.len();
                    let skip = (first as usize) % (workload.len() - n_batch);
                    for event in workload.events(0).skip(skip).take(n_batch) {
                        recording.append(&crate::model::NewEvent { cause: None, ..event })?;
                    }
                }
                let (timeline, recording) = source.timeline_mut();
                timeline.to_end(&recording);
                let arrived = (recording.len(), Instant::now());
                arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(arrived);
                Ok(Ending::Value(String::new()))
            })?;
            n_appended += n_batch as u64;
            let due = Duration::from_millis((n + 1) * 1_000 / BATCHES_PER_S);
            std::thread::sleep(due.saturating_sub(begin.elapsed()));
        }
        Ok(n_appended)
    }

    /// What a page asks for before it shows anything, on a long recording that was just opened.
    fn first_sight(&self, table: &mut Table, n_events: u64) -> Outcome<()> {
        let of = format!("{n_events} events");
        let mut row = |name: &str, took: Duration| {
            let ms = took.as_secs_f64() * 1e3;
            table.push(vec![text(name), Cell::Int(1), Cell::Float((ms * 10.0).round() / 10.0), text("ms"), text(&of)]);
        };
        let begin = Instant::now();
        let viewer = Viewer::join(self.port, &self.token)?;
        row("join: the position and all about it", begin.elapsed());
        let ask = |path: &str| viewer::get(self.port, &self.token, &format!("/api/v1/sandboxes/0/{path}"));
        let begin = Instant::now();
        ask("views/overview")?;
        row("overview, while densities are made", begin.elapsed());
        let begin = Instant::now();
        ask(&format!("views/window?from={}&to={}", n_events / 2, n_events / 2 + 400))?;
        row("a window of 400 events", begin.elapsed());
        let begin = Instant::now();
        while !ask("views/overview")?.contains("\"is_complete\":true") {
            std::thread::sleep(Duration::from_millis(100));
        }
        row("all densities made, after", begin.elapsed());
        for (name, path) in [
            ("overview", "views/overview".to_string()),
            ("the whole line as a window", format!("views/window?from=0&to={n_events}")),
            ("a tenth of it", format!("views/window?from={}&to={}", n_events / 2, n_events * 6 / 10)),
            ("the system at a moment, with traffic", format!("views/graph?at={}", n_events / 3)),
            ("one process at a moment", format!("views/inspect?process=%3C0.120.0%3E&at={}", n_events / 3)),
        ] {
            let mut rounds: Vec<Duration> = Vec::new();
            for _ in 0..5 {
                let begin = Instant::now();
                ask(&path)?;
                rounds.push(begin.elapsed());
            }
            rounds.sort_unstable();
            row(name, rounds[2]);
        }
        drop(viewer);
        Ok(())
    }
}

/// Of ascending values the one below which `share` of them lie.
fn quantile(ascending: &[f64], share: f64) -> f64 {
    ascending.get((ascending.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN)
}

/// Three digits or so.
fn rounded(value: f64) -> Cell {
    if value >= 100.0 { Cell::Int(value.round() as i64) } else { Cell::Float((value * 10.0).round() / 10.0) }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_string())
}

fn report(table: &mut Table, name: &str, seen: &[Seen], arrivals: &[(u64, Instant)], n_appended: u64, took_s: f64) {
    let n_viewers = seen.len();
    let of = format!("{} events/s offered", OFFERED_PER_S);
    let mut row = |what: &str, value: f64, unit: &str| {
        table.push(vec![
            text(&format!("{name}: {what}")),
            Cell::Int(n_viewers as i64),
            rounded(value),
            text(unit),
            text(&of),
        ]);
    };
    let mean = |of: fn(&Seen) -> f64| seen.iter().map(of).sum::<f64>() / n_viewers.max(1) as f64;
    row("appended", n_appended as f64 / took_s, "events/s");
    row("reaches a viewer", mean(|seen| seen.n_events as f64) / took_s, "events/s");
    row("frames", mean(|seen| seen.n_frames as f64) / took_s, "frames/s");
    row("on the wire, differences", mean(|seen| seen.n_bytes as f64) / took_s, "bytes/s");
    row("on the wire, whole documents", mean(|seen| seen.n_bytes_whole as f64) / took_s, "bytes/s");
    let mut delays_ms: Vec<f64> = Vec::new();
    for (n_recorded, at) in seen.iter().flat_map(|seen| &seen.lengths) {
        if let Ok(idx) = arrivals.binary_search_by_key(n_recorded, |(n, _)| *n) {
            delays_ms.push(at.duration_since(arrivals[idx].1).as_secs_f64() * 1e3);
        }
    }
    delays_ms.sort_by(f64::total_cmp);
    row("from event to viewer, median", quantile(&delays_ms, 0.5), "ms");
    row("from event to viewer, 99 %", quantile(&delays_ms, 0.99), "ms");
}
