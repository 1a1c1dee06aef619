//! The io protocol, as the group leader of what we start on a node must speak it ("The Erlang I/O Protocol",
//! STDLIB User's Guide): output is taken and kept for the owner to see, input is at its end. Without an answer a
//! process that prints would wait for ever. It must not know who prints.

use std::collections::VecDeque;

use crate::codec::walk::RawTerm;
use crate::codec::write;
use crate::model::limits::DIST_PRINTED_BYTES_MAX;
use crate::model::{Pid, Style, Term};

/// The answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub to: Pid,
    /// `{io_reply, ReplyAs, Result}` as an external term, 131 first.
    pub reply: Vec<u8>,
    /// What was printed.
    pub text: String,
}

/// The result of one request, as the protocol's own words.
enum Reply {
    Ok,
    Eof,
    /// The options, none.
    Options,
    Error(&'static str),
}

/// Reads a message to a group leader; `None` when it is no request for one.
pub fn answer(message: &[u8]) -> Option<Answer> {
    let (term, _) = RawTerm::parse(message).ok()?;
    let [tag, from, reply_as, request] = term.tuple_of()?;
    if !tag.is_atom("io_request") {
        return None;
    }
    let mut text = String::new();
    let reply = perform(request, &mut text, true);
    let mut out = Vec::with_capacity(32);
    write::version(&mut out);
    write::tuple_header(&mut out, 3);
    write::atom_text(&mut out, "io_reply");
    out.extend_from_slice(reply_as.bytes());
    match reply {
        Reply::Ok => write::atom_text(&mut out, "ok"),
        Reply::Eof => write::atom_text(&mut out, "eof"),
        Reply::Options => write::nil(&mut out),
        Reply::Error(reason) => {
            write::tuple_header(&mut out, 2);
            write::atom_text(&mut out, "error");
            write::atom_text(&mut out, reason);
        }
    }
    Some(Answer { to: from.as_pid()?, reply: out, text })
}

/// One request; `may_nest` lets it be a list of others, once.
fn perform(request: RawTerm<'_>, text: &mut String, may_nest: bool) -> Reply {
    let Some(parts) = request.tuple() else {
        return if request.is_atom("getopts") { Reply::Options } else { Reply::Error("request") };
    };
    let parts: Vec<RawTerm<'_>> = parts.take(5).collect();
    let tag = parts.first().and_then(|tag| tag.as_atom_text()).unwrap_or_default();
    match (tag, &parts[1..]) {
        ("put_chars", [_, chars] | [chars]) => {
            if let Ok(chars) = chars.to_term() {
                push_chars(&chars, text);
            }
            Reply::Ok
        }
        ("put_chars", [_, module, function, args]) => {
            push_call(*module, *function, *args, text);
            Reply::Ok
        }
        ("setopts", [_]) => Reply::Ok,
        ("get_line" | "get_chars" | "get_until" | "get_password", _) => Reply::Eof,
        ("get_geometry", _) => Reply::Error("enotsup"),
        ("requests", [requests]) if may_nest => {
            let each = requests.list().into_iter().flatten().map(|request| perform(request, text, false));
            each.last().unwrap_or(Reply::Ok)
        }
        _ => Reply::Error("request"),
    }
}

/// Appends chardata: a binary, or a list of characters, binaries and such lists.
fn push_chars(chars: &Term, text: &mut String) {
    match chars {
        Term::Int(code) => text.extend(u32::try_from(*code).ok().and_then(char::from_u32)),
        Term::List(list) => list.items.iter().chain([&list.tail]).for_each(|item| push_chars(item, text)),
        other => {
            if let Some(bytes) = other.as_binary() {
                text.push_str(&String::from_utf8_lossy(bytes));
            }
        }
    }
}

/// Appends what the node wants printed by a function of its own: the common `io_lib:format` by its format and
/// arguments, unformatted, anything else as the call that it is.
fn push_call(module: RawTerm<'_>, function: RawTerm<'_>, args: RawTerm<'_>, text: &mut String) {
    let (Ok(module), Ok(function), Ok(args)) = (module.to_term(), function.to_term(), args.to_term()) else { return };
    let shown = |term: &Term| term.display(Style::erlang().chars_max(1_000)).to_string();
    match args.as_list() {
        Some([format, args]) if module.is_atom("io_lib") => {
            push_chars(format, text);
            text.push_str(&format!(" {}\n", shown(args)));
        }
        _ => text.push_str(&format!("{}:{}({})\n", shown(&module), shown(&function), shown(&args))),
    }
}

/// The newest text that processes of ours printed, within [`DIST_PRINTED_BYTES_MAX`].
#[derive(Default)]
pub struct Printed {
    bytes: VecDeque<u8>,
    n_bytes_dropped: u64,
}

impl Printed {
    pub fn push(&mut self, text: &str) {
        let kept = &text.as_bytes()[text.len().saturating_sub(DIST_PRINTED_BYTES_MAX)..];
        self.bytes.extend(kept);
        let n_over = self.bytes.len().saturating_sub(DIST_PRINTED_BYTES_MAX);
        self.bytes.drain(..n_over);
        self.n_bytes_dropped += (n_over + text.len() - kept.len()) as u64;
    }

    /// Takes the text, and how many bytes before it were dropped.
    pub fn take(&mut self) -> (String, u64) {
        let bytes: Vec<u8> = std::mem::take(&mut self.bytes).into();
        (String::from_utf8_lossy(&bytes).into_owned(), std::mem::take(&mut self.n_bytes_dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::etf;
    use crate::model::Syntax;

    fn check(request: &str) -> String {
        let text = format!("{{io_request, <0.9.0>, 7, {request}}}");
        let mut message = Vec::new();
        etf::encode(&Term::parse(&text, Syntax::Erlang).unwrap(), &mut message);
        let answer = answer(&message).unwrap();
        assert_eq!(answer.to, Pid::local(9));
        let reply = etf::decode(&answer.reply).unwrap();
        format!("{} {:?}", reply.display(Style::erlang()), answer.text)
    }

    #[test]
    fn requests() {
        assert_eq!(check(r#"{put_chars, unicode, ["a", <<"b">>, [8364]]}"#), r#"{io_reply,7,ok} "ab€""#);
        assert_eq!(check(r#"{put_chars, "x"}"#), r#"{io_reply,7,ok} "x""#);
        let format = r#"{put_chars, unicode, io_lib, format, ["n=~p", [1]]}"#;
        assert_eq!(check(format), "{io_reply,7,ok} \"n=~p [1]\\n\"");
        assert_eq!(check("{put_chars, unicode, m, f, [1, 2, 3]}"), "{io_reply,7,ok} \"m:f([1,2,3])\\n\"");
        assert_eq!(check("{get_line, unicode, \"> \"}"), r#"{io_reply,7,eof} """#);
        assert_eq!(check("getopts"), r#"{io_reply,7,[]} """#);
        assert_eq!(check("{get_geometry, columns}"), r#"{io_reply,7,{error,enotsup}} """#);
        assert_eq!(check(r#"{requests, [{put_chars, "a"}, {put_chars, "b"}]}"#), r#"{io_reply,7,ok} "ab""#);
        assert_eq!(check("{requests, [{requests, []}]}"), r#"{io_reply,7,{error,request}} """#);
        assert_eq!(check("what"), r#"{io_reply,7,{error,request}} """#);
    }

    #[test]
    fn printed_text_is_bounded() {
        let mut printed = Printed::default();
        printed.push("lost");
        printed.push(&"x".repeat(DIST_PRINTED_BYTES_MAX));
        let (text, n_dropped) = printed.take();
        assert_eq!((text.len(), n_dropped), (DIST_PRINTED_BYTES_MAX, 4));
        assert_eq!(printed.take(), (String::new(), 0));
    }
}
