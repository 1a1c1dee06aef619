//! The supervision tree at a moment, as nested plain data, from the store's fold.
//! It must not know how results are shown.

use serde::Serialize;

use crate::model::{Actor, Atom, Behaviour, Seq, Status};
use crate::store::Recording;

/// A process in the tree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TreeNode {
    pub actor: Actor,
    pub name: String,
    pub module: Option<Atom>,
    pub behaviour: Behaviour,
    pub child_id: Option<Atom>,
    pub status: Status,
    /// `one_for_one`, ..; known on the sim and where the supervisor's state was recorded.
    pub strategy: Option<String>,
    /// Restarts allowed, within so many seconds.
    pub intensity: Option<(u64, u64)>,
    pub n_restarts: u32,
    pub queue_len: u64,
    pub ended: Option<Seq>,
    /// In start order.
    pub children: Vec<TreeNode>,
}

/// The trees of a system.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SupervisionTree {
    pub at: Option<Seq>,
    pub at_ns: i64,
    /// Supervisors without a supervisor, with all that is below them.
    pub roots: Vec<TreeNode>,
    /// Processes that no supervisor is known to own.
    pub unsupervised: Vec<TreeNode>,
}

/// The tree just after `at`; `with_dead` keeps the nodes of dead processes in their place.
pub fn tree(rec: &Recording, at: Seq, with_dead: bool) -> SupervisionTree {
    let _ = (rec, at, with_dead);
    todo!("analysis")
}
