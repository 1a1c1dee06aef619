//! Pictures as values: charts of the current source, written by `svg(picture, path)`. Each has a
//! table twin, which is what it prints. It must not know how a picture is drawn.

use std::path::Path;
use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration};

use super::operations::Api;
use super::record::{Block, Record};
use super::rows::Rows;
use super::values::{NoClosures, from_dynamic};
use crate::analysis::{flow, latency, process, tree};
use crate::model::{Actor, Failure, Moment, Outcome, Seq, limits};
use crate::render::svg::{self, SvgOptions};
use crate::script::error::raise;
use crate::script::event::EventHandle;
use crate::session::Fresh;
use crate::session::value::{Param, ProcessRef, Span, Value};
use crate::view::build::{self, SpacetimeQuery};
use crate::view::{Table, Unit};

/// A drawn picture with its table twin.
#[derive(Clone)]
pub struct Picture {
    svg: Rc<str>,
    table: Rc<Table>,
}

impl Picture {
    fn new(svg: String, table: Table) -> Picture {
        Picture { svg: svg.into(), table: Rc::new(table) }
    }
    /// The table twin, with the word on how to see the picture itself.
    pub fn blocks(&self) -> Vec<Block> {
        let table = (*self.table).clone().note("the picture itself: svg(it, \"picture.svg\")");
        vec![Block::Table(table)]
    }
    /// Writes the file. Errors: the system's.
    fn write(&self, file: Fresh) -> Outcome<String> {
        let written = format!("wrote {} ({} KiB)", file.name().display(), self.svg.len().div_ceil(1024));
        super::files::write_text(file, &self.svg)?;
        Ok(written)
    }
}

/// Points of one line of a chart.
const POINTS_MAX: usize = 1_000;

impl Api {
    fn value(&self, arg: Option<&Dynamic>) -> Outcome<Value> {
        arg.map_or(Ok(Value::Unit), |arg| from_dynamic(arg, &NoClosures))
    }
    fn moment(&self, arg: Option<&Dynamic>) -> Outcome<Option<Moment>> {
        arg.map(|arg| Moment::from_value(self.value(Some(arg))?).map_err(Failure::usage)).transpose()
    }
    fn span(&self, arg: Option<&Dynamic>) -> Outcome<Option<Span>> {
        Option::<Span>::from_value(self.value(arg)?).map_err(Failure::usage)
    }

    /// The space-time diagram of a range, with some events in focus.
    fn spacetime(&self, title: &str, range: Option<Span>, focus: Vec<Seq>) -> Outcome<Picture> {
        let session = self.borrow()?;
        let source = session.source()?;
        let recording = source.recording();
        let is_focus = !focus.is_empty();
        let query = SpacetimeQuery {
            title: title.to_string(),
            ranges: source.scope_of(range.as_ref())?,
            cursor: if is_focus {
                None
            } else {
                source.timeline().at().filter(|_| !source.timeline().is_at_end(&recording))
            },
            focus,
            ..SpacetimeQuery::default()
        };
        let view = build::spacetime(&recording, &query);
        Ok(Picture::new(svg::spacetime(&view, &SvgOptions::default()), view.table()))
    }

    fn tree(&self, arg: Option<&Dynamic>) -> Outcome<Picture> {
        let moment = self.moment(arg)?;
        let session = self.borrow()?;
        let source = session.source()?;
        let at = source.resolve_known(moment.as_ref())?;
        let recording = source.recording();
        let tree = tree::tree(&recording, at, true);
        let pairs = flow::pairs(&recording, &source.scope());
        let view = build::tree_arcs(&tree, &pairs, super::show::syntax_of(Some(source)));
        Ok(Picture::new(svg::tree_arcs(&view, &SvgOptions::default()), view.table()))
    }

    fn matrix(&self, arg: Option<&Dynamic>) -> Outcome<Picture> {
        let range = self.span(arg)?;
        let session = self.borrow()?;
        let source = session.source()?;
        let recording = source.recording();
        let scope = source.scope_of(range.as_ref())?;
        let at = scope.last().map_or(Seq(0), |range| Seq(range.end - 1));
        let syntax = super::show::syntax_of(Some(source));
        let view = build::matrix(&tree::tree(&recording, at, true), &flow::pairs(&recording, &scope), syntax);
        Ok(Picture::new(svg::matrix(&view, &SvgOptions::default()), view.table()))
    }

    fn latency(&self, arg: Option<&Dynamic>, is_cdf: bool) -> Outcome<Picture> {
        let range = self.span(arg)?;
        let session = self.borrow()?;
        let source = session.source()?;
        let calls = latency::calls(&source.recording(), &source.scope_of(range.as_ref())?);
        let view = if is_cdf { build::latency_cdf(&calls) } else { build::latency_histogram(&calls) };
        let view =
            view.ok_or_else(|| Failure::not_found("no call is over in this range: nothing to draw").hint("calls()"))?;
        Ok(Picture::new(svg::chart(&view, &SvgOptions::default()), view.table()))
    }

    fn series(&self, arg: Option<&Dynamic>, what: Quantity) -> Outcome<Picture> {
        let wanted = match self.value(arg)? {
            Value::Unit => Vec::new(),
            Value::List(items) => items,
            one => vec![one],
        };
        let session = self.borrow()?;
        let source = session.source()?;
        let find = |value| source.find_process(&ProcessRef::from_value(value).map_err(Failure::usage)?, None);
        let actors: Vec<Actor> = wanted.into_iter().map(find).collect::<Outcome<_>>()?;
        let (recording, scope) = (source.recording(), source.scope());
        let (title, label, unit, series) = match what {
            Quantity::Queue => (
                "Messages waiting",
                "queue",
                Unit::Count,
                process::queue_series(&recording, &scope, &actors, POINTS_MAX),
            ),
            Quantity::Memory => {
                ("Memory", "memory", Unit::Bytes, process::memory_series(&recording, &scope, &actors, POINTS_MAX))
            }
            Quantity::Reductions => (
                "Reductions so far",
                "reductions",
                Unit::Count,
                process::reductions_series(&recording, &scope, &actors, POINTS_MAX),
            ),
        };
        if series.iter().all(|one| one.points.is_empty()) {
            return Err(Failure::not_found(format!("no {label} is recorded: nothing to draw")));
        }
        let view = build::series_chart(title, label, unit, &series, start_ns(&recording));
        Ok(Picture::new(svg::chart(&view, &SvgOptions::default()), view.table()))
    }

    /// The picture of any value that has one.
    fn picture_of(&self, value: &Dynamic) -> Outcome<Picture> {
        if let Some(picture) = value.read_lock::<Picture>() {
            return Ok(picture.clone());
        }
        let focus = if let Some(record) = value.read_lock::<Record>() {
            record.focus().to_vec()
        } else if let Some(rows) = value.read_lock::<Rows>() {
            rows.seqs()
        } else if let Some(event) = value.read_lock::<EventHandle>() {
            self.chain_of(event.event.seq)?
        } else {
            Vec::new()
        };
        if focus.is_empty() {
            return Err(Failure::usage(format!("a value of type {} has no picture", value.type_name()))
                .hint("pictures are made by timeline_chart(), why(e), tree_chart(), matrix_chart(), latency_chart(), queue_chart()"));
        }
        let mut focus: Vec<Seq> = focus.into_iter().take(limits::PICTURE_MARKS_MAX).collect();
        focus.sort_unstable();
        focus.dedup();
        self.spacetime("Message flow, events in focus", None, focus)
    }

    fn chain_of(&self, seq: Seq) -> Outcome<Vec<Seq>> {
        let session = self.borrow()?;
        let source = session.source()?;
        Ok(crate::analysis::causality::chain(&source.recording(), &source.scope(), seq, limits::PICTURE_MARKS_MAX)
            .seqs())
    }
}

fn start_ns(recording: &crate::store::Recording) -> i64 {
    recording.time_range_ns().map_or(0, |(first_ns, _)| first_ns)
}

#[derive(Clone, Copy)]
enum Quantity {
    Queue,
    Memory,
    Reductions,
}

type Draw = fn(&Api, Option<&Dynamic>) -> Outcome<Picture>;

/// Name, parameter, documentation and maker of each chart. All take at most one argument.
const CHARTS: &[(&str, &str, &str, Draw)] = &[
    (
        "timeline_chart",
        "range",
        "/// The space-time diagram: a lane per process in tree order, an arrow per message, a bar per callback.",
        |api, arg| api.spacetime("Message flow", api.span(arg)?, Vec::new()),
    ),
    (
        "focus_chart",
        "event",
        "/// The space-time diagram with the causal chain of one event at full ink, the rest faint.",
        |api, arg| {
            let moment = api.moment(arg)?;
            let seq = api.borrow()?.source()?.resolve_event(moment.as_ref())?;
            api.spacetime("Message flow, one event in focus", None, api.chain_of(seq)?)
        },
    ),
    (
        "tree_chart",
        "moment",
        "/// The supervision tree with message arcs, as wide as the number of messages.",
        Api::tree,
    ),
    ("matrix_chart", "range", "/// Who talks to whom, as a matrix of message counts.", Api::matrix),
    ("latency_chart", "range", "/// How long calls took, as a histogram.", |api, arg| api.latency(arg, false)),
    ("cdf_chart", "range", "/// The share of calls that took at most so long.", |api, arg| api.latency(arg, true)),
    (
        "queue_chart",
        "processes",
        "/// Messages waiting over time; of the busiest processes when none is named.",
        |api, arg| api.series(arg, Quantity::Queue),
    ),
    ("memory_chart", "processes", "/// Memory over time; estimated on a sim.", |api, arg| {
        api.series(arg, Quantity::Memory)
    }),
    ("reductions_chart", "processes", "/// Reductions over time.", |api, arg| api.series(arg, Quantity::Reductions)),
];

/// Errors: the name says that the file is another kind of picture.
fn check_svg(path: &str) -> Outcome<()> {
    let path = Path::new(path);
    let others = ["png", "jpg", "jpeg", "gif", "webp", "pdf"];
    match path.extension().is_some_and(|extension| others.iter().any(|other| extension.eq_ignore_ascii_case(other))) {
        true => Err(Failure::usage(format!("{}: what is written is an SVG", path.display())).hint(format!(
            "{}, and a browser or rsvg-convert makes something else of it",
            path.with_extension("svg").display()
        ))),
        false => Ok(()),
    }
}

/// Registers the charts and `svg`.
pub fn register(engine: &mut Engine, api: &Rc<Api>) {
    engine.register_type_with_name::<Picture>("picture");
    for (name, param, doc, draw) in CHARTS {
        let shared = api.clone();
        FuncRegistration::new(*name)
            .with_params_info(["picture"])
            .with_comments([doc])
            .register_into_engine(engine, move || draw(&shared, None).map_err(raise));
        let shared = api.clone();
        FuncRegistration::new(*name)
            .with_params_info([param, &"picture"])
            .with_comments([doc])
            .register_into_engine(engine, move |arg: Dynamic| draw(&shared, Some(&arg)).map_err(raise));
    }
    let shared = api.clone();
    FuncRegistration::new("svg")
        .with_params_info(["value: any", "path: text", "record"])
        .with_comments([
            "/// Writes the picture of a chart, an explanation, an event or rows of events as an SVG file.",
        ])
        .register_into_engine(engine, move |value: Dynamic, path: &str| -> Result<Record, Box<EvalAltResult>> {
            let text = shared.picture_of(&value).and_then(|picture| {
                check_svg(path)?;
                picture.write(shared.export_file(path)?)
            });
            Ok(Record::said(text.map_err(raise)?))
        });
}
