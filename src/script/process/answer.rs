//! What callbacks return: `reply(v)`, `noreply()`, `ok(state)`, `sup(flags, children)` .. make an [`Answer`].
//! It must not know the kernel.

use rhai::plugin::*;
use rhai::{Array, Dynamic, EvalAltResult, INT};

use super::super::convert::to_term;
use super::exception::bad_argument;
use crate::model::{Style, Term};
use crate::sandbox::sim::{After, Return, SupervisorSpec};

/// The value of a callback: what the kernel is told, and from init the first state.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub state: Option<Dynamic>,
    pub says: Return,
}

impl Answer {
    fn says(says: Return) -> Answer {
        Answer { state: None, says }
    }
    fn ok(state: Dynamic, after: After) -> Answer {
        Answer { state: Some(state), says: Return::Ok(after) }
    }
}

type Raised<T> = Result<T, Box<EvalAltResult>>;

fn timeout(ms: INT) -> After {
    After::TimeoutMs(u64::try_from(ms).unwrap_or(0))
}

/// The functions that make answers.
pub(super) fn module() -> Module {
    let mut module = exported_module!(answers);
    module.set_custom_type::<Answer>("Answer");
    module.build_index();
    module
}

#[export_module]
mod answers {
    /// From `init`: the process begins with this state.
    pub fn ok(state: Dynamic) -> Answer {
        Answer::ok(state, After::Nothing)
    }
    /// From `init`: as `ok`, and `handle_info("timeout")` follows unless a message comes within so many milliseconds.
    pub fn ok_timeout(state: Dynamic, ms: INT) -> Answer {
        Answer::ok(state, timeout(ms))
    }
    /// From `init`: as `ok`, and `handle_continue(term)` runs before any message.
    #[rhai_fn(return_raw)]
    pub fn ok_continue(state: Dynamic, term: Dynamic) -> Raised<Answer> {
        Ok(Answer::ok(state, After::Continue(to_term(&term)?)))
    }
    /// From `init`: as `ok`; the process hibernates until a message comes.
    pub fn ok_hibernate(state: Dynamic) -> Answer {
        Answer::ok(state, After::Hibernate)
    }
    /// From `init`: the process is not started after all.
    pub fn ignore() -> Answer {
        Answer::says(Return::Ignore)
    }
    /// Ends the process with a reason; `terminate(reason)` runs first.
    #[rhai_fn(return_raw)]
    pub fn stop(reason: Dynamic) -> Raised<Answer> {
        Ok(Answer::says(Return::Stop { reason: to_term(&reason)?, reply: None }))
    }
    /// From `handle_call`: as `stop`, and the caller gets a reply.
    #[rhai_fn(return_raw)]
    pub fn stop_reply(reason: Dynamic, value: Dynamic) -> Raised<Answer> {
        Ok(Answer::says(Return::Stop { reason: to_term(&reason)?, reply: Some(to_term(&value)?) }))
    }
    /// From `handle_call`: answers the caller.
    #[rhai_fn(return_raw)]
    pub fn reply(value: Dynamic) -> Raised<Answer> {
        Ok(Answer::says(Return::Reply(to_term(&value)?, After::Nothing)))
    }
    /// As `reply`, and `handle_info("timeout")` follows unless a message comes within so many milliseconds.
    #[rhai_fn(return_raw)]
    pub fn reply_timeout(value: Dynamic, ms: INT) -> Raised<Answer> {
        Ok(Answer::says(Return::Reply(to_term(&value)?, timeout(ms))))
    }
    /// As `reply`, and `handle_continue(term)` runs before the next message.
    #[rhai_fn(return_raw)]
    pub fn reply_continue(value: Dynamic, term: Dynamic) -> Raised<Answer> {
        Ok(Answer::says(Return::Reply(to_term(&value)?, After::Continue(to_term(&term)?))))
    }
    /// Answers nothing: from a cast or info, or from a call that `reply_to` answers later. Returning () is the same.
    pub fn noreply() -> Answer {
        Answer::says(Return::NoReply(After::Nothing))
    }
    /// As `noreply`, and `handle_info("timeout")` follows unless a message comes within so many milliseconds.
    pub fn noreply_timeout(ms: INT) -> Answer {
        Answer::says(Return::NoReply(timeout(ms)))
    }
    /// As `noreply`, and `handle_continue(term)` runs before the next message. From `run`: runs it anew with this argument.
    #[rhai_fn(return_raw)]
    pub fn noreply_continue(term: Dynamic) -> Raised<Answer> {
        Ok(Answer::says(Return::NoReply(After::Continue(to_term(&term)?))))
    }
    /// From a supervisor's `init`: its flags (`strategy`, `intensity`, `period`, `auto_shutdown`) and its children, each
    /// `#{id: "a", start: ["module", args], name: "a", restart: "permanent", shutdown: 5000, type: "worker"}`.
    #[rhai_fn(return_raw)]
    pub fn sup(flags: rhai::Map, children: Array) -> Raised<Answer> {
        let children = children.iter().map(to_term).collect::<Result<Vec<_>, _>>()?;
        let spec = SupervisorSpec::parse(&to_term(&flags.into())?, &children);
        let refused = |reason: Term| bad_argument(format!("sup is refused: {}", reason.display(Style::erlang())));
        Ok(Answer::says(Return::Supervisor(spec.map_err(refused)?)))
    }
}
