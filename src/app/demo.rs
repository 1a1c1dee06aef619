//! `cinema demo`: from "a call timed out" to the cause, in steps whose commands can be typed again.
//! It must not know how commands are evaluated.

use std::io::BufRead;

use crossterm::style::{ContentStyle, Stylize};

use super::console;
use super::host::Ending;
use super::terminal::{Place, paint};
use crate::model::Outcome;

/// What is said, and the line that is run after it.
struct Step {
    talk: &'static str,
    command: &'static str,
}

const STEPS: &[Step] = &[
    Step {
        talk: "A small bank: a supervisor, three accounts, a ledger, a teller. It is written in five short files\n\
               that this program brings along, and runs in here on a virtual clock.",
        command: "let bank = sandbox(\"examples/bank\")",
    },
    Step {
        talk: "A customer comes in, and transfers money for 200 milliseconds.",
        command: "start_link(\"bank_sup\", (), \"bank\"); \
                  start(\"customer\", #{name: \"dora\", transfers: 12, pause_ms: 40}, \"dora\"); run_for(\"200ms\")",
    },
    Step {
        talk: "Then someone audits the ledger. Two seconds go by, and a call times out.",
        command: "cast(\"ledger\", \"audit\"); run_for(\"2s\"); events().kind(\"timeout\").all()",
    },
    Step {
        talk: "Everybody waited? Latency is split into waiting in the queue, handling, and the way back.",
        command: "latency()",
    },
    Step { talk: "So why did that call time out?", command: "why(events().kind(\"timeout\").first())" },
    Step {
        talk: "The same as a picture: the events that matter at full ink, the rest faint.",
        command: "svg(it, \"cinema-demo.svg\")",
    },
    Step {
        talk: "History does not go away. Back to just before the time-out: who waits in the ledger's mailbox?",
        command: "seek(events().kind(\"timeout\").first()); mailbox(\"ledger\")",
    },
];

const FAREWELL: &str = "\
That was a minute. The picture is in cinema-demo.svg: open it in a browser. What you can do next:
  cinema                           the shell: type any of the lines above; help lists everything
  patterns()                       what else is wrong with a system, or with a recording
  restore(\"#100\"); run()           go back, and let it run again from there
  cinema open node.trace           the same questions to a trace of your own node";

/// Runs the steps by `eval`. On a terminal each waits for Enter; `q` and Enter leaves.
pub fn run(place: Place, eval: &mut dyn FnMut(&str) -> Outcome<Ending>) -> Outcome<()> {
    let style = ContentStyle::new();
    for (idx, step) in STEPS.iter().enumerate() {
        let heading = format!("── {} of {} ", idx + 1, STEPS.len());
        console::print(&format!("{}{}\n", paint(place.has_color, style.dim(), &heading), step.talk));
        console::print(&format!("{} {}\n", paint(place.has_color, style.bold(), "cinema ▸"), step.command));
        if let Ending::Value(text) = eval(step.command)? {
            console::print_line(&text);
        }
        console::print("\n");
        if place.is_interactive() && idx + 1 < STEPS.len() && !wants_more() {
            return Ok(());
        }
    }
    console::print_line(FAREWELL);
    Ok(())
}

/// Waits for Enter; false when the user wants to leave.
fn wants_more() -> bool {
    console::print("Enter goes on, q leaves: ");
    let mut answer = String::new();
    let is_read = std::io::stdin().lock().read_line(&mut answer).is_ok_and(|n_bytes| n_bytes > 0);
    is_read && !answer.trim().eq_ignore_ascii_case("q")
}
