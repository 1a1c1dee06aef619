//! The distribution protocol, as a hidden node speaks it (ERTS User's Guide, "Distribution Protocol").
//!
//! In reading order: [`target`] and [`cookie`] (whom we want, and what opens the door), [`epmd`], [`handshake`],
//! [`control`] (what both sides say, pure), `connect` (the way in), `switchboard` (what a frame means for our
//! calls and mailboxes, pure), `link` (the socket's thread), and [`Node`], the blocking handle for everybody else.
//!
//! ```text
//! callers ──► Node ──frames──► link thread ──► socket
//!               ▲                   │
//!      answers, mailboxes ◄── switchboard ◄── frames
//! ```
//!
//! What we ask of a peer keeps its side simple: hidden, named by the peer (no clash of names), no atom cache, no
//! fragments. It must not know tracing.

mod connect;
pub mod control;
pub mod cookie;
pub mod epmd;
pub mod error;
pub mod handshake;
mod link;
pub mod mailbox;
mod node;
mod printer;
mod switchboard;
pub mod target;
mod wire;

pub use connect::Config;
pub use cookie::Cookie;
pub use error::{CallError, ConnectError};
pub use mailbox::{Mailbox, Message, Received};
pub use node::Node;
pub use target::{Machine, Target};
