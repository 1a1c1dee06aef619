//! Events to measure a store with: servers of a shop under load, as the sim or a traced node would
//! record them. It must not know who stores them.

use crate::codec::etf;
use crate::model::{Actor, Atom, CallKey, Class, Kind, NewEvent, Pid, Seq, Term};

/// Events made beforehand, so that making them is not measured.
pub struct Workload {
    rows: Vec<Row>,
    payloads: Vec<u8>,
}

struct Row {
    event: NewEvent<'static>,
    /// Position in the workload of the event that caused this one.
    cause: Option<usize>,
    payload_begin: usize,
    payload_end: usize,
}

/// Events of one call: send, receive, handle_start, state_change, reply, receive, handle_end, and a cast's three.
const EVENTS_PER_ROUND: usize = 10;

impl Workload {
    /// `n_events` by 1 000 clients and 64 servers: calls and casts with requests of 60 to 120 bytes, and a
    /// state of about 100 bytes per call. The same for each run.
    pub fn new(n_events: usize) -> Workload {
        let mut workload = Workload { rows: Vec::with_capacity(n_events + EVENTS_PER_ROUND), payloads: Vec::new() };
        let mut random = 0x9E37_79B9_7F4A_7C15_u64;
        let mut at_ns = 0;
        while workload.rows.len() < n_events {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            at_ns += 2_000 + (random >> 54) as i64;
            workload.call((random >> 33) as u32, at_ns);
        }
        workload.rows.truncate(n_events);
        workload
    }

    fn call(&mut self, random: u32, at_ns: i64) {
        let number = self.rows.len() as i64;
        let client = Pid::local(1_000 + random % 1_000);
        let server = Pid::local(100 + (random >> 10) % 64);
        let tag = Atom::new(["buy", "stock", "price", "ship"][(random >> 20) as usize % 4]);
        let key = Some(CallKey(number as u64 + 1));
        let order =
            Term::tuple([Term::Atom(tag), Term::Int(i64::from(random % 500)), Term::binary(*b"green tea, 250 g")]);
        let request =
            Term::tuple([Term::atom("$gen_call"), Term::tuple([Term::Pid(client), Term::Int(number)]), order.clone()]);
        let note = Term::tuple([Term::atom("$gen_cast"), Term::tuple([Term::atom("audit"), Term::Int(number), order])]);
        let state = |key: &str, value: i64| (Term::atom(key), Term::Int(value));
        let state = [state("orders", number), state("stock", i64::from(random % 97)), state("total", number * 3)];
        let state = Term::Map(std::sync::Arc::new(state.into_iter().collect()));
        let answer = Term::tuple([Term::Int(number), Term::tuple([Term::atom("ok"), Term::Int(number % 911)])]);

        let (client, server) = (Actor::from(client), Actor::from(server));
        let auditor = Actor::from(Pid::local(90 + random % 4));
        let tagged = |kind, process, peer: Actor, class| NewEvent {
            peer: Some(peer),
            class,
            tag: Some(tag),
            ..NewEvent::new(at_ns, kind, process)
        };
        let called = |kind, process, peer, class| NewEvent { call: key, ..tagged(kind, process, peer, class) };
        let first = self.rows.len();
        self.push(called(Kind::Send, client, server, Class::Call), None, Some(&request));
        self.push(called(Kind::Receive, server, client, Class::Call), Some(first), Some(&request));
        self.push(called(Kind::HandleStart, server, client, Class::Call), Some(first + 1), None);
        self.push(tagged(Kind::Send, server, auditor, Class::Cast), Some(first + 2), Some(&note));
        self.push(tagged(Kind::Receive, auditor, server, Class::Cast), Some(first + 3), Some(&note));
        self.push(tagged(Kind::StateChange, server, client, Class::Call), Some(first + 2), Some(&state));
        self.push(called(Kind::Reply, server, client, Class::Reply), Some(first + 2), Some(&answer));
        self.push(called(Kind::Receive, client, server, Class::Reply), Some(first + 6), Some(&answer));
        let usage = Term::tuple([Term::Int(number * 7), Term::Int(2_688)]);
        self.push(NewEvent::new(at_ns, Kind::HandleEnd, server), Some(first + 2), Some(&usage));
        self.push(tagged(Kind::HandleStart, auditor, server, Class::Cast), Some(first + 4), None);
    }

    fn push(&mut self, event: NewEvent<'static>, cause: Option<usize>, payload: Option<&Term>) {
        let payload_begin = self.payloads.len();
        if let Some(term) = payload {
            etf::encode(term, &mut self.payloads);
        }
        self.rows.push(Row { event, cause, payload_begin, payload_end: self.payloads.len() });
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of all payloads.
    pub fn payload_bytes(&self) -> usize {
        self.payloads.len()
    }

    /// Event `place` of the workload repeated for ever; the clock goes on from round to round.
    pub fn event(&self, place: u64) -> NewEvent<'_> {
        let n_rounds = place / self.rows.len() as u64;
        let row = &self.rows[(place % self.rows.len() as u64) as usize];
        let shift_ns = self.rows.last().map_or(0, |row| row.event.at_ns) * n_rounds as i64;
        NewEvent {
            at_ns: row.event.at_ns + shift_ns,
            cause: row.cause.map(|idx| Seq(n_rounds * self.rows.len() as u64 + idx as u64)),
            payload: &self.payloads[row.payload_begin..row.payload_end],
            ..row.event
        }
    }

    /// The events as a store is given them when it holds `first` events; the clock goes on from round to round.
    pub fn events(&self, first: u64) -> impl Iterator<Item = NewEvent<'_>> {
        let first = first - first % self.rows.len() as u64;
        (first..first + self.rows.len() as u64).map(|place| self.event(place))
    }
}
