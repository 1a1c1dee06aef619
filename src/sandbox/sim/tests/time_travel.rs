//! Stopping, restoring, repeating: on a small system that does a bit of everything.

use proptest::prelude::*;

use super::*;

/// A server that talks to its neighbours at random: calls, casts, timers, crashes.
#[derive(Clone)]
struct Restless {
    own: i64,
    seen: Vec<i64>,
}

const N_SERVERS: u64 = 4;

fn neighbour(cx: &mut Context) -> Effect<Term> {
    let n = cx.random(N_SERVERS)?;
    Ok(Term::atom(&format!("restless_{n}")))
}

impl Restless {
    fn act(&mut self, cx: &mut Context, n: i64) -> Effect<()> {
        self.seen.push(n);
        if self.seen.len() > 8 {
            self.seen.remove(0);
        }
        let other = neighbour(cx)?;
        match cx.random(12)? {
            0 => cx.work(30_000),
            1 => cx.sleep(50_000),
            2..=4 => cx.cast(&other, Term::Int(n + 1)),
            5 | 6 => {
                let reply = cx.gen_call(&other, Term::Int(n), Some(2));
                match reply {
                    Err(Interrupt::Raise(_)) => cx.log("a call failed"),
                    other => other.map(drop),
                }
            }
            7 => {
                let me = Term::Pid(cx.self_pid());
                cx.send_after(1, &me, Term::Int(n)).map(drop)
            }
            8 => {
                let found = cx.whereis(Atom::new(&format!("restless_{}", n % N_SERVERS as i64)))?;
                match found.filter(|pid| *pid != cx.self_pid()) {
                    Some(pid) => cx.monitor(&Term::Pid(pid)).map(drop),
                    None => Ok(()),
                }
            }
            9 => Err(Interrupt::error(Term::Int(n))),
            10 => {
                let me = Term::Pid(cx.self_pid());
                cx.send(&me, term("again"))?;
                let mut is_again = |message: &Term| message.is_atom("again");
                cx.receive(Some(1), Some(&mut is_again)).map(drop)
            }
            _ => cx.put(Term::Int(n), Term::Int(self.own)).map(drop),
        }
    }
}

impl GenServer for Restless {
    fn init(cx: &mut Context, args: &Term) -> Effect<Start<Self>> {
        let me = Term::Pid(cx.self_pid());
        cx.send_after(1, &me, Term::Int(0))?;
        Ok(Start::Ok(Restless { own: args.as_int().unwrap_or(0), seen: Vec::new() }))
    }
    fn handle_call(&mut self, cx: &mut Context, request: &Term, _from: &Term) -> Effect<Return> {
        self.act(cx, request.as_int().unwrap_or(0))?;
        Ok(Return::reply(self.own))
    }
    fn handle_cast(&mut self, cx: &mut Context, request: &Term) -> Effect<Return> {
        self.act(cx, request.as_int().unwrap_or(0))?;
        Ok(Return::noreply())
    }
    fn handle_info(&mut self, cx: &mut Context, message: &Term) -> Effect<Return> {
        self.act(cx, message.as_int().unwrap_or(0))?;
        let me = Term::Pid(cx.self_pid());
        cx.send_after(1, &me, Term::Int(1))?;
        Ok(Return::noreply())
    }
    fn state(&self) -> Term {
        Term::list(self.seen.iter().map(|n| Term::Int(*n)).collect::<Vec<_>>())
    }
}

fn supervisor(_args: &Term) -> SupervisorSpec {
    let child = |n: u64| ChildSpec {
        name: Some(Atom::new(&format!("restless_{n}"))),
        ..ChildSpec::worker(Term::Int(n as i64), Atom::new("restless"), vec![Term::Int(n as i64)])
    };
    let flags = Flags { intensity: 100_000, ..Flags::default() };
    SupervisorSpec { flags, children: (0..N_SERVERS).map(child).collect() }
}

fn restless(seed: u64, root_every_n_events: u64) -> Sim {
    let modules = ModuleSet::new().server::<Restless>("restless").supervisor("sup", supervisor);
    Sim::new(SimOptions { seed, root_every_n_events, ..SimOptions::default() }, Rc::new(modules))
}

/// The inputs of a run, each given when so many events have happened.
fn inputs() -> Vec<(u64, Input)> {
    let to = |n: u64| crate::sandbox::Dest::Name(Atom::new(&format!("restless_{n}")));
    vec![
        (0, start("sup", Term::Nil)),
        (300, Input::Cast { to: to(0), request: Term::Int(100) }),
        (400, Input::Call { to: to(1), request: Term::Int(7), timeout_ns: Some(1_000_000) }),
        (600, Input::Send { to: to(2), message: term("{hello, you}") }),
        (700, Input::Exit { to: to(3), reason: term("kill") }),
    ]
}

/// The events of the sim's own line of history, restores and all.
#[derive(Default)]
struct Line {
    tape: Tape,
    events: Vec<Taped>,
}

impl Line {
    fn run(&mut self, sim: &mut Sim, until: usize) {
        while self.events.len() < until {
            let n_left = (until - self.events.len()) as u64;
            sim.run(RunLimit { n_events_max: Some(n_left), until_ns: None }, &mut self.tape).expect("it runs");
            self.collect();
        }
    }

    fn input(&mut self, sim: &mut Sim, input: Input) {
        sim.input(input, &mut self.tape).expect("the shell is free");
        self.collect();
    }

    fn collect(&mut self) {
        self.events.append(&mut self.tape.events);
        // The tape numbers what comes by what it holds: keep its count.
        self.tape.n_foreign = self.events.last().map_or(0, |last| last.seq.0 + 1);
    }

    /// Goes back to just after event `idx` of the line. The new branch begins with an event that is not the sim's.
    fn restore(&mut self, sim: &mut Sim, idx: usize) {
        sim.restore(Some(self.events[idx].seq), Seq(self.tape.n_foreign)).expect("the past is there");
        self.events.truncate(idx + 1);
        self.tape.n_foreign += 1;
    }

    /// Everything that a user sees but the seqs: causes are named by their place in the line.
    fn content(&self) -> Vec<Taped> {
        let place =
            |seq: Seq| self.events.binary_search_by_key(&seq, |event| event.seq).expect("causes are in the line");
        let own = |(idx, event): (usize, &Taped)| {
            let cause = event.cause.map(|cause| Seq(place(cause) as u64));
            Taped { seq: Seq(idx as u64), cause, ..event.clone() }
        };
        self.events.iter().enumerate().map(own).collect()
    }
}

const N_EVENTS: usize = 1_500;

/// Gives the inputs whose event has not happened yet (`given_at`: where it happened in the first run), each in its
/// place, and goes on to the end.
fn go_on(sim: &mut Sim, line: &mut Line, given_at: &[usize]) {
    let n_done = line.events.len();
    for (idx, (at, input)) in inputs().into_iter().enumerate() {
        if given_at.get(idx).is_none_or(|given_at| *given_at >= n_done) {
            line.run(sim, at as usize);
            line.input(sim, input);
        }
    }
    line.run(sim, N_EVENTS);
}

fn whole_run(seed: u64, root_every_n_events: u64, stops: &[u64]) -> Line {
    let (mut sim, mut line) = (restless(seed, root_every_n_events), Line::default());
    line.tape.stops = stops.iter().copied().collect();
    go_on(&mut sim, &mut line, &[]);
    line
}

#[test]
fn the_same_seed_gives_the_same_events_whatever_the_roots() {
    let (first, again, dense) = (whole_run(5, 64, &[]), whole_run(5, 64, &[]), whole_run(5, 1, &[]));
    assert_eq!(first.events, again.events);
    assert_eq!(first.events, dense.events);
    assert_ne!(first.events, whole_run(6, 64, &[]).events);
}

#[test]
fn without_recording_it_runs_and_has_no_past() {
    let modules = Rc::new(ModuleSet::new().server::<Restless>("restless").supervisor("sup", supervisor));
    let options = SimOptions { seed: 3, is_recorded: false, ..SimOptions::default() };
    let (mut sim, mut tape) = (Sim::new(options, modules), Tape::default());
    sim.input(start("sup", Term::Nil), &mut tape).expect("it starts");
    let end = sim.run(RunLimit { until_ns: Some(50_000_000), n_events_max: None }, &mut tape);
    assert_eq!((end, sim.n_processes(), tape.events.len()), (Ok(RunEnd::Limit), 6, 0));
    assert_eq!(sim.restore(None, Seq(0)).map_err(|failure| failure.kind), Err(FailureKind::Unsupported));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A sink that stops the run, at any events, changes nothing.
    #[test]
    fn stopping_before_events_changes_nothing(
        seed in 0_u64..1_000, stops in prop::collection::vec(0..N_EVENTS as u64, 0..40),
    ) {
        prop_assert_eq!(whole_run(seed, 64, &stops).events, whole_run(seed, 64, &[]).events);
    }

    /// Restore anywhere, in the middle of turns too, and from branches of branches; go on with the same inputs: the
    /// same events, but for their seqs.
    #[test]
    fn a_restored_run_repeats_byte_for_byte(
        seed in 0_u64..1_000, every in prop_oneof![Just(1_u64), Just(64), Just(400)],
        moments in prop::collection::vec(0..N_EVENTS, 1..4),
    ) {
        let (mut sim, mut line) = (restless(seed, every), Line::default());
        go_on(&mut sim, &mut line, &[]);
        let original = line.content();
        let inputs = original.iter().enumerate().filter(|(_, event)| event.kind == Kind::Input);
        let given_at: Vec<usize> = inputs.map(|(idx, _)| idx).collect();
        for moment in moments {
            line.restore(&mut sim, moment);
            go_on(&mut sim, &mut line, &given_at);
            prop_assert_eq!(&line.content(), &original);
        }
    }
}

#[test]
fn a_seq_of_an_abandoned_branch_can_be_restored() {
    let (mut sim, mut line) = (restless(9, 64), Line::default());
    go_on(&mut sim, &mut line, &[]);
    let original = line.content();
    let (first, restored) = (line.events[1_200].seq, line.tape.n_foreign);
    line.restore(&mut sim, 500);
    line.run(&mut sim, 900);
    sim.restore(Some(first), Seq(line.tape.n_foreign)).expect("the old branch is still there");
    assert!(restored > 1_200);
    let mut tape = Tape { n_foreign: line.tape.n_foreign + 1, ..Tape::default() };
    sim.run(RunLimit { n_events_max: Some(200), until_ns: None }, &mut tape).expect("it runs");
    let payloads =
        |events: &[Taped]| events.iter().map(|event| (event.at_ns, event.payload.clone())).collect::<Vec<_>>();
    assert_eq!(payloads(&tape.events), payloads(&original[1_201..1_401]));
}

#[test]
fn the_past_before_the_first_event_can_be_restored() {
    let (mut sim, mut line) = (restless(9, 64), Line::default());
    go_on(&mut sim, &mut line, &[]);
    let original = line.content();
    sim.restore(None, Seq(line.tape.n_foreign)).expect("the beginning is there");
    line.events.clear();
    line.tape.n_foreign += 1;
    go_on(&mut sim, &mut line, &[]);
    assert_eq!(line.content(), original);
}

/// A process whose script gives way to the user once, as a long-running one does on Ctrl-C.
#[test]
fn a_turn_that_was_interrupted_never_happened() {
    use std::cell::Cell;
    thread_local! { static GIVES_WAY: Cell<bool> = const { Cell::new(false) }; }
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        cx.log("before")?;
        cx.sleep(1_000_000)?;
        cx.log("after")?;
        if GIVES_WAY.replace(false) { Err(Interrupt::Stopped) } else { Ok(()) }
    }
    let run = |is_interrupted: bool| {
        let (mut sim, mut tape) = (sim(4, ModuleSet::new().process("main", main)), Tape::default());
        sim.input(start("main", Term::Nil), &mut tape).expect("it starts");
        GIVES_WAY.set(is_interrupted);
        if is_interrupted {
            assert_eq!(sim.run(RunLimit::default(), &mut tape), Ok(RunEnd::Interrupted));
            assert_eq!(tape.logged(), ["before"]);
        }
        assert_eq!(sim.run(RunLimit::default(), &mut tape), Ok(RunEnd::Idle));
        tape.events
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_process_that_goes_on_for_ever_can_be_interrupted() {
    struct Impatient(Tape);
    impl EventSink for Impatient {
        fn emit(&mut self, event: &NewEvent<'_>) -> Result<Seq, Stopped> {
            self.0.emit(event)
        }
        fn is_interrupted(&self) -> bool {
            self.0.events.len() > 1_000
        }
    }
    #[derive(Clone)]
    struct Endless;
    impl GenServer for Endless {
        fn init(_cx: &mut Context, _args: &Term) -> Effect<Start<Self>> {
            Ok(Start::Then(Endless, After::Continue(Term::Nil)))
        }
        fn handle_continue(&mut self, _cx: &mut Context, _term: &Term) -> Effect<Return> {
            Ok(Return::NoReply(After::Continue(Term::Nil)))
        }
        fn state(&self) -> Term {
            Term::Nil
        }
    }
    let (mut sim, mut sink) = (sim(1, ModuleSet::new().server::<Endless>("main")), Impatient(Tape::default()));
    sim.input(start("main", Term::Nil), &mut sink).expect("its init ends");
    assert_eq!(sim.run(RunLimit::default(), &mut sink), Ok(RunEnd::Interrupted));
}

#[test]
fn roots_are_thinned_with_age() {
    let (mut sim, mut tape) = (restless(2, 1), Tape::default());
    sim.input(start("sup", Term::Nil), &mut tape).expect("it starts");
    sim.run(RunLimit { until_ns: None, n_events_max: Some(60_000) }, &mut tape).expect("it runs");
    assert!((256..2_048).contains(&sim.n_roots()), "{} roots", sim.n_roots());
}
