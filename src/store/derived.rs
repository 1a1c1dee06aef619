//! What analyses made of a recording's events and will want again, like the names of its processes: kept until an event
//! comes or goes. Clones of a recording share it. It must not know what is kept.

use std::any::Any;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Recording;

/// Things that are kept; of more, the newest.
const KEPT_MAX: usize = 8;

/// The things made of one set of events.
#[derive(Default)]
pub struct Derived {
    has_some: AtomicBool,
    kept: Mutex<Vec<Kept>>,
}

/// One of them, and the ranges of events that it was made of.
struct Kept {
    scope: Vec<Range<u64>>,
    thing: Arc<dyn Any + Send + Sync>,
}

impl Derived {
    fn find<T: Any + Send + Sync>(&self, scope: &[Range<u64>]) -> Option<Arc<T>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().filter(|kept| kept.scope == scope).find_map(|kept| kept.thing.clone().downcast().ok())
    }

    fn keep(&self, scope: &[Range<u64>], thing: Arc<dyn Any + Send + Sync>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT_MAX {
            kept.remove(0);
        }
        kept.push(Kept { scope: scope.to_vec(), thing });
        self.has_some.store(true, Ordering::Relaxed);
    }
}

impl Recording {
    /// What `make` makes of the events of `scope`, made once for as long as these are the recording's events. Two threads
    /// that ask at the same time may both make it.
    pub fn derived<T: Any + Send + Sync>(&self, scope: &[Range<u64>], make: impl FnOnce() -> T) -> Arc<T> {
        self.derived.find(scope).unwrap_or_else(|| {
            let made = Arc::new(make());
            self.derived.keep(scope, made.clone());
            made
        })
    }

    /// Lets go of what was made: the events are others now. Clones keep theirs.
    #[inline]
    pub(super) fn forget_derived(&mut self) {
        if self.derived.has_some.load(Ordering::Relaxed) {
            self.derived = Arc::default();
        }
    }
}

impl std::fmt::Debug for Derived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Derived")
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Kind, NewEvent, Pid};
    use crate::store::Recording;

    #[test]
    fn things_are_made_again_when_events_come_and_clones_keep_theirs() {
        let mut recording = Recording::default();
        let event = NewEvent::new(1, Kind::Spawn, Pid::local(1));
        recording.append(&event).expect("there is room");
        let count = |recording: &Recording| *recording.derived(&[], || recording.len());
        assert_eq!(count(&recording), 1);
        assert_eq!(*recording.derived(&[], || 99u64), 1, "it is there already");
        assert_eq!(*recording.derived(std::slice::from_ref(&(0..1)), || 99u64), 99, "of other events");
        assert_eq!(*recording.derived(&[], || "one"), "one", "of another type");
        let view = recording.clone();
        recording.append(&event).expect("there is room");
        assert_eq!((count(&recording), count(&view)), (2, 1));
    }
}
