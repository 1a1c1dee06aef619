//! The port mapper's protocol, pure: where a node listens, and which nodes are registered
//! (ERTS User's Guide, "EPMD Protocol"). It must not know sockets.

use super::wire::{Fields, WireError};

/// Where epmd listens unless `ERL_EPMD_PORT` says otherwise.
pub const EPMD_PORT: u16 = 4369;

const PORT_PLEASE2_REQ: u8 = 122;
const PORT2_RESP: u8 = 119;
const NAMES_REQ: u8 = 110;

/// What epmd knows of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    pub port: u16,
    /// The newest version of the distribution protocol that the node speaks: 6 from OTP 23 on.
    pub version: u16,
}

/// A node as epmd lists it, without host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub port: u16,
}

/// Asks for the port of `name` (without host; at most 255 bytes, as [`super::target::Target`] holds it).
pub fn port_request(name: &str) -> Vec<u8> {
    request(PORT_PLEASE2_REQ, name.as_bytes())
}

/// Asks for all names.
pub fn names_request() -> Vec<u8> {
    request(NAMES_REQ, &[])
}

fn request(op: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(1 + body.len()).expect("a node's name has at most 255 bytes");
    let mut out = len.to_be_bytes().to_vec();
    out.push(op);
    out.extend_from_slice(body);
    out
}

/// Reads the answer to [`port_request`]: `None` when the name is not registered.
pub fn read_port(answer: &[u8]) -> Result<Option<Registration>, WireError> {
    let mut fields = Fields::new(answer);
    if fields.u8()? != PORT2_RESP {
        return Err(WireError { offset: 0, what: "not the answer of an epmd" });
    }
    if fields.u8()? != 0 {
        return Ok(None);
    }
    let port = fields.u16()?;
    let (_node_type, protocol) = (fields.u8()?, fields.u8()?);
    if protocol != 0 {
        return Err(fields.error("the node does not listen on TCP"));
    }
    let (version, _lowest) = (fields.u16()?, fields.u16()?);
    Ok(Some(Registration { port, version }))
}

/// Reads the answer to [`names_request`]: epmd's port, then lines `name NAME at port PORT`. Other lines are
/// passed over.
pub fn read_names(answer: &[u8]) -> Result<Vec<Listed>, WireError> {
    let mut fields = Fields::new(answer);
    fields.u32()?;
    let text = String::from_utf8_lossy(fields.rest());
    Ok(text.lines().filter_map(read_line).collect())
}

fn read_line(line: &str) -> Option<Listed> {
    let (name, port) = line.strip_prefix("name ")?.split_once(" at port ")?;
    // What a user is to see must not control a terminal.
    let is_name = !name.chars().any(char::is_control);
    is_name.then_some(Listed { name: name.to_string(), port: port.trim().parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        assert_eq!(port_request("shop"), b"\x00\x05zshop");
        assert_eq!(names_request(), b"\x00\x01n");
    }

    #[test]
    fn answers() {
        let answer = b"\x77\x00\x91\x3f\x4d\x00\x00\x06\x00\x05\x00\x04shop\x00\x00";
        assert_eq!(read_port(answer), Ok(Some(Registration { port: 0x913f, version: 6 })));
        assert_eq!(read_port(b"\x77\x01"), Ok(None));
        assert_eq!(read_port(b"\x77"), Err(WireError { offset: 1, what: "the message ends too early" }));
        assert_eq!(read_port(b"HTTP"), Err(WireError { offset: 0, what: "not the answer of an epmd" }));
        let names = b"\0\0\x11\x11name shop at port 37183\nname \x1b at port 1\nwhat\nname x at port 99999\n";
        let listed = [("shop", 37183)].map(|(name, port)| Listed { name: name.to_string(), port });
        assert_eq!(read_names(names).as_deref(), Ok(&listed[..]));
    }
}
