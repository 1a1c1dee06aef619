//! Columns that were unpacked from an archive: the first ones stay in memory, the others go to a file without a name, so that the
//! system may take their pages back. It must not know what they mean.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::bytes::{Bytes, Window};
use crate::model::limits;

/// Where the unpacked columns of one file are kept.
#[derive(Debug, Default)]
pub struct Scratch {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    n_held: usize,
    file: Option<File>,
    n_written: usize,
    /// The newest map of the file.
    window: Option<Window>,
}

impl Scratch {
    /// The same bytes, in memory or in the file. What cannot be written stays in memory.
    pub fn keep(&self, bytes: Bytes) -> Bytes {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.n_held + bytes.len() > limits::UNPACKED_BYTES_MAX
            && let Ok(kept) = state.write(&bytes)
        {
            return kept;
        }
        state.n_held += bytes.len();
        bytes
    }
}

impl State {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<Bytes> {
        if self.file.is_none() {
            self.file = Some(nameless()?);
        }
        let file = self.file.as_mut().expect("made in the lines above");
        file.write_all(bytes)?;
        let range = self.n_written..self.n_written + bytes.len();
        self.n_written = range.end;
        let part = self.window.as_ref().and_then(|window| window.part(range.clone()));
        match part {
            Some(part) => Ok(part),
            None => {
                let window = Window::map(file, range.clone())?;
                let part = window.part(range).ok_or(std::io::ErrorKind::UnexpectedEof)?;
                self.window = Some(window);
                Ok(part)
            }
        }
    }
}

/// A file in the folder for temporary files whose name is gone at once: it ends with us.
fn nameless() -> std::io::Result<File> {
    static N_MADE: AtomicU64 = AtomicU64::new(0);
    let n = N_MADE.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("cinema-unpacked-{}-{n}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes held, {} in a file", self.n_held, self.n_written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_goes_to_a_file_and_reads_the_same() {
        let scratch = Scratch::default();
        scratch.state.lock().unwrap().n_held = limits::UNPACKED_BYTES_MAX - 10;
        let kept: Vec<Bytes> =
            (0..20u8).map(|n| scratch.keep(vec![n; 10_000 * usize::from(n % 3) + 5].into())).collect();
        for (n, bytes) in (0u8..).zip(&kept) {
            assert!(bytes.len() % 10_000 == 5 && bytes.iter().all(|byte| *byte == n), "part {n}");
        }
        let n_owned: usize = kept.iter().map(Bytes::owned_len).sum();
        assert!(n_owned <= 10, "{n_owned} bytes are held");
    }
}
