//! Exit reasons in words, as a BEAM programmer reads `{badmatch, V}` and its kin, and the shape by which reasons
//! are told apart.
//! Sources: "Errors and Error Handling" of the Erlang reference manual, gen_server.erl, Elixir's Exception.

use crate::model::{Pid, Term};

/// An exit reason, taken apart.
pub struct Words {
    /// `no match of the right-hand value {error,enoent}`; goes after "with" or "because of".
    pub text: String,
    /// Where it was raised, from the stack trace: `shop:handle_call/3 (shop.erl:8)`.
    pub site: Option<String>,
    /// The gen call that failed and so made the process exit: callee and request as terms.
    pub failed_call: Option<(Term, Term)>,
}

/// Takes a reason apart; `show` prints terms.
pub fn in_words(reason: &Term, show: &dyn Fn(&Term) -> String) -> Words {
    let (inner, stack) = split_stack(reason);
    let site = stack.and_then(|frames| frames.iter().find_map(|frame| frame_text(frame, show)));
    if let Some((why, callee, request)) = failed_call(inner) {
        let what = format!("its call {} to {}", show(&request), show(&callee));
        let text = match why.as_atom().map(|atom| atom.as_str()) {
            Some("timeout") => format!("{what} timed out"),
            Some("noproc") => format!("{what} found no such process"),
            _ => format!("{what} failed, as the callee ended with {}", show(why)),
        };
        return Words { text, site, failed_call: Some((callee, request)) };
    }
    let text = exception(inner, show).or_else(|| known(inner, show)).unwrap_or_else(|| show(inner));
    Words { text, site, failed_call: None }
}

/// `{Reason, Stack}` of an error: the reason and the frames. Other reasons stay whole.
pub fn split_stack(reason: &Term) -> (&Term, Option<&[Term]>) {
    let is_frame = |frame: &Term| matches!(frame.as_tuple(), Some([Term::Atom(_), Term::Atom(_), _, location]) if location.as_list().is_some());
    match reason.as_tuple() {
        Some([inner, stack]) => match stack.as_list() {
            Some(frames) if !frames.is_empty() && frames.iter().all(is_frame) => (inner, Some(frames)),
            _ => (reason, None),
        },
        _ => (reason, None),
    }
}

/// `{Why, {gen_server, call, [Callee, Request | _]}}`, as a failed gen call exits (Elixir: `GenServer`).
fn failed_call(reason: &Term) -> Option<(&Term, Term, Term)> {
    let [why, call] = reason.as_tuple()? else { return None };
    let [module, function, args] = call.as_tuple()? else { return None };
    let is_gen = ["gen_server", "gen_statem", "gen_event", "gen", "Elixir.GenServer"].iter().any(|m| module.is_atom(m));
    let [callee, request, ..] = args.as_list()? else { return None };
    (is_gen && function.is_atom("call")).then(|| (why, callee.clone(), request.clone()))
}

/// An Elixir exception: `RuntimeError: boom`.
fn exception(reason: &Term, show: &dyn Fn(&Term) -> String) -> Option<String> {
    let map = reason.as_map()?;
    map.get_atom("__exception__").filter(|term| term.is_atom("true"))?;
    let module = show(map.get_atom("__struct__")?);
    let message = map.get_atom("message").and_then(Term::as_binary).map(String::from_utf8_lossy);
    // Foreign text is shown as a term shows it: escaped and bounded.
    let message = message.map(|text| show(&Term::binary(text.as_bytes())));
    Some(message.map_or_else(|| module.clone(), |text| format!("{module}: {text}")))
}

fn known(reason: &Term, show: &dyn Fn(&Term) -> String) -> Option<String> {
    if let Some(atom) = reason.as_atom() {
        return Some(match atom.as_str() {
            "badarith" => "a bad argument in an arithmetic expression (badarith)".into(),
            "badarg" => "a bad argument (badarg)".into(),
            "function_clause" => "no matching function clause (function_clause)".into(),
            "if_clause" => "no true branch in an if (if_clause)".into(),
            "undef" => "a call of an undefined function (undef)".into(),
            "noproc" => "no such process (noproc)".into(),
            "system_limit" => "a limit of the runtime (system_limit)".into(),
            _ => return None,
        });
    }
    let [tag, value] = reason.as_tuple()? else { return None };
    let value_text = || show(value);
    Some(match tag.as_atom()?.as_str() {
        "badmatch" => format!("no match of the value {} (badmatch)", value_text()),
        "case_clause" => format!("no case clause for {} (case_clause)", value_text()),
        "try_clause" => format!("no try clause for {} (try_clause)", value_text()),
        "else_clause" | "with_clause" => format!("no else clause for {} ({})", value_text(), show(tag)),
        "badkey" => format!("no key {} in a map (badkey)", value_text()),
        "badmap" => format!("{}, which is no map (badmap)", value_text()),
        "badfun" => format!("{}, which is no function (badfun)", value_text()),
        "badarity" => format!("a function called with the wrong number of arguments (badarity): {}", value_text()),
        "nocatch" => format!("the throw of {}, which nobody caught (nocatch)", value_text()),
        "bad_return_value" => format!("{}, which no callback may return (bad_return_value)", value_text()),
        _ => return None,
    })
}

fn frame_text(frame: &Term, show: &dyn Fn(&Term) -> String) -> Option<String> {
    let [module, function, args, location] = frame.as_tuple()? else { return None };
    let arity = args.as_int().or_else(|| args.as_list().map(|args| args.len() as i64))?;
    // Frames of OTP's own libraries say nothing about the program's fault.
    if ["gen_server", "gen_statem", "gen", "proc_lib", "erlang", "lists", "maps"].iter().any(|m| module.is_atom(m)) {
        return None;
    }
    let function = function.as_atom()?.as_str();
    let field = |key: &str| {
        let of_key = |item: &Term| item.tagged(key, 2).map(|pair| pair[1].clone());
        location.as_list()?.iter().find_map(of_key)
    };
    // Of an absolute path the file's name says enough.
    let short = |file: String| match file.strip_prefix('/') {
        Some(path) => path.rsplit('/').next().unwrap_or_default().to_string(),
        None => file,
    };
    let file = field("file").and_then(|file| text_of(&file)).map(short);
    let place = match (file, field("line").and_then(|line| line.as_int())) {
        (Some(file), Some(line)) => format!(" ({file}:{line})"),
        _ => String::new(),
    };
    Some(format!("{}:{function}/{arity}{place}", show(module)))
}

/// A file name: a list of printable characters, or a binary.
fn text_of(term: &Term) -> Option<String> {
    let text = match term.as_binary() {
        Some(bytes) => String::from_utf8(bytes.to_vec()).ok()?,
        None => {
            let to_char = |item: &Term| item.as_int().and_then(|code| char::from_u32(u32::try_from(code).ok()?));
            term.as_list()?.iter().map(to_char).collect::<Option<String>>()?
        }
    };
    text.chars().all(|c| !c.is_control()).then_some(text)
}

/// The pids inside a reason, outermost first.
pub fn pids(reason: &Term) -> Vec<Pid> {
    fn gather(term: &Term, depth: usize, out: &mut Vec<Pid>) {
        match term {
            Term::Pid(pid) => out.push(*pid),
            Term::Tuple(items) if depth > 0 => items.iter().for_each(|item| gather(item, depth - 1, out)),
            Term::List(list) if depth > 0 => list.items.iter().for_each(|item| gather(item, depth - 1, out)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    gather(reason, 3, &mut out);
    out
}

/// Whether `whole` is `part` or holds it, down to a few levels.
pub fn holds(whole: &Term, part: &Term) -> bool {
    fn holds_within(whole: &Term, part: &Term, depth: usize) -> bool {
        whole == part
            || match whole {
                Term::Tuple(items) if depth > 0 => items.iter().any(|item| holds_within(item, part, depth - 1)),
                _ => false,
            }
    }
    holds_within(whole, part, 4)
}

/// The reason without what differs from one time to the next: stack, pids, references, numbers.
pub fn shape(reason: &Term) -> Term {
    fn plain(term: &Term, depth: usize) -> Term {
        match term {
            Term::Atom(_) | Term::Nil => term.clone(),
            Term::Tuple(items) if depth > 0 => {
                Term::tuple(items.iter().map(|item| plain(item, depth - 1)).collect::<Vec<_>>())
            }
            _ => Term::atom("_"),
        }
    }
    plain(split_stack(reason).0, 4)
}
