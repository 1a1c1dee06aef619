//! What the examples share: a recording as a sink, and its events as a table.

use cinema::model::{Event, Filter, Kind, NewEvent, Seq, Style, Term};
use cinema::sandbox::sim::Sim;
use cinema::sandbox::{EventSink, Sandbox, Stopped};
use cinema::store::{Recording, RecordingInfo};

/// Records everything; shows the kinds that were asked for.
pub struct Tape {
    recording: Recording,
    shown: Filter,
}

impl Tape {
    pub fn new(sim: &Sim) -> Tape {
        let info = RecordingInfo { source: "sim".to_string(), title: sim.describe(), ..RecordingInfo::default() };
        Tape { recording: Recording::new(info), shown: Filter::default() }
    }

    /// Shows these kinds only.
    #[allow(dead_code, reason = "not every example does")]
    pub fn retain(&mut self, kinds: &[Kind]) {
        self.shown = Filter::kinds(kinds);
    }

    pub fn print(&self) {
        println!("{:>4} {:>9}  {:<20} {:<9} {:<9} {:<8} payload", "seq", "µs", "kind", "process", "peer", "cause");
        for event in self.recording.scan(&self.shown) {
            self.print_row(&event);
        }
    }

    fn print_row(&self, event: &Event) {
        let pid = |actor: cinema::model::Actor| actor.pid().map_or_else(String::new, |pid| show(&Term::Pid(pid)));
        let cause = event.cause.map_or_else(String::new, |cause| format!("#{}", cause.0));
        let payload = self.recording.term(event.seq).map_or_else(String::new, |term| show(&term));
        println!(
            "{:>4} {:>9.1}  {:<20} {:<9} {:<9} {:<8} {payload}",
            event.seq.0,
            event.at_ns as f64 / 1e3,
            format!("{} {}", event.kind.as_str(), event.class.as_str()).replace(" none", ""),
            pid(event.process),
            event.peer.map_or_else(String::new, pid),
            cause,
        );
    }
}

/// A term in Erlang's syntax, cut to a line.
pub fn show(term: &Term) -> String {
    term.display(Style::erlang().chars_max(90)).to_string()
}

impl EventSink for Tape {
    fn emit(&mut self, event: &NewEvent<'_>) -> Result<Seq, Stopped> {
        self.recording.append(event).map_err(|failure| {
            eprintln!("{failure}");
            Stopped
        })
    }
}
