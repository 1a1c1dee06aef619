//! What is secret: names of fields, and patterns of text. It must not know terms.

use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::model::limits::{REDACTION_PATTERN_BYTES_MAX, REDACTION_RULES_MAX};
use crate::model::{Failure, Outcome};

/// Names of fields that are secret without being told so.
pub const DEFAULT_FIELDS: &[&str] = &[
    "password",
    "passwords",
    "password_hash",
    "password_digest",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "secrets",
    "secret_key",
    "secret_key_base",
    "token",
    "tokens",
    "jwt",
    "api_key",
    "access_key",
    "private_key",
    "encryption_key",
    "signing_key",
    "session_key",
    "authorization",
    "cookie",
    "cookies",
    "credential",
    "credentials",
];

/// Names and patterns, ready to be looked for.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Names in lower case, without separators, backwards; by their first byte, which is the name's last.
    names: Vec<Box<[u8]>>,
    /// Where the names that begin with a byte begin in `names`.
    starts: Vec<u16>,
    patterns: RegexSet,
}

impl Default for Rules {
    /// The default fields, no patterns.
    fn default() -> Rules {
        Rules::new(DEFAULT_FIELDS, &[] as &[&str]).expect("the default fields are names")
    }
}

impl Rules {
    /// Rules of these names and patterns. A pattern is a regular expression over bytes, in the syntax of the crate
    /// `regex` without Unicode classes. Errors: a name without a letter, a pattern that is none, too many.
    pub fn new<F: AsRef<str>, P: AsRef<str>>(fields: &[F], patterns: &[P]) -> Outcome<Rules> {
        let n_rules = fields.len() + patterns.len();
        if n_rules > REDACTION_RULES_MAX {
            return Err(Failure::usage(format!(
                "{n_rules} redaction rules (limit REDACTION_RULES_MAX: {REDACTION_RULES_MAX})"
            )));
        }
        let mut names = fields.iter().map(|field| name(field.as_ref())).collect::<Outcome<Vec<_>>>()?;
        names.sort_unstable();
        names.dedup();
        let starts = (0..=256).map(|byte| names.partition_point(|name| usize::from(name[0]) < byte) as u16).collect();
        let patterns: Vec<&str> = patterns.iter().map(AsRef::as_ref).collect();
        let set = RegexSetBuilder::new(&patterns).unicode(false).size_limit(REDACTION_PATTERN_BYTES_MAX).build();
        let patterns = set.map_err(|error| {
            Failure::usage(format!("redact: {error}"))
                .hint("redact: #{patterns: [\"AKIA[0-9A-Z]{16}\"]}")
                .hint("classes of Unicode (\\p{..}) are not known here: patterns see bytes")
        })?;
        Ok(Rules { names, starts, patterns })
    }

    /// Whether `key` names a secret: it is one of the names, or ends with one, whatever the case and the separators
    /// (`db_password`, `X-Auth-Token`, `accessToken`, `authtoken`). A short name must be a word of its own: `pwd` is not in
    /// `rpwd`. About 10 ns.
    pub fn is_secret_name(&self, key: &[u8]) -> bool {
        let Some(last) = key.iter().rposition(|byte| !is_separator(*byte)) else { return false };
        let group = usize::from(key[last].to_ascii_lowercase());
        let names = &self.names[usize::from(self.starts[group])..usize::from(self.starts[group + 1])];
        names.iter().any(|name| ends_with_word(&key[..=last], name))
    }

    /// Whether a secret can be read in `text`: a pattern matches, or a name is followed by a value, as in JSON, forms,
    /// headers, XML, and terms that were printed (`"password": "x"`, `password=x`, `{password,"x"}`).
    pub fn is_secret_text(&self, text: &[u8]) -> bool {
        (!self.names.is_empty() && self.names_a_value(text))
            || (!self.patterns.is_empty() && self.patterns.is_match(text))
    }

    fn names_a_value(&self, text: &[u8]) -> bool {
        let named = |at: usize| self.ends_with_name(&text[..at], b"") && has_value(&text[at + 1..]);
        let in_a_pair = |at: usize| self.ends_with_name(&text[..at], b"{") && has_value(&text[at + 1..]);
        let in_a_tag = |at: usize| self.ends_with_name(&text[..at], b"<:");
        memchr::memchr2_iter(b':', b'=', text).any(named)
            || memchr::memchr_iter(b',', text).any(in_a_pair)
            || memchr::memchr_iter(b'>', text).any(in_a_tag)
    }

    /// Whether `text` ends with a secret's name, quoted or not; before the word that it ends is one of `openers`, if
    /// any are given.
    fn ends_with_name(&self, text: &[u8], openers: &[u8]) -> bool {
        let Some(last) = text.iter().rev().take(QUOTES_MAX).position(|byte| !is_quote(*byte)) else { return false };
        let text = &text[..text.len() - last];
        if !self.is_secret_name(text) {
            return false;
        }
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(*byte, b'_' | b'-');
        let mut before = text.iter().rev().skip_while(|byte| is_word(byte)).skip_while(|byte| is_quote(**byte));
        match before.next() {
            _ if openers.is_empty() => true,
            // Elixir's atoms have a colon before them.
            Some(b':') if openers == b"{" => before.next() == Some(&b'{'),
            Some(byte) => openers.contains(byte),
            None => false,
        }
    }
}

/// Quotes and spaces between a name and what follows it.
const QUOTES_MAX: usize = 8;

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'\\' | b'`' | b' ' | b'\t')
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.' | b' ')
}

/// Whether anything stands where a value is expected.
fn has_value(text: &[u8]) -> bool {
    text.iter().any(|byte| !is_quote(*byte) && !matches!(byte, b'\r' | b'\n'))
}

/// A field's name as it is compared: lower case, without separators, backwards.
fn name(field: &str) -> Outcome<Box<[u8]>> {
    let bytes = field.bytes().rev().filter(|byte| !is_separator(*byte)).map(|byte| byte.to_ascii_lowercase());
    let name: Box<[u8]> = bytes.collect();
    if name.is_empty() {
        return Err(Failure::usage(format!("redact: {field:?} names no field"))
            .hint("redact: #{fields: [\"pin\", \"card_number\"]}"));
    }
    Ok(name)
}

/// Letters from which on a name is one in the middle of a word, too: so long, it means nothing else.
const TELLING_LEN: usize = 5;

/// Whether `key` ends with `name` (backwards). A word begins at the start, after what is no letter and no digit, and
/// where small letters give way to a large one.
fn ends_with_word(key: &[u8], name: &[u8]) -> bool {
    let mut left = key;
    let mut first = 0;
    for wanted in name {
        loop {
            let Some((&byte, rest)) = left.split_last() else { return false };
            left = rest;
            if byte.to_ascii_lowercase() == *wanted {
                first = byte;
                break;
            }
            if !is_separator(byte) {
                return false;
            }
        }
    }
    match left.last() {
        Some(before) if before.is_ascii_alphanumeric() || *before >= 0x80 => {
            name.len() >= TELLING_LEN || (first.is_ascii_uppercase() && !before.is_ascii_uppercase())
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_however_it_is_written() {
        let rules = Rules::default();
        let is = |key: &str| rules.is_secret_name(key.as_bytes());
        for key in [
            "password",
            "PASSWORD",
            "Password",
            "db_password",
            "dbPassword",
            "user.password",
            "new-password",
            "apiKey",
            "API_KEY",
            "api-key",
            "x-api-key",
            "Authorization",
            "proxy-authorization",
            "Set-Cookie",
            "secret_key_base",
            "private_key",
            "PrivateKey",
            "access_token",
            "client secret",
            "token_",
            "authtoken",
            "my_pwd",
            "dbPwd",
        ] {
            assert!(is(key), "{key}");
        }
        for key in [
            "",
            "_",
            "passwords_seen",
            "token_server",
            "tokenizer",
            "key",
            "keys",
            "author",
            "cookie_jar",
            "secretary",
            "pass",
            "rpwd",
            "RPWD",
            "\u{e4}jwt",
        ] {
            assert!(!is(key), "{key}");
        }
    }

    #[test]
    fn a_value_with_a_name_is_found_in_text() {
        let rules = Rules::default();
        let is = |text: &str| rules.is_secret_text(text.as_bytes());
        for text in [
            r#"{"user":"ann","password":"hunter2"}"#,
            r#"{"a":1, "apiKey" : 7}"#,
            r#"{\"token\":\"x\"}"#,
            "user=ann&password=hunter2",
            "/login?access_token=abc",
            "Authorization: Basic QWxhZGRpbg==\r\n",
            "GET / HTTP/1.1\r\nCookie: id=1\r\n\r\n",
            "#{password => <<\"x\">>}",
            "%{\"password\" => \"x\"}",
            "[password: \"x\"]",
            "{password,\"x\"}",
            "[{user,\"a\"},{token,<<1,2>>}]",
            "{:secret, 7}",
            "<user><password>x</password></user>",
            "<s:token>x",
            "password := P",
        ] {
            assert!(is(text), "{text}");
        }
        for text in [
            "",
            "password",
            "Password: ",
            "token=",
            "wrong_password",
            "a password was wrong",
            "user,password,email",
            "<password",
            "</password>",
            "author: ann",
            "key=1",
            "::::",
            "====",
            ":",
            "secretary: ann",
        ] {
            assert!(!is(text), "{text}");
        }
    }

    #[test]
    fn patterns_see_bytes() {
        let rules = Rules::new(&["pin"], &["(?i)akia[0-9a-z]{4}", r"^\d{4}-\d{4}$", "sp\u{e4}t", r"\xff\x00"]).unwrap();
        let is = |text: &[u8]| rules.is_secret_text(text);
        assert!(is(b"id AKIA12ab") && is(b"1234-5678") && is("zu spät".as_bytes()) && is(b"\x01\xff\x00"));
        assert!(!is(b"AKIA12") && !is(b"x1234-5678") && !is(b"password=x") && is(b"pin=4711"));
    }

    #[test]
    fn what_is_no_rule_is_an_error() {
        let error = |fields: &[&str], patterns: &[&str]| Rules::new(fields, patterns).unwrap_err();
        assert_eq!(error(&["_"], &[]).error, "redact: \"_\" names no field");
        assert!(error(&[], &["(a"]).error.contains("unclosed group"));
        assert!(
            error(&[], &["a{1000}{1000}{1000}"]).error.contains("size"),
            "{}",
            error(&[], &["a{1000}{1000}"]).error
        );
        assert!(error(&vec!["a"; REDACTION_RULES_MAX + 1], &[]).error.contains("REDACTION_RULES_MAX"));
    }
}
