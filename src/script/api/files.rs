//! `export_to`: recordings and results as files for other programs. It must not know how a format looks.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, NativeCallContext};

use super::operations::Api;
use super::query::Query;
use super::record::{Block, Record};
use super::rows::Rows;
use super::show::{shown, syntax_of};
use crate::analysis::names::Names;
use crate::analysis::{flow, tree};
use crate::export::{self, TableFormat, TableWriter};
use crate::model::{Failure, FailureKind, Filter, Outcome, Seq, Syntax, limits};
use crate::render::text::counted;
use crate::script::error::raise;
use crate::session::{Fresh, Source};
use crate::store::{Recording, Selection};
use crate::view::build::{self, SpacetimeQuery};
use crate::view::{Table, tables};

/// Formats that hold a table.
const TABLE_FORMATS: &str = "csv, json, jsonl";
/// Formats that hold a recording.
const FORMATS: &str = "csv, json, jsonl (events), chrome (for Perfetto), mermaid (messages), dot (processes)";

/// Rows that are made at a time.
const STREAMED_ROWS: usize = 1024;

/// Writes the events of `scope`, however many. Errors: the format, the file, `interrupt`, which is polled.
pub fn write_recording(
    recording: &Recording,
    scope: &[Range<u64>],
    names: &Names,
    format: &str,
    file: Fresh,
    interrupt: &AtomicBool,
) -> Outcome<String> {
    let path = &file.name().to_path_buf();
    let filter = Filter { ranges: scope.to_vec(), ..Filter::default() };
    let at = scope.last().map_or(Seq(0), |range| Seq(range.end.saturating_sub(1)));
    let syntax = if recording.info.is_elixir { Syntax::Elixir } else { Syntax::Erlang };
    let what = match format {
        "jsonl" => {
            let n = stream(file, interrupt, |out| {
                export::events_jsonl(recording, &filter, out).map_err(|error| cannot_write(path, &error))
            })?;
            counted(n, "event")
        }
        "chrome" | "perfetto" => {
            let n = stream(file, interrupt, |out| {
                export::chrome_trace(recording, &filter, &|actor| names.name(actor), out)
                    .map_err(|error| cannot_write(path, &error))
            })?;
            counted(n, "trace event")
        }
        "csv" | "json" => {
            let n = stream_table(format, syntax, file, interrupt, |writer| {
                let mut seqs: Vec<Seq> = Vec::with_capacity(STREAMED_ROWS);
                let selection = Selection::of(&filter);
                let mut left = recording.seqs(&selection).peekable();
                writer.push(&tables::events(recording, names, &[])).map_err(|error| cannot_write(path, &error))?;
                while left.peek().is_some() {
                    seqs.clear();
                    seqs.extend(left.by_ref().take(STREAMED_ROWS));
                    let table = tables::events(recording, names, &seqs);
                    writer.push(&table).map_err(|error| cannot_write(path, &error))?;
                }
                Ok(())
            })?;
            counted(n, "row")
        }
        "mermaid" => {
            let view =
                build::spacetime(recording, &SpacetimeQuery { ranges: scope.to_vec(), ..SpacetimeQuery::default() });
            if view.density.is_some() {
                return Err(Failure::new(
                    FailureKind::Limit,
                    format!("too dense for a sequence chart: {}", view.subtitle),
                )
                .hint("export_to(\"chrome\", path)"));
            }
            write_text(file, &export::mermaid(&view))?;
            counted(view.arrows.len() as u64, "message")
        }
        "dot" => {
            let view = build::tree_arcs(&tree::tree(recording, at, true), &flow::pairs(recording, scope), syntax);
            write_text(file, &export::dot(&view))?;
            let [nodes, edges] = [(view.tree.rows.len(), "node"), (view.arcs.len(), "edge")];
            let count = |(n, what): (usize, &str)| counted(n as u64, what);
            let notes = view.tree.notes.iter().map(|note| format!("; {note}"));
            format!("{} and {}{}", count(nodes), count(edges), notes.collect::<String>())
        }
        _ => return Err(unknown(format, FORMATS)),
    };
    Ok(format!("wrote {}: {what}", path.display()))
}

/// Writes the current branch of a source.
fn write_source(source: &Source, format: &str, file: Fresh, interrupt: &AtomicBool) -> Outcome<String> {
    write_recording(&source.recording(), &source.scope(), &source.names(), format, file, interrupt)
}

fn write_table(table: &Table, syntax: Syntax, format: &str, file: Fresh, interrupt: &AtomicBool) -> Outcome<String> {
    let path = &file.name().to_path_buf();
    let n = stream_table(format, syntax, file, interrupt, |writer| {
        writer.push(table).map_err(|error| cannot_write(path, &error))
    })?;
    Ok(format!("wrote {}: {}", path.display(), counted(n, "row")))
}

/// Writes tables with the same columns as one; gives the number of rows.
fn stream_table(
    format: &str,
    syntax: Syntax,
    file: Fresh,
    interrupt: &AtomicBool,
    write: impl FnOnce(&mut TableWriter<'_>) -> Outcome<()>,
) -> Outcome<u64> {
    let path = &file.name().to_path_buf();
    let format = TableFormat::from_name(format).ok_or_else(|| unknown(format, TABLE_FORMATS))?;
    stream(file, interrupt, |out| {
        let mut writer = TableWriter::new(format, syntax, out);
        write(&mut writer)?;
        writer.finish().map_err(|error| cannot_write(path, &error))
    })
}

fn unknown(format: &str, formats: &str) -> Failure {
    Failure::usage(format!("{format:?} is not a format that this can be written in"))
        .hint(format!("formats: {formats}"))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::io(format!("cannot write {}: {error}", path.display()))
}

/// Writes a file anew, all of it or nothing.
fn write_file<T>(file: Fresh, write: impl FnOnce(&mut File) -> Outcome<T>) -> Outcome<T> {
    let mut out = File::create(file.path()).map_err(|error| cannot_write(file.name(), &error))?;
    let written = write(&mut out)?;
    file.keep()?;
    Ok(written)
}

pub(super) fn write_text(file: Fresh, text: &str) -> Outcome<()> {
    let path = file.name().to_path_buf();
    write_file(file, |out| out.write_all(text.as_bytes()).map_err(|error| cannot_write(&path, &error)))
}

/// Refuses to go on once `interrupt` is set.
struct Interruptible<'i, W> {
    out: W,
    interrupt: &'i AtomicBool,
}

impl<W: Write> Write for Interruptible<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("interrupted"));
        }
        self.out.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

fn stream(file: Fresh, interrupt: &AtomicBool, write: impl FnOnce(&mut dyn Write) -> Outcome<u64>) -> Outcome<u64> {
    let path = &file.name().to_path_buf();
    let written = write_file(file, |out| {
        let mut out = BufWriter::new(Interruptible { out, interrupt });
        let n = write(&mut out)?;
        out.flush().map_err(|error| cannot_write(path, &error))?;
        Ok(n)
    });
    if interrupt.load(Ordering::Relaxed) { written.map_err(|_| Failure::interrupted()) } else { written }
}

impl Api {
    /// A file to export to. Errors: see [`crate::session::Session::export_file`].
    pub(super) fn export_file(&self, path: &str) -> Outcome<Fresh> {
        self.borrow()?.export_file(Path::new(path))
    }

    fn export_value(
        &self,
        call: &NativeCallContext,
        value: &Dynamic,
        format: &str,
        file: Fresh,
    ) -> Result<String, Box<EvalAltResult>> {
        let known = self.borrow().map(|session| (syntax_of(session.source().ok()), session.interrupt().clone()));
        let (syntax, interrupt) = known.map_err(raise)?;
        if let Some(query) = value.read_lock::<Query>() {
            return export_query(call, &query, syntax, format, file, &interrupt);
        }
        if let Some(rows) = value.read_lock::<Rows>() {
            rows.whole().map_err(raise)?;
        }
        let shown = shown(value, syntax, limits::QUERY_ROWS_MAX);
        let table = shown.blocks.iter().find_map(Block::as_table);
        let table = table.ok_or_else(|| {
            Failure::usage(format!("a value of type {} has no table", value.type_name()))
                .hint("export_to(\"jsonl\", path)")
        });
        table.and_then(|table| write_table(table, syntax, format, file, &interrupt)).map_err(raise)
    }
}

/// Writes the events of a query as they are found. Errors: also those of its closures.
fn export_query(
    call: &NativeCallContext,
    query: &Query,
    syntax: Syntax,
    format: &str,
    file: Fresh,
    interrupt: &AtomicBool,
) -> Result<String, Box<EvalAltResult>> {
    let path = &file.name().to_path_buf();
    let mut stopped = Ok(());
    let n = stream_table(format, syntax, file, interrupt, |writer| {
        let mut written = Ok(());
        stopped = query.tables(call, |table| {
            written = writer.push(table).map_err(|error| cannot_write(path, &error));
            written.clone()
        });
        if stopped.is_err() { written.and(Err(Failure::interrupted())) } else { written }
    });
    stopped?;
    Ok(format!("wrote {}: {}", path.display(), counted(n.map_err(raise)?, "row")))
}

/// Registers `export_to(format, path)` and `export_to(value, format, path)`.
pub fn register(engine: &mut Engine, api: &Rc<Api>) {
    let shared = api.clone();
    FuncRegistration::new("export_to")
        .with_params_info(["format: text", "path: text", "record"])
        .with_comments(["/// Writes the recording as csv, json, jsonl, chrome (a trace for Perfetto), mermaid or dot."])
        .register_into_engine(engine, move |format: &str, path: &str| -> Result<Record, Box<EvalAltResult>> {
            let written = shared
                .borrow()
                .and_then(|session| {
                    let file = session.export_file(Path::new(path))?;
                    write_source(session.source()?, format, file, session.interrupt())
                })
                .map_err(raise)?;
            Ok(Record::said(written))
        });
    let shared = api.clone();
    FuncRegistration::new("export_to")
        .with_params_info(["value: any", "format: text", "path: text", "record"])
        .with_comments(["/// Writes a result's table as csv, json or jsonl."])
        .register_into_engine(
            engine,
            move |call: NativeCallContext,
                  value: Dynamic,
                  format: &str,
                  path: &str|
                  -> Result<Record, Box<EvalAltResult>> {
                let file = shared.export_file(path).map_err(raise)?;
                Ok(Record::said(shared.export_value(&call, &value, format, file)?))
            },
        );
}
