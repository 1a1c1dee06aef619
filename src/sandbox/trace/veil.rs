//! Takes secrets out of events before anybody sees them: by [`Rules`] out of every payload, and whole where a
//! process is not to be listened to.
//!
//! It stands between the recogniser and those who take its batches. The recogniser itself works on what was said, in
//! memory and on its own thread: so it joins a send to its receive, and a message to its callback, as if nothing were
//! hidden; and no event, whoever made it, gets past the veil. It must not know streams or nodes.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashSet;

use crate::codec::etf;
use crate::codec::redact::{DEFAULT_FIELDS, Redactor, Rules, is_redacted, mark, write_mark};
use crate::codec::walk::RawTerm;
use crate::codec::write;
use crate::model::limits::HIDDEN_PROCESSES_MAX;
use crate::model::{ActorId, Atom, EventBatch, Failure, Kind, NewEvent, Outcome, Pid, Term};

/// What is to be taken out of a recording.
#[derive(Clone, Debug)]
pub struct Redaction {
    rules: Arc<Rules>,
    n_fields: usize,
    n_patterns: usize,
    processes: Vec<Atom>,
}

impl Default for Redaction {
    /// The values of fields that have the usual names of secrets.
    fn default() -> Redaction {
        Redaction { rules: Arc::default(), n_fields: DEFAULT_FIELDS.len(), n_patterns: 0, processes: Vec::new() }
    }
}

impl Redaction {
    /// Values of fields with these names, texts with these patterns, and all that processes of these registered names
    /// or modules say, are told and have. Errors: see [`Rules::new`].
    pub fn new(fields: &[String], patterns: &[String], processes: &[String]) -> Outcome<Redaction> {
        let rules = Rules::new(fields, patterns)?;
        let mut names = Vec::new();
        let atom = |text: &str| Atom::try_new(text).map_err(|error| Failure::usage(format!("redact: {error}")));
        for name in processes {
            names.push(atom(name)?);
            if name.starts_with(|c: char| c.is_ascii_uppercase()) && !name.starts_with("Elixir.") {
                names.push(atom(&format!("Elixir.{name}"))?);
            }
        }
        Ok(Redaction { rules: Arc::new(rules), n_fields: fields.len(), n_patterns: patterns.len(), processes: names })
    }

    /// Nothing is taken out.
    pub fn none() -> Redaction {
        Redaction::new(&[], &[], &[]).expect("no rule is wrong")
    }

    pub fn is_none(&self) -> bool {
        self.n_fields == 0 && self.n_patterns == 0 && self.processes.is_empty()
    }
    /// Whether a process with this registered name, or of this module, is not to be listened to.
    pub fn hides(&self, name_or_module: Atom) -> bool {
        self.processes.contains(&name_or_module)
    }

    /// What is taken out, for people. A pattern can be a secret itself: only their number is told.
    pub fn describe(&self) -> String {
        let counted = |n: usize, what: &str| (n > 0).then(|| format!("{n} {what}{}", if n == 1 { "" } else { "s" }));
        let names: Vec<&str> = self.processes.iter().map(|name| name.as_str()).collect();
        let processes = (!names.is_empty()).then(|| format!("processes {}", names.join(", ")));
        let parts = [counted(self.n_fields, "field name"), counted(self.n_patterns, "pattern"), processes];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "nothing".to_string() } else { parts.join(", ") }
    }
}

/// See the module. A clone knows the same processes.
#[derive(Clone, Debug)]
pub struct Veil {
    redaction: Redaction,
    redactor: Redactor,
    /// The processes that were found to be hidden ones.
    hidden: Arc<Mutex<FxHashSet<ActorId>>>,
    n_hidden: u64,
}

impl Veil {
    /// A veil; `hidden` are processes that are known already to have one of the names or modules.
    pub fn new(redaction: Redaction, hidden: impl IntoIterator<Item = Pid>) -> Veil {
        let redactor = Redactor::new(Arc::clone(&redaction.rules));
        let hidden = Arc::new(Mutex::new(hidden.into_iter().map(ActorId::Pid).collect()));
        Veil { redaction, redactor, hidden, n_hidden: 0 }
    }

    pub fn redaction(&self) -> &Redaction {
        &self.redaction
    }
    /// How many values and payloads were replaced so far, by this clone.
    pub fn n_redacted(&self) -> u64 {
        self.redactor.n_redacted() + self.n_hidden
    }

    /// Takes the secrets out of a batch. Nothing is copied where there are none.
    pub fn cover(&mut self, batch: &mut EventBatch) {
        if !self.redaction.is_none() {
            batch.rewrite(|event| self.event(event));
        }
    }

    /// An event's payload and metadata without secrets.
    pub fn event<'e>(&mut self, event: &NewEvent<'e>) -> (Cow<'e, [u8]>, Cow<'e, [u8]>) {
        if !self.redaction.processes.is_empty() {
            self.learn(event);
            if self.is_hidden(event) {
                return (self.hide(event), Cow::Borrowed(event.meta));
            }
        }
        let payload = match is_of_our_making(event.kind) {
            true => self.redactor.redact_values(event.payload),
            false => self.redactor.redact(event.payload),
        };
        let meta =
            if event.meta.is_empty() { Cow::Borrowed(event.meta) } else { self.redactor.redact_values(event.meta) };
        (payload, meta)
    }

    /// What process `of` has or says, version byte first, without secrets.
    pub fn bytes<'b>(&mut self, of: Pid, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if self.hidden().contains(&ActorId::Pid(of)) {
            self.n_hidden += 1;
            let mut out = Vec::new();
            write::version(&mut out);
            write_mark(&mut out);
            return Cow::Owned(out);
        }
        self.redactor.redact(bytes)
    }

    /// What a process, or one of that name, says.
    pub fn term(&mut self, of: &Term, term: &Term) -> Term {
        let is_hidden = match of {
            Term::Pid(pid) => self.hidden().contains(&ActorId::Pid(*pid)),
            Term::Atom(name) => self.redaction.hides(*name),
            _ => false,
        };
        if is_hidden {
            self.n_hidden += 1;
            return mark();
        }
        self.redactor.redact_term(term)
    }

    fn hidden(&self) -> MutexGuard<'_, FxHashSet<ActorId>> {
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns from an event who is one of the processes that are not to be listened to.
    fn learn(&mut self, event: &NewEvent<'_>) {
        if !matches!(event.kind, Kind::Spawn | Kind::Register) {
            return;
        }
        let told = |key: &str| RawTerm::parse(event.payload).ok()?.0.get(key)?.as_atom();
        let names = [event.tag, told("name"), told("module")];
        let mut hidden = self.hidden();
        if names.into_iter().flatten().any(|name| self.redaction.hides(name)) {
            // Beyond the limit nobody is told from those who are hidden: all are, see `is_hidden`.
            if hidden.len() <= HIDDEN_PROCESSES_MAX {
                hidden.insert(event.process.id);
            }
        } else if event.kind == Kind::Spawn && event.meta.is_empty() {
            // A pid that is used again.
            hidden.remove(&event.process.id);
        }
    }

    fn is_hidden(&self, event: &NewEvent<'_>) -> bool {
        let hidden = self.hidden();
        let is_to_name = || {
            let name = RawTerm::parse(event.meta).ok()?.0.get("name")?.as_atom()?;
            self.redaction.hides(name).then_some(())
        };
        hidden.len() > HIDDEN_PROCESSES_MAX
            || hidden.contains(&event.process.id)
            || event.peer.is_some_and(|peer| hidden.contains(&peer.id))
            || (event.kind.is_sending() && !event.meta.is_empty() && is_to_name().is_some())
    }

    /// A payload with nothing in it but what keeps the system in one piece: who began, by which module, that it ended.
    fn hide<'e>(&mut self, event: &NewEvent<'e>) -> Cow<'e, [u8]> {
        if event.payload.is_empty() || matches!(event.kind, Kind::Gc | Kind::Loss) {
            return Cow::Borrowed(event.payload);
        }
        let Ok((term, _)) = RawTerm::parse(event.payload) else { return self.redactor.redact(event.payload) };
        let is_bare_reason = event.kind.is_end() && term.as_atom().is_some();
        if is_bare_reason || is_redacted_whole(event.payload) {
            return Cow::Borrowed(event.payload);
        }
        self.n_hidden += 1;
        let mut out = Vec::new();
        write::version(&mut out);
        match term.map().filter(|_| is_of_our_making(event.kind)) {
            None => write_mark(&mut out),
            Some(mut items) => {
                write::map_header(&mut out, items.len() / 2);
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    out.extend_from_slice(key.bytes());
                    let is_said = SAID.iter().any(|said| key.is_atom(said));
                    let is_ours = value.as_atom().is_some() || value.as_actor().is_some() || value.as_int().is_some();
                    if is_ours && !is_said {
                        out.extend_from_slice(value.bytes());
                    } else {
                        write_mark(&mut out);
                    }
                }
            }
        }
        Cow::Owned(out)
    }
}

/// Keys of our own payloads under which stands what somebody said.
const SAID: &[&str] = &["args", "label", "message", "reason", "start"];

/// Whether payloads of this kind are maps that we made: their keys are ours.
fn is_of_our_making(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Spawn
            | Kind::Register
            | Kind::CodeChange
            | Kind::SupervisorRestart
            | Kind::ChildSpecChange
            | Kind::Loss
            | Kind::Sample
            | Kind::Held
            | Kind::Released
    )
}

fn is_redacted_whole(payload: &[u8]) -> bool {
    is_redacted(payload) && etf::decode(payload).is_ok_and(|term| term == mark())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Seq, Style, Syntax};

    fn bytes(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        etf::encode(&Term::parse(text, Syntax::Erlang).unwrap(), &mut bytes);
        bytes
    }

    fn shown(payload: &[u8]) -> String {
        let term = etf::decode(payload).unwrap();
        term.display(Style::erlang()).to_string().replace("<<\"[redacted]\">>", "R")
    }

    fn veil(processes: &[&str]) -> Veil {
        let processes: Vec<String> = processes.iter().map(ToString::to_string).collect();
        Veil::new(Redaction::new(&["pin".into()], &[], &processes).unwrap(), [])
    }

    /// Kind, process, peer, tag, payload.
    type Row<'a> = (Kind, u32, Option<u32>, Option<&'a str>, &'a str);

    /// Covers events in one batch; gives their payloads.
    fn cover(veil: &mut Veil, events: &[Row<'_>]) -> Vec<String> {
        let mut batch = EventBatch::new(Seq(0));
        for (kind, process, peer, tag, payload) in events {
            let payload = bytes(payload);
            let event = NewEvent {
                peer: peer.map(|id| Pid::local(id).into()),
                tag: tag.map(Atom::new),
                payload: &payload,
                ..NewEvent::new(1, *kind, Pid::local(*process))
            };
            batch.push(&event);
        }
        veil.cover(&mut batch);
        batch.iter().map(|event| shown(event.payload)).collect()
    }

    #[test]
    fn fields_are_taken_out_and_our_own_keys_stay() {
        let mut veil = veil(&[]);
        let events = [
            (Kind::Send, 1, Some(2), None, "{card, #{pin => 4711}}"),
            (Kind::Spawn, 3, Some(1), Some("m"), "#{module => m, args => [{pin, 1}], name => pin}"),
            (Kind::StateChange, 2, None, None, "{pin, 4711}"),
        ];
        let payloads = ["{card,#{pin => R}}", "#{args => [{pin,R}],module => m,name => pin}", "{pin,R}"];
        assert_eq!(cover(&mut veil, &events), payloads);
        assert_eq!(veil.n_redacted(), 3);
    }

    #[test]
    fn hidden_processes_say_hear_and_have_nothing() {
        let mut veil = veil(&["vault", "Shop.Till"]);
        let events = [
            (Kind::Spawn, 7, Some(1), Some("m"), "#{module => m, function => init, args => [a], name => vault}"),
            (Kind::Spawn, 8, Some(1), Some("Elixir.Shop.Till"), "#{module => 'Elixir.Shop.Till', args => x}"),
            (Kind::Send, 1, Some(7), Some("open"), "{open, sesame}"),
            (Kind::Receive, 1, Some(8), None, "{ok, sesame}"),
            (Kind::StateChange, 7, None, None, "sesame"),
            (Kind::Held, 7, None, None, "#{phase => before, message => sesame}"),
            (Kind::Exit, 7, None, None, "normal"),
            (Kind::Crash, 8, None, None, "{bad, sesame}"),
            (Kind::SupervisorRestart, 1, Some(8), None, "#{id => till, new => <0.8.0>, reason => sesame}"),
            (Kind::Send, 1, Some(2), None, "sesame"),
            // The pid is used again.
            (Kind::Spawn, 8, Some(1), Some("m"), "#{args => y}"),
            (Kind::Send, 1, Some(8), None, "sesame"),
        ];
        let payloads = [
            "#{args => R,function => init,module => m,name => vault}",
            "#{args => R,module => 'Elixir.Shop.Till'}",
            "R",
            "R",
            "R",
            "#{message => R,phase => before}",
            "normal",
            "R",
            "#{id => till,new => <0.8.0>,reason => R}",
            "sesame",
            "#{args => y}",
            "sesame",
        ];
        assert_eq!(cover(&mut veil, &events), payloads);
        assert_eq!(shown(&veil.bytes(Pid::local(7), &bytes("sesame"))), "R");
        assert_eq!(veil.clone().term(&Term::atom("vault"), &Term::Int(1)), mark());
    }

    #[test]
    fn what_is_taken_out_is_told_without_patterns() {
        let redaction = Redaction::new(&["a".into(), "b".into()], &["hunter2".into()], &["vault".into()]).unwrap();
        assert_eq!(redaction.describe(), "2 fields, 1 pattern, processes vault");
        assert_eq!(Redaction::none().describe(), "nothing");
        assert!(Redaction::none().is_none() && !Redaction::default().is_none());
    }
}
