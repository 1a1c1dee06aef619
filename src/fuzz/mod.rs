//! Floor 8: every reader of bytes that come from outside, as a function of bytes, for fuzzing: `tests/fuzz` feeds them
//! with what covers new code, `tests/corpus.rs` with what was found before. A target must not panic, loop or allocate
//! without bound, whatever it is given; where reading has a way back, it also checks that way. It must not know who
//! makes the bytes.

use crate::app::server::{args::Given, channel::frame::Frame as ChannelFrame};
use crate::codec::walk::RawTerm;
use crate::codec::{etf, json};
use crate::model::time::parse_duration_ns;
use crate::model::{Actor, Filter, Moment, Path, Pid, Seq, Style, Term};
use crate::sandbox::beam::dist::{control, epmd, handshake};
use crate::sandbox::beam::facts::Facts;
use crate::sandbox::beam::{agent, select::Selection};
use crate::sandbox::import::info;
use crate::sandbox::trace::Defects;
use crate::sandbox::trace::frames::{Frame, Frames};
use crate::sandbox::trace::message::Message;
use crate::sandbox::trace::recognise::Recogniser;
use crate::session::Amount;
use crate::store::Recording;

/// A reader under its name.
pub struct Target {
    pub name: &'static str,
    pub read: fn(&[u8]),
}

/// All readers.
pub const TARGETS: &[Target] = &[
    Target { name: "session", read: session },
    Target { name: "forged", read: forged },
    Target { name: "etf", read: external_term },
    Target { name: "term", read: term_text },
    Target { name: "trace", read: trace },
    Target { name: "dist", read: distribution },
    Target { name: "agent", read: agent_messages },
    Target { name: "channel", read: channel },
    Target { name: "words", read: words },
    Target { name: "condition", read: condition },
];

/// The reader of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// A session file, as it is: damage is found by checksums.
fn session(bytes: &[u8]) {
    let opened = Recording::read(bytes.to_vec()).map(|(recording, _)| recording);
    let rescued = Recording::read_rescued(bytes.to_vec()).map(|(recording, _)| recording);
    [opened, rescued].into_iter().flatten().for_each(|recording| read_through(&recording));
}

/// A session file whose checksums are right: what is read then is wrong only in its meaning.
fn forged(bytes: &[u8]) {
    let mut forged = bytes.to_vec();
    Recording::forge(&mut forged);
    session(&forged);
}

fn read_through(recording: &Recording) {
    for seq in (recording.first().0..recording.len()).step_by(3).take(2_000).map(Seq) {
        let _ = (recording.event(seq), recording.payload_ref(seq).map(|payload| payload.len()), recording.meta(seq));
    }
    let process = Filter::default().process(Actor::from(Pid::local(12)));
    let _ = (recording.scan(&process).take(1_000).count(), recording.count(&process));
    let _ = recording.seek_time(&recording.lineage(0), 3_000_000);
    let _ = recording.materialise(Seq(recording.len().saturating_sub(1)));
    let _ = recording.damage();
}

/// What decodes is written again and reads as the same.
fn external_term(bytes: &[u8]) {
    if let Ok((raw, n_used)) = RawTerm::parse(bytes) {
        assert!(n_used <= bytes.len());
        let _ =
            (raw.tag(), raw.as_actor(), raw.as_int(), raw.map().map(Iterator::count), raw.list().map(Iterator::count));
    }
    if let Ok(term) = etf::decode(bytes) {
        let mut again = Vec::new();
        etf::encode(&term, &mut again);
        assert_eq!(etf::decode(&again).as_ref(), Ok(&term));
        let _ = json::to_json(&term);
    }
}

/// What parses prints as something that parses to the same.
fn term_text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for style in [Style::erlang(), Style::elixir()] {
        if let Ok(term) = Term::parse(text, style.syntax) {
            let printed = term.display(style).to_string();
            // A longer one is cut.
            if printed.len() < style.chars_max {
                assert_eq!(Term::parse(&printed, style.syntax).as_ref(), Ok(&term), "{printed}");
            }
        }
    }
}

/// The frames of a trace file or a trace port, and what they mean; a file of ttb's beside it.
fn trace(bytes: &[u8]) {
    let mut defects = Defects::default();
    let _ = info::read(bytes, "fuzz.ti", &mut defects);
    let mut recogniser = Recogniser::new(Seq(0));
    let mut frames = Frames::new(bytes, "fuzz");
    while let Some(frame) = frames.next(&mut defects) {
        let (offset, body) = match frame {
            Frame::Term { offset, body } => (offset, body),
            Frame::Lost { n } => {
                recogniser.lose(0, n.into());
                continue;
            }
        };
        match Message::read(body) {
            Some(Message::Trace(trace)) => {
                let at_ns = trace.stamp.map_or(0, |(stamp, _)| stamp.at_ns);
                recogniser.feed(&trace, at_ns, 0);
            }
            Some(Message::Lost(n)) => recogniser.lose(0, n),
            Some(Message::Other(kind)) => recogniser.count(kind),
            None => _ = frames.is_whole(offset, body, &mut defects),
        }
    }
}

/// What epmd and a node say, from the first byte on.
fn distribution(bytes: &[u8]) {
    let _ = (epmd::read_port(bytes), epmd::read_names(bytes));
    let _ = (handshake::read_status(bytes), handshake::read_challenge(bytes), handshake::read_challenge_ack(bytes));
    let _ = (control::read_frame(bytes), control::read_control(bytes));
}

/// What our agent sends from a node.
fn agent_messages(bytes: &[u8]) {
    let _ = agent::event::read(bytes);
    if let Ok(facts) = Facts::read(bytes) {
        let _ = (facts.introductions(), facts.modules());
    }
}

/// A frame of a channel and the body of a request.
fn channel(bytes: &[u8]) {
    let _ = Given::of_body(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(frame) = ChannelFrame::read(text) {
        let _ = frame.reply("ok", &frame.payload).text();
    }
}

/// Small languages in options and arguments.
fn words(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(path) = Path::parse(text) {
        assert_eq!(Path::parse(&path.to_string()), Ok(path));
    }
    let _ = (Moment::parse(text), parse_duration_ns(text), Amount::parse(text), Selection::parse(text));
}

/// A script in which closures are looked through for comparisons of fields.
fn condition(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        crate::script::filters_of(text);
    }
}
