//! What was asked of a live node, told in the stream: processes that run already, samples, states.

use std::time::Instant;

use cinema::analysis::process::{self, memory_series, queue_series};
use cinema::analysis::tree::{TreeNode, tree};
use cinema::analysis::{patterns, why};
use cinema::model::{ActorId, Atom, Behaviour, Kind, RestartType, Seq, Term};
use cinema::sandbox::trace::look::{Function, Introduction, Sample};
use cinema::store::Recording;
use expect_test::expect;

use super::stream::{Stream, bytes, pid};
use super::{listing, of_kind};

/// A shop: a supervisor, a named server below it, and a client that is linked to nobody.
fn shop() -> [Introduction; 3] {
    let sup = Introduction {
        name: Some(Atom::new("shop_sup")),
        module: Some(Atom::new("shop_sup")),
        behaviour: Some(Behaviour::Supervisor),
        initial_call: Some(Function { module: Atom::new("supervisor"), name: Atom::new("shop_sup"), arity: 1 }),
        ..Introduction::of(pid(1))
    };
    let server = Introduction {
        parent: Some(pid(1)),
        name: Some(Atom::new("shop")),
        module: Some(Atom::new("shop")),
        behaviour: Some(Behaviour::GenServer),
        supervisor: Some(pid(1)),
        child_id: Some(Term::atom("the_shop")),
        restart: Some(RestartType::Permanent),
        links: vec![ActorId::Pid(pid(1))],
        sample: Sample {
            memory_bytes: Some(2_600),
            reductions: Some(77),
            queue_len: Some(3),
            status: Some(Atom::new("waiting")),
            current_function: Some(Function { module: Atom::new("gen_server"), name: Atom::new("loop"), arity: 7 }),
            ..Sample::default()
        },
        ..Introduction::of(pid(2))
    };
    let client = Introduction {
        label: Some(Term::tuple([Term::atom("client"), Term::Int(7)])),
        initial_call: Some(Function { module: Atom::new("client"), name: Atom::new("run"), arity: 1 }),
        monitors: vec![ActorId::Pid(pid(2))],
        ..Introduction::of(pid(3))
    };
    [sup, server, client]
}

fn introduced(stream: &mut Stream) {
    for found in shop() {
        let at_ns = stream.now_ns();
        stream.recogniser.introduce(&found, at_ns);
    }
}

fn end(recording: &Recording) -> Seq {
    Seq(recording.len() - 1)
}

/// Names, statuses and restarts of a tree, indented.
fn drawn(nodes: &[TreeNode], depth: usize) -> String {
    let line = |node: &TreeNode| {
        let id = node.child_id.map_or(String::new(), |id| format!(" as {id:?}"));
        let own = format!(
            "{}{}{id} {} restarts={}\n",
            "  ".repeat(depth),
            node.name,
            node.behaviour.as_str(),
            node.n_restarts
        );
        format!("{own}{}", drawn(&node.children, depth + 1))
    };
    nodes.iter().map(line).collect()
}

#[test]
fn processes_that_run_already_are_introduced() {
    let mut stream = Stream::new();
    introduced(&mut stream);
    expect![[r#"
        0 0us spawn <0.1.0> tag=shop_sup #{behaviour => supervisor,function => shop_sup,initial_call => {supervisor,shop_sup,1},module => shop_sup,name => shop_sup} #{since => before_trace}
        1 0us register <0.1.0> tag=shop_sup #{behaviour => supervisor,module => shop_sup} #{since => before_trace}
        2 0us spawn <0.2.0> peer=<0.1.0> tag=shop #{behaviour => gen_server,module => shop,name => shop,supervisor => <0.1.0>} #{since => before_trace}
        3 0us register <0.2.0> tag=shop #{behaviour => gen_server,module => shop} #{since => before_trace}
        4 0us child_spec_change <0.1.0> peer=<0.2.0> tag=the_shop #{id => the_shop,op => added,restart => permanent,type => worker} #{since => before_trace}
        5 0us link <0.2.0> peer=<0.1.0>  #{since => before_trace}
        6 0us sample <0.2.0> #{current_function => {gen_server,loop,7},memory_bytes => 2600,queue_len => 3,reductions => 77,status => waiting}
        7 0us spawn <0.3.0> tag=client #{function => run,initial_call => {client,run,1},label => {client,7},module => client} #{since => before_trace}
        8 0us monitor <0.3.0> peer=<0.2.0>  #{since => before_trace}
    "#]].assert_eq(&listing(stream.recording()));
    let recording = stream.recording();
    let at = end(recording);
    let shown = tree(recording, at, false);
    expect![[r#"
        shop_sup supervisor restarts=0
          shop as the_shop gen_server restarts=0
        --
        {client,7} <0.3.0> process restarts=0
    "#]]
    .assert_eq(&format!("{}--\n{}", drawn(&shown.roots, 0), drawn(&shown.unsupervised, 0)));

    let server = process::process(recording, pid(2).into(), at).expect("it was introduced");
    assert_eq!((server.name.as_str(), server.spawned, server.parent), ("shop", None, Some(pid(1).into())));
    assert_eq!(server.queue_len, Some(3));
    assert_eq!((server.memory_bytes, server.reductions), (Some(2_600), 77));
    assert_eq!((server.links, server.supervisor), (vec![pid(1).into()], Some(pid(1).into())));
    let client = process::process(recording, pid(3).into(), at).expect("it was introduced");
    assert_eq!((client.name.as_str(), client.monitors), ("{client,7} <0.3.0>", vec![pid(2).into()]));
    assert_eq!(client.module, Some(Atom::new("client")));

    // Nobody started anything, nobody restarted anything.
    assert_eq!(of_kind(recording, Kind::SupervisorRestart), []);
    assert_eq!(patterns::patterns(recording, &[], &patterns::Options::default()).expect("it runs"), []);
    expect!["shop was there before the recording began (#2). Nothing in the recording came before it as its cause."]
        .assert_eq(&why::why(recording, &[], Seq(2)).expect("it is there").text());
}

#[test]
fn an_introduced_child_that_ends_is_restarted_in_its_place() {
    let mut stream = Stream::new();
    introduced(&mut stream);
    stream.feed(
        "<0.2.0>,exit,{oops,[]}
         <0.1.0>,'receive',{'EXIT',<0.2.0>,{oops,[]}}
         <0.1.0>,spawn,<0.4.0>,{proc_lib,init_p,[shop_sup,[],gen,init_it,[gen_server,<0.1.0>,<0.1.0>,{local,shop},shop,[],[]]]}
         <0.4.0>,spawned,<0.1.0>,{proc_lib,init_p,[shop_sup,[],gen,init_it,[gen_server,<0.1.0>,<0.1.0>,{local,shop},shop,[],[]]]}
         <0.4.0>,register,shop
         <0.3.0>,'receive',{'DOWN',#Ref<0.1.2.3>,process,<0.2.0>,{oops,[]}}",
    );
    let recording = stream.recording();
    let at = end(recording);
    let [restart] = of_kind(recording, Kind::SupervisorRestart)[..] else { panic!("one restart") };
    assert_eq!((restart.tag, restart.peer), (Some(Atom::new("the_shop")), Some(pid(4).into())));
    let shown = tree(recording, at, false);
    expect![[r#"
        shop_sup supervisor restarts=0
          shop as the_shop gen_server restarts=1
    "#]]
    .assert_eq(&drawn(&shown.roots, 0));
    let client = process::process(recording, pid(3).into(), at).expect("it was introduced");
    assert_eq!(client.monitors, []);
}

#[test]
fn a_beginning_that_was_traced_is_told_once() {
    let mut stream = Stream::new();
    // Found running, although its beginning comes later in the stream; and the other way round.
    stream.recogniser.introduce(&Introduction::of(pid(2)), 5_000);
    stream.feed(
        "<0.1.0>,spawn,<0.2.0>,{m,f,[]}
         <0.2.0>,spawned,<0.1.0>,{m,f,[]}
         <0.1.0>,spawn,<0.3.0>,{m,f,[]}",
    );
    stream.recogniser.introduce(&Introduction::of(pid(3)), 5_000);
    // Ended since it was found.
    stream.feed("<0.3.0>,exit,normal");
    stream.recogniser.introduce(&Introduction::of(pid(3)), 5_000);
    // The pid is used again: its end was not traced.
    stream.now_us = 9;
    stream.feed("<0.2.0>,spawned,<0.1.0>,{other,f,[]}");
    expect![[r#"
        0 0us spawn <0.2.0>  #{since => before_trace}
        1 -3us spawn <0.3.0> peer=<0.1.0> tag=m #{args => [],function => f,module => m}
        2 -2us exit <0.3.0> normal
        3 4us spawn <0.2.0>~1 peer=<0.1.0> tag=other #{args => [],function => f,module => other}
    "#]]
    .assert_eq(&listing(stream.recording()));
}

#[test]
fn ten_thousand_processes_are_introduced_at_once() {
    let mut stream = Stream::new();
    let mut found: Vec<Introduction> = (0..10_000)
        .map(|n| Introduction {
            parent: Some(pid(n / 100)),
            supervisor: Some(pid(n / 100)),
            child_id: Some(Term::Int(i64::from(n))),
            behaviour: Some(if n < 100 { Behaviour::Supervisor } else { Behaviour::GenServer }),
            module: Some(Atom::new("worker")),
            links: vec![ActorId::Pid(pid(n / 100))],
            sample: Sample { memory_bytes: Some(2_600), queue_len: Some(0), ..Sample::default() },
            ..Introduction::of(pid(n))
        })
        .collect();
    (found[0].supervisor, found[0].parent, found[0].child_id, found[0].links) = (None, None, None, Vec::new());
    let begun = Instant::now();
    found.iter().for_each(|found| stream.recogniser.introduce(found, 0));
    println!("10 000 introductions: {:?}", begun.elapsed());
    let recording = stream.recording();
    let begun = Instant::now();
    let shown = tree(recording, end(recording), false);
    println!("the tree of 10 000: {:?}", begun.elapsed());
    assert_eq!((shown.roots.len(), shown.unsupervised.len()), (1, 0));
    let count = |node: &TreeNode| -> usize {
        fn below(node: &TreeNode) -> usize {
            1 + node.children.iter().map(below).sum::<usize>()
        }
        below(node)
    };
    assert_eq!(count(&shown.roots[0]), 10_000);
}

#[test]
fn samples_tell_memory_and_the_length_of_a_mailbox() {
    let mut stream = Stream::new();
    let sample =
        |memory, queue_len| Sample { memory_bytes: Some(memory), queue_len: Some(queue_len), ..Sample::default() };
    let shown = |stream: &mut Stream| {
        let recording = stream.recording();
        let info = process::process(recording, pid(2).into(), end(recording)).expect("it was seen");
        (info.queue_len, info.memory_bytes)
    };
    // Messages arrive and nobody sees them taken: how many wait is known from samples only.
    stream.feed("<0.2.0>,'receive',a\n<0.2.0>,'receive',b\n<0.2.0>,'receive',c");
    assert_eq!(shown(&mut stream), (None, None));
    stream.recogniser.sampled(pid(2), 10_000, &sample(4_000, 1));
    assert_eq!(shown(&mut stream), (Some(1), Some(4_000)));
    stream.now_us = 11;
    stream.feed("<0.2.0>,'receive',d");
    assert_eq!(shown(&mut stream), (Some(1), Some(4_000)));
    stream.recogniser.sampled(pid(2), 20_000, &sample(9_000, 7));
    let values = |series: &[process::Series]| -> Vec<Vec<i64>> {
        series.iter().map(|series| series.points.iter().map(|point| point.value).collect()).collect()
    };
    assert_eq!(values(&queue_series(stream.recording(), &[], &[], 100)), [[1, 7]]);
    // Once callbacks are traced, the mailbox is what arrived and was not taken, and what a sample told beyond that.
    stream.now_us = 21;
    stream.feed("<0.2.0>,call,{m,handle_info,[x,s]}");
    assert_eq!(shown(&mut stream), (Some(6), Some(9_000)));
    stream.feed("<0.2.0>,return_from,{m,handle_info,2},{noreply,s}\n<0.2.0>,call,{m,handle_info,[d,s]}");
    assert_eq!(shown(&mut stream), (Some(0), Some(9_000)));
    assert_eq!(values(&queue_series(stream.recording(), &[], &[], 100)), [[1, 2, 3, 1, 2, 7, 6, 0]]);
    assert_eq!(values(&memory_series(stream.recording(), &[], &[], 100)), [[4_000, 9_000]]);
    assert_eq!(stream.recogniser.sampled(pid(9), 20_000, &sample(1, 1)).map(|seq| seq.0), Some(10));
    stream.feed("<0.9.0>,exit,normal");
    assert_eq!(stream.recogniser.sampled(pid(9), 30_000, &sample(1, 1)), None);
}

#[test]
fn a_state_that_was_asked_for_is_told_once() {
    let mut stream = Stream::new();
    let see = |stream: &mut Stream, id, state: &str| {
        let at_ns = stream.now_ns();
        stream.recogniser.state_seen(pid(id), at_ns, &bytes(state)).map(|seq| seq.0)
    };
    assert_eq!(see(&mut stream, 2, "#{n => 1}"), Some(0));
    assert_eq!(see(&mut stream, 2, "#{n => 1}"), None);
    // The node writes its atoms in another way than the distribution does.
    stream.feed_old("<0.2.0>,call,{m,handle_cast,[a,#{n => 1}]}");
    stream.feed("<0.2.0>,return_from,{m,handle_cast,2},{noreply,#{n => 2}}");
    assert_eq!(see(&mut stream, 2, "#{n => 1}"), Some(4));
    assert_eq!(see(&mut stream, 2, "#{n => 1}"), None);
    for (behaviour, id, state) in [
        (Behaviour::GenStatem, 3, "{locked,#{tries => 1}}"),
        (Behaviour::GenEvent, 4, "[{logger,false,[a]},{counter,{id,1},7}]"),
    ] {
        let found = Introduction { behaviour: Some(behaviour), ..Introduction::of(pid(id)) };
        stream.recogniser.introduce(&found, 0);
        assert!(see(&mut stream, id, state).is_some());
        assert_eq!(see(&mut stream, id, state), None);
    }
    assert_eq!(stream.recogniser.state_seen(pid(2), 0, b"no term"), None);
    expect![[r#"
        0 0us state_change <0.2.0> #{n => 1} #{by => get_state}
        1 0us handle_start <0.2.0> class=cast tag=a a
        2 1us state_change <0.2.0> class=cast tag=a cause=1 #{n => 2}
        3 1us handle_end <0.2.0> class=cast tag=a cause=1
        4 2us state_change <0.2.0> #{n => 1} #{by => get_state}
        5 2us spawn <0.3.0> #{behaviour => gen_statem} #{since => before_trace}
        6 2us state_change <0.3.0> #{data => #{tries => 1},state => locked} #{by => get_state}
        7 2us spawn <0.4.0> #{behaviour => gen_event} #{since => before_trace}
        8 2us state_change <0.4.0> #{logger => [a]} #{by => get_state,partial => true}
        9 2us state_change <0.4.0> #{counter => 7} #{by => get_state,partial => true}
    "#]]
    .assert_eq(&listing(stream.recording()));
}
