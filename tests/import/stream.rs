//! A recogniser that is fed by hand, as a live node's stream feeds it.

use cinema::codec::etf;
use cinema::model::{EventBatch, Pid, Seq, Syntax, Term};
use cinema::sandbox::trace::message::Message;
use cinema::sandbox::trace::recognise::Recogniser;
use cinema::store::{Recording, RecordingInfo};

pub struct Stream {
    pub recogniser: Recogniser,
    /// Of the next message, in microseconds.
    pub now_us: i64,
    recording: Recording,
}

impl Stream {
    pub fn new() -> Stream {
        let recording = Recording::new(RecordingInfo::default());
        Stream { recogniser: Recogniser::new(Seq(0)), now_us: 0, recording }
    }

    pub fn now_ns(&self) -> i64 {
        self.now_us * 1_000
    }

    /// Feeds trace messages, one per line: what stands between `{trace_ts,` and the stamp. Each is a microsecond later.
    pub fn feed(&mut self, lines: &str) {
        for line in lines.trim().lines() {
            let text = format!("{{trace_ts,{},{{{},0}}}}", line.trim(), self.now_ns());
            self.feed_term(&Term::parse(&text, Syntax::Erlang).unwrap_or_else(|error| panic!("{text}: {error}")));
        }
    }

    /// As [`Stream::feed`], in the bytes of an older OTP.
    pub fn feed_old(&mut self, line: &str) {
        let text = format!("{{trace_ts,{line},{{{},0}}}}", self.now_ns());
        let mut bytes = vec![131];
        encode_old(&Term::parse(&text, Syntax::Erlang).expect("a term"), &mut bytes);
        self.feed_bytes(&bytes);
    }

    /// Feeds one whole trace message.
    pub fn feed_term(&mut self, message: &Term) {
        let mut bytes = Vec::new();
        etf::encode(message, &mut bytes);
        self.feed_bytes(&bytes);
    }

    pub fn feed_bytes(&mut self, bytes: &[u8]) {
        let Some(Message::Trace(trace)) = Message::read(bytes) else { panic!("no trace message") };
        self.recogniser.feed(&trace, self.now_ns(), 0);
        self.now_us += 1;
    }

    /// Everything so far.
    pub fn recording(&mut self) -> &Recording {
        for event in self.recogniser.take_batch(EventBatch::default()).iter() {
            let seq = self.recording.append(&event).expect("there is room");
            assert!(event.cause.is_none_or(|cause| cause < seq), "a cause comes first");
        }
        &self.recording
    }
}

pub fn pid(id: u32) -> Pid {
    Pid::local(id)
}

/// A term's bytes, 131 first.
pub fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    etf::encode(&Term::parse(text, Syntax::Erlang).expect("a term"), &mut bytes);
    bytes
}

/// A term as OTP 25 writes it: atoms in Latin-1 (ATOM_EXT).
fn encode_old(term: &Term, out: &mut Vec<u8>) {
    let atom = |text: &str, out: &mut Vec<u8>| {
        let latin1: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect();
        out.push(b'd');
        out.extend_from_slice(&(latin1.len() as u16).to_be_bytes());
        out.extend_from_slice(&latin1);
    };
    let count = |n: usize| (n as u32).to_be_bytes();
    match term {
        Term::Atom(name) => atom(name.as_str(), out),
        Term::Tuple(items) => {
            out.extend_from_slice(&[b'h', items.len() as u8]);
            items.iter().for_each(|item| encode_old(item, out));
        }
        Term::List(list) => {
            out.push(b'l');
            out.extend_from_slice(&count(list.items.len()));
            list.items.iter().for_each(|item| encode_old(item, out));
            encode_old(&list.tail, out);
        }
        Term::Map(map) => {
            out.push(b't');
            out.extend_from_slice(&count(map.len()));
            for (key, value) in map.entries() {
                encode_old(key, out);
                encode_old(value, out);
            }
        }
        Term::Pid(pid) => {
            out.push(b'X');
            let node = pid.origin.id();
            atom(node.node.as_str(), out);
            [pid.id, pid.serial, node.creation].iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()));
        }
        other => {
            let mut bytes = Vec::new();
            etf::encode(other, &mut bytes);
            out.extend_from_slice(&bytes[1..]);
        }
    }
}
