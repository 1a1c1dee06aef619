//! Other stores on the same rows, run as programs of their own: Python's `sqlite3`, `duckdb` and `pyarrow`. The two that are
//! no part of Python are installed into `target/bench/python` when they are missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::question::{Figure, Question, Unit};
use super::rows::Rows;
use super::sheet::Figures;
use crate::model::{Failure, Outcome};

const SCRIPT: &str = include_str!("peers.py");
const PACKAGES: [&str; 3] = ["duckdb", "pyarrow", "numpy"];

/// The Python that has the packages.
pub struct Python(PathBuf);

impl Python {
    /// Finds it, or makes one. Errors: no python3, no package index.
    pub fn find() -> Outcome<Python> {
        let folder = Path::new("target/bench/python");
        let own = folder.join("bin/python3");
        for python in [own.clone(), PathBuf::from("python3")] {
            let import = format!("import {}", PACKAGES.join(", "));
            if Command::new(&python).args(["-c", &import]).output().is_ok_and(|done| done.status.success()) {
                return Ok(Python(python));
            }
        }
        eprintln!("installing {} into {}", PACKAGES.join(", "), folder.display());
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        run(Command::new(&own).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
        Ok(Python(own))
    }

    /// Asks `peer` (duckdb, parquet, sqlite) about the rows whose columns are in `folder`.
    pub fn ask(&self, peer: &str, rows: &Rows, folder: &Path, n_rounds: usize) -> Outcome<Figures> {
        let mut command = Command::new(&self.0);
        let printed = run(command.args(["-c", SCRIPT, peer]).arg(folder).arg(n_rounds.to_string()))?;
        let mut figures = Figures::new();
        for line in printed.lines() {
            let said: Said = serde_json::from_str(line)
                .map_err(|error| Failure::bad_input(format!("{peer} printed {line:?}: {error}")))?;
            let question = Question::of_word(&said.question)
                .ok_or_else(|| Failure::bad_input(format!("{peer} answered an unknown question: {line:?}")))?;
            if question == Question::Append {
                figures.insert(Question::Size, Figure { value: said.bytes / rows.n as f64, answer: None });
            }
            figures.insert(question, said.figure(question, rows));
        }
        Ok(figures)
    }
}

/// A line of the script.
#[derive(Deserialize)]
struct Said {
    question: String,
    seconds: Vec<f64>,
    answer: u64,
    bytes: f64,
}

impl Said {
    fn figure(mut self, question: Question, rows: &Rows) -> Figure {
        self.seconds.sort_by(f64::total_cmp);
        let median_ns = self.seconds.get(self.seconds.len() / 2).map_or(0.0, |seconds| seconds * 1e9);
        let value = match question.unit() {
            Unit::Event => median_ns / rows.n as f64,
            Unit::Row => median_ns / self.answer.max(1) as f64,
            Unit::Bytes => self.bytes / rows.n as f64,
            Unit::Once => median_ns,
        };
        Figure { value, answer: Some(self.answer).filter(|_| question.has_answer()) }
    }
}

/// What a program printed. Errors: its last words.
fn run(command: &mut Command) -> Outcome<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| Failure::not_found(format!("{program} does not run: {error}")))?;
    if !output.status.success() {
        let talk = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::not_found(talk.lines().last().unwrap_or("it failed without a word").to_string()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
