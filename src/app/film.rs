//! The current timeline of a session as a [`Film`]. It must not know how a film is shown.

use std::sync::Arc;

use super::playback::{Direction, Film};
use crate::analysis::names::Names;
use crate::model::quote::grouped;
use crate::model::{Outcome, Seq, time};
use crate::render::TextOptions;
use crate::render::event_line::event_line;
use crate::session::{SharedSession, Source};
use crate::view::build;

/// Moves the current timeline's cursor event by event. `back()` returns to where it was before the film.
pub struct SessionFilm {
    session: SharedSession,
    /// Names of the processes, made once: a film shows what is recorded already.
    names: Arc<Names>,
    options: TextOptions,
    n_events: u64,
}

impl SessionFilm {
    /// A film from the cursor on. Errors: nothing is open.
    pub fn new(session: SharedSession, options: TextOptions) -> Outcome<SessionFilm> {
        let (names, n_events) = {
            let mut shared = session.borrow_mut();
            let source = shared.source_mut()?;
            source.move_cursor(|_, _| Ok(()))?;
            let n_events = source.timeline().line(&source.recording()).len();
            (source.names(), n_events)
        };
        Ok(SessionFilm { session, names, options, n_events })
    }

    /// Reads the source; `None` only if it was closed meanwhile.
    fn with_source<T>(&self, read: impl FnOnce(&Source) -> Option<T>) -> Option<T> {
        read(self.session.borrow().source().ok()?)
    }

    fn line(&self, seq: Seq) -> Option<String> {
        let name = |actor| self.names.name(actor);
        let line = self.with_source(|source| build::event_line(&source.recording(), seq, name))?;
        Some(event_line(&line, &self.options))
    }
}

impl Film for SessionFilm {
    fn step(&mut self, direction: Direction) -> Option<String> {
        let at = {
            let mut session = self.session.borrow_mut();
            let (timeline, recording) = session.source_mut().ok()?.timeline_mut();
            let moved = match direction {
                Direction::Forward => timeline.step(&recording, 1),
                Direction::Back => timeline.step_back(&recording, 1),
            };
            moved.ok()?;
            timeline.at()?
        };
        self.line(at)
    }

    fn gap_ns(&self, direction: Direction) -> Option<i64> {
        self.with_source(|source| {
            let recording = source.recording();
            let line = source.timeline().line(&recording);
            let idx = line.n_through(source.timeline().at());
            let next = match direction {
                Direction::Forward => line.nth(Some(idx)),
                Direction::Back => line.nth(idx.checked_sub(2)),
            };
            let clock = |seq: Option<Seq>| Some(recording.event(seq?)?.at_ns);
            let next_ns = clock(next)?;
            Some(clock(source.timeline().at()).map_or(0, |here_ns| (next_ns - here_ns).abs()))
        })
    }

    fn position(&self) -> String {
        let position = self.session.borrow().source().map(|source| source.position());
        position.map_or(String::new(), |position| {
            let at = position.seq.map_or("start".to_string(), |seq| format!("#{}", seq.0));
            format!("{at} of {}  +{}", grouped(self.n_events), time::show_ns(position.since_start_ns))
        })
    }
}
