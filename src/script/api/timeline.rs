//! Timelines as values: `let t = timeline(); t.seek("5ms")`. The verbs are operations that take
//! the timeline as their receiver; here is only the handle. It must not know what moving means.

use crate::session::TimelineId;

/// A timeline of the current source.
#[derive(Clone, Debug)]
pub struct TimelineHandle {
    pub id: TimelineId,
}

/// Registers the type.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_type_with_name::<TimelineHandle>("timeline");
    engine.register_fn("to_string", |t: &mut TimelineHandle| format!("timeline {}", t.id.0));
    engine.register_fn("to_debug", |t: &mut TimelineHandle| format!("timeline {}", t.id.0));
}
