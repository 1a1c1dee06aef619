//! Frames into a switchboard, and what comes out: answers, deliveries, frames for the node.

use std::sync::Weak;
use std::time::Duration;

use crossbeam::channel::{Receiver, bounded};
use proptest::prelude::*;

use super::*;
use crate::codec::write;
use crate::model::limits::{DIST_MAILBOX_BYTES_MAX, DIST_MAILBOX_MESSAGES_MAX};
use crate::model::{Atom, Origin, Style};
use crate::sandbox::beam::dist::control::op;
use crate::sandbox::beam::dist::mailbox::{self, Mailbox};

fn ours(id: u32) -> Pid {
    Pid { serial: 0, id, origin: Origin::LOCAL }
}
fn theirs(id: u32) -> Pid {
    Pid { serial: 0, id, origin: Origin::intern(Atom::new("shop@box"), 3).unwrap() }
}
fn reference(n: u32) -> Reference {
    Reference { origin: Origin::LOCAL, n_words: 1, words: [n, 0, 0, 0, 0] }
}

fn frame(control: &[Term], payload: Option<&Term>) -> Vec<u8> {
    let mut out = vec![112];
    etf::encode(&Term::tuple(control), &mut out);
    if let Some(payload) = payload {
        etf::encode(payload, &mut out);
    }
    out
}

/// A frame for the node as text: control message, then payload.
fn shown(frame: &[u8]) -> String {
    let (control, n_used) = etf::decode_prefix(&frame[5..]).unwrap();
    let text = |term: &Term| term.display(Style::erlang()).to_string();
    match &frame[5 + n_used..] {
        [] => text(&control),
        payload => format!("{} {}", text(&control), text(&etf::decode(payload).unwrap())),
    }
}

struct Bench {
    board: Switchboard,
}

impl Bench {
    fn new() -> Bench {
        Bench { board: Switchboard::new(ours(1)) }
    }
    fn open(&mut self, id: u32) -> Mailbox {
        let (mailbox, inlet) = mailbox::pair(ours(id), Weak::new());
        self.board.open(ours(id), inlet).unwrap();
        mailbox
    }
    fn expect(&mut self, n: u32, wants: Wants) -> Receiver<Answer> {
        let (sender, receiver) = bounded(1);
        self.board.expect(reference(n), wants, sender).unwrap();
        receiver
    }
    /// Takes a frame in and gives what goes out.
    fn receive(&mut self, control: &[Term], payload: Option<&Term>) -> Vec<String> {
        let mut out = Vec::new();
        self.board.receive(frame(control, payload), &mut out).unwrap();
        out.iter().map(|frame| shown(frame)).collect()
    }
    fn send(&mut self, to: Pid, message: &Term) -> Vec<String> {
        self.receive(&[Term::Int(op::SEND), Term::atom(""), Term::Pid(to)], Some(message))
    }
    fn spawn_reply(&mut self, n: u32, flags: i64, result: Term) -> Vec<String> {
        let request = Term::Ref(reference(n).into());
        self.receive(&[Term::Int(op::SPAWN_REPLY), request, Term::Pid(ours(1)), Term::Int(flags), result], None)
    }
    fn exit(&mut self, from: Pid, to: Pid, reason: &Term) -> Vec<String> {
        self.receive(&[Term::Int(op::PAYLOAD_EXIT), Term::Pid(from), Term::Pid(to)], Some(reason))
    }
}

fn exit_of(mailbox: &Mailbox) -> Option<(Pid, Term)> {
    match mailbox.try_recv()? {
        Received::Exit { from, reason } => Some((from, reason.to_term().unwrap())),
        _ => None,
    }
}

#[test]
fn a_call_is_answered_once() {
    let mut bench = Bench::new();
    let answer = bench.expect(1, Wants::End);
    assert!(bench.spawn_reply(1, 2, Term::Pid(theirs(5))).is_empty());
    let ended = [op::PAYLOAD_MONITOR_P_EXIT, 0, 0, 0].map(Term::Int);
    let [op, ..] = ended;
    let control = [op, Term::Pid(theirs(5)), Term::Pid(ours(1)), Term::Ref(reference(1).into())];
    bench.receive(&control, Some(&Term::atom("done")));
    let Ok(Answer::Ended(reason)) = answer.try_recv() else { panic!("no answer") };
    assert_eq!(etf::decode(&reason), Ok(Term::atom("done")));
    bench.receive(&control, Some(&Term::atom("done")));
    assert_eq!(bench.board.n_ignored, 1);
    let answer = bench.expect(2, Wants::End);
    bench.spawn_reply(2, 0, Term::atom("system_limit"));
    assert!(matches!(answer.try_recv(), Ok(Answer::NotStarted(reason)) if reason == "system_limit"));
}

#[test]
fn what_was_given_up_is_killed() {
    let mut bench = Bench::new();
    let (_early, _late) = (bench.expect(1, Wants::End), bench.expect(2, Wants::End));
    bench.spawn_reply(1, 2, Term::Pid(theirs(5)));
    let mut out = Vec::new();
    bench.board.give_up(&reference(1), &mut out);
    bench.board.give_up(&reference(2), &mut out);
    let out: Vec<String> = out.iter().map(|frame| shown(frame)).collect();
    assert_eq!(out, ["{20,<0.1.0>,<3.5.0>,#Ref<0.1>}", "{26,<0.1.0>,<3.5.0>} kill"].map(renamed));
    let late = bench.spawn_reply(2, 2, Term::Pid(theirs(6)));
    assert_eq!(late, [renamed("{26,<0.1.0>,<3.6.0>} kill")]);
}

/// Foreign pids print with a number of their node: whatever it is here.
fn renamed(text: &str) -> String {
    let shown = Term::Pid(theirs(0)).display(Style::erlang()).to_string();
    let node = shown.trim_start_matches('<').split('.').next().unwrap().to_string();
    text.replace("<3.", &format!("<{node}."))
}

#[test]
fn links_live_and_die() {
    let mut bench = Bench::new();
    let mailbox = bench.open(2);
    let answer = bench.expect(1, Wants::Start { mailbox: ours(2) });
    bench.spawn_reply(1, 1, Term::Pid(theirs(5)));
    assert!(matches!(answer.try_recv(), Ok(Answer::Spawned(pid)) if pid == theirs(5)));
    bench.exit(theirs(6), ours(2), &Term::atom("lie"));
    assert_eq!(exit_of(&mailbox), None, "an exit without a link");
    bench.exit(theirs(5), ours(2), &Term::atom("done"));
    assert_eq!(exit_of(&mailbox), Some((theirs(5), Term::atom("done"))));
    // A link from their side, taken back again.
    let link = [Term::Int(op::LINK), Term::Pid(theirs(7)), Term::Pid(ours(2))];
    assert!(bench.receive(&link, None).is_empty());
    let unlink = [Term::Int(op::UNLINK_ID), Term::Int(4), Term::Pid(theirs(7)), Term::Pid(ours(2))];
    assert_eq!(bench.receive(&unlink, None), [renamed("{36,4,<0.2.0>,<3.7.0>}")]);
    bench.exit(theirs(7), ours(2), &Term::atom("late"));
    assert_eq!(exit_of(&mailbox), None);
    // A link to nobody.
    let nobody = [Term::Int(op::LINK), Term::Pid(theirs(7)), Term::Pid(ours(99))];
    assert_eq!(bench.receive(&nobody, None), [renamed("{24,<0.99.0>,<3.7.0>} noproc")]);
    // Our end.
    bench.receive(&link, None);
    let mut out = Vec::new();
    bench.board.end(ours(2), &Term::atom("shutdown"), &mut out);
    assert_eq!(out.iter().map(|frame| shown(frame)).collect::<Vec<_>>(), [renamed("{24,<0.2.0>,<3.7.0>} shutdown")]);
}

#[test]
fn strangers_are_answered() {
    let mut bench = Bench::new();
    let request = [Term::Int(op::SPAWN_REQUEST), Term::Ref(reference(8).into()), Term::Pid(theirs(7))];
    assert_eq!(bench.receive(&request, Some(&Term::Nil)), [renamed("{31,#Ref<0.8>,<3.7.0>,0,notsup}")]);
    let monitor =
        [Term::Int(op::MONITOR_P), Term::Pid(theirs(7)), Term::atom("net_kernel"), Term::Ref(reference(8).into())];
    assert_eq!(bench.receive(&monitor, None), [renamed("{28,net_kernel,<3.7.0>,#Ref<0.8>} noproc")]);
    assert!(bench.send(ours(50), &Term::Nil).is_empty());
    let put = Term::tuple([Term::atom("put_chars"), Term::binary(*b"hi")]);
    let request = Term::tuple([Term::atom("io_request"), Term::Pid(theirs(7)), Term::Int(3), put]);
    assert_eq!(bench.send(ours(1), &request), [renamed("{2,'',<3.7.0>} {io_reply,3,ok}")]);
    assert_eq!(bench.board.printed.take().0, "hi");
    assert_eq!(bench.board.n_ignored, 1);
}

#[test]
fn a_full_mailbox_drops_and_counts() {
    let mut bench = Bench::new();
    let mailbox = bench.open(2);
    for n in 0..DIST_MAILBOX_MESSAGES_MAX + 10 {
        bench.send(ours(2), &Term::Int(n as i64));
    }
    assert_eq!((mailbox.receiver().len(), mailbox.n_dropped()), (DIST_MAILBOX_MESSAGES_MAX, 10));
    // An exit signal still has room, and what is taken out makes room.
    bench.receive(&[Term::Int(op::PAYLOAD_EXIT2), Term::Pid(theirs(5)), Term::Pid(ours(2))], Some(&Term::Nil));
    assert_eq!(mailbox.receiver().len(), DIST_MAILBOX_MESSAGES_MAX + 1);
    drop((mailbox.try_recv(), mailbox.try_recv()));
    bench.send(ours(2), &Term::Nil);
    assert_eq!(mailbox.n_dropped(), 10);
    while mailbox.try_recv().is_some() {}

    let big = Term::binary(vec![0; DIST_MAILBOX_BYTES_MAX / 3]);
    (0..4).for_each(|_| drop(bench.send(ours(2), &big)));
    assert_eq!((mailbox.receiver().len(), mailbox.n_dropped()), (2, 12));
}

#[test]
fn too_long_frames_are_told_of() {
    let mut bench = Bench::new();
    let (mailbox, answer) = (bench.open(2), bench.expect(1, Wants::End));
    let mut out = Vec::new();
    let mut cut = |bench: &mut Bench, control: &[Term]| {
        let mut head = frame(control, None);
        head.extend([131, 109, 0xff, 0xff, 0xff, 0xff, 0, 0]);
        bench.board.receive_cut(&head, 1 << 31, &mut out).unwrap();
    };
    let monitor = [op::PAYLOAD_MONITOR_P_EXIT].map(Term::Int);
    let [op_exit] = monitor;
    cut(&mut bench, &[op_exit, Term::Pid(theirs(5)), Term::Pid(ours(1)), Term::Ref(reference(1).into())]);
    assert!(matches!(answer.try_recv(), Ok(Answer::TooLong { n_bytes }) if n_bytes == 1 << 31));
    cut(&mut bench, &[Term::Int(op::SEND), Term::atom(""), Term::Pid(ours(2))]);
    assert_eq!(mailbox.n_dropped(), 1);
    cut(&mut bench, &[Term::Int(op::PAYLOAD_EXIT2), Term::Pid(theirs(5)), Term::Pid(ours(2))]);
    let reason = Term::tuple([Term::atom("reason_too_long"), Term::Int(1 << 31)]);
    assert_eq!(exit_of(&mailbox), Some((theirs(5), reason)));
}

#[test]
fn down_is_told_to_all() {
    let mut bench = Bench::new();
    let (mailbox, answer) = (bench.open(2), bench.expect(1, Wants::End));
    bench.board.down("gone");
    assert!(matches!(answer.try_recv(), Ok(Answer::Down(reason)) if reason == "gone"));
    assert!(matches!(mailbox.try_recv(), Some(Received::NodeDown { reason }) if reason == "gone"));
    assert!(matches!(mailbox.recv_timeout(Duration::ZERO), Some(Received::NodeDown { .. })));
    let (sender, _receiver) = bounded(1);
    assert_eq!(bench.board.expect(reference(2), Wants::End, sender), Err(Denied::Down));
}

proptest! {
    /// Any mix of control messages about few processes: no panic, and no table beyond its limit.
    #[test]
    fn any_traffic_is_survived(ops in proptest::collection::vec((1..40_i64, 0..4_u32, 0..4_u32, any::<bool>()), 0..60)) {
        let mut bench = Bench::new();
        let _mailbox = bench.open(2);
        let _answers = [bench.expect(0, Wants::End), bench.expect(1, Wants::Start { mailbox: ours(2) })];
        for (op, a, b, has_payload) in ops {
            let terms = [
                Term::Int(op),
                if a == 0 { Term::Ref(reference(b).into()) } else { Term::Pid(theirs(a)) },
                Term::Pid(if b == 3 { theirs(b) } else { ours(b) }),
                if a == 1 { Term::Int(1) } else { Term::Ref(reference(a).into()) },
                Term::Pid(theirs(b)),
            ];
            let mut out = Vec::new();
            let mut bytes = frame(&terms[..3 + (b % 3) as usize], None);
            if has_payload {
                write::version(&mut bytes);
                write::nil(&mut bytes);
            }
            let _ = bench.board.receive_cut(&bytes, bytes.len() + 1, &mut out);
            let _ = bench.board.receive(bytes, &mut out);
            out.iter().for_each(|frame| drop(shown(frame)));
        }
    }
}
