//! Which files make up a trace: one file, the files of a wrapped set (`dbg:trace_port(file, {Name, wrap,
//! Suffix, ..})`), or a folder of ttb with one log per node. It must not know what is in them.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::model::limits::{IMPORT_FILES_MAX, tripped};
use crate::model::{Failure, FailureKind, Outcome};
use crate::sandbox::trace::frames::is_trace_start;

/// Bytes that sniffing looks at.
const SNIFF_BYTES: u64 = 4096;

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

/// The logs that `path` names. Errors: nothing there, or something else than traces.
pub fn find(path: &Path) -> Outcome<Vec<TraceLog>> {
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
    let n_files: usize = logs.iter().map(|log| log.parts.len()).sum();
    if n_files > IMPORT_FILES_MAX {
        let how = tripped("IMPORT_FILES_MAX", IMPORT_FILES_MAX, "open fewer of them at once");
        return Err(Failure::new(FailureKind::Limit, format!("{shown} names {n_files} files; {how}")));
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
    let newest = parts.iter().enumerate().position(|(idx, (number, _))| *number != parts[0].0 + idx as u64);
    parts.rotate_left(newest.unwrap_or(0));
    parts.into_iter().map(|(_, name)| name.clone()).collect()
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
}
