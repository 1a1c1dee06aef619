//! Debian's ejabberd under the harness, as a third-party system to look at, and an XMPP client that logs in. Its own
//! configuration, database and user; no service, no files outside the node's folder. Must not know Cinema.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::epmd::free_port;
use crate::node::TestNode;
use crate::otp::Otp;

pub const USER: &str = "alice";
pub const PASSWORD: &str = "wonderland-7f3a";
const HOST: &str = "localhost";

/// Starts it, and registers the user.
pub const START_CODE: &str = "{ok, _} = application:ensure_all_started(ejabberd), \
    ok = ejabberd_auth:try_register(<<\"alice\">>, <<\"localhost\">>, <<\"wonderland-7f3a\">>)";

/// How long the server may take for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Its compiled modules; Debian keeps them apart from OTP's.
pub fn ebin(otp: Otp) -> PathBuf {
    let lib = otp.root().join("usr/lib");
    let folders = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    folders(&lib)
        .flat_map(|folder| folders(&folder))
        .map(|app| app.join("ebin"))
        .find(|ebin| ebin.join("ejabberd.app").is_file())
        .expect("tests/otp unpacks ejabberd")
}

/// Writes its configuration into the node's folder and gives the arguments of `erl`.
pub fn prepare(home: &Path) -> Vec<String> {
    let port = free_port();
    std::fs::write(home.join("xmpp_port"), port.to_string()).expect("the folder is ours");
    std::fs::write(home.join("ejabberd.yml"), config(port)).expect("the folder is ours");
    ["-mnesia", "dir"].map(str::to_string).into_iter().chain([format!("{:?}", home.join("mnesia"))]).collect()
}

fn config(port: u16) -> String {
    format!(
        "hosts: [{HOST}]
loglevel: info
auth_method: internal
acme:
  auto: false
listen:
  -
    port: {port}
    ip: \"127.0.0.1\"
    module: ejabberd_c2s
    access: c2s
acl:
  local:
    user_regexp: \"\"
access_rules:
  c2s:
    allow: all
modules:
  mod_disco: {{}}
  mod_muc: {{}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_private: {{}}
  mod_roster: {{}}
"
    )
}

pub fn env(home: &Path) -> Vec<(&'static str, PathBuf)> {
    vec![("EJABBERD_CONFIG_PATH", home.join("ejabberd.yml")), ("EJABBERD_LOG_PATH", home.join("ejabberd.log"))]
}

/// A client that is logged in; the server sees a lost connection when it is dropped.
pub struct Client {
    stream: TcpStream,
    /// The full address that the server gave it.
    pub jid: String,
}

impl Client {
    /// Logs in as `USER`: SASL PLAIN, resource binding, session, presence.
    pub fn login(node: &TestNode) -> Client {
        let port = std::fs::read_to_string(node.home().join("xmpp_port")).expect("the node runs ejabberd");
        let port: u16 = port.parse().expect("a port");
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("ejabberd listens");
        stream.set_read_timeout(Some(ANSWER_MAX)).expect("a timeout");
        let mut client = Client { stream, jid: String::new() };
        let open = format!(
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{HOST}' version='1.0'>"
        );
        client.ask(&open, "</stream:features>");
        let secret = base64(format!("\0{USER}\0{PASSWORD}").as_bytes());
        let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>");
        client.ask(&auth, "<success");
        client.ask(&open, "</stream:features>");
        let bind = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
        let bound = client.ask(bind, "</iq>");
        let jid = bound.split("<jid>").nth(1).and_then(|rest| rest.split("</jid>").next());
        client.jid = jid.unwrap_or_else(|| panic!("no address: {bound}")).to_string();
        client.ask("<presence/>", "<presence");
        client
    }

    /// Sends itself a message, and waits until it has come back through the server.
    pub fn talk(&mut self, body: &str) {
        let message = format!("<message to='{}' type='chat'><body>{body}</body></message>", self.jid);
        self.ask(&message, "</message>");
    }

    /// Sends, and reads until `until` has come.
    fn ask(&mut self, stanza: &str, until: &str) -> String {
        self.stream.write_all(stanza.as_bytes()).expect("the server reads");
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let n_bytes = self.stream.read(&mut chunk).unwrap_or_else(|error| {
                panic!("waiting for {until}: {error}, so far: {}", String::from_utf8_lossy(&answer))
            });
            assert!(n_bytes > 0, "closed before {until}: {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&chunk[..n_bytes]);
            let text = String::from_utf8_lossy(&answer);
            assert!(!text.contains("<failure"), "refused: {text}");
            if text.contains(until) {
                return text.into_owned();
            }
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let quad = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digit =
            |idx: usize| if idx > chunk.len() { '=' } else { DIGITS[(bits >> (18 - 6 * idx)) as usize & 63].into() };
        [0, 1, 2, 3].map(digit)
    };
    bytes.chunks(3).flat_map(quad).collect()
}
