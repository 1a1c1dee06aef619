//! `cinema soak`: everything that the store can do, for as long as one likes, and each answer compared with what was put
//! in. Rounds go on until the time is over: a ring under load, a file under load, a writer that is killed. It must not
//! know how a table is shown.

mod check;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, bounded};

use self::check::{Checks, Order};
use super::Workload;
use crate::model::{EventBatch, Failure, Outcome, Seq};
use crate::store::{Durability, Mark, Recording, RecordingInfo, RingLimits, SyncPolicy};
use crate::view::{Cell, Table};

/// Events that a producer hands over at once.
const BATCH_EVENTS: usize = 4096;
const N_PRODUCERS: usize = 2;
const N_READERS: usize = 2;
/// Events of one round of load.
const ROUND_EVENTS: u64 = 1_000_000;
/// Events between two views that readers get.
const VIEW_EVENTS: u64 = 150_000;
const RING_BYTES: u64 = 8 << 20;
/// Events between two lines of the child that is killed.
const CHILD_EVENTS: u64 = 5_000;

/// How long, and where the files go.
pub struct Plan {
    pub time: Duration,
    pub folder: PathBuf,
}

/// Runs rounds until the time is over. Errors: the folder cannot be written, a thread or child cannot be started.
/// What was found wrong is in the table, and the second value says how much.
pub fn soak(plan: &Plan, tell: &mut dyn FnMut(String)) -> Outcome<(Table, u64)> {
    let workload = Workload::new(100_000);
    let mut soak =
        Soak { workload: &workload, folder: &plan.folder, checks: Checks::default(), append: Duration::ZERO };
    let begin = Instant::now();
    let mut n_rounds = 0u64;
    while begin.elapsed() < plan.time || n_rounds == 0 {
        soak.ring(n_rounds)?;
        soak.file(n_rounds)?;
        soak.kill(n_rounds)?;
        n_rounds += 1;
        tell(format!(
            "{} s: {n_rounds} rounds, {} events, {} checks, {} wrong",
            begin.elapsed().as_secs(),
            soak.checks.n_appended,
            soak.checks.n_checks,
            soak.checks.n_wrong
        ));
    }
    Ok(soak.table(n_rounds, begin.elapsed()))
}

/// The child: records into `path` and says on standard output how many events are sealed, until it is killed.
pub fn child(path: &Path) -> Outcome<()> {
    let workload = Workload::new(100_000);
    let durability = Durability { sync: SyncPolicy::Interval(Duration::from_millis(20)), ..Durability::default() };
    let mut recording = Recording::create(path, RecordingInfo::default(), durability)?;
    loop {
        for seq in recording.len()..recording.len() + CHILD_EVENTS {
            recording.append(&workload.event(seq))?;
        }
        recording.seal();
        println!("{}", recording.len());
    }
}

struct Soak<'w> {
    workload: &'w Workload,
    folder: &'w Path,
    checks: Checks,
    append: Duration,
}

impl Soak<'_> {
    /// A recording that forgets, read while it is written.
    fn ring(&mut self, round: u64) -> Outcome<()> {
        let mut recording = Recording::new(RecordingInfo::default());
        recording.set_ring(Some(RingLimits { bytes_max: Some(RING_BYTES), ..RingLimits::default() }))?;
        let (recording, order) = self.load(recording, round)?;
        self.checks.is_true(recording.evicted().n_events > 0, || "a full ring has forgotten nothing".into());
        let path = self.folder.join("ring.cinema");
        recording.save(&path)?;
        self.reopen(&path, &order, recording.len())
    }

    /// A recording that lives in a file; then saved, archived, examined.
    fn file(&mut self, round: u64) -> Outcome<()> {
        let [path, archive, again] =
            ["file", "archive", "again"].map(|name| self.folder.join(format!("{name}.cinema")));
        let recording = Recording::create(&path, RecordingInfo::default(), Durability::default())?;
        let (mut recording, order) = self.load(recording, round)?;
        recording.finish()?;
        let n_events = recording.len();
        drop(recording);
        self.reopen(&path, &order, n_events)?;
        let (opened, _) = Recording::open(&path)?;
        opened.compact(&archive)?;
        opened.save(&again)?;
        for path in [&archive, &again] {
            self.reopen(path, &order, n_events)?;
        }
        let (_, report) = Recording::rescue(&again)?;
        self.checks
            .is_true(report.damage.is_empty(), || format!("damage in a file as it was saved: {:?}", report.damage));
        Ok(())
    }

    /// Lets producers fill `recording` while readers look at it.
    fn load(&mut self, mut recording: Recording, round: u64) -> Outcome<(Recording, Order)> {
        let mut order = Order::default();
        let (views, read) = bounded::<(Recording, Order)>(1);
        let workload = self.workload;
        let done = thread::scope(|scope| {
            let batches = produce(scope, workload, round);
            let read_all = |reader: u64| {
                let mut checks = Checks::default();
                for (view, order) in read.iter() {
                    checks.view(&view, workload, &order, reader);
                }
                checks
            };
            let readers: Vec<_> = (0..N_READERS as u64).map(|n| scope.spawn(move || read_all(n))).collect();
            let begin = Instant::now();
            let mut done = Ok(());
            let mut n_viewed = 0;
            for (first, batch) in batches {
                order.add(recording.len(), first);
                done = batch.iter().try_for_each(|event| recording.append(&event).map(drop));
                if done.is_err() {
                    break;
                }
                if recording.len() - n_viewed >= VIEW_EVENTS {
                    n_viewed = recording.len();
                    let mark = Mark {
                        name: format!("at {n_viewed}"),
                        at: Seq(n_viewed - 1),
                        note: String::new(),
                        is_snapshot: false,
                    };
                    recording.set_mark(mark);
                    // Readers that are busy are not waited for.
                    let _ = views.try_send((recording.clone(), order.clone()));
                }
            }
            self.append += begin.elapsed();
            drop(views);
            for reader in readers {
                match reader.join() {
                    Ok(checks) => self.checks.add(checks),
                    Err(_) => self.checks.wrong("a reader panicked".into()),
                }
            }
            done
        });
        done?;
        self.checks.n_appended += recording.len();
        self.checks.view(&recording, workload, &order, round);
        Ok((recording, order))
    }

    fn reopen(&mut self, path: &Path, order: &Order, n_events: u64) -> Outcome<()> {
        let (opened, report) = Recording::open_whole(path)?;
        let name = path.display();
        self.checks.is_true(report.is_whole(), || format!("{name} opens with {report:?}"));
        self.checks.is_true(opened.len() == n_events, || format!("{name} has {} of {n_events} events", opened.len()));
        self.checks.n_opened += 1;
        self.checks.view(&opened, self.workload, order, n_events);
        Ok(())
    }

    /// A writer in another process, killed at some moment; what it said to be sealed must be there.
    fn kill(&mut self, round: u64) -> Outcome<()> {
        let path = self.folder.join("killed.cinema");
        let failed = |error: std::io::Error| Failure::io(format!("cannot start a child: {error}"));
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        command.args(["soak", "--child"]).arg(&path).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(failed)?;
        let lines = child.stdout.take().map(|out| BufReader::new(out).lines());
        let n_lines = 3 + (round * 7 % 20) as usize;
        let last = lines.into_iter().flatten().map_while(Result::ok).take(n_lines).last();
        let ended = child.kill().and_then(|()| child.wait());
        ended.map_err(|error| Failure::io(format!("cannot kill a child: {error}")))?;
        let n_sealed: u64 = last.and_then(|line| line.parse().ok()).unwrap_or(0);
        self.checks.n_killed += 1;
        let (opened, _) = Recording::open(&path)?;
        self.checks.is_true(n_sealed > 0 && opened.len() >= n_sealed, || {
            format!("{} events are there, the killed writer had sealed {n_sealed}", opened.len())
        });
        let order = Order::plain();
        self.checks.view(&opened, self.workload, &order, round);
        let (rescued, report) = Recording::rescue(&path)?;
        self.checks.is_true(rescued.len() == opened.len() && report.n_lost() == 0, || {
            format!("{} events are rescued, {} were opened", rescued.len(), opened.len())
        });
        let repaired = self.folder.join("repaired.cinema");
        rescued.save(&repaired)?;
        self.reopen(&repaired, &order, opened.len())
    }

    fn table(self, n_rounds: u64, took: Duration) -> (Table, u64) {
        let checks = self.checks;
        let mut table = Table::new("soak", &["field", "value"]);
        let int = |n: u64| Cell::Int(n as i64);
        let per_s = checks.n_appended as f64 / self.append.as_secs_f64().max(f64::MIN_POSITIVE);
        let rows = [
            ("time", Cell::Ns(took.as_nanos() as i64)),
            ("rounds", int(n_rounds)),
            ("events_appended", int(checks.n_appended)),
            ("events_per_s_while_read", int(per_s as u64)),
            ("events_read", int(checks.n_read)),
            ("views", int(checks.n_views)),
            ("files_opened", int(checks.n_opened)),
            ("writers_killed", int(checks.n_killed)),
            ("memory_bytes_max", memory_bytes_max().map_or(Cell::Empty, Cell::Bytes)),
            ("checks", int(checks.n_checks)),
            ("wrong", int(checks.n_wrong)),
        ];
        rows.into_iter().for_each(|(name, value)| table.push(vec![Cell::Text(name.into()), value]));
        table.notes.extend(checks.told.iter().map(|what| format!("wrong: {what}")));
        (table, checks.n_wrong)
    }
}

/// Producers' batches with the place of each batch's first event in the workload.
fn produce<'scope, 'env>(
    scope: &'scope thread::Scope<'scope, 'env>,
    workload: &'env Workload,
    round: u64,
) -> Receiver<(u64, EventBatch)> {
    let (send, batches) = bounded(8);
    for producer in 0..N_PRODUCERS as u64 {
        let send = send.clone();
        scope.spawn(move || {
            let n_batches = ROUND_EVENTS / (BATCH_EVENTS * N_PRODUCERS) as u64;
            for n in 0..n_batches {
                let first = ((round * N_PRODUCERS as u64 + producer) * n_batches + n) * BATCH_EVENTS as u64;
                let mut batch = EventBatch::new(Seq(0));
                for place in first..first + BATCH_EVENTS as u64 {
                    // Causes are places of the workload, not of this recording.
                    batch.push(&crate::model::NewEvent { cause: None, ..workload.event(place) });
                }
                if send.send((first, batch)).is_err() {
                    return;
                }
            }
        });
    }
    batches
}

/// The most memory that this process has had, by the system's account.
fn memory_bytes_max() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}
