//! Events of channel clients as operations of the table. It must not know who sent them.

use serde_json::{Value as Json, json};

use super::frame::Frame;
use crate::app::server::answer::Answer;
use crate::app::server::api;
use crate::app::server::args::Given;
use crate::app::server::problem::Problem;
use crate::app::server::shared::Shared;
use crate::session::SourceId;

/// The events that clients send, beside `ack` and `resync`.
pub const EVENTS: &[(&str, &str)] = &[
    ("set_breakpoint", "`{condition, action?, name?}`: scripts, as `brk` takes them"),
    ("remove_breakpoint", "`{id}`"),
    ("timeline_seek", "`{moment}`"),
    ("toggle_playback", "`{action?}`: play, pause, rewind; without it the other of playing and paused. `{speed?}`"),
    ("step", "`{direction?: forward|back, unit?: event|process|handler|hit, n?, process?}`"),
    ("set_speed", "`{speed}`: recorded time per wall time"),
    ("set_view", "`{view, ..}`: kept by the client; answered as it came"),
    ("inspect", "`{process, moment?}`"),
    ("operation", "`{name, args}`: any operation of the table"),
];

/// Performs one event; gives the response.
pub async fn perform(shared: &Shared, id: SourceId, frame: &Frame) -> Result<Json, Problem> {
    let payload = &frame.payload;
    let text = |key: &str| payload.get(key).and_then(Json::as_str);
    let operation = |name: &'static str, args: Json| call(shared, id, name, args);
    let answer = match frame.event.as_str() {
        "set_breakpoint" => operation("brk", payload.clone()).await?,
        "remove_breakpoint" => operation("remove_breakpoint", payload.clone()).await?,
        "timeline_seek" => operation("seek", payload.clone()).await?,
        "toggle_playback" => toggle(shared, id, text("action"), payload.get("speed")).await?,
        "step" => step(shared, id, payload).await?,
        "set_speed" => set_speed(shared, id, payload).await?,
        "set_view" => Answer::of(payload.clone()),
        "inspect" => operation("process", payload.clone()).await?,
        "operation" => {
            let name = text("name").ok_or_else(|| Problem::field("name", "is missing"))?;
            call(shared, id, name, payload.get("args").cloned().unwrap_or(json!({}))).await?
        }
        event => {
            let known: Vec<&str> = EVENTS.iter().map(|(name, _)| *name).collect();
            return Err(Problem::not_found(format!("no event {event:?}")).hint(format!("events: {}", known.join(", "))));
        }
    };
    Ok(answer.to_json())
}

async fn call(shared: &Shared, id: SourceId, name: &str, args: Json) -> Result<Answer, Problem> {
    let entry = api::entry(name).ok_or_else(|| Problem::not_found(format!("no operation {name:?}")))?;
    let given = match args {
        Json::Object(fields) => Given::of_object(fields),
        Json::Null => Given::default(),
        _ => return Err(Problem::bad_request("arguments go by name: an object")),
    };
    api::perform(shared, Some(id), entry, given).await
}

/// State and speed of the playback.
async fn playback(shared: &Shared, id: SourceId) -> Result<(bool, f64), Problem> {
    let look = move |live: &mut crate::app::live::Live| {
        live.session().borrow_mut().on_source(id, |session| {
            let playback = session.source()?.timeline().playback();
            Ok((playback.state() != crate::timeline::PlaybackState::Paused, playback.speed()))
        })
    };
    shared.desk.look(look).await.map_err(Problem::from)
}

async fn toggle(shared: &Shared, id: SourceId, action: Option<&str>, speed: Option<&Json>) -> Result<Answer, Problem> {
    let (is_running, known_speed) = playback(shared, id).await?;
    let speed = speed.and_then(Json::as_f64).unwrap_or(known_speed).abs();
    match action {
        None if is_running => call(shared, id, "pause", json!({})).await,
        None | Some("play") => {
            let answer = call(shared, id, "play", json!({ "speed": speed })).await?;
            rewind_at_the_end(shared, id).await?;
            Ok(answer)
        }
        Some("pause") => call(shared, id, "pause", json!({})).await,
        Some("rewind") => call(shared, id, "rewind", json!({ "speed": speed })).await,
        Some(other) => Err(Problem::field("action", format!("expected play, pause or rewind, got {other:?}"))),
    }
}

/// As players do: at the end of what cannot go on, playing begins anew.
async fn rewind_at_the_end(shared: &Shared, id: SourceId) -> Result<(), Problem> {
    let task = move |live: &mut crate::app::live::Live| {
        live.session().borrow_mut().on_source(id, |session| {
            let source = session.source_mut()?;
            let capabilities = source.capabilities();
            let (timeline, recording) = source.timeline_mut();
            if timeline.is_at_end(&recording) && !capabilities.can_run && !capabilities.is_live {
                timeline.to_start();
            }
            Ok(())
        })
    };
    shared.desk.look(task).await.map_err(Problem::from)
}

async fn set_speed(shared: &Shared, id: SourceId, payload: &Json) -> Result<Answer, Problem> {
    let Some(speed) = payload.get("speed").and_then(Json::as_f64) else {
        return Err(Problem::field("speed", "expected a number"));
    };
    let (is_running, _) = playback(shared, id).await?;
    let answer = call(shared, id, "play", json!({ "speed": speed })).await?;
    if is_running { Ok(answer) } else { call(shared, id, "pause", json!({})).await }
}

async fn step(shared: &Shared, id: SourceId, payload: &Json) -> Result<Answer, Problem> {
    let text =
        |key: &str, default: &'static str| payload.get(key).and_then(Json::as_str).unwrap_or(default).to_string();
    let (direction, unit) = (text("direction", "forward"), text("unit", "event"));
    let name = match (unit.as_str(), direction.as_str()) {
        ("event", "forward") => "step",
        ("event", "back") => "step_back",
        ("process", "forward") => "next",
        ("process", "back") => "prev",
        ("handler", "forward") => "next_handler",
        ("handler", "back") => "prev_handler",
        ("hit", "forward") => "cont",
        ("hit", "back") => "rcont",
        ("event" | "process" | "handler" | "hit", other) => {
            return Err(Problem::field("direction", format!("expected forward or back, got {other:?}")));
        }
        (other, _) => {
            return Err(Problem::field("unit", format!("expected event, process, handler or hit, got {other:?}")));
        }
    };
    let wanted = if unit == "event" { "n" } else { "process" };
    let args =
        payload.get(wanted).filter(|value| !value.is_null() && unit != "hit").map(|value| json!({ wanted: value }));
    call(shared, id, name, args.unwrap_or(json!({}))).await
}
