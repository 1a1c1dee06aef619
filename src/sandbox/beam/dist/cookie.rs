//! The cookie: the secret that lets a node in. It is never printed, and only its digest leaves us.
//! It must not know connections.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::model::{Failure, Outcome};

/// A cookie is an atom for Erlang.
const COOKIE_BYTES_MAX: usize = 255;

/// A secret shared with a node. `Debug` and `Display` show `[cookie]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    /// As Latin-1, which is what Erlang digests.
    bytes: Vec<u8>,
}

impl Cookie {
    /// The cookie that a user typed.
    pub fn from_text(text: &str) -> Outcome<Cookie> {
        let latin1: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        let bytes = latin1.ok_or_else(|| Failure::usage("the cookie has a character beyond Latin-1"))?;
        Cookie::checked(bytes, "the cookie")
    }

    /// The cookie in a file, as Erlang reads it: the first line.
    pub fn from_file(path: &Path) -> Outcome<Cookie> {
        let shown = path.display();
        let text = std::fs::read(path).map_err(|error| {
            Failure::io(format!("cannot read the cookie file {shown}: {error}"))
                .hint("give the cookie by --cookie TEXT, or its file by --cookie-file FILE")
        })?;
        let end = text.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(text.len());
        if !text[end..].iter().all(u8::is_ascii_whitespace) {
            return Err(Failure::bad_input(format!("the cookie file {shown} has more than one line")));
        }
        Cookie::checked(text[..end].to_vec(), &format!("the cookie in {shown}"))
    }

    /// The cookie that Erlang itself would take here: `~/.erlang.cookie`, else `erlang/.erlang.cookie` under
    /// the user's configuration folder.
    pub fn from_home() -> Outcome<Cookie> {
        let home = std::env::home_dir().ok_or_else(|| {
            Failure::io("no cookie: HOME is not set").hint("give the cookie by --cookie TEXT or --cookie-file FILE")
        })?;
        let main = home.join(".erlang.cookie");
        let config = std::env::var_os("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
        let other = config.join("erlang/.erlang.cookie");
        Cookie::from_file(if !main.exists() && other.exists() { &other } else { &main })
    }

    fn checked(bytes: Vec<u8>, what: &str) -> Outcome<Cookie> {
        if bytes.is_empty() {
            return Err(Failure::bad_input(format!("{what} is empty")));
        }
        if bytes.len() > COOKIE_BYTES_MAX {
            let n = bytes.len();
            return Err(Failure::bad_input(format!("{what} has {n} characters, at most {COOKIE_BYTES_MAX}")));
        }
        if let Some(idx) = bytes.iter().position(u8::is_ascii_control) {
            return Err(Failure::bad_input(format!("{what} has a control character at position {idx}")));
        }
        Ok(Cookie { bytes })
    }

    /// The answer to a challenge: the MD5 of the cookie and the decimal challenge (kernel, dist_util.erl).
    pub fn digest(&self, challenge: u32) -> [u8; 16] {
        let mut context = md5::Context::new();
        context.consume(&self.bytes);
        context.consume(challenge.to_string());
        context.finalize().0
    }
}

/// What Erlang would say of a cookie file that others can read; it would not start with it.
pub fn permission_note(path: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let shown = path.display();
            return Some(format!("the cookie file {shown} can be read by others (mode {mode:o}): chmod 400 {shown}"));
        }
    }
    None
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[cookie]")
    }
}
impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[cookie]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: [u8; 16]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_digest_is_erlangs() {
        // erlang:md5(["xyzzy" | integer_to_list(4026531841)]), of OTP 25.
        let cookie = Cookie::from_text("xyzzy").unwrap();
        assert_eq!(hex(cookie.digest(4_026_531_841)), "dfa4f55fc5d612e6bc4128c865b0a286");
        assert_eq!(format!("{cookie} {cookie:?}"), "[cookie] [cookie]");
    }

    #[test]
    fn files_and_their_faults() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cookie");
        let read = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            Cookie::from_file(&path).map_err(|failure| failure.error.replace(&*path.to_string_lossy(), "FILE"))
        };
        let plain = Cookie::from_text("SECRET").unwrap();
        assert_eq!(read(b"SECRET\n"), Ok(plain.clone()));
        assert_eq!(read(b"SECRET\r\n\n"), Ok(plain.clone()));
        assert_eq!(read(b"SECRET"), Ok(plain));
        assert_eq!(read(b"\n"), Err("the cookie in FILE is empty".to_string()));
        assert_eq!(read(b"A\nB\n"), Err("the cookie file FILE has more than one line".to_string()));
        assert_eq!(read(b"A\x07"), Err("the cookie in FILE has a control character at position 1".to_string()));
        assert_eq!(read(&[b'x'; 256]), Err("the cookie in FILE has 256 characters, at most 255".to_string()));
        assert_eq!(read(&[0xe9]), Ok(Cookie::from_text("é").unwrap()), "a file is Latin-1 for Erlang");
        assert!(Cookie::from_text("€").is_err());
        let missing = Cookie::from_file(Path::new("/no/such/cookie")).unwrap_err();
        assert!(missing.error.starts_with("cannot read the cookie file /no/such/cookie"), "{missing}");
        assert!(missing.hints[0].contains("--cookie-file"));
    }

    #[cfg(unix)]
    #[test]
    fn an_open_file_is_only_noted() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cookie");
        std::fs::write(&path, "A").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(permission_note(&path).unwrap().contains("mode 644"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(permission_note(&path), None);
    }
}
