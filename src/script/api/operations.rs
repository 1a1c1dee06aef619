//! The operation table as script functions: one registration per operation and number of
//! arguments, with its documentation. It must not know what any operation does.

use std::any::TypeId;
use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, Module, NativeCallContext, RhaiFunc, Shared};

use super::closures::Closures;
use super::reply;
use super::values::from_dynamic;
use crate::model::Failure;
use crate::script::error::raise;
use crate::script::event::Context;
use crate::session::SharedSession;
use crate::session::operation::{Entry, Group};

/// What the functions share.
pub struct Api {
    pub session: SharedSession,
    closures: Closures,
    contexts: std::cell::RefCell<Vec<Rc<Context>>>,
}

impl Api {
    pub fn new(session: SharedSession, closures: Closures) -> Rc<Api> {
        Rc::new(Api { session, closures, contexts: Default::default() })
    }

    /// The handles' context of the current source.
    pub fn context(&self) -> crate::model::Outcome<Rc<Context>> {
        let session = self.borrow()?;
        let recording = session.source()?.shared_recording();
        let mut contexts = self.contexts.borrow_mut();
        if let Some(found) = contexts.iter().find(|context| Rc::ptr_eq(context.recording(), recording)) {
            return Ok(found.clone());
        }
        let context = Context::new(recording.clone());
        contexts.push(context.clone());
        Ok(context)
    }

    /// The engines of conditions and actions.
    pub fn closures(&self) -> &Closures {
        &self.closures
    }

    /// The session, to read. Errors: an operation is running (a closure called one while it runs).
    pub fn borrow(&self) -> crate::model::Outcome<std::cell::Ref<'_, crate::session::Session>> {
        self.session.try_borrow().map_err(|_| busy())
    }
    /// The session, to change it. Errors: as [`Api::borrow`].
    pub fn borrow_mut(&self) -> crate::model::Outcome<std::cell::RefMut<'_, crate::session::Session>> {
        self.session.try_borrow_mut().map_err(|_| busy())
    }
}

fn busy() -> Failure {
    Failure::usage("the session is busy: a condition or an action cannot run operations")
        .hint("conditions and actions read the event; call operations after the run")
}

/// Registers `entries` for every number of arguments that they take.
pub fn register(engine: &mut Engine, api: &Rc<Api>, entries: impl Iterator<Item = &'static Entry>) {
    let mut module = Module::new();
    let mut added = Vec::new();
    for entry in entries {
        let info = entry.info;
        // A timeline may stand in front: `t.seek(m)`.
        let receivers = if info.group == Group::Time { 0..=1 } else { 0..=0 };
        for n_args in receivers.flat_map(|n| info.n_required() + n..=info.params.len() + n) {
            if !added.contains(&(info.name, n_args)) {
                added.push((info.name, n_args));
                add(&mut module, api, entry, n_args);
            }
        }
    }
    module.build_index();
    engine.register_global_module(module.into());
}

fn add(module: &mut Module, api: &Rc<Api>, entry: &'static Entry, n_args: usize) {
    let api = api.clone();
    let func = move |context: Option<NativeCallContext>, args: &mut [&mut Dynamic]| {
        call(&api, &context.expect("operations ask for their context"), entry, args)
    };
    let params = entry.info.params.iter().take(n_args).map(|param| format!("{}: {}", param.name, param.type_name));
    let comments: Vec<String> = entry.info.doc.iter().map(|line| format!("///{line}")).collect();
    FuncRegistration::new(entry.info.name)
        .in_global_namespace()
        // No type of the value: what comes back is told in words, by the table.
        .with_params_info(params)
        .with_comments([comments.join("\n")])
        .set_into_module_raw(
            module,
            vec![TypeId::of::<Dynamic>(); n_args],
            RhaiFunc::Pure { func: Shared::new(func), has_context: true, is_pure: true, is_volatile: true },
        );
}

fn call(
    api: &Rc<Api>,
    context: &NativeCallContext,
    entry: &Entry,
    args: &mut [&mut Dynamic],
) -> Result<Dynamic, Box<EvalAltResult>> {
    // Closures are tied to the source that is current when they are handed over.
    let handles = api.context().ok();
    let closures = api.closures.within(context, handles.as_ref());
    let values = args.iter().map(|arg| from_dynamic(arg, &closures)).collect::<Result<Vec<_>, Failure>>();
    let values = values.map_err(raise)?;
    let result = api.borrow_mut().and_then(|mut session| entry.call(&mut session, values));
    reply::to_dynamic(api, result.map_err(raise)?).map_err(raise)
}
