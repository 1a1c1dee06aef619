//! The messages of the handshake, version 6 (OTP 23 and newer), pure: what we send, what the peer may answer, and
//! which capabilities we claim (ERTS User's Guide, "Distribution Handshake"). It must not know sockets or secrets.

use super::wire::{Fields, WireError};

/// A capability bit, by the name that the protocol's document gives it.
pub mod flag {
    pub const EXTENDED_REFERENCES: u64 = 1 << 2;
    pub const DIST_MONITOR: u64 = 1 << 3;
    pub const FUN_TAGS: u64 = 1 << 4;
    pub const DIST_MONITOR_NAME: u64 = 1 << 5;
    pub const NEW_FUN_TAGS: u64 = 1 << 7;
    pub const EXTENDED_PIDS_PORTS: u64 = 1 << 8;
    pub const EXPORT_PTR_TAG: u64 = 1 << 9;
    pub const BIT_BINARIES: u64 = 1 << 10;
    pub const NEW_FLOATS: u64 = 1 << 11;
    pub const UNICODE_IO: u64 = 1 << 12;
    pub const SMALL_ATOM_TAGS: u64 = 1 << 14;
    pub const UTF8_ATOMS: u64 = 1 << 16;
    pub const MAP_TAG: u64 = 1 << 17;
    pub const BIG_CREATION: u64 = 1 << 18;
    pub const EXIT_PAYLOAD: u64 = 1 << 22;
    pub const HANDSHAKE_23: u64 = 1 << 24;
    pub const UNLINK_ID: u64 = 1 << 25;
    pub const MANDATORY_25_DIGEST: u64 = 1 << 26;
    pub const SPAWN: u64 = 1 << 32;
    pub const NAME_ME: u64 = 1 << 33;
    pub const V4_NC: u64 = 1 << 34;
    pub const ALIAS: u64 = 1 << 35;
}

/// What we claim. Without PUBLISHED we are hidden; without DIST_HDR_ATOM_CACHE and FRAGMENTS every frame that
/// comes is whole and readable on its own; with NAME_ME the peer names us.
pub const OUR_FLAGS: u64 = flag::EXTENDED_REFERENCES
    | flag::DIST_MONITOR
    | flag::FUN_TAGS
    | flag::DIST_MONITOR_NAME
    | flag::NEW_FUN_TAGS
    | flag::EXTENDED_PIDS_PORTS
    | flag::EXPORT_PTR_TAG
    | flag::BIT_BINARIES
    | flag::NEW_FLOATS
    | flag::UNICODE_IO
    | flag::SMALL_ATOM_TAGS
    | flag::UTF8_ATOMS
    | flag::MAP_TAG
    | flag::BIG_CREATION
    | flag::EXIT_PAYLOAD
    | flag::HANDSHAKE_23
    | flag::UNLINK_ID
    | flag::MANDATORY_25_DIGEST
    | flag::SPAWN
    | flag::NAME_ME
    | flag::V4_NC
    | flag::ALIAS;

/// What a peer must be able to do for us, with the names for an error. OTP 24 and newer can.
pub const NEEDED_FLAGS: &[(u64, &str)] = &[
    (flag::HANDSHAKE_23, "HANDSHAKE_23"),
    (flag::BIG_CREATION, "BIG_CREATION"),
    (flag::EXIT_PAYLOAD, "EXIT_PAYLOAD"),
    (flag::SPAWN, "SPAWN"),
    (flag::UNLINK_ID, "UNLINK_ID"),
    (flag::V4_NC, "V4_NC"),
];

/// The first two bytes of an alert of TLS 1.x: what a node with TLS distribution answers to plain text. As the
/// length of a handshake message it would be 5 379, which none has.
pub const TLS_ALERT: [u8; 2] = [0x15, 0x03];

/// What the peer thinks of our wish to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status<'a> {
    Ok,
    OkSimultaneous,
    /// It is connecting to us itself.
    Nok,
    NotAllowed,
    /// It thinks that we are connected already.
    Alive,
    /// It has given us a name.
    Named {
        name: &'a str,
        creation: u32,
    },
    Other(&'a [u8]),
}

/// What the peer says of itself, and its challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge<'a> {
    New {
        flags: u64,
        challenge: u32,
        creation: u32,
        name: &'a str,
    },
    /// The handshake of OTP 22 and older.
    Old,
}

/// Begins the handshake: our capabilities and the host for the name that the peer is to give us.
pub fn name_me(host: &str) -> Vec<u8> {
    let mut body = vec![b'N'];
    body.extend_from_slice(&OUR_FLAGS.to_be_bytes());
    // The creation comes with the name.
    body.extend_from_slice(&0_u32.to_be_bytes());
    let len = u16::try_from(host.len()).expect("a host is part of a node name of at most 255 bytes");
    body.extend_from_slice(&len.to_be_bytes());
    body.extend_from_slice(host.as_bytes());
    message(&body)
}

/// Answers [`Status::Alive`]: we were not, go away.
pub fn not_alive() -> Vec<u8> {
    message(b"sfalse")
}

/// Answers the peer's challenge and puts our own.
pub fn challenge_reply(digest: [u8; 16], our_challenge: u32) -> Vec<u8> {
    let mut body = vec![b'r'];
    body.extend_from_slice(&our_challenge.to_be_bytes());
    body.extend_from_slice(&digest);
    message(&body)
}

fn message(body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).expect("a handshake message is short (DIST_HANDSHAKE_BYTES_MAX)");
    [&len.to_be_bytes()[..], body].concat()
}

/// Reads the peer's status; `body` is a message without its length.
pub fn read_status(body: &[u8]) -> Result<Status<'_>, WireError> {
    let mut fields = Fields::new(body);
    if fields.u8()? != b's' {
        return Err(WireError { offset: 0, what: "not a status" });
    }
    let text = fields.rest();
    Ok(match text {
        b"ok" => Status::Ok,
        b"ok_simultaneous" => Status::OkSimultaneous,
        b"nok" => Status::Nok,
        b"not_allowed" => Status::NotAllowed,
        b"alive" => Status::Alive,
        _ if text.starts_with(b"named:") => {
            let mut fields = Fields::new(body);
            fields.take(1 + b"named:".len())?;
            let (name, creation) = (fields.name()?, fields.u32()?);
            Status::Named { name, creation }
        }
        other => Status::Other(other),
    })
}

/// Reads the peer's challenge. Bytes after the name are for the future.
pub fn read_challenge(body: &[u8]) -> Result<Challenge<'_>, WireError> {
    let mut fields = Fields::new(body);
    match fields.u8()? {
        b'N' => {
            let (flags, challenge, creation) = (fields.u64()?, fields.u32()?, fields.u32()?);
            Ok(Challenge::New { flags, challenge, creation, name: fields.name()? })
        }
        b'n' => Ok(Challenge::Old),
        _ => Err(WireError { offset: 0, what: "not a challenge" }),
    }
}

/// Reads the digest by which the peer proves that it knows the cookie too.
pub fn read_challenge_ack(body: &[u8]) -> Result<[u8; 16], WireError> {
    let mut fields = Fields::new(body);
    match fields.u8()? {
        b'a' => fields.array(),
        _ => Err(WireError { offset: 0, what: "not the answer to a challenge" }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sandbox::beam::dist::{epmd, printer};

    #[test]
    fn what_we_send() {
        let sent = name_me("box");
        assert_eq!(sent, b"\x00\x12N\x00\x00\x00\x0f\x07\x47\x5f\xbc\x00\x00\x00\x00\x00\x03box");
        assert_eq!(OUR_FLAGS & 1, 0, "we are hidden");
        assert_eq!(challenge_reply([7; 16], 1), [&b"\x00\x15r\x00\x00\x00\x01"[..], &[7; 16]].concat());
        assert_eq!(not_alive(), b"\x00\x06sfalse");
    }

    #[test]
    fn what_comes() {
        assert_eq!(read_status(b"sok"), Ok(Status::Ok));
        assert_eq!(read_status(b"sok_simultaneous"), Ok(Status::OkSimultaneous));
        assert_eq!(read_status(b"snok"), Ok(Status::Nok));
        assert_eq!(read_status(b"snot_allowed"), Ok(Status::NotAllowed));
        assert_eq!(read_status(b"salive"), Ok(Status::Alive));
        assert_eq!(read_status(b"swhat"), Ok(Status::Other(b"what")));
        let named = b"snamed:\x00\x05a@box\x00\x00\x00\x09";
        assert_eq!(read_status(named), Ok(Status::Named { name: "a@box", creation: 9 }));
        assert_eq!(
            read_status(&named[..named.len() - 1]),
            Err(WireError { offset: 14, what: "the message ends too early" })
        );
        let challenge = b"N\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\x00\x03x@y and more";
        let new = Challenge::New { flags: (1 << 32) + 2, challenge: 3, creation: 4, name: "x@y" };
        assert_eq!(read_challenge(challenge), Ok(new));
        assert_eq!(read_challenge(b"n\x00\x05\x00\x00\x00\x00"), Ok(Challenge::Old));
        assert!(read_challenge(b"?").is_err() && read_challenge(b"").is_err());
        assert_eq!(read_challenge_ack(&[b'a'; 17]), Ok([b'a'; 16]));
        assert!(read_challenge_ack(&[b'a'; 16]).is_err());
    }

    /// Everything that a stranger may send before we know who it is, and requests to print after it.
    fn read_all(bytes: &[u8]) {
        let _ = (read_status(bytes), read_challenge(bytes), read_challenge_ack(bytes));
        let _ = (epmd::read_port(bytes), epmd::read_names(bytes), printer::answer(bytes));
    }

    fn good_message() -> impl Strategy<Value = Vec<u8>> {
        let messages: [&[u8]; 6] = [
            b"sok_simultaneous",
            b"snamed:\x00\x05a@box\x00\x00\x00\x09",
            b"N\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\x00\x03x@y",
            b"\x77\x00\x91\x3f\x4d\x00\x00\x06\x00\x05\x00\x04shop\x00\x00",
            b"\x00\x00\x11\x11name shop at port 37183\n",
            // {io_request, [], [], {put_chars, unicode, "hi"}}
            b"\x83h\x04w\x0aio_requestjjh\x03w\x09put_charsw\x07unicodek\x00\x02hi",
        ];
        prop::sample::select(messages.map(<[u8]>::to_vec).to_vec())
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            read_all(&bytes);
        }

        #[test]
        fn cut_and_flipped_messages_do_no_harm(
            message in good_message(), at in any::<prop::sample::Index>(), bit in 0..8_u32,
        ) {
            let idx = at.index(message.len());
            read_all(&message[..idx]);
            let mut flipped = message.clone();
            flipped[idx] ^= 1_u8 << bit;
            read_all(&flipped);
        }
    }
}
