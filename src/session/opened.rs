//! Whether an opened file is still the file that was opened: its bytes are read where they lie, and a program that writes over
//! them in place changes what was read. It must not know what is in the file.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::model::{Failure, Outcome};

/// Bytes at either end of a file by which it is known again.
const KNOWN_BYTES: usize = 4 << 10;

/// An opened file. Another that takes its name changes nothing here.
pub struct OpenedFile {
    path: PathBuf,
    file: File,
    len: u64,
    /// The first bytes, and the last ones up to `len`.
    ends: [Vec<u8>; 2],
    changed_at: Cell<Option<SystemTime>>,
    failure: RefCell<Option<Failure>>,
}

impl OpenedFile {
    /// The file at `path` as it is now. Errors: the system's.
    pub fn at(path: &Path) -> std::io::Result<OpenedFile> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let ends = ends(&file, metadata.len())?;
        let changed_at = Cell::new(metadata.modified().ok());
        Ok(OpenedFile {
            path: path.to_path_buf(),
            file,
            len: metadata.len(),
            ends,
            changed_at,
            failure: RefCell::default(),
        })
    }

    /// Errors: it was cut short or written over. A file that grows, as that of a recorder does, is still the same. Costs a
    /// microsecond while nobody writes.
    pub fn check(&self) -> Outcome<()> {
        if let Some(failure) = &*self.failure.borrow() {
            return Err(failure.clone());
        }
        let metadata = self.file.metadata();
        let changed_at = metadata.as_ref().ok().and_then(|metadata| metadata.modified().ok());
        let len = metadata.map_or(0, |metadata| metadata.len());
        if changed_at == self.changed_at.get() && len >= self.len {
            return Ok(());
        }
        self.changed_at.set(changed_at);
        if len >= self.len && ends(&self.file, self.len).is_ok_and(|ends| ends == self.ends) {
            return Ok(());
        }
        let how = if len < self.len { "cut short" } else { "written over" };
        let path = self.path.display();
        let failure =
            Failure::io(format!("{path} was {how} while it was open: what was read of it is not there any more"))
                .hint(format!("open({:?}) reads what is there now", path.to_string()))
                .hint("cp over a file that is open changes it; mv puts another in its place");
        *self.failure.borrow_mut() = Some(failure.clone());
        Err(failure)
    }
}

/// The bytes at the ends of the first `len` bytes of `file`.
fn ends(file: &File, len: u64) -> std::io::Result<[Vec<u8>; 2]> {
    let n = KNOWN_BYTES.min(usize::try_from(len).unwrap_or(KNOWN_BYTES));
    let read = |at: u64| {
        let mut bytes = vec![0; n];
        file.read_exact_at(&mut bytes, at).map(|()| bytes)
    };
    Ok([read(0)?, read(len - n as u64)?])
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn appended(path: &Path, bytes: &[u8]) {
        std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
    }

    #[test]
    fn what_grows_or_is_replaced_is_the_same_and_what_is_written_over_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["a.cinema", "b.cinema"].map(|name| folder.path().join(name));
        let made = || {
            std::fs::write(&path, [7; 10_000]).unwrap();
            OpenedFile::at(&path).unwrap()
        };
        let opened = made();
        appended(&path, b"more");
        opened.check().unwrap();
        std::fs::write(&other, b"new").unwrap();
        std::fs::rename(&other, &path).unwrap();
        opened.check().unwrap();
        for (bytes, how) in [(vec![7; 9_999], "cut short"), (vec![8; 20_000], "written over")] {
            let opened = made();
            std::fs::write(&path, bytes).unwrap();
            let said = opened.check().unwrap_err().to_string();
            assert!(said.contains(how), "{said}");
            assert!(opened.check().is_err(), "it stays so");
        }
    }
}
