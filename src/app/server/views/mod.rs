//! What the page draws: bounded, aggregated views of a glass as JSON. Positions on the axis are shares from 0 to 1,
//! events are their seqs, processes their pids as text. It must not know the page.
//!
//! No answer holds more than [`limits::PICTURE_MARKS_MAX`] marks: what is denser comes as counts per lane and bin.

mod graph;
mod inspect;
mod overview;
mod parts;
mod range;
mod window;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::routing::get;
use serde_json::{Value as Json, json};

use super::answer::Answer;
use super::api::{SANDBOX, respond, sandbox_id};
use super::glass::Glass;
use super::problem::Problem;
use super::shared::Shared;
use super::stage::Stage;
use crate::model::{Actor, Seq};
use crate::view::{At, TimeScale};

/// Samples of the axis: enough that a straight line between two is right to the pixel.
const AXIS_SAMPLES: usize = 480;

/// A view's maker. It runs on a thread of its own and may take its time.
type Make = fn(&Stage, &Glass, &Wanted) -> Result<Json, Problem>;

/// The views by the last part of their path.
pub const VIEWS: &[(&str, &str, Make)] = &[
    ("overview", "The whole line: density, markers, axis.", overview::make),
    ("window", "Lanes, callbacks, messages of a stretch, or its density.", window::make),
    ("range", "A stretch in sum: how much, by whom, between whom, what stands out.", range::make),
    ("graph", "Processes with status and queue, supervision, links, monitors, traffic.", graph::make),
    ("inspect", "All about one process at a moment.", inspect::make),
];

/// The routes of the views.
pub fn router() -> Router<Arc<Shared>> {
    let mut router = Router::new();
    for (name, _, make) in VIEWS {
        let make = *make;
        let handler = move |State(shared): State<Arc<Shared>>,
                            Path(path): Path<HashMap<String, String>>,
                            Query(query): Query<HashMap<String, String>>| async move {
            respond(serve(&shared, &path, query, make).await)
        };
        router = router.route(&format!("{SANDBOX}/views/{name}"), get(handler));
    }
    router
}

async fn serve(
    shared: &Shared,
    path: &HashMap<String, String>,
    query: HashMap<String, String>,
    make: Make,
) -> Result<Answer, Problem> {
    let id = sandbox_id(path.get("sandbox").map_or("", String::as_str))?;
    let stage = shared.stage(id).await?;
    let glass = stage.glass().await?;
    let n_events = glass.n_events();
    let made = tokio::task::spawn_blocking(move || {
        let _making = stage.making();
        make(&stage, &glass, &Wanted(query))
    });
    let made = made.await;
    let view = made.map_err(|_| {
        Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "fault", "a fault inside cinema ended this view")
    })??;
    Ok(Answer::of(view).meta("n_events", n_events))
}

/// What a request asks for.
pub struct Wanted(pub HashMap<String, String>);

impl Wanted {
    fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        match self.0.get(name).filter(|text| !text.is_empty()) {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(n) => Ok(Some(n)),
                Err(_) => Err(Problem::field(name, format!("expected a number, got {text:?}"))),
            },
        }
    }
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }
    /// The processes of a comma separated list of pids and names; a name is of all that ever had it. Those that the
    /// recording does not know are left out.
    fn actors(&self, name: &str, glass: &Glass) -> Vec<Actor> {
        let Some(text) = self.text(name) else { return Vec::new() };
        let wanted: Vec<&str> = text.split(',').map(str::trim).collect();
        let (names, last) = (glass.names(), glass.last());
        let mut actors = glass.recording.actors();
        actors.retain(|actor| {
            let pid = actor.to_string();
            let name = names.at(*actor, last);
            let name = name.strip_suffix(&pid).unwrap_or(&name).trim_end();
            wanted.iter().any(|wanted| *wanted == pid || *wanted == name)
        });
        actors
    }
    /// The event that the view is as of: `at`, else the last one.
    fn at(&self, glass: &Glass) -> Result<Seq, Problem> {
        let at = self.number("at")?.map_or(glass.last(), Seq);
        if at.0 >= glass.recording.len() {
            return Err(Problem::not_found(format!("no event #{}: there are {}", at.0, glass.recording.len())));
        }
        Ok(at)
    }
    /// The stretch: positions `from` to `to` on the line, all of it when left out.
    fn ranks(&self, glass: &Glass) -> Result<std::ops::Range<u64>, Problem> {
        let n = glass.n_events();
        let from = self.number("from")?.unwrap_or(0).min(n);
        let to = self.number("to")?.unwrap_or(n).clamp(from, n);
        Ok(from..to)
    }
}

/// The axis at some events: what lies between is on straight lines between them. Times count from the recording's start: a
/// BEAM's clock has more digits than a browser's numbers.
fn axis(scale: &TimeScale<'_>, moments: &[At], start_ns: i64) -> Json {
    let step = moments.len().div_ceil(AXIS_SAMPLES).max(1);
    let mut samples: Vec<At> = moments.iter().step_by(step).copied().collect();
    if samples.last() != moments.last() {
        samples.extend(moments.last());
    }
    json!({
        "seqs": samples.iter().map(|at| at.seq.0).collect::<Vec<_>>(),
        "since_start_ns": samples.iter().map(|at| at.at_ns - start_ns).collect::<Vec<_>>(),
        "shares": samples.iter().map(|at| rounded(scale.share(*at))).collect::<Vec<_>>(),
    })
}

/// A share to the tenth of a pixel on any screen.
fn rounded(share: f64) -> f64 {
    (share * 100_000.0).round() / 100_000.0
}
