//! Every named limit of Cinema, in one place: what is bounded, by how much, and what a user
//! does to raise it. It must not know who asks.
//!
//! A limit that is tripped is reported as `limit NAME (value): how to raise it`; [`tripped`]
//! makes that sentence.

/// Atoms that one process of ours may intern (the BEAM's own default).
pub const ATOMS_MAX: usize = 1_048_576;
/// Nesting of a term that is built as a tree; deeper terms stay bytes and print as such.
pub const TERM_DEPTH_MAX: usize = 256;
/// Bytes that a compressed external term may inflate to.
pub const TERM_INFLATED_BYTES_MAX: usize = 256 << 20;
/// Places that a diff of two terms lists one by one.
pub const DIFF_CHANGES_MAX: usize = 10_000;

/// Fields and patterns of one set of redaction rules.
pub const REDACTION_RULES_MAX: usize = 1_000;
/// Bytes of memory that the patterns of redaction may take when they are compiled.
pub const REDACTION_PATTERN_BYTES_MAX: usize = 8 << 20;
/// Nesting of a term that is looked through for secrets; a deeper one is left out whole.
pub const REDACTION_DEPTH_MAX: usize = 100_000;
/// Terms in binaries in terms .. that are looked through for secrets; further ones are left out.
pub const REDACTION_LEVELS_MAX: usize = 4;

/// Processes of which nothing is to be recorded; with more, nothing is recorded of anybody.
pub const HIDDEN_PROCESSES_MAX: usize = 1 << 20;

/// Events in one sealed segment.
pub const SEGMENT_EVENTS: usize = 1 << 16;
/// Bytes of payload at which a segment is sealed before it has all its events.
pub const SEGMENT_PAYLOAD_BYTES: usize = 64 << 20;
/// Bytes up to which a session file is checked whole when it is opened; a larger one is checked as it is read.
pub const CHECKED_AT_OPEN_BYTES: usize = 64 << 20;
/// The newest arrivals kept for a process that was never seen taking a message out: its mailbox is not known
/// then, and must not seem to grow for ever.
pub const UNTAKEN_KEPT_MAX: usize = 32;
/// Events between two keyframes.
pub const KEYFRAME_EVENTS: usize = 1 << 14;
/// Bytes of newest states that are compared with the next ones for the index of changed paths; beyond it all are forgotten,
/// and the next state of each process counts as having changed everything.
pub const STATES_COMPARED_BYTES_MAX: usize = 64 << 20;
/// The fewest bytes that a ring recording may be bounded to.
pub const RING_BYTES_MIN: u64 = 64 << 10;
/// Bytes of states that a ring recording keeps when the events that carried them are gone, those of living processes first.
pub const RING_STATE_BYTES_MAX: usize = 16 << 20;
/// Rows of ended processes that a ring recording keeps when their events are gone: those that ended last.
pub const RING_DEAD_ROWS_MAX: usize = 10_000;
/// Bytes of a keyframe's rows that a file may make us inflate.
pub const KEYFRAME_BYTES_MAX: usize = 256 << 20;
/// Bytes of columns unpacked from an archive that stay in memory; more go to a file without a name in the folder for temporary
/// files (`TMPDIR`).
pub const UNPACKED_BYTES_MAX: usize = 256 << 20;
/// Bytes that a recording may hold in memory before recording stops with an error.
pub const RECORDING_BYTES_MAX: usize = 4 << 30;
/// Bytes of what a live recording has sealed that wait in memory while its disk is full; then events are dropped and counted.
pub const UNWRITTEN_BYTES_MAX: usize = 256 << 20;
/// Bytes of one event's payload.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;
/// Bytes of one frame in a trace file.
pub const FRAME_BYTES_MAX: usize = 256 << 20;
/// Events held back to put late ones in their place.
pub const REORDER_EVENTS: usize = 4096;
/// How far from its zero a clock that is imported may stand, in ns (146 years): so that a difference of two times is one.
pub const CLOCK_NS_MAX: i64 = i64::MAX / 2;
/// Defects of a damaged file that are kept with their offsets; more are only counted.
pub const DEFECTS_KEPT_MAX: usize = 1_000;
/// Files that one import merges (a wrapped set, or the nodes of a ttb folder).
pub const IMPORT_FILES_MAX: usize = 4_096;
/// The largest number with which JSON lines that are imported may begin; those of larger ones begin at 0. Every number up to twice
/// of it is exact in JavaScript, too.
pub const FIRST_SEQ_MAX: u64 = 1 << 52;
/// Losses that stand for one event each that is missing in JSON lines, so that others keep their numbers; what is missing beyond has
/// one loss a gap.
pub const LINES_MISSING_MAX: usize = 1 << 16;
/// Sends, arrivals and calls that an import keeps open for their other end; the oldest are given up.
pub const OPEN_ENDS_MAX: usize = 1 << 20;

/// Bytes of one distribution frame that is kept whole; the control part of a longer one is read, its payload is not.
pub const DIST_FRAME_BYTES_MAX: usize = 64 << 20;
/// Bytes of one distribution control message.
pub const DIST_CONTROL_BYTES_MAX: usize = 64 << 10;
/// Bytes of one message of the distribution handshake.
pub const DIST_HANDSHAKE_BYTES_MAX: usize = 4 << 10;
/// Bytes of one answer of epmd.
pub const EPMD_BYTES_MAX: usize = 64 << 10;
/// Bytes that wait to be sent to one node.
pub const DIST_UNSENT_BYTES_MAX: usize = 64 << 20;
/// Calls of one node that wait for their answers.
pub const DIST_CALLS_MAX: usize = 10_000;
/// Mailboxes of our own on one connection.
pub const DIST_MAILBOXES_MAX: usize = 1_024;
/// Links and monitors that a node's processes have to one mailbox of ours.
pub const DIST_TIES_MAX: usize = 10_000;
/// Messages from a node that wait in one mailbox of ours; more are dropped and counted.
pub const DIST_MAILBOX_MESSAGES_MAX: usize = 1 << 14;
/// Bytes of messages that wait in one mailbox of ours; more are dropped and counted.
pub const DIST_MAILBOX_BYTES_MAX: usize = 128 << 20;
/// Bytes of text kept of what processes started by us print on a node.
pub const DIST_PRINTED_BYTES_MAX: usize = 64 << 10;
/// Milliseconds between two heartbeats to the agent on a live node.
pub const AGENT_BEAT_MS: u64 = 500;
/// Milliseconds without a heartbeat after which the agent undoes everything and ends.
pub const AGENT_SILENCE_MS: u64 = 3_000;
/// News of the agent (limits that were tripped, its end) that wait to be read.
pub const AGENT_EVENTS_MAX: usize = 256;
/// Batches of up to 200 trace frames that a node without runtime_tools forwards before we ask for more.
pub const FORWARDED_AHEAD: usize = 16;
/// Chunks of trace frames (256 KiB each) that wait to be recognised; then the sockets are not read any more.
pub const FEED_CHUNKS_AHEAD: usize = 16;
/// Things learned beside the trace (samples, states, hits) that wait to be recognised.
pub const FEED_LOOKS_AHEAD: usize = 4_096;
/// Batches of events (up to 4096 each) from live nodes that wait for the session.
pub const FEED_BATCHES_AHEAD: usize = 16;
/// Trace messages that a live node queues for us; beyond it the node drops, and counts what it drops.
pub const TRACE_QUEUE_LEN: u32 = 20_000;
/// The least queue that a live node may be asked for: with less, it can crash.
pub const TRACE_QUEUE_LEN_MIN: u32 = 100;
/// Seconds after which tracing of a live node ends by itself.
pub const TRACE_TIME_S_MAX: u64 = 600;
/// Trace messages after which it ends.
pub const TRACE_EVENTS_MAX: u64 = 20_000_000;
/// Trace messages per second, over two seconds, at which it ends.
pub const TRACE_PER_SECOND_MAX: u64 = 200_000;
/// Messages in the mailbox of a traced process at which it ends.
pub const TRACED_QUEUE_LEN_MAX: u64 = 50_000;
/// Bytes by which the traced node's memory may grow before it ends.
pub const TRACE_MEMORY_BYTES_MAX: u64 = 512 << 20;
/// Bytes of heap up to which the whole state of a traced process is copied at every callback.
pub const TRACE_STATE_BYTES_MAX: u64 = 64 << 10;
/// Bytes of a state that a live process is asked for.
pub const LOOK_STATE_BYTES_MAX: u64 = 4 << 20;
/// Milliseconds that a live process gets to answer when it is looked at.
pub const LOOK_TIMEOUT_MS: u64 = 1_000;
/// Milliseconds that a live process is held at a breakpoint before it goes on by itself.
pub const HOLD_MS_MAX: u64 = 30_000;
/// Nanoseconds before a trigger that a flight recorder keeps, and after it, when nothing else is said.
pub const RECORDER_BEFORE_NS: i64 = 30_000_000_000;
pub const RECORDER_AFTER_NS: i64 = 10_000_000_000;
/// Processes of a live node that are sampled (memory, reductions, queue) at a time.
pub const SAMPLED_PROCESSES_MAX: usize = 500;
/// Processes whose callbacks are traced without their states because these are large, per pattern.
pub const LEAN_PROCESSES_MAX: usize = 100;

/// Blocking calls in one run of one callback on the sim. Each evaluates the callback once more from its beginning.
pub const CALLBACK_BLOCKING_CALLS_MAX: usize = 1_000;
/// Scheduler steps of one `run()` on the sim.
pub const SIM_STEPS_MAX: u64 = 10_000_000;
/// Live processes on the sim.
pub const SIM_PROCESSES_MAX: usize = 1 << 20;
/// Messages in one simulated mailbox.
pub const SIM_MAILBOX_MAX: usize = 1 << 20;

/// Rhai operations of one script or REPL line.
pub const SCRIPT_OPERATIONS_MAX: u64 = 500_000_000;
/// Rhai operations of one callback or breakpoint condition.
pub const CALLBACK_OPERATIONS_MAX: u64 = 5_000_000;
/// Seconds that a breakpoint's condition may take for one event.
pub const CONDITION_SECONDS_MAX: u64 = 2;
/// Rhai function call depth.
pub const SCRIPT_CALL_DEPTH_MAX: usize = 64;
/// Nesting of a Rhai expression.
pub const SCRIPT_EXPR_DEPTH_MAX: usize = 128;
/// Bytes of a Rhai string.
pub const SCRIPT_STRING_BYTES_MAX: usize = 64 << 20;
/// Items of a Rhai array.
pub const SCRIPT_ARRAY_MAX: usize = 10_000_000;
/// Bytes of memory that our process may hold while a script runs.
pub const SCRIPT_MEMORY_BYTES_MAX: u64 = 8 << 30;
/// Variables of a Rhai script at one time.
pub const SCRIPT_VARIABLES_MAX: usize = 10_000;
/// Functions (closures among them) that one Rhai script defines.
pub const SCRIPT_FUNCTIONS_MAX: usize = 10_000;
/// Modules that one Rhai script imports.
pub const SCRIPT_MODULES_MAX: usize = 256;
/// Entries of a Rhai object map.
pub const SCRIPT_MAP_MAX: usize = 1_000_000;

/// Rows of a result that a terminal shows before it says how to see the rest.
pub const SHOWN_ROWS: usize = 40;
/// Rows that a query gives to a script when it does not say otherwise.
pub const QUERY_ROWS_MAX: usize = 1_000_000;
/// Stretches of events that closures may choose for a count, a grouping or a histogram.
pub const CHOSEN_RANGES_MAX: usize = 1 << 24;
/// Bytes of a text that is looked for in payloads.
pub const SEARCHED_TEXT_BYTES_MAX: usize = 64 << 10;
/// Rows of a grouping or of time buckets.
pub const GROUPS_MAX: usize = 1_000_000;
/// Depth and items of a term as shown in one table cell.
pub const SHOWN_TERM_DEPTH: usize = 6;
/// Characters of a term as shown in one table cell.
pub const SHOWN_TERM_CHARS: usize = 80;
/// Marks (arrows, bars, labels) of one picture.
pub const PICTURE_MARKS_MAX: usize = 5_000;
/// Lanes of one picture.
pub const PICTURE_LANES_MAX: usize = 60;
/// Breakpoints of one session.
pub const BREAKPOINTS_MAX: usize = 1_000;
/// Hits kept per breakpoint.
pub const HITS_KEPT_MAX: usize = 100_000;
/// Hit notices waiting for the terminal; more are counted, not kept.
pub const HIT_NOTICES_MAX: usize = 256;

/// Connections of browsers and other channel clients at one time.
pub const SERVER_CLIENTS_MAX: usize = 64;
/// HTTP requests that are worked on at one time; more wait.
pub const SERVER_REQUESTS_MAX: usize = 64;
/// Bytes of one HTTP request's body.
pub const SERVER_BODY_BYTES_MAX: usize = 1 << 20;
/// Bytes of a recording that is opened by drag and drop.
pub const SERVER_IMPORT_BYTES_MAX: usize = 512 << 20;
/// Bytes of one frame from a channel client.
pub const SERVER_FRAME_BYTES_MAX: usize = 64 << 10;
/// How many times as fast as it was recorded something is played, either way.
pub const PLAYBACK_SPEED_MAX: f64 = 1e9;
/// Rows of one page of an HTTP answer; `meta.next` leads to the next page.
pub const SERVER_ROWS_MAX: usize = 10_000;
/// Seconds that a request waits for the session's thread, which may be running something.
pub const SERVER_WAIT_SECONDS: u64 = 60;
/// Frames a second that a channel client is sent.
pub const SERVER_FRAMES_PER_SECOND: u64 = 20;
/// Frames that may be on their way to a client that has not acknowledged them; changes are merged meanwhile.
pub const SERVER_FRAMES_UNACKNOWLEDGED: u64 = 2;
/// Seconds after which a client that acknowledges nothing is dropped.
pub const SERVER_SLOW_CLIENT_SECONDS: u64 = 30;
/// Topics that one channel connection may join.
pub const SERVER_TOPICS_MAX: usize = 4;
/// Rhai operations of one line that comes over a socket.
pub const SERVER_SCRIPT_OPERATIONS_MAX: u64 = 5_000_000;
/// Seconds that it may take: less than a request waits ([`SERVER_WAIT_SECONDS`]).
pub const SERVER_SCRIPT_SECONDS_MAX: u64 = 30;
/// Bytes of each text in an error that the server gives: it repeats what was wrong.
pub const PROBLEM_TEXT_BYTES_MAX: usize = 4 << 10;
/// Bytes of one answer of the MCP server: an assistant reads all of it.
pub const MCP_ANSWER_BYTES_MAX: usize = 24 << 10;

/// Says that a limit was tripped, which one, and how to raise it.
pub fn tripped(name: &str, value: impl std::fmt::Display, raise: &str) -> String {
    format!("limit {name} ({value}): {raise}")
}
