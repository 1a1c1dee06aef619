//! The space-time view of a stretch of a recording: which lanes, bars, arrows and points, or how dense it is.

use std::collections::BTreeMap;
use std::ops::Range;

use super::label;
use super::lanes::Lanes;
use crate::analysis::tree::{self, SupervisionTree};
use crate::model::{Actor, Class, Event, Filter, Kind, Seq, limits, time};
use crate::store::Recording;
use crate::view::{Arrow, ArrowKind, At, Bar, Density, GapFinder, Point, PointKind, Spacetime, TimeScale};

/// Moments kept for the axis; more are sampled evenly.
const MOMENTS_MAX: usize = 4_000;
const DENSITY_BINS: usize = 160;
/// Lanes of a picture with a focus: those of the focus and the busiest around it.
const FOCUS_LANES_MAX: usize = 28;
/// Events shown before and after a focus, as a share of its length, and at least so many.
const FOCUS_MARGIN: (f64, u64) = (0.3, 40);

/// Which stretch, and what of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SpacetimeQuery {
    pub title: String,
    /// Ascending, disjoint; empty = the whole recording.
    pub ranges: Vec<Range<u64>>,
    /// Only these processes; empty = all.
    pub actors: Vec<Actor>,
    pub cursor: Option<Seq>,
    /// Events at full ink, ascending; the stretch is narrowed to them when it is too dense.
    pub focus: Vec<Seq>,
    /// These have a lane even where nothing of them happened, so that lanes stay in place from stretch to stretch.
    pub lanes: Vec<Actor>,
    /// More arrows than this cannot be told apart: lane density instead.
    pub n_arrows_max: usize,
}

impl Default for SpacetimeQuery {
    fn default() -> SpacetimeQuery {
        SpacetimeQuery {
            title: "Message flow".to_string(),
            ranges: Vec::new(),
            actors: Vec::new(),
            cursor: None,
            focus: Vec::new(),
            lanes: Vec::new(),
            n_arrows_max: 260,
        }
    }
}

/// The view, its lanes ordered by the supervision tree at the end of the stretch. Cost: two passes over its events.
pub fn spacetime(rec: &Recording, query: &SpacetimeQuery) -> Spacetime {
    let last = query.ranges.last().map_or(rec.len(), |range| range.end.min(rec.len()));
    let tree = tree::tree(rec, Seq(last.saturating_sub(1)), true);
    spacetime_in(rec, query, &tree)
}

/// [`spacetime`] with a tree at hand.
pub fn spacetime_in(rec: &Recording, query: &SpacetimeQuery, tree: &SupervisionTree) -> Spacetime {
    let survey = Survey::new(rec, query);
    if !query.focus.is_empty() && survey.n_arrows > query.n_arrows_max {
        let narrow = SpacetimeQuery { ranges: around_focus(rec, query), ..query.clone() };
        let survey = Survey::new(rec, &narrow);
        return draw(rec, &narrow, tree, survey);
    }
    draw(rec, query, tree, survey)
}

fn draw(rec: &Recording, query: &SpacetimeQuery, tree: &SupervisionTree, survey: Survey) -> Spacetime {
    let n_lanes_max = if query.focus.is_empty() { limits::PICTURE_LANES_MAX } else { FOCUS_LANES_MAX };
    let lanes = Lanes::new(tree, &survey.weights, n_lanes_max, label::syntax(rec));
    let is_dense = survey.n_arrows > query.n_arrows_max || survey.n_marks > limits::PICTURE_MARKS_MAX;
    let mut notes = Vec::new();
    if lanes.n_hidden > 0 && query.focus.is_empty() {
        let raise = format!("{} quieter processes are hidden; choose some to see them", lanes.n_hidden);
        notes.push(limits::tripped("PICTURE_LANES_MAX", limits::PICTURE_LANES_MAX, &raise));
    } else if lanes.n_hidden > 0 {
        notes.push(format!("{} processes around the focus are hidden", lanes.n_hidden));
    }
    let mut collector = Collector::new(rec, query, &lanes, survey.first);
    collector.collects_arrows = !is_dense || !query.focus.is_empty();
    collector.only_focus = is_dense;
    scan(rec, query, |event| collector.take(event));
    let n_unplaced = collector.n_unplaced;
    let mut view = collector.finish(survey.last);
    let moments = survey.moments;
    view.gaps = survey.gaps;
    if is_dense && query.focus.is_empty() {
        view.density = Some(density(rec, query, &lanes, &TimeScale::new(&moments, &view.gaps)));
        notes.push(format!(
            "{} messages are too many for arrows: shade shows the events of each process; narrow the range, or see who talks to whom in the matrix",
            survey.n_arrows
        ));
    } else if is_dense {
        notes
            .push(format!("only the focus is drawn; {} more messages are hidden", survey.n_arrows - view.arrows.len()));
    }
    if n_unplaced > 0 && !is_dense {
        notes.push(format!("{n_unplaced} messages from outside of this stretch or to hidden processes are not drawn"));
    }
    let span_ns = moments.last().map_or(0, |last| last.at_ns) - moments.first().map_or(0, |first| first.at_ns);
    let count = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    view.title.clone_from(&query.title);
    view.subtitle = format!(
        "{}, {}, {}{}",
        count(view.lanes.len(), "process").replace("processs", "processes"),
        count(survey.n_arrows, "message"),
        time::show_ns(span_ns),
        if view.gaps.is_empty() { "" } else { "; quiet stretches are cut out" }
    );
    view.moments = moments;
    view.cursor = query.cursor.and_then(|seq| rec.event(seq)).map(|event| At { seq: event.seq, at_ns: event.at_ns });
    view.focus.clone_from(&query.focus);
    view.start_ns = rec.time_range_ns().map_or(0, |(first, _)| first);
    view.notes = notes;
    view
}

/// The stretch around a focus: its events and some before and after, inside of the asked ranges.
fn around_focus(rec: &Recording, query: &SpacetimeQuery) -> Vec<Range<u64>> {
    let (first, last) = (query.focus[0].0, query.focus[query.focus.len() - 1].0);
    let margin = (((last - first) as f64 * FOCUS_MARGIN.0) as u64).max(FOCUS_MARGIN.1);
    let (from, to) = (first.saturating_sub(margin), last.saturating_add(margin + 1).min(rec.len()));
    if query.ranges.is_empty() {
        return std::iter::once(from..to).collect();
    }
    let cut = query.ranges.iter().map(|range| range.start.max(from)..range.end.min(to));
    cut.filter(|range| range.start < range.end).collect()
}

/// Gives every event that a picture may show, in order.
fn scan(rec: &Recording, query: &SpacetimeQuery, mut each: impl FnMut(&Event)) {
    let mut filter = Filter::kinds(&[
        Kind::Receive,
        Kind::Down,
        Kind::ExitSignal,
        Kind::HandleStart,
        Kind::HandleEnd,
        Kind::Spawn,
        Kind::Exit,
        Kind::Crash,
        Kind::SupervisorRestart,
        Kind::Timeout,
        Kind::LateReply,
        Kind::SendToDead,
        Kind::Mark,
    ]);
    filter.ranges.clone_from(&query.ranges);
    filter.involved.clone_from(&query.actors);
    rec.scan(&filter).for_each(|event| each(&event));
}

fn is_arrow(event: &Event) -> bool {
    matches!(event.kind, Kind::Receive | Kind::Down | Kind::ExitSignal) && event.cause.is_some()
}

fn point_kind(event: &Event) -> Option<PointKind> {
    Some(match event.kind {
        Kind::Spawn => PointKind::Spawn,
        Kind::Exit => PointKind::Exit,
        Kind::Crash => PointKind::Crash,
        Kind::SupervisorRestart => PointKind::Restart,
        Kind::Timeout => PointKind::Timeout,
        Kind::LateReply => PointKind::LateReply,
        Kind::SendToDead => PointKind::Undelivered,
        Kind::Mark => PointKind::Mark,
        _ => return None,
    })
}

/// The first pass: how much there is, of whom, and the axis.
#[derive(Default)]
struct Survey {
    weights: BTreeMap<Actor, u64>,
    n_arrows: usize,
    n_marks: usize,
    first: Option<At>,
    last: At,
    moments: Vec<At>,
    gaps: Vec<crate::view::Gap>,
}

impl Survey {
    fn new(rec: &Recording, query: &SpacetimeQuery) -> Survey {
        let mut survey = Survey::default();
        let mut gaps = GapFinder::default();
        let mut moments: Vec<At> = Vec::new();
        let mut stride = 1;
        let mut n_seen = 0_usize;
        scan(rec, query, |event| {
            // Clocks that step back, by a restore or a late event, stand still here: the axis only grows.
            let at = At { seq: event.seq, at_ns: event.at_ns.max(survey.last.at_ns) };
            let at = if survey.first.is_none() { At { at_ns: event.at_ns, ..at } } else { at };
            survey.first.get_or_insert(at);
            survey.last = at;
            gaps.push(at.at_ns);
            if n_seen.is_multiple_of(stride) {
                moments.push(at);
            }
            n_seen += 1;
            if moments.len() >= MOMENTS_MAX * 2 {
                stride *= 2;
                moments = moments.iter().step_by(2).copied().collect();
            }
            survey.count(rec, event, query);
        });
        if survey.first.is_some() && moments.last() != Some(&survey.last) {
            moments.push(survey.last);
        }
        survey.moments = moments;
        survey.gaps = gaps.finish();
        for actor in &query.lanes {
            survey.weights.entry(*actor).or_default();
        }
        for seq in &query.focus {
            if let Some(event) = rec.event(*seq) {
                *survey.weights.entry(event.process).or_default() += 1 << 40;
            }
        }
        survey
    }

    fn count(&mut self, rec: &Recording, event: &Event, query: &SpacetimeQuery) {
        let weight = match point_kind(event) {
            Some(PointKind::Spawn | PointKind::Exit) | None => 1,
            Some(_) => 1_000,
        };
        self.n_marks += usize::from(event.kind != Kind::HandleEnd);
        let is_wanted = |actor: &Actor| query.actors.is_empty() || query.actors.contains(actor);
        if is_wanted(&event.process) {
            *self.weights.entry(event.process).or_default() += weight;
        }
        if is_arrow(event) {
            self.n_arrows += 1;
            let sender = event.cause.and_then(|cause| rec.event(cause)).map(|sent| sent.process);
            if let Some(sender) = sender.filter(is_wanted) {
                *self.weights.entry(sender).or_default() += 1;
            }
        }
    }
}

/// The second pass: the marks themselves.
struct Collector<'a> {
    rec: &'a Recording,
    query: &'a SpacetimeQuery,
    lanes: &'a Lanes,
    first: At,
    view: Spacetime,
    /// Callbacks that run: lane to their begin.
    open: BTreeMap<usize, (At, String)>,
    collects_arrows: bool,
    only_focus: bool,
    n_unplaced: usize,
}

impl<'a> Collector<'a> {
    fn new(rec: &'a Recording, query: &'a SpacetimeQuery, lanes: &'a Lanes, first: Option<At>) -> Collector<'a> {
        let view = Spacetime { lanes: lanes.lanes.clone(), ..Spacetime::default() };
        Collector {
            rec,
            query,
            lanes,
            first: first.unwrap_or_default(),
            view,
            open: BTreeMap::new(),
            collects_arrows: true,
            only_focus: false,
            n_unplaced: 0,
        }
    }

    fn take(&mut self, event: &Event) {
        if is_arrow(event) {
            self.arrow(event);
        }
        let Some(lane) = self.lanes.of(event.process) else { return };
        let at = At { seq: event.seq, at_ns: event.at_ns };
        match event.kind {
            Kind::HandleStart => {
                self.open.insert(lane, (at, label::callback(event)));
            }
            Kind::HandleEnd => {
                let (from, label) = self.open.remove(&lane).unwrap_or((self.first, String::new()));
                self.bar(lane, from, at, label);
            }
            // Older than the picture: its lane begins at the edge.
            Kind::Spawn if self.rec.is_introduction(event) => return,
            Kind::Spawn => self.view.lanes[lane].from = Some(at),
            Kind::Exit | Kind::Crash => {
                self.view.lanes[lane].to = Some(at);
                if let Some((from, label)) = self.open.remove(&lane) {
                    self.bar(lane, from, at, label);
                }
            }
            _ => {}
        }
        if let Some(kind) = point_kind(event) {
            let is_minor = matches!(kind, PointKind::Spawn | PointKind::Exit);
            let is_shown = !self.only_focus || !is_minor || self.is_focused(event.seq);
            if is_shown && self.view.points.len() < limits::PICTURE_MARKS_MAX / 4 {
                let label = label::message(self.rec, event);
                self.view.points.push(Point { lane, at, kind, label });
            }
        }
    }

    fn is_focused(&self, seq: Seq) -> bool {
        self.query.focus.binary_search(&seq).is_ok()
    }

    fn bar(&mut self, lane: usize, from: At, to: At, label: String) {
        let is_shown = !self.only_focus || self.is_focused(from.seq) || self.is_focused(to.seq);
        if self.collects_arrows && is_shown {
            let is_supervisor = self.view.lanes[lane].is_supervisor;
            self.view.bars.push(Bar { lane, from, to, is_supervisor, label });
        }
    }

    fn arrow(&mut self, event: &Event) {
        if !self.collects_arrows {
            return;
        }
        let Some(sent) = event.cause.and_then(|cause| self.rec.event(cause)) else { return };
        if self.only_focus && !self.is_focused(event.seq) && !self.is_focused(sent.seq) {
            return;
        }
        let (Some(from_lane), Some(to_lane)) = (self.lanes.of(sent.process), self.lanes.of(event.process)) else {
            self.n_unplaced += 1;
            return;
        };
        if sent.seq < self.first.seq {
            self.n_unplaced += 1;
            return;
        }
        let kind = match (event.kind, sent.class) {
            (Kind::Down | Kind::ExitSignal, _) => ArrowKind::Exit,
            (_, Class::Call) => ArrowKind::Call,
            (_, Class::Cast) => ArrowKind::Cast,
            (_, Class::Reply) => ArrowKind::Reply,
            (_, Class::Exit | Class::Down) => ArrowKind::Exit,
            _ => ArrowKind::Info,
        };
        self.view.arrows.push(Arrow {
            from_lane,
            to_lane,
            from: At { seq: sent.seq, at_ns: sent.at_ns },
            to: At { seq: event.seq, at_ns: event.at_ns },
            kind,
            label: label::message(self.rec, &sent),
        });
    }

    /// Callbacks that are still open run to the end of the stretch.
    fn finish(mut self, last: At) -> Spacetime {
        for (lane, (from, label)) in std::mem::take(&mut self.open) {
            self.bar(lane, from, last, format!("{label} (not over)"));
        }
        self.view.bars.sort_by_key(|bar| (bar.from, bar.lane));
        self.view
    }
}

fn density(rec: &Recording, query: &SpacetimeQuery, lanes: &Lanes, scale: &TimeScale<'_>) -> Density {
    let mut counts = vec![vec![0_u32; DENSITY_BINS]; lanes.lanes.len()];
    let mut last_ns = i64::MIN;
    scan(rec, query, |event| {
        last_ns = last_ns.max(event.at_ns);
        let Some(lane) = lanes.of(event.process) else { return };
        let share = scale.share(At { seq: event.seq, at_ns: last_ns });
        counts[lane][((share * DENSITY_BINS as f64) as usize).min(DENSITY_BINS - 1)] += 1;
    });
    Density { counts, n_bins: DENSITY_BINS }
}
