//! What a person calls a process: its registered name, else its label or module, else its pid.
//! One pass over the name events; cheap enough to make per question.

use crate::model::{Actor, Atom, Seq};
use crate::store::Recording;

use super::Scope;

/// The names of a scope's processes.
#[derive(Clone, Debug, Default)]
pub struct Names {}

impl Names {
    /// Reads spawn, register and unregister events.
    pub fn new(rec: &Recording, scope: Scope<'_>) -> Names {
        let _ = (rec, scope);
        todo!("analysis")
    }
    /// The name as of `at`; a dead process keeps its last registered name.
    pub fn at(&self, actor: Actor, at: Seq) -> String {
        let _ = (actor, at);
        todo!("analysis")
    }
    /// The name that the process bore longest or last: for lanes and rows that span time.
    pub fn name(&self, actor: Actor) -> String {
        let _ = actor;
        todo!("analysis")
    }
    /// Who held the registered name just after `at`.
    pub fn whereis(&self, name: Atom, at: Seq) -> Option<Actor> {
        let _ = (name, at);
        todo!("analysis")
    }
}
