//! The one error that a user meets: what failed, why, and the next command to type.
//! It must not know how it is shown.

use std::fmt;
use std::io;
use std::path::Path;

/// What sort of failure this is; it decides the exit code and the colour, not the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Wrong words: flags, arguments, names. Exit code 2 on the command line.
    Usage,
    /// The source cannot do this; names a capability.
    Unsupported,
    /// Not found: file, process, mark, breakpoint.
    NotFound,
    /// Bytes or text that are not what they claim to be; the text names the offset.
    BadInput,
    /// A script failed; the text has line and column.
    Script,
    /// A named limit was tripped.
    Limit,
    /// The operating system said no.
    Io,
    /// The user interrupted. Exit code 130.
    Interrupted,
    /// The timeline's end or beginning was reached.
    Edge,
}

/// A failure with hints. Hints are whole commands or sentences that a user can act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    pub error: String,
    pub hints: Vec<String>,
}

impl Failure {
    /// Makes a failure without hints; `error` is lower case and holds the value and the limit.
    pub fn new(kind: FailureKind, error: impl Into<String>) -> Failure {
        Failure { kind, error: error.into(), hints: Vec::new() }
    }
    pub fn usage(error: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Usage, error)
    }
    pub fn not_found(error: impl Into<String>) -> Failure {
        Failure::new(FailureKind::NotFound, error)
    }
    pub fn bad_input(error: impl Into<String>) -> Failure {
        Failure::new(FailureKind::BadInput, error)
    }
    pub fn unsupported(error: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Unsupported, error)
    }
    pub fn io(error: impl Into<String>) -> Failure {
        Failure::new(FailureKind::Io, error)
    }
    /// A file that the system does not let us read.
    pub fn unreadable(path: &Path, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::NotFound => Failure::not_found(format!("no file {}", path.display()))
                .hint("ls shows what is there; paths are relative to where cinema runs"),
            _ => Failure::io(format!("cannot read {}: {error}", path.display())),
        }
    }
    pub fn interrupted() -> Failure {
        Failure::new(FailureKind::Interrupted, "interrupted")
    }
    /// Adds a hint: the next command to type.
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hints.push(hint.into());
        self
    }
    /// Error and hints without line breaks, for where a line is all the room.
    pub fn in_one_line(&self) -> String {
        match self.hints.is_empty() {
            true => self.error.clone(),
            false => format!("{} (hint: {})", self.error, self.hints.join("; ")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        for hint in &self.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// The result of everything that a user can ask for.
pub type Outcome<T> = Result<T, Failure>;
