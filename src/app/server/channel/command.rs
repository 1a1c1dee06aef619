//! Events of channel clients as operations of the table. It must not know who sent them.

use serde_json::{Value as Json, json};

use super::frame::Frame;
use crate::app::server::answer::Answer;
use crate::app::server::api;
use crate::app::server::args::Given;
use crate::app::server::problem::{FieldError, Problem};
use crate::app::server::shared::Shared;
use crate::app::server::step;
use crate::breakpoint::Past;
use crate::model::{Failure, FailureKind};
use crate::session::SourceId;

/// The events that clients send, beside `ack` and `resync`.
pub const EVENTS: &[(&str, &str)] = &[
    ("set_breakpoint", "`{condition, action?, name?}`: scripts, as `brk` takes them"),
    ("remove_breakpoint", "`{id}`"),
    ("timeline_seek", "`{moment}`"),
    ("toggle_playback", "`{action?}`: play, pause, rewind; without it the other of playing and paused. `{speed?}`"),
    ("step", "`{direction?: forward|back, unit?: event|process|handler|hit, n?, process?}`, as `POST step`"),
    ("set_speed", "`{speed}`: recorded time per wall time"),
    ("set_view", "`{view, ..}`: answered as it came, and kept nowhere: what one looks at is each client's own"),
    ("inspect", "`{process, moment?}`"),
    ("operation", "`{name, args}`: any operation of the table"),
];

/// Performs one event; gives the response.
pub async fn perform(shared: &Shared, id: SourceId, frame: &Frame) -> Result<Json, Problem> {
    let payload = &frame.payload;
    check_fields(&frame.event, payload)?;
    let text = |key: &str| payload.get(key).and_then(Json::as_str);
    let operation = |name: &'static str, args: Json| call(shared, id, name, args);
    let answer = match frame.event.as_str() {
        "set_breakpoint" => operation("brk", payload.clone()).await?,
        "remove_breakpoint" => operation("remove_breakpoint", payload.clone()).await?,
        "timeline_seek" => operation("seek", payload.clone()).await?,
        "toggle_playback" => toggle(shared, id, payload).await?,
        "step" => {
            let (name, given) = step::read(given(payload.clone())?)?;
            if name == "cont" {
                check_hit_ahead(shared, id).await?;
            }
            perform_operation(shared, id, name, given).await?
        }
        "set_speed" => set_speed(shared, id, payload).await?,
        "set_view" => set_view(payload)?,
        "inspect" => operation("process", payload.clone()).await?,
        "operation" => {
            let name = text("name").ok_or_else(|| Problem::field("name", "is missing"))?;
            call(shared, id, name, payload.get("args").cloned().unwrap_or(json!({}))).await?
        }
        event => {
            let known: Vec<&str> = EVENTS.iter().map(|(name, _)| *name).chain(["ack", "resync"]).collect();
            return Err(Problem::not_found(format!("no event {event:?}")).hint(format!("events: {}", known.join(", "))));
        }
    };
    Ok(answer.to_json())
}

/// The fields of the events that are no operation under another name: those check theirs themselves.
const FIELDS: &[(&str, &[&str])] =
    &[("toggle_playback", &["action", "speed"]), ("set_speed", &["speed"]), ("operation", &["name", "args"])];

/// Refuses what an event does not know, rather than to leave it out.
fn check_fields(event: &str, payload: &Json) -> Result<(), Problem> {
    let Some((_, known)) = FIELDS.iter().find(|(name, _)| *name == event) else { return Ok(()) };
    let fields = match payload {
        Json::Object(fields) => fields,
        Json::Null => return Ok(()),
        _ => return Err(Problem::bad_request("arguments go by name: an object")),
    };
    let unknown = fields.keys().filter(|name| !known.contains(&name.as_str()));
    let detail = || format!("{event} has no such field; known: {}", known.join(", "));
    let errors: Vec<FieldError> = unknown.map(|name| FieldError { field: name.clone(), detail: detail() }).collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::fields(errors)) }
}

/// A speed, where one is given.
fn speed_of(payload: &Json) -> Result<Option<f64>, Problem> {
    match payload.get("speed").filter(|speed| !speed.is_null()) {
        None => Ok(None),
        Some(speed) => speed.as_f64().map(Some).ok_or_else(|| Problem::field("speed", "expected a number")),
    }
}

/// A word, where one is given.
fn word<'a>(payload: &'a Json, name: &str) -> Result<Option<&'a str>, Problem> {
    match payload.get(name).filter(|word| !word.is_null()) {
        None => Ok(None),
        Some(word) => word.as_str().map(Some).ok_or_else(|| Problem::field(name, "expected text")),
    }
}

async fn call(shared: &Shared, id: SourceId, name: &str, args: Json) -> Result<Answer, Problem> {
    perform_operation(shared, id, name, given(args)?).await
}

fn given(args: Json) -> Result<Given, Problem> {
    match args {
        Json::Object(fields) => Ok(Given::of_object(fields)),
        Json::Null => Ok(Given::default()),
        _ => Err(Problem::bad_request("arguments go by name: an object")),
    }
}

async fn perform_operation(shared: &Shared, id: SourceId, name: &str, given: Given) -> Result<Answer, Problem> {
    let entry = api::entry(name).ok_or_else(|| Problem::not_found(format!("no operation {name:?}")))?;
    api::perform(shared, Some(id), entry, given).await
}

/// The views that the page has.
const VIEWS: [&str; 4] = ["processes", "messages", "supervision", "graph"];

/// Answers what came, when it names a view.
fn set_view(payload: &Json) -> Result<Answer, Problem> {
    match word(payload, "view")? {
        Some(view) if VIEWS.contains(&view) => Ok(Answer::of(payload.clone())),
        _ => Err(Problem::field("view", format!("expected {}", VIEWS.join(", ")))),
    }
}

/// The frame that an `ack` acknowledges, of those that were sent. Errors: it names none of them.
pub fn acknowledged(payload: &Json, n_frames: u64) -> Result<u64, Problem> {
    let frame = payload.get("frame").and_then(Json::as_u64).filter(|frame| (1..=n_frames).contains(frame));
    frame.ok_or_else(|| {
        let sent = if n_frames == 0 { "none was sent yet".into() } else { format!("1 to {n_frames} were sent") };
        Problem::field("frame", format!("expected the number of a frame that was sent: {sent}"))
    })
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

async fn toggle(shared: &Shared, id: SourceId, payload: &Json) -> Result<Answer, Problem> {
    let (action, wanted_speed) = (word(payload, "action")?, speed_of(payload)?);
    let (is_running, known_speed) = playback(shared, id).await?;
    let speed = wanted_speed.unwrap_or(known_speed).abs();
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
    let speed = speed_of(payload)?.ok_or_else(|| Problem::field("speed", "is missing"))?;
    let (is_running, _) = playback(shared, id).await?;
    let answer = call(shared, id, "play", json!({ "speed": speed })).await?;
    if is_running { Ok(answer) } else { call(shared, id, "pause", json!({})).await }
}

/// Who steps through the past keeps the place when no hit is ahead: only at the end a sandbox runs on to the next one.
async fn check_hit_ahead(shared: &Shared, id: SourceId) -> Result<(), Problem> {
    let look = move |live: &mut crate::app::live::Live| {
        live.session().borrow_mut().on_source(id, |session| {
            let source = session.source()?;
            let (recording, timeline) = (source.recording(), source.timeline());
            let line = timeline.line(&recording);
            let past = Past { recording: &recording, branch: source.position().branch, line: line.ranges() };
            if timeline.is_at_end(&recording) || source.breakpoints.next_hit(past, timeline.at())?.is_some() {
                return Ok(());
            }
            let what = if source.breakpoints.list().is_empty() {
                "no breakpoint is set"
            } else {
                "no breakpoint is hit after this moment"
            };
            Err(Failure::new(FailureKind::Edge, what))
        })
    };
    shared.desk.look(look).await.map_err(Problem::from)
}
