//! Which node is meant, and how this machine is called: `name@host`, `name@host:PORT` (a fixed port, no epmd), or
//! a bare `name` on this machine. A host with a dot makes a long name; nodes with short and with long names do
//! not talk to each other. It must not know sockets.

use std::fmt;

use crate::model::Atom;

/// A node's name is an atom for Erlang.
const NAME_BYTES_MAX: usize = 255;

/// A node that is to be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The part before the `@`: what epmd knows.
    pub name: String,
    pub host: String,
    /// Where the node listens, when epmd is not to be asked.
    pub port: Option<u16>,
}

/// What is wrong with a node's name as it was typed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("`{text}` is no node name: {what}")]
    Text { text: String, what: &'static str },
    #[error("a node name has at most {NAME_BYTES_MAX} bytes, `{start}…` has {n_bytes}")]
    TooLong { start: String, n_bytes: usize },
    #[error("`{text}`: {port} is no port (1 to 65535)")]
    Port { text: String, port: String },
    #[error("the domain of this machine ({host}) is not known: write {name}@HOST.DOMAIN in full")]
    NoDomain { name: String, host: String },
}

/// How this machine is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Without domain.
    pub short: String,
    pub domain: Option<String>,
}

impl Target {
    /// Reads what a user typed. A bare name is completed with this machine's name, by its full one when
    /// `is_long`.
    pub fn parse(text: &str, is_long: bool, machine: &Machine) -> Result<Target, TargetError> {
        let wrong = |what| TargetError::Text { text: text.to_string(), what };
        let (name, place) = match text.split_once('@') {
            Some((name, place)) => (name, Some(place)),
            None => (text, None),
        };
        let (host, port) = match place {
            Some(place) => match place.split_once(':') {
                Some((host, port)) => (host.to_string(), Some(read_port(text, port)?)),
                None => (place.to_string(), None),
            },
            None if is_long => (machine.long_for(name)?, None),
            None => (machine.short.clone(), None),
        };
        if name.is_empty() {
            return Err(wrong("nothing stands before the @"));
        }
        if host.is_empty() {
            return Err(wrong("no host stands behind the @"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) || host.contains('@') || name.contains(':') {
            return Err(wrong("write NAME@HOST, NAME@HOST:PORT, or NAME for a node on this machine"));
        }
        let n_bytes = name.len() + 1 + host.len();
        if n_bytes > NAME_BYTES_MAX {
            return Err(TargetError::TooLong { start: name.chars().take(20).collect(), n_bytes });
        }
        Ok(Target { name: name.to_string(), host, port })
    }

    /// Whether the node goes by a long name.
    pub fn is_long(&self) -> bool {
        self.host.contains('.')
    }

    /// `name@host` as the node itself says it; `None` only when the table of atoms is full.
    pub fn atom(&self) -> Option<Atom> {
        Atom::try_new(&self.to_string()).ok()
    }
}

/// `name@host`, without the port.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.host)
    }
}

fn read_port(text: &str, port: &str) -> Result<u16, TargetError> {
    match port.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(TargetError::Port { text: text.to_string(), port: port.to_string() }),
    }
}

impl Machine {
    /// Asks the operating system: the host name, and the domain as Erlang finds it (inet_db: the host name's
    /// own, else `domain` or the first of `search` in /etc/resolv.conf).
    pub fn here() -> Machine {
        let uname = rustix::system::uname();
        let name = uname.nodename().to_string_lossy();
        Machine::of(&name, &std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
    }

    fn of(host_name: &str, resolv_conf: &str) -> Machine {
        let (short, own) = match host_name.split_once('.') {
            Some((short, domain)) => (short, Some(domain)),
            None => (host_name, None),
        };
        let mut configured = resolv_conf.lines().filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            matches!(words.next(), Some("domain" | "search")).then(|| words.next()).flatten()
        });
        let domain = own.or_else(|| configured.next_back()).filter(|domain| !domain.is_empty() && *domain != ".");
        Machine { short: short.to_string(), domain: domain.map(str::to_string) }
    }

    /// The full name of this machine, when it is known.
    pub fn long(&self) -> Option<String> {
        self.domain.as_ref().map(|domain| format!("{}.{domain}", self.short))
    }

    fn long_for(&self, name: &str) -> Result<String, TargetError> {
        let unknown = || TargetError::NoDomain { name: name.to_string(), host: self.short.clone() };
        self.long().ok_or_else(unknown)
    }

    /// Whether `host` is this machine by a name of its own.
    pub fn is_here(&self, host: &str) -> bool {
        host == "localhost" || host == self.short || self.long().is_some_and(|long| long == host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, is_long: bool) -> Result<String, String> {
        let machine = Machine { short: "box".to_string(), domain: is_long.then(|| "example.org".to_string()) };
        match Target::parse(text, is_long, &machine) {
            Ok(target) => Ok(format!("{target} {:?}", target.port)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn what_a_user_types() {
        assert_eq!(parse("shop@db1", false).as_deref(), Ok("shop@db1 None"));
        assert_eq!(parse("shop@db1:9100", false).as_deref(), Ok("shop@db1 Some(9100)"));
        assert_eq!(parse("shop@10.0.0.7:9100", false).as_deref(), Ok("shop@10.0.0.7 Some(9100)"));
        assert_eq!(parse("shop", false).as_deref(), Ok("shop@box None"));
        assert_eq!(parse("shop", true).as_deref(), Ok("shop@box.example.org None"));
        for (text, error) in [
            ("", "`` is no node name: nothing stands before the @"),
            ("@db1", "`@db1` is no node name: nothing stands before the @"),
            ("shop@", "`shop@` is no node name: no host stands behind the @"),
            ("shop@:1", "`shop@:1` is no node name: no host stands behind the @"),
            ("shop@db1:", "`shop@db1:`:  is no port (1 to 65535)"),
            ("shop@db1:0", "`shop@db1:0`: 0 is no port (1 to 65535)"),
            ("shop@db1:65536", "`shop@db1:65536`: 65536 is no port (1 to 65535)"),
            ("a@b@c", "`a@b@c` is no node name: write NAME@HOST, NAME@HOST:PORT, or NAME for a node on this machine"),
            (
                "shop:9100",
                "`shop:9100` is no node name: write NAME@HOST, NAME@HOST:PORT, or NAME for a node on this machine",
            ),
        ] {
            assert_eq!(parse(text, false), Err(error.to_string()), "{text}");
        }
        let long = parse(&format!("{}@h", "x".repeat(254)), false);
        assert_eq!(long, Err(format!("a node name has at most 255 bytes, `{}…` has 256", "x".repeat(20))));
        let machine = Machine { short: "box".to_string(), domain: None };
        let error = Target::parse("shop", true, &machine).unwrap_err().to_string();
        assert_eq!(error, "the domain of this machine (box) is not known: write shop@HOST.DOMAIN in full");
    }

    #[test]
    fn names_of_this_machine() {
        assert_eq!(Machine::of("box.example.org", "").long().as_deref(), Some("box.example.org"));
        assert_eq!(Machine::of("box", "nameserver 1.1.1.1\nsearch lan.net b\n").long().as_deref(), Some("box.lan.net"));
        assert_eq!(Machine::of("box", "search .\n").long(), None);
        assert!(Machine::of("box", "").is_here("box") && Machine::of("box", "").is_here("localhost"));
        assert!(!Machine::of("box", "").is_here("other"));
        assert!(!Machine::here().short.is_empty());
    }
}
