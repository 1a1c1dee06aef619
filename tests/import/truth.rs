//! The two recorded traces against their ground truth, and against Erlang's own reader.

use std::collections::BTreeMap;
use std::path::Path;

use cinema::model::{Actor, Atom, Class, Filter, Kind, Syntax};
use cinema::sandbox::import::{EventClock, is_trace_file};
use cinema::store::Recording;
use expect_test::expect_file;

use super::beam::erl;
use super::{count, data, field, listing, of_kind, recorded, shown};

#[test]
fn shop_event_by_event() {
    let (recording, report) = recorded(&data("shop-ttb"));
    assert_eq!((report.n_frames, report.n_dropped, report.defects.n_total), (78, 0, 0));
    assert_eq!((report.clock, report.node), (EventClock::Wall, Some(Atom::new("ttbdemo@localhost"))));
    expect_file!["../data/shop-ttb.events"].assert_eq(&listing(&recording));
}

#[test]
fn shop_timeout_late_reply_and_crash() {
    let (recording, report) = recorded(&data("shop-ttb"));
    let payload = |seq| shown(recording.term(seq));

    let [timeout] = of_kind(&recording, Kind::Timeout)[..] else { panic!("one timeout") };
    let call = recording.event(timeout.cause.expect("the call was traced")).expect("it is there");
    assert_eq!(
        (call.kind, call.class, call.process, call.call),
        (Kind::Send, Class::Call, timeout.process, timeout.call)
    );
    assert!(payload(call.seq).ends_with("{buy,1}}"), "{}", payload(call.seq));
    assert_eq!(timeout.peer, call.peer);
    // Four more expired without anybody waiting for an answer: sleeps and flushes.
    assert_eq!(report.unstored["receive timeout"], 4);

    let [late] = of_kind(&recording, Kind::LateReply)[..] else { panic!("one late reply") };
    assert_eq!((late.process, late.call), (timeout.process, timeout.call));

    let [crash] = of_kind(&recording, Kind::Crash)[..] else { panic!("one crash") };
    assert!(payload(crash.seq).starts_with("{{boom,7},"));
    let handling = recording.event(crash.cause.expect("it crashed in a callback")).expect("it is there");
    assert_eq!((handling.kind, handling.tag), (Kind::HandleStart, Some(Atom::new("boom"))));
    let state = of_kind(&recording, Kind::StateChange).pop().expect("states were traced");
    assert_eq!(payload(state.seq), "#{sold => 7,stock => 23}");

    let stray = recording.scan(&Filter::kind(Kind::Receive)).find(|event| event.tag == Some(Atom::new("stray")));
    assert_eq!(stray.expect("it arrived").class, Class::Info);

    // The last call, to a name that was free by then, left no trace: nothing may be claimed after the DOWN
    // but the client's end.
    let after_down = of_kind(&recording, Kind::Down)[0].seq.0 + 1;
    let rest: Vec<Kind> =
        recording.scan(&Filter::default().range(after_down..u64::MAX)).map(|event| event.kind).collect();
    assert_eq!(rest, [Kind::Exit]);
}

#[test]
fn ejabberd_restarts_ten_times_because_its_helper_survived() {
    let (recording, report) = recorded(&data("ejabberd-small.trace"));
    assert_eq!((report.n_frames, report.n_dropped, report.n_late, report.defects.n_total), (13_399, 0, 0, 0));
    assert_eq!(report.clock, EventClock::Monotonic);
    let sm = Some(Atom::new("ejabberd_sm"));

    let killed =
        of_kind(&recording, Kind::Crash).into_iter().find(|crash| name_of(&recording, crash.process) == "ejabberd_sm");
    let killed = killed.expect("ejabberd_sm was killed");
    assert_eq!(shown(recording.term(killed.seq)), "killed");

    let restarts = of_kind(&recording, Kind::SupervisorRestart);
    assert_eq!(restarts.len(), 10);
    for (idx, restart) in restarts.iter().enumerate() {
        assert_eq!((restart.tag, restart.cause), (sm, Some(killed.seq)));
        assert_eq!(name_of(&recording, restart.process), "ejabberd_sup");
        assert_eq!(field(&recording, restart.seq, "attempt"), (idx + 1).to_string());
        let error = field(&recording, restart.seq, "start_error");
        assert_eq!(error, if idx == 0 { "" } else { "{already_started,<0.362.0>}" });
    }

    // Each of the ten fails in init for the same reason.
    for restart in &restarts {
        let new = restart.peer.expect("a restart has a new process");
        let end = recording.scan(&Filter::kind(Kind::Crash).process(new)).next().expect("it crashed");
        assert_eq!(shown(recording.term(end.seq)), "{already_started,<0.362.0>}");
        let init = recording.event(end.cause.expect("init stopped it")).expect("it is there");
        assert_eq!((init.kind, init.class, init.process), (Kind::HandleStart, Class::Init, new));
    }
    let survivor =
        recording.actors().into_iter().find(|a| a.display(Syntax::Erlang) == "<0.362.0>").expect("it is named");
    assert_eq!(name_of(&recording, survivor), "ejabberd_sm_mnesia");

    // The supervisor gives up, and takes the rest down in order.
    let spec_changes = of_kind(&recording, Kind::ChildSpecChange);
    let gave_up = spec_changes.into_iter().find(|event| field(&recording, event.seq, "op") == "gave_up");
    assert_eq!(gave_up.expect("the intensity was exceeded").tag, sm);
    let ends = Filter::kinds(&[Kind::Exit, Kind::Crash]).range(restarts[9].seq.0..u64::MAX);
    let of_supervision = recording.scan(&ends).filter(|end| name_of(&recording, end.process).starts_with("ejabberd_"));
    let reasons: Vec<String> = of_supervision.map(|end| shown(recording.term(end.seq))).collect();
    let n_shutdown = reasons.iter().filter(|reason| *reason == "shutdown").count();
    let n_failed_start = reasons.iter().filter(|reason| reason.starts_with("{already_started,")).count();
    assert_eq!((n_shutdown + n_failed_start, n_failed_start), (reasons.len(), 10), "{reasons:?}");
    assert!(n_shutdown > 20, "{reasons:?}");
}

/// The name that a process registered, was seen to have, or has as a supervisor's child.
fn name_of(recording: &Recording, actor: Actor) -> String {
    let registered = recording.scan(&Filter::kind(Kind::Register).process(actor)).next();
    let as_child = || {
        let filter = Filter { peers: vec![actor], ..Filter::kind(Kind::ChildSpecChange) };
        recording.scan(&filter).next()
    };
    registered.or_else(as_child).and_then(|event| event.tag).map_or(String::new(), |name| name.as_str().to_string())
}

/// Trace messages by kind as `dbg:trace_client` reads them.
fn erlang_counts(file: &Path) -> Option<BTreeMap<String, u64>> {
    let code = format!(
        r#"Self = self(),
        Kind = fun({{trace_ts, _, 'receive', timeout, _}}) -> receive_timeout; (M) -> element(3, M) end,
        Count = fun(end_of_trace, A) -> Self ! {{done, A}}, A;
                   (M, A) -> maps:update_with(Kind(M), fun(N) -> N + 1 end, 1, A) end,
        dbg:trace_client(file, "{}", {{Count, #{{}}}}),
        receive {{done, A}} -> maps:foreach(fun(K, N) -> io:format("~s ~w~n", [K, N]) end, A) end,
        halt()."#,
        file.display()
    );
    let text = erl(&std::env::temp_dir(), &code)?;
    let line = |line: &str| line.split_once(' ').map(|(kind, n)| (kind.to_string(), n.parse().unwrap_or(0)));
    Some(text.lines().filter_map(line).collect())
}

#[test]
fn counts_agree_with_erlangs_own_reader() {
    for file in ["ejabberd-small.trace", "shop-ttb/ttbdemo@localhost-shop"] {
        let path = data(file);
        let Some(theirs) = erlang_counts(&path) else { return };
        let of = |kind: &str| theirs.get(kind).copied().unwrap_or(0);
        let (recording, report) = recorded(&path);
        let ours = |kinds: &[Kind]| count(&recording, kinds);

        assert_eq!(report.n_frames, theirs.values().sum::<u64>(), "{file}");
        assert_eq!(ours(&[Kind::Send, Kind::Reply]), of("send"), "{file}");
        let arrivals = ours(&[Kind::Receive, Kind::Down, Kind::ExitSignal, Kind::TimerFire]);
        assert_eq!(arrivals, of("receive"), "{file}");
        assert_eq!(ours(&[Kind::Timeout]) + report.unstored["receive timeout"], of("receive_timeout"), "{file}");
        assert_eq!(ours(&[Kind::Exit, Kind::Crash]), of("exit"), "{file}");
        // Every process that was spawned was traced itself, so it tells of its beginning too.
        assert_eq!(ours(&[Kind::Spawn]), of("spawned"), "{file}");
        assert_eq!(ours(&[Kind::Unregister]), of("unregister"), "{file}");
        let registered = of_kind(&recording, Kind::Register).into_iter().filter(|e| recording.meta(e.seq).is_none());
        assert_eq!(registered.count() as u64, of("register"), "{file}");
    }
}

#[test]
fn most_receives_find_their_sends() {
    let (recording, _) = recorded(&data("ejabberd-small.trace"));
    let between_processes = of_kind(&recording, Kind::Receive).into_iter().filter(|event| {
        let has_sender = event.peer.is_none_or(|peer| peer.pid().is_some());
        event.process.pid().is_some() && has_sender
    });
    let (mut n, mut n_joined) = (0, 0);
    for receive in between_processes {
        n += 1;
        let Some(cause) = receive.cause else { continue };
        let send = recording.event(cause).expect("a cause is an event");
        assert_eq!(recording.payload(send.seq), recording.payload(receive.seq));
        assert!(send.peer.is_none_or(|peer| peer == receive.process));
        n_joined += 1;
    }
    // The others come from the runtime, from timers and from the node that set up the trace.
    assert_eq!((n_joined, n), (3154, 3335));
}

#[test]
fn only_traces_are_taken_for_traces() {
    assert!(is_trace_file(&data("ejabberd-small.trace")));
    assert!(is_trace_file(&data("shop-ttb")));
    assert!(!is_trace_file(&data("shop-ttb/shop.erl")));
    assert!(!is_trace_file(&data("shop-ttb/ttbdemo@localhost-shop.ti")));
    assert!(!is_trace_file(&data(".")));
    assert!(!is_trace_file(&data("no such file")));

    let refusal = |name: &str| {
        let refused = cinema::sandbox::import::import(&data(name), &mut |_| Ok(()), &mut |_| true);
        refused.expect_err("it is no trace").error.replace(&data("").display().to_string(), "")
    };
    assert_eq!(refusal("no such file"), "no file no such file");
    assert_eq!(
        refusal("shop-ttb/shop.erl"),
        "shop-ttb/shop.erl is neither a binary trace file (no trace message frame (0, u32 size, 131) at byte 0) nor JSON \
         lines (no object at byte 0)"
    );
}

#[test]
fn the_logs_of_a_folder_are_merged_by_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A log that begins with the count of no dropped messages is no copy of the other.
    for (copy, before) in [("one", &[][..]), ("two", &[1, 0, 0, 0, 0])] {
        let log = std::fs::read(data("shop-ttb").join("ttbdemo@localhost-shop")).expect("it is there");
        std::fs::write(folder.path().join(copy), [before, &log].concat()).expect("the folder is writable");
        let info = folder.path().join(format!("{copy}.ti"));
        std::fs::copy(data("shop-ttb").join("ttbdemo@localhost-shop.ti"), info).expect("it is");
    }
    let (recording, report) = recorded(folder.path());
    assert_eq!((report.n_frames, report.n_late), (157, 0));
    assert_eq!(count(&recording, &[Kind::Timeout]), 2);
    let times: Vec<i64> = recording.scan(&Filter::default()).map(|event| event.at_ns).collect();
    assert!(times.is_sorted());
}
