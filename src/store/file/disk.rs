//! What a growing session file asks of the system, so that tests can put a disk in its place that is full, or loses
//! its power. It must not know what is written.

use std::fs::File;
use std::io::Result;
use std::os::unix::fs::FileExt;

/// A file that is written at its end.
pub trait Disk: Send {
    fn write(&mut self, bytes: &[u8], offset: u64) -> Result<()>;
    /// Takes away what lies at or after `n_bytes`.
    fn cut(&mut self, n_bytes: u64) -> Result<()>;
    /// Comes back when all that was written is on the disk.
    fn sync(&mut self) -> Result<()>;
    /// The file to be mapped.
    fn file(&self) -> &File;
}

impl Disk for File {
    fn write(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        self.write_all_at(bytes, offset)
    }
    fn cut(&mut self, n_bytes: u64) -> Result<()> {
        self.set_len(n_bytes)
    }
    fn sync(&mut self) -> Result<()> {
        self.sync_data()
    }
    fn file(&self) -> &File {
        self
    }
}
