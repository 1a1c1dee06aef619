//! Durations and moments as users write them. It must not know of recordings: a moment is
//! resolved to a [`Seq`] by whoever holds one.

use super::event::Seq;
use super::failure::{Failure, Outcome};

/// A position as a user names it; `timeline` resolves it.
#[derive(Debug, Clone, PartialEq)]
pub enum Moment {
    /// An event, by its identity: `seq(1234)`, `"#1234"`.
    Seq(Seq),
    /// A share of the recording's events, 0 to 100: `"42%"`.
    Percent(f64),
    /// Nanoseconds after the recording's first event: `"5ms"`.
    SinceStartNs(i64),
    /// Nanoseconds relative to the cursor: `"+5ms"`, `"-1s"`.
    OffsetNs(i64),
    /// Events relative to the cursor: `"+10"`, `"-3"`.
    OffsetEvents(i64),
    /// A mark or snapshot by name.
    Mark(String),
    Start,
    End,
}

/// Parses `"250us"`, `"5ms"`, `"1.5s"`, `"2min"`, `"3h"`, `"100ns"` to nanoseconds.
pub fn parse_duration_ns(text: &str) -> Outcome<i64> {
    let text = text.trim();
    let bad = || {
        Failure::usage(format!("{text:?} is not a duration"))
            .hint("write a number and ns, us, ms, s, min or h: \"5ms\"")
    };
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic() || c == 'µ').ok_or_else(bad)?;
    let (number, unit) = text.split_at(unit_at);
    let unit_ns = match unit {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" | "sec" => 1e9,
        "m" | "min" => 60e9,
        "h" => 3600e9,
        _ => return Err(bad()),
    };
    let number: f64 = number.trim().replace('_', "").parse().map_err(|_| bad())?;
    let ns = number * unit_ns;
    if ns.abs() < 9.2e18 {
        return Ok(ns.round() as i64);
    }
    Err(Failure::usage(format!("{text:?} is too long: a duration is at most 292 years")).hint("2_500_000h, or less"))
}

/// Prints nanoseconds with a unit and three or four digits: `1.25 ms`.
pub fn show_ns(ns: i64) -> String {
    let magnitude = ns.unsigned_abs() as f64;
    let (value, unit) = match magnitude {
        m if m < 1e3 => return format!("{ns} ns"),
        m if m < 1e6 => (m / 1e3, "µs"),
        m if m < 1e9 => (m / 1e6, "ms"),
        m if m < 120e9 => (m / 1e9, "s"),
        m if m < 7200e9 => (m / 60e9, "min"),
        m => (m / 3600e9, "h"),
    };
    let digits = if value < 10.0 {
        2
    } else if value < 100.0 {
        1
    } else {
        0
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{}{text} {unit}", if ns < 0 { "-" } else { "" })
}

impl Moment {
    /// Parses the text forms listed at the variants; any other word is a mark's name.
    pub fn parse(text: &str) -> Outcome<Moment> {
        let text = text.trim();
        let bad = |what: &str| {
            Failure::usage(format!("{text:?} is not a moment: {what}"))
            .hint("moments: \"#1234\", \"42%\", \"5ms\" (since start), \"+5ms\", \"-10\" (from here), \"start\", \"end\", a mark's name")
        };
        if let Some(number) = text.strip_prefix('#') {
            let seq = number.replace('_', "").parse().map_err(|_| bad("no event number after #"))?;
            return Ok(Moment::Seq(Seq(seq)));
        }
        if let Some(number) = text.strip_suffix('%') {
            let percent: f64 = number.trim().parse().map_err(|_| bad("no number before %"))?;
            if !(0.0..=100.0).contains(&percent) {
                return Err(bad("a percentage is from 0 to 100"));
            }
            return Ok(Moment::Percent(percent));
        }
        match text.as_bytes() {
            [] => Err(bad("it is empty")),
            [sign @ (b'+' | b'-'), rest @ ..] => {
                let sign = if *sign == b'-' { -1 } else { 1 };
                let rest = std::str::from_utf8(rest).expect("the text after an ASCII sign");
                match rest.trim().parse::<i64>() {
                    Ok(n) => Ok(Moment::OffsetEvents(sign * n)),
                    Err(_) => Ok(Moment::OffsetNs(sign * parse_duration_ns(rest)?)),
                }
            }
            [digit, ..] if digit.is_ascii_digit() => Ok(Moment::SinceStartNs(parse_duration_ns(text)?)),
            _ => Ok(match text {
                "start" => Moment::Start,
                "end" | "now" => Moment::End,
                name => Moment::Mark(name.to_string()),
            }),
        }
    }
}
