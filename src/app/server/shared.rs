//! What all requests of one server share: the desk, the gate, a stage per sandbox. It must not know HTTP.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use super::desk::Desk;
use super::gate::Gate;
use super::stage::Stage;
use crate::model::{Outcome, limits};
use crate::session::SourceId;

/// One server's state.
pub struct Shared {
    pub desk: Desk,
    pub gate: Gate,
    /// The server shows the session, and changes nothing but the position.
    pub is_read_only: bool,
    pub n_clients: Arc<AtomicUsize>,
    /// One permit per HTTP request that is worked on.
    pub requests: Semaphore,
    stages: Mutex<BTreeMap<usize, Arc<Stage>>>,
}

impl Shared {
    pub fn new(desk: Desk, gate: Gate, is_read_only: bool, n_clients: Arc<AtomicUsize>) -> Arc<Shared> {
        Arc::new(Shared {
            desk,
            gate,
            is_read_only,
            n_clients,
            requests: Semaphore::new(limits::SERVER_REQUESTS_MAX),
            stages: Mutex::default(),
        })
    }

    /// The stage of a sandbox, made when it is first asked for. Errors: there is no such sandbox.
    pub async fn stage(&self, id: SourceId) -> Outcome<Arc<Stage>> {
        if let Some(stage) = self.stages().get(&id.0) {
            return Ok(Arc::clone(stage));
        }
        self.desk.look(move |live| live.session().borrow_mut().on_source(id, |_| Ok(()))).await?;
        let make = || Stage::new(id, self.desk.clone(), !self.is_read_only);
        Ok(Arc::clone(self.stages().entry(id.0).or_insert_with(make)))
    }

    fn stages(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<Stage>>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something changed that viewers should see soon.
    pub fn changed(&self) {
        self.stages().values().for_each(|stage| stage.poke());
    }
}
