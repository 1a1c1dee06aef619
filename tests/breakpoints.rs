//! Breakpoints on a running sim: it stops before each hit, the hits are those of a search over
//! the recording, and a run that was stopped is the run that was not.

use std::rc::Rc;

use cinema::breakpoint::{Action, Candidate, Condition, MessagePoint, Search, Selector, Table, Test, What};
use cinema::model::{Atom, Class, Event, Kind, NewEvent, Path, Seq, Syntax, Term};
use cinema::sandbox::sim::{
    After, ChildSpec, Context, Effect, Flags, GenServer, Interrupt, ModuleSet, Restart, Return, Sim, SimOptions, Start,
    SupervisorSpec,
};
use cinema::sandbox::{EventSink, Input, RunEnd, RunLimit, Sandbox, Stopped};
use cinema::store::{Recording, RecordingInfo};
use expect_test::{Expect, expect};

/// An account that deposits, is slow, and crashes.
#[derive(Clone)]
struct Account {
    balance: i64,
}

impl GenServer for Account {
    fn init(_cx: &mut Context, args: &Term) -> Effect<Start<Account>> {
        Ok(Start::Ok(Account { balance: args.as_int().unwrap_or(0) }))
    }
    fn handle_call(&mut self, cx: &mut Context, request: &Term, _from: &Term) -> Effect<Return> {
        match request.tagged("deposit", 2) {
            Some([_, amount]) => self.balance += amount.as_int().unwrap_or(0),
            _ => cx.work(6_000_000_000)?,
        }
        Ok(Return::Reply(Term::Int(self.balance), After::Nothing))
    }
    fn handle_cast(&mut self, _cx: &mut Context, _request: &Term) -> Effect<Return> {
        Err(Interrupt::error(Term::atom("boom")))
    }
    fn state(&self) -> Term {
        Term::map([(Term::atom("balance"), Term::Int(self.balance))])
    }
}

fn bank(_args: &Term) -> SupervisorSpec {
    let account = ChildSpec {
        id: Term::atom("acc"),
        module: Atom::new("account"),
        args: vec![Term::Int(50)],
        name: Some(Atom::new("acc")),
        restart: Restart::Permanent,
        shutdown: None,
        is_supervisor: false,
        significant: false,
    };
    SupervisorSpec { flags: Flags::default(), children: vec![account] }
}

fn client(cx: &mut Context, _args: &Term) -> Effect<()> {
    let acc = Term::atom("acc");
    let deposit = |amount| Term::tuple([Term::atom("deposit"), Term::Int(amount)]);
    for amount in [20, 40, 0, 10] {
        cx.gen_call(&acc, deposit(amount), None)?;
    }
    cx.cast(&acc, Term::atom("boom"))?;
    cx.sleep(1_000_000)?;
    cx.gen_call(&acc, deposit(100), None)?;
    cx.gen_call(&acc, Term::atom("slow"), Some(1_000))?;
    Ok(())
}

/// Calls an account that crashes before it answers; then writes to the dead.
fn hasty_client(cx: &mut Context, args: &Term) -> Effect<()> {
    let Some(account) = cx.whereis(Atom::new("acc"))? else { return Ok(()) };
    if *args == Term::Nil {
        cx.start(Atom::new("hasty_client"), Term::atom("caller"), None)?;
        cx.monitor(&Term::Pid(account))?;
        cx.receive(None, None)?;
        cx.send(&Term::Pid(account), Term::atom("hello"))
    } else {
        cx.cast(&Term::Pid(account), Term::atom("boom"))?;
        cx.gen_call(&Term::Pid(account), Term::atom("slow"), None)?;
        Ok(())
    }
}

/// Records, and stops before each event that hits.
struct Recorder {
    recording: Recording,
    table: Table,
    /// The event that stopped the last run: not asked again.
    asked: Option<Seq>,
}

impl EventSink for Recorder {
    fn emit(&mut self, event: &NewEvent<'_>) -> Result<Seq, Stopped> {
        let seq = Seq(self.recording.len());
        if self.asked.take() != Some(seq) && !self.table.check(&Candidate::coming(event, &self.recording)).0.is_empty()
        {
            self.asked = Some(seq);
            return Err(Stopped);
        }
        let seq = self.recording.append(event).expect("room");
        self.table.observe(&Event { seq, ..Event::of(event) });
        Ok(seq)
    }
}

/// Runs the bank with one client under `condition`; gives the recording and the seqs at which it stopped.
fn run(condition: Option<&Condition>) -> (Recording, Vec<Seq>) {
    let modules = ModuleSet::new().server::<Account>("account").supervisor("bank", bank);
    let modules = modules.process("client", client).process("hasty_client", hasty_client);
    let mut sim = Sim::new(SimOptions { seed: 7, ..SimOptions::default() }, Rc::new(modules));
    let recording = Recording::new(RecordingInfo::default());
    let mut recorder = Recorder { recording, table: Table::new(), asked: None };
    if let Some(condition) = condition {
        recorder.table.add("", condition.clone(), Action::Pause, false).expect("room");
    }
    let mut stops = Vec::new();
    for module in ["bank", "client", "hasty_client"] {
        let start = Input::Start { module: Atom::new(module), args: Term::Nil, name: None, link: false };
        let mut end = sim.input(start, &mut recorder).expect("it starts");
        while end != RunEnd::Idle {
            if end == RunEnd::Stopped {
                stops.push(recorder.asked.expect("it stopped at an event"));
            }
            end = sim.run(RunLimit::default(), &mut recorder).expect("it runs");
        }
    }
    (recorder.recording, stops)
}

fn dump(recording: &Recording) -> Vec<(Event, Option<Vec<u8>>)> {
    let seqs = (0..recording.len()).map(Seq);
    seqs.map(|seq| (recording.event(seq).expect("it is there"), recording.payload(seq))).collect()
}

/// The events before which the sim stops, one line each.
fn check(condition: Condition, expected: Expect) {
    let (recording, stops) = run(Some(&condition));
    assert_eq!(dump(&recording), dump(&run(None).0), "stopping changes nothing");
    let branch = recording.current_branch();
    let search = Search::new(&recording, branch, &condition);
    let found = search.all(&recording.lineage(branch), usize::MAX).expect("no script");
    assert_eq!(found.iter().map(|event| event.seq).collect::<Vec<_>>(), stops);
    let line = |event: &Event| {
        let payload = recording.term(event.seq).map_or(String::new(), |term| format!(" {term:?}"));
        let tag = event.tag.map_or(String::new(), |tag| format!(" {}", tag.display(Syntax::Erlang)));
        format!("{} {}{tag}{payload}\n", event.kind.as_str(), event.process)
    };
    expected.assert_eq(&found.iter().map(line).collect::<String>());
}

fn account() -> Selector {
    Selector::Name(Atom::new("acc"))
}

fn balance(test: Test) -> Condition {
    Condition::on_state(account(), Path::parse("balance").expect("a path"), test)
}

#[test]
fn a_balance_over_a_hundred() {
    check(
        balance(Test::Greater(Term::Int(100))),
        expect![[r#"
        state_change <0.102.0> deposit #{balance => 110}
        state_change <0.102.0> deposit #{balance => 120}
        state_change <0.104.0> deposit #{balance => 150}
    "#]],
    );
    check(
        balance(Test::Changed),
        expect![[r#"
        state_change <0.102.0> #{balance => 50}
        state_change <0.102.0> deposit #{balance => 70}
        state_change <0.102.0> deposit #{balance => 110}
        state_change <0.102.0> deposit #{balance => 120}
        state_change <0.104.0> #{balance => 50}
        state_change <0.104.0> deposit #{balance => 150}
        state_change <0.107.0> #{balance => 50}
    "#]],
    );
}

#[test]
fn messages_by_tag_and_by_class() {
    check(
        Condition::on_message(Some(Atom::new("boom"))),
        expect![[r#"
        receive <0.102.0> boom {'$gen_cast',boom}
        receive <0.104.0> boom {'$gen_cast',boom}
    "#]],
    );
    let handled = What::Message { tag: None, class: Some(Class::Call), point: MessagePoint::Handled };
    check(
        Condition::from(handled).of(Selector::Module(Atom::new("account"))),
        expect![[r#"
        handle_start <0.102.0> deposit
        handle_start <0.102.0> deposit
        handle_start <0.102.0> deposit
        handle_start <0.102.0> deposit
        handle_start <0.104.0> deposit
        handle_start <0.104.0> slow
    "#]],
    );
}

#[test]
fn crashes_and_restarts() {
    check(
        Condition::on_process(account(), "crash").expect("an event"),
        expect![[r#"
        crash <0.102.0> account {boom,[]}
        crash <0.104.0> account {boom,[]}
    "#]],
    );
    check(
        Condition::on_process(Selector::Any, "supervisor_restart").expect("an event"),
        expect![[r#"
        supervisor_restart <0.101.0> acc #{id => acc,new => <0.104.0>,old => <0.102.0>,reason => {boom,[]}}
        supervisor_restart <0.101.0> acc #{id => acc,new => <0.107.0>,old => <0.104.0>,reason => {boom,[]}}
    "#]],
    );
    check(
        Condition::on_process(account(), "restart").expect("an event"),
        expect![[r#"
        supervisor_restart <0.101.0> acc #{id => acc,new => <0.104.0>,old => <0.102.0>,reason => {boom,[]}}
        supervisor_restart <0.101.0> acc #{id => acc,new => <0.107.0>,old => <0.104.0>,reason => {boom,[]}}
    "#]],
    );
}

#[test]
fn results_of_calls() {
    check(
        Condition::on_result("timeout").expect("a result"),
        expect![[r#"
        timeout <0.103.0>
    "#]],
    );
    check(
        Condition::on_result("exit").expect("a result"),
        expect![[r#"
        down <0.106.0> 'DOWN' {'DOWN',#Ref<0.106.0.9>,process,<0.104.0>,{boom,[]}}
    "#]],
    );
    check(
        Condition::on_result("noproc").expect("a result"),
        expect![[r#"
        send_to_dead <0.104.0> {[alias|#Ref<0.103.0.7>],150}
        send_to_dead <0.105.0> hello hello
    "#]],
    );
}

#[test]
fn every_event_of_a_process() {
    let condition = Condition::from(What::Process { kinds: Kind::ALL.to_vec() }).of(account());
    let (recording, stops) = run(Some(&condition));
    assert!(stops.len() > 20, "{}", stops.len());
    assert_eq!(dump(&recording), dump(&run(None).0));
}
