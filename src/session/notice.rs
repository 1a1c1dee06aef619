//! What a session tells while it works, beside results: hits of logpoints, log lines, warnings.
//! It must not know where notices go.

use crate::breakpoint::BreakpointId;
use crate::model::Seq;

/// Something worth a line above the prompt.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A breakpoint was hit and the run goes on.
    Hit { breakpoint: BreakpointId, name: String, seq: Seq, since_start_ns: i64, text: String },
    /// A recording that was opened is damaged: where, and what is lost. What stands before it can be read.
    Damage(String),
    /// Something that a user should know and that is no result: a limit, an estimate.
    Warning(String),
    /// How far something long is.
    Progress(String),
}

/// Where notices go; by default nowhere.
#[derive(Default)]
pub struct Notifier(Option<Box<dyn Fn(Notice)>>);

impl Notifier {
    pub fn new(send: impl Fn(Notice) + 'static) -> Notifier {
        Notifier(Some(Box::new(send)))
    }
    /// Hands a notice over; must not block.
    pub fn send(&self, notice: Notice) {
        if let Some(send) = &self.0 {
            send(notice);
        }
    }
}
