//! What the flight recorder is asked for, read from a script's map. It must not know how it is done.

use std::path::{Path, PathBuf};

use crate::breakpoint::Condition;
use crate::model::limits::{RECORDER_AFTER_NS, RECORDER_BEFORE_NS, RING_BYTES_MIN};
use crate::model::time::parse_duration_ns;
use crate::model::{Failure, Outcome};
use crate::session::value::{Duration, Options, Param, Value};
use crate::store::RingLimits;

/// How much: one bound, in the unit that it was given in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Bytes(u64),
    Ns(i64),
    Events(u64),
}

/// What to keep of an event that matters: the time around it.
pub struct Trigger {
    pub condition: Condition,
    pub before_ns: i64,
    pub after_ns: i64,
    /// Whether the first one ends the recording.
    pub is_once: bool,
}

/// What to record, and until when.
pub struct Plan {
    /// Where to; without it only the memory has it.
    pub out: Option<PathBuf>,
    pub ring: Option<RingLimits>,
    pub trigger: Option<Trigger>,
    /// How much goes into one file, and how many files are kept.
    pub rotate: Option<(Amount, Option<usize>)>,
    pub n_events_max: Option<u64>,
    pub ns_max: Option<i64>,
    pub bytes_max: Option<u64>,
    /// Time between two lines about how far it is.
    pub progress_ns: Option<i64>,
    /// Whether what is at `out` is written over.
    pub is_forced: bool,
    /// Whether the tracing ends with it.
    pub stops: bool,
}

/// Time between two lines of progress when nothing else is said.
const PROGRESS_NS: i64 = 5_000_000_000;
/// What a ring holds longer than it is asked for: a message is on its way for a while.
const SLACK_NS: i64 = 1_000_000_000;

fn usage(what: impl Into<String>) -> Failure {
    Failure::usage(format!("record: {}", what.into())).hint("help record")
}

impl Amount {
    /// `64MB`, `5min` or a number of events. Errors: it is none of these.
    pub fn parse(text: &str) -> Outcome<Amount> {
        let text = text.trim();
        let unit_at = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '_' | '.')).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let unit_bytes = match unit.trim() {
            "" => None,
            "B" => Some(1.0),
            "kB" | "KB" => Some(1e3),
            "MB" => Some(1e6),
            "GB" => Some(1e9),
            "KiB" => Some(1024.0),
            "MiB" => Some(1024.0 * 1024.0),
            "GiB" => Some(1024.0 * 1024.0 * 1024.0),
            _ => return parse_duration_ns(text).map(Amount::Ns).map_err(|_| Amount::wrong(text)),
        };
        let number = number.replace('_', "");
        match unit_bytes {
            None => number.parse().map(Amount::Events).map_err(|_| Amount::wrong(text)),
            Some(unit_bytes) => {
                let n: f64 = number.parse().map_err(|_| Amount::wrong(text))?;
                Ok(Amount::Bytes((n * unit_bytes) as u64))
            }
        }
    }

    /// What a ring of so much holds. Errors: it would hold nothing.
    pub fn ring(self) -> Outcome<RingLimits> {
        self.at_least_some("ring")?;
        Ok(match self {
            Amount::Bytes(n) if n < RING_BYTES_MIN => {
                return Err(usage(format!("ring: {n} bytes hold next to nothing, {RING_BYTES_MIN} are the least"))
                    .hint("ring: \"64MB\", \"5min\", 100_000"));
            }
            Amount::Bytes(n) => RingLimits { bytes_max: Some(n), ..RingLimits::default() },
            Amount::Ns(ns) => RingLimits { age_ns_max: Some(ns), ..RingLimits::default() },
            Amount::Events(n) => RingLimits { events_min: Some(n), ..RingLimits::default() },
        })
    }

    fn at_least_some(self, key: &str) -> Outcome<()> {
        if matches!(self, Amount::Bytes(0) | Amount::Events(0) | Amount::Ns(i64::MIN..=0)) {
            return Err(
                usage(format!("{key}: nothing would be kept")).hint(format!("{key}: \"64MB\", \"5min\", 100_000"))
            );
        }
        Ok(())
    }

    fn wrong(text: &str) -> Failure {
        usage(format!("{text:?} is no size, time or number of events")).hint("\"64MB\", \"5min\", 100_000")
    }
}

impl Param for Amount {
    const NAME: &'static str = "a size, a time or a number of events";
    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Int(n) => u64::try_from(n).map(Amount::Events).map_err(|_| format!("{n} events")),
            Value::Text(text) => Amount::parse(&text).map_err(|failure| failure.error),
            other => Duration::from_value(other).map(|duration| Amount::Ns(duration.ns)),
        }
    }
}

impl Plan {
    /// Reads the options of `record`. Errors: an option that is none, or that does not go with another.
    pub fn read(mut options: Options) -> Outcome<Plan> {
        let out = take::<String>(&mut options, "out")?.map(PathBuf::from);
        let condition = take::<Condition>(&mut options, "trigger")?;
        let before = take::<Duration>(&mut options, "before")?;
        let after = take::<Duration>(&mut options, "after")?;
        let is_once = take::<bool>(&mut options, "once")?;
        let ring = take::<Amount>(&mut options, "ring")?;
        let rotate = take::<Amount>(&mut options, "rotate")?;
        let keep = take::<i64>(&mut options, "keep")?;
        let n_events_max = take::<i64>(&mut options, "events")?.map(|n| at_least_one("events", n)).transpose()?;
        let ns_max = take::<Duration>(&mut options, "time")?.map(|duration| duration.ns);
        let bytes_max = take::<Amount>(&mut options, "size")?.map(bytes).transpose()?;
        let progress = options.take::<Option<Duration>>("progress").map_err(usage)?;
        let is_forced = take::<bool>(&mut options, "force")?.unwrap_or(false);
        let stops = take::<bool>(&mut options, "stop")?.unwrap_or(false);
        options
            .finish("out, ring, trigger, before, after, once, rotate, keep, events, time, size, progress, force, stop")
            .map_err(usage)?;
        if condition.is_none() && (before.is_some() || after.is_some() || is_once.is_some()) {
            return Err(usage("before, after and once belong to a trigger"));
        }
        if rotate.is_none() && keep.is_some() {
            return Err(usage("keep belongs to rotate"));
        }
        if rotate.is_some() && (ring.is_some() || condition.is_some()) {
            return Err(usage("rotate keeps everything in files, a ring and a trigger do not: one or the other"));
        }
        if out.is_none() && (condition.is_some() || rotate.is_some()) {
            return Err(usage("out is missing: where to?").hint("record(#{out: \"flight.cinema\"})"));
        }
        if let Some(out) = &out {
            check_name(out)?;
        }
        let keep = keep.map(|n| at_least_one("keep", n)).transpose()?.map(|n| n as usize);
        let trigger = condition.map(|condition| Trigger {
            condition,
            before_ns: before.map_or(RECORDER_BEFORE_NS, |duration| duration.ns.max(0)),
            after_ns: after.map_or(RECORDER_AFTER_NS, |duration| duration.ns.max(0)),
            is_once: is_once.unwrap_or(false),
        });
        let around = |trigger: &Trigger| Amount::Ns(trigger.before_ns + trigger.after_ns + SLACK_NS);
        Ok(Plan {
            out,
            ring: ring.or(trigger.as_ref().map(around)).map(Amount::ring).transpose()?,
            trigger,
            rotate: rotate.map(|amount| amount.at_least_some("rotate").map(|()| (amount, keep))).transpose()?,
            n_events_max,
            ns_max,
            bytes_max,
            is_forced,
            stops,
            progress_ns: progress.map_or(Some(PROGRESS_NS), |given| given.map(|duration| duration.ns)),
        })
    }
}

/// Errors: there is a file at `path` already.
pub fn check_new(path: &Path) -> Outcome<()> {
    if path.symlink_metadata().is_ok() {
        return Err(Failure::usage(format!("{} is there already: nothing is written over", path.display()))
            .hint("another name, or --force on the command line, force: true in a script"));
    }
    Ok(())
}

/// A recording's file has its own ending. Errors: `path` has another.
pub fn check_name(path: &Path) -> Outcome<()> {
    if path.extension().is_some_and(|extension| extension == "cinema") {
        return Ok(());
    }
    let path = path.display();
    Err(Failure::usage(format!("{:?} does not end with .cinema", path.to_string())).hint(format!("{path}.cinema")))
}

fn bytes(amount: Amount) -> Outcome<u64> {
    match amount {
        Amount::Bytes(n) => Ok(n),
        _ => Err(usage("size is a size: \"100MB\"; time and events bound the others")),
    }
}

fn at_least_one(key: &str, n: i64) -> Outcome<u64> {
    u64::try_from(n).ok().filter(|n| *n > 0).ok_or_else(|| usage(format!("{key}: {n} is less than one")))
}

fn take<P: Param>(options: &mut Options, key: &str) -> Outcome<Option<P>> {
    options.take::<P>(key).map_err(usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[(&str, Value)]) -> Outcome<Plan> {
        Plan::read(Options(entries.iter().map(|(key, value)| (key.to_string(), value.clone())).collect()))
    }
    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn an_amount_is_a_size_a_time_or_a_number() {
        let amount = |text: &str| Amount::parse(text).ok();
        assert_eq!(amount("64MB"), Some(Amount::Bytes(64_000_000)));
        assert_eq!(amount("1.5 KiB"), Some(Amount::Bytes(1536)));
        assert_eq!(amount("5min"), Some(Amount::Ns(300_000_000_000)));
        assert_eq!(amount("100_000"), Some(Amount::Events(100_000)));
        for wrong in ["", "x", "5 parsecs", "MB", "1.2.3MB", "-5"] {
            assert_eq!(amount(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_trigger_needs_a_ring_as_long_as_it_looks_back() {
        let condition = Value::Condition(Box::new(Condition::on_message(None)));
        let plan = read(&[("out", text("a.cinema")), ("trigger", condition.clone()), ("before", text("2s"))]).unwrap();
        let trigger = plan.trigger.unwrap();
        assert_eq!((trigger.before_ns, trigger.after_ns), (2_000_000_000, RECORDER_AFTER_NS));
        assert_eq!(plan.ring.unwrap().age_ns_max, Some(2_000_000_000 + RECORDER_AFTER_NS + SLACK_NS));
        let plan = read(&[("out", text("a.cinema")), ("trigger", condition), ("ring", text("1MB"))]).unwrap();
        assert_eq!(plan.ring.unwrap().bytes_max, Some(1_000_000));
    }

    #[test]
    fn what_does_not_go_together_is_told() {
        let error = |entries: &[(&str, Value)]| read(entries).err().map(|failure| failure.error).unwrap_or_default();
        assert_eq!(error(&[("before", text("1s"))]), "record: before, after and once belong to a trigger");
        assert_eq!(error(&[("keep", Value::Int(1))]), "record: keep belongs to rotate");
        assert_eq!(error(&[("rotate", text("1MB"))]), "record: out is missing: where to?");
        assert_eq!(error(&[("out", text("a.txt"))]), "\"a.txt\" does not end with .cinema");
        assert_eq!(error(&[("events", Value::Int(0))]), "record: events: 0 is less than one");
        assert!(error(&[("sizes", text("1MB"))]).starts_with("record: no option \"sizes\""));
        for nothing in [Value::Int(0), text("0s"), text("0MB"), text("1B")] {
            let told = read(&[("ring", nothing)]).err().expect("it is refused");
            assert!(told.error.contains("nothing") && !told.hints.is_empty(), "{told}");
        }
        let both = [("out", text("a.cinema")), ("rotate", text("1MB")), ("ring", text("1MB"))];
        assert!(error(&both).contains("one or the other"));
    }
}
