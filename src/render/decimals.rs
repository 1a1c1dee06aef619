//! As many decimals for all numbers of a column that have one unit, so that their points stand below each other. It must not
//! claim what is not known: zeros are added as far as a number was rounded to, no further.

use std::collections::BTreeMap;

use crate::view::{Cell, Table};

/// Adds zeros to the texts of the first rows of `table`.
pub fn line_up(table: &Table, texts: &mut [Vec<String>]) {
    for idx in (0..table.columns.len()).filter(|idx| table.columns[*idx].is_right_aligned) {
        let mut most: BTreeMap<String, usize> = BTreeMap::new();
        for (row, texts) in table.rows.iter().zip(&*texts) {
            if let Some(number) = Number::of(&row[idx], &texts[idx]) {
                let most = most.entry(number.unit.to_string()).or_default();
                *most = (*most).max(number.n_decimals());
            }
        }
        for (row, texts) in table.rows.iter().zip(&mut *texts) {
            let Some(number) = Number::of(&row[idx], &texts[idx]) else { continue };
            let most = most.get(number.unit).copied().unwrap_or(0);
            texts[idx] = number.with_decimals(most.min(number.n_known));
        }
    }
}

/// A number as it is printed.
struct Number<'t> {
    digits: &'t str,
    /// With the space before it.
    unit: &'t str,
    /// Decimals that it was rounded to: those at its end that are zeros were left out.
    n_known: usize,
}

impl<'t> Number<'t> {
    fn of(cell: &Cell, text: &'t str) -> Option<Number<'t>> {
        let (digits, unit) = text.split_at(text.find(' ').unwrap_or(text.len()));
        let whole = digits.trim_start_matches('-').split('.').next()?;
        if whole.is_empty() || !digits.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            return None;
        }
        let n_known = match (cell, unit) {
            (Cell::Ns(_), " ns") | (Cell::Bytes(_), " B") => 0,
            (Cell::Ns(_), _) => 3_usize.saturating_sub(whole.len()),
            (Cell::Bytes(_), _) => 1,
            // Digits count from the first that is none of the zeros in front.
            (Cell::Float(_), _) if whole == "0" => usize::MAX,
            (Cell::Float(_), _) => 4_usize.saturating_sub(whole.len()),
            _ => return None,
        };
        Some(Number { digits, unit, n_known })
    }

    fn n_decimals(&self) -> usize {
        self.digits.split_once('.').map_or(0, |(_, decimals)| decimals.len())
    }

    fn with_decimals(&self, n: usize) -> String {
        let zeros = "0".repeat(n.saturating_sub(self.n_decimals()));
        let point = if self.n_decimals() == 0 && !zeros.is_empty() { "." } else { "" };
        format!("{}{point}{zeros}{}", self.digits, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_unit_have_as_many_decimals() {
        let lined_up = |cells: &[Cell]| -> Vec<String> {
            let mut table = Table::new("", &[">n"]);
            cells.iter().for_each(|cell| table.push(vec![cell.clone()]));
            let text = |cell| vec![crate::render::text::cell_text(cell, crate::model::Syntax::Erlang)];
            let mut texts: Vec<Vec<String>> = cells.iter().map(text).collect();
            line_up(&table, &mut texts);
            texts.concat()
        };
        assert_eq!(lined_up(&[19.1, 19.0, 12.6].map(Cell::Float)), ["19.1", "19.0", "12.6"]);
        assert_eq!(lined_up(&[0.125, 0.5, 1234.0, 0.0].map(Cell::Float)), ["0.125", "0.500", "1234", "0.000"]);
        let times = [2_980_000, 3_000_000, -31_000_000, 120_000_000, 3_000, 7, 0].map(Cell::Ns);
        assert_eq!(lined_up(&times), ["2.98 ms", "3.00 ms", "-31.0 ms", "120 ms", "3 µs", "7 ns", "0 ns"]);
        assert_eq!(lined_up(&[1024, 1536, 3].map(Cell::Bytes)), ["1.0 KiB", "1.5 KiB", "3 B"]);
        assert_eq!(lined_up(&[Cell::Int(3), Cell::Empty, Cell::Float(f64::INFINITY), Cell::Float(2.5)])[3], "2.5");
    }
}
