//! Playing a recording at a speed, as pure arithmetic on passed time.

use crate::model::{Failure, FailureKind, Outcome, Seq, limits};
use crate::store::Recording;

use super::Line;

/// What a timeline is doing by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaybackState {
    #[default]
    Paused,
    Playing,
    Rewinding,
}

impl PlaybackState {
    pub fn as_str(self) -> &'static str {
        match self {
            PlaybackState::Paused => "paused",
            PlaybackState::Playing => "playing",
            PlaybackState::Rewinding => "rewinding",
        }
    }
}

/// Speed and the part of an event gap that has already been waited for.
#[derive(Clone, Debug, PartialEq)]
pub struct Playback {
    is_running: bool,
    /// Recorded nanoseconds per nanosecond of wall time; negative is backwards, never 0.
    speed: f64,
    /// Recorded nanoseconds waited since the last event went by.
    waited_ns: f64,
}

impl Default for Playback {
    fn default() -> Playback {
        Playback { is_running: false, speed: 1.0, waited_ns: 0.0 }
    }
}

impl Playback {
    pub fn state(&self) -> PlaybackState {
        match (self.is_running, self.speed > 0.0) {
            (false, _) => PlaybackState::Paused,
            (true, true) => PlaybackState::Playing,
            (true, false) => PlaybackState::Rewinding,
        }
    }
    pub fn speed(&self) -> f64 {
        self.speed
    }

    pub(super) fn play(&mut self, speed: f64) -> Outcome<()> {
        if speed == 0.0 || !speed.is_finite() {
            return Err(Failure::usage(format!("{speed} is no speed"))
                .hint("play(1.0) is the recorded pace, play(10) ten times as fast, rewind(2) backwards"));
        }
        if speed.abs() > limits::PLAYBACK_SPEED_MAX {
            let what =
                limits::tripped("PLAYBACK_SPEED_MAX", limits::PLAYBACK_SPEED_MAX, "seek(\"end\") is there at once");
            return Err(Failure::new(FailureKind::Limit, what));
        }
        *self = Playback { is_running: true, speed, waited_ns: 0.0 };
        Ok(())
    }
    pub(super) fn pause(&mut self) {
        self.is_running = false;
        self.waited_ns = 0.0;
    }

    /// The events that go by in `elapsed_ns` of wall time, from after (or, backwards, with) `at`.
    /// Going backwards, the event that goes by is undone.
    pub(super) fn advance(&mut self, recording: &Recording, line: &Line, at: Option<Seq>, elapsed_ns: i64) -> Vec<Seq> {
        let mut passed = Vec::new();
        if !self.is_running {
            return passed;
        }
        self.waited_ns += elapsed_ns.max(0) as f64 * self.speed.abs();
        let clock = |seq: Seq| recording.event(seq).map_or(0, |event| event.at_ns);
        let mut idx = line.n_through(at);
        loop {
            // The gap before the next event to go by: none at the very start.
            let (here, next) = if self.speed > 0.0 {
                (line.nth(idx.checked_sub(1)), line.nth(Some(idx)))
            } else {
                (line.nth(Some(idx)).filter(|_| idx < line.len()), line.nth(idx.checked_sub(1)))
            };
            let Some(next) = next else {
                self.pause();
                return passed;
            };
            let gap_ns = here.map_or(0, |here| clock(next).abs_diff(clock(here))) as f64;
            if gap_ns > self.waited_ns {
                return passed;
            }
            self.waited_ns -= gap_ns;
            passed.push(next);
            idx = if self.speed > 0.0 { idx + 1 } else { idx - 1 };
        }
    }
}
