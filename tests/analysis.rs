//! The analysis on two recorded traces whose truth is known (see `tests/data/README.md`).

use std::fmt::Write;
use std::path::Path;

use cinema::analysis::patterns::{Options, patterns};
use cinema::analysis::why::why;
use cinema::model::{Event, EventBatch, Filter, Kind, Seq, Style};
use cinema::sandbox::import::import;
use cinema::store::{Recording, RecordingInfo};
use expect_test::{Expect, expect};

fn recorded(name: &str) -> Recording {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let mut recording = Recording::new(RecordingInfo { source: "import".into(), ..RecordingInfo::default() });
    let mut append = |batch: &EventBatch| {
        for event in batch.iter() {
            recording.append(&event)?;
        }
        Ok(())
    };
    import(&path, &mut append, &mut |_| true).expect("the file is a trace");
    recording
}

/// The paragraph and the events that prove it.
fn check(rec: &Recording, seq: u64, expected: Expect) {
    let why = why(rec, &[], Seq(seq)).expect("the event exists");
    let mut out = String::new();
    for sentence in &why.sentences {
        let _ = writeln!(out, "{sentence}");
    }
    let seqs: Vec<String> = why.evidence.iter().map(|e| format!("#{} {}", e.seq.0, e.role)).collect();
    let _ = writeln!(out, "evidence: {}", seqs.join(", "));
    for note in &why.notes {
        let _ = writeln!(out, "note: {note}");
    }
    let _ = writeln!(out, "next: {}", why.next.join(", "));
    expected.assert_eq(&out);
}

/// The first event of a kind whose tag or payload shows `text`.
fn find(rec: &Recording, kind: Kind, text: &str) -> u64 {
    let shows = |event: &Event| {
        let payload = rec.term(event.seq).map(|term| term.display(Style::erlang()).to_string()).unwrap_or_default();
        event.tag.is_some_and(|tag| tag.as_str() == text) || payload.contains(text)
    };
    rec.scan(&Filter::kind(kind)).find(shows).expect("there is such an event").seq.0
}

#[test]
fn a_shop_call_times_out_because_audit_holds_the_server() {
    let rec = recorded("shop-ttb");
    check(
        &rec,
        find(&rec, Kind::Timeout, "buy"),
        expect![[r#"
        erl_eval <0.88.0> gave up on its call {buy,1} to shop after 51 ms (sent #48, given up #50).
        All that time shop was busy with the call audit of shop <0.90.0> (#44), which took 152 ms (#44 to #51).
        shop's reply came 89.1 ms after the timeout (#56), too late, and was dropped.
        evidence: #44 holder, #48 call, #49 arrival, #50 timeout, #51 holder ends, #56 late reply
        next: process_timeline("shop"), chain(seq(50))
    "#]],
    );
}

#[test]
fn a_shop_crash_is_told_with_message_and_state() {
    let rec = recorded("shop-ttb");
    check(
        &rec,
        find(&rec, Kind::Crash, "boom"),
        expect![[r#"
        shop crashed while handling the call boom of erl_eval <0.88.0> (#64): {boom,7}, raised in shop:handle_call/3 (shop.erl:9) (#77).
        erl_eval <0.88.0>, which waited for the answer, got the exit instead (#79).
        Its state was #{sold => 7,stock => 23} (since #54).
        evidence: #54 state before, #64 callback, #77 end, #79 caller told
        next: chain(seq(77))
    "#]],
    );
}

#[test]
fn ejabberd_collapses_after_ten_restarts_against_a_survivor() {
    let rec = recorded("ejabberd-small.trace");
    let restarts: Vec<Event> = rec.scan(&Filter::kind(Kind::SupervisorRestart)).collect();
    assert_eq!(restarts.len(), 10);
    check(
        &rec,
        restarts[4].seq.0,
        expect![[r#"
            ejabberd_sm was killed (#9016). No recorded process sent the signal: it came from outside.
            ejabberd_sup, its supervisor, restarted it ten times within 12.6 ms (#9067 to #9610), each time as a new process.
            Every new ejabberd_sm failed in turn with {already_started,<0.362.0>}.
            That pid is ejabberd_sm_mnesia <0.362.0>. It was running before ejabberd_sm died and survived it under another supervisor, ejabberd_backend_sup: what each new ejabberd_sm wanted to start was there already.
            ejabberd_sm got that reason as the answer of ejabberd_backend_sup (#9113) to its call {start_child,{ejabberd_sm_mnesia,{… 3 more},transient,5000,worker,… 1 more}} (#9103).
            ejabberd_sup allows 10 restarts within 1 s; the next one was too many, and it gave up (#9664).
            The collapse that followed is its effect: it took down 33 processes below it (#9673 to #10477) and then ended itself with shutdown (#10483), 26.6 ms after giving up.
            evidence: #9016 end, #9067 restart, #9103 its call, #9108 survivor, #9113 the answer, #9140 restart, #9204 restart, #9260 restart, #9321 restart, #9363 restart, #9405 restart, #9513 restart, #9565 restart, #9610 restart, #9664 gave up, #9817 failed again, #10483 supervisor's end
            next: tree(seq(9664)), why(seq(9016))
        "#]],
    );
    check(
        &rec,
        find(&rec, Kind::Crash, "killed"),
        expect![[r#"
            <0.516.0> was killed (#1204). No recorded process sent the signal: it came from outside.
            evidence: #1204 end
            next: chain(seq(1204))
        "#]],
    );
}

#[test]
fn an_ejabberd_process_that_fell_with_the_rest_points_to_the_root() {
    let rec = recorded("ejabberd-small.trace");
    let survivor = rec.scan(&Filter::kind(Kind::Exit)).find(|event| event.process.to_string() == "<0.362.0>");
    check(
        &rec,
        survivor.expect("it ends").seq.0,
        expect![[r#"
            ejabberd_sm_mnesia ended with shutdown (#10347): its supervisor ejabberd_backend_sup shut it down (#10341).
            ejabberd_backend_sup in turn was told to end by ejabberd_sup (#10340).
            ejabberd_sup was going down because it had given up on restarting ejabberd_sm (#9664).
            evidence: #9664 gave up, #10340 from above, #10341 shut down, #10347 end
            next: why(seq(9664)), chain(seq(10347))
        "#]],
    );
}

#[test]
fn patterns_of_the_recorded_traces() {
    let titles = |rec: &Recording| -> String {
        let findings = patterns(rec, &[], &Options::default()).expect("no detector is named");
        findings.iter().map(|f| format!("{:?} {}: {} ({})\n", f.severity, f.pattern, f.title, f.suggestion)).collect()
    };
    expect![[r#"
        Warning slow_callback: shop takes 152 ms for the call audit (process_timeline("shop"))
        Warning late_reply: shop answers the call buy too late (why(seq(50)))
    "#]]
    .assert_eq(&titles(&recorded("shop-ttb")));
    expect![[r#"
        Error restart_storm: ejabberd_sup restarted ejabberd_sm 10 times within 12.6 ms (why(seq(9067)))
        Error crash_loop: ejabberd_sm crashed 10 times with one reason (why(seq(9725)))
    "#]]
    .assert_eq(&titles(&recorded("ejabberd-small.trace")));
}
