//! Events by pages, whole recordings out and in, lines of script: what is more than one operation's call.
//! It must not know how formats look.

use std::collections::HashMap;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value as Json, json};

use super::answer::{Answer, of_table};
use super::api::{SANDBOX, respond, sandbox_id};
use super::args::Given;
use super::problem::Problem;
use super::shared::Shared;
use crate::app::live::Live;
use crate::breakpoint::{Condition, Search};
use crate::export;
use crate::model::{Atom, Class, Failure, Filter, Kind, Moment, Outcome, Seq, Style, Syntax, limits};
use crate::script::api::{Block, shown, syntax_of, write_recording};
use crate::session::value::{Param, ProcessRef};
use crate::session::{Session, SourceId};
use crate::view::{Table, tables};

/// Rows of a page when nothing else is asked for.
const PAGE_ROWS: usize = 100;
/// How long a search for text or by a script goes on before it answers with what it has.
const SEARCH_MAX: Duration = Duration::from_millis(1_500);
/// Events between two looks at the clock.
const SEARCH_STRETCH: u64 = 65_536;

pub fn router() -> Router<Arc<Shared>> {
    let import = post(import).layer(DefaultBodyLimit::max(limits::SERVER_IMPORT_BYTES_MAX));
    Router::new()
        .route(&format!("{SANDBOX}/events"), get(events))
        .route(&format!("{SANDBOX}/export"), get(export))
        .route(&format!("{SANDBOX}/cinema"), post(start))
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
    shared.desk.interrupt();
    respond(Ok(Answer::default()))
}

/// Which events, and how many at a time.
#[derive(Clone, Debug, Default)]
struct Page {
    filter: Filter,
    /// A script `|e| ..`.
    condition: Option<String>,
    /// Text that stands in the event's words or payload.
    text: Option<String>,
    range: Option<(Moment, Moment)>,
    processes: Vec<String>,
    /// Only events after, or before, this one.
    after: Option<u64>,
    before: Option<u64>,
    n_rows: usize,
}

impl Page {
    fn read(query: Vec<(String, String)>) -> Result<Page, Problem> {
        let mut page = Page { n_rows: PAGE_ROWS, ..Page::default() };
        let (mut from, mut to) = (None, None);
        let number = |name: &str, text: &str| {
            text.parse::<u64>().map_err(|_| Problem::field(name, format!("expected a number, got {text:?}")))
        };
        for (name, text) in query.into_iter().filter(|(_, text)| !text.is_empty()) {
            let moment = |text: &str| Moment::parse(text).map_err(|failure| Problem::field(&name, failure.error));
            let items = || text.split(',').map(str::trim);
            match name.as_str() {
                "kind" => {
                    let kind = |text: &str| {
                        Kind::from_name(text).ok_or_else(|| unknown("kind", text, Kind::ALL.iter().map(|k| k.as_str())))
                    };
                    page.filter.kinds = items().map(kind).collect::<Result<_, _>>()?;
                }
                "class" => {
                    let class = |text: &str| {
                        Class::from_name(text)
                            .ok_or_else(|| unknown("class", text, Class::ALL.iter().map(|c| c.as_str())))
                    };
                    page.filter.classes = items().map(class).collect::<Result<_, _>>()?;
                }
                "tag" => {
                    let tag =
                        |text: &str| Atom::try_new(text).map_err(|error| Problem::field("tag", error.to_string()));
                    page.filter.tags = items().map(tag).collect::<Result<_, _>>()?;
                }
                "process" => page.processes = items().map(str::to_string).collect(),
                "where" => page.condition = Some(text),
                "q" => page.text = Some(text.to_lowercase()),
                "from" => from = Some(moment(&text)?),
                "to" => to = Some(moment(&text)?),
                "after" => page.after = Some(number("after", &text)?),
                "before" => page.before = Some(number("before", &text)?),
                "limit" => page.n_rows = (number("limit", &text)? as usize).clamp(1, limits::SERVER_ROWS_MAX),
                "format" => {}
                _ => {
                    return Err(Problem::field(
                        name,
                        "no such parameter; known: kind, class, tag, process, where, q, from, to, after, before, limit, format",
                    ));
                }
            }
        }
        if from.is_some() || to.is_some() {
            page.range = Some((from.unwrap_or(Moment::Start), to.unwrap_or(Moment::End)));
        }
        Ok(page)
    }
}

fn unknown<'a>(field: &str, text: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    Problem::field(field, format!("no {field} {text:?}; known: {}", known.collect::<Vec<_>>().join(", ")))
}

async fn events(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<HashMap<String, String>>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    let format = query.iter().find(|(name, _)| name == "format").map_or("json".to_string(), |(_, text)| text.clone());
    match page(&shared, &path, query).await {
        Ok((table, syntax, meta)) => match format.as_str() {
            "json" => {
                let mut answer = of_table(&table);
                answer.meta.extend(meta.as_object().cloned().unwrap_or_default());
                respond(Ok(answer))
            }
            "ndjson" => ([(header::CONTENT_TYPE, "application/x-ndjson")], export::jsonl(&table)).into_response(),
            "csv" => ([(header::CONTENT_TYPE, "text/csv")], export::csv(&table, syntax)).into_response(),
            other => unknown("format", other, ["json", "ndjson", "csv"].into_iter()).into_response(),
        },
        Err(problem) => problem.into_response(),
    }
}

async fn page(
    shared: &Shared,
    path: &HashMap<String, String>,
    query: Vec<(String, String)>,
) -> Result<(Table, Syntax, Json), Problem> {
    let id = sandbox_id(path.get("sandbox").map_or("", String::as_str))?;
    let page = Page::read(query)?;
    shared.desk.look(move |live| Ok(find(live, id, page))).await?
}

/// Finds the page on the session's thread: scripts live there.
fn find(live: &mut Live, id: SourceId, mut page: Page) -> Result<(Table, Syntax, Json), Problem> {
    let condition = match &page.condition {
        Some(text) => {
            let value = live.console().argument(text, limits::SERVER_SCRIPT_OPERATIONS_MAX)?;
            Some(Condition::from_value(value).map_err(|what| Problem::field("where", what))?)
        }
        None => None,
    };
    let mut session = live.session().borrow_mut();
    let found = session.on_source(id, |session| {
        let source = session.source()?;
        for name in &page.processes {
            page.filter.involved.push(source.find_process(&ProcessRef::Named(name.clone()), None)?);
        }
        let span = page.range.take().map(|(from, to)| crate::session::value::Span { from, to });
        let ranges = source.scope_of(span.as_ref())?;
        let (seqs, next) = search(session, &page, condition.as_ref(), &ranges)?;
        let recording = source.recording();
        let mut table = tables::events(&recording, &source.names(), &seqs);
        add_processes(&mut table, &recording, &seqs);
        Ok((table, syntax_of(Some(source)), json!({ "next": next })))
    });
    found.map_err(Problem::from)
}

/// The pids beside the names: names are for people, pids for the next question.
fn add_processes(table: &mut Table, recording: &crate::store::Recording, seqs: &[Seq]) {
    use crate::view::{Cell, Column};
    for (name, of) in [("pid", 0), ("peer_pid", 1), ("cause", 2)] {
        table.columns.push(Column { name: name.into(), is_right_aligned: false });
        for (row, seq) in table.rows.iter_mut().zip(seqs) {
            let event = recording.event(*seq);
            row.push(match of {
                0 => event.map_or(Cell::Empty, |event| Cell::Text(event.process.to_string())),
                1 => event.and_then(|event| event.peer).map_or(Cell::Empty, |peer| Cell::Text(peer.to_string())),
                _ => event.and_then(|event| event.cause).map_or(Cell::Empty, Cell::Seq),
            });
        }
    }
}

/// A page of seqs, and the seq after which the next page begins, if there may be one.
fn search(
    session: &Session,
    page: &Page,
    condition: Option<&Condition>,
    ranges: &[std::ops::Range<u64>],
) -> Outcome<(Vec<Seq>, Option<u64>)> {
    let source = session.source()?;
    let recording = source.recording();
    let search = condition.map(|condition| Search::new(&recording, source.position().branch, condition));
    let is_back = page.before.is_some();
    let started = Instant::now();
    let mut seqs = Vec::new();
    let mut stretches: Vec<std::ops::Range<u64>> = Vec::new();
    for range in ranges {
        let range =
            range.start.max(page.after.map_or(0, |seq| seq + 1))..range.end.min(page.before.unwrap_or(u64::MAX));
        let mut at = range.start;
        while at < range.end {
            let to = (at + SEARCH_STRETCH).min(range.end);
            stretches.push(at..to);
            at = to;
        }
    }
    if is_back {
        stretches.reverse();
    }
    for stretch in &stretches {
        if started.elapsed() > SEARCH_MAX || session.is_interrupted() {
            let next = if is_back { stretch.end } else { stretch.start.saturating_sub(1) };
            return Ok((in_order(seqs, is_back), Some(next)));
        }
        let filter = Filter { ranges: vec![stretch.clone()], ..page.filter.clone() };
        let passes = |event: &crate::model::Event| {
            page.text.as_ref().is_none_or(|text| has_text(source, &recording, event, text))
        };
        let candidates: Vec<crate::model::Event> = match &search {
            Some(search) => {
                let hits = search.all(std::slice::from_ref(stretch), SEARCH_STRETCH as usize)?;
                hits.into_iter().filter(|event| filter.matches(event) && passes(event)).collect()
            }
            None if is_back => recording.scan(&filter).rev().filter(passes).take(page.n_rows - seqs.len()).collect(),
            None => recording.scan(&filter).filter(passes).take(page.n_rows - seqs.len()).collect(),
        };
        let ordered: Box<dyn Iterator<Item = &crate::model::Event>> =
            if is_back && search.is_some() { Box::new(candidates.iter().rev()) } else { Box::new(candidates.iter()) };
        seqs.extend(ordered.map(|event| event.seq));
        if seqs.len() >= page.n_rows {
            seqs.truncate(page.n_rows);
            let next = seqs.last().map(|seq| seq.0);
            return Ok((in_order(seqs, is_back), next));
        }
    }
    Ok((in_order(seqs, is_back), None))
}

fn in_order(mut seqs: Vec<Seq>, is_back: bool) -> Vec<Seq> {
    if is_back {
        seqs.reverse();
    }
    seqs
}

fn has_text(
    source: &crate::session::Source,
    recording: &crate::store::Recording,
    event: &crate::model::Event,
    text: &str,
) -> bool {
    let has = |words: &str| words.to_lowercase().contains(text);
    has(event.kind.as_str())
        || event.tag.is_some_and(|tag| has(tag.as_str()))
        || has(&event.process.to_string())
        || recording
            .term(event.seq)
            .is_some_and(|term| has(&term.display(Style::cell(syntax_of(Some(source))).chars_max(2_000)).to_string()))
}

/// `ExportDebugSession`: the recording as a file.
async fn export(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<HashMap<String, String>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    match answer_export(&shared, &path, &query).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answer_export(
    shared: &Shared,
    path: &HashMap<String, String>,
    query: &HashMap<String, String>,
) -> Result<Response, Problem> {
    let id = sandbox_id(path.get("sandbox").map_or("", String::as_str))?;
    let format = query.get("format").map_or("cinema", String::as_str).to_string();
    let stage = shared.stage(id);
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
    let bytes = tokio::task::spawn_blocking(move || -> Outcome<Vec<u8>> {
        let folder = Scratch::new()?;
        let file = folder.0.join("export");
        if format == "cinema" {
            glass.recording.save(&file)?;
        } else {
            write_recording(&glass.recording, &glass.line, glass.names(), &format, &file)?;
        }
        std::fs::read(&file).map_err(|error| Failure::io(format!("cannot read {}: {error}", file.display())))
    });
    let bytes =
        bytes.await.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", "the export failed"))??;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, bytes).into_response())
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
    Query(query): Query<HashMap<String, String>>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    respond(answer_import(&shared, &query, body).await)
}

async fn answer_import(
    shared: &Shared,
    query: &HashMap<String, String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Answer, Problem> {
    let body = body.map_err(|error| Problem::new(error.status(), "body", error.body_text()))?;
    if body.is_empty() {
        return Err(Problem::bad_request("the body is empty: a recording's bytes are expected"));
    }
    let name = query.get("name").map_or("recording", String::as_str);
    let name: String =
        FilePath::new(name).file_name().map_or("recording".into(), |name| name.to_string_lossy().into_owned());
    let folder = Scratch::new()?;
    let file = folder.0.join(name);
    std::fs::write(&file, &body).map_err(|error| Failure::io(format!("cannot write {}: {error}", file.display())))?;
    let open = super::api::entry("open").expect("there is an operation that opens files");
    let path = file.to_string_lossy().into_owned();
    // A file that is mapped stays readable when its name is gone.
    super::api::perform(shared, None, open, Given(vec![("path".into(), Json::String(path))])).await
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
    if shared.is_read_only {
        return Err(Problem::forbidden(
            "read_only",
            "a line of script could change the session, and this server only shows it",
        ));
    }
    let answer = shared.desk.ask(move |live| live.eval_line(&line)).await;
    shared.changed();
    Ok(answer?)
}

impl Live {
    /// Evaluates a line as the shell does; what it shows comes as tables and text.
    fn eval_line(&mut self, line: &str) -> Outcome<Answer> {
        use crate::script::ScriptEnd;
        let value = match self.console().shell.eval_within(line, limits::SERVER_SCRIPT_OPERATIONS_MAX) {
            Ok(value) => value,
            Err(ScriptEnd::Failed(failure)) => return Err(failure),
            Err(ScriptEnd::Exited(_)) => return Err(Failure::usage("exit() does not end a server")),
        };
        let syntax = syntax_of(self.session().borrow().source().ok());
        let shown = shown(&value, syntax, limits::SHOWN_ROWS);
        let block = |block: &Block| match block {
            Block::Text(text) => json!({ "text": text }),
            Block::Table(table) => json!({ "table": of_table(table).to_json() }),
            Block::Tree(tree) => json!({ "table": of_table(&tree.table()).to_json() }),
        };
        Ok(Answer::of(shown.blocks.iter().map(block).collect::<Vec<_>>()))
    }
}
