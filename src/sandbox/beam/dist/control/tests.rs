//! Control messages as bytes, both ways, and what the switchboard makes of them.

use proptest::prelude::*;

use super::*;
use crate::model::Origin;
use crate::model::limits::DIST_CONTROL_BYTES_MAX;

const LOCAL: Pid = Pid { serial: 0, id: 7, origin: Origin::LOCAL };
const OTHER: Pid = Pid { serial: 1, id: 9, origin: Origin::LOCAL };

fn reference() -> Reference {
    Reference { origin: Origin::LOCAL, n_words: 3, words: [1, 2, 3, 0, 0] }
}

/// A frame that we would send, without its length, after a look at that.
fn body(frame: Vec<u8>) -> Vec<u8> {
    let (len, body) = frame.split_first_chunk::<4>().unwrap();
    assert_eq!(u32::from_be_bytes(*len) as usize, body.len());
    body.to_vec()
}

/// A frame of these control elements and this payload.
fn frame(control: &[Term], payload: Option<&Term>) -> Vec<u8> {
    let mut out = vec![PASS_THROUGH];
    etf::encode(&Term::tuple(control), &mut out);
    if let Some(payload) = payload {
        etf::encode(payload, &mut out);
    }
    out
}

#[test]
fn what_we_send_reads_back() {
    let reason = Term::atom("bye");
    let name = Atom::new("shop");
    let cases: Vec<(Vec<u8>, Control<'_>)> = vec![
        (send(OTHER, &[131, 106]), Control::Send { to: OTHER }),
        (send_name(LOCAL, name, &[131, 106]), Control::RegSend { from: LOCAL, name }),
        (exit(LOCAL, OTHER, &reason), Control::Exit { from: LOCAL, to: OTHER, reason: None }),
        (exit2(LOCAL, OTHER, &reason), Control::Exit2 { from: LOCAL, to: OTHER, reason: None }),
        (demonitor(LOCAL, OTHER, &reference()), Control::Demonitor { from: LOCAL, reference: reference() }),
        (
            monitor_exit(Watched::Name(name), OTHER, &reference(), &reason),
            Control::MonitorExit { to: OTHER, reference: reference(), reason: None },
        ),
        (unlink_ack(5, LOCAL, OTHER), Control::Ignored { op: op::UNLINK_ID_ACK }),
        (
            spawn_refused(&reference(), OTHER),
            Control::SpawnReply { request: reference(), is_linked: false, result: Spawned::Error(Atom::new("notsup")) },
        ),
    ];
    for (sent, expected) in cases {
        let body = body(sent);
        assert_eq!(read_frame(&body).unwrap().control, expected);
    }
    let sent = body(send(OTHER, &[131, 97, 5]));
    let payload_at = read_frame(&sent).unwrap().payload_at.unwrap();
    assert_eq!(etf::decode(&sent[payload_at..]), Ok(Term::Int(5)));
}

/// As OTP 25 writes `spawn_request(Node, m, f, [1], [link])`.
#[test]
fn a_spawn_request_in_full() {
    let request = SpawnRequest {
        request: &reference(),
        from: LOCAL,
        group_leader: OTHER,
        module: Atom::new("m"),
        function: Atom::new("f"),
        args: &[Term::Int(1)],
        tie: Tie::Link,
    };
    let sent = body(request.frame());
    let (control, n_used) = etf::decode_prefix(&sent[1..]).unwrap();
    let text = control.display(crate::model::Style::erlang()).to_string();
    assert_eq!(text, "{29,#Ref<0.3.2.1>,<0.7.0>,<0.9.1>,{m,f,1},[link]}");
    assert_eq!(etf::decode(&sent[1 + n_used..]), Ok(Term::list([Term::Int(1)])));
}

#[test]
fn trace_tokens_and_old_forms_are_read() {
    let (from, to, why, token) = (Term::Pid(LOCAL), Term::Pid(OTHER), Term::atom("bye"), Term::Nil);
    let op = |op: i64| Term::Int(op);
    let old = frame(&[op(op::EXIT), from.clone(), to.clone(), why.clone()], None);
    let Control::Exit { reason: Some(reason), .. } = read_frame(&old).unwrap().control else { panic!() };
    assert_eq!(etf::decode(&standalone(reason)), Ok(why.clone()));
    let traced = frame(&[op(op::EXIT_TT), from.clone(), to.clone(), token.clone(), why.clone()], None);
    let Control::Exit { reason: Some(reason), .. } = read_frame(&traced).unwrap().control else { panic!() };
    assert_eq!(etf::decode(&standalone(reason)), Ok(why.clone()));
    let sent = frame(&[op(op::SEND_SENDER_TT), from, to, token], Some(&why));
    assert_eq!(read_frame(&sent).unwrap().control, Control::Send { to: OTHER });
}

#[test]
fn broken_frames_say_where() {
    let error = |bytes: &[u8]| read_frame(bytes).unwrap_err().to_string();
    assert_eq!(error(b""), "an empty frame");
    assert_eq!(error(b"\x83D"), "a frame of kind 131, not 112, at byte 0");
    assert_eq!(error(b"p\x83\xff"), "control: unknown tag 255 at byte 2");
    assert_eq!(error(b"p\x83\x6a"), "the control message at byte 1 is no tuple with a number");
    let pid = Term::Pid(LOCAL);
    assert_eq!(error(&frame(&[Term::Int(1)], None)), "control message 1 of 1 elements cannot be understood at byte 1");
    let send = [Term::Int(2), Term::atom(""), pid];
    assert_eq!(error(&frame(&send, None)), "control message 2 without payload");
    let mut trailing = frame(&send, Some(&Term::Nil));
    trailing.push(0);
    assert_eq!(error(&trailing), format!("payload: 1 bytes after the term at byte {}", trailing.len() - 1));
    trailing.truncate(trailing.len() - 2);
    assert_eq!(error(&trailing), format!("payload: the term ends 1 bytes too early at byte {}", trailing.len()));
    assert_eq!(read_frame(&frame(&[Term::Int(99)], None)).unwrap().control, Control::Ignored { op: 99 });
}

/// Some control message, right or nearly so.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let term = prop_oneof![
        Just(Term::Pid(LOCAL)),
        Just(Term::Pid(OTHER)),
        Just(Term::Ref(std::sync::Arc::new(reference()))),
        Just(Term::atom("")),
        (0..40_i64).prop_map(Term::Int),
        Just(Term::Nil),
    ];
    let payload = proptest::option::of(term.clone());
    (0..40_i64, proptest::collection::vec(term, 0..6), payload).prop_map(|(op, mut rest, payload)| {
        rest.insert(0, Term::Int(op));
        frame(&rest, payload.as_ref())
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_frame(&bytes);
        let mut framed = vec![PASS_THROUGH, 131];
        framed.extend(bytes);
        let _ = read_frame(&framed);
    }

    #[test]
    fn cut_and_flipped_frames_do_no_harm(frame in any_frame(), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let _ = read_frame(&frame);
        let idx = at.index(frame.len());
        let _ = read_frame(&frame[..idx]);
        let mut flipped = frame.clone();
        flipped[idx] ^= 1_u8 << bit;
        let _ = read_frame(&flipped);
        prop_assert!(frame.len() < DIST_CONTROL_BYTES_MAX);
    }
}
