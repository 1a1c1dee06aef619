//! The operations over HTTP: every row of the operation table under its own name, and named routes for the common
//! ones. Both are data, read by the router here and by `openapi`. It must not know what any operation does.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json as JsonBody;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, Router, on};
use serde_json::Value as Json;

use super::answer::{Answer, of_reply};
use super::args::{self, Given};
use super::effect::{Effect, effect, may_run};
use super::problem::{FieldError, Problem};
use super::shared::Shared;
use crate::app::live::Live;
use crate::model::FailureKind;
use crate::session::operation::{Entry, OpInfo};
use crate::session::{Session, SourceId, ops};

/// The path of a sandbox.
pub const SANDBOX: &str = "/api/v1/sandboxes/{sandbox}";

/// An operation under a path of its own.
pub struct Named {
    pub method: &'static str,
    /// Behind [`SANDBOX`] or, without a sandbox, behind `/api/v1`.
    pub path: &'static str,
    pub operation: &'static str,
    pub of_sandbox: bool,
}

const fn of_sandbox(method: &'static str, path: &'static str, operation: &'static str) -> Named {
    Named { method, path, operation, of_sandbox: true }
}

/// The named routes; parameters in a path are the operation's own.
pub const NAMED: &[Named] = &[
    Named { method: "GET", path: "/sandboxes", operation: "sandboxes", of_sandbox: false },
    Named { method: "POST", path: "/sandboxes", operation: "sandbox", of_sandbox: false },
    Named { method: "POST", path: "/open", operation: "open", of_sandbox: false },
    of_sandbox("GET", "", "info"),
    of_sandbox("GET", "/position", "when"),
    of_sandbox("POST", "/seek", "seek"),
    of_sandbox("POST", "/step_back", "step_back"),
    of_sandbox("POST", "/playback/play", "play"),
    of_sandbox("POST", "/playback/rewind", "rewind"),
    of_sandbox("POST", "/playback/pause", "pause"),
    of_sandbox("GET", "/playback", "playback_state"),
    of_sandbox("GET", "/breakpoints", "breakpoints"),
    of_sandbox("POST", "/breakpoints", "brk"),
    of_sandbox("DELETE", "/breakpoints/{id}", "remove_breakpoint"),
    of_sandbox("POST", "/breakpoints/{id}/enable", "enable_breakpoint"),
    of_sandbox("POST", "/breakpoints/{id}/disable", "disable_breakpoint"),
    of_sandbox("GET", "/breakpoints/hits", "hits"),
    of_sandbox("GET", "/snapshots", "snapshots"),
    of_sandbox("POST", "/snapshots", "snapshot"),
    of_sandbox("GET", "/marks", "marks"),
    of_sandbox("POST", "/marks", "mark"),
    of_sandbox("DELETE", "/marks/{name}", "unmark"),
    of_sandbox("POST", "/notes", "note"),
    of_sandbox("GET", "/processes", "processes"),
    of_sandbox("GET", "/processes/{process}", "process"),
    of_sandbox("GET", "/processes/{process}/state", "state"),
    of_sandbox("GET", "/processes/{process}/history", "history"),
    of_sandbox("GET", "/processes/{process}/mailbox", "mailbox"),
    of_sandbox("GET", "/tree", "tree"),
    of_sandbox("GET", "/diff", "diff"),
    of_sandbox("GET", "/why", "why"),
    of_sandbox("GET", "/patterns", "patterns"),
    of_sandbox("GET", "/latency", "latency"),
    of_sandbox("GET", "/pairs", "pairs"),
];

/// The row of the operation table.
pub fn entry(name: &str) -> Option<&'static Entry> {
    ops::entries().find(|entry| entry.info.name == name)
}

/// The router of all operations.
pub fn router() -> Router<Arc<Shared>> {
    let mut router = Router::new();
    for named in NAMED {
        let entry = entry(named.operation).expect("named routes are of operations");
        let path = if named.of_sandbox { format!("{SANDBOX}{}", named.path) } else { format!("/api/v1{}", named.path) };
        router = router.route(&path, route(named.method, entry));
    }
    for entry in ops::entries() {
        let path = format!("{SANDBOX}/operations/{}", entry.info.name);
        router = router.route(&path, route("POST", entry));
        if effect(entry.info) == Effect::Reads {
            router = router.route(&path, route("GET", entry));
        }
    }
    router
}

fn route(method: &str, entry: &'static Entry) -> axum::routing::MethodRouter<Arc<Shared>> {
    let method = Method::from_bytes(method.as_bytes()).expect("methods of the table are methods");
    let filter = MethodFilter::try_from(method).expect("methods of the table are routed");
    on(
        filter,
        move |State(shared): State<Arc<Shared>>,
              Path(path): Path<HashMap<String, String>>,
              Query(query): Query<Vec<(String, String)>>,
              body: Result<Bytes, BytesRejection>| async move {
            respond(serve(&shared, entry, path, query, body).await)
        },
    )
}

/// `{"data", "meta"}`, or the problem.
pub fn respond(answer: Result<Answer, Problem>) -> Response {
    match answer {
        Ok(answer) => (StatusCode::OK, JsonBody(answer.to_json())).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn serve(
    shared: &Shared,
    entry: &'static Entry,
    mut path: HashMap<String, String>,
    query: Vec<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Answer, Problem> {
    let body = body.map_err(|error| Problem::new(error.status(), "body", error.body_text()))?;
    let sandbox = path.remove("sandbox").map(|text| sandbox_id(&text)).transpose()?;
    let mut given = Given::of_body(&body)?;
    for (name, text) in path.into_iter().chain(query) {
        given.add_text(entry.info, &name, text);
    }
    perform(shared, sandbox, entry, given).await
}

/// `POST .../step`: any step that there is.
pub async fn step(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<HashMap<String, String>>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let step = async {
        let body = body.map_err(|error| Problem::new(error.status(), "body", error.body_text()))?;
        let id = sandbox_id(path.get("sandbox").map_or("", String::as_str))?;
        let (name, given) = super::step::read(Given::of_body(&body)?)?;
        let entry = entry(name).expect("steps are operations");
        perform(&shared, Some(id), entry, given).await
    };
    respond(step.await)
}

/// The sandbox that a path names: a number, or `current`, which is nobody's number.
pub fn sandbox_id(text: &str) -> Result<SourceId, Problem> {
    match text.parse() {
        Ok(id) => Ok(SourceId(id)),
        Err(_) => Err(Problem::not_found(format!("no sandbox {text:?}: sandboxes are numbered from 0"))
            .hint("GET /api/v1/sandboxes lists them")),
    }
}

/// Performs an operation on the session's thread and answers. The one way in for HTTP, channel and assistants.
pub async fn perform(
    shared: &Shared,
    sandbox: Option<SourceId>,
    entry: &'static Entry,
    given: Given,
) -> Result<Answer, Problem> {
    let effect = effect(entry.info);
    let is_read_only = shared.is_read_only;
    if is_read_only && effect == Effect::Changes {
        return Err(read_only(entry.info));
    }
    let task = move |live: &mut Live| Ok(call(live, sandbox, entry, given, is_read_only));
    let answer = match effect {
        Effect::Reads => shared.desk.look(task).await,
        Effect::Moves | Effect::Changes => shared.desk.ask(task).await,
    };
    if effect != Effect::Reads {
        shared.changed();
    }
    answer.map_err(Problem::from)?
}

fn read_only(info: &OpInfo) -> Problem {
    Problem::forbidden("read_only", format!("{} would change the session, and this server only shows it", info.name))
        .hint("cinema serve without --read-only")
}

/// The call itself, on the session's thread.
pub fn call(
    live: &mut Live,
    sandbox: Option<SourceId>,
    entry: &Entry,
    given: Given,
    is_read_only: bool,
) -> Result<Answer, Problem> {
    let args = args::read(entry.info, given, live)?;
    let mut session = live.session().borrow_mut();
    let perform = |session: &mut Session| {
        if is_read_only && may_run(entry.info) {
            let source = session.source()?;
            if source.capabilities().can_run && source.timeline().is_at_end(&source.recording()) {
                return Ok(Err(read_only(entry.info)));
            }
        }
        let reply = entry.call(session, args)?;
        of_reply(session, reply).map(Ok)
    };
    let answered = match sandbox {
        Some(id) => session.on_source(id, perform),
        None => perform(&mut session),
    };
    answered.map_err(|failure| {
        let field = (failure.kind == FailureKind::Usage).then(|| wrong_field(entry.info, &failure.error)).flatten();
        let mut problem = Problem::from(failure);
        problem.errors.extend(field);
        problem
    })?
}

/// The parameter that a usage failure is about: its text begins `operation: parameter: what`.
fn wrong_field(info: &OpInfo, error: &str) -> Option<FieldError> {
    let rest = error.strip_prefix(info.name)?.strip_prefix(": ")?;
    let param = info.params.iter().find(|param| rest.starts_with(&format!("{}: ", param.name)))?;
    let detail = rest[param.name.len() + 2..].lines().next().unwrap_or_default();
    Some(FieldError { field: param.name.into(), detail: detail.into() })
}

/// The table itself, for programs.
pub async fn operations() -> Response {
    let infos: Vec<Json> = ops::entries().map(|entry| serde_json::json!(entry.info)).collect();
    respond(Ok(Answer::of(infos)))
}
