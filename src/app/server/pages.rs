//! Events by pages: filters by columns, text and scripts, with a cursor. It must not know how rows are written.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::answer::{Answer, of_table, terms_wanted, with_terms};
use super::api::{respond, sandbox_id};
use super::args;
use super::problem::Problem;
use super::shared::Shared;
use crate::app::live::Live;
use crate::breakpoint::{Condition, Search};
use crate::export;
use crate::model::{Atom, Class, Event, Filter, Kind, Moment, Outcome, Seq, Style, Syntax, limits};
use crate::script::api::{Reach, syntax_of};
use crate::session::value::{Param, ProcessRef, Span};
use crate::session::{Session, Source, SourceId};
use crate::store::Recording;
use crate::view::{Table, tables};

/// Rows of a page when nothing else is asked for.
const PAGE_ROWS: usize = 100;
/// How long a search for text or by a script goes on before it answers with what it has.
const SEARCH_MAX: Duration = Duration::from_millis(1_500);
/// Events between two looks at the clock.
const SEARCH_STRETCH: u64 = 65_536;

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
            text.parse::<u64>().map_err(|_| Problem::field(name, format!("expected a number from 0 on, got {text:?}")))
        };
        args::once(query.iter().filter(|(name, _)| !LISTS.contains(&name.as_str())))?;
        for (name, text) in query.into_iter().filter(|(_, text)| !text.is_empty()) {
            let moment = |text: &str| match text.parse() {
                Ok(seq) => Ok(Moment::Seq(Seq(seq))),
                Err(_) => Moment::parse(text).map_err(|failure| Problem::field(&name, failure.to_string())),
            };
            let items = || items(&text).into_iter();
            match name.as_str() {
                "kind" => {
                    let kind = |text: String| {
                        Kind::from_name(&text)
                            .ok_or_else(|| unknown("kind", &text, Kind::ALL.iter().map(|k| k.as_str())))
                    };
                    for item in items() {
                        page.filter.kinds.push(kind(item)?);
                    }
                }
                "class" => {
                    let class = |text: String| {
                        Class::from_name(&text)
                            .ok_or_else(|| unknown("class", &text, Class::ALL.iter().map(|c| c.as_str())))
                    };
                    for item in items() {
                        page.filter.classes.push(class(item)?);
                    }
                }
                "tag" => {
                    let tag =
                        |text: String| Atom::try_new(&text).map_err(|error| Problem::field("tag", error.to_string()));
                    for item in items() {
                        page.filter.tags.push(tag(item)?);
                    }
                }
                "process" => page.processes.extend(items()),
                "where" => page.condition = Some(text),
                "q" => page.text = Some(text.to_lowercase()),
                "from" => from = Some(moment(&text)?),
                "to" => to = Some(moment(&text)?),
                "after" => page.after = Some(number("after", &text)?),
                "before" => page.before = Some(number("before", &text)?),
                "limit" => page.n_rows = rows(number("limit", &text)?)?,
                "format" | "terms" => {}
                _ => {
                    return Err(Problem::field(
                        name,
                        "no such parameter; known: kind, class, tag, process, where, q, from, to, after, before, limit, format, terms",
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

/// Parameters that are lists: given again, they add to it.
const LISTS: [&str; 4] = ["kind", "class", "tag", "process"];

/// The items of a list with commas between; one in double quotes may have commas in it.
fn items(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut is_quoted = false;
    for c in text.chars() {
        match (c, items.last_mut()) {
            ('"', _) => is_quoted = !is_quoted,
            (',', _) if !is_quoted => items.push(String::new()),
            (c, Some(item)) => item.push(c),
            _ => {}
        }
    }
    items.into_iter().map(|item| item.trim().to_string()).collect()
}

fn rows(n: u64) -> Result<usize, Problem> {
    let n_rows = usize::try_from(n).ok().filter(|n| (1..=limits::SERVER_ROWS_MAX).contains(n));
    n_rows.ok_or_else(|| {
        let max = limits::SERVER_ROWS_MAX;
        Problem::field("limit", format!("expected 1 to {max} rows of a page, got {n}")).hint("meta.next leads on")
    })
}

fn unknown<'a>(field: &str, text: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    Problem::field(field, format!("no {field} {text:?}; known: {}", known.collect::<Vec<_>>().join(", ")))
}

/// `GET .../events`: every format names the next page in a `Link` header, JSON in `meta.next`, too.
pub async fn events(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<HashMap<String, String>>,
    Query(query): Query<Vec<(String, String)>>,
    uri: Uri,
) -> Response {
    let format = query.iter().find(|(name, _)| name == "format").map_or("json".to_string(), |(_, text)| text.clone());
    let is_back = query.iter().any(|(name, text)| name == "before" && !text.is_empty());
    let terms = query.iter().find(|(name, _)| name == "terms").map_or("", |(_, text)| text);
    let terms = match terms_wanted(terms) {
        Ok(terms) => terms,
        Err(problem) => return problem.into_response(),
    };
    let (table, syntax, next) = match page(&shared, &path, query).await {
        Ok(found) => found,
        Err(problem) => return problem.into_response(),
    };
    let mut response = match format.as_str() {
        "json" => respond(Ok(with_terms(&table, terms).meta("next", json!(next)))),
        "ndjson" => ([(header::CONTENT_TYPE, "application/x-ndjson")], export::jsonl(&table)).into_response(),
        "csv" => ([(header::CONTENT_TYPE, "text/csv")], export::csv(&table, syntax)).into_response(),
        other => return unknown("format", other, ["json", "ndjson", "csv"].into_iter()).into_response(),
    };
    if let Some(next) = next {
        let cursor = if is_back { "before" } else { "after" };
        let kept =
            uri.query().unwrap_or_default().split('&').filter(|part| !part.is_empty() && !part.starts_with(cursor));
        let query: Vec<String> = kept.map(str::to_string).chain([format!("{cursor}={next}")]).collect();
        if let Ok(link) = HeaderValue::try_from(format!("<{}?{}>; rel=\"next\"", uri.path(), query.join("&"))) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    response
}

async fn page(
    shared: &Shared,
    path: &HashMap<String, String>,
    query: Vec<(String, String)>,
) -> Result<(Table, Syntax, Option<u64>), Problem> {
    let id = sandbox_id(path.get("sandbox").map_or("", String::as_str))?;
    let page = Page::read(query)?;
    shared.desk.look(move |live| Ok(find(live, id, page))).await?
}

/// A page of the current sandbox's events, on the session's thread: `query` is that of the route.
pub fn of_current(live: &mut Live, query: Vec<(String, String)>) -> Result<Answer, Problem> {
    let page = Page::read(query)?;
    let current = live.session().borrow().current();
    let id = current.ok_or_else(|| Problem::not_found("nothing is open yet"))?;
    let (table, _, next) = find(live, id, page)?;
    Ok(of_table(&table).meta("next", json!(next)))
}

/// Finds the page on the session's thread: scripts live there.
fn find(live: &mut Live, id: SourceId, mut page: Page) -> Result<(Table, Syntax, Option<u64>), Problem> {
    let condition = match &page.condition {
        Some(text) => {
            let value = live.argument("where", text, Reach::Values)?;
            Some(Condition::from_value(value).map_err(|what| Problem::field("where", what))?)
        }
        None => None,
    };
    let mut session = live.session().borrow_mut();
    let found = session.on_source(id, |session| {
        let source = session.source()?;
        for name in &page.processes {
            page.filter.involved.extend(source.find_processes(&ProcessRef::Named(name.clone()))?);
        }
        let span = page.range.take().map(|(from, to)| Span { from, to });
        let ranges = source.scope_of(span.as_ref())?;
        let (seqs, next) = search(session, &page, condition.as_ref(), &ranges)?;
        let recording = source.recording();
        let mut table = tables::events(&recording, &source.names(), &seqs);
        add_processes(&mut table, &recording, &seqs);
        Ok((table, syntax_of(Some(source)), next))
    });
    found.map_err(Problem::from)
}

/// The pids beside the names: names are for people, pids for the next question.
fn add_processes(table: &mut Table, recording: &Recording, seqs: &[Seq]) {
    use crate::view::{Cell, Column};
    for (name, of) in [("pid", 0), ("peer_pid", 1), ("cause", 2)] {
        table.columns.push(Column { name: name.into(), is_right_aligned: false, is_minor: false });
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
    ranges: &[Range<u64>],
) -> Outcome<(Vec<Seq>, Option<u64>)> {
    let source = session.source()?;
    let recording = source.recording();
    let search = condition.map(|condition| Search::new(&recording, source.position().branch, condition));
    let is_back = page.before.is_some();
    let started = Instant::now();
    let mut seqs = Vec::new();
    let mut stretches: Vec<Range<u64>> = Vec::new();
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
        let passes = |event: &Event| page.text.as_ref().is_none_or(|text| has_text(source, &recording, event, text));
        let candidates: Vec<Event> = match &search {
            Some(search) => {
                let hits = search.all(std::slice::from_ref(stretch), SEARCH_STRETCH as usize)?;
                hits.into_iter().filter(|event| filter.matches(event) && passes(event)).collect()
            }
            None if is_back => recording.scan(&filter).rev().filter(passes).take(page.n_rows - seqs.len()).collect(),
            None => recording.scan(&filter).filter(passes).take(page.n_rows - seqs.len()).collect(),
        };
        let ordered: Box<dyn Iterator<Item = &Event>> =
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

fn has_text(source: &Source, recording: &Recording, event: &Event, text: &str) -> bool {
    let has = |words: &str| words.to_lowercase().contains(text);
    has(event.kind.as_str())
        || event.tag.is_some_and(|tag| has(tag.as_str()))
        || has(&event.process.to_string())
        || recording
            .term(event.seq)
            .is_some_and(|term| has(&term.display(Style::cell(syntax_of(Some(source))).chars_max(2_000)).to_string()))
}
