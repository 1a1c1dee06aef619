//! Traces written by hand, one message per line, for what the recorded ones do not show.

use cinema::model::{Actor, Atom, Kind, Origin, Pid, Syntax, Term};
use cinema::sandbox::import::EventClock;
use expect_test::{Expect, expect};

use super::{frames, listing, of_kind, recorded_bytes};

/// A trace file of `lines`; each is a whole trace message, or what follows `{trace_ts,` before a stamp that counts up.
pub(super) fn trace(lines: &str) -> Vec<u8> {
    let message = |(n, line): (usize, &str)| {
        let text = match line.trim() {
            whole if whole.starts_with('{') => whole.to_string(),
            part => format!("{{trace_ts,{part},{{{},{n}}}}}", n * 1000),
        };
        Term::parse(&text, Syntax::Erlang).unwrap_or_else(|error| panic!("{text}: {error}"))
    };
    frames(&lines.trim().lines().enumerate().map(message).collect::<Vec<_>>())
}

pub(super) fn check(lines: &str, expected: &Expect) {
    let (recording, report) = recorded_bytes(&trace(lines));
    assert_eq!(report.defects.kept, []);
    expected.assert_eq(&listing(&recording));
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    check(
        "<0.1.0>,spawn,<0.2.0>,{m,f,[]}
         <0.2.0>,spawned,<0.1.0>,{m,f,[]}
         <0.1.0>,send,one,<0.2.0>
         <0.2.0>,exit,normal
         <0.2.0>,spawned,<0.1.0>,{other,f,[]}
         <0.1.0>,spawn,<0.2.0>,{other,f,[]}
         <0.2.0>,'receive',one",
        &expect![[r#"
            0 0us spawn <0.2.0> peer=<0.1.0> tag=m #{args => [],function => f,module => m}
            1 2us send <0.1.0> class=info peer=<0.2.0> tag=one one
            2 3us exit <0.2.0> normal
            3 4us spawn <0.2.0>~1 peer=<0.1.0> tag=other #{args => [],function => f,module => other}
            4 6us receive <0.2.0>~1 class=info tag=one one
        "#]],
    );
}

#[test]
fn a_link_is_told_once_and_an_end_takes_the_linked_along() {
    check(
        "<0.1.0>,link,<0.2.0>
         <0.2.0>,getting_linked,<0.1.0>
         <0.2.0>,exit,boom
         <0.1.0>,getting_unlinked,<0.2.0>
         <0.1.0>,exit,boom",
        &expect![[r#"
            0 0us link <0.1.0> peer=<0.2.0>
            1 2us crash <0.2.0> boom
            2 4us crash <0.1.0> cause=1 boom
        "#]],
    );
}

#[test]
fn a_timeout_is_claimed_only_of_who_waits_for_an_answer() {
    check(
        "<0.1.0>,'receive',timeout
         <0.1.0>,send,{'$gen_call',{<0.1.0>,#Ref<0.1.2.3>},ask},<0.2.0>
         <0.1.0>,'receive',{#Ref<0.1.2.3>,answer}
         <0.1.0>,'receive',timeout
         <0.3.0>,send,timeout,<0.1.0>
         <0.1.0>,'receive',timeout",
        &expect![[r#"
            0 0us send <0.1.0> class=call peer=<0.2.0> tag=ask call=1bad {'$gen_call',{<0.1.0>,#Ref<0.1.2.3>},ask}
            1 1us receive <0.1.0> class=reply tag=answer call=1bad {#Ref<0.1.2.3>,answer}
            2 3us send <0.3.0> class=info peer=<0.1.0> tag=timeout timeout
            3 4us receive <0.1.0> class=info peer=<0.3.0> tag=timeout cause=2 timeout
        "#]],
    );
}

#[test]
fn names_timers_ports_and_the_dead() {
    check(
        "<0.1.0>,send,{hello,<0.1.0>},who
         <0.2.0>,'receive',{hello,<0.1.0>}
         <0.1.0>,send,again,who
         <0.1.0>,send,far,{who,'b@c'}
         <0.1.0>,send_to_non_existing_process,lost,<0.9.0>
         <0.1.0>,'receive',{timeout,#Ref<0.1.2.3>,tick}
         <0.1.0>,'receive',bell,{clock_service,undefined}
         <0.1.0>,'receive',{from,far},{'b@c',<0.7.0>}
         #Port<0.5>,open,<0.1.0>,tcp_inet
         #Port<0.5>,'receive',{<0.1.0>,{command,data}}
         #Port<0.5>,closed,normal",
        &expect![[r#"
            0 0us send <0.1.0> class=info tag=hello {hello,<0.1.0>} #{name => who}
            1 1us register <0.2.0> tag=who  #{since => before_trace}
            2 1us receive <0.2.0> class=info peer=<0.1.0> tag=hello cause=0 {hello,<0.1.0>}
            3 2us send <0.1.0> class=info peer=<0.2.0> tag=again again
            4 3us send <0.1.0> class=info tag=far far #{name => who,node => b@c}
            5 4us send_to_dead <0.1.0> class=info peer=<0.9.0> tag=lost lost
            6 5us timer_fire <0.1.0> class=timer tag=timeout call=1bad {timeout,#Ref<0.1.2.3>,tick}
            7 6us timer_fire <0.1.0> class=timer tag=bell bell
            8 7us receive <0.1.0> class=info peer=<0.7.0> tag=from {from,far}
            9 8us spawn #Port<0.5> peer=<0.1.0> #{behaviour => port,function => tcp_inet}
            10 9us receive #Port<0.5> class=info peer=<0.1.0> {<0.1.0>,{command,data}}
            11 10us exit #Port<0.5> normal
        "#]],
    );
}

#[test]
fn garbage_collections_have_a_duration() {
    check(
        "<0.1.0>,gc_minor_start,[{heap_size,9}]
         <0.1.0>,gc_minor_end,[{heap_size,5}]",
        &expect![[r#"
            0 0us gc <0.1.0> tag=gc_minor [{heap_size,5}] #{duration_ns => 1000}
        "#]],
    );
}

#[test]
fn a_child_that_somebody_asked_for_was_not_restarted() {
    let child = "{proc_lib,init_p,[<0.1.0>,[],gen,init_it,[gen_server,<0.1.0>,<0.1.0>,worker,[],[]]]}";
    let story = |what_comes_between: &str| {
        let lines = format!(
            "<0.1.0>,spawn,<0.2.0>,{child}
             <0.2.0>,exit,oops
             <0.1.0>,'receive',{{'EXIT',<0.2.0>,oops}}
             {what_comes_between}
             <0.1.0>,spawn,<0.3.0>,{child}"
        );
        of_kind(&recorded_bytes(&trace(&lines)).0, Kind::SupervisorRestart).len()
    };
    assert_eq!(story("<0.4.0>,'receive',nothing"), 1);
    assert_eq!(story("<0.1.0>,'receive',{'$gen_call',{<0.4.0>,#Ref<0.1.2.3>},{start_child,[]}}"), 0);
}

#[test]
fn messages_without_stamps_keep_their_order() {
    let lines = "{trace,<0.1.0>,send,one,<0.2.0>}
                 {seq_trace,0,{print,{0,1},<0.1.0>,[],note}}
                 {drop,3}
                 {trace,<0.2.0>,'receive',one}
                 {trace,<0.2.0>,in,{m,f,1}}";
    let (recording, report) = recorded_bytes(&trace(lines));
    assert_eq!((report.clock, report.n_frames, report.n_dropped), (EventClock::None, 5, 3));
    assert_eq!(
        report.unstored.iter().map(|(kind, n)| (&kind[..], *n)).collect::<Vec<_>>(),
        [("in", 1), ("seq_trace", 1)]
    );
    expect![[r#"
        0 0us send <0.1.0> class=info peer=<0.2.0> tag=one one
        1 0us loss <0.0.0> #{total => 3}
        2 0us receive <0.2.0> class=info peer=<0.1.0> tag=one cause=0 one
    "#]]
    .assert_eq(&listing(&recording));
}

#[test]
fn what_comes_later_than_the_window_is_kept_and_marked() {
    let late = "{trace_ts,<0.1.0>,send,late,<0.2.0>,{5,0}}";
    let mut lines: Vec<String> =
        (10..4_200).map(|ns| format!("{{trace_ts,<0.1.0>,send,n,<0.2.0>,{{{ns},0}}}}")).collect();
    lines.push(late.to_string());
    let (recording, report) = recorded_bytes(&trace(&lines.join("\n")));
    assert_eq!((report.n_late, recording.len()), (1, 4_191));
    let found = listing(&recording).lines().find(|line| line.contains("tag=late")).map(str::to_string);
    expect!["94 0us send <0.1.0> class=info peer=<0.2.0> tag=late late #{late_ns => 98}"]
        .assert_eq(&found.unwrap_or_default());
}

#[test]
fn elixir_servers_and_supervisors_are_known_by_their_start() {
    let gen_start = |module: &str, name: &str, args: &str| {
        format!(
            "{{proc_lib,init_p,['Elixir.Top',[],gen,init_it,[gen_server,<0.1.0>,<0.1.0>,{{local,'{name}'}},'{module}',{args},[]]]}}"
        )
    };
    let lines = format!(
        "<0.1.0>,spawn,<0.2.0>,{}
         <0.1.0>,spawn,<0.3.0>,{}
         <0.3.0>,spawn,<0.4.0>,{}",
        gen_start("Elixir.Cart", "Elixir.Cart", "[]"),
        gen_start("supervisor", "Elixir.Shop.Supervisor", "{{local,s},'Elixir.Shop',[]}"),
        "{proc_lib,init_p,['Elixir.S',[],gen,init_it,[gen_server,<0.3.0>,<0.3.0>,'Elixir.Item',[],[]]]}",
    );
    let (recording, report) = recorded_bytes(&trace(&lines));
    assert!(report.is_elixir);
    expect![[r#"
        0 0us register <0.1.0> tag=Elixir.Top  #{since => before_trace}
        1 0us spawn <0.2.0> peer=<0.1.0> tag=Elixir.Cart #{ancestors => ['Elixir.Top'],args => [],behaviour => gen_server,function => init,module => 'Elixir.Cart',name => 'Elixir.Cart'}
        2 1us spawn <0.3.0> peer=<0.1.0> tag=Elixir.Shop #{ancestors => ['Elixir.Top'],args => [],behaviour => supervisor,function => init,module => 'Elixir.Shop',name => 'Elixir.Shop.Supervisor'}
        3 2us spawn <0.4.0> peer=<0.3.0> tag=Elixir.Item #{ancestors => ['Elixir.S'],args => [],behaviour => gen_server,function => init,module => 'Elixir.Item',supervisor => <0.3.0>}
    "#]].assert_eq(&listing(&recording));
}

#[test]
fn names_of_two_nodes_are_two_names() {
    let pid = |node: &str, id: u32| {
        Term::Pid(Pid { serial: 0, id, origin: Origin::intern(Atom::new(node), 1).expect("there is room") })
    };
    let message = |node: &str, id: u32, rest: &str, n: i64| {
        let rest = Term::parse(rest, Syntax::Erlang).expect("a tuple");
        let mut items = vec![Term::atom("trace_ts"), pid(node, id)];
        items.extend(rest.as_tuple().expect("a tuple").iter().cloned());
        items.push(Term::tuple([Term::Int(n), Term::Int(n)]));
        Term::tuple(items)
    };
    let (recording, _) = recorded_bytes(&frames(&[
        message("a@h", 1, "{register,shop}", 1),
        message("b@h", 1, "{register,shop}", 2),
        message("a@h", 2, "{send,buy,shop}", 3),
        message("b@h", 2, "{send,buy,shop}", 4),
        message("a@h", 2, "{send,far,{shop,b@h}}", 5),
    ]));
    let receivers: Vec<_> =
        of_kind(&recording, Kind::Send).into_iter().map(|send| send.peer.and_then(Actor::pid)).collect();
    let expected = [pid("a@h", 1), pid("b@h", 1), pid("b@h", 1)];
    assert_eq!(receivers, expected.map(|pid| pid.as_pid()));
}

#[test]
fn arguments_that_are_encoded_as_a_string_are_read() {
    check(
        "<0.1.0>,call,{m,handle_cast,[1,2]}
         <0.1.0>,return_from,{m,handle_cast,2},{noreply,3}",
        &expect![[r#"
            0 0us state_change <0.1.0> 2
            1 0us handle_start <0.1.0> class=cast 1
            2 1us state_change <0.1.0> class=cast cause=1 3
            3 1us handle_end <0.1.0> class=cast cause=1
        "#]],
    );
}

#[test]
fn labels_and_keys_of_a_registry_name_a_process() {
    check(
        "<0.1.0>,spawn,<0.2.0>,{proc_lib,init_p,[top,[],gen,init_it,[gen_server,<0.1.0>,<0.1.0>,{via,'Elixir.Registry',{reg,<<\"cart-7\">>}},cart,[],[]]]}
         <0.2.0>,call,{proc_lib,set_label,[{cart,7}]}
         <0.3.0>,call,{proc_lib,set_label,[worker]}",
        &expect![[r#"
            0 0us register <0.1.0> tag=top  #{since => before_trace}
            1 0us spawn <0.2.0> peer=<0.1.0> tag=cart #{ancestors => [top],args => [],behaviour => gen_server,function => init,label => <<"cart-7">>,module => cart}
            2 1us sample <0.2.0> #{label => {cart,7}}
            3 2us sample <0.3.0> tag=worker #{label => worker}
        "#]],
    );
}

#[test]
fn children_in_the_state_of_a_dynamic_supervisor_are_older_than_the_trace() {
    let state = "#{'__struct__' => 'Elixir.DynamicSupervisor',children => #{<0.2.0> => {{cart,start_link,[7]},transient,5000,worker,[cart]}}}";
    let lines = format!(
        "<0.1.0>,call,{{'Elixir.DynamicSupervisor',handle_info,[one,{state}]}}
         <0.1.0>,return_from,{{'Elixir.DynamicSupervisor',handle_info,2}},{{noreply,{state}}}
         <0.2.0>,exit,boom
         <0.1.0>,'receive',{{'EXIT',<0.2.0>,boom}}
         <0.1.0>,spawn,<0.3.0>,{{proc_lib,init_p,[<0.1.0>,[],gen,init_it,[gen_server,<0.1.0>,<0.1.0>,cart,7,[]]]}}"
    );
    let (recording, _) = recorded_bytes(&trace(&lines));
    let [restart] = of_kind(&recording, Kind::SupervisorRestart)[..] else { panic!("one restart") };
    assert_eq!(restart.process, Actor::from(Pid::local(1)));
    let [child] = of_kind(&recording, Kind::ChildSpecChange)[..] else { panic!("one child") };
    assert_eq!(child.peer, Some(Actor::from(Pid::local(2))));
}
