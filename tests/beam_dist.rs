//! The distribution client against real Erlang nodes. Needs `erl` on the path; without it, or without epmd, a test
//! says loudly that it was skipped, and fails where `CI` is set.

#[path = "beam_dist/node.rs"]
mod node;
#[path = "beam_dist/peers.rs"]
mod peers;

use std::time::{Duration, Instant};

use cinema::codec::etf;
use cinema::model::{FailureKind, Pid, Style, Syntax, Term};
use cinema::sandbox::beam::dist::{CallError, Config, Cookie, Machine, Mailbox, Node, Received, Target};

use node::{Names, RealNode};

const WAIT: Duration = Duration::from_secs(5);

fn term(text: &str) -> Term {
    Term::parse(text, Syntax::Erlang).unwrap()
}

fn shown(term: &Term) -> String {
    term.display(Style::erlang()).to_string()
}

/// A node that is skipped when there is no Erlang here.
macro_rules! real_node {
    ($names:expr) => {
        match RealNode::start($names) {
            Some(real) => real,
            None => return,
        }
    };
}

fn config(real: &RealNode) -> Config {
    let target = Target::parse(&real.address(), false, &Machine::here()).unwrap();
    Config::new(target, Cookie::from_text(&real.cookie).unwrap(), Machine::here())
}

fn connect(real: &RealNode) -> Node {
    Node::connect(&config(real)).unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn calls_and_their_errors() {
    let real = real_node!(Names::Short);
    let node = connect(&real);
    assert_eq!(node.name(), &*real.name);
    assert!(node.otp_release() >= 25 && node.is_up());
    assert_eq!(node.call("erlang", "node", vec![], WAIT), Ok(Term::Atom(node.name())));
    let hidden = node.call("erlang", "nodes", vec![Term::atom("hidden")], WAIT).unwrap();
    assert_eq!(hidden, Term::list([Term::Atom(node.own_name())]), "the node sees us by the name that it gave us");
    assert_eq!(node.call("erlang", "nodes", vec![], WAIT), Ok(Term::Nil), "and only as a hidden node");

    let error = |module: &str, function: &str, args: &str| {
        let args = term(args).as_list().unwrap().to_vec();
        match node.try_call(module, function, args, WAIT).unwrap_err() {
            CallError::Raised { class, reason, stack, call } => {
                format!("{call} {class} {} {}", shown(&reason), stack != Term::Nil)
            }
            other => other.to_string(),
        }
    };
    assert_eq!(error("erlang", "throw", "[oops]"), "erlang:throw/1 throw oops false");
    assert_eq!(error("erlang", "exit", "[{shutdown, 1}]"), "erlang:exit/1 exit {shutdown,1} false");
    assert_eq!(error("erlang", "error", "[bad]"), "erlang:error/1 error bad true");
    assert_eq!(error("erlang", "atom_to_list", "[1]"), "erlang:atom_to_list/1 error badarg true");
    assert!(error("no_such_module", "f", "[]").starts_with("no_such_module:f/0 error undef"));
    assert_eq!(
        error("erlang", "apply", "[erlang, exit, [normal]]"),
        "erlang:apply/3 exit normal false",
        "an exit with reason normal is an exit"
    );
    let failure = node.call("erlang", "error", vec![Term::atom("bad")], WAIT).unwrap_err();
    assert_eq!((failure.kind, &*failure.error), (FailureKind::Io, "erlang:error/1 raised error: bad"));
}

#[test]
fn long_names_and_fixed_ports() {
    for names in [Names::Long, Names::Port] {
        let real = real_node!(names);
        let node = connect(&real);
        assert_eq!(node.call("erlang", "node", vec![], WAIT), Ok(Term::atom(&real.name)));
        let is_long = |name: &str| name.split_once('@').unwrap().1.contains('.');
        assert_eq!(is_long(node.own_name().as_str()), is_long(&real.name));
    }
}

#[test]
fn a_big_result_comes_whole() {
    let real = real_node!(Names::Short);
    let node = connect(&real);
    let n_bytes = 15 << 20;
    let args = || vec![Term::binary(*b"x"), Term::Int(n_bytes)];
    let raw = node.call_raw("binary", "copy", args(), WAIT).unwrap();
    assert_eq!((raw.len(), &raw[..2]), (n_bytes as usize + 6, &[131, 109][..]));
    assert_eq!(etf::decode(&raw).unwrap().as_binary().map(<[u8]>::len), Some(n_bytes as usize));
    // Larger than what is kept: that call fails, and the connection goes on.
    let failure = node.call("binary", "copy", vec![Term::binary(*b"x"), Term::Int(65 << 20)], WAIT).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Limit);
    assert!(failure.error.contains("limit DIST_FRAME_BYTES_MAX (67108864)"), "{failure}");
    assert_eq!(node.call("erlang", "node", vec![], WAIT), Ok(Term::atom(&real.name)));
    // And the same the other way.
    let failure = node.call("erlang", "byte_size", vec![Term::binary(vec![0; 65 << 20])], WAIT).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Limit);
    let size = node.call("erlang", "byte_size", vec![Term::binary(vec![0; n_bytes as usize])], WAIT);
    assert_eq!(size, Ok(Term::Int(n_bytes)));
}

#[test]
fn many_calls_at_once() {
    let real = real_node!(Names::Short);
    let node = connect(&real);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for n in 0..100 {
            let node = node.clone();
            scope.spawn(move || {
                assert_eq!(node.call("timer", "sleep", vec![Term::Int(200)], WAIT), Ok(Term::atom("ok")));
                assert_eq!(node.call("erlang", "+", vec![Term::Int(n), Term::Int(1)], WAIT), Ok(Term::Int(n + 1)));
            });
        }
    });
    assert!(started.elapsed() < Duration::from_secs(10), "they do not wait for each other");
}

#[test]
fn a_call_that_hangs_is_killed() {
    let real = real_node!(Names::Short);
    let node = connect(&real);
    let count = || node.call("erlang", "system_info", vec![Term::atom("process_count")], WAIT).unwrap();
    let n_before = count();
    let error = node.try_call("timer", "sleep", vec![Term::atom("infinity")], Duration::from_millis(100)).unwrap_err();
    assert_eq!(error.to_string(), "timer:sleep/1 gave no result within 100 ms");
    until(|| count() == n_before);
    // With no time at all the process is not even known: it is killed when the node tells of it.
    let _ = node.try_call("timer", "sleep", vec![Term::atom("infinity")], Duration::ZERO).unwrap_err();
    until(|| count() == n_before);
}

/// Waits for what the node does in its own time.
fn until(mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < WAIT, "it never came to be");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Evaluates Erlang expressions in a process that is linked to `mailbox`, with these variables bound.
fn spawn_code(node: &Node, mailbox: &Mailbox, code: &str, bound: &[(&str, Term)]) -> Pid {
    let text = Term::list(code.bytes().map(|byte| Term::Int(i64::from(byte))).collect::<Vec<_>>());
    let tokens = node.call("erl_scan", "string", vec![text], WAIT).unwrap();
    let tokens = tokens.as_tuple().unwrap()[1].clone();
    let parsed = node.call("erl_parse", "parse_exprs", vec![tokens], WAIT).unwrap();
    let exprs = parsed.tagged("ok", 2).unwrap_or_else(|| panic!("{}", shown(&parsed)))[1].clone();
    let bindings = Term::map(bound.iter().map(|(name, value)| (Term::atom(name), value.clone())));
    node.spawn_link("erl_eval", "exprs", vec![exprs, bindings], mailbox).unwrap()
}

fn is_alive(node: &Node, pid: Pid) -> bool {
    node.call("erlang", "is_process_alive", vec![Term::Pid(pid)], WAIT).unwrap() == Term::bool(true)
}

fn message(mailbox: &Mailbox) -> Term {
    match mailbox.recv_timeout(WAIT) {
        Some(Received::Message(message)) => message.to_term().unwrap(),
        Some(Received::Exit { reason, .. }) => panic!("exit: {}", shown(&reason.to_term().unwrap())),
        Some(Received::NodeDown { reason }) => panic!("node down: {reason}"),
        None => panic!("nothing came"),
    }
}

const ECHO: &str = "F = fun F() -> receive {say, X} -> Owner ! {said, X}, F(); stop -> exit(done) end end, F().";

#[test]
fn mailboxes_links_and_messages() {
    let real = real_node!(Names::Short);
    let node = connect(&real);
    let (first, second) = (node.mailbox().unwrap(), node.mailbox().unwrap());
    let echo = spawn_code(&node, &first, ECHO, &[("Owner", Term::Pid(second.pid()))]);
    node.send(echo, &term("{say, [1, <<\"two\">>]}")).unwrap();
    assert_eq!(message(&second), term("{said, [1, <<\"two\">>]}"));
    node.call("erlang", "register", vec![Term::atom("cinema_echo"), Term::Pid(echo)], WAIT).unwrap();
    node.send_name("cinema_echo", &term("{say, 3}")).unwrap();
    assert_eq!(message(&second), term("{said, 3}"));
    assert!(second.try_recv().is_none());

    // The process ends: its link tells.
    node.send(echo, &Term::atom("stop")).unwrap();
    match first.recv_timeout(WAIT) {
        Some(Received::Exit { from, reason }) => {
            assert_eq!((from, reason.to_term().unwrap()), (echo, Term::atom("done")));
        }
        _ => panic!("no exit signal"),
    }
    // We end: the link ends the process.
    let echo = spawn_code(&node, &first, ECHO, &[("Owner", Term::Pid(second.pid()))]);
    assert!(is_alive(&node, echo));
    drop(first);
    until(|| !is_alive(&node, echo));
    // exit/2 from us.
    let echo = spawn_code(&node, &second, ECHO, &[("Owner", Term::Pid(second.pid()))]);
    node.exit(echo, &Term::atom("kill")).unwrap();
    assert!(matches!(second.recv_timeout(WAIT), Some(Received::Exit { from, .. }) if from == echo));
}

#[test]
fn the_node_watches_us() {
    let real = real_node!(Names::Short);
    let node = connect(&real);
    let (owner, watched) = (node.mailbox().unwrap(), node.mailbox().unwrap());
    let code = "R = monitor(process, Watched), Owner ! ready, receive {'DOWN', R, process, _, Why} -> Owner ! Why end.";
    let bound = |pid| [("Owner", Term::Pid(owner.pid())), ("Watched", Term::Pid(pid))];
    spawn_code(&node, &owner, code, &bound(watched.pid()));
    assert_eq!(message(&owner), Term::atom("ready"));
    let gone = watched.pid();
    watched.exit(&Term::atom("bye"));
    assert_eq!(message(&owner), Term::atom("bye"));
    let end = owner.recv_timeout(WAIT);
    assert!(matches!(end, Some(Received::Exit { .. })), "its linked watcher ends normally");
    spawn_code(&node, &owner, code, &bound(gone));
    assert_eq!(message(&owner), Term::atom("ready"));
    assert_eq!(message(&owner), Term::atom("noproc"));
}

#[test]
fn output_of_ours_comes_to_us() {
    let real = real_node!(Names::Short);
    let node = connect(&real);
    let text = Term::list("hé\n".chars().map(|c| Term::Int(c as i64)).collect::<Vec<_>>());
    assert_eq!(node.call("io", "put_chars", vec![text], WAIT), Ok(Term::atom("ok")));
    assert_eq!(node.call("io", "get_line", vec![term("\"? \"")], WAIT), Ok(Term::atom("eof")));
    assert_eq!(node.take_printed(), ("hé\n".to_string(), 0));
}

#[test]
fn funs_and_odd_terms_go_both_ways() {
    let real = real_node!(Names::Short);
    let node = connect(&real);
    let fun = term("fun erlang:abs/1");
    assert_eq!(node.call("lists", "map", vec![fun, term("[-1, 2]")], WAIT), Ok(term("[1, 2]")));
    let odd = term("{1.5, -1, 4294967296, 123456789012345678901234567890, <<1:3>>, [a | b], #{k => <<>>}, '', \"\"}");
    assert_eq!(node.call("erlang", "hd", vec![Term::list([odd.clone()])], WAIT), Ok(odd));
    let reference = Term::Ref(std::sync::Arc::new(node.make_ref()));
    assert_eq!(node.call("erlang", "hd", vec![Term::list([reference.clone()])], WAIT), Ok(reference));
    let local = node.call("erlang", "hd", vec![Term::list([Term::Pid(node.own_pid())])], WAIT);
    assert_eq!(local, Ok(Term::Pid(node.own_pid())));
}

#[test]
fn a_node_that_dies_under_a_call() {
    let mut real = real_node!(Names::Short);
    let node = connect(&real);
    let mailbox = node.mailbox().unwrap();
    let echo = spawn_code(&node, &mailbox, ECHO, &[("Owner", Term::Pid(mailbox.pid()))]);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| node.try_call("timer", "sleep", vec![Term::Int(60_000)], Duration::from_secs(30)));
        until(|| node.call("erlang", "is_process_alive", vec![Term::Pid(echo)], WAIT).is_ok());
        real.kill();
        let error = call.join().unwrap().unwrap_err();
        assert!(matches!(error, CallError::NodeDown { .. }), "{error}");
    });
    assert!(started.elapsed() < WAIT);
    assert!(matches!(mailbox.recv_timeout(WAIT), Some(Received::NodeDown { .. })));
    assert!(matches!(mailbox.recv_timeout(WAIT), Some(Received::NodeDown { .. })), "it stays down");
    assert!(!node.is_up() && node.down_reason().is_some());
    let failure = node.call("erlang", "node", vec![], WAIT).unwrap_err();
    assert!(failure.error.contains("the node is down"), "{failure}");
    assert!(matches!(node.mailbox().unwrap().try_recv(), Some(Received::NodeDown { .. })));
    assert!(node.send(echo, &Term::Nil).is_err());
}

#[test]
fn closing_takes_our_processes_with_it() {
    let real = real_node!(Names::Short);
    let (node, other) = (connect(&real), connect(&real));
    let mailbox = node.mailbox().unwrap();
    let echo = spawn_code(&node, &mailbox, ECHO, &[("Owner", Term::Pid(mailbox.pid()))]);
    assert!(is_alive(&other, echo));
    drop(node);
    until(|| !is_alive(&other, echo));
    assert!(matches!(mailbox.recv_timeout(WAIT), Some(Received::NodeDown { .. })));
}

/// Ticks keep the connection of both sides up: the node's tick time is 4 s here, and nothing is said for 7.
#[test]
fn silence_is_survived() {
    let Some(real) = RealNode::start_with(Names::Short, &["-kernel", "net_ticktime", "4"]) else { return };
    let node = connect(&real);
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(node.down_reason(), None);
    assert_eq!(node.call("erlang", "node", vec![], WAIT), Ok(Term::atom(&real.name)));
}

/// A node that is stopped says nothing: it is down after its tick time and a quarter, and calls end by themselves.
#[test]
fn a_frozen_node_is_down() {
    let real = real_node!(Names::Short);
    let node = Node::connect(&Config { ticktime: Some(Duration::from_secs(1)), ..config(&real) }).unwrap();
    let signal = |name: &str| {
        let status = std::process::Command::new("kill").args([name, &real.pid().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()));
    };
    signal("-STOP");
    let started = Instant::now();
    // It may still answer while the signal is on its way.
    let mut error = None;
    until(|| {
        error = node.try_call("erlang", "node", vec![], Duration::from_millis(300)).err();
        error.is_some()
    });
    assert!(matches!(error, Some(CallError::Timeout { .. })), "{error:?}");
    until(|| !node.is_up());
    assert!(node.down_reason().unwrap().starts_with("nothing came from the node for"));
    assert!(started.elapsed() < Duration::from_secs(3));
    signal("-CONT");
}

#[test]
fn a_wrong_cookie_and_a_wrong_name() {
    let real = real_node!(Names::Short);
    let started = Instant::now();
    let wrong = Config { cookie: Cookie::from_text("wrong").unwrap(), ..config(&real) };
    let failure = Node::connect(&wrong).map(drop).unwrap_err();
    assert_eq!(failure.error, format!("cannot connect to {}: the node refused the cookie", real.name));
    assert!(failure.hints[0].contains("--cookie-file"), "{failure}");
    assert!(!failure.to_string().contains("wrong") && !format!("{wrong:?}").contains("wrong"));

    let mut misspelt = config(&real);
    misspelt.target.name.push('x');
    let failure = Node::connect(&misspelt).map(drop).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert_eq!(failure.hints[0], format!("did you mean {}?", real.name));
    assert!(failure.hints[1].starts_with("registered there: "), "{failure}");
    assert!(started.elapsed() < Duration::from_secs(3));
}
