//! Signals, links, monitors, names, timers, receive.

use expect_test::expect;

use super::*;

#[test]
fn a_message_is_sent_arrives_and_is_taken() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        let pid = spawn(cx, "idle", Term::Nil, false)?;
        cx.send(&Term::Pid(pid), term("{stop, shutdown}"))
    }
    let tape = play(1, ModuleSet::new().process("main", main).process("idle", idle));
    expect![[r#"
        0 spawn <100> shell #{args => [],function => run,module => shell}
        1 input <100> start {start,main,[],undefined,true}
        2 spawn <101> ~<100> main #{args => [],function => run,module => main} <- 1 input
        3 link <100> ~<101> <- 1 input
        4 handle_start init <101>
        5 spawn <102> ~<101> idle #{args => [],function => run,module => idle} <- 4 handle_start
        6 send info <101> ~<102> stop {stop,shutdown} <- 4 handle_start
        7 handle_end init <101> <- 4 handle_start
        8 exit <101> main normal <- 4 handle_start
        9 handle_start init <102>
        10 handle_end init <102> <- 9 handle_start
        11 receive info <102> ~<101> stop {stop,shutdown} <- 6 send
        12 exit_signal exit <100> ~<101> EXIT {'EXIT',<0.101.0>,normal} <- 8 exit
        13 handle_start info <102> ~<101> stop <- 11 receive
        14 handle_end info <102> <- 13 handle_start
        15 exit <102> idle shutdown <- 13 handle_start
        16 handle_start exit <100> ~<101> EXIT <- 12 exit_signal
        17 handle_end exit <100> <- 16 handle_start
    "#]]
    .assert_eq(&tape.lines(&[]));
}

#[test]
fn selective_receive_takes_the_oldest_that_matches_and_leaves_the_rest() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        let me = Term::Pid(cx.self_pid());
        for text in ["a", "{b,1}", "c", "{b,2}"] {
            cx.send(&me, term(text))?;
        }
        let mut is_b = |message: &Term| message.tagged("b", 2).is_some();
        for _ in 0..3 {
            let taken = cx.receive(Some(5), Some(&mut is_b))?;
            say(cx, &taken.unwrap_or(term("timeout")))?;
        }
        for _ in 0..3 {
            let taken = cx.receive(Some(0), None)?;
            say(cx, &taken.unwrap_or(term("timeout")))?;
        }
        Ok(())
    }
    expect![[r#"
        {b,1}
        {b,2}
        timeout
        a
        c
        timeout"#]]
    .assert_eq(&outcome(main));
}

#[test]
fn exit_signals_follow_the_manual() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        cx.trap_exit(true)?;
        for reason in ["normal", "kill", "boom", "shutdown"] {
            let pid = spawn(cx, "idle", Term::Nil, true)?;
            cx.exit_signal(pid, term(reason))?;
            let seen = cx.receive(Some(10), None)?;
            let seen = seen.and_then(|message| message.as_tuple().map(|items| items[2].clone()));
            say(cx, &Term::tuple([term(reason), seen.unwrap_or(term("nothing"))]))?;
        }
        // exit(kill) by oneself travels as kill, and a trapping process takes it as a message.
        let pid = spawn(cx, "idle", Term::Nil, true)?;
        cx.send(&Term::Pid(pid), term("{stop, kill}"))?;
        let seen = cx.receive(None, None)?.expect("no timeout");
        say(cx, &seen.as_tuple().expect("a tuple")[2])
    }
    expect![[r#"
        {normal,nothing}
        {kill,killed}
        {boom,boom}
        {shutdown,shutdown}
        kill"#]]
    .assert_eq(&outcome(main));
}

#[test]
fn links_to_the_dead_and_unlink() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        let pid = spawn(cx, "idle", Term::Nil, false)?;
        cx.exit_signal(pid, term("kill"))?;
        cx.sleep(1_000_000)?;
        match cx.link(pid) {
            Err(Interrupt::Raise(Raise::Error { reason, .. })) => say(cx, &Term::tuple([term("raised"), reason]))?,
            other => other?,
        }
        cx.trap_exit(true)?;
        cx.link(pid)?;
        let seen = cx.receive(None, None)?.expect("no timeout");
        say(cx, &seen.as_tuple().expect("a tuple")[2])?;
        let pid = spawn(cx, "idle", Term::Nil, true)?;
        cx.exit_signal(pid, term("boom"))?;
        cx.unlink(pid)?;
        let seen = cx.receive(Some(5), None)?;
        say(cx, &seen.unwrap_or(term("nothing_after_unlink")))
    }
    expect![[r#"
        {raised,noproc}
        noproc
        nothing_after_unlink"#]]
    .assert_eq(&outcome(main));
}

#[test]
fn monitors_stack_and_name_what_they_watched() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        let pid = spawn(cx, "idle", Term::Nil, false)?;
        cx.register(Atom::new("idler"), pid)?;
        let first = cx.monitor(&Term::Pid(pid))?;
        cx.monitor(&term("idler"))?;
        let dropped = cx.monitor(&Term::Pid(pid))?;
        cx.demonitor(&dropped, true)?;
        cx.send(&term("idler"), term("{stop, bye}"))?;
        for _ in 0..3 {
            let Some(down) = cx.receive(Some(5), None)? else {
                say(cx, &term("no_more"))?;
                continue;
            };
            let items = down.as_tuple().expect("a tuple");
            say(cx, &Term::tuple([Term::bool(items[1] == first), items[2].clone(), items[4].clone()]))?;
        }
        cx.monitor(&term("idler"))?;
        let down = cx.receive(None, None)?.expect("no timeout");
        let items = down.as_tuple().expect("a tuple");
        say(cx, &Term::tuple([items[3].clone(), items[4].clone()]))
    }
    expect![[r#"
        {true,process,bye}
        {false,process,bye}
        no_more
        {{idler,nonode@nohost},noproc}"#]]
    .assert_eq(&outcome(main));
}

#[test]
fn names_raise_badarg_as_in_otp() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        let me = cx.self_pid();
        let name = Atom::new("main");
        cx.register(name, me)?;
        type Try<'a> = &'a dyn Fn(&mut Context) -> Effect<()>;
        let tries: [Try; 5] = [
            &|cx| cx.register(name, me),
            &|cx| cx.register(Atom::new("second"), me),
            &|cx| cx.register(Atom::new("undefined"), me),
            &|cx| cx.unregister(Atom::new("unknown")),
            &|cx| cx.send(&term("unknown"), term("hello")),
        ];
        for attempt in tries {
            match attempt(cx) {
                Err(Interrupt::Raise(Raise::Error { reason, .. })) => say(cx, &reason)?,
                other => other.and_then(|()| say(cx, &term("fine")))?,
            }
        }
        cx.send(&term("{unknown, nonode@nohost}"), term("silent"))?;
        cx.unregister(name)?;
        let found = cx.whereis(name)?;
        say(cx, &Term::bool(found.is_some()))
    }
    expect![[r#"
        badarg
        badarg
        badarg
        badarg
        badarg
        false"#]]
    .assert_eq(&outcome(main));
}

#[test]
fn timers_fire_in_order_and_tell_what_was_left() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        let me = Term::Pid(cx.self_pid());
        cx.send_after(20, &me, term("late"))?;
        cx.send_after(10, &me, term("first"))?;
        cx.send_after(10, &me, term("second"))?;
        let reference = cx.start_timer(15, &me, term("wrapped"))?;
        let cancelled = cx.start_timer(100, &me, term("never"))?;
        cx.sleep(5_000_000)?;
        let left = cx.cancel_timer(&cancelled)?;
        say(cx, &left)?;
        let again = cx.cancel_timer(&cancelled)?;
        say(cx, &again)?;
        for _ in 0..5 {
            let message = cx.receive(Some(50), None)?.unwrap_or(term("nothing"));
            let is_wrapped = message.as_tuple().is_some_and(|items| items[1] == reference);
            let shown = if is_wrapped { message.as_tuple().expect("a tuple")[2].clone() } else { message };
            say(cx, &shown)?;
        }
        Ok(())
    }
    expect![[r#"
        94
        false
        first
        second
        wrapped
        late
        nothing"#]]
    .assert_eq(&outcome(main));
}

#[test]
fn work_keeps_a_process_busy_and_lets_others_run() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        let me = Term::Pid(cx.self_pid());
        cx.send_after(2, &me, term("ping"))?;
        cx.work(5_000_000)?;
        let after_work = cx.now_ns()?;
        let waiting = cx.process_info(cx.self_pid())?;
        let queued = waiting.as_map().and_then(|info| info.get_atom("message_queue_len").cloned());
        say(cx, &Term::tuple([Term::bool(after_work >= 5_000_000), queued.expect("a known key")]))?;
        cx.receive(None, None)?;
        let after_receive = cx.now_ns()?;
        say(cx, &Term::bool(after_receive < after_work + 1_000_000))
    }
    expect![[r#"
        {true,1}
        true"#]]
    .assert_eq(&outcome(main));
}

#[test]
fn a_crash_names_its_cause() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        let pid = spawn(cx, "crasher", Term::Nil, true)?;
        cx.send(&Term::Pid(pid), term("go"))?;
        cx.receive(None, None).map(drop)
    }
    fn crasher(cx: &mut Context, _args: &Term) -> Effect<()> {
        cx.receive(None, None)?;
        Err(Interrupt::error(term("badmatch")))
    }
    let tape = play(1, ModuleSet::new().process("main", main).process("crasher", crasher));
    expect![[r#"
        7 send info <101> ~<102> go go <- 4 handle_start
        14 crash <102> crasher {badmatch,[]} <- 12 handle_start
        15 exit_signal exit <101> ~<102> {badmatch,[]} <- 14 crash
        16 crash <101> main {badmatch,[]} <- 15 exit_signal
        17 exit_signal exit <100> ~<101> EXIT {'EXIT',<0.101.0>,{badmatch,[]}} <- 16 crash
    "#]]
    .assert_eq(&tape.lines(&[Kind::Send, Kind::Crash, Kind::ExitSignal]));
}

#[test]
fn a_callback_that_is_not_a_function_of_its_input_is_told_so() {
    use std::cell::Cell;
    thread_local! { static RUNS: Cell<i64> = const { Cell::new(0) }; }
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        let n = RUNS.with(|runs| runs.replace(runs.get() + 1));
        cx.put(term("n"), Term::Int(n))?;
        cx.sleep(1_000)
    }
    let tape = play(1, ModuleSet::new().process("main", main));
    expect![[r#"
          5 crash <101> main <<"callback_not_deterministic: run again after a blocking call, its operation 1 has other arguments; it was Put">> <- 4 handle_start
    "#]].assert_eq(&tape.lines(&[Kind::Crash]));
}

#[test]
fn too_many_blocking_calls_in_one_callback_trip_the_limit() {
    fn main(cx: &mut Context, _args: &Term) -> Effect<()> {
        loop {
            cx.sleep(1_000)?;
        }
    }
    let tape = play(1, ModuleSet::new().process("main", main));
    expect![[r#"
          5 crash <101> main <<"limit CALLBACK_BLOCKING_CALLS_MAX (1000): end the callback and go on by a message or noreply_continue(args)">> <- 4 handle_start
    "#]].assert_eq(&tape.lines(&[Kind::Crash]));
}
