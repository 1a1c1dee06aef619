//! Numeric charts: histogram, distribution, values over time.

use super::{Cell, Table};

/// A chart with one pair of axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    pub title: String,
    pub subtitle: String,
    pub x: Axis,
    pub y: Axis,
    pub plot: Plot,
    /// Vertical lines with a label: percentiles, the cursor.
    pub marks: Vec<ChartMark>,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What is measured, without the unit; the column name of the table twin.
    pub label: String,
    pub unit: Unit,
    /// Whether the axis is logarithmic; then all values are above 0.
    pub is_log: bool,
}

/// What a number on an axis is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    /// Nanoseconds.
    Ns,
    Bytes,
    /// 0 to 1, shown as percent.
    Share,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Plot {
    /// Bars between `from` and `to` with a height: a histogram. Ascending, disjoint.
    Bins(Vec<(f64, f64, f64)>),
    /// Points joined by straight lines, ascending in x.
    Lines(Vec<Series>),
    /// Values that hold until the next point: queue depth, distribution functions.
    Steps(Vec<Series>),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ChartMark {
    pub x: f64,
    pub label: String,
}

impl Axis {
    pub fn new(label: impl Into<String>, unit: Unit) -> Axis {
        Axis { label: label.into(), unit, is_log: false }
    }
    pub fn log(label: impl Into<String>, unit: Unit) -> Axis {
        Axis { label: label.into(), unit, is_log: true }
    }
    /// A table's column for values of this axis: snake_case with the unit last.
    fn column(&self, name: &str) -> String {
        let unit = match self.unit {
            Unit::Count => "",
            Unit::Ns => "_ns",
            Unit::Bytes => "_bytes",
            Unit::Share => "_share",
        };
        format!(">{}{unit}", name.replace(' ', "_"))
    }
}

impl Unit {
    /// A value of this unit as a table cell.
    pub fn cell(self, value: f64) -> Cell {
        match self {
            Unit::Count if value.fract() == 0.0 && value.abs() < 9e15 => Cell::Int(value as i64),
            Unit::Count | Unit::Share => Cell::Float(value),
            Unit::Ns => Cell::Ns(value as i64),
            Unit::Bytes => Cell::Bytes(value as u64),
        }
    }
}

impl Chart {
    pub fn table(&self) -> Table {
        let (x, y) = (self.x.column(&self.x.label), self.y.column(&self.y.label));
        let mut table = match &self.plot {
            Plot::Bins(bins) => {
                let mut table = Table::new(&self.title, &[&self.x.column("from"), &self.x.column("to"), &y]);
                for &(from, to, height) in bins {
                    table.push(vec![self.x.unit.cell(from), self.x.unit.cell(to), self.y.unit.cell(height)]);
                }
                table
            }
            Plot::Lines(series) | Plot::Steps(series) => {
                let mut table = Table::new(&self.title, &["series", &x, &y]);
                for one in series {
                    for &(at, value) in &one.points {
                        table.push(vec![Cell::Text(one.name.clone()), self.x.unit.cell(at), self.y.unit.cell(value)]);
                    }
                }
                table
            }
        };
        table.notes.clone_from(&self.notes);
        table
    }
}
