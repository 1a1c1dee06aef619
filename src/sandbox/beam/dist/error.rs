//! What can go wrong on the way to a node and in a call, and what a user does about it.
//! It must not know sockets.

use std::time::Duration;

use super::epmd::Listed;
use super::target::Target;
use super::wire::WireError;
use crate::model::{Failure, FailureKind, Style, Term, nearest};

/// Characters of a foreign term in an error.
const SHOWN_CHARS: usize = 500;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    #[error("the host {host} is not known: {error}")]
    Resolve { host: String, error: String },
    #[error("no epmd answers at {address}: {error}")]
    NoEpmd { address: String, error: String },
    #[error("what answers at {address} is no epmd: {error}")]
    BadEpmd { address: String, error: WireError },
    #[error("no node `{name}` is registered with epmd on {host}")]
    NotRegistered { name: String, host: String, listed: Vec<Listed> },
    #[error("{address} does not answer: {error}")]
    Unreachable { address: String, error: String },
    #[error("no answer within {}: {stage}", shown(*.deadline))]
    Timeout { stage: String, deadline: Duration },
    #[error("the node closed the connection {stage}")]
    Closed { stage: &'static str },
    #[error("the connection broke {stage}: {error}")]
    Broken { stage: &'static str, error: String },
    #[error("the node speaks TLS: distribution over TLS is not supported")]
    Tls,
    #[error("no Erlang node answers at {address}: {what}")]
    NotErlang { address: String, what: String },
    #[error("the node refused the connection: {status}")]
    Refused { status: String },
    #[error("the node refused the cookie")]
    RefusedCookie,
    #[error("the node does not know the cookie that it let us in with: it is not the node that it claims to be")]
    WrongProof,
    #[error("{address} is the node {found}, not {wanted}")]
    OtherNode { address: String, found: String, wanted: String },
    #[error("the node runs {release}: OTP 25 or newer is needed")]
    OldRelease { release: String },
    #[error("the node lacks the capability {flag} of the distribution protocol: OTP 25 or newer is needed")]
    Lacks { flag: &'static str },
    #[error("this machine cannot open a connection: {error}")]
    Local { error: String },
}

fn shown(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

impl ConnectError {
    /// As what a user meets: the node's name before it, the next command behind it.
    pub fn failure(&self, target: &Target) -> Failure {
        let kind = match self {
            ConnectError::Resolve { .. } | ConnectError::NotRegistered { .. } => FailureKind::NotFound,
            ConnectError::Tls | ConnectError::OldRelease { .. } | ConnectError::Lacks { .. } => {
                FailureKind::Unsupported
            }
            _ => FailureKind::Io,
        };
        let failure = Failure::new(kind, format!("cannot connect to {target}: {self}"));
        self.hints(target).into_iter().fold(failure, Failure::hint)
    }

    fn hints(&self, target: &Target) -> Vec<String> {
        let Target { name, host, .. } = target;
        let hint = |text: String| vec![text];
        match self {
            ConnectError::NotRegistered { listed, .. } => not_registered_hints(target, listed),
            ConnectError::NoEpmd { .. } => hint(format!(
                "is a node with a name running there? a node without epmd is reached by its port: {name}@{host}:PORT"
            )),
            ConnectError::Unreachable { .. } if target.port.is_none() => {
                hint("the node is registered, but does not accept connections: is a firewall between?".to_string())
            }
            ConnectError::Unreachable { .. } => hint(format!("without the port, epmd is asked for it: {target}")),
            ConnectError::RefusedCookie => vec![
                "give the node's cookie by --cookie TEXT or --cookie-file FILE; without either, ~/.erlang.cookie is taken"
                    .to_string(),
                "on the node, erlang:get_cookie(). shows it".to_string(),
            ],
            ConnectError::OtherNode { found, .. } => hint(match target.port {
                Some(port) => format!("its full name: {found}:{port}"),
                None => format!("its full name: {found}"),
            }),
            ConnectError::Closed { .. } => {
                hint("the node's log says why; distribution over TLS is not supported".to_string())
            }
            ConnectError::Resolve { .. } => {
                hint(format!("a node on this machine goes by its name alone: {name}, or by {name}@127.0.0.1"))
            }
            _ => Vec::new(),
        }
    }
}

/// The nodes that are there, the most similar name first.
fn not_registered_hints(target: &Target, listed: &[Listed]) -> Vec<String> {
    if listed.is_empty() {
        return vec!["no node at all is registered there: start yours with a name (erl -sname NAME)".to_string()];
    }
    let mut names: Vec<&str> = listed.iter().map(|node| &*node.name).collect();
    names.sort_by(|a, b| {
        let likeness = |name| strsim::jaro_winkler(name, &target.name);
        likeness(b).total_cmp(&likeness(a)).then_with(|| a.cmp(b))
    });
    let mut hints = Vec::new();
    if let Some(near) = nearest(&target.name, names.iter().copied()).first() {
        hints.push(format!("did you mean {near}@{}?", target.host));
    }
    let n_more = names.len().saturating_sub(20);
    let more = if n_more > 0 { format!(" and {n_more} more") } else { String::new() };
    names.truncate(20);
    hints.push(format!("registered there: {}{more}", names.join(", ")));
    hints
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The function raised; class `error`, `exit` or `throw`. The stack is a list, empty when there is none.
    #[error("{} raised {class}: {}", .call, text(.reason))]
    Raised { call: String, class: &'static str, reason: Term, stack: Term },
    /// The process that ran the function was killed, or never ran it.
    #[error("{} did not run to its end: {}", .call, text(.reason))]
    Died { call: String, reason: Term },
    /// The node did not start a process for it.
    #[error("the node does not start {call}: {reason}")]
    NotStarted { call: String, reason: String },
    /// What was started for the call has been killed on the node.
    #[error("{call} gave no result within {} ms", .timeout.as_millis())]
    Timeout { call: String, timeout: Duration },
    #[error("{call}: the node is down: {reason}")]
    NodeDown { call: String, reason: String },
    #[error("{call}: limit {limit}")]
    Limit { call: String, limit: String },
    /// The result cannot be built as a term; [`super::Node::call_raw`] gives its bytes.
    #[error("the result of {call} cannot be read: {error}")]
    Unreadable { call: String, error: String },
    #[error("`{name}` is no name of a module, a function or a process: {error}")]
    Name { name: String, error: String },
}

fn text(term: &Term) -> String {
    term.display(Style::erlang().chars_max(SHOWN_CHARS)).to_string()
}

impl CallError {
    /// The reason of an exception with this class, to be matched on: `error` and `badarg`.
    pub fn raised(&self, wanted: &str) -> Option<&Term> {
        match self {
            CallError::Raised { class, reason, .. } if *class == wanted => Some(reason),
            _ => None,
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Failure {
        let kind = match error {
            CallError::Limit { .. } => FailureKind::Limit,
            CallError::Unreadable { .. } => FailureKind::BadInput,
            CallError::Name { .. } => FailureKind::Usage,
            _ => FailureKind::Io,
        };
        Failure::new(kind, error.to_string())
    }
}
