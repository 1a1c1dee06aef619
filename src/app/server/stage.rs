//! What the server keeps of one sandbox: the newest pulse, a glass to look through, the pyramid of densities.
//!
//! One task per stage takes the pulse, at most [`limits::SERVER_FRAMES_PER_SECOND`] times a second and only while
//! somebody looks. Viewers wait for it on a watch, which holds one value: whoever is slow sees the newest, and costs
//! the others nothing. It must not know how viewers are reached.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::desk::Desk;
use super::glass::Glass;
use super::pulse::{self, Pulse};
use crate::analysis::pyramid::Pyramid;
use crate::model::{Outcome, limits};
use crate::session::SourceId;

/// Hits that wait for one viewer; one that is slower is told that it missed some.
const HITS_WAITING_MAX: usize = 256;
/// Wall time that one beat may stand for: after a long run, playing goes on where it was.
const BEAT_MAX: Duration = Duration::from_millis(250);
/// A session that does not answer for so long is said to be busy.
const BUSY_AFTER: Duration = Duration::from_millis(400);
/// Bins of the pyramid that are made at a stretch, between which readers have their turn: some 5 ms.
const BINS_AT_A_STRETCH: usize = 64;
/// How long the making waits at a time for readers to have had it (locks alone are not fair), and how many times: it
/// goes on however many look.
const TURN: Duration = Duration::from_millis(1);
const TURNS_MAX: usize = 50;

/// One sandbox as the server sees it.
pub struct Stage {
    pub id: SourceId,
    desk: Desk,
    /// Playing may let a sandbox run on.
    may_run: bool,
    pulses: watch::Sender<Arc<Pulse>>,
    hits: broadcast::Sender<Arc<Json>>,
    wake: Notify,
    glass: tokio::sync::Mutex<Option<Arc<Glass>>>,
    pyramid: Mutex<Pyramid>,
    /// Pictures that are being made.
    n_making: AtomicUsize,
}

impl Stage {
    pub fn new(id: SourceId, desk: Desk, may_run: bool) -> Arc<Stage> {
        let stage = Arc::new(Stage {
            id,
            desk,
            may_run,
            pulses: watch::Sender::default(),
            hits: broadcast::Sender::new(HITS_WAITING_MAX),
            wake: Notify::new(),
            glass: tokio::sync::Mutex::default(),
            pyramid: Mutex::default(),
            n_making: AtomicUsize::new(0),
        });
        tokio::spawn(Arc::clone(&stage).keep_beating());
        stage
    }

    /// Follows the pulse from now on.
    pub fn pulses(&self) -> watch::Receiver<Arc<Pulse>> {
        let receiver = self.pulses.subscribe();
        self.wake.notify_one();
        receiver
    }
    /// Follows the hits of breakpoints.
    pub fn hits(&self) -> broadcast::Receiver<Arc<Json>> {
        self.hits.subscribe()
    }
    /// Something changed: takes the pulse now rather than at the next tick.
    pub fn poke(&self) {
        self.wake.notify_one();
    }

    async fn keep_beating(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(Duration::from_millis(1_000 / limits::SERVER_FRAMES_PER_SECOND));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            if self.pulses.receiver_count() == 0 {
                self.wake.notified().await;
                last = Instant::now();
            }
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.wake.notified() => {}
            }
            let elapsed_ns = last.elapsed().min(BEAT_MAX).as_nanos() as i64;
            last = Instant::now();
            let (id, may_run) = (self.id, self.may_run);
            let mut beat = std::pin::pin!(self.desk.look(move |live| pulse::beat(live, id, elapsed_ns, may_run)));
            let pulse = match tokio::time::timeout(BUSY_AFTER, &mut beat).await {
                Ok(pulse) => pulse,
                Err(_) => {
                    self.tell_busy();
                    beat.await
                }
            };
            // A failure (the sandbox is not there, the session is busy) shows where it is asked for.
            if let Ok(pulse) = pulse {
                self.publish(pulse);
            }
        }
    }

    /// The session does something else for a while: viewers are told, all else is as it was.
    fn tell_busy(&self) {
        self.pulses.send_if_modified(|current| {
            let has_more = !current.document.is_empty();
            if has_more {
                let mut document = current.document.clone();
                document.insert("is_busy".into(), Json::Bool(true));
                *current = Arc::new(Pulse { document, hits: Vec::new() });
            }
            has_more
        });
    }

    fn publish(&self, mut pulse: Pulse) {
        for hit in std::mem::take(&mut pulse.hits) {
            // Nobody may be looking.
            let _ = self.hits.send(Arc::new(hit));
        }
        self.pulses.send_if_modified(|current| {
            let is_new = current.document != pulse.document;
            if is_new {
                *current = Arc::new(pulse);
            }
            is_new
        });
    }

    /// A glass that shows the recording as it is now. Errors: there is no such sandbox.
    pub async fn glass(self: &Arc<Self>) -> Outcome<Arc<Glass>> {
        let mut kept = self.glass.lock().await;
        let known = kept.as_ref().map(|glass| (glass.recording.len(), glass.recording.current_branch()));
        let id = self.id;
        let fresh = self
            .desk
            .look(move |live| {
                live.session().borrow_mut().on_source(id, |session| {
                    let source = session.source()?;
                    Ok((known != Some(Glass::version(source))).then(|| Glass::of(source)))
                })
            })
            .await?;
        if let Some(glass) = fresh {
            let glass = Arc::new(glass);
            let stage = Arc::clone(self);
            let shown = Arc::clone(&glass);
            // In the background: pictures are drawn from what is there meanwhile.
            tokio::task::spawn_blocking(move || {
                while stage.pyramid().extend(&shown.recording, BINS_AT_A_STRETCH) {
                    let is_wanted = |_: &usize| stage.n_making.load(Ordering::Relaxed) > 0;
                    (0..TURNS_MAX).take_while(is_wanted).for_each(|_| std::thread::sleep(TURN));
                }
            });
            *kept = Some(glass);
        }
        Ok(Arc::clone(kept.as_ref().expect("a glass was made or kept")))
    }

    /// What is made in the background stands back while this is held: a picture is being made.
    pub fn making(&self) -> Making<'_> {
        self.n_making.fetch_add(1, Ordering::Relaxed);
        Making(&self.n_making)
    }

    /// The densities so far.
    pub fn pyramid(&self) -> MutexGuard<'_, Pyramid> {
        self.pyramid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A picture under way.
pub struct Making<'a>(&'a AtomicUsize);

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
