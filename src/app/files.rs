//! `cinema fsck`, `repair` and `compact`: work on session files that needs no session. A file is never changed in place.

use std::path::Path;
use std::sync::atomic::Ordering;

use serde_json::{Value as Json, json};

use super::cli::{Format, Options};
use super::console::{self, EXIT_FOUND};
use super::interrupt;
use crate::export;
use crate::model::{Failure, Outcome};
use crate::render::text::counted;
use crate::session::{check_name, check_new};
use crate::store::{Damage, Recording, Report};

const BAR: &str = "{wide_bar} {human_pos} of {human_len} events, {eta} left";

/// Findings that are told one by one; JSON has all.
const SHOWN_FINDINGS: usize = 20;

/// Reads all of `file` and says what is damaged. The exit code is that of a finding when something is.
pub fn fsck(file: &Path, options: &Options) -> Outcome<u8> {
    let (_, report) = Recording::rescue(file)?;
    print(&document(file, &report), "findings", options, || summary(file, &report));
    if report.is_damaged() && !is_data(options) {
        console::talk(&format!("  hint: cinema repair {} OUT.cinema", file.display()));
    }
    Ok(if report.is_damaged() { EXIT_FOUND } else { 0 })
}

/// Writes what can be saved of `file` to `out`.
pub fn repair(file: &Path, out: &Path, is_forced: bool, options: &Options) -> Outcome<u8> {
    check_out(file, out, is_forced)?;
    let (mut recording, report) = Recording::rescue(file)?;
    recording.info.notes.extend(report.note().map(|(name, what)| (format!("repaired; was {name}"), what)));
    if report.is_archive {
        recording.compact(out)?;
    } else {
        recording.save(out)?;
    }
    let mut document = document(file, &report);
    document["out"] = Json::from(out.display().to_string());
    print(&document, "findings", options, || {
        let n_kept = report.n_kept();
        let losses = if report.is_damaged() && report.n_lost() > 0 { "; loss events stand for the others" } else { "" };
        format!("{}{} has {n_kept} of its events{losses}\n", summary(file, &report), out.display())
    });
    Ok(0)
}

/// Writes `file` to `out` in archive form.
pub fn compact(file: &Path, out: &Path, is_forced: bool, options: &Options) -> Outcome<u8> {
    check_out(file, out, is_forced)?;
    let (recording, report) = Recording::rescue(file)?;
    if let Some(first) = report.damage.first().filter(|_| report.is_damaged()) {
        return Err(Failure::bad_input(format!("{} is damaged: {first}", file.display()))
            .hint(format!("cinema repair {} OUT.cinema", file.display())));
    }
    report.unfinished(&file.display().to_string()).iter().for_each(|unfinished| console::talk(unfinished));
    let token = interrupt::listen(true);
    let bar = console::progress_bar(BAR);
    bar.set_length(recording.n_held());
    let compacted = recording.compact_while(out, &mut |n_events| {
        bar.set_position(n_events);
        !token.load(Ordering::Relaxed)
    });
    bar.finish_and_clear();
    compacted?;
    let (before, after) = (size(file)?, size(out)?);
    let n_events = recording.n_held();
    let per_event = |n_bytes: u64| n_bytes as f64 / n_events as f64;
    let document = json!({
        "file": file.display().to_string(), "out": out.display().to_string(),
        "events": n_events, "bytes_before": before, "bytes_after": after,
    });
    print(&document, "", options, || {
        let share = 100.0 * after as f64 / before.max(1) as f64;
        let each = match n_events {
            0 => "no events".to_string(),
            _ => format!("{:.1} bytes per event, now {:.1}", per_event(before), per_event(after)),
        };
        format!("{before} bytes, now {after} ({share:.0} %): {each}\n")
    });
    Ok(0)
}

/// Whether results are for programs.
fn is_data(options: &Options) -> bool {
    !matches!(options.format(true), Format::Table | Format::Auto)
}

/// Prints a document as it is asked for: whole as JSON, its list `rows` (itself, without one) as CSV, or the words for people.
pub fn print(document: &Json, rows: &str, options: &Options, words: impl FnOnce() -> String) {
    match options.format(true) {
        Format::Json | Format::Jsonl => console::print_line(&document.to_string()),
        Format::Csv => console::print(&match document.get(rows).and_then(Json::as_array) {
            Some(rows) => csv(&FINDING, rows),
            None => {
                let columns: Vec<&str> =
                    document.as_object().into_iter().flatten().map(|(name, _)| &name[..]).collect();
                csv(&columns, std::slice::from_ref(document))
            }
        }),
        Format::Table | Format::Auto => console::print(&words()),
    }
}

/// Objects as rows; a field that is no plain value is JSON.
fn csv(columns: &[&str], rows: &[Json]) -> String {
    let line = |row: &Json| {
        export::csv_line(columns.iter().map(|column| match &row[*column] {
            Json::Null => String::new(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        }))
    };
    let head = export::csv_line(columns.iter().map(|column| column.to_string()));
    std::iter::once(head).chain(rows.iter().map(line)).collect()
}

fn size(path: &Path) -> Outcome<u64> {
    std::fs::metadata(path).map(|meta| meta.len()).map_err(|error| Failure::unreadable(path, &error))
}

/// Errors: there is a file at `out` already, unless it `is_forced`; `file` itself whatever is said.
fn check_out(file: &Path, out: &Path, is_forced: bool) -> Outcome<()> {
    check_name(out)?;
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    if real(file).is_some() && real(file) == real(out) {
        let what = format!("{} is the file itself: nothing is changed in place", out.display());
        return Err(Failure::usage(what).hint("name another file"));
    }
    if is_forced { Ok(()) } else { check_new(out) }
}

fn summary(file: &Path, report: &Report) -> String {
    let n_events = report.seqs.end - report.seqs.start;
    let seqs = match report.seqs.end.checked_sub(1).filter(|_| n_events > 0) {
        Some(last) => format!("{}, #{} to #{last}", counted(n_events, "event"), report.seqs.start),
        None => "no events".to_string(),
    };
    let form = if report.is_archive { "archive form" } else { "plain form" };
    let end = match (report.is_unfinished(), report.is_complete) {
        (true, _) => "not finished",
        (false, true) => "finished",
        (false, false) => "without its end",
    };
    let mut text = format!(
        "{}: version {}, {form}, {} bytes, {end}\n{seqs} in {}; {}, {}\n",
        file.display(),
        report.version,
        report.n_bytes,
        counted(report.n_segments as u64, "segment"),
        counted(report.n_keyframes as u64, "keyframe"),
        counted(report.n_marks as u64, "mark")
    );
    if let Some(unfinished) = report.unfinished(&file.display().to_string()) {
        text.push_str(&format!("{unfinished}\n"));
        return text;
    }
    if report.is_whole() {
        text.push_str("no damage\n");
        return text;
    }
    for damage in report.damage.iter().take(SHOWN_FINDINGS) {
        text.push_str(&format!("  {damage}\n"));
    }
    if report.damage.len() > SHOWN_FINDINGS {
        text.push_str(&format!("  and {} more: --json has all\n", report.damage.len() - SHOWN_FINDINGS));
    }
    let (n_findings, n_lost) = (report.damage.len(), report.n_lost());
    text.push_str(&format!(
        "{} and {} in all; {} there in part\n",
        counted(n_findings as u64, "finding"),
        counted(n_lost, "lost event"),
        report.n_partial()
    ));
    if !report.is_complete {
        text.push_str("the file has no whole directory: how many events lay behind the damage is not known\n");
    }
    text
}

/// The fields of a finding.
const FINDING: [&str; 9] =
    ["part", "offset", "bytes", "segment", "segment_seqs", "lost", "events_lost", "events_in_part", "what"];

/// The report as one document; ranges of seqs are `[first, next]`.
fn document(file: &Path, report: &Report) -> Json {
    let ranges = |ranges: &[std::ops::Range<u64>]| -> Vec<[u64; 2]> {
        ranges.iter().map(|range| [range.start, range.end]).collect()
    };
    let finding = |damage: &Damage| {
        json!({
            "part": damage.part.as_str(),
            "offset": damage.offset,
            "bytes": damage.n_bytes,
            "segment": damage.segment.as_ref().map(|(number, _)| number),
            "segment_seqs": damage.segment.as_ref().map(|(_, seqs)| [seqs.start, seqs.end]),
            "lost": ranges(&damage.lost),
            "events_lost": damage.n_lost(),
            "events_in_part": damage.n_partial,
            "what": damage.what,
        })
    };
    json!({
        "file": file.display().to_string(),
        "version": report.version,
        "form": if report.is_archive { "archive" } else { "plain" },
        "bytes": report.n_bytes,
        "finished": report.is_complete && !report.is_unfinished(),
        "damaged": report.is_damaged(),
        "seqs": [report.seqs.start, report.seqs.end],
        "segments": report.n_segments,
        "keyframes": report.n_keyframes,
        "marks": report.n_marks,
        "findings": report.damage.iter().map(finding).collect::<Vec<_>>(),
        "events_lost": report.n_lost(),
        "events_in_part": report.n_partial(),
    })
}
