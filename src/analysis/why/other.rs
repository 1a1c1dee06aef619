//! Any other event: the chain of causes that led to it, told from the event back to its origin.

use super::case::Case;
use crate::analysis::causality;
use crate::model::{Event, Kind, Seq};

/// Steps that are told; the focus shows the rest.
const STEPS_TOLD: usize = 8;
/// Links that are followed back, and effects that are drawn.
const LINKS_MAX: usize = 64;

/// Explains the event by its causal chain.
pub(super) fn explain(case: &mut Case<'_>, event: Event) {
    let chain = causality::chain(case.rec, &case.scope, event.seq, LINKS_MAX);
    let what = describe(case, &event);
    case.say(format!("{}.", numbered(&event, &what)));
    if chain.back.is_empty() {
        case.say("Nothing in the recording came before it as its cause.");
    }
    for link in chain.back.iter().take(STEPS_TOLD) {
        let Some(earlier) = case.rec.event(link.from) else { break };
        let text = describe(case, &earlier);
        if earlier.kind == Kind::Spawn && link.relation == causality::Relation::Inside {
            case.say(format!("Nothing more is recorded as its cause; {text} (#{}).", link.from.0));
            case.prove(link.from, "origin", text);
            continue;
        }
        let how = if link.relation == causality::Relation::Inside { "That happened while" } else { "Before that," };
        case.say(format!("{how} {}.", numbered(&earlier, &text)));
        case.prove(link.from, "cause", text);
    }
    if chain.back.len() > STEPS_TOLD {
        let origin = chain.back[chain.back.len() - 1].from;
        case.say(format!("The chain goes back {} steps further, to #{}.", chain.back.len() - STEPS_TOLD, origin.0));
    }
    case.focus(chain.seqs());
    case.next(format!("chain(seq({}))", event.seq.0));
    case.next(format!("effects(seq({}))", event.seq.0));
}

/// The words with the event's number, unless they hold it.
fn numbered(event: &Event, text: &str) -> String {
    if event.kind == Kind::HandleStart { text.to_string() } else { format!("{text} (#{})", event.seq.0) }
}

/// One event in a few words, in the present: `shop handles the call audit of client`.
fn describe(case: &Case<'_>, event: &Event) -> String {
    let at: Seq = event.seq;
    let process = case.name(event.process, at);
    let peer = case.name_or(event.peer, at, "an unknown process");
    let message = || case.message(event);
    let tag = || event.tag.map_or_else(String::new, |tag| tag.as_str().to_string());
    match event.kind {
        Kind::Spawn if case.rec.is_introduction(event) => format!("{process} was there before the recording began"),
        Kind::Register if case.rec.is_introduction(event) => {
            format!("{process} had the name {} before the recording began", tag())
        }
        Kind::Link if case.rec.is_introduction(event) => {
            format!("{process} was linked to {peer} before the recording began")
        }
        Kind::Monitor if case.rec.is_introduction(event) => {
            format!("{process} watched {peer} before the recording began")
        }
        Kind::ChildSpecChange if case.rec.is_introduction(event) => {
            format!("{process} had the child {} before the recording began", tag())
        }
        Kind::Spawn if event.peer.is_none() => format!("{process} was started"),
        Kind::Spawn => format!("{peer} started {process}"),
        Kind::Exit | Kind::Crash => format!("{process} ended with {}", message()),
        Kind::Link => format!("{process} linked to {peer}"),
        Kind::Unlink => format!("{process} unlinked from {peer}"),
        Kind::Monitor => format!("{process} began to watch {peer}"),
        Kind::Demonitor => format!("{process} stopped watching {peer}"),
        Kind::Down => format!("{process} was told that {peer} had ended"),
        Kind::Register => format!("{process} took the name {}", tag()),
        Kind::Unregister => format!("{process} gave back the name {}", tag()),
        Kind::Send => format!("{process} sent the {} {} to {peer}", event.class.as_str(), message()),
        Kind::Receive => format!("the {} {} of {peer} arrived at {process}", event.class.as_str(), message()),
        Kind::HandleStart => format!("{process} was handling {}", case.trigger(event)),
        Kind::HandleEnd => format!("{process} ended its callback"),
        Kind::Reply => format!("{process} answered {peer}"),
        Kind::Timeout => format!("{process} gave up on its call {} to {peer}", tag()),
        Kind::LateReply => format!("{peer}'s reply reached {process} too late"),
        Kind::SendToDead => format!("{process} sent {} to a process that is not there", message()),
        Kind::StateChange => format!("{process}'s state became {}", message()),
        Kind::CodeChange => format!("{process} changed its code"),
        Kind::SupervisorRestart => format!("{process} restarted {} as {peer}", tag()),
        Kind::ChildSpecChange => format!("{process} changed its child {}", tag()),
        Kind::TimerStart => format!("{process} started a timer"),
        Kind::TimerFire => format!("a timer fired for {process}"),
        Kind::TimerCancel => format!("{process} cancelled a timer"),
        Kind::ExitSignal => format!("{peer}'s exit signal reached {process}"),
        Kind::Log => format!("{process} logged {}", message()),
        Kind::Input => format!("the user did {} with {process}", message()),
        Kind::Sample => format!("{process} was looked at"),
        Kind::Gc => format!("{process} collected its garbage"),
        Kind::Loss => "events were lost".to_string(),
        Kind::Mark => format!("a mark was set: {}", tag()),
        Kind::Held => format!("{process} was held at the breakpoint {}", tag()),
        Kind::Released => format!("{process} went on after a breakpoint"),
        Kind::Restored | Kind::Forked => "a new branch began".to_string(),
    }
}
