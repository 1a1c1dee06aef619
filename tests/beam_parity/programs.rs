//! The twins of programs.erl.

use cinema::model::{Atom, Pid, Term};
use cinema::sandbox::sim::native::RunFn;
use cinema::sandbox::sim::{Context, Effect, Interrupt, Raise};

use super::servers::{idle, pid_of, say, sleep_ms, term};

/// The program of a name.
pub fn find(name: &str) -> Option<RunFn> {
    let all: [(&str, RunFn); 16] = [
        ("links", links),
        ("exits", exits),
        ("monitors", monitors),
        ("names_", names),
        ("timers", timers),
        ("mailbox", mailbox),
        ("calls", calls),
        ("inits", inits),
        ("callbacks", callbacks),
        ("terminations", terminations),
        ("one_for_one", one_for_one),
        ("one_for_all", one_for_all),
        ("rest_for_one", rest_for_one),
        ("intensity", intensity),
        ("dynamic", dynamic),
        ("requests", requests),
    ];
    all.into_iter().find(|(known, _)| *known == name).map(|(_, run)| run)
}

fn pair(first: impl Into<Term>, second: impl Into<Term>) -> Term {
    Term::tuple([first.into(), second.into()])
}

fn spawn_link(cx: &mut Context, module: &str, args: Term) -> Effect<Pid> {
    Ok(pid_of(&cx.start_link(Atom::new(module), args, None)?))
}

fn spawn(cx: &mut Context, module: &str, args: Term) -> Effect<Pid> {
    Ok(pid_of(&cx.start(Atom::new(module), args, None)?))
}

/// A process that does one thing, which its argument names: the funs of programs.erl.
pub fn obedient(cx: &mut Context, args: &Term) -> Effect<()> {
    let me = cx.self_pid();
    match args.tag().map_or("", Atom::as_str) {
        "middle" => {
            let deep = spawn_link(cx, "idle", Term::Nil)?;
            cx.register(Atom::new("deep"), deep)?;
            idle(cx, args)
        }
        "parent" => {
            cx.start_link(Atom::new("told"), args.as_tuple().expect("a pair")[1].clone(), Some(Atom::new("child")))?;
            idle(cx, args)
        }
        "suicide" => {
            cx.trap_exit(args.tagged("suicide", 2).is_some_and(|items| items[1].is_atom("kill")))?;
            cx.receive(None, None)?;
            cx.exit_signal(me, args.as_tuple().expect("a pair")[1].clone())?;
            sleep_ms(cx, 10)?;
            say(cx, &term("not_reached"))
        }
        "killer" => {
            sleep_ms(cx, 10)?;
            let victim = args.as_tuple().expect("a pair")[1].as_pid().expect("a pid");
            cx.exit_signal(victim, term("kill"))
        }
        _ => Ok(()),
    }
}

fn exit_reason(cx: &mut Context) -> Effect<Term> {
    let mut is_exit = |message: &Term| message.tagged("EXIT", 3).is_some();
    let exit = cx.receive(Some(50), Some(&mut is_exit))?;
    Ok(exit.map_or(term("nothing"), |exit| exit.as_tuple().expect("a triple")[2].clone()))
}

/// `{Object, Reason}` of a 'DOWN', or `nothing`.
fn down_reason(cx: &mut Context) -> Effect<Term> {
    let mut is_down = |message: &Term| message.tagged("DOWN", 5).is_some();
    let down = cx.receive(Some(50), Some(&mut is_down))?;
    Ok(down.map_or(term("nothing"), |down| {
        let items = down.as_tuple().expect("a 'DOWN'");
        pair(items[3].clone(), items[4].clone())
    }))
}

fn second(term: &Term) -> Term {
    term.as_tuple().expect("a pair")[1].clone()
}

fn links(cx: &mut Context, _args: &Term) -> Effect<()> {
    cx.trap_exit(true)?;
    for reason in ["normal", "kill", "boom", "shutdown"].map(term) {
        let pid = spawn_link(cx, "idle", Term::Nil)?;
        cx.exit_signal(pid, reason.clone())?;
        let seen = exit_reason(cx)?;
        say(cx, &pair(reason, seen))?;
    }
    let suicide = spawn_link(cx, "idle", Term::Nil)?;
    cx.send(&suicide.into(), term("{stop, kill}"))?;
    let seen = exit_reason(cx)?;
    say(cx, &seen)?;
    spawn_link(cx, "obedient", term("middle"))?;
    sleep_ms(cx, 10)?;
    cx.send(&term("deep"), term("{stop, chain}"))?;
    let seen = exit_reason(cx)?;
    say(cx, &pair(term("middle"), seen))?;
    let untouched = spawn_link(cx, "obedient", term("middle"))?;
    sleep_ms(cx, 10)?;
    cx.send(&term("deep"), term("{stop, normal}"))?;
    sleep_ms(cx, 10)?;
    let is_alive = cx.is_alive(untouched)?;
    say(cx, &Term::bool(is_alive))
}

fn exits(cx: &mut Context, _args: &Term) -> Effect<()> {
    let first = spawn(cx, "idle", Term::Nil)?;
    cx.exit_signal(first, term("kill"))?;
    sleep_ms(cx, 10)?;
    let linked = cx.link(first);
    say_outcome(cx, linked)?;
    let killed = spawn(cx, "idle", Term::Nil)?;
    cx.exit_signal(killed, term("kill"))?;
    cx.monitor(&killed.into())?;
    let down = down_reason(cx)?;
    say(cx, &second(&down))?;
    cx.trap_exit(true)?;
    cx.link(first)?;
    let seen = exit_reason(cx)?;
    say(cx, &seen)?;
    let unlinked = spawn_link(cx, "idle", Term::Nil)?;
    cx.exit_signal(unlinked, term("boom"))?;
    cx.unlink(unlinked)?;
    let seen = exit_reason(cx)?;
    say(cx, &seen)?;
    let me = cx.self_pid();
    cx.exit_signal(me, term("normal"))?;
    let seen = exit_reason(cx)?;
    say(cx, &seen)?;
    for reason in ["normal", "kill"] {
        let suicide = spawn(cx, "obedient", pair(term("suicide"), term(reason)))?;
        cx.monitor(&suicide.into())?;
        cx.send(&suicide.into(), term("go"))?;
        let down = down_reason(cx)?;
        say(cx, &second(&down))?;
    }
    Ok(())
}

fn monitors(cx: &mut Context, _args: &Term) -> Effect<()> {
    let pid = spawn(cx, "idle", Term::Nil)?;
    cx.register(Atom::new("idler"), pid)?;
    cx.monitor(&pid.into())?;
    cx.monitor(&term("idler"))?;
    let dropped = cx.monitor(&pid.into())?;
    cx.demonitor(&dropped, false)?;
    cx.send(&term("idler"), term("{stop, bye}"))?;
    for _ in 0..3 {
        let down = down_reason(cx)?;
        say(cx, &down)?;
    }
    for dest in [term("idler"), pid.into()] {
        cx.monitor(&dest)?;
        let down = down_reason(cx)?;
        say(cx, &down)?;
    }
    let other = spawn(cx, "idle", Term::Nil)?;
    let flushed = cx.monitor(&other.into())?;
    cx.send(&other.into(), term("{stop, flushed}"))?;
    sleep_ms(cx, 10)?;
    cx.demonitor(&flushed, true)?;
    let down = down_reason(cx)?;
    say(cx, &down)
}

/// `fine`, or `{Class, Reason}`.
fn say_outcome(cx: &mut Context, outcome: Effect<()>) -> Effect<()> {
    match outcome {
        Ok(()) => say(cx, &term("fine")),
        Err(Interrupt::Raise(Raise::Error { reason, .. })) => say(cx, &pair(term("error"), reason)),
        Err(other) => Err(other),
    }
}

fn names(cx: &mut Context, _args: &Term) -> Effect<()> {
    let me = cx.self_pid();
    cx.register(Atom::new("first"), me)?;
    let outcome = cx.register(Atom::new("first"), me);
    say_outcome(cx, outcome)?;
    let outcome = cx.register(Atom::new("second"), me);
    say_outcome(cx, outcome)?;
    let outcome = cx.unregister(Atom::new("unknown"));
    say_outcome(cx, outcome)?;
    let outcome = cx.send(&term("unknown"), term("hello"));
    say_outcome(cx, outcome)?;
    let outcome = cx.send(&term("{unknown, nonode@nohost}"), term("hello"));
    say_outcome(cx, outcome)?;
    let dead = spawn(cx, "obedient", Term::Nil)?;
    sleep_ms(cx, 10)?;
    let outcome = cx.register(Atom::new("dead"), dead);
    say_outcome(cx, outcome)?;
    let outcome = cx.send(&dead.into(), term("hello"));
    say_outcome(cx, outcome)?;
    let outcome = cx.unregister(Atom::new("first"));
    say_outcome(cx, outcome)?;
    let whereis = |found: Option<Pid>| found.map_or(term("undefined"), Term::Pid);
    let found = cx.whereis(Atom::new("first"))?;
    say(cx, &whereis(found))?;
    let pid = spawn(cx, "idle", Term::Nil)?;
    cx.register(Atom::new("third"), pid)?;
    cx.monitor(&pid.into())?;
    cx.send(&pid.into(), term("{stop, gone}"))?;
    down_reason(cx)?;
    let found = cx.whereis(Atom::new("third"))?;
    say(cx, &pair(term("free_at_down"), whereis(found)))
}

fn timers(cx: &mut Context, _args: &Term) -> Effect<()> {
    let me = Term::Pid(cx.self_pid());
    cx.send_after(40, &me, term("late"))?;
    cx.send_after(20, &me, term("first"))?;
    cx.start_timer(30, &me, term("wrapped"))?;
    let never = cx.start_timer(10_000, &me, term("never"))?;
    let left = cx.cancel_timer(&never)?;
    say(cx, &Term::bool(left.as_int().is_some_and(|ms| (9_001..=10_000).contains(&ms))))?;
    let again = cx.cancel_timer(&never)?;
    say(cx, &again)?;
    let dead = spawn(cx, "obedient", Term::Nil)?;
    cx.send_after(5, &dead.into(), term("nobody"))?;
    for _ in 0..4 {
        let message = cx.receive(Some(100), None)?;
        say(cx, &message.unwrap_or(term("nothing")))?;
    }
    Ok(())
}

fn mailbox(cx: &mut Context, _args: &Term) -> Effect<()> {
    let me = Term::Pid(cx.self_pid());
    for message in ["a", "{b,1}", "c", "{b,2}"] {
        cx.send(&me, term(message))?;
    }
    let mut is_b = |message: &Term| message.tagged("b", 2).is_some();
    for _ in 0..3 {
        let found = cx.receive(Some(5), Some(&mut is_b))?;
        say(cx, &found.map_or(term("none"), |found| second(&found)))?;
    }
    for _ in 0..3 {
        let found = cx.receive(Some(0), None)?;
        say(cx, &found.unwrap_or(term("none")))?;
    }
    Ok(())
}

fn call(cx: &mut Context, dest: &Term, request: Term, timeout_ms: u64) -> Effect<()> {
    let outcome = match cx.gen_call(dest, request, Some(timeout_ms)) {
        Ok(reply) => pair(term("ok"), reply),
        Err(Interrupt::Raise(Raise::Exit(reason))) => {
            let items = reason.as_tuple().expect("a pair").to_vec();
            let n_args = items[1].as_tuple().expect("a triple")[2].as_list().expect("arguments").len();
            Term::tuple([term("exit"), items[0].clone(), Term::Int(n_args as i64)])
        }
        Err(other) => return Err(other),
    };
    say(cx, &outcome)
}

fn told(cx: &mut Context, args: &str) -> Effect<Term> {
    Ok(spawn(cx, "told", term(args))?.into())
}

fn calls(cx: &mut Context, _args: &Term) -> Effect<()> {
    let requests = [
        "get",
        "{add,2}",
        "{stop,bye}",
        "{stop,normal}",
        "{raise,boom}",
        "{exit,gone}",
        "{throw,ball}",
        "{bad,x}",
        "{stop_reply,fine}",
        "{later,10}",
    ];
    for request in requests {
        let pid = told(cx, "40")?;
        call(cx, &pid, term(request), 200)?;
    }
    let slow = told(cx, "0")?;
    call(cx, &slow, term("{sleep,50}"), 10)?;
    sleep_ms(cx, 80)?;
    let late = cx.receive(Some(0), None)?;
    say(cx, &late.unwrap_or(term("no_late_reply")))?;
    call(cx, &slow, term("get"), 200)?;
    call(cx, &term("nobody"), term("get"), 200)?;
    let me = Term::Pid(cx.self_pid());
    call(cx, &me, term("get"), 200)?;
    let (one, two) = (told(cx, "1")?, told(cx, "2")?);
    call(cx, &one, pair(term("call"), two), 200)?;
    let killed = told(cx, "3")?;
    spawn(cx, "obedient", pair(term("killer"), killed.clone()))?;
    call(cx, &killed, term("{sleep,100}"), 500)
}

fn inits(cx: &mut Context, _args: &Term) -> Effect<()> {
    cx.trap_exit(true)?;
    let starter = Atom::new("starter");
    for args in ["{stop,no}", "ignore", "{raise,boom}", "{exit,gone}", "bad", "5"] {
        let started = cx.start_link(Atom::new("told"), term(args), Some(starter))?;
        let exit = exit_reason(cx)?;
        say(cx, &pair(started, exit))?;
        let found = cx.whereis(starter)?;
        say(cx, &found.map_or(term("undefined"), Term::Pid))?;
    }
    let again = cx.start_link(Atom::new("told"), term("6"), Some(starter))?;
    say(cx, &again)?;
    let unlinked = cx.start(Atom::new("told"), term("{stop,unlinked}"), None)?;
    say(cx, &unlinked)
}

fn callbacks(cx: &mut Context, _args: &Term) -> Effect<()> {
    let pid = told(cx, "{continue,first}")?;
    cx.gen_call(&pid, term("{continue,second}"), Some(5_000))?;
    cx.gen_call(&pid, term("{wait,10}"), Some(5_000))?;
    sleep_ms(cx, 40)?;
    cx.gen_call(&pid, term("{wait,20}"), Some(5_000))?;
    cx.send(&pid, term("message"))?;
    sleep_ms(cx, 60)?;
    cx.send(&pid, term("{sleep,20}"))?;
    let from = pair(cx.self_pid(), term("tag"));
    cx.send(&pid, Term::tuple([term("'$gen_call'"), from, term("{wait,0}")]))?;
    cx.send(&pid, term("queued"))?;
    sleep_ms(cx, 60)?;
    let reply = cx.receive(Some(0), None)?;
    say(cx, &reply.unwrap_or(term("none")))?;
    cx.cast(&pid, term("{add,5}"))?;
    for request in ["get_state", "{replace_state,9}"] {
        let answer = cx.sys(&pid, term(request))?;
        say(cx, &second(&answer))?;
    }
    cx.sys(&pid, term("suspend"))?;
    call(cx, &pid, term("get"), 20)?;
    cx.sys(&pid, term("resume"))?;
    call(cx, &pid, term("get"), 20)?;
    cx.cast(&term("nobody"), term("whatever"))?;
    cx.cast(&pid, term("{stop,{shutdown,done}}"))
}

fn terminations(cx: &mut Context, _args: &Term) -> Effect<()> {
    for (args, reason) in [("trap", "gone"), ("trap", "normal"), ("5", "gone")] {
        let parent = spawn(cx, "obedient", pair(term("parent"), term(args)))?;
        sleep_ms(cx, 10)?;
        let child = cx.whereis(Atom::new("child"))?.expect("the child registers");
        cx.monitor(&child.into())?;
        cx.exit_signal(child, term("from_a_stranger"))?;
        sleep_ms(cx, 10)?;
        cx.send(&parent.into(), pair(term("stop"), term(reason)))?;
        let down = down_reason(cx)?;
        say(cx, &pair(term(args), second(&down)))?;
    }
    Ok(())
}

/// Starts a supervisor, tells workers to end, says what is left; at last the supervisor is told to shut down.
fn supervise(cx: &mut Context, spec: &str, orders: &[(&str, &str)]) -> Effect<()> {
    cx.trap_exit(true)?;
    let started = cx.start_link(Atom::new("sup"), term(spec), Some(Atom::new("the_sup")))?;
    if started.tagged("ok", 2).is_none() {
        return say(cx, &started);
    }
    for (name, reason) in orders {
        say(cx, &Term::tuple([term("tell"), term(name), term(reason)]))?;
        cx.cast(&term(name), term(reason))?;
        sleep_ms(cx, 150)?;
        if cx.whereis(Atom::new("the_sup"))?.is_none() {
            let why = exit_reason(cx)?;
            return say(cx, &pair(term("sup_ended"), why));
        }
        let children = cx.which_children(&term("the_sup"))?;
        let row = |child: &Term| {
            let items = child.as_tuple().expect("a child");
            pair(items[0].clone(), items[1].clone())
        };
        say(cx, &Term::list(children.as_list().expect("a list").iter().map(row).collect::<Vec<_>>()))?;
    }
    cx.exit_signal(pid_of(&started), term("shutdown"))?;
    let mut is_exit = |message: &Term| message.tagged("EXIT", 3).is_some();
    let exit = cx.receive(None, Some(&mut is_exit))?.expect("no timeout");
    say(cx, &pair(term("sup_ended"), exit.as_tuple().expect("a triple")[2].clone()))
}

fn one_for_one(cx: &mut Context, _args: &Term) -> Effect<()> {
    let orders = [("a", "normal"), ("b", "boom"), ("b", "{shutdown,x}"), ("c", "boom"), ("a", "shutdown")];
    supervise(cx, "{one_for_one, 5, [{a,permanent},{b,transient},{c,temporary}]}", &orders)
}

fn one_for_all(cx: &mut Context, _args: &Term) -> Effect<()> {
    let spec = "{one_for_all, 5, [{a,permanent},{b,permanent},{c,temporary}]}";
    supervise(cx, spec, &[("b", "boom"), ("a", "boom")])
}

fn rest_for_one(cx: &mut Context, _args: &Term) -> Effect<()> {
    let spec = "{rest_for_one, 5, [{a,permanent},{b,permanent},{stubborn,permanent},{d,permanent}]}";
    supervise(cx, spec, &[("b", "boom")])
}

fn intensity(cx: &mut Context, _args: &Term) -> Effect<()> {
    let orders = [("a", "one"), ("a", "two"), ("a", "three")];
    supervise(cx, "{one_for_one, 1, [{a,permanent},{b,permanent}]}", &orders)?;
    supervise(cx, "{one_for_one, 1, [{a,permanent},{bad,permanent},{c,permanent}]}", &[])
}

fn dynamic(cx: &mut Context, _args: &Term) -> Effect<()> {
    cx.trap_exit(true)?;
    let pool = spawn_link(cx, "sup", term("{simple_one_for_one, 3, transient}"))?;
    let sup = Term::Pid(pool);
    let x = cx.start_child(&sup, term("[x]"))?;
    cx.start_child(&sup, term("[y]"))?;
    let answer = cx.start_child(&sup, term("[bad]"))?;
    say(cx, &answer)?;
    let counts = cx.count_children(&sup)?;
    say(cx, &counts)?;
    cx.cast(&term("y"), term("boom"))?;
    sleep_ms(cx, 20)?;
    for which in [second(&x), term("x")] {
        let answer = cx.terminate_child(&sup, which)?;
        say(cx, &answer)?;
    }
    let answer = cx.restart_child(&sup, term("x"))?;
    say(cx, &answer)?;
    cx.cast(&term("y"), term("normal"))?;
    sleep_ms(cx, 20)?;
    let counts = cx.count_children(&sup)?;
    say(cx, &counts)?;
    cx.exit_signal(pool, term("shutdown"))?;
    let seen = exit_reason(cx)?;
    say(cx, &seen)
}

fn requests(cx: &mut Context, _args: &Term) -> Effect<()> {
    let pid = spawn_link(cx, "sup", term("{one_for_one, 3, [{z,permanent}]}"))?;
    let sup = Term::Pid(pid);
    let spec = "#{id => a, start => {worker, start_link, [a]}}";
    let verbs = [
        ("start", spec),
        ("start", spec),
        ("delete", "a"),
        ("restart", "a"),
        ("terminate", "a"),
        ("start", spec),
        ("terminate", "zz"),
        ("which", "a"),
        ("restart", "a"),
        ("terminate", "a"),
        ("delete", "a"),
        ("delete", "a"),
    ];
    for (verb, argument) in verbs {
        let argument = term(argument);
        let answer = match verb {
            "start" => cx.start_child(&sup, argument)?,
            "delete" => cx.delete_child(&sup, argument)?,
            "restart" => cx.restart_child(&sup, argument)?,
            "terminate" => cx.terminate_child(&sup, argument)?,
            _ => cx.which_children(&sup)?,
        };
        say(cx, &answer)?;
    }
    let answer = cx.start_child(&sup, term("#{id => a, start => {worker, start_link, [bad]}}"))?;
    say(cx, &answer.as_tuple().expect("an error")[0])?;
    let counts = cx.count_children(&sup)?;
    say(cx, &counts)?;
    cx.unlink(pid)?;
    cx.exit_signal(pid, term("kill"))
}
