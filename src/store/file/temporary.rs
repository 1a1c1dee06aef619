//! Files under a temporary name beside the place that they are for, so that a file is there whole or not at all. What is not
//! put in its place goes, also when the program is ended by a signal ([`remove_all`]). It must not know what is written.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Those that are being written.
static OPEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn open() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what is being written: for who ends the program in the middle of it.
pub fn remove_all() {
    let paths = std::mem::take(&mut *open());
    // What cannot be removed is untidy, no more.
    paths.iter().for_each(|path| drop(fs::remove_file(path)));
}

/// A name for a file that is being made. Dropped before [`Temporary::keep`], nothing is left of it.
#[derive(Debug)]
pub struct Temporary {
    path: PathBuf,
    target: PathBuf,
    /// Whether something was at `target` when this was made: it is what may be written over.
    is_replacing: bool,
}

impl Temporary {
    /// The name `before` + our process's number + `after` in the folder of `target`, so that renaming stays on one file system.
    /// Files of that name and of processes that are no more are removed, when nobody has written them for a while: a folder may
    /// be another machine's, too.
    pub fn beside(target: &Path, (before, after): (&str, &str)) -> Temporary {
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let is_leftover = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(before)?.strip_suffix(after));
            let is_of_dead = number.and_then(|number| number.parse::<u32>().ok()).is_some_and(is_dead);
            let age = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
            is_of_dead && age().is_some_and(|age| age > LEFTOVER_AFTER)
        };
        // A folder that cannot be read is told of when it is written to; a leftover that stays is only untidy.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten().filter(is_leftover) {
            let _ = fs::remove_file(entry.path());
        }
        let path = target.with_file_name(format!("{before}{}{after}", std::process::id()));
        open().insert(path.clone());
        Temporary { path, target: target.to_path_buf(), is_replacing: target.symlink_metadata().is_ok() }
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// Whether something stood in its place when this was made.
    pub fn is_replacing(&self) -> bool {
        self.is_replacing
    }

    /// Puts the file in its place. Errors: the system's; what has come to stand there meanwhile is somebody else's, and stays.
    pub fn keep(self) -> Result<()> {
        if self.is_replacing {
            return fs::rename(&self.path, &self.target);
        }
        // A link never takes another's place, as a rename does; dropping this takes the first name away.
        match fs::hard_link(&self.path, &self.target) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(std::io::Error::new(
                ErrorKind::AlreadyExists,
                "somebody else has written it meanwhile, and it is left as it is",
            )),
            // Not every file system has links.
            Err(_) if self.target.symlink_metadata().is_err() => fs::rename(&self.path, &self.target),
            linked => linked,
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may never have been made, and is gone when it was renamed.
        let _ = fs::remove_file(&self.path);
        open().remove(&self.path);
    }
}

/// Time without a write after which a temporary file of a process that is no more is a leftover.
const LEFTOVER_AFTER: Duration = Duration::from_secs(60);

/// Whether there is no such process. Where the system does not say, there may be one.
fn is_dead(process: u32) -> bool {
    let all = Path::new("/proc");
    all.join("self").exists() && !all.join(process.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cinema");
        let ours = |text: &str| {
            let temporary = Temporary::beside(&path, (".a.", ".part"));
            fs::write(temporary.path(), text).unwrap();
            temporary
        };
        let first = ours("first");
        fs::write(&path, "theirs").unwrap();
        assert_eq!(first.keep().unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        // What stood there before is what was to be written over.
        ours("second").keep().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
