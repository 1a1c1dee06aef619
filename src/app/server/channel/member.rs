//! One client on one topic: it is sent what changed, at its own pace.
//!
//! The newest pulse is kept by the stage, and what this client was sent last is kept here: a frame is the difference
//! of the two, made at the moment of sending. So changes merge while the client is slow, and nothing ever queues.
//! It must not know sockets.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::frame::Frame;
use super::{Out, QUEUE, TOO_MANY, command, push};
use crate::app::server::shared::Shared;
use crate::app::server::stage::Stage;
use crate::model::limits;
use crate::session::SourceId;

/// The shortest time between two frames.
const FRAME_TIME: Duration = Duration::from_millis(1_000 / limits::SERVER_FRAMES_PER_SECOND);
const SLOW_AFTER: Duration = Duration::from_secs(limits::SERVER_SLOW_CLIENT_SECONDS);

/// Requests of one client that are worked on at a time.
const REQUESTS_MAX: usize = 16;

/// A handle on a member's task, which ends when this is dropped.
pub struct Member {
    orders: mpsc::Sender<Frame>,
    join_ref: Option<String>,
}

impl Member {
    /// Starts the task; it answers the join.
    pub fn join(shared: Arc<Shared>, id: SourceId, frame: Frame, out: mpsc::Sender<Out>) -> Member {
        let (sender, orders) = mpsc::channel(QUEUE);
        let join_ref = frame.join_ref.clone();
        tokio::spawn(async move {
            let stage = match shared.stage(id).await {
                Ok(stage) => stage,
                Err(failure) => {
                    let response = json!({ "reason": failure.error, "hints": failure.hints });
                    // The client may be gone already.
                    let _ = out.send(Out::Frame(frame.reply("error", &response).text())).await;
                    return;
                }
            };
            let permits = Arc::new(Semaphore::new(REQUESTS_MAX));
            let tasks = JoinSet::new();
            let task =
                Task { shared, stage, id, frame, out, permits, tasks, sent: Map::new(), n_frames: 0, n_acked: 0 };
            task.run(orders).await;
        });
        Member { orders: sender, join_ref }
    }

    /// Whether a frame is of an earlier membership of this topic, as Phoenix tells: then it is not for us.
    pub fn is_stale(&self, frame: &Frame) -> bool {
        frame.join_ref.is_some() && frame.join_ref != self.join_ref
    }

    /// Hands a frame over; false: too many wait, or the task is over.
    pub fn hand_over(&self, frame: Frame) -> bool {
        self.orders.try_send(frame).is_ok()
    }
}

struct Task {
    shared: Arc<Shared>,
    stage: Arc<Stage>,
    id: SourceId,
    /// The join.
    frame: Frame,
    out: mpsc::Sender<Out>,
    permits: Arc<Semaphore>,
    /// What the client asked for and is not answered yet; given up when it leaves.
    tasks: JoinSet<()>,
    /// The document as the client has it.
    sent: Map<String, Json>,
    n_frames: u64,
    n_acked: u64,
}

impl Task {
    async fn run(mut self, mut orders: mpsc::Receiver<Frame>) {
        let mut pulses = self.stage.pulses();
        let mut hits = self.stage.hits();
        if !self.welcome(&mut pulses).await {
            return;
        }
        let mut next_at = Instant::now() + FRAME_TIME;
        let mut acked_at = Instant::now();
        let mut is_behind = false;
        loop {
            let may_send = self.n_frames - self.n_acked < limits::SERVER_FRAMES_UNACKNOWLEDGED;
            tokio::select! {
                order = orders.recv() => match order {
                    None => return,
                    Some(frame) if frame.event == "ack" => match command::acknowledged(&frame.payload, self.n_frames) {
                        Ok(n) => {
                            self.n_acked = n.max(self.n_acked);
                            acked_at = Instant::now();
                        }
                        Err(problem) => if !self.give(frame.reply("error", &problem.to_json()).text()).await { return },
                    },
                    Some(frame) if frame.event == "resync" => {
                        self.sent.clear();
                        self.n_acked = self.n_frames;
                        acked_at = Instant::now();
                        is_behind = true;
                        if !self.give(frame.reply("ok", &json!({})).text()).await {
                            return;
                        }
                    }
                    Some(frame) => self.perform(frame),
                },
                hit = hits.recv() => {
                    let payload = match hit {
                        Ok(hit) => (*hit).clone(),
                        Err(tokio::sync::broadcast::error::RecvError::Lagged(n)) => json!({ "missed": n }),
                        Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                    };
                    if self.out.send(push(&self.frame.join_ref, &self.frame.topic, "breakpoint_triggered", &payload)).await.is_err() {
                        return;
                    }
                }
                changed = pulses.changed(), if !is_behind => {
                    if changed.is_err() {
                        return;
                    }
                    is_behind = true;
                }
                () = tokio::time::sleep_until(next_at), if is_behind && may_send => {
                    is_behind = false;
                    next_at = Instant::now() + FRAME_TIME;
                    let pulse = Arc::clone(&pulses.borrow_and_update());
                    if !self.send_difference(&pulse.document).await {
                        return;
                    }
                }
                () = tokio::time::sleep_until(acked_at + SLOW_AFTER), if !may_send => {
                    // The connection closes with this reason; it may be gone already.
                    let _ = self.out.send(Out::Drop("slow client: frames were not acknowledged for 30 s")).await;
                    return;
                }
            }
            if may_send && self.n_frames == self.n_acked {
                acked_at = Instant::now();
            }
        }
    }

    /// Answers the join with the whole document, once there is one.
    async fn welcome(&mut self, pulses: &mut tokio::sync::watch::Receiver<Arc<super::super::pulse::Pulse>>) -> bool {
        let first = tokio::time::timeout(Duration::from_secs(10), pulses.wait_for(|pulse| !pulse.document.is_empty()));
        let document = match first.await {
            Ok(Ok(pulse)) => pulse.document.clone(),
            // The session is busy: what there is to see comes as the first difference.
            _ => Map::new(),
        };
        let response = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "is_read_only": self.shared.is_read_only,
            "frames_per_second": limits::SERVER_FRAMES_PER_SECOND,
            "state": document,
        });
        self.sent = document;
        self.give(self.frame.reply("ok", &response).text()).await
    }

    /// Sends the fields that differ from what the client has. A frame is always numbered, to be acknowledged.
    async fn send_difference(&mut self, document: &Map<String, Json>) -> bool {
        let is_full = self.sent.is_empty();
        let changed: Map<String, Json> = document
            .iter()
            .filter(|(key, value)| self.sent.get(*key) != Some(value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if changed.is_empty() {
            return true;
        }
        self.n_frames += 1;
        let (join_ref, topic) = (&self.frame.join_ref, self.frame.topic.as_str());
        let playback = changed.contains_key("state") || changed.contains_key("speed");
        let payload = json!({ "frame": self.n_frames, "full": is_full, "changed": changed });
        let mut frames = vec![push(join_ref, topic, "timeline_update", &payload)];
        if playback {
            let payload = json!({ "state": document.get("state"), "speed": document.get("speed") });
            frames.push(push(join_ref, topic, "playback_state", &payload));
        }
        if changed.get("n_lost").is_some_and(|lost| lost.as_u64() > Some(0)) {
            frames.push(push(join_ref, topic, "loss", &json!({ "n_lost": document.get("n_lost") })));
        }
        self.sent.clone_from(document);
        for frame in frames {
            if self.out.send(frame).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Performs a client's event on a task of its own, so that a long one holds nothing up.
    fn perform(&mut self, frame: Frame) {
        while self.tasks.try_join_next().is_some() {}
        let (shared, id, out) = (Arc::clone(&self.shared), self.id, self.out.clone());
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        self.tasks.spawn(async move {
            let Ok(_permit) = permit else {
                let answer = frame.reply("error", &json!({ "reason": TOO_MANY }));
                let _ = out.send(Out::Frame(answer.text())).await;
                return;
            };
            let answer = match command::perform(&shared, id, &frame).await {
                Ok(response) => frame.reply("ok", &response),
                Err(problem) => frame.reply("error", &problem.to_json()),
            };
            // The client may have left.
            let _ = out.send(Out::Frame(answer.text())).await;
        });
    }

    async fn give(&self, text: String) -> bool {
        self.out.send(Out::Frame(text)).await.is_ok()
    }
}
