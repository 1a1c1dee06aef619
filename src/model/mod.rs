//! Floor 0: plain data. Terms, identities, events, filters, the observed system, limits, failures.
//! Nothing here knows bytes, files, sandboxes or scripts.

pub mod atom;
pub mod batch;
pub mod diff;
pub mod display;
pub mod event;
pub mod failure;
pub mod filter;
pub mod limits;
mod near;
mod order;
pub mod parse;
pub mod pid;
pub mod platform;
pub mod quote;
mod sigil;
pub mod system;
pub mod term;
pub mod time;

pub use atom::Atom;
pub use batch::EventBatch;
pub use diff::Path;
pub use display::{Style, Syntax};
pub use event::{Actor, ActorId, CallKey, Class, DAMAGE, Event, INTERRUPTED, Kind, NewEvent, OMITTED_BYTES, Seq};
pub use failure::{Failure, FailureKind, Outcome};
pub use filter::Filter;
pub use near::nearest;
pub use pid::{NodeId, Origin, Pid, Port, Reference};
pub use system::{Behaviour, ProcessRow, RestartType, Status, SystemState};
pub use term::Term;
pub use time::Moment;
