//! The distribution client against peers that are not what they should be: hosts that are not there, strangers on
//! the port, nodes that hang, lie, flood or break off. No Erlang is needed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cinema::codec::etf;
use cinema::model::{Atom, FailureKind, Origin, Pid, Term, limits};
use cinema::sandbox::beam::dist::handshake::{OUR_FLAGS, flag};
use cinema::sandbox::beam::dist::{CallError, Config, ConnectError, Cookie, Machine, Node, Received, Target};

const COOKIE: &str = "SECRET_OF_THE_TEST";
const WAIT: Duration = Duration::from_secs(5);
const NODE_FLAGS: u64 = OUR_FLAGS & !flag::NAME_ME;

/// Listens, and plays `script` with the first that connects.
fn peer(script: impl FnOnce(TcpStream) + Send + 'static) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || script(listener.accept().unwrap().0));
    (port, thread)
}

fn config(port: u16) -> Config {
    let target = Target::parse(&format!("shop@localhost:{port}"), false, &Machine::here()).unwrap();
    Config {
        deadline: Duration::from_secs(2),
        ticktime: Some(Duration::from_secs(60)),
        ..Config::new(target, Cookie::from_text(COOKIE).unwrap(), Machine::here())
    }
}

fn refusal(script: impl FnOnce(TcpStream) + Send + 'static) -> ConnectError {
    let started = Instant::now();
    let (port, thread) = peer(script);
    let error = Node::try_connect(&config(port)).map(drop).unwrap_err();
    thread.join().unwrap();
    assert!(started.elapsed() < Duration::from_secs(3), "{error}");
    assert!(!error.failure(&config(port).target).to_string().contains(COOKIE));
    error
}

/// Reads a handshake message.
fn hear(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let mut body = vec![0; usize::from(u16::from_be_bytes(head))];
    stream.read_exact(&mut body).unwrap();
    body
}

fn say(stream: &mut TcpStream, body: &[u8]) {
    let len = u16::try_from(body.len()).unwrap();
    stream.write_all(&[&len.to_be_bytes()[..], body].concat()).unwrap();
}

const NAMED: &[u8] = b"snamed:\0\x06we@box\0\0\0\x05";

fn challenge(flags: u64, name: &str) -> Vec<u8> {
    let len = u16::try_from(name.len()).unwrap();
    [b"N", &flags.to_be_bytes()[..], &[0, 0, 0, 9, 0, 0, 0, 7], &len.to_be_bytes(), name.as_bytes()].concat()
}

fn digest(challenge: &[u8]) -> [u8; 16] {
    let challenge = u32::from_be_bytes(challenge.try_into().unwrap());
    Cookie::from_text(COOKIE).unwrap().digest(challenge)
}

/// The whole handshake, as a good node does it.
fn welcome(stream: &mut TcpStream) {
    assert_eq!(hear(stream)[0], b'N');
    say(stream, NAMED);
    say(stream, &challenge(NODE_FLAGS, "shop@localhost"));
    let reply = hear(stream);
    assert_eq!(reply[5..], digest(&[0, 0, 0, 9]), "it knows the cookie");
    say(stream, &[b"a", &digest(&reply[1..5])[..]].concat());
}

/// The next frame that is no tick: its control message and payload.
fn frame(stream: &mut TcpStream) -> Option<(Term, Option<Term>)> {
    loop {
        let mut head = [0; 4];
        stream.read_exact(&mut head).ok()?;
        let mut body = vec![0; u32::from_be_bytes(head) as usize];
        stream.read_exact(&mut body).ok()?;
        if !body.is_empty() {
            let (control, n_used) = etf::decode_prefix(&body[1..]).unwrap();
            return Some((control, etf::decode(&body[1 + n_used..]).ok()));
        }
    }
}

fn frame_bytes(control: &[Term], payload: &Term) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 0, 112];
    etf::encode(&Term::tuple(control), &mut body);
    etf::encode(payload, &mut body);
    let len = u32::try_from(body.len() - 4).unwrap();
    body[..4].copy_from_slice(&len.to_be_bytes());
    body
}

fn worker() -> Term {
    Term::Pid(Pid { serial: 0, id: 77, origin: Origin::intern(Atom::new("shop@localhost"), 7).unwrap() })
}

/// Answers one call with `value`.
fn answer(stream: &mut TcpStream, value: Term) {
    let (control, _) = frame(stream).expect("a call");
    let request = control.as_tuple().unwrap();
    assert_eq!(request[0], Term::Int(29), "SPAWN_REQUEST");
    let result = Term::tuple([request[1].clone(), Term::atom("return"), value]);
    let ended = [Term::Int(28), worker(), request[2].clone(), request[1].clone()];
    stream.write_all(&frame_bytes(&ended, &result)).unwrap();
}

fn release(text: &str) -> Term {
    Term::list(text.bytes().map(|byte| Term::Int(i64::from(byte))).collect::<Vec<_>>())
}

/// A node that has let us in and does then what `script` says.
fn connected(script: impl FnOnce(TcpStream) + Send + 'static) -> (Node, JoinHandle<()>) {
    connected_by(|config| config, script)
}

fn connected_by(
    change: impl FnOnce(Config) -> Config,
    script: impl FnOnce(TcpStream) + Send + 'static,
) -> (Node, JoinHandle<()>) {
    let (port, thread) = peer(move |mut stream| {
        welcome(&mut stream);
        answer(&mut stream, release("26"));
        script(stream);
    });
    (Node::connect(&change(config(port))).unwrap_or_else(|failure| panic!("{failure}")), thread)
}

fn until(mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < WAIT, "it never came to be");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_good_node_lets_us_in() {
    let (node, thread) = connected(|mut stream| {
        answer(&mut stream, Term::Int(1));
        assert!(frame(&mut stream).is_none(), "it closes");
    });
    assert_eq!((node.own_name().as_str(), node.otp_release(), node.creation()), ("we@box", 26, 7));
    assert_eq!(node.call("a", "b", vec![], WAIT), Ok(Term::Int(1)));
    node.close();
    assert_eq!(node.down_reason().as_deref(), Some("closed by cinema"));
    thread.join().unwrap();
}

#[test]
fn strangers_on_the_port() {
    let hang = refusal(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    assert!(hang.to_string().starts_with("no answer within 2000 ms: waiting for the handshake of 127.0.0.1:"));
    // What is not read would make the system break the connection before we have read.
    let after_greeting = |bytes: &'static [u8]| {
        refusal(move |mut stream| {
            hear(&mut stream);
            stream.write_all(bytes).unwrap();
        })
    };
    let http = after_greeting(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert!(http.to_string().contains(r#"it says "HTTP/1.1 400 Bad Request\r\n\r\n""#), "{http}");
    assert_eq!(after_greeting(&[0x15, 3, 3, 0, 2, 2, 10]), ConnectError::Tls);
    let noise = after_greeting(b"\0\x04what");
    assert!(noise.to_string().ends_with("not a status at byte 0"), "{noise}");
    let long = after_greeting(&[0xff; 100]);
    assert!(matches!(long, ConnectError::NotErlang { .. }), "{long}");
}

#[test]
fn closing_at_each_step() {
    let at = |n_steps: usize| {
        refusal(move |mut stream| {
            let steps: [&dyn Fn(&mut TcpStream); 4] = [
                &|stream| drop(hear(stream)),
                &|stream| say(stream, NAMED),
                &|stream| say(stream, &challenge(NODE_FLAGS, "shop@localhost")),
                &|stream| drop(hear(stream)),
            ];
            steps[..n_steps].iter().for_each(|step| step(&mut stream));
        })
        .to_string()
    };
    assert!(at(0).starts_with("the node closed the connection "), "{}", at(0));
    assert_eq!(at(1), "the node closed the connection after our greeting");
    assert_eq!(at(2), "the node closed the connection before its challenge");
    assert!(matches!(&*at(3), "the node refused the cookie" | "the node closed the connection at its challenge"));
    assert_eq!(at(4), "the node refused the cookie");
    let let_in = refusal(|mut stream| welcome(&mut stream));
    assert!(let_in.to_string().contains("at our first question"), "{let_in}");
}

#[test]
fn refusals() {
    let status = |status: &'static [u8]| {
        refusal(move |mut stream| {
            hear(&mut stream);
            say(&mut stream, status);
            let _ = stream.read(&mut [0; 16]);
        })
        .to_string()
    };
    assert!(status(b"snok").contains("(nok)"));
    assert!(status(b"snot_allowed").contains("(not_allowed)"));
    assert!(status(b"salive").contains("(alive)"));
    assert!(status(b"sok").contains("it gives no names"));
    assert!(status(b"s\x1b[31m").contains(r"status \x1b[31m"));
    let offer = |challenge: Vec<u8>| {
        refusal(move |mut stream| {
            hear(&mut stream);
            say(&mut stream, NAMED);
            say(&mut stream, &challenge);
            let _ = stream.read(&mut [0; 16]);
        })
        .to_string()
    };
    let old = |release: &str| format!("the node runs {release}: OTP 25 or newer is needed");
    assert_eq!(offer(b"n\0\x05\0\0\0\0".to_vec()), old("OTP 22 or older"));
    let without = |flags: u64| offer(challenge(NODE_FLAGS & !flags, "shop@localhost"));
    assert_eq!(without(flag::MANDATORY_25_DIGEST), old("OTP 24"));
    assert_eq!(without(flag::MANDATORY_25_DIGEST | flag::V4_NC), old("OTP 23"));
    assert!(without(flag::SPAWN).contains("lacks the capability SPAWN"));
    assert!(offer(challenge(NODE_FLAGS, "blog@box")).contains("is the node blog@box, not shop@localhost"));
    let liar = refusal(|mut stream| {
        hear(&mut stream);
        say(&mut stream, NAMED);
        say(&mut stream, &challenge(NODE_FLAGS, "shop@localhost"));
        hear(&mut stream);
        say(&mut stream, &[b'a'; 17]);
        let _ = stream.read(&mut [0; 16]);
    });
    assert_eq!(liar, ConnectError::WrongProof);
    let release_24 = refusal(|mut stream| {
        welcome(&mut stream);
        answer(&mut stream, release("24"));
    });
    assert_eq!(release_24.to_string(), old("OTP 24"));
}

#[test]
fn hosts_and_epmds_that_are_none() {
    let connect = |text: &str, epmd_port: u16| {
        let started = Instant::now();
        let target = Target::parse(text, false, &Machine::here()).unwrap();
        let cookie = Cookie::from_text(COOKIE).unwrap();
        let failure = Node::connect(&Config { epmd_port, ..Config::new(target, cookie, Machine::here()) });
        assert!(started.elapsed() < Duration::from_millis(3_600), "{text}");
        failure.map(drop).unwrap_err()
    };
    let unused = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let refused = connect("shop@127.0.0.1", unused);
    assert!(refused.error.contains(&format!("no epmd answers at 127.0.0.1:{unused}")), "{refused}");
    assert!(refused.hints[0].contains("shop@127.0.0.1:PORT"), "{refused}");
    let refused = connect(&format!("shop@localhost:{unused}"), 1);
    assert!(refused.error.contains("does not answer"), "{refused}");
    // A network for documentation: nobody answers, or the system says at once that there is no way.
    let dark = connect("shop@192.0.2.1", unused);
    assert_eq!(dark.kind, FailureKind::Io);
    connect("shop@no-such-host.invalid", unused);

    let (port, thread) = peer(|mut stream| {
        stream.read_exact(&mut [0; 7]).unwrap();
        stream.write_all(b"HTTP/1.1 400\r\n").unwrap();
    });
    assert!(connect("shop@127.0.0.1", port).error.contains("is no epmd: not the answer of an epmd at byte 0"));
    thread.join().unwrap();
    let (port, thread) = peer(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    assert!(connect("shop@127.0.0.1", port).error.contains("no answer within"));
    thread.join().unwrap();
    // An epmd of OTP 22 or older.
    let (port, thread) = peer(|mut stream| {
        stream.read_exact(&mut [0; 7]).unwrap();
        stream.write_all(b"\x77\0\x12\x34\x4d\0\0\x05\0\x05\0\x04shop\0\0").unwrap();
    });
    assert!(connect("shop@127.0.0.1", port).error.contains("OTP 22 or older"));
    thread.join().unwrap();
}

#[test]
fn a_node_that_hangs() {
    let (node, thread) = connected_by(
        |config| Config { ticktime: Some(Duration::from_millis(400)), ..config },
        |mut stream| drop(stream.read_to_end(&mut Vec::new())),
    );
    let started = Instant::now();
    let error = node.try_call("a", "b", vec![], Duration::from_millis(100)).unwrap_err();
    assert!(matches!(error, CallError::Timeout { .. }), "{error}");
    let error = node.try_call("a", "b", vec![], WAIT).unwrap_err();
    assert!(error.to_string().contains("nothing came from the node for"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2));
    thread.join().unwrap();
}

/// The peer's ticks keep it alive, and ours come in time.
#[test]
fn ticks_both_ways() {
    let (node, thread) = connected_by(
        |config| Config { ticktime: Some(Duration::from_millis(400)), ..config },
        |mut stream| {
            let mut ticks = [0xff; 4 * 8];
            for _ in 0..8 {
                std::thread::sleep(Duration::from_millis(100));
                stream.write_all(&[0; 4]).unwrap();
            }
            stream.read_exact(&mut ticks).unwrap();
            assert_eq!(ticks, [0; 4 * 8]);
        },
    );
    thread.join().unwrap();
    until(|| !node.is_up());
    assert_eq!(node.down_reason().as_deref(), Some("the node closed the connection"));
}

#[test]
fn a_node_that_floods() {
    let n_messages = 200_000;
    let (node, thread) = connected(move |mut stream| {
        let (_, mailbox) = frame(&mut stream).expect("the mailbox's pid");
        let message = frame_bytes(&[Term::Int(2), Term::atom(""), mailbox.unwrap()], &Term::binary([7; 100]));
        let chunk = message.repeat(100);
        (0..n_messages / 100).for_each(|_| stream.write_all(&chunk).unwrap());
        answer(&mut stream, Term::atom("done"));
        drop(stream.read_to_end(&mut Vec::new()));
    });
    let mailbox = node.mailbox().unwrap();
    node.send_name("flood", &Term::Pid(mailbox.pid())).unwrap();
    assert_eq!(node.call("a", "b", vec![], Duration::from_secs(30)), Ok(Term::atom("done")), "calls get through");
    let n_kept = mailbox.receiver().len();
    assert_eq!(n_kept, limits::DIST_MAILBOX_MESSAGES_MAX);
    assert_eq!(mailbox.n_dropped(), n_messages - n_kept as u64, "every message is accounted for");
    drop(node);
    thread.join().unwrap();
}

/// Frames whose length is a lie, or true and too much.
#[test]
fn frames_too_long() {
    let (node, thread) = connected(|mut stream| {
        let (_, mailbox) = frame(&mut stream).expect("the mailbox's pid");
        let mut head = frame_bytes(&[Term::Int(2), Term::atom(""), mailbox.unwrap()], &Term::Nil);
        head.truncate(head.len() - 1);
        let n_bytes = limits::DIST_FRAME_BYTES_MAX + (1 << 20);
        head[..4].copy_from_slice(&u32::try_from(n_bytes).unwrap().to_be_bytes());
        let n_rest = n_bytes - (head.len() - 4);
        stream.write_all(&head).unwrap();
        stream.write_all(&vec![109; n_rest]).unwrap();
        answer(&mut stream, Term::atom("done"));
        stream.write_all(&[0xff, 0xff, 0xff, 0xff, 112, 131]).unwrap();
    });
    let mailbox = node.mailbox().unwrap();
    node.send_name("long", &Term::Pid(mailbox.pid())).unwrap();
    assert_eq!(node.call("a", "b", vec![], Duration::from_secs(30)), Ok(Term::atom("done")));
    assert_eq!(mailbox.n_dropped(), 1);
    assert!(matches!(mailbox.recv_timeout(WAIT), Some(Received::NodeDown { .. })), "4 GiB were claimed, 2 bytes came");
    thread.join().unwrap();
}

#[test]
fn a_broken_frame_ends_the_connection_with_its_place() {
    let (node, thread) = connected(|mut stream| {
        stream.write_all(&[0, 0, 0, 0, 0, 0, 0, 3, 112, 131, 255]).unwrap();
        drop(stream.read_to_end(&mut Vec::new()));
    });
    until(|| !node.is_up());
    let reason = node.down_reason().unwrap();
    assert!(reason.starts_with("the node sent a broken frame at byte "), "{reason}");
    assert!(reason.ends_with("control: unknown tag 255 at byte 2"), "{reason}");
    thread.join().unwrap();
}

/// A node that does not read: sending fails by limit, and never waits.
#[test]
fn a_node_that_does_not_read() {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let (node, thread) = connected(move |_stream| assert!(wait.recv().is_err(), "the other side lets go"));
    let Term::Pid(to) = worker() else { unreachable!() };
    let message = Term::binary(vec![0; 1 << 20]);
    let started = Instant::now();
    let failure = (0..1_000).find_map(|_| node.send(to, &message).err()).expect("a limit");
    assert_eq!(failure.kind, FailureKind::Limit);
    assert!(failure.error.contains("limit DIST_UNSENT_BYTES_MAX (67108864)"), "{failure}");
    let error = node.try_call("a", "b", vec![message], WAIT).unwrap_err();
    assert!(matches!(error, CallError::Limit { .. }), "{error}");
    node.close();
    assert!(started.elapsed() < WAIT, "closing does not wait for it either");
    drop(done);
    thread.join().unwrap();
}

/// Bytes without sense after a good handshake, by a fixed seed: the connection ends, nothing else.
#[test]
fn noise_after_the_handshake() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..40 {
        let n = (random() % 64) as usize + 1;
        let mut noise: Vec<u8> = (0..n).map(|_| random() as u8).collect();
        noise[0] = 0;
        let noise = Arc::new(noise);
        let sent = Arc::clone(&noise);
        let (node, thread) = connected(move |mut stream| {
            let control = [Term::Int((sent[sent.len() / 2] % 40).into()), worker(), worker(), Term::Nil];
            let mut bytes = frame_bytes(&control, &Term::Nil);
            let idx = usize::from(sent[sent.len() - 1]) % bytes.len();
            bytes[idx] ^= 1 << (sent[0] % 8);
            let _ = stream.write_all(&bytes);
            let _ = stream.write_all(&sent);
        });
        thread.join().unwrap();
        let error = node.try_call("a", "b", vec![], WAIT).unwrap_err();
        assert!(matches!(error, CallError::NodeDown { .. }), "{noise:?}: {error}");
    }
}
