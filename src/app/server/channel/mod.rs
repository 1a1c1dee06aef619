//! Phoenix Channels, protocol V2 in JSON, as the unmodified `phoenix` client speaks it: frames are arrays
//! `[join_ref, ref, topic, event, payload]`. One topic per sandbox: `cinema_debugger:<id>`.
//!
//! A connection is one task that reads and writes the socket; each topic that it joins is a task of its own that
//! hands frames over by a short queue. It must not know what operations do.

mod command;
pub(crate) mod frame;
mod member;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

use super::problem::Problem;
use super::shared::Shared;
use crate::model::limits;
use frame::Frame;
use member::Member;

/// What begins every topic.
const TOPIC: &str = "cinema_debugger:";
/// Frames that wait for a socket to take them, and orders for a topic.
const QUEUE: usize = 64;
/// Said to a client that asks faster than it can be answered.
const TOO_MANY: &str = "too many requests at a time";
/// How long a socket may take for one frame.
const SEND_MAX: Duration = Duration::from_secs(5);
/// Without a frame from the other end (a heartbeat at least) for so long, it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// `GET /socket/websocket?vsn=2.0.0&token=..`
pub async fn connect(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    if let Err(problem) = shared.gate.check_token(&headers, query.get("token").map(String::as_str)) {
        return problem.into_response();
    }
    if let Some(version) = query.get("vsn").filter(|version| !version.starts_with("2.")) {
        return Problem::bad_request(format!("vsn {version:?}: this is version 2.0.0 of the protocol")).into_response();
    }
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(error) => return Problem::bad_request(error.body_text()).into_response(),
    };
    if shared.n_clients.fetch_add(1, Ordering::Relaxed) >= limits::SERVER_CLIENTS_MAX {
        shared.n_clients.fetch_sub(1, Ordering::Relaxed);
        let text = limits::tripped("SERVER_CLIENTS_MAX", limits::SERVER_CLIENTS_MAX, "close another browser");
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "limit", text).into_response();
    }
    let upgrade =
        upgrade.max_message_size(limits::SERVER_FRAME_BYTES_MAX).max_frame_size(limits::SERVER_FRAME_BYTES_MAX);
    let refused = Arc::clone(&shared);
    upgrade
        .on_failed_upgrade(move |_| {
            refused.n_clients.fetch_sub(1, Ordering::Relaxed);
        })
        .on_upgrade(move |socket| async move {
            Connection::new(Arc::clone(&shared)).serve(socket).await;
            shared.n_clients.fetch_sub(1, Ordering::Relaxed);
        })
}

/// What a topic's task gives its connection to send.
enum Out {
    Frame(String),
    /// The connection is ended, and the client told why.
    Drop(&'static str),
}

struct Connection {
    shared: Arc<Shared>,
    members: HashMap<String, Member>,
    out: mpsc::Sender<Out>,
    waiting: Option<mpsc::Receiver<Out>>,
}

impl Connection {
    fn new(shared: Arc<Shared>) -> Connection {
        let (out, waiting) = mpsc::channel(QUEUE);
        Connection { shared, members: HashMap::new(), out, waiting: Some(waiting) }
    }

    async fn serve(mut self, mut socket: WebSocket) {
        let mut waiting = self.waiting.take().expect("a connection is served once");
        let reason = loop {
            tokio::select! {
                heard = tokio::time::timeout(SILENCE_MAX, socket.recv()) => match heard {
                    Err(_) => break Some("nothing was heard for a long time"),
                    Ok(None | Some(Ok(Message::Close(_)))) => break None,
                    Ok(Some(Err(_))) => break Some("the frame is too large or broken"),
                    Ok(Some(Ok(Message::Text(text)))) => {
                        if let Some(answer) = self.hear(&text).await
                            && !send(&mut socket, answer).await
                        {
                            break None;
                        }
                    }
                    Ok(Some(Ok(Message::Binary(_)))) => break Some("frames are text"),
                    Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
                },
                Some(out) = waiting.recv() => match out {
                    Out::Frame(text) => {
                        if !send(&mut socket, text).await {
                            break Some("slow client: a frame was not taken within 5 s");
                        }
                    }
                    Out::Drop(reason) => break Some(reason),
                },
            }
        };
        // Tasks of topics end when their orders end.
        self.members.clear();
        let close = reason.map(|reason| CloseFrame { code: close_code::POLICY, reason: reason.into() });
        let _ = tokio::time::timeout(SEND_MAX, farewell(&mut socket, close)).await;
    }

    /// Takes a frame; gives the answer that is there at once.
    async fn hear(&mut self, text: &str) -> Option<String> {
        let frame = match Frame::read(text) {
            Ok(frame) => frame,
            Err(why) => return Some(Frame::default().reply("error", &json!({ "reason": why })).text()),
        };
        match (frame.topic.as_str(), frame.event.as_str()) {
            ("phoenix", "heartbeat") => Some(frame.reply("ok", &json!({})).text()),
            (_, "phx_join") => self.join(frame),
            (topic, event) => {
                let Some(member) = self.members.get(topic) else {
                    return Some(frame.reply("error", &json!({ "reason": "unmatched topic" })).text());
                };
                if member.is_stale(&frame) {
                    return None;
                }
                if event == "phx_leave" {
                    self.members.remove(topic);
                    return Some(frame.reply("ok", &json!({})).text());
                }
                let refused = frame.reply("error", &json!({ "reason": TOO_MANY }));
                (!member.hand_over(frame)).then(|| refused.text())
            }
        }
    }

    fn join(&mut self, frame: Frame) -> Option<String> {
        let no = |why: String| Some(frame.reply("error", &json!({ "reason": why })).text());
        let Some(id) = frame.topic.strip_prefix(TOPIC).and_then(|id| id.parse().ok()) else {
            return no(format!("no topic {:?}; topics are {TOPIC}<sandbox>", frame.topic));
        };
        // A client that lost its connection and came back joins again: the old membership ends.
        self.members.remove(&frame.topic);
        if self.members.len() >= limits::SERVER_TOPICS_MAX {
            return no(limits::tripped("SERVER_TOPICS_MAX", limits::SERVER_TOPICS_MAX, "leave another topic"));
        }
        let topic = frame.topic.clone();
        let member = Member::join(Arc::clone(&self.shared), crate::session::SourceId(id), frame, self.out.clone());
        self.members.insert(topic, member);
        None
    }
}

/// Closes, and waits until the other end has closed, too: only then is everything sent that it should see.
async fn farewell(socket: &mut WebSocket, close: Option<CloseFrame>) {
    // Where the other end began, the answer was queued when its frame was read.
    let _ = socket.send(Message::Close(close)).await;
    while let Some(Ok(_)) = socket.recv().await {}
}

async fn send(socket: &mut WebSocket, text: String) -> bool {
    matches!(tokio::time::timeout(SEND_MAX, socket.send(Message::Text(text.into()))).await, Ok(Ok(())))
}

/// A push to the client.
fn push(join_ref: &Option<String>, topic: &str, event: &str, payload: &Json) -> Out {
    let frame = json!([join_ref, Json::Null, topic, event, payload]);
    Out::Frame(frame.to_string())
}
