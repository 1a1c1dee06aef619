//! One process of a Rhai module: its state, and how a callback is run on it.

use std::rc::Rc;

use rhai::{CallFnOptions, Dynamic, EvalAltResult, Scope};

use super::super::convert::{to_dynamic, to_term};
use super::super::encode::encode_dynamic;
use super::answer::Answer;
use super::exception::{self, Site};
use super::lent::{self, lend};
use super::modules::Compiled;
use crate::model::display::Style;
use crate::model::{Behaviour as BehaviourKind, Term};
use crate::sandbox::sim::{After, Behaviour, Callback, Context, Effect, Frame, Interrupt, Raise, Return};

/// A process's code and state. A clone shares the state until a callback runs on it.
#[derive(Clone)]
pub(super) struct RhaiProcess {
    module: Rc<Compiled>,
    state: Rc<State>,
}

/// A state with its bytes, which are written once per callback: to check it, and for the recording.
struct State {
    value: Dynamic,
    /// External term format; empty before init.
    bytes: Vec<u8>,
}

impl RhaiProcess {
    /// A process before its init.
    pub(super) fn new(module: Rc<Compiled>) -> RhaiProcess {
        RhaiProcess { module, state: Rc::new(State { value: Dynamic::UNIT, bytes: Vec::new() }) }
    }

    /// Runs the script's function on a copy of the state; keeps the copy only when the callback came to its end.
    fn run(&mut self, cx: &mut Context, function: &str, args: Vec<Dynamic>) -> Effect<Return> {
        let mut state = self.state.value.clone();
        let (result, ending) = lend(cx, || {
            let result = self.module.call(function, &mut state, args);
            result.map_err(|error| (!lent::is_ending()).then(|| self.failed(function, &error)))
        });
        if let Some(ending) = ending {
            return Err(ending);
        }
        let value = match result {
            Ok(value) => value,
            Err(raise) => return Err(raise.map_or(Interrupt::Stopped, Interrupt::Raise)),
        };
        let says = match value.try_cast_result::<Answer>() {
            Ok(answer) => {
                if let Some(first) = answer.state {
                    state = first.flatten();
                }
                answer.says
            }
            Err(other) => self.unwrapped(other),
        };
        self.keep(state, function)?;
        Ok(says)
    }

    /// What a callback says that returns a plain value.
    fn unwrapped(&self, value: Dynamic) -> Return {
        if self.module.kind == BehaviourKind::Process {
            return Return::Done;
        }
        if value.is_unit() {
            return Return::NoReply(After::Nothing);
        }
        let fallback = |_| Term::binary(value.to_string().into_bytes());
        Return::Bad(to_term(&value).unwrap_or_else(fallback))
    }

    /// Takes over a callback's state, when it is one that can be kept.
    fn keep(&mut self, value: Dynamic, function: &str) -> Effect<()> {
        let mut bytes = Vec::with_capacity(self.state.bytes.len() + 16);
        if value.is_unit() && self.state.bytes.is_empty() {
            return Ok(());
        }
        if let Err(error) = encode_dynamic(&value, &mut bytes) {
            let text = format!("state{}{error}", if error.path.is_empty() { ": " } else { " " });
            let reason = Term::tuple([Term::atom("bad_state"), Term::binary(text.into_bytes())]);
            return Err(Interrupt::Raise(Raise::Error { reason, stack: vec![self.frame(function)] }));
        }
        if bytes != self.state.bytes {
            self.state = Rc::new(State { value, bytes });
        }
        Ok(())
    }

    /// The exception for an error of the script. What Rhai says of its own errors is more than a reason holds: it is
    /// logged.
    fn failed(&self, function: &str, error: &EvalAltResult) -> Raise {
        let module = &*self.module;
        let raised =
            exception::from_error(error, &Site { module: module.name, function, file: &module.file, ast: &module.ast });
        if !exception::is_exception(error) {
            lent::log_line(&module.explain(error).to_string());
        }
        raised
    }

    fn frame(&self, function: &str) -> Frame {
        let arity = self.module.arity(function).unwrap_or(0);
        let location = Some((self.module.file.clone(), self.module.line_of(function)));
        Frame { module: self.module.name, function: crate::model::Atom::new(function), arity, location }
    }

    fn undef(&self, function: &str, arity: u8) -> Interrupt {
        let function = crate::model::Atom::new(function);
        let frame = Frame { module: self.module.name, function, arity, location: None };
        Interrupt::Raise(Raise::Error { reason: Term::atom("undef"), stack: vec![frame] })
    }
}

impl Behaviour for RhaiProcess {
    fn callback(&mut self, cx: &mut Context, callback: &Callback) -> Effect<Return> {
        let (function, args) = match callback {
            Callback::Run(args) => ("run", vec![to_dynamic(args)]),
            Callback::Init(args) => ("init", vec![to_dynamic(args)]),
            Callback::Call { request, from } => ("handle_call", vec![to_dynamic(request), to_dynamic(from)]),
            Callback::Cast(request) => ("handle_cast", vec![to_dynamic(request)]),
            Callback::Info(message) => ("handle_info", vec![to_dynamic(message)]),
            Callback::Continue(term) => ("handle_continue", vec![to_dynamic(term)]),
            Callback::Terminate(reason) => ("terminate", vec![to_dynamic(reason)]),
        };
        if self.module.arity(function) == Some(args.len() as u8) {
            return self.run(cx, function, args);
        }
        match callback {
            Callback::Terminate(_) => Ok(Return::Done),
            Callback::Info(message) => {
                let shown = message.display(Style::erlang().chars_max(200));
                cx.log(&format!("{} has no handle_info(message) for {shown}", self.module.name.as_str()))?;
                Ok(Return::NoReply(After::Nothing))
            }
            _ => Err(self.undef(function, args.len() as u8)),
        }
    }

    fn kind(&self) -> BehaviourKind {
        self.module.kind
    }

    fn state(&self) -> Term {
        // It was encoded when it was kept, so it converts.
        to_term(&self.state.value).unwrap_or_else(|error| Term::binary(error.to_string().into_bytes()))
    }

    fn encode_state(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.state.bytes);
    }

    fn replace_state(&mut self, state: &Term) -> Result<(), String> {
        let value = to_dynamic(state);
        let mut bytes = Vec::new();
        encode_dynamic(&value, &mut bytes).map_err(|error| error.to_string())?;
        self.state = Rc::new(State { value, bytes });
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Behaviour> {
        Box::new(self.clone())
    }

    fn memory_bytes(&self) -> u64 {
        /// A Rhai value takes some four times its external form; the rest is the process itself.
        const PROCESS_BYTES: u64 = 2_600;
        PROCESS_BYTES + 4 * self.state.bytes.len() as u64
    }
}

impl Compiled {
    /// Calls a function of the module with `this` bound to `state`.
    pub(super) fn call(
        &self,
        function: &str,
        state: &mut Dynamic,
        args: Vec<Dynamic>,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let options = CallFnOptions::new().eval_ast(self.has_imports).rewind_scope(true).bind_this_ptr(state);
        self.engine.call_fn_with_options(options, &mut Scope::new(), &self.ast, function, args)
    }
}
