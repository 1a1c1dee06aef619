//! Whole recordings out and in, lines of script: what is more than one operation's call.
//! It must not know how formats look.

use std::collections::HashMap;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value as Json, json};

use super::answer::{Answer, terms_wanted, with_terms};
use super::api::{SANDBOX, respond, sandbox_id};
use super::args::{self, Given};
use super::pages;
use super::problem::Problem;
use super::shared::Shared;
use crate::app::live::Live;
use crate::model::{Failure, Outcome, Syntax, limits};
use crate::script::api::{Block, shown, syntax_of, write_recording};
use crate::session::Fresh;

pub fn router() -> Router<Arc<Shared>> {
    let import = post(import).layer(DefaultBodyLimit::max(limits::SERVER_IMPORT_BYTES_MAX));
    Router::new()
        .route(&format!("{SANDBOX}/events"), get(pages::events))
        .route(&format!("{SANDBOX}/export"), get(export))
        .route(&format!("{SANDBOX}/cinema"), post(start))
        .route(&format!("{SANDBOX}/step"), post(super::api::step))
        .route("/api/v1/import", import)
        .route("/api/v1/eval", post(eval))
        .route("/api/v1/interrupt", post(interrupt))
}

/// `StartCinemaDebugger`: where to connect, and how the sandbox stands.
async fn start(State(shared): State<Arc<Shared>>, Path(path): Path<HashMap<String, String>>) -> Response {
    respond(answer_start(&shared, &path).await)
}

async fn answer_start(shared: &Shared, path: &HashMap<String, String>) -> Result<Answer, Problem> {
    let id = sandbox_id(path.get("sandbox").map_or("", String::as_str))?;
    let look = move |live: &mut Live| {
        live.session().borrow_mut().on_source(id, |session| {
            let source = session.source()?;
            Ok((json!(source.info(id, true)), json!(source.position())))
        })
    };
    let (info, position) = shared.desk.look(look).await?;
    Ok(Answer::of(json!({
        "sandbox": info,
        "position": position,
        "socket": "/socket/websocket?vsn=2.0.0",
        "topic": format!("cinema_debugger:{}", id.0),
    })))
}

async fn interrupt(State(shared): State<Arc<Shared>>) -> Response {
    if shared.is_read_only {
        let what = "interrupt would end what others run, and this server only shows the session";
        return Problem::forbidden("read_only", what).into_response();
    }
    shared.desk.interrupt();
    respond(Ok(Answer::default()))
}

/// `ExportDebugSession`: the recording as a file.
async fn export(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<HashMap<String, String>>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    match answer_export(&shared, &path, query).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answer_export(
    shared: &Shared,
    path: &HashMap<String, String>,
    query: Vec<(String, String)>,
) -> Result<Response, Problem> {
    let id = sandbox_id(path.get("sandbox").map_or("", String::as_str))?;
    let format = parameter(query, "format")?.unwrap_or_else(|| "cinema".to_string());
    let stage = shared.stage(id).await?;
    let glass = stage.glass().await?;
    let extension = match format.as_str() {
        "mermaid" => "mmd",
        "chrome" | "perfetto" => "json",
        other => other,
    };
    let title: String =
        glass.recording.info.title.chars().filter(|c| c.is_alphanumeric() || "-_.".contains(*c)).collect();
    let title = title.trim_end_matches(".cinema").trim_start_matches('.').to_string();
    let name = format!("{}.{extension}", if title.is_empty() { "session" } else { &title });
    let asked = format.clone();
    let bytes = tokio::task::spawn_blocking(move || -> Outcome<Vec<u8>> {
        let folder = Scratch::new()?;
        let file = folder.0.join("export");
        if format == "cinema" {
            glass.recording.save(&file)?;
        } else {
            write_recording(
                &glass.recording,
                &glass.line,
                glass.names(),
                &format,
                Fresh::at(&file)?,
                &AtomicBool::new(false),
            )?;
        }
        std::fs::read(&file).map_err(|error| Failure::io(format!("cannot read {}: {error}", file.display())))
    });
    let bytes =
        bytes.await.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", "the export failed"))??;
    let headers = [
        (header::CONTENT_TYPE, media_type(&asked).to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, bytes).into_response())
}

/// What a file of the format is, for who gets it.
pub fn media_type(format: &str) -> &'static str {
    match format {
        "csv" => "text/csv",
        "json" | "chrome" | "perfetto" => "application/json",
        "jsonl" => "application/x-ndjson",
        "mermaid" | "dot" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// The query's one parameter. Errors: it stands twice, or there is another.
fn parameter(query: Vec<(String, String)>, known: &str) -> Result<Option<String>, Problem> {
    args::once(&query)?;
    match query.into_iter().next() {
        Some((name, text)) if name == known => Ok(Some(text)),
        Some((name, _)) => Err(Problem::field(name, format!("no such parameter; known: {known}"))),
        None => Ok(None),
    }
}

/// A folder that is gone when this is dropped.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> Outcome<Scratch> {
        static N: AtomicU64 = AtomicU64::new(0);
        let n = N.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("cinema-{}-{n}", std::process::id()));
        let made = std::fs::create_dir(&folder);
        made.map_err(|error| Failure::io(format!("cannot make {}: {error}", folder.display())))?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind in a temporary folder is the system's to clean.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Opens a recording that comes as bytes: a `.cinema` file or a trace file.
async fn import(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<Vec<(String, String)>>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    respond(answer_import(&shared, query, body).await)
}

async fn answer_import(
    shared: &Shared,
    query: Vec<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Answer, Problem> {
    let body = body.map_err(|error| Problem::new(error.status(), "body", error.body_text()))?;
    if body.is_empty() {
        return Err(Problem::bad_request("the body is empty: a recording's bytes are expected"));
    }
    let name = parameter(query, "name")?.unwrap_or_else(|| "recording".to_string());
    let name: String =
        FilePath::new(&name).file_name().map_or("recording".into(), |name| name.to_string_lossy().into_owned());
    let folder = Scratch::new()?;
    let file = folder.0.join(&name);
    std::fs::write(&file, &body).map_err(|error| Failure::io(format!("cannot write {}: {error}", file.display())))?;
    let open = super::api::entry("open").expect("there is an operation that opens files");
    let path = file.to_string_lossy().into_owned();
    // A file that is mapped stays readable when its name is gone.
    let opened =
        super::api::perform(shared, None, open, Given(vec![("path".into(), Json::String(path.clone()))])).await;
    // Who sent it knows it by its name.
    opened.map_err(|mut problem| {
        problem.detail = problem.detail.replace(&path, &name);
        problem.hints.iter_mut().for_each(|hint| *hint = hint.replace(&path, &name));
        problem
    })
}

/// Evaluates a line of the shell, under the limits of sockets; the shell's variables are the same.
async fn eval(State(shared): State<Arc<Shared>>, body: Result<Bytes, BytesRejection>) -> Response {
    respond(answer_eval(&shared, body).await)
}

async fn answer_eval(shared: &Shared, body: Result<Bytes, BytesRejection>) -> Result<Answer, Problem> {
    let body = body.map_err(|error| Problem::new(error.status(), "body", error.body_text()))?;
    let mut given = Given::of_body(&body)?;
    let Some(Json::String(line)) = given.take("line") else {
        return Err(Problem::field("line", "expected text"));
    };
    let terms = match given.take("terms") {
        None => None,
        Some(Json::String(form)) => terms_wanted(&form)?,
        Some(_) => return Err(Problem::field("terms", "expected text")),
    };
    if shared.is_read_only {
        return Err(Problem::forbidden(
            "read_only",
            "a line of script could change the session, and this server only shows it",
        ));
    }
    let answer = shared.desk.ask(move |live| live.eval_line(&line, terms)).await;
    shared.changed();
    Ok(answer?)
}

impl Live {
    /// Evaluates a line as the shell does; what it shows comes as tables and text, terms in tables as text when a
    /// syntax is wanted.
    fn eval_line(&mut self, line: &str, terms: Option<Syntax>) -> Outcome<Answer> {
        use crate::app::commands::{self, Command};
        use crate::app::host::Host;
        use crate::script::ScriptEnd;
        if let Command::Help(topic) = commands::read(line) {
            let text = commands::help(topic, &self.names())?;
            return Ok(Answer::of(vec![json!({ "text": text })]));
        }
        self.is_foreign.set(true);
        let value = self.console().shell.eval_foreign(line, limits::SERVER_SCRIPT_OPERATIONS_MAX);
        self.is_foreign.set(false);
        let value = match value {
            Ok(value) => value,
            Err(ScriptEnd::Failed(failure)) => return Err(failure),
            Err(ScriptEnd::Exited(_)) => return Err(Failure::usage("exit() does not end a server")),
        };
        let syntax = terms.unwrap_or_else(|| syntax_of(self.session().borrow().source().ok()));
        let shown = shown(&value, syntax, limits::SHOWN_ROWS);
        let block = |block: &Block| match block {
            Block::Text(text) => json!({ "text": text }),
            Block::Table(table) => json!({ "table": with_terms(table, terms).to_json() }),
            Block::Tree(tree) => json!({ "table": with_terms(&tree.table(), terms).to_json() }),
        };
        Ok(Answer::of(shown.blocks.iter().map(block).collect::<Vec<_>>()))
    }
}
