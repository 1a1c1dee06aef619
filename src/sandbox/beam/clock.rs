//! A node's monotonic clock as we see it from here: read over the connection, with the error that the way there
//! and back leaves. It must not know what is timed.

use std::time::{Duration, Instant};

use super::dist::Node;
use crate::model::{Failure, Outcome, Term};

/// Readings of which the quickest counts: what one node sends must not seem to come before it was sent to another.
const N_READINGS: usize = 8;
const N_READINGS_OF_SEVERAL: usize = 100;

/// An error that is good enough: a message takes longer from node to node than the errors of both together.
const GOOD_ERROR_NS: i64 = 20_000;

/// The node's clock at one of our instants.
#[derive(Clone, Copy, Debug)]
pub struct NodeClock {
    at: Instant,
    node_ns: i64,
    /// Half of the way there and back: the node's clock was read somewhere within.
    pub error_ns: i64,
}

/// A node's clock, shifted to the recording's: that of the first node.
#[derive(Clone, Copy, Debug)]
pub struct RecordingClock {
    pub node: NodeClock,
    pub shift_ns: i64,
    /// How wrong the shift may be.
    pub error_ns: i64,
}

impl RecordingClock {
    /// The recording's time now.
    pub fn now_ns(&self) -> i64 {
        self.node.now_ns().saturating_add(self.shift_ns)
    }
}

impl NodeClock {
    /// Reads the clock; about 2 ms on loopback. Errors: the node does not answer.
    pub fn read(node: &Node) -> Outcome<NodeClock> {
        NodeClock::read_up_to(node, N_READINGS)
    }

    /// As [`NodeClock::read`], until it is precise enough to be compared with another's; 10 to 50 ms on loopback.
    pub fn read_well(node: &Node) -> Outcome<NodeClock> {
        NodeClock::read_up_to(node, N_READINGS_OF_SEVERAL)
    }

    fn read_up_to(node: &Node, n_readings_max: usize) -> Outcome<NodeClock> {
        let mut best = NodeClock::read_once(node)?;
        for n_readings in 1..n_readings_max {
            if n_readings >= N_READINGS && best.error_ns <= GOOD_ERROR_NS {
                break;
            }
            let reading = NodeClock::read_once(node)?;
            if reading.error_ns < best.error_ns {
                best = reading;
            }
        }
        Ok(best)
    }

    fn read_once(node: &Node) -> Outcome<NodeClock> {
        let sent = Instant::now();
        let answer = node.call("erlang", "monotonic_time", vec![Term::atom("nanosecond")], Duration::from_secs(2))?;
        let half = sent.elapsed() / 2;
        let node_ns = answer.as_int().ok_or_else(|| Failure::bad_input("the node's clock is no integer"))?;
        Ok(NodeClock { at: sent + half, node_ns, error_ns: i64::try_from(half.as_nanos()).unwrap_or(i64::MAX) })
    }

    /// The node's clock now.
    pub fn now_ns(&self) -> i64 {
        self.node_ns.saturating_add(i64::try_from(self.at.elapsed().as_nanos()).unwrap_or(i64::MAX))
    }

    /// This clock, in the recording whose clock is `first`; without one it is the recording's itself.
    pub fn shifted_to(self, first: Option<&NodeClock>) -> RecordingClock {
        match first {
            None => RecordingClock { node: self, shift_ns: 0, error_ns: 0 },
            Some(first) => RecordingClock {
                node: self,
                shift_ns: first.now_ns().saturating_sub(self.now_ns()),
                error_ns: self.error_ns.saturating_add(first.error_ns),
            },
        }
    }
}
