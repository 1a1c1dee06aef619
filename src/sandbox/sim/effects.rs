//! The effect log of a callback: what its host functions did and answered, so that a callback
//! that was interrupted by a blocking call can be run again without doing anything twice.
//! It must not know what the operations do.

use crate::model::Term;

use super::behaviour::Raise;
use super::world::EventIdx;

/// A logged host function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Send,
    StartTimer,
    CancelTimer,
    CallBegin,
    CallEnd,
    Cast,
    Link,
    Unlink,
    Monitor,
    Demonitor,
    ExitSignal,
    TrapExit,
    Register,
    Unregister,
    Whereis,
    Spawn,
    IsAlive,
    ProcessInfo,
    Put,
    Get,
    Erase,
    Now,
    Random,
    MakeRef,
    Log,
    Label,
    ReceiveBegin,
    Receive,
    Flush,
    Pause,
    Note,
}

/// One operation with its arguments and its answer.
#[derive(Clone, Debug)]
pub struct Entry {
    pub op: Op,
    pub args: [Term; 2],
    pub result: Result<Term, Raise>,
    /// The event that later operations need: a call's send, a message's handle_start.
    pub event: Option<EventIdx>,
}

impl Entry {
    /// Whether a re-run does the same thing.
    pub fn is(&self, op: Op, first: &Term, second: &Term) -> bool {
        self.op == op && self.args[0] == *first && self.args[1] == *second
    }
}
