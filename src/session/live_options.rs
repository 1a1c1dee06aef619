//! The options of live nodes as a script's maps say them. It must not know nodes.

use std::path::PathBuf;
use std::time::Duration as StdDuration;

use super::Session;
use super::recorder::plan;
use super::value::{Duration, Options, Param, ProcessRef, Value};
use crate::codec::redact::DEFAULT_FIELDS;
use crate::model::limits::{LOOK_STATE_BYTES_MAX, LOOK_TIMEOUT_MS, UNWRITTEN_BYTES_MAX};
use crate::model::{Failure, Moment, Outcome, Path, Syntax, Term};
use crate::sandbox::beam::dist::Cookie;
use crate::sandbox::beam::launch::LaunchOptions;
use crate::sandbox::beam::options::{AttachOptions, Capture, CookieSource, TraceLimits, TraceOptions};
use crate::sandbox::beam::select::Selection;
use crate::sandbox::trace::Redaction;
use crate::store::{Durability, SyncPolicy};

/// How long getting in may take.
const ATTACH_TIMEOUT: StdDuration = StdDuration::from_millis(2_800);

/// What `attach` was asked for.
pub(super) struct Attach {
    pub target: AttachOptions,
    /// Further nodes of the cluster.
    pub others: Vec<AttachOptions>,
    pub trace: Option<TraceOptions>,
    /// The file that the recording lives in.
    pub record: Option<Keep>,
}

/// A file that a recording lives in, and what a crash may take from it.
pub(super) struct Keep {
    pub path: PathBuf,
    pub durability: Durability,
}

/// The options `record`, `force`, `sync` and `seal_after`.
pub(super) fn record(options: &mut Options) -> Outcome<Option<Keep>> {
    let path = take::<String>(options, "record")?.map(PathBuf::from);
    let is_forced = take::<bool>(options, "force")?.unwrap_or(false);
    let sync = take::<Value>(options, "sync")?.map(sync_policy).transpose()?;
    let seal_after = take::<Duration>(options, "seal_after")?;
    let Some(path) = path else {
        let given = [("sync", sync.is_some()), ("seal_after", seal_after.is_some())];
        let given = given.into_iter().find(|(_, is_given)| *is_given);
        return given.map_or(Ok(None), |(key, _)| {
            Err(usage(format!("{key} belongs to record: a file to keep")).hint("record: \"run.cinema\""))
        });
    };
    plan::check_name(&path)?;
    if !is_forced {
        plan::check_new(&path)?;
    }
    let mut durability = Durability { unwritten_bytes_max: UNWRITTEN_BYTES_MAX, ..Durability::default() };
    set(&mut durability.sync, sync);
    if let Some(seal_after) = seal_after {
        if seal_after.ns <= 0 {
            return Err(usage("seal_after is more than nothing".into()).hint("seal_after: \"100ms\""));
        }
        durability.seal_after_ns = seal_after.ns;
    }
    Ok(Some(Keep { path, durability }))
}

/// When what was written must be on the disk: a word, or how long it may take.
fn sync_policy(value: Value) -> Outcome<SyncPolicy> {
    match value {
        Value::Text(text) if text == "none" => Ok(SyncPolicy::None),
        Value::Text(text) if text == "segment" => Ok(SyncPolicy::Segment),
        other => {
            let within = Duration::from_value(other).map_err(|what| {
                usage(format!("sync: {what}")).hint("sync: \"none\", \"segment\", or a time such as \"1s\"")
            })?;
            Ok(SyncPolicy::Interval(std_duration(within)))
        }
    }
}

fn usage(what: String) -> Failure {
    Failure::usage(what)
}

/// The options of `attach`.
pub(super) fn attach(session: &Session, node: String, options: &mut Options) -> Outcome<Attach> {
    let cookie = match (take::<String>(options, "cookie")?, take::<String>(options, "cookie_file")?) {
        (Some(_), Some(_)) => return Err(usage("attach: either cookie or cookie_file".into())),
        (Some(text), None) => CookieSource::Text(Cookie::from_text(&text)?),
        (None, Some(path)) => CookieSource::File(PathBuf::from(path)),
        (None, None) => session.cookie.clone(),
    };
    let is_long = take::<bool>(options, "long_names")?.unwrap_or(false);
    let timeout = take::<Duration>(options, "timeout")?.map_or(ATTACH_TIMEOUT, std_duration);
    let redact = redaction(options)?.unwrap_or_default();
    let target =
        |node: String| AttachOptions { node, cookie: cookie.clone(), is_long, timeout, redact: redact.clone() };
    let record = record(options)?;
    let others = take::<Value>(options, "others")?.map(texts).transpose()?.unwrap_or_default();
    let what = take::<Value>(options, "trace")?;
    let trace = match what {
        Some(what) => Some(trace(session, Some(what), options)?),
        None => {
            finish(
                options,
                "attach",
                "cookie, cookie_file, long_names, timeout, others, record, force, sync, seal_after, redact, trace and its options",
            )?;
            None
        }
    };
    Ok(Attach { others: others.into_iter().map(target).collect(), target: target(node), trace, record })
}

/// The options of `beam`.
pub(super) fn launch(session: &Session, options: &mut Options) -> Outcome<(LaunchOptions, TraceOptions)> {
    let paths = |value: Option<Value>| Ok::<_, Failure>(value.map(texts).transpose()?.unwrap_or_default());
    let code_paths: Vec<PathBuf> = paths(take(options, "pa")?)?.into_iter().map(PathBuf::from).collect();
    let flags = paths(take(options, "flags")?)?;
    let mix = take::<String>(options, "mix")?.map(PathBuf::from);
    let start = take::<String>(options, "start")?.map(|text| start_call(&text)).transpose()?;
    let redact = redaction(options)?.unwrap_or_default();
    let launch = LaunchOptions { code_paths, mix, start, flags, redact };
    if launch.start.is_none() && launch.mix.is_none() {
        return Err(usage("beam: nothing to start: start or mix is missing".into())
            .hint("beam(#{pa: [\"ebin\"], start: \"shop:start()\"})")
            .hint("beam(#{mix: \"my_app\"})"));
    }
    let what = take::<Value>(options, "trace")?;
    // What is started is not there yet: everything new is traced. A node of our own may be traced without limits.
    let is_default = what.is_none();
    let mut trace = trace_with(session, what, options, TraceLimits::NONE)?;
    if is_default {
        (trace.what, trace.follows_all_new) = (Vec::new(), true);
    }
    Ok((launch, trace))
}

/// What a launched node is called.
pub(super) fn title(launch: &LaunchOptions) -> String {
    match (&launch.mix, &launch.start) {
        (Some(folder), _) => folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        (None, Some((module, ..))) => module.clone(),
        (None, None) => "beam".to_string(),
    }
}

/// `module:function`, `module:function/0`, `module:function/[a, 1]` or `module:function(a, 1)`, in Erlang's syntax.
fn start_call(text: &str) -> Outcome<(String, String, Vec<Term>)> {
    let wrong = || {
        usage(format!("start {text:?} is no call"))
            .hint("\"shop:start()\", \"shop:start([1, a])\" or \"Elixir.Shop:start()\"")
    };
    let (module, rest) = text.trim().split_once(':').ok_or_else(wrong)?;
    let at = rest.find(['(', '/']).unwrap_or(rest.len());
    let (function, args) = rest.split_at(at);
    let list = match args {
        "" | "/0" => "[]".to_string(),
        args if args.starts_with('/') => args[1..].to_string(),
        args => format!("[{}]", args.strip_prefix('(').and_then(|args| args.strip_suffix(')')).ok_or_else(wrong)?),
    };
    let args = Term::parse(&list, Syntax::Erlang).map_err(|error| wrong().hint(error.to_string()))?;
    let args = args.as_list().map(<[Term]>::to_vec).or_else(|| matches!(args, Term::Nil).then(Vec::new));
    if module.is_empty() || function.is_empty() {
        return Err(wrong());
    }
    Ok((module.to_string(), function.to_string(), args.ok_or_else(wrong)?))
}

/// What to trace, and the options of `start_tracing`.
pub(super) fn trace(session: &Session, what: Option<Value>, options: &mut Options) -> Outcome<TraceOptions> {
    trace_with(session, what, options, TraceLimits::default())
}

fn trace_with(
    session: &Session,
    what: Option<Value>,
    options: &mut Options,
    limits: TraceLimits,
) -> Outcome<TraceOptions> {
    let mut trace = TraceOptions { limits, ..TraceOptions::default() };
    if let Some(what) = what {
        let items = match what {
            Value::List(items) => items,
            one => vec![one],
        };
        trace.what = items.into_iter().map(|item| selection(session, item)).collect::<Outcome<_>>()?;
    }
    if let Some(text) = take::<String>(options, "capture")? {
        trace.capture = match text.as_str() {
            "auto" => Capture::Auto,
            "full" => Capture::Full,
            "lean" => Capture::Lean,
            "received" => Capture::Received,
            _ => {
                return Err(
                    usage(format!("no capture {text:?}")).hint("capture: \"auto\", \"full\", \"lean\" or \"received\"")
                );
            }
        };
    }
    set(&mut trace.follows_children, take(options, "children")?);
    set(&mut trace.follows_all_new, take(options, "all_new")?);
    set(&mut trace.with_gc, take(options, "gc")?);
    if let Some(paths) = take::<Value>(options, "watch")? {
        let path = |text: String| Path::parse(&text).map_err(|error| usage(format!("watch {text:?}: {error}")));
        trace.watched = texts(paths)?.into_iter().map(path).collect::<Outcome<_>>()?;
    }
    if let Some(tags) = take::<Value>(options, "without")? {
        trace.without = texts(tags)?.iter().map(|text| super::value::atom(text)).collect::<Outcome<_>>()?;
    }
    if let Some(bytes) = take::<i64>(options, "state_max")? {
        trace.state_bytes_max = u64::try_from(bytes).map_err(|_| usage("state_max is at least 0".into()))?;
    }
    if let Some(every) = take_or_none::<Duration>(options, "sample")? {
        trace.sample_every = every.map(std_duration);
    }
    if let Some(n) = take::<i64>(options, "queue")? {
        trace.queue_len = u32::try_from(n).map_err(|_| usage(format!("queue {n} is no number of messages")))?;
    }
    if let Some(limits) = take::<Options>(options, "limits")? {
        self::limits(&mut trace.limits, limits)?;
    }
    trace.redact = redaction(options)?;
    let known = "capture, children, all_new, gc, watch, without, state_max, sample, queue, limits, redact";
    finish(options, "start_tracing", known)?;
    Ok(trace)
}

/// What the option `redact` says: `()` for nothing, else more than what is taken out anyway. `None` without the option.
pub(super) fn redaction(options: &mut Options) -> Outcome<Option<Redaction>> {
    let Some(given) = take_or_none::<Options>(options, "redact")? else { return Ok(None) };
    let Some(mut given) = given else { return Ok(Some(Redaction::none())) };
    let mut list = |key: &str| take::<Value>(&mut given, key)?.map(texts).transpose().map(Option::unwrap_or_default);
    let (mut fields, patterns, processes) = (list("fields")?, list("patterns")?, list("processes")?);
    if take::<bool>(&mut given, "defaults")?.unwrap_or(true) {
        fields.extend(DEFAULT_FIELDS.iter().map(ToString::to_string));
    }
    finish(&mut given, "redact", "fields, patterns, processes, defaults")?;
    Redaction::new(&fields, &patterns, &processes).map(Some)
}

fn limits(limits: &mut TraceLimits, mut given: Options) -> Outcome<()> {
    let number = |n: i64| u64::try_from(n).map_err(|_| usage(format!("limit {n}: at least 0")));
    if let Some(time) = take_or_none::<Duration>(&mut given, "time")? {
        limits.time = time.map(std_duration);
    }
    let fields = [
        ("events", &mut limits.n_events),
        ("rate", &mut limits.n_per_second),
        ("queue", &mut limits.queue_len),
        ("memory_bytes", &mut limits.memory_bytes),
    ];
    for (key, field) in fields {
        if let Some(n) = take_or_none::<i64>(&mut given, key)? {
            *field = n.map(number).transpose()?;
        }
    }
    finish(&mut given, "limits", "time, events, rate, queue, memory_bytes")
}

/// One choice of processes: a text as [`Selection::parse`] reads it, or a process.
fn selection(session: &Session, value: Value) -> Outcome<Selection> {
    match value {
        Value::Text(text) if !(text.starts_with('<') || text.starts_with("#PID")) => Selection::parse(&text),
        other => {
            let process = ProcessRef::from_value(other).map_err(usage)?;
            let actor = session.source()?.find_process(&process, Some(&Moment::End))?;
            actor.pid().map(Selection::Pid).ok_or_else(|| usage("a port is not traced".into()))
        }
    }
}

/// How a process is looked at.
pub(super) struct Look {
    pub n_bytes_max: u64,
    pub timeout: StdDuration,
}

pub(super) fn look(options: Option<Options>) -> Outcome<Look> {
    let mut options = options.unwrap_or(Options(Vec::new()));
    let n_bytes_max = match take::<i64>(&mut options, "state_max")? {
        Some(n) => u64::try_from(n).map_err(|_| usage("state_max is at least 0".into()))?,
        None => LOOK_STATE_BYTES_MAX,
    };
    let timeout = take::<Duration>(&mut options, "timeout")?;
    finish(&mut options, "get_state", "timeout, state_max")?;
    Ok(Look { n_bytes_max, timeout: timeout.map_or(StdDuration::from_millis(LOOK_TIMEOUT_MS), std_duration) })
}

fn take<P: Param>(options: &mut Options, key: &str) -> Outcome<Option<P>> {
    options.take::<P>(key).map_err(usage)
}

/// As [`take`], where `()` means none at all.
fn take_or_none<P: Param>(options: &mut Options, key: &str) -> Outcome<Option<Option<P>>> {
    options.take::<Option<P>>(key).map_err(usage)
}

fn finish(options: &mut Options, of: &str, known: &str) -> Outcome<()> {
    std::mem::replace(options, Options(Vec::new())).finish(known).map_err(|what| usage(format!("{of}: {what}")))
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// A text, or a list of them.
fn texts(value: Value) -> Outcome<Vec<String>> {
    match value {
        Value::List(items) => items.into_iter().map(|item| String::from_value(item).map_err(usage)).collect(),
        one => String::from_value(one).map(|text| vec![text]).map_err(usage),
    }
}

pub(super) fn std_duration(duration: Duration) -> StdDuration {
    StdDuration::from_nanos(u64::try_from(duration.ns).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[(&str, Value)]) -> Outcome<Option<Keep>> {
        record(&mut Options(entries.iter().map(|(key, value)| (key.to_string(), value.clone())).collect()))
    }
    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn what_a_crash_may_take_is_chosen_with_the_file() {
        let file = ("record", text("run.cinema"));
        let kept = |entries: &[(&str, Value)]| read(entries).unwrap().unwrap().durability;
        assert_eq!(
            kept(std::slice::from_ref(&file)),
            Durability { unwritten_bytes_max: UNWRITTEN_BYTES_MAX, ..Durability::default() }
        );
        assert_eq!(kept(&[file.clone(), ("sync", text("segment"))]).sync, SyncPolicy::Segment);
        let durability = kept(&[file.clone(), ("sync", text("2s")), ("seal_after", text("50ms"))]);
        assert_eq!(durability.sync, SyncPolicy::Interval(StdDuration::from_secs(2)));
        assert_eq!(durability.seal_after_ns, 50_000_000);
        let error = |entries: &[(&str, Value)]| read(entries).err().map(|failure| failure.error).unwrap_or_default();
        assert_eq!(error(&[("sync", text("segment"))]), "sync belongs to record: a file to keep");
        assert!(error(&[file.clone(), ("sync", text("often"))]).starts_with("sync: "));
        assert_eq!(error(&[file, ("seal_after", text("0s"))]), "seal_after is more than nothing");
        assert!(read(&[]).unwrap().is_none());
    }
}
