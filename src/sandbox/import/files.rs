//! Which files make up a trace: one file, the files of a wrapped set (`dbg:trace_port(file, {Name, wrap,
//! Suffix, ..})`), or a folder of ttb with one log per node. It must not know what is in them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

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
    pub parts: Vec<PathBuf>,
    /// The `.ti` file that ttb left beside it.
    pub info: Option<PathBuf>,
}

/// Whether `path` is a file that begins like a trace file, or a folder as ttb leaves it.
pub fn is_trace(path: &Path) -> bool {
    if path.is_dir() {
        return folder_logs(path).is_ok_and(|logs| !logs.is_empty());
    }
    let mut start = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(SNIFF_BYTES).read_to_end(&mut start));
    read.is_ok() && is_trace_start(&start)
}

/// The logs that `paths` name: files of one set (`name0.trace`, `name1.trace` ..) are one log. Errors: nothing there,
/// or something else than traces.
pub fn find(paths: &[PathBuf]) -> Outcome<Vec<TraceLog>> {
    let mut logs: Vec<TraceLog> = Vec::new();
    for path in paths {
        for log in logs_of(path)? {
            // A set may be named by one of its files, by all, and by its folder.
            let is_new = |part: &PathBuf| logs.iter().all(|known| !known.parts.contains(part));
            let parts: Vec<PathBuf> = log.parts.into_iter().filter(is_new).collect();
            if !parts.is_empty() {
                logs.push(TraceLog { parts, info: log.info });
            }
        }
    }
    let logs = join_sets(logs);
    let n_files: usize = logs.iter().map(|log| log.parts.len()).sum();
    if n_files > IMPORT_FILES_MAX {
        let how = tripped("IMPORT_FILES_MAX", IMPORT_FILES_MAX, "open fewer of them at once");
        return Err(Failure::new(FailureKind::Limit, format!("{n_files} trace files; {how}")));
    }
    Ok(logs)
}

/// Makes one log of single files whose names differ by a number only and whose first messages are of one node: the parts
/// by the time of their first messages, those without time in the order of a wrapped set.
fn join_sets(logs: Vec<TraceLog>) -> Vec<TraceLog> {
    type Set = (PathBuf, String, String, Option<Origin>);
    let mut sets: BTreeMap<usize, (Set, Vec<(u64, TraceLog)>)> = BTreeMap::new();
    let mut alone = Vec::new();
    for (place, log) in logs.into_iter().enumerate() {
        let numbered = match (&log.parts[..], &log.info) {
            ([only], None) => numbered(only).map(|(folder, base, number, suffix)| {
                (number, (folder, base, suffix, first_message(only).map(|(origin, _)| origin)))
            }),
            _ => None,
        };
        let Some((number, set)) = numbered else {
            alone.push((place, log));
            continue;
        };
        match sets.values_mut().find(|(known, _)| *known == set) {
            Some((_, members)) => members.push((number, log)),
            None => drop(sets.insert(place, (set, vec![(number, log)]))),
        }
    }
    let joined = sets.into_iter().map(|(place, (_, mut members))| {
        members.sort_by_key(|(number, _)| *number);
        let numbers: Vec<u64> = members.iter().map(|(number, _)| *number).collect();
        members.rotate_left(oldest_of_wrapped(&numbers));
        let mut parts: Vec<PathBuf> = members.into_iter().flat_map(|(_, log)| log.parts).collect();
        parts.sort_by_cached_key(|part| first_message(part).and_then(|(_, stamp)| stamp));
        (place, TraceLog { parts, info: None })
    });
    alone.extend(joined);
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
fn first_message(path: &Path) -> Option<(Origin, Option<Stamp>)> {
    let mut start = Vec::new();
    fs::File::open(path).and_then(|file| file.take(FIRST_MESSAGE_BYTES).read_to_end(&mut start)).ok()?;
    let mut frames = Frames::new(&start, "");
    let mut defects = Defects::default();
    while let Some(frame) = frames.next(&mut defects) {
        if let Frame::Term { parts, .. } = frame
            && let Some(Message::Trace(trace)) = Message::parse(&parts)
        {
            return Some((trace.who.origin(), trace.stamp.map(|(stamp, _)| stamp)));
        }
    }
    None
}

/// The logs that `path` names.
fn logs_of(path: &Path) -> Outcome<Vec<TraceLog>> {
    let shown = path.display();
    let logs = if path.is_dir() {
        folder_logs(path)?
    } else if !path.exists() {
        return Err(Failure::not_found(format!("no file {shown}")));
    } else if is_trace(path) {
        vec![file_log(path)?]
    } else {
        return Err(Failure::bad_input(format!(
            "{shown} is no binary trace file: no trace message frame (0, u32 size, 131) at byte 0"
        ))
        .hint("write one with dbg:tracer(port, dbg:trace_port(file, \"x.trace\")) or ttb:tracer(..)"));
    };
    if logs.is_empty() {
        return Err(Failure::bad_input(format!("{shown} is a folder without ttb logs (files with a .ti beside them)")));
    }
    Ok(logs)
}

/// A single file; when it is one of a wrapped set (`name.3.wrp`), the whole set.
fn file_log(path: &Path) -> Outcome<TraceLog> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = |info: String| Some(folder.join(info)).filter(|info| info.is_file());
    match name.strip_suffix(".wrp").map(|stem| stem.trim_end_matches(|c: char| c.is_ascii_digit())) {
        Some(base) if base.len() + ".wrp".len() < name.len() => {
            let parts = wrapped_parts(&file_names(folder)?, base).into_iter().map(|part| folder.join(part)).collect();
            Ok(TraceLog { parts, info: beside(format!("{}.ti", base.trim_end_matches('.'))) })
        }
        _ => Ok(TraceLog { parts: vec![path.to_path_buf()], info: beside(format!("{name}.ti")) }),
    }
}

/// The logs of a ttb folder: every `.ti` file and the log, or the wrapped set, that it belongs to.
fn folder_logs(folder: &Path) -> Outcome<Vec<TraceLog>> {
    let names = file_names(folder)?;
    let mut logs = Vec::new();
    for info in names.iter().filter(|name| name.ends_with(".ti")) {
        let base = &info[..info.len() - ".ti".len()];
        let parts = match names.iter().find(|name| *name == base) {
            Some(whole) => vec![whole.clone()],
            None => wrapped_parts(&names, &format!("{base}.")),
        };
        if !parts.is_empty() {
            let parts = parts.into_iter().map(|part| folder.join(part)).collect();
            logs.push(TraceLog { parts, info: Some(folder.join(info)) });
        }
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

/// The files `BASE` number `.wrp`, oldest first. A wrapped log deletes the file that it will write next,
/// so the numbers have one gap and the oldest file is the one after it (runtime_tools, dbg:trace_port/2).
fn wrapped_parts(names: &[String], base: &str) -> Vec<String> {
    let number_of = |name: &str| name.strip_prefix(base)?.strip_suffix(".wrp")?.parse::<u64>().ok();
    let mut parts: Vec<(u64, &String)> = names.iter().filter_map(|name| Some((number_of(name)?, name))).collect();
    parts.sort();
    let numbers: Vec<u64> = parts.iter().map(|(number, _)| *number).collect();
    parts.rotate_left(oldest_of_wrapped(&numbers));
    parts.into_iter().map(|(_, name)| name.clone()).collect()
}

/// The place of the oldest file among the ascending `numbers` of a wrapped set.
fn oldest_of_wrapped(numbers: &[u64]) -> usize {
    numbers.windows(2).position(|pair| pair[1] != pair[0] + 1).map_or(0, |gap| gap + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_set_begins_after_its_gap() {
        let names = |numbers: &[u32]| numbers.iter().map(|n| format!("t.{n}.wrp")).collect::<Vec<_>>();
        assert_eq!(wrapped_parts(&names(&[0, 1, 2]), "t."), names(&[0, 1, 2]));
        assert_eq!(wrapped_parts(&names(&[0, 1, 3, 4]), "t."), names(&[3, 4, 0, 1]));
        assert_eq!(wrapped_parts(&names(&[1, 2]), "t."), names(&[1, 2]));
        assert_eq!(wrapped_parts(&names(&[1]), "other."), Vec::<String>::new());
    }

    #[test]
    fn a_name_is_cut_at_its_last_number() {
        let cut = |name: &str| numbered(Path::new(name)).map(|(_, base, number, suffix)| (base, number, suffix));
        assert_eq!(cut("run/a2b10.trace"), Some(("a2b".into(), 10, ".trace".into())));
        assert_eq!(cut("7"), Some((String::new(), 7, String::new())));
        assert_eq!(cut("node.trace"), None);
    }
}
