//! Importing a trace file, frames to a saved and indexed session, against Erlang's own reader of the same file, which reads
//! and counts.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Scratch, file_bytes};
use crate::bench::harness::cpu_timed;
use crate::bench::{Options, Section, timed};
use crate::model::{Failure, Outcome};
use crate::session::import::into_file;
use crate::view::Table;

/// `dbg:trace_client/3` with a handler that counts; prints frames and wall nanoseconds.
const READER: &str = "[File] = init:get_plain_arguments(), Self = self(), \
    Count = fun(end_of_trace, N) -> Self ! {read, N}, N; (_, N) -> N + 1 end, \
    Begun = erlang:monotonic_time(nanosecond), \
    Ref = monitor(process, dbg:trace_client(file, File, {Count, 0})), \
    receive \
        {read, N} -> io:format(\"~w ~w~n\", [N, erlang:monotonic_time(nanosecond) - Begun]); \
        {'DOWN', Ref, _, _, Why} -> io:format(\"ended: ~0P~n\", [Why, 8]) \
    end, halt().";

/// Times both on `trace`. Errors: it cannot be imported; a missing Erlang is a note.
pub fn import(options: &Options, trace: &Path) -> Outcome<Table> {
    let mut section = Section::new("store: import of a trace file", options);
    let scratch = Scratch::new()?;
    let out = scratch.0.join("imported.cinema");
    let mut n_frames = 0;
    let mut rounds = Vec::new();
    for _ in 0..section.n_rounds() {
        let ((imported, cpu_ns), wall) =
            timed(|| cpu_timed(|| into_file(&[trace.to_path_buf()], &[], &out, &mut |_| true)));
        n_frames = imported?.n_frames;
        rounds.push((wall, Duration::from_nanos(cpu_ns as u64)));
    }
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let wall = median(rounds.iter().map(|(wall, _)| *wall).collect());
    match erlang(trace, section.n_rounds()) {
        Ok((n_read, took)) => {
            section.record("Erlang's dbg:trace_client, counting", "frame", n_read, median(took.clone()));
            let ours_ns = section.record("cinema import, saved and indexed", "frame", n_frames, wall);
            section.aim_ns(ours_ns, median(took).as_nanos() as f64 / n_read.max(1) as f64 / 10.0);
        }
        Err(why) => {
            section.record("cinema import, saved and indexed", "frame", n_frames, wall);
            section.note(format!("SKIPPED Erlang's reader: {}", why.error));
        }
    }
    let cpu = median(rounds.iter().map(|(_, cpu)| *cpu).collect());
    section.record("cinema import, CPU time of all threads", "frame of CPU time", n_frames, cpu);
    section.figure("trace file", file_bytes(trace)? / n_frames as f64, "B/frame");
    section.figure("session file", file_bytes(&out)? / n_frames as f64, "B/frame");
    section.note("wall time, the file in the page cache");
    Ok(section.finish())
}

/// Frames, and what each round took.
fn erlang(trace: &Path, n_rounds: usize) -> Outcome<(u64, Vec<Duration>)> {
    let mut n_frames = 0;
    let mut took = Vec::new();
    for _ in 0..n_rounds {
        let mut command = Command::new("erl");
        command.args(["-noinput", "-eval", READER, "-extra"]).arg(trace);
        let output = command.output().map_err(|error| Failure::not_found(format!("erl does not run: {error}")))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let numbers: Vec<u64> = printed.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [n, ns] = numbers[..] else { return Err(Failure::bad_input(format!("it {}", printed.trim()))) };
        n_frames = n;
        took.push(Duration::from_nanos(ns));
    }
    Ok((n_frames, took))
}
