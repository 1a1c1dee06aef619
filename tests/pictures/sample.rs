//! A small synthetic system, as a recording: clients, a router, a pool of workers, a cache, a database. The same
//! bytes on every run; one burst overloads the pool, one call times out, one worker crashes and is restarted.

use cinema::codec::etf;
use cinema::model::{Atom, CallKey, Class, Kind, NewEvent, Pid, Seq, Term};
use cinema::store::{Recording, RecordingInfo};

const US: i64 = 1_000;

/// Name, pid, supervisor (index).
pub const PROCESSES: &[(&str, u32, Option<usize>)] = &[
    ("client_1", 125, None),
    ("client_2", 126, None),
    ("client_3", 127, None),
    ("client_4", 128, None),
    ("app_sup", 110, None),
    ("router", 111, Some(APP_SUP)),
    ("pool_sup", 112, Some(APP_SUP)),
    ("worker_1", 113, Some(POOL_SUP)),
    ("worker_2", 114, Some(POOL_SUP)),
    ("worker_3", 115, Some(POOL_SUP)),
    ("worker_4", 116, Some(POOL_SUP)),
    ("worker_5", 117, Some(POOL_SUP)),
    ("worker_6", 118, Some(POOL_SUP)),
    ("cache", 119, Some(APP_SUP)),
    ("db_sup", 120, Some(APP_SUP)),
    ("db_conn_1", 121, Some(DB_SUP)),
    ("db_conn_2", 122, Some(DB_SUP)),
    ("logger", 123, Some(APP_SUP)),
    ("metrics", 124, Some(APP_SUP)),
    ("worker_4", 129, Some(POOL_SUP)),
];
const APP_SUP: usize = 4;
const ROUTER: usize = 5;
const POOL_SUP: usize = 6;
const WORKER_1: usize = 7;
const WORKER_4: usize = 10;
const CACHE: usize = 13;
const DB_SUP: usize = 14;
const DB_1: usize = 15;
const LOGGER: usize = 17;
const WORKER_4_NEXT: usize = 19;

fn pid(idx: usize) -> Pid {
    Pid::local(PROCESSES[idx].1)
}

fn is_supervisor(idx: usize) -> bool {
    PROCESSES.iter().any(|(_, _, supervisor)| *supervisor == Some(idx))
}

/// An event to be; causes are indexes of other drafts.
struct Draft {
    at_ns: i64,
    kind: Kind,
    class: Class,
    process: usize,
    peer: Option<usize>,
    tag: &'static str,
    call: Option<u64>,
    cause: Option<usize>,
    payload: Option<Term>,
}

/// A system in the making: when each process is free again, and what happened.
struct Model {
    drafts: Vec<Draft>,
    free_at: Vec<i64>,
    random: u64,
    n_calls: u64,
}

/// A message under way.
#[derive(Clone, Copy)]
struct Message {
    class: Class,
    tag: &'static str,
    call: Option<u64>,
}

impl Model {
    fn new() -> Model {
        Model { drafts: Vec::new(), free_at: vec![0; PROCESSES.len()], random: 7, n_calls: 0 }
    }
    /// A number below `n`, from a linear congruential generator.
    fn random(&mut self, n: u64) -> i64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.random >> 33) % n) as i64
    }
    fn push(&mut self, at_ns: i64, kind: Kind, class: Class, process: usize) -> &mut Draft {
        let draft = Draft { at_ns, kind, class, process, peer: None, tag: "", call: None, cause: None, payload: None };
        self.drafts.push(draft);
        self.drafts.last_mut().expect("just pushed")
    }
    /// A message from `from` to `to`; gives when it arrived and the draft of its arrival.
    fn message(&mut self, at_ns: i64, from: usize, to: usize, message: Message) -> (i64, usize) {
        let delay = 40 * US + self.random(260) * US;
        let kind = if message.class == Class::Reply { Kind::Reply } else { Kind::Send };
        let sent = self.drafts.len();
        let draft = self.push(at_ns, kind, message.class, from);
        (draft.peer, draft.tag, draft.call) = (Some(to), message.tag, message.call);
        draft.payload = Some(Term::tuple(vec![Term::atom(message.tag), Term::atom("k")]));
        let arrived = self.drafts.len();
        let draft = self.push(at_ns + delay, Kind::Receive, message.class, to);
        (draft.peer, draft.tag, draft.call, draft.cause) = (Some(from), message.tag, message.call, Some(sent));
        (at_ns + delay, arrived)
    }
    /// The callback for the message that arrived; gives its begin. It ends by [`Model::end`].
    fn start(&mut self, at_ns: i64, process: usize, arrived: usize, message: Message) -> (i64, usize) {
        let from = at_ns.max(self.free_at[process]);
        let idx = self.drafts.len();
        let draft = self.push(from, Kind::HandleStart, message.class, process);
        (draft.tag, draft.cause) = (message.tag, Some(arrived));
        (from, idx)
    }
    fn end(&mut self, at_ns: i64, process: usize, started: usize) {
        self.push(at_ns, Kind::HandleEnd, Class::None, process).cause = Some(started);
        self.free_at[process] = at_ns + 5 * US;
    }
    /// A call that the callee answers after `work_ns`; gives when the reply is back.
    fn call(&mut self, at_ns: i64, from: usize, to: usize, tag: &'static str, work_ns: i64) -> i64 {
        self.n_calls += 1;
        let call = Some(self.n_calls);
        let request = Message { class: Class::Call, tag, call };
        let (arrived_ns, arrived) = self.message(at_ns, from, to, request);
        let (from_ns, started) = self.start(arrived_ns, to, arrived, request);
        let done_ns = from_ns + work_ns;
        let (back_ns, _) = self.message(done_ns, to, from, Message { class: Class::Reply, tag: "ok", call });
        self.end(done_ns + 10 * US, to, started);
        back_ns
    }
    /// A client's request through router, worker, cache and perhaps database, and back.
    fn request(&mut self, at_ns: i64, client: usize, n: usize) {
        self.n_calls += 1;
        let call = Some(self.n_calls);
        let get = Message { class: Class::Call, tag: "get", call };
        let (arrived_ns, arrived) = self.message(at_ns, client, ROUTER, get);
        let (from_ns, started) = self.start(arrived_ns, ROUTER, arrived, get);
        let worker = WORKER_1 + n % 6;
        let job = Message { class: Class::Cast, tag: "job", call: None };
        let (job_ns, job_arrived) = self.message(from_ns + 60 * US, ROUTER, worker, job);
        self.end(from_ns + 110 * US, ROUTER, started);
        let (work_ns, work) = self.start(job_ns, worker, job_arrived, job);
        let mut now_ns = self.call(work_ns + 90 * US, worker, CACHE, "lookup", 130 * US);
        if n.is_multiple_of(3) {
            let work = 900 * US + self.random(1_200) * US;
            now_ns = self.call(now_ns + 50 * US, worker, DB_1 + n % 2, "query", work);
        }
        let done_ns = now_ns + self.random(900) * US;
        let (back_ns, back) = self.message(done_ns, worker, client, Message { class: Class::Reply, tag: "ok", call });
        if n == 31 {
            let draft = self.push(back_ns - 700 * US, Kind::Timeout, Class::Call, client);
            (draft.peer, draft.tag, draft.call) = (Some(ROUTER), "get", call);
            let draft = self.push(back_ns, Kind::LateReply, Class::Reply, client);
            (draft.peer, draft.call, draft.cause) = (Some(worker), call, Some(back - 1));
        }
        if n.is_multiple_of(4) {
            self.message(done_ns + 20 * US, worker, LOGGER, Message { class: Class::Cast, tag: "log", call: None });
        }
        self.end(done_ns + 60 * US, worker, work);
    }
    /// Worker 4 crashes, its supervisor hears of it and starts another.
    fn crash(&mut self, at_ns: i64) {
        let end = self.drafts.len();
        let draft = self.push(at_ns, Kind::Crash, Class::None, WORKER_4);
        draft.payload = Some(Term::tuple(vec![Term::atom("badmatch"), Term::atom("undefined")]));
        let arrived = self.drafts.len();
        let draft = self.push(at_ns + 200 * US, Kind::ExitSignal, Class::Exit, POOL_SUP);
        (draft.peer, draft.tag, draft.cause) = (Some(WORKER_4), "EXIT", Some(end));
        let message = Message { class: Class::Exit, tag: "EXIT", call: None };
        let (from_ns, started) = self.start(at_ns + 210 * US, POOL_SUP, arrived, message);
        let draft = self.push(from_ns + 300 * US, Kind::Spawn, Class::None, WORKER_4_NEXT);
        (draft.peer, draft.tag) = (Some(POOL_SUP), "worker");
        draft.payload = Some(spawn_payload(WORKER_4_NEXT));
        let draft = self.push(from_ns + 340 * US, Kind::SupervisorRestart, Class::None, POOL_SUP);
        (draft.peer, draft.tag, draft.cause) = (Some(WORKER_4_NEXT), "worker_4", Some(end));
        self.end(from_ns + 400 * US, POOL_SUP, started);
    }
}

fn spawn_payload(idx: usize) -> Term {
    let (name, _, supervisor) = PROCESSES[idx];
    let mut entries = vec![(Term::atom("label"), Term::atom(name))];
    entries.extend(supervisor.map(|supervisor| (Term::atom("supervisor"), Term::Pid(pid(supervisor)))));
    let behaviour = if is_supervisor(idx) { "supervisor" } else { "gen_server" };
    entries.push((Term::atom("behaviour"), Term::atom(behaviour)));
    Term::map(entries)
}

/// The sample, 20 processes over 62 ms; `n_bursts` repeats its load.
pub fn recording(n_bursts: usize) -> Recording {
    let mut model = Model::new();
    for idx in 0..PROCESSES.len() - 1 {
        let payload = spawn_payload(idx);
        model.push(0, Kind::Spawn, Class::None, idx).payload = Some(payload);
    }
    for burst in 0..n_bursts {
        let base = 400 * US + burst as i64 * 62_000 * US;
        let mut now_ns = base;
        for n in 0..12 {
            model.request(now_ns, (n * 5 + 3) % 4, n);
            now_ns += 900 * US + model.random(1_400) * US;
        }
        now_ns = base + 20_000 * US;
        for n in 12..36 {
            model.request(now_ns, (n * 7) % 4, n);
            now_ns += 20 * US + model.random(110) * US;
        }
    }
    let end_ns = n_bursts as i64 * 62_000 * US;
    model.crash(end_ns - 1_000 * US);
    append(model.drafts)
}

/// Orders the drafts by time and gives them their seqs.
fn append(drafts: Vec<Draft>) -> Recording {
    let mut order: Vec<usize> = (0..drafts.len()).collect();
    order.sort_by_key(|&idx| (drafts[idx].at_ns, idx));
    let mut seqs = vec![Seq(0); drafts.len()];
    for (seq, &idx) in order.iter().enumerate() {
        seqs[idx] = Seq(seq as u64);
    }
    let mut rec = Recording::new(RecordingInfo { source: "sim".into(), title: "sample".into(), ..Default::default() });
    for idx in order {
        let draft = &drafts[idx];
        let mut payload = Vec::new();
        if let Some(term) = &draft.payload {
            etf::encode(term, &mut payload);
        }
        let event = NewEvent {
            class: draft.class,
            peer: draft.peer.map(|peer| pid(peer).into()),
            tag: (!draft.tag.is_empty()).then(|| Atom::new(draft.tag)),
            call: draft.call.map(CallKey),
            cause: draft.cause.map(|cause| seqs[cause]),
            payload: &payload,
            ..NewEvent::new(draft.at_ns, draft.kind, pid(draft.process))
        };
        rec.append(&event).expect("a small recording fits");
    }
    rec
}

/// `n` processes in a ring, each telling the next.
pub fn crowd(n: u32) -> Recording {
    let mut rec = Recording::default();
    let mut at_ns = 0;
    for idx in 0..n {
        let (from, to) = (Pid::local(1_000 + idx), Pid::local(1_000 + (idx + 1) % n));
        let send = NewEvent { class: Class::Cast, peer: Some(to.into()), ..NewEvent::new(at_ns, Kind::Send, from) };
        let sent = rec.append(&send).expect("a small recording fits");
        let arrival =
            NewEvent { class: Class::Cast, peer: Some(from.into()), ..NewEvent::new(at_ns + US, Kind::Receive, to) };
        rec.append(&NewEvent { cause: Some(sent), ..arrival }).expect("a small recording fits");
        at_ns += 5 * US;
    }
    rec
}
