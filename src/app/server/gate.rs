//! Who may come in: only those who hold the token, from this machine's own page. It must not know what they want.
//!
//! - `Host` must name this server, so that a foreign name that resolves to 127.0.0.1 (DNS rebinding) gets nothing;
//! - `Origin`, which browsers send with every request of a page that could do harm, must be this server's;
//! - the token comes as `Authorization: Bearer ..`; a WebSocket, which cannot set headers, gives it as a query
//!   parameter. There are no cookies, so there is nothing that a foreign page could make a browser send along.

use std::net::SocketAddr;

use axum::http::{HeaderMap, StatusCode, Uri, header};

use super::problem::Problem;
use crate::model::{Failure, Outcome};

/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 24;

/// The rules of one server.
#[derive(Clone, Debug)]
pub struct Gate {
    token: String,
    /// `127.0.0.1:4800`, `localhost:4800` .., as `Host` says them.
    hosts: Vec<String>,
}

impl Gate {
    /// A gate for the server at `address`; names of the loopback interface stand for each other.
    pub fn new(address: SocketAddr, token: String) -> Gate {
        let port = address.port();
        let mut hosts = vec![address.to_string()];
        if address.ip().is_loopback() || address.ip().is_unspecified() {
            hosts.extend(["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")));
        }
        Gate { token, hosts }
    }

    /// Whether the request is for us, and not sent by somebody else's page.
    pub fn check_place(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
        let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = named.or_else(|| uri.authority().map(|authority| authority.as_str())).unwrap_or_default();
        if !self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)) {
            return Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                "foreign_host",
                format!("this server does not go by the name {host:?}"),
            )
            .hint("use the printed address"));
        }
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        let origin = origin.to_str().unwrap_or_default();
        let place = origin.strip_prefix("http://").unwrap_or_default();
        if !self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(place)) {
            return Err(Problem::forbidden("foreign_origin", format!("pages of {origin:?} may not ask this server")));
        }
        Ok(())
    }

    /// Whether the request holds the token.
    pub fn check_token(&self, headers: &HeaderMap, query_token: Option<&str>) -> Result<(), Problem> {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        match bearer.or(query_token) {
            Some(token) if is_equal(token.as_bytes(), self.token.as_bytes()) => Ok(()),
            Some(_) => Err(unauthorized("this is not the token that the server printed")),
            None => Err(unauthorized("the token is missing")),
        }
    }
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "token", detail)
        .hint("the token stands in the printed address: send it as `Authorization: Bearer TOKEN`")
}

/// Compares without telling by its duration how much was right.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// A new token from the system's randomness.
pub fn new_token() -> Outcome<String> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::io(format!("no randomness for a token: {error}")).hint("--token TOKEN gives one"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn gate() -> Gate {
        Gate::new("127.0.0.1:4800".parse().unwrap(), "secret".into())
    }

    fn place(host: &str, origin: Option<&str>) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        gate().check_place(&headers, &Uri::from_static("/")).err().map(|problem| problem.code)
    }

    #[test]
    fn only_this_server_by_its_own_names() {
        assert_eq!(place("127.0.0.1:4800", None), None);
        assert_eq!(place("LOCALHOST:4800", Some("http://localhost:4800")), None);
        assert_eq!(place("evil.example:4800", None), Some("foreign_host"));
        assert_eq!(place("127.0.0.1", None), Some("foreign_host"));
        assert_eq!(place("127.0.0.1:4800", Some("http://evil.example")), Some("foreign_origin"));
        assert_eq!(place("127.0.0.1:4800", Some("https://127.0.0.1:4800")), Some("foreign_origin"));
        assert_eq!(place("127.0.0.1:4800", Some("null")), Some("foreign_origin"));
    }

    #[test]
    fn the_token_in_the_header_or_the_query() {
        let with = |bearer: Option<&'static str>, query| {
            let bearer = bearer.map(|text| (header::AUTHORIZATION, HeaderValue::from_static(text)));
            gate().check_token(&HeaderMap::from_iter(bearer), query).is_ok()
        };
        assert!(with(Some("Bearer secret"), None));
        assert!(with(None, Some("secret")));
        assert!(!with(None, None));
        assert!(!with(Some("secret"), None));
        assert!(!with(Some("Bearer secret2"), Some("secret")));
    }

    #[test]
    fn tokens_differ() {
        let (a, b) = (new_token().unwrap(), new_token().unwrap());
        assert_eq!(a.len(), 2 * TOKEN_BYTES);
        assert_ne!(a, b);
    }
}
