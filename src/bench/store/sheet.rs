//! A table of questions by stores: what each takes for one unit of work, the ratio to DuckDB, and the aim.

use std::collections::BTreeMap;

use super::question::{Figure, Question, Unit};
use crate::view::{Cell, Table};

/// What one store took.
pub type Figures = BTreeMap<Question, Figure>;

/// The stores in the order of their columns; ours first.
pub const STORES: [&str; 5] = ["cinema", "duckdb", "parquet", "sqlite", "memcpy"];

/// The table of `by_store`, in the order of [`STORES`]; a store that is missing has no figures.
pub fn sheet(title: &str, by_store: &[Figures; STORES.len()], notes: Vec<String>) -> Table {
    let columns: Vec<String> = ["what".to_string(), "unit".to_string()]
        .into_iter()
        .chain(STORES.iter().map(|store| format!(">{store}")))
        .chain([">times_duckdb".to_string(), ">aim".to_string(), "met".to_string()])
        .collect();
    let mut table = Table::new(title, &columns.iter().map(String::as_str).collect::<Vec<_>>());
    if cfg!(debug_assertions) {
        table = table.note("this is a debug build: the figures say nothing");
    }
    for question in Question::ALL {
        if by_store.iter().any(|figures| figures.contains_key(question)) {
            table.push(row(*question, by_store));
        }
    }
    for question in Question::ALL {
        table.notes.extend(disagreement(*question, by_store));
    }
    table.notes.extend(notes);
    table
}

fn row(question: Question, by_store: &[Figures; STORES.len()]) -> Vec<Cell> {
    let figures = by_store.each_ref().map(|figures| figures.get(&question).copied());
    let value =
        |figure: Option<Figure>| figure.map_or(Cell::Empty, |figure| text(&show(question.unit(), figure.value)));
    let [ours, duckdb, ..] = figures;
    let ratio = ours.zip(duckdb).map(|(ours, duckdb)| duckdb.value / ours.value.max(f64::MIN_POSITIVE));
    let (aim, is_met) = match (question.aim(), question.ratio_aim(), ours) {
        (Some(most), least, Some(ours)) => {
            let is_fast = least.is_none_or(|least| ratio.is_some_and(|ratio| ratio >= least));
            let least = least.map_or(String::new(), |least| format!(", {least}x"));
            (text(&format!("{}{least}", show(question.unit(), most))), Cell::Bool(ours.value <= most && is_fast))
        }
        (None, Some(least), Some(_)) => {
            (text(&format!("{least}x")), ratio.map_or(Cell::Empty, |r| Cell::Bool(r >= least)))
        }
        _ => (Cell::Empty, Cell::Empty),
    };
    let ratio = ratio.map_or(Cell::Empty, |ratio| text(&rounded(ratio)));
    let mut row = vec![text(question.label()), text(question.unit().name())];
    row.extend(figures.map(value));
    row.extend([ratio, aim, is_met]);
    row
}

/// Stores that answer differently were asked different questions: that is said.
fn disagreement(question: Question, by_store: &[Figures; STORES.len()]) -> Option<String> {
    let answers: Vec<(&str, u64)> = STORES
        .iter()
        .zip(by_store)
        .filter_map(|(store, figures)| Some((*store, figures.get(&question)?.answer?)))
        .collect();
    let is_agreed = answers.windows(2).all(|pair| pair[0].1 == pair[1].1);
    let told = answers.iter().map(|(store, answer)| format!("{store} {answer}")).collect::<Vec<_>>().join(", ");
    (!is_agreed).then(|| format!("{}: the answers differ: {told}", question.label()))
}

/// Time as a rate where that is how people say it; the value is ns, or bytes.
pub fn show(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Event | Unit::Row => format!("{} M/s", rounded(1e3 / value.max(f64::MIN_POSITIVE))),
        Unit::Bytes => format!("{value:.1} B"),
        Unit::Once => crate::model::time::show_ns(value.round() as i64),
    }
}

/// Three digits that count.
fn rounded(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_string())
}
