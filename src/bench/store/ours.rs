//! The questions to our own store.

use std::path::Path;

use super::question::{Figure, Question, Unit};
use super::rows::Rows;
use super::sheet::Figures;
use super::{DURABILITY, GOLDEN, file_bytes};
use crate::bench::harness::{cpu_timed, median_of, thread_time_ns};
use crate::model::{Class, Filter, Kind, Outcome, Seq};
use crate::store::{By, Number, PartBytes, Recording, RecordingInfo, Selection};

/// Payloads looked up.
const N_FETCHED: usize = 200;
/// Times looked up: more than there are blocks in the cache.
const N_SOUGHT: usize = 64;
/// How long a round takes at least.
const ROUND_NS: f64 = 20e6;
/// Bytes of payload in the question with a size.
const SIZE_BYTES_MIN: u32 = 100;

/// What is looked up, spread over the rows.
pub struct Places {
    pub times: Vec<i64>,
    pub seqs: Vec<u64>,
}

/// Measures: append, sizes, and every question on the file that was written. Gives the places that peers are asked for, too.
pub fn ask(rows: &Rows, folder: &Path, n_rounds: usize) -> Outcome<(Figures, Places)> {
    let mut figures = Figures::new();
    let path = folder.join("cinema");
    let mut failure = None;
    let mut given_ns = Vec::new();
    let took_ns = median_of(n_rounds, || {
        let begun_ns = thread_time_ns();
        let (done, took_ns) = cpu_timed(|| record(rows, &path));
        given_ns.push(thread_time_ns() - begun_ns);
        failure = failure.take().or(done.err());
        took_ns
    });
    failure.map_or(Ok(()), Err)?;
    let mut rounds = given_ns.into_iter();
    let given_ns = median_of(n_rounds, || rounds.next().unwrap_or(0.0));
    figures.insert(Question::Give, Figure { value: given_ns / rows.n as f64, answer: None });
    figures.insert(Question::Append, Figure { value: took_ns / rows.n as f64, answer: None });
    figures.insert(Question::Size, Figure { value: file_bytes(&path)? / rows.n as f64, answer: None });
    let (recording, _) = Recording::open(&path)?;
    let archive = folder.join("archive");
    recording.compact(&archive)?;
    figures.insert(Question::Archive, Figure { value: file_bytes(&archive)? / rows.n as f64, answer: None });

    let seqs: Vec<u64> = spread(rows.n).take(N_FETCHED).collect();
    let times = spread(rows.n).take(N_SOUGHT).filter_map(|seq| recording.event(Seq(seq))).map(|event| event.at_ns);
    let places = Places { times: times.collect(), seqs };
    let mut asker = Asker { rows, n_rounds, figures: &mut figures };
    asker.ask_all(&recording, &places);
    asker.ask(Question::Reopen, || Recording::open(&path).map_or(0, |(recording, _)| recording.len()));
    Ok((figures, places))
}

/// Where the bytes of a file are: its largest parts.
pub fn layout(path: &Path, n: u64) -> Outcome<String> {
    let (recording, _) = Recording::open(path)?;
    let part = |part: &PartBytes| format!("{} {:.2}", part.name, part.n_bytes as f64 / n as f64);
    Ok(recording.layout().iter().take(12).map(part).collect::<Vec<_>>().join(", "))
}

fn record(rows: &Rows, path: &Path) -> Outcome<()> {
    let mut recording = Recording::create(path, RecordingInfo::default(), DURABILITY)?;
    rows.append_to(&mut recording)?;
    recording.finish()
}

/// Places below `n`: multiples of the golden ratio spread evenly.
pub fn spread(n: u64) -> impl Iterator<Item = u64> {
    (1..).map(move |k| ((f64::from(k) * GOLDEN).fract() * n as f64) as u64)
}

/// Asks a recording.
struct Asker<'a> {
    rows: &'a Rows,
    n_rounds: usize,
    figures: &'a mut Figures,
}

impl Asker<'_> {
    /// Measures a question; `work` gives the answer. What is short is repeated until it takes a while.
    fn ask(&mut self, question: Question, work: impl Fn() -> u64) {
        self.ask_each(question, 1, work);
    }

    /// The same for `work` that does it `n_each` times.
    fn ask_each(&mut self, question: Question, n_each: usize, work: impl Fn() -> u64) {
        let (answer, once_ns) = cpu_timed(&work);
        let n_times = (ROUND_NS / once_ns.max(100.0)).clamp(1.0, 1_000.0) as u32;
        let took_ns = median_of(self.n_rounds, || {
            let (_, took_ns) = cpu_timed(|| (0..n_times).map(|_| work()).max());
            took_ns / f64::from(n_times)
        });
        let value = match question.unit() {
            Unit::Event => took_ns / self.rows.n as f64,
            Unit::Row => took_ns / answer.max(1) as f64,
            Unit::Once | Unit::Bytes => took_ns / n_each as f64,
        };
        self.figures.insert(question, Figure { value, answer: Some(answer).filter(|_| question.has_answer()) });
    }

    fn ask_all(&mut self, rec: &Recording, places: &Places) {
        let receives = Filter::kind(Kind::Receive);
        self.ask(Question::CountKind, || rec.count(&receives));
        let large = Filter { size_bytes_min: Some(SIZE_BYTES_MIN), ..Filter::kinds(&[Kind::Send, Kind::Receive]) };
        self.ask(Question::CountWhere, || rec.count(&large));
        let busiest = Filter::default().process(self.rows.busiest);
        self.ask(Question::CountProcess, || rec.count(&busiest));
        self.ask(Question::ReadProcess, || {
            let (n, latest) = rec.scan(&busiest).fold((0, i64::MIN), |(n, ns), event| (n + 1, ns.max(event.at_ns)));
            std::hint::black_box(latest);
            n
        });
        let everything = Filter::default();
        let groups = |by: By| rec.group(&Selection::of(&everything), by, usize::MAX).n_groups;
        self.ask(Question::GroupProcess, || groups(By::Process));
        self.ask(Question::GroupPair, || groups(By::Pair));
        let replies = Filter { classes: vec![Class::Reply], ..Filter::kind(Kind::Receive) };
        self.ask(Question::JoinCall, || waits(rec, &replies, Number::SinceCallNs));
        self.ask(Question::JoinCause, || waits(rec, &receives, Number::SinceCauseNs));
        self.ask_places(rec, places);
    }

    fn ask_places(&mut self, rec: &Recording, places: &Places) {
        let trunk = rec.lineage(0);
        let payloads = |at_ns: &i64, n: usize| -> u64 {
            let first = rec.seek_time(&trunk, *at_ns).map_or(rec.len(), |seq| seq.0);
            let payloads = (first..rec.len()).filter_map(|seq| rec.payload_ref(Seq(seq)));
            payloads.take(n).map(|payload| payload.len() as u64).sum()
        };
        for (question, n) in [(Question::SeekPayload, 1), (Question::Seek100, 100)] {
            self.ask_each(question, places.times.len(), || places.times.iter().map(|at_ns| payloads(at_ns, n)).sum());
        }
        let payload_bytes = |seq: &u64| rec.payload_ref(Seq(*seq)).map_or(0, |payload| payload.len() as u64);
        self.ask_each(Question::FetchPayload, places.seqs.len(), || places.seqs.iter().map(payload_bytes).sum());
        let n_processes = |seq: &u64| rec.materialise(Seq(*seq)).processes.len() as u64;
        let some = &places.seqs[..places.times.len().min(places.seqs.len())];
        self.ask_each(Question::Materialise, some.len(), || some.iter().map(n_processes).sum());
    }
}

/// How long the events of `filter` came after their beginning: how many, the sum and the longest; gives how many.
fn waits(rec: &Recording, filter: &Filter, since: Number) -> u64 {
    let (mut n, mut sum_ns, mut longest_ns) = (0, 0, i64::MIN);
    rec.numbers(&Selection::of(filter), since, |waits_ns| {
        n += waits_ns.len() as u64;
        sum_ns += waits_ns.iter().sum::<i64>();
        longest_ns = longest_ns.max(waits_ns.iter().copied().max().unwrap_or(i64::MIN));
    });
    std::hint::black_box((sum_ns, longest_ns));
    n
}
