//! What an operation does to the session, as far as read-only servers and assistants need to know.
//! It must not know what operations are called with.

use crate::session::operation::{Group, OpInfo};

/// How far an operation reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only answers.
    Reads,
    /// It moves the cursor that all who look share.
    Moves,
    /// It changes the session: runs it, sets breakpoints or marks, opens or writes files.
    Changes,
}

/// Operations of chapters that change things which themselves only answer.
const READS: &[&str] = &[
    "sandboxes",
    "info",
    "when",
    "playback_state",
    "breakpoints",
    "hits",
    "evaluate_breakpoints",
    "snapshots",
    "branches",
    "marks",
    "nodes",
    "paused",
];

/// What `info`'s operation does.
pub fn effect(info: &OpInfo) -> Effect {
    match info.group {
        _ if READS.contains(&info.name) => Effect::Reads,
        Group::Ask | Group::Why | Group::Find => Effect::Reads,
        Group::Time => Effect::Moves,
        Group::Source | Group::Run | Group::Live | Group::Stop | Group::Keep | Group::Show => Effect::Changes,
    }
}

/// Whether a move would let a sandbox run on when it stands at the end.
pub fn may_run(info: &OpInfo) -> bool {
    matches!(info.name, "step" | "cont")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::ops;

    #[test]
    fn the_names_are_operations() {
        for name in READS.iter().chain(&["step", "cont"]) {
            assert!(ops::entries().any(|entry| entry.info.name == *name), "{name}");
        }
    }

    #[test]
    fn nothing_that_writes_is_taken_for_reading() {
        for name in ["open", "sandbox", "run", "gen_call", "brk", "remove_breakpoint", "save", "restore", "mark"] {
            let entry = ops::entries().find(|entry| entry.info.name == name).unwrap();
            assert_eq!(effect(entry.info), Effect::Changes, "{name}");
        }
    }
}
