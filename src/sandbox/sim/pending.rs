//! Stands in until the kernel is a sandbox.

use super::Sim;
use crate::model::{Failure, Outcome, Seq};
use crate::sandbox::{Capabilities, EventSink, Input, RunEnd, RunLimit, Sandbox};

impl Sandbox for Sim {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
    fn describe(&self) -> String {
        "sim".into()
    }
    fn input(&mut self, _: Input, _: &mut dyn EventSink) -> Outcome<RunEnd> {
        Err(Failure::unsupported("sim"))
    }
    fn run(&mut self, _: RunLimit, _: &mut dyn EventSink) -> Outcome<RunEnd> {
        Err(Failure::unsupported("sim"))
    }
    fn restore(&mut self, _: Option<Seq>, _: Seq) -> Outcome<()> {
        Err(Failure::unsupported("sim"))
    }
}
