//! The way in: host name, epmd, socket, handshake, all under one deadline. It must not know what a connection is
//! used for.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::cookie::Cookie;
use super::epmd::{self, EPMD_PORT, Listed, Registration};
use super::error::ConnectError;
use super::handshake::{self, Challenge, NEEDED_FLAGS, Status, TLS_ALERT, flag};
use super::target::{Machine, Target};
use super::wire::WireError;
use crate::model::limits::{DIST_HANDSHAKE_BYTES_MAX, EPMD_BYTES_MAX};

/// Addresses of one host that are tried.
const ADDRESSES_MAX: usize = 4;
/// How long the list of registered names, which is only for a hint, may take.
const NAMES_WAIT: Duration = Duration::from_millis(300);

/// How to connect.
#[derive(Clone, Debug)]
pub struct Config {
    pub target: Target,
    pub cookie: Cookie,
    pub machine: Machine,
    /// For everything from the host name to the first answer of the node.
    pub deadline: Duration,
    pub epmd_port: u16,
    /// Silence of this length and a quarter is the node's end, a quarter of it our pause between ticks. `None`
    /// asks the node for its own (`net_kernel:get_net_ticktime/0`).
    pub ticktime: Option<Duration>,
}

impl Config {
    /// With a deadline of 3 s, and epmd where Erlang looks for it.
    pub fn new(target: Target, cookie: Cookie, machine: Machine) -> Config {
        let epmd_port = std::env::var("ERL_EPMD_PORT").ok().and_then(|port| port.parse().ok());
        Config {
            target,
            cookie,
            machine,
            deadline: Duration::from_secs(3),
            epmd_port: epmd_port.unwrap_or(EPMD_PORT),
            ticktime: None,
        }
    }
}

/// A connection that both sides agreed on.
pub(super) struct Established {
    pub stream: TcpStream,
    /// The name that the node gave us.
    pub own_name: String,
    pub own_creation: u32,
    pub peer_creation: u32,
}

/// What is being done, for the error when time is up.
struct Stage(RefCell<String>);

impl Stage {
    fn set(&self, text: String) {
        self.0.replace(text);
    }
}

/// Connects within the deadline.
pub(super) async fn connect(config: &Config) -> Result<Established, ConnectError> {
    let stage = Stage(RefCell::new(String::new()));
    match timeout(config.deadline, try_addresses(config, &stage)).await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::Timeout { stage: stage.0.into_inner(), deadline: config.deadline }),
    }
}

async fn try_addresses(config: &Config, stage: &Stage) -> Result<Established, ConnectError> {
    let addresses = resolve(config, stage).await?;
    let share = config.deadline / addresses.len().max(1) as u32;
    let mut first_error = None;
    for address in addresses {
        match try_address(config, address, share, stage).await {
            Ok(established) => return Ok(established),
            // Another address of the host may be the one that the node listens on.
            Err(
                error @ (ConnectError::NoEpmd { .. }
                | ConnectError::Unreachable { .. }
                | ConnectError::NotRegistered { .. }),
            ) => drop(first_error.get_or_insert(error)),
            Err(error) => return Err(error),
        }
    }
    Err(first_error.unwrap_or_else(|| ConnectError::Resolve {
        host: config.target.host.clone(),
        error: "it has no address".to_string(),
    }))
}

/// The addresses of the host, IPv4 first as Erlang's own default is; for this machine the loopback before all.
async fn resolve(config: &Config, stage: &Stage) -> Result<Vec<IpAddr>, ConnectError> {
    let host = &config.target.host;
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let is_here = config.machine.is_here(host);
    stage.set(format!("looking up the host {host}"));
    let mut addresses = if is_here { vec![IpAddr::V4(Ipv4Addr::LOCALHOST)] } else { Vec::new() };
    match lookup_host((&**host, 0)).await {
        Ok(found) => {
            let mut found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            found.sort_by_key(IpAddr::is_ipv6);
            addresses.extend(found);
        }
        Err(_) if is_here => {}
        Err(error) => return Err(ConnectError::Resolve { host: host.clone(), error: error.to_string() }),
    }
    let mut seen = Vec::new();
    addresses.retain(|address| {
        !seen.contains(address) && {
            seen.push(*address);
            true
        }
    });
    addresses.truncate(ADDRESSES_MAX);
    Ok(addresses)
}

async fn try_address(
    config: &Config,
    address: IpAddr,
    share: Duration,
    stage: &Stage,
) -> Result<Established, ConnectError> {
    let Registration { port, version } = match config.target.port {
        Some(port) => Registration { port, version: 6 },
        None => ask_epmd(config, SocketAddr::new(address, config.epmd_port), share, stage).await?,
    };
    if version < 6 {
        return Err(ConnectError::OldRelease { release: "OTP 22 or older".to_string() });
    }
    let address = SocketAddr::new(address, port);
    stage.set(format!("connecting to {address}"));
    let unreachable = |error: String| ConnectError::Unreachable { address: address.to_string(), error };
    let stream = match timeout(share, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(unreachable(error.to_string())),
        Err(_) => return Err(unreachable(format!("no answer within {} ms", share.as_millis()))),
    };
    let _ = stream.set_nodelay(true);
    Handshake { stream, address, config, stage }.perform().await
}

/// Asks epmd where the node listens.
async fn ask_epmd(
    config: &Config,
    address: SocketAddr,
    share: Duration,
    stage: &Stage,
) -> Result<Registration, ConnectError> {
    stage.set(format!("asking epmd at {address}"));
    let Target { name, host, .. } = &config.target;
    let none = |error: String| ConnectError::NoEpmd { address: address.to_string(), error };
    let answer = match timeout(share, query_epmd(address, &epmd::port_request(name))).await {
        Ok(answer) => answer.map_err(|error| none(error.to_string()))?,
        Err(_) => return Err(none(format!("no answer within {} ms", share.as_millis()))),
    };
    let bad = |error: WireError| ConnectError::BadEpmd { address: address.to_string(), error };
    if let Some(registration) = epmd::read_port(&answer).map_err(bad)? {
        return Ok(registration);
    }
    let listed = list_names(address).await;
    Err(ConnectError::NotRegistered { name: name.clone(), host: host.clone(), listed })
}

/// The nodes that epmd knows; none when it does not say.
async fn list_names(address: SocketAddr) -> Vec<Listed> {
    let answer = timeout(NAMES_WAIT, query_epmd(address, &epmd::names_request())).await;
    let names = answer.ok().and_then(Result::ok).and_then(|answer| epmd::read_names(&answer).ok());
    names.unwrap_or_default()
}

/// One question and the answer to its end: epmd closes the connection after it.
async fn query_epmd(address: SocketAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.take(EPMD_BYTES_MAX as u64).read_to_end(&mut answer).await?;
    Ok(answer)
}

struct Handshake<'a> {
    stream: TcpStream,
    address: SocketAddr,
    config: &'a Config,
    stage: &'a Stage,
}

impl Handshake<'_> {
    async fn perform(mut self) -> Result<Established, ConnectError> {
        self.stage.set(format!("waiting for the handshake of {}", self.address));
        let host = self.own_host();
        self.send(&handshake::name_me(&host), "before the handshake").await?;
        let status = self.read("after our greeting").await?;
        let (own_name, own_creation) = self.take_status(&status).await?;
        let challenge = self.read("before its challenge").await?;
        let (challenge, peer_creation) = self.take_challenge(&challenge)?;
        let ours = getrandom::u32().map_err(|error| ConnectError::Local { error: error.to_string() })?;
        let cookie = &self.config.cookie;
        self.send(&handshake::challenge_reply(cookie.digest(challenge), ours), "at its challenge").await?;
        // A node that does not like the digest hangs up without a word.
        let ack = match self.read("at our answer").await {
            Err(ConnectError::Closed { .. }) => return Err(ConnectError::RefusedCookie),
            other => other?,
        };
        let proof = handshake::read_challenge_ack(&ack).map_err(|error| self.not_erlang(error))?;
        if proof != cookie.digest(ours) {
            return Err(ConnectError::WrongProof);
        }
        Ok(Established { stream: self.stream, own_name, own_creation, peer_creation })
    }

    /// The host in the name that the node gives us: of the sort, short or long, of its own.
    fn own_host(&self) -> String {
        let Config { target, machine, .. } = self.config;
        match target.is_long() {
            false => machine.short.clone(),
            true => machine.long().unwrap_or_else(|| match self.stream.local_addr() {
                Ok(address) => address.ip().to_string(),
                Err(_) => Ipv4Addr::LOCALHOST.to_string(),
            }),
        }
    }

    async fn take_status(&mut self, body: &[u8]) -> Result<(String, u32), ConnectError> {
        let refused = |status: &str| Err(ConnectError::Refused { status: status.to_string() });
        match handshake::read_status(body).map_err(|error| self.not_erlang(error))? {
            Status::Named { name, creation } => Ok((name.to_string(), creation)),
            Status::Ok | Status::OkSimultaneous => refused("it gives no names to others (OTP 23 and newer do)"),
            Status::Nok => refused("it is connecting to us already (nok)"),
            Status::NotAllowed => refused("its list of allowed nodes has not us on it (not_allowed)"),
            Status::Alive => {
                self.send(&handshake::not_alive(), "at its question").await?;
                refused("it believes that we are connected already (alive)")
            }
            Status::Other(text) => refused(&format!("status {}", text.escape_ascii())),
        }
    }

    /// The peer's challenge and creation, when it is the node that is wanted and can do what we need.
    fn take_challenge(&self, body: &[u8]) -> Result<(u32, u32), ConnectError> {
        let old = |release: &str| Err(ConnectError::OldRelease { release: release.to_string() });
        let (flags, challenge, creation, name) =
            match handshake::read_challenge(body).map_err(|error| self.not_erlang(error))? {
                Challenge::New { flags, challenge, creation, name } => (flags, challenge, creation, name),
                Challenge::Old => return old("OTP 22 or older"),
            };
        let wanted = self.config.target.to_string();
        if name != wanted {
            let address = self.address.to_string();
            return Err(ConnectError::OtherNode { address, found: name.escape_debug().to_string(), wanted });
        }
        if flags & flag::MANDATORY_25_DIGEST == 0 {
            return old(if flags & flag::V4_NC == 0 { "OTP 23" } else { "OTP 24" });
        }
        match NEEDED_FLAGS.iter().find(|(bit, _)| flags & bit == 0) {
            Some((_, flag)) => Err(ConnectError::Lacks { flag }),
            None => Ok((challenge, creation)),
        }
    }

    fn not_erlang(&self, what: impl std::fmt::Display) -> ConnectError {
        ConnectError::NotErlang { address: self.address.to_string(), what: what.to_string() }
    }

    async fn send(&mut self, message: &[u8], stage: &'static str) -> Result<(), ConnectError> {
        self.stream.write_all(message).await.map_err(|error| broken(&error, stage))
    }

    /// The next message, without its length.
    async fn read(&mut self, stage: &'static str) -> Result<Vec<u8>, ConnectError> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).await.map_err(|error| broken(&error, stage))?;
        if head == TLS_ALERT {
            return Err(ConnectError::Tls);
        }
        let len = usize::from(u16::from_be_bytes(head));
        if len > DIST_HANDSHAKE_BYTES_MAX {
            let mut start = head.to_vec();
            let more = self.stream.read_buf(&mut start);
            let _ = timeout(Duration::from_millis(50), more).await;
            start.truncate(40);
            return Err(self.not_erlang(format_args!("it says \"{}\"", start.escape_ascii())));
        }
        let mut body = vec![0; len];
        self.stream.read_exact(&mut body).await.map_err(|error| broken(&error, stage))?;
        Ok(body)
    }
}

fn broken(error: &std::io::Error, stage: &'static str) -> ConnectError {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error.kind() {
        UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe => ConnectError::Closed { stage },
        _ => ConnectError::Broken { stage, error: error.to_string() },
    }
}
