//! The one table of operations: each is a struct with typed, documented parameters and a reply.
//!
//! Script functions, `help`, the reference in the documentation and completion are made from
//! [`OpInfo`]; none of them is written twice. It must not know who calls: arguments come as
//! [`Value`]s and go back as a [`Reply`].

use super::reply::Reply;
use super::value::{Param, Value};
use super::{Session, TimelineId};
use crate::model::{Failure, Outcome};

/// The chapters of the reference, in reading order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    Source,
    Live,
    Run,
    Time,
    Ask,
    Why,
    Stop,
    Keep,
    Find,
    Show,
}

impl Group {
    pub const ALL: [Group; 10] = [
        Group::Source,
        Group::Live,
        Group::Run,
        Group::Time,
        Group::Ask,
        Group::Why,
        Group::Stop,
        Group::Keep,
        Group::Find,
        Group::Show,
    ];

    /// What the chapter is about, as its heading says it.
    pub fn title(self) -> &'static str {
        match self {
            Group::Source => "Sources: sandboxes and recordings",
            Group::Live => "Live nodes: tracing, looking, stopping",
            Group::Run => "Running a sandbox",
            Group::Time => "Moving in time",
            Group::Ask => "Asking for events, processes and states",
            Group::Why => "Causes",
            Group::Stop => "Breakpoints",
            Group::Keep => "Snapshots, marks, files",
            Group::Find => "Latency, flow and patterns",
            Group::Show => "Pictures",
        }
    }
}

/// What is said about an operation.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct OpInfo {
    pub name: &'static str,
    pub group: Group,
    /// Lines, each with the blank that starts a doc comment.
    pub doc: &'static [&'static str],
    pub params: &'static [ParamInfo],
    /// What it gives back, in a few words.
    pub reply: &'static str,
    /// A line that can be typed.
    pub example: &'static str,
}

/// What is said about a parameter.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct ParamInfo {
    pub name: &'static str,
    /// The type's name in help: `moment`, `process`, `duration` ..
    pub type_name: &'static str,
    pub is_optional: bool,
    pub doc: &'static [&'static str],
}

impl OpInfo {
    /// `seek(moment)`, optional parameters in brackets.
    pub fn signature(&self) -> String {
        let mut text = format!("{}(", self.name);
        for (idx, param) in self.params.iter().enumerate() {
            let comma = if idx == 0 { "" } else { ", " };
            if param.is_optional {
                text.push_str(&format!("[{comma}{}]", param.name));
            } else {
                text.push_str(&format!("{comma}{}", param.name));
            }
        }
        text + ")"
    }
    /// The documentation as one text, lines joined.
    pub fn doc_text(&self) -> String {
        join_doc(self.doc)
    }
    /// Fewest arguments of a call.
    pub fn n_required(&self) -> usize {
        self.params.iter().filter(|p| !p.is_optional).count()
    }
}

/// Joins doc comment lines, each stripped of its leading blank.
pub fn join_doc(lines: &[&str]) -> String {
    lines.iter().map(|l| l.strip_prefix(' ').unwrap_or(l)).collect::<Vec<_>>().join("\n")
}

/// One operation.
pub trait Operation: Sized {
    const INFO: OpInfo;
    /// Reads positional arguments; a wrong type, too many or too few are usage failures.
    fn from_args(args: Vec<Value>) -> Outcome<Self>;
}

/// What an operation does.
pub trait Perform: Operation {
    fn perform(self, session: &mut Session) -> Outcome<Reply>;
}

/// A row of the table.
#[derive(Clone, Copy)]
pub struct Entry {
    pub info: &'static OpInfo,
    call: fn(&mut Session, Vec<Value>) -> Outcome<Reply>,
}

impl Entry {
    pub const fn of<O: Perform>() -> Entry {
        Entry { info: const { &O::INFO }, call: |session, args| O::from_args(args)?.perform(session) }
    }

    /// Performs the operation. A timeline as first argument makes that one the current one for this call.
    pub fn call(&self, session: &mut Session, mut args: Vec<Value>) -> Outcome<Reply> {
        let receiver: Option<TimelineId> = match args.first() {
            Some(Value::Timeline(id)) => Some(*id),
            _ => None,
        };
        match receiver {
            Some(id) => {
                args.remove(0);
                session.on_timeline(id, |session| (self.call)(session, args))
            }
            None => (self.call)(session, args),
        }
    }
}

/// Takes the next argument of `info`'s operation.
pub(super) fn take<P: Param>(info: &OpInfo, idx: usize, args: &mut std::vec::IntoIter<Value>) -> Outcome<P> {
    let param = &info.params[idx];
    let usage = |what: String| {
        Failure::usage(format!("{}: {what}", info.name)).hint(format!(
            "{}   for example: {}",
            info.signature(),
            info.example
        ))
    };
    match args.next() {
        Some(value) => P::from_value(value).map_err(|what| usage(format!("{}: {what}", param.name))),
        None => P::absent().ok_or_else(|| usage(format!("{} ({}) is missing", param.name, param.type_name))),
    }
}

/// Complains about arguments beyond the last parameter.
pub(super) fn no_more(info: &OpInfo, args: &mut std::vec::IntoIter<Value>) -> Outcome<()> {
    match args.next() {
        None => Ok(()),
        Some(_) => {
            Err(Failure::usage(format!("{}: at most {} arguments", info.name, info.params.len()))
                .hint(info.signature()))
        }
    }
}

/// Declares operations: documentation, group, script name, struct, parameters, reply and example.
/// What they do is `impl Perform` beside.
macro_rules! operations {
    ($table:ident: $(
        $(#[doc = $doc:literal])+
        $group:ident $name:literal $op:ident { $( $(#[doc = $pdoc:literal])* $param:ident : $ty:ty ),* $(,)? } -> $reply:literal, $example:literal;
    )+) => {
        $(
            $(#[doc = $doc])+
            pub struct $op { $( $(#[doc = $pdoc])* pub $param: $ty ),* }

            impl $crate::session::operation::Operation for $op {
                const INFO: $crate::session::operation::OpInfo = $crate::session::operation::OpInfo {
                    name: $name,
                    group: $crate::session::operation::Group::$group,
                    doc: &[$($doc),+],
                    params: &[$( $crate::session::operation::ParamInfo {
                        name: stringify!($param),
                        type_name: <$ty as $crate::session::value::Param>::NAME,
                        is_optional: <$ty as $crate::session::value::Param>::IS_OPTIONAL,
                        doc: &[$($pdoc),*],
                    } ),*],
                    reply: $reply,
                    example: $example,
                };
                fn from_args(args: Vec<$crate::session::value::Value>) -> $crate::model::Outcome<Self> {
                    let mut args = args.into_iter();
                    let mut _idx = 0..;
                    let op = $op { $( $param: $crate::session::operation::take(
                        &Self::INFO, _idx.next().expect("endless"), &mut args)? ),* };
                    $crate::session::operation::no_more(&Self::INFO, &mut args)?;
                    Ok(op)
                }
            }
        )+
        /// This file's rows of the operation table.
        pub const $table: &[$crate::session::operation::Entry] =
            &[$( $crate::session::operation::Entry::of::<$op>() ),+];
    };
}
pub(crate) use operations;
