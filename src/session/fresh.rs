//! Files that appear whole or not at all: written under another name beside their place, and renamed when they are done. What
//! stood there before stays until then. It must not know what is written.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use crate::model::{Failure, Outcome};
use crate::store::Temporary;

/// A file that is being made. Dropped before [`Fresh::keep`], nothing is left of it.
pub struct Fresh {
    /// As the user named it.
    name: PathBuf,
    /// Where it goes in the end; links are followed.
    target: PathBuf,
    /// Where it is until then; `None` for what is no file, such as a device, which is written to as it is.
    temporary: Option<Temporary>,
}

impl Fresh {
    /// Errors: the file that is there already may not be written.
    pub fn at(path: &Path) -> Outcome<Fresh> {
        if !path.is_file() && path.symlink_metadata().is_ok() {
            return Ok(Fresh { name: path.to_path_buf(), target: path.to_path_buf(), temporary: None });
        }
        let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if target.is_file() {
            OpenOptions::new().write(true).open(&target).map_err(|error| cannot_write(path, &error))?;
        }
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let temporary = Temporary::beside(&target, (&format!(".{name}."), ".part"));
        Ok(Fresh { name: path.to_path_buf(), target, temporary: Some(temporary) })
    }

    /// The file as the user named it.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        self.temporary.as_ref().map_or(&self.target, Temporary::path)
    }

    /// Whether something is there that it will be written over.
    pub fn is_replacing(&self) -> bool {
        self.temporary.as_ref().is_none_or(Temporary::is_replacing)
    }

    /// Puts it in its place. Errors: the system's, and somebody else put a file there meanwhile.
    pub fn keep(self) -> Outcome<()> {
        self.temporary.map_or(Ok(()), Temporary::keep).map_err(|error| cannot_write(&self.name, &error))
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::io(format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_there_whole_or_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let given_up = Fresh::at(&path).unwrap();
        fs::write(given_up.path(), "half").unwrap();
        drop(given_up);
        assert_eq!(names(), 0);

        let done = Fresh::at(&path).unwrap();
        fs::write(done.path(), "whole").unwrap();
        done.keep().unwrap();
        let given_up = Fresh::at(&path).unwrap();
        fs::write(given_up.path(), "half").unwrap();
        drop(given_up);
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names()), ("whole", 1));
    }

    #[test]
    fn what_a_killed_process_left_goes_with_the_next_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cinema");
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(600);
        let (dead, alive) = (u32::MAX, std::os::unix::process::parent_id());
        let left = |number: u32, is_old: bool, name: &str| {
            let path = folder.path().join(name.replace("PID", &number.to_string()));
            let file = fs::File::create(&path).unwrap();
            if is_old {
                file.set_modified(old).unwrap();
            }
            path
        };
        let gone = [left(dead, true, ".a.cinema.PID.part"), left(dead - 1, true, "a.cinema.PID.tmp")];
        let stays = [
            left(alive, true, ".a.cinema.PID.part"),
            left(dead - 2, false, ".a.cinema.PID.part"),
            left(dead, true, ".b.cinema.PID.part"),
            left(dead, true, "a.cinema.PID.tmpx"),
        ];
        drop(Fresh::at(&path).unwrap());
        crate::store::Recording::default().save(&path).unwrap();
        assert!(gone.iter().all(|path| !path.exists()) && stays.iter().all(|path| path.exists()));
    }

    #[cfg(unix)]
    #[test]
    fn links_and_devices_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.csv"), folder.path().join("link.csv"));
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let fresh = Fresh::at(&link).unwrap();
        fs::write(fresh.path(), "new").unwrap();
        fresh.keep().unwrap();
        assert!(link.is_symlink() && fs::read_to_string(&path).unwrap() == "new");
        let device = Fresh::at(Path::new("/dev/null")).unwrap();
        assert_eq!(device.path(), Path::new("/dev/null"));
        device.keep().unwrap();
        assert!(Path::new("/dev/null").exists());
    }
}
