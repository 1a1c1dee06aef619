//! Which files make up a trace: one file, the files of a wrapped set (`dbg:trace_port(file, {Name, wrap,
//! Suffix, ..})`), or a folder of ttb with one log per node. It must not know what is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::lines;
use crate::model::limits::{IMPORT_FILES_MAX, tripped};
use crate::model::pid::Origin;
use crate::model::{Failure, FailureKind, Outcome};
use crate::sandbox::trace::frames::{Defects, Frame, Frames, is_trace_start};
use crate::sandbox::trace::message::{Message, Stamp};

/// Bytes that sniffing looks at.
const SNIFF_BYTES: u64 = 4096;
/// Bytes among which a file's first trace message is looked for.
const FIRST_MESSAGE_BYTES: u64 = 64 << 10;

/// One stream of trace messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceLog {
    /// The files of the stream, oldest first; more than one when it was wrapped.
    pub parts: Vec<Part>,
    /// The `.ti` file that ttb left beside it.
    pub info: Option<PathBuf>,
    /// Files of it in which nothing is yet, as of a wrapped set the newest when it was just begun.
    pub empty: Vec<PathBuf>,
}

impl TraceLog {
    /// A log of numbered files of one set.
    fn of_set(members: Vec<(u64, PathBuf)>, info: Option<PathBuf>) -> TraceLog {
        let (parts, empty) = in_order(members);
        TraceLog { parts, info, empty }
    }
    fn alone(path: &Path, info: Option<PathBuf>) -> TraceLog {
        match is_empty(path) {
            true => TraceLog { parts: Vec::new(), info, empty: vec![path.to_path_buf()] },
            false => TraceLog { parts: vec![Part { path: path.to_path_buf(), n_missing: 0 }], info, empty: Vec::new() },
        }
    }
    fn has_file(&self) -> bool {
        !self.parts.is_empty() || !self.empty.is_empty()
    }
}

/// One file of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub path: PathBuf,
    /// How many files of the set are missing between the one before and this one.
    pub n_missing: u64,
}

/// Whether `path` is a file that begins like a trace file, or a folder as ttb leaves it.
pub fn is_trace(path: &Path) -> bool {
    if path.is_dir() {
        return folder_logs(path).is_ok_and(|logs| !logs.is_empty());
    }
    is_trace_start(&start_of(path))
}

/// Whether `path` is a file without a byte.
fn is_empty(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.len() == 0)
}

/// Whether `path` is a file of JSON lines.
pub fn is_lines(path: &Path) -> bool {
    lines::is_lines(&start_of(path))
}

/// Whether `path` is a `.ti` file as ttb writes it: its first record is a term.
pub fn is_info(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "ti") && start_of(path).get(1) == Some(&131)
}

/// What sniffing looks at; nothing of what is no file or cannot be read.
fn start_of(path: &Path) -> Vec<u8> {
    let mut start = Vec::new();
    if !path.is_file() {
        // Opening a pipe would wait for somebody who writes.
        return start;
    }
    let read = fs::File::open(path).and_then(|file| file.take(SNIFF_BYTES).read_to_end(&mut start));
    read.map_or(Vec::new(), |_| start)
}

/// The logs that `paths` name: files of one set (`name0.trace`, `name1.trace` ..) are one log. Errors: nothing there or in
/// any of them, or something else than traces.
pub fn find(paths: &[PathBuf]) -> Outcome<Vec<TraceLog>> {
    let mut logs: Vec<TraceLog> = Vec::new();
    let mut known: BTreeSet<PathBuf> = BTreeSet::new();
    for path in paths {
        for log in logs_of(path)? {
            // A set may be named by one of its files, by all, and by its folder; a file in several ways.
            let mut is_new = |path: &PathBuf| known.insert(path.canonicalize().unwrap_or_else(|_| path.clone()));
            let parts = log.parts.into_iter().filter(|part| is_new(&part.path)).collect();
            let empty = log.empty.into_iter().filter(|path| is_new(path)).collect();
            logs.extend(Some(TraceLog { parts, info: log.info, empty }).filter(TraceLog::has_file));
        }
    }
    let logs = join_sets(logs);
    if logs.iter().all(|log| log.parts.is_empty())
        && let Some(empty) = logs.iter().find_map(|log| log.empty.first())
    {
        return Err(no_trace(empty));
    }
    let n_files: usize = logs.iter().map(|log| log.parts.len()).sum();
    if n_files > IMPORT_FILES_MAX {
        let how = tripped("IMPORT_FILES_MAX", IMPORT_FILES_MAX, "open fewer of them at once");
        return Err(Failure::new(FailureKind::Limit, format!("{n_files} trace files; {how}")));
    }
    Ok(logs)
}

/// Makes one log of single files whose names differ by a number only and whose first messages are of one node; an empty one
/// goes with the first set that its name fits.
fn join_sets(logs: Vec<TraceLog>) -> Vec<TraceLog> {
    type Set = (PathBuf, String, String, Option<Origin>);
    let mut sets: BTreeMap<usize, (Set, Vec<(u64, PathBuf)>)> = BTreeMap::new();
    let mut alone = Vec::new();
    let (empty, filled): (Vec<_>, Vec<_>) = logs.into_iter().enumerate().partition(|(_, log)| log.parts.is_empty());
    for (place, log) in filled.into_iter().chain(empty) {
        let only = match (&log.parts[..], &log.empty[..], &log.info) {
            ([Part { path, .. }], [], None) | ([], [path], None) => Some(path.clone()),
            _ => None,
        };
        let Some((path, (folder, base, number, suffix))) = only.and_then(|path| Some((path.clone(), numbered(&path)?)))
        else {
            alone.push((place, log));
            continue;
        };
        let set = (folder, base, suffix, first_message(&path).map(|(origin, _)| origin));
        let is_same = |known: &Set| {
            (&known.0, &known.1, &known.2) == (&set.0, &set.1, &set.2) && (log.parts.is_empty() || known.3 == set.3)
        };
        match sets.values_mut().find(|(known, _)| is_same(known)) {
            Some((_, members)) => members.push((number, path)),
            None => drop(sets.insert(place, (set, vec![(number, path)]))),
        }
    }
    alone.extend(sets.into_iter().map(|(place, (_, members))| (place, TraceLog::of_set(members, None))));
    alone.sort_by_key(|(place, _)| *place);
    alone.into_iter().map(|(_, log)| log).collect()
}

/// Folder, name before the number, number, and what follows it up to the end: of `run/shop12.trace` `run`, `shop`, 12, `.trace`.
fn numbered(path: &Path) -> Option<(PathBuf, String, u64, String)> {
    let name = path.file_name()?.to_str()?;
    let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
    let begin = name[..end].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    Some((folder, name[..begin].to_string(), name[begin..end].parse().ok()?, name[end..].to_string()))
}

/// The node and the time of a file's first trace message.
pub fn first_message(path: &Path) -> Option<(Origin, Option<Stamp>)> {
    let mut start = Vec::new();
    fs::File::open(path).and_then(|file| file.take(FIRST_MESSAGE_BYTES).read_to_end(&mut start)).ok()?;
    let mut frames = Frames::new(&start, "");
    let mut defects = Defects::default();
    while let Some(frame) = frames.next(&mut defects) {
        let Frame::Term { offset, body } = frame else { continue };
        let message = Message::read(body);
        if message.is_none() {
            frames.is_whole(offset, body, &mut defects);
        }
        if let Some(Message::Trace(trace)) = message {
            return Some((trace.who.origin(), trace.stamp.map(|(stamp, _)| stamp)));
        }
    }
    None
}

/// The logs that `path` names.
fn logs_of(path: &Path) -> Outcome<Vec<TraceLog>> {
    let shown = path.display();
    path.metadata().map_err(|error| Failure::unreadable(path, &error))?;
    let logs = if path.is_dir() {
        folder_logs(path)?
    } else if is_trace(path) || is_empty(path) {
        vec![file_log(path)?]
    } else {
        return Err(no_trace(path));
    };
    if logs.is_empty() {
        return Err(Failure::bad_input(format!("{shown} is a folder without ttb logs (files with a .ti beside them)")));
    }
    Ok(logs)
}

/// Why nothing can be imported from `path`, and what it may be.
fn no_trace(path: &Path) -> Failure {
    let shown = path.display();
    let is = |what: &str, hint: String| Failure::bad_input(format!("{shown} is {what}")).hint(hint);
    // Its name before it was compressed.
    let without = |extension: &str| match path.extension().is_some_and(|own| own == extension) {
        true => path.with_extension("").display().to_string(),
        false => "node.trace".to_string(),
    };
    match &start_of(path)[..] {
        _ if !path.is_file() => {
            is("no regular file: what is imported is mapped, not streamed", "write it to a file, and import that".into())
        }
        [] => is("empty", "a tracer writes when its buffer is full: dbg:flush_trace_port(), dbg:stop() or ttb:stop()".into()),
        [0x1F, 0x8B, ..] => is("compressed by gzip", format!("zcat {shown} > {0}, and open {0}", without("gz"))),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => is("compressed by zstd", format!("zstd -d {shown} -o {0}, and open {0}", without("zst"))),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            is("text in UTF-16", format!("iconv -f UTF-16 -t UTF-8 {shown} > events.jsonl, and import that"))
        }
        start if is_mangled(start) => is(MANGLED, "transfer it again, as binary".into()),
        _ => Failure::bad_input(format!(
            "{shown} is neither a binary trace file (no trace message frame (0, u32 size, 131) at byte 0) nor JSON lines \
             (no object at byte 0)"
        ))
        .hint("export_to(\"jsonl\", path) writes events as JSON lines, an object each")
        .hint("write one with dbg:tracer(port, dbg:trace_port(file, \"x.trace\")) or ttb:tracer(..)"),
    }
}

/// What [`is_mangled`] finds.
pub const MANGLED: &str = "damaged all over, as a transfer as text does it: before each byte 10 is a byte 13";

/// Bytes of a file in which its line feeds are looked at, and how many there have to be at least.
const MANGLED_BYTES: usize = 64 << 10;
const MANGLED_FEEDS_MIN: usize = 3;

/// Whether a binary file seems to have become text with carriage returns on its way.
pub fn is_mangled(bytes: &[u8]) -> bool {
    let bytes = &bytes[..bytes.len().min(MANGLED_BYTES)];
    let n_feeds = bytes.iter().filter(|byte| **byte == b'\n').count();
    n_feeds >= MANGLED_FEEDS_MIN && bytes.windows(2).filter(|pair| pair == b"\r\n").count() == n_feeds
}

/// A single file; when it is one of a wrapped set (`name.3.wrp`), the whole set.
fn file_log(path: &Path) -> Outcome<TraceLog> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = |info: String| Some(folder.join(info)).filter(|info| info.is_file());
    match name.strip_suffix(".wrp").map(|stem| stem.trim_end_matches(|c: char| c.is_ascii_digit())) {
        Some(base) if base.len() + ".wrp".len() < name.len() => {
            let members = wrapped(folder, &file_names(folder)?, base);
            Ok(TraceLog::of_set(members, beside(format!("{}.ti", base.trim_end_matches('.')))))
        }
        _ => Ok(TraceLog::alone(path, beside(format!("{name}.ti")))),
    }
}

/// The logs of a ttb folder: every `.ti` file and the log, or the wrapped set, that it belongs to.
fn folder_logs(folder: &Path) -> Outcome<Vec<TraceLog>> {
    let names = file_names(folder)?;
    let mut logs = Vec::new();
    for info in names.iter().filter(|name| name.ends_with(".ti")) {
        let base = &info[..info.len() - ".ti".len()];
        let path = Some(folder.join(info));
        let log = match names.iter().find(|name| *name == base) {
            Some(whole) => TraceLog::alone(&folder.join(whole), path),
            None => TraceLog::of_set(wrapped(folder, &names, &format!("{base}.")), path),
        };
        logs.extend(Some(log).filter(TraceLog::has_file));
    }
    Ok(logs)
}

fn file_names(folder: &Path) -> Outcome<Vec<String>> {
    let failed = |error: std::io::Error| Failure::io(format!("cannot list {}: {error}", folder.display()));
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The files `BASE` number `.wrp` among the `names` in `folder`, with their numbers.
fn wrapped(folder: &Path, names: &[String], base: &str) -> Vec<(u64, PathBuf)> {
    let number_of = |name: &str| name.strip_prefix(base)?.strip_suffix(".wrp")?.parse::<u64>().ok();
    names.iter().filter_map(|name| Some((number_of(name)?, folder.join(name)))).collect()
}

/// The numbered files of a set, oldest first: by the times of their first messages or, where one has none, by their numbers. A
/// wrapped log deletes the file that it will write next, so the numbers have one gap and the oldest file is the one
/// after it (runtime_tools, dbg:trace_port/2); what is missing between two that follow each other is lost. Those that are
/// empty come second.
fn in_order(mut members: Vec<(u64, PathBuf)>) -> (Vec<Part>, Vec<PathBuf>) {
    members.sort();
    let gap = members.windows(2).position(|pair| pair[1].0 != pair[0].0 + 1);
    members.rotate_left(gap.map_or(0, |gap| gap + 1));
    let (empty, mut members): (Vec<_>, Vec<_>) = members.into_iter().partition(|(_, path)| is_empty(path));
    let stamp_of = |(_, path): &(u64, PathBuf)| first_message(path).and_then(|(_, stamp)| stamp);
    let stamps: Vec<Option<Stamp>> = members.iter().map(stamp_of).collect();
    if stamps.iter().all(Option::is_some) {
        let mut stamped: Vec<_> = stamps.into_iter().zip(members).collect();
        stamped.sort_by_key(|(stamp, _)| *stamp);
        members = stamped.into_iter().map(|(_, member)| member).collect();
    }
    let numbers: Vec<u64> = members.iter().map(|(number, _)| *number).collect();
    let missing = |idx: usize| match idx.checked_sub(1).map(|before| numbers[before]) {
        Some(before) => {
            let between = before.saturating_add(1)..numbers[idx];
            let n_empty = empty.iter().filter(|(number, _)| between.contains(number)).count() as u64;
            between.end.saturating_sub(between.start).saturating_sub(n_empty)
        }
        None => 0,
    };
    // Numbers far apart (dates, times of day) count something else than files.
    let n_missing = (0..numbers.len()).fold(0, |sum: u64, idx| sum.saturating_add(missing(idx)));
    let is_counting = n_missing <= numbers.len() as u64;
    let n_missing = (0..numbers.len()).map(|idx| if is_counting { missing(idx) } else { 0 }).collect::<Vec<_>>();
    let parts = members.into_iter().zip(n_missing).map(|((_, path), n_missing)| Part { path, n_missing });
    (parts.collect(), empty.into_iter().map(|(_, path)| path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_set_begins_after_its_gap() {
        let names = |numbers: &[u32]| numbers.iter().map(|n| format!("t.{n}.wrp")).collect::<Vec<_>>();
        let ordered = |numbers: &[u32], base: &str| -> Vec<String> {
            let (parts, _) = in_order(wrapped(Path::new(""), &names(numbers), base));
            assert!(parts.iter().all(|part| part.n_missing == 0));
            parts.iter().map(|part| part.path.display().to_string()).collect()
        };
        assert_eq!(ordered(&[0, 1, 2], "t."), names(&[0, 1, 2]));
        assert_eq!(ordered(&[0, 1, 3, 4], "t."), names(&[3, 4, 0, 1]));
        assert_eq!(ordered(&[1, 2], "t."), names(&[1, 2]));
        assert_eq!(ordered(&[1], "other."), Vec::<String>::new());
    }

    #[test]
    fn a_second_gap_of_a_wrapped_set_is_files_that_are_missing() {
        let missing = |numbers: &[u64]| -> Vec<u64> {
            let members = numbers.iter().map(|number| (*number, PathBuf::from(format!("t{number}")))).collect();
            in_order(members).0.iter().map(|part| part.n_missing).collect()
        };
        assert_eq!(missing(&[0, 1, 3, 5, 6]), [0, 1, 0, 0, 0], "3, none of 4, 5, 6, and round to 0, 1");
        assert_eq!(missing(&[20260101, 20260204, 20260305]), [0, 0, 0], "no numbers of files");
    }

    #[test]
    fn a_name_is_cut_at_its_last_number() {
        let cut = |name: &str| numbered(Path::new(name)).map(|(_, base, number, suffix)| (base, number, suffix));
        assert_eq!(cut("run/a2b10.trace"), Some(("a2b".into(), 10, ".trace".into())));
        assert_eq!(cut("7"), Some((String::new(), 7, String::new())));
        assert_eq!(cut("node.trace"), None);
    }
}
