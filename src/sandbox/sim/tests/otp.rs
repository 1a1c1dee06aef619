//! gen_server and supervisor, paragraph by paragraph of the list of OTP's semantics.

use expect_test::expect;

use super::*;

/// A server that does what it is told: the request says how the callback ends.
#[derive(Clone)]
struct Told {
    n: i64,
}

impl Told {
    fn obey(&mut self, cx: &mut Context, order: &Term, from: Option<&Term>) -> Effect<Return> {
        let verb = order.tag().map_or("", |tag| tag.as_str());
        let argument = order.as_tuple().and_then(|items| items.get(1)).cloned().unwrap_or(Term::Nil);
        Ok(match verb {
            "add" => {
                self.n += argument.as_int().unwrap_or(1);
                if from.is_some() { Return::reply(self.n) } else { Return::noreply() }
            }
            "get" => Return::reply(self.n),
            "noreply" => Return::noreply(),
            "stop" => Return::stop(argument),
            "stop_reply" => Return::Stop { reason: argument, reply: Some(term("last_words")) },
            "continue" => Return::Reply(term("ok"), After::Continue(argument)),
            "wait" => Return::Reply(term("ok"), After::TimeoutMs(argument.as_int().unwrap_or(0) as u64)),
            "sleep" => {
                cx.sleep(argument.as_int().unwrap_or(0) as u64 * 1_000_000)?;
                if from.is_some() { Return::reply(term("slept")) } else { Return::noreply() }
            }
            "raise" => return Err(Interrupt::error(argument)),
            "exit" => return Err(Interrupt::exit(argument)),
            "throw" => return Err(Interrupt::throw(argument)),
            "bad" => Return::Bad(argument),
            "call" => {
                let answer = cx.gen_call(&argument, term("get"), Some(10))?;
                Return::reply(answer)
            }
            _ => {
                say(cx, &Term::tuple([term("info"), order.clone()]))?;
                Return::noreply()
            }
        })
    }
}

impl GenServer for Told {
    fn init(cx: &mut Context, args: &Term) -> Effect<Start<Self>> {
        let order = args.as_tuple().and_then(|items| items.get(1)).cloned().unwrap_or(Term::Nil);
        match args.tag().map_or("", |tag| tag.as_str()) {
            "stop" => Ok(Start::Stop(order)),
            "ignore" => Ok(Start::Ignore),
            "raise" => Err(Interrupt::error(order)),
            "continue" => Ok(Start::Then(Told { n: 0 }, After::Continue(order))),
            "trap" => cx.trap_exit(true).map(|_| Start::Ok(Told { n: 0 })),
            _ => Ok(Start::Ok(Told { n: args.as_int().unwrap_or(0) })),
        }
    }
    fn handle_call(&mut self, cx: &mut Context, request: &Term, from: &Term) -> Effect<Return> {
        self.obey(cx, request, Some(from))
    }
    fn handle_cast(&mut self, cx: &mut Context, request: &Term) -> Effect<Return> {
        self.obey(cx, request, None)
    }
    fn handle_info(&mut self, cx: &mut Context, message: &Term) -> Effect<Return> {
        self.obey(cx, message, None)
    }
    fn handle_continue(&mut self, cx: &mut Context, order: &Term) -> Effect<Return> {
        say(cx, &Term::tuple([term("continue"), order.clone()]))?;
        Ok(Return::noreply())
    }
    fn terminate(&mut self, cx: &mut Context, reason: &Term) -> Effect<()> {
        say(cx, &Term::tuple([term("terminate"), reason.clone()]))
    }
    fn state(&self) -> Term {
        Term::map([(Term::atom("n"), Term::Int(self.n))])
    }
    fn replace_state(&mut self, state: &Term) -> Result<(), String> {
        self.n = state.as_int().ok_or("not an integer")?;
        Ok(())
    }
}

fn modules(main: native::RunFn) -> ModuleSet {
    ModuleSet::new().process("main", main).process("idle", idle).server::<Told>("told")
}

fn logged(main: native::RunFn) -> String {
    play(1, modules(main)).logged().join("\n")
}

/// Calls and shows the outcome, without what differs from run to run.
fn show_call(cx: &mut Context, dest: &Term, request: &str, timeout_ms: u64) -> Effect<()> {
    let outcome = match cx.gen_call(dest, term(request), Some(timeout_ms)) {
        Ok(reply) => Term::tuple([term("ok"), reply]),
        Err(Interrupt::Raise(Raise::Exit(reason))) => {
            let items = reason.as_tuple().expect("a pair").to_vec();
            let args = items[1].as_tuple().expect("a call")[2].as_list().expect("arguments").len();
            Term::tuple([term("exit"), items[0].clone(), Term::Int(args as i64)])
        }
        Err(other) => return Err(other),
    };
    say(cx, &outcome)
}

fn server(cx: &mut Context, args: &str) -> Effect<Term> {
    let started = cx.start(Atom::new("told"), term(args), None)?;
    Ok(started.as_tuple().map_or(started.clone(), |items| items[1].clone()))
}

#[test]
fn calls_fail_with_the_reasons_of_otp() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        for request in [
            "get",
            "{add,2}",
            "{stop,bye}",
            "{raise,boom}",
            "{exit,gone}",
            "{throw,ball}",
            "{bad,x}",
            "{stop_reply,fine}",
        ] {
            let pid = server(cx, "40")?;
            show_call(cx, &pid, request, 100)?;
        }
        let pid = server(cx, "0")?;
        show_call(cx, &pid, "{sleep,20}", 5)?;
        cx.sleep(50_000_000)?;
        let late = cx.receive(Some(0), None)?;
        say(cx, &late.unwrap_or(term("no_late_reply")))?;
        show_call(cx, &term("nobody"), "get", 100)?;
        let me = Term::Pid(cx.self_pid());
        show_call(cx, &me, "get", 100)
    }
    let tape = play(1, modules(main));
    expect![[r#"
        {ok,40}
        {ok,42}
        {terminate,bye}
        {exit,bye,3}
        {terminate,{boom,[]}}
        {exit,{boom,[]},3}
        {terminate,gone}
        {exit,gone,3}
        {terminate,{bad_return_value,ball}}
        {exit,{bad_return_value,ball},3}
        {terminate,{bad_return_value,x}}
        {exit,{bad_return_value,x},3}
        {terminate,fine}
        {ok,last_words}
        {exit,timeout,3}
        no_late_reply
        {exit,noproc,3}
        {exit,calling_self,3}"#]]
    .assert_eq(&tape.logged().join("\n"));
    expect![[r#"
        146 timeout <101> ~<110> <- 143 send
        150 late_reply reply <101> ~<110> {[alias|#Ref<0.101.0.18>],slept} <- 148 reply
        153 send_to_dead call <101> get {'$gen_call',{<0.101.0>,[alias|#Ref<0.0.0.19>]},get} <- 115 handle_start
    "#]]
    .assert_eq(&tape.lines(&[Kind::Timeout, Kind::LateReply, Kind::SendToDead]));
}

#[test]
fn init_fails_in_four_ways() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        cx.trap_exit(true)?;
        for args in ["{stop,no}", "ignore", "{raise,boom}", "ok"] {
            let started = cx.start_link(Atom::new("told"), term(args), Some(Atom::new("told_name")))?;
            let shown = match started.as_tuple() {
                Some([tag, Term::Pid(_)]) => Term::tuple([tag.clone(), term("pid")]),
                _ => started.clone(),
            };
            let exit = cx.receive(Some(5), None)?;
            let exit = exit.map_or(term("no_exit"), |exit| exit.as_tuple().expect("a tuple")[2].clone());
            say(cx, &Term::tuple([shown, exit]))?;
        }
        let again = cx.start_link(Atom::new("told"), term("ok"), Some(Atom::new("told_name")))?;
        let error = again.as_tuple().expect("a pair")[1].as_tuple().expect("a pair")[0].clone();
        say(cx, &error)?;
        let unknown = cx.start(Atom::new("no_such_module"), Term::Nil, None)?;
        say(cx, &unknown)
    }
    expect![[r#"
        {{error,no},no}
        {ignore,normal}
        {{error,{boom,[]}},{boom,[]}}
        {{ok,pid},no_exit}
        already_started
        ?
        {error,{undef,[{no_such_module,init,1,[]}]}}"#]]
    .assert_eq(&logged(main));
}

#[test]
fn continue_comes_before_any_message_and_a_message_cancels_a_timeout() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        let pid = server(cx, "{continue,first}")?;
        cx.gen_call(&pid, term("{continue,second}"), None)?;
        cx.gen_call(&pid, term("{wait,5}"), None)?;
        cx.sleep(20_000_000)?;
        cx.gen_call(&pid, term("{wait,5}"), None)?;
        cx.send(&pid, term("a_message"))?;
        cx.sleep(20_000_000)?;
        // A timeout of 0 does not beat queued messages: both are in the mailbox before it is set.
        cx.send(&pid, term("{sleep,1}"))?;
        let me = Term::Pid(cx.self_pid());
        let from = Term::tuple([me, term("tag")]);
        cx.send(&pid, Term::tuple([term("'$gen_call'"), from, term("{wait,0}")]))?;
        cx.send(&pid, term("queued"))?;
        cx.sleep(20_000_000)
    }
    expect![[r#"
        {continue,first}
        {continue,second}
        {info,timeout}
        {info,a_message}
        {info,queued}"#]]
    .assert_eq(&logged(main));
}

#[test]
fn terminate_runs_for_stops_and_for_the_parents_exit_only_when_trapping() {
    fn parent(cx: &mut Context, args: &Term) -> Effect<()> {
        cx.start_link(Atom::new("told"), args.clone(), Some(Atom::new("child")))?;
        cx.receive(None, None)?;
        Err(Interrupt::exit(term("parent_gone")))
    }
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        for args in ["trap", "plain"] {
            let pid = spawn(cx, "parent", term(args), false)?;
            cx.sleep(1_000_000)?;
            let child = cx.whereis(Atom::new("child"))?.expect("it registers");
            let watch = cx.monitor(&Term::Pid(child))?;
            cx.exit_signal(child, term("from_a_stranger"))?;
            cx.send(&Term::Pid(pid), term("go"))?;
            let down = cx.receive(Some(100), None)?.expect("it ends");
            let items = down.as_tuple().expect("a tuple");
            say(cx, &Term::tuple([term(args), Term::bool(items[1] == watch), items[4].clone()]))?;
        }
        Ok(())
    }
    let tape = play(1, modules(main).process("parent", parent));
    expect![[r#"
        {info,{'EXIT',<0.101.0>,from_a_stranger}}
        {terminate,parent_gone}
        {trap,true,parent_gone}
        {plain,true,from_a_stranger}"#]]
    .assert_eq(&tape.logged().join("\n"));
}

#[test]
fn sys_reads_and_replaces_states_and_suspends() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        let pid = server(cx, "7")?;
        for request in ["get_state", "{replace_state,9}", "get_state", "suspend"] {
            let answer = cx.sys(&pid, term(request))?;
            say(cx, &answer)?;
        }
        show_call(cx, &pid, "get", 5)?;
        cx.sys(&pid, term("resume"))?;
        show_call(cx, &pid, "get", 5)
    }
    expect![[r#"
        {ok,#{n => 7}}
        {ok,9}
        {ok,#{n => 9}}
        ok
        {exit,timeout,3}
        {ok,9}"#]]
    .assert_eq(&logged(main));
}

#[test]
fn a_call_inside_a_callback_blocks_only_that_server_and_two_can_deadlock() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        let first = server(cx, "1")?;
        let second = server(cx, "2")?;
        let request = Term::tuple([term("call"), second]);
        let reply = cx.gen_call(&first, request, None)?;
        say(cx, &reply)?;
        let me = Term::tuple([term("call"), first.clone()]);
        match cx.gen_call(&first, me, Some(50)) {
            Err(Interrupt::Raise(Raise::Exit(reason))) => {
                let calling_self = reason.as_tuple().expect("a pair")[0].clone();
                say(cx, &calling_self.as_tuple().expect("a pair")[0])
            }
            other => other.and_then(|reply| say(cx, &reply)),
        }
    }
    expect![[r#"
        2
        {terminate,{calling_self,{gen_server,call,[<0.102.0>,get,10]}}}
        calling_self"#]]
    .assert_eq(&logged(main));
}

/// A worker that says when it starts and ends, and ends as it is told.
#[derive(Clone)]
struct Worker {
    name: Term,
}

impl GenServer for Worker {
    fn init(cx: &mut Context, args: &Term) -> Effect<Start<Self>> {
        if args.is_atom("bad") {
            return Ok(Start::Stop(term("bad_start")));
        }
        if args.is_atom("fails_once_restarted") {
            // The process dictionary of the registered witness counts the starts.
            let n = cx.gen_call(&term("witness"), term("{add,1}"), None)?;
            if n.as_int() == Some(2) {
                say(cx, &term("start_fails"))?;
                return Ok(Start::Stop(term("not_yet")));
            }
        }
        cx.trap_exit(true)?;
        say(cx, &Term::tuple([term("start"), args.clone()]))?;
        Ok(Start::Ok(Worker { name: args.clone() }))
    }
    fn handle_cast(&mut self, _cx: &mut Context, request: &Term) -> Effect<Return> {
        Ok(Return::stop(request.clone()))
    }
    fn terminate(&mut self, cx: &mut Context, reason: &Term) -> Effect<()> {
        let name = self.name.clone();
        say(cx, &Term::tuple([term("stop"), name, reason.clone()]))?;
        if self.name.is_atom("stubborn") {
            cx.sleep(60_000_000_000)?;
        }
        Ok(())
    }
    fn state(&self) -> Term {
        self.name.clone()
    }
}

/// `{Strategy, Intensity, [{Name, Restart}]}`.
fn supervisor(args: &Term) -> SupervisorSpec {
    let items = args.as_tuple().expect("a triple");
    let flags = Term::tuple([items[0].clone(), items[1].clone(), Term::Int(5)]);
    let children = items[2].as_list().expect("children").iter().map(|child| {
        let pair = child.as_tuple().expect("a pair");
        let start = Term::list([term("worker"), pair[0].clone()]);
        Term::map([
            (term("id"), pair[0].clone()),
            (term("start"), start),
            (term("restart"), pair[1].clone()),
            (term("shutdown"), Term::Int(100)),
            (term("name"), pair[0].clone()),
        ])
    });
    SupervisorSpec::parse(&flags, &children.collect::<Vec<_>>()).expect("good specs")
}

/// Starts a supervisor under a trapping main, tells workers to end, shows what is left.
fn supervise(spec: &'static str, orders: &'static [(&'static str, &'static str)]) -> String {
    thread_local! { static ORDERS: std::cell::Cell<&'static [(&'static str, &'static str)]> = const { std::cell::Cell::new(&[]) }; }
    fn main(cx: &mut Context, args: &Term) -> Effect<()> {
        cx.trap_exit(true)?;
        cx.start(Atom::new("told"), Term::Int(0), Some(Atom::new("witness")))?;
        let started = cx.start_link(Atom::new("sup"), args.clone(), Some(Atom::new("the_sup")))?;
        if started.tagged("ok", 2).is_none() {
            return say(cx, &started);
        }
        for (name, reason) in ORDERS.get() {
            say(cx, &Term::tuple([term("tell"), term(name), term(reason)]))?;
            cx.cast(&term(name), term(reason))?;
            cx.sleep(300_000_000)?;
            let Some(_) = cx.whereis(Atom::new("the_sup"))? else {
                let exit = cx.receive(Some(0), None)?.expect("the supervisor is linked");
                return say(cx, &Term::tuple([term("sup_ended"), exit.as_tuple().expect("a tuple")[2].clone()]));
            };
            let children = cx.which_children(&term("the_sup"))?;
            let rows = children.as_list().expect("a list").iter().map(|child| {
                let items = child.as_tuple().expect("a tuple");
                let pid = if items[1].as_pid().is_some() { term("pid") } else { items[1].clone() };
                Term::tuple([items[0].clone(), pid])
            });
            say(cx, &Term::list(rows.collect::<Vec<_>>()))?;
        }
        Ok(())
    }
    ORDERS.set(orders);
    let modules = modules(main).server::<Worker>("worker").supervisor("sup", supervisor);
    let (mut sim, mut tape) = (sim(1, modules), Tape::default());
    sim.input(start("main", term(spec)), &mut tape).expect("main starts");
    let end = sim.run(RunLimit { until_ns: Some(120_000_000_000), n_events_max: None }, &mut tape);
    assert_eq!(end, Ok(RunEnd::Idle));
    tape.logged().join("\n")
}

#[test]
fn one_for_one_restarts_only_the_one() {
    let spec = "{one_for_one,3,[{a,permanent},{b,transient},{c,temporary}]}";
    let orders = &[("a", "normal"), ("b", "boom"), ("b", "shutdown"), ("c", "boom")];
    expect![[r#"
        {start,a}
        {start,b}
        {start,c}
        {tell,a,normal}
        {stop,a,normal}
        {start,a}
        [{c,pid},{b,pid},{a,pid}]
        {tell,b,boom}
        {stop,b,boom}
        {start,b}
        [{c,pid},{b,pid},{a,pid}]
        {tell,b,shutdown}
        {stop,b,shutdown}
        [{c,pid},{b,undefined},{a,pid}]
        {tell,c,boom}
        {stop,c,boom}
        [{b,undefined},{a,pid}]
        {stop,a,shutdown}"#]]
    .assert_eq(&supervise(spec, orders));
}

#[test]
fn one_for_all_stops_in_reverse_and_starts_in_order() {
    let spec = "{one_for_all,3,[{a,permanent},{b,permanent},{c,temporary}]}";
    expect![[r#"
        {start,a}
        {start,b}
        {start,c}
        {tell,b,boom}
        {stop,b,boom}
        {stop,c,shutdown}
        {stop,a,shutdown}
        {start,a}
        {start,b}
        [{b,pid},{a,pid}]
        {stop,b,shutdown}
        {stop,a,shutdown}"#]]
    .assert_eq(&supervise(spec, &[("b", "boom")]));
}

#[test]
fn rest_for_one_takes_the_later_ones_along() {
    let spec = "{rest_for_one,3,[{a,permanent},{b,permanent},{c,permanent}]}";
    expect![[r#"
        {start,a}
        {start,b}
        {start,c}
        {tell,b,boom}
        {stop,b,boom}
        {stop,c,shutdown}
        {start,b}
        {start,c}
        [{c,pid},{b,pid},{a,pid}]
        {stop,c,shutdown}
        {stop,b,shutdown}
        {stop,a,shutdown}"#]]
    .assert_eq(&supervise(spec, &[("b", "boom")]));
}

#[test]
fn too_many_restarts_end_the_supervisor() {
    let spec = "{one_for_one,1,[{a,permanent},{b,permanent}]}";
    expect![[r#"
        {start,a}
        {start,b}
        {tell,a,one}
        {stop,a,one}
        {start,a}
        [{b,pid},{a,pid}]
        {tell,a,two}
        {stop,a,two}
        {stop,b,shutdown}
        {sup_ended,shutdown}"#]]
    .assert_eq(&supervise(spec, &[("a", "one"), ("a", "two"), ("a", "three")]));
}

#[test]
fn a_start_that_fails_stops_what_was_started() {
    expect![[r#"
        {start,a}
        {stop,a,shutdown}
        {error,{shutdown,{failed_to_start_child,bad,bad_start}}}"#]]
    .assert_eq(&supervise("{one_for_one,1,[{a,permanent},{bad,permanent},{c,permanent}]}", &[]));
}

#[test]
fn a_restart_that_fails_is_tried_again() {
    let spec = "{one_for_one,3,[{fails_once_restarted,permanent}]}";
    expect![[r#"
        {start,fails_once_restarted}
        {tell,fails_once_restarted,boom}
        {stop,fails_once_restarted,boom}
        start_fails
        {start,fails_once_restarted}
        [{fails_once_restarted,pid}]
        {stop,fails_once_restarted,shutdown}"#]]
    .assert_eq(&supervise(spec, &[("fails_once_restarted", "boom")]));
}

#[test]
fn a_child_that_does_not_stop_is_killed() {
    let spec = "{one_for_all,3,[{a,permanent},{stubborn,permanent}]}";
    expect![[r#"
        {start,a}
        {start,stubborn}
        {tell,a,boom}
        {stop,a,boom}
        {stop,stubborn,shutdown}
        {start,a}
        {start,stubborn}
        [{stubborn,pid},{a,pid}]
        {stop,stubborn,shutdown}
        {stop,a,shutdown}"#]]
    .assert_eq(&supervise(spec, &[("a", "boom")]));
}

#[test]
fn children_come_and_go_by_request() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        cx.start(Atom::new("sup"), term("{one_for_one,3,[]}"), Some(Atom::new("the_sup")))?;
        let sup = term("the_sup");
        let spec = "#{id => a, start => {worker, start_link, [a]}}";
        let short = |answer: Term| match answer.as_tuple() {
            Some([tag, Term::Pid(_)]) => tag.clone(),
            Some([_, Term::Tuple(items)]) => items[0].clone(),
            _ => answer,
        };
        let first = cx.start_child(&sup, term(spec))?;
        say(cx, &short(first))?;
        let again = cx.start_child(&sup, term(spec))?;
        say(cx, &short(again))?;
        for (verb, id) in [
            ("delete", "a"),
            ("restart", "a"),
            ("terminate", "a"),
            ("terminate", "zz"),
            ("restart", "a"),
            ("terminate", "a"),
            ("delete", "a"),
        ] {
            let answer = match verb {
                "delete" => cx.delete_child(&sup, term(id))?,
                "restart" => cx.restart_child(&sup, term(id))?,
                _ => cx.terminate_child(&sup, term(id))?,
            };
            say(cx, &Term::tuple([term(verb), short(answer)]))?;
        }
        let bad = cx.start_child(&sup, term("#{id => b, start => {worker, start_link, [bad]}}"))?;
        say(cx, &bad)?;
        let wrong = cx.start_child(&sup, term("#{id => b}"))?;
        say(cx, &wrong)?;
        let counts = cx.count_children(&sup)?;
        say(cx, &counts)
    }
    let modules = modules(main).server::<Worker>("worker").supervisor("sup", supervisor);
    expect![[r#"
        {start,a}
        ok
        already_started
        {delete,{error,running}}
        {restart,{error,running}}
        {stop,a,shutdown}
        {terminate,ok}
        {terminate,{error,not_found}}
        {start,a}
        {restart,ok}
        {stop,a,shutdown}
        {terminate,ok}
        {delete,ok}
        {error,{bad_start,{child,undefined,b,{worker,start_link,[bad]},permanent,false,5000,worker,[worker]}}}
        {error,missing_start}
        [{specs,0},{active,0},{supervisors,0},{workers,0}]"#]]
    .assert_eq(&play(1, modules).logged().join("\n"));
}

#[test]
fn simple_one_for_one_starts_copies_and_stops_them_together() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        cx.trap_exit(true)?;
        let started = cx.start_link(Atom::new("pool"), Term::Nil, None)?;
        let sup = started.as_tuple().expect("ok")[1].clone();
        let mut pids = Vec::new();
        for name in ["x", "y", "z"] {
            let started = cx.start_child(&sup, Term::list([term(name)]))?;
            pids.push(started.as_tuple().expect("ok")[1].clone());
        }
        let counts = cx.count_children(&sup)?;
        say(cx, &counts)?;
        cx.cast(&pids[1], term("boom"))?;
        cx.sleep(1_000_000)?;
        let gone = cx.terminate_child(&sup, pids[0].clone())?;
        say(cx, &gone)?;
        let counts = cx.count_children(&sup)?;
        say(cx, &counts)?;
        cx.exit_signal(sup.as_pid().expect("a pid"), term("shutdown"))?;
        cx.receive(None, None).map(drop)
    }
    fn pool(_args: &Term) -> SupervisorSpec {
        let spec = "#{id => worker, start => [worker], restart => transient}";
        SupervisorSpec::parse(&term("#{strategy => simple_one_for_one}"), &[term(spec)]).expect("good specs")
    }
    let modules = modules(main).server::<Worker>("worker").supervisor("pool", pool);
    expect![[r#"
        {start,x}
        {start,y}
        {start,z}
        [{specs,1},{active,3},{supervisors,0},{workers,3}]
        {stop,y,boom}
        {start,y}
        {stop,x,shutdown}
        ok
        [{specs,1},{active,2},{supervisors,0},{workers,2}]
        {stop,y,shutdown}
        {stop,z,shutdown}"#]]
    .assert_eq(&play(1, modules).logged().join("\n"));
}

#[test]
fn a_significant_child_takes_its_supervisor_along() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        cx.trap_exit(true)?;
        cx.start_link(Atom::new("sup"), Term::Nil, None)?;
        cx.cast(&term("lead"), term("normal"))?;
        let exit = cx.receive(None, None)?.expect("no timeout");
        say(cx, &exit.as_tuple().expect("a tuple")[2])
    }
    fn sup(_args: &Term) -> SupervisorSpec {
        let flags = term("#{auto_shutdown => any_significant}");
        let lead = "#{id => lead, name => lead, start => [worker, lead], restart => transient, significant => true}";
        SupervisorSpec::parse(&flags, &[term("#{id => a, start => [worker, a]}"), term(lead)]).expect("good specs")
    }
    let modules = modules(main).server::<Worker>("worker").supervisor("sup", sup);
    expect![[r#"
        {start,a}
        {start,lead}
        {stop,lead,normal}
        {stop,a,shutdown}
        shutdown"#]]
    .assert_eq(&play(1, modules).logged().join("\n"));
    let refused = "#{id => a, start => [worker], significant => true}";
    let error = SupervisorSpec::parse(&term("#{}"), &[term(refused)]).expect_err("OTP refuses it");
    expect!["{bad_combination,[{auto_shutdown,never},{significant,true}]}"].assert_eq(&show(&error));
}

#[test]
fn supervision_is_recorded_with_exact_causes() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        cx.start(Atom::new("sup"), term("{one_for_one,3,[{a,permanent}]}"), None)?;
        cx.cast(&term("a"), term("boom"))
    }
    let modules = modules(main).server::<Worker>("worker").supervisor("sup", supervisor);
    let tape = play(1, modules);
    let kinds = [Kind::ChildSpecChange, Kind::Crash, Kind::ExitSignal, Kind::SupervisorRestart, Kind::StateChange];
    expect![[r#"
         12 state_change init <103> a <- 9 handle_start
         16 child_spec_change <102> ~<103> a #{id => a,op => added,pid => <0.103.0>,restart => permanent,type => worker} <- 6 handle_start
         17 state_change init <102> #{children => [{a,<0.103.0>,permanent}],intensity => 3,period => 5,restarts => [],strategy => one_for_one} <- 6 handle_start
         25 exit_signal exit <100> ~<101> EXIT {'EXIT',<0.101.0>,normal} <- 23 exit
         31 crash <103> worker boom <- 28 handle_start
         35 exit_signal exit <102> ~<103> EXIT {'EXIT',<0.103.0>,boom} <- 31 crash
         42 state_change init <104> a <- 39 handle_start
         46 supervisor_restart <102> ~<104> a #{id => a,new => <0.104.0>,old => <0.103.0>,reason => boom} <- 31 crash
         47 state_change exit <102> EXIT #{children => [{a,<0.104.0>,permanent}],intensity => 3,period => 5,restarts => [0],strategy => one_for_one} <- 36 handle_start
    "#]].assert_eq(&tape.lines(&kinds));
}
