//! The files of a recorder: one, or numbered ones of which the oldest go. It must not know what is in them.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use crate::model::{Failure, Outcome};

pub(super) struct Files {
    out: Option<PathBuf>,
    n_kept: Option<usize>,
    n_next: u32,
    written: VecDeque<Written>,
    n_bytes: u64,
    /// Whether something is not where it belongs.
    is_elsewhere: bool,
}

/// A file that is there.
struct Written {
    path: PathBuf,
    n_events: u64,
}

impl Files {
    /// Numbers go on behind those of files that are there already: nothing of an earlier recorder is written over.
    pub fn new(out: Option<PathBuf>, n_kept: Option<usize>) -> Files {
        let n_next = out.as_deref().map_or(1, |out| last_number(out) + 1);
        Files { out, n_kept, n_next, written: VecDeque::new(), n_bytes: 0, is_elsewhere: false }
    }

    /// What was written and is there, oldest first.
    pub fn written(&self) -> Vec<PathBuf> {
        self.written.iter().map(|file| file.path.clone()).collect()
    }
    /// Events in what is there; `None` when nothing was written.
    pub fn n_events(&self) -> Option<u64> {
        (!self.written.is_empty()).then(|| self.written.iter().map(|file| file.n_events).sum())
    }
    /// Whether what found no room where it belongs was written elsewhere.
    pub fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }
    /// Bytes of all that was written.
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Writes the file that was named; says so.
    pub fn write(&mut self, save: impl FnOnce(&Path) -> Outcome<u64>) -> Outcome<String> {
        let path = self.out.clone().ok_or_else(|| Failure::usage("record: out is missing: where to?"))?;
        self.save(path, save)
    }

    /// Writes the next numbered one, and removes the oldest when there are too many.
    pub fn write_next(&mut self, save: impl FnOnce(&Path) -> Outcome<u64>) -> Outcome<String> {
        let out = self.out.as_deref().ok_or_else(|| Failure::usage("record: out is missing: where to?"))?;
        let told = self.save(numbered(out, self.n_next), save)?;
        self.n_next += 1;
        while self.n_kept.is_some_and(|n_kept| self.written.len() > n_kept)
            && let Some(oldest) = self.written.pop_front()
        {
            let path = oldest.path;
            std::fs::remove_file(&path)
                .map_err(|error| Failure::io(format!("cannot remove {}: {error}", path.display())))?;
        }
        Ok(told)
    }

    /// Writes what found no room where it belongs into the system's folder for temporary files, when it fits there; gives
    /// `failure` with where it is.
    pub fn write_elsewhere(&mut self, failure: Failure, save: impl FnOnce(&Path) -> Outcome<u64>) -> Failure {
        let Some(name) = self.out.as_deref().and_then(Path::file_name) else { return failure };
        let path = std::env::temp_dir().join(format!("{}-{}", std::process::id(), name.to_string_lossy()));
        match save(&path) {
            Ok(n_events) => {
                let place = path.display().to_string();
                self.written.push_back(Written { path, n_events });
                self.is_elsewhere = true;
                Failure { error: format!("{}; {n_events} events are in {place} instead", failure.error), ..failure }
            }
            Err(_) => failure,
        }
    }

    fn save(&mut self, path: PathBuf, save: impl FnOnce(&Path) -> Outcome<u64>) -> Outcome<String> {
        let n_events = save(&path)?;
        Ok(self.note(&path, n_events))
    }

    /// Notes a file of so many events that is there; says so.
    pub fn note(&mut self, path: &Path, n_events: u64) -> String {
        let n_bytes = std::fs::metadata(path).map_or(0, |meta| meta.len());
        self.n_bytes += n_bytes;
        self.written.push_back(Written { path: path.to_path_buf(), n_events });
        format!("saved {n_events} events, {n_bytes} bytes, to {}", path.display())
    }
}

/// `flight-0007.cinema` of `flight.cinema`.
fn numbered(out: &Path, n: u32) -> PathBuf {
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!("{stem}-{n:04}.cinema"))
}

/// The largest number that a file beside `out` has; 0 without one.
fn last_number(out: &Path) -> u32 {
    let stem = out.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let number = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.ok()?.file_name();
        let name = name.to_str()?.strip_prefix(&stem)?.strip_prefix('-')?.strip_suffix(".cinema")?;
        name.parse::<u32>().ok()
    };
    // A folder that cannot be read is told of when a file is to be written.
    std::fs::read_dir(folder).map_or(0, |entries| entries.filter_map(number).max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("flight.cinema");
        std::fs::write(folder.path().join("flight-0007.cinema"), "kept").unwrap();
        std::fs::write(folder.path().join("flight-x.cinema"), "").unwrap();
        let mut files = Files::new(Some(out.clone()), Some(2));
        let save =
            |path: &Path| std::fs::write(path, "12345").map(|()| 7).map_err(|error| Failure::io(error.to_string()));
        for _ in 0..3 {
            // What could not be written takes no number.
            files.write_next(|_| Err(Failure::io("full"))).unwrap_err();
            files.write_next(save).unwrap();
        }
        let names = |n: u32| folder.path().join(format!("flight-{n:04}.cinema"));
        assert_eq!(files.written(), [names(9), names(10)]);
        assert!(names(7).exists() && !names(8).exists());
        files.write(save).unwrap();
        assert_eq!((files.n_bytes(), files.n_events(), files.written().last()), (20, Some(21), Some(&out)));
        let nowhere = Files::new(None, None).write(save).unwrap_err();
        assert_eq!(nowhere.error, "record: out is missing: where to?");
        // What finds no room at the end goes where there is some.
        let told = files.write_elsewhere(Failure::io("the disk is full"), save);
        assert!(told.error.starts_with("the disk is full; 7 events are in ") && files.is_elsewhere(), "{}", told.error);
        let elsewhere = files.written().pop().unwrap();
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "12345");
        std::fs::remove_file(elsewhere).unwrap();
    }
}
