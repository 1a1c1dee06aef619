//! The atoms that the kernel and the behaviours compare and send, interned once.

use std::sync::LazyLock;

use crate::model::Atom;

macro_rules! atoms {
    ($($name:ident = $text:literal),+ $(,)?) => {
        /// Every atom that the sim itself writes.
        pub struct Atoms { $(pub $name: Atom),+ }
        static ATOMS: LazyLock<Atoms> = LazyLock::new(|| Atoms { $($name: Atom::new($text)),+ });
    };
}

atoms! {
    ack = "ack", active = "active", alias = "alias", all_significant = "all_significant",
    already_present = "already_present", already_started = "already_started",
    any_significant = "any_significant", args = "args", auto_shutdown = "auto_shutdown",
    bad_return_value = "bad_return_value", badarg = "badarg", behaviour = "behaviour",
    brutal_kill = "brutal_kill", calling_self = "calling_self", call = "call", child = "child", down_upper = "DOWN",
    error = "error", exit_upper = "EXIT", exit = "exit", failed_to_start_child = "failed_to_start_child",
    false_ = "false", file = "file", function = "function", gen_call = "$gen_call",
    gen_cast = "$gen_cast", gen_server = "gen_server", get_state = "get_state", id = "id",
    ignore = "ignore", infinity = "infinity", init = "init", intensity = "intensity",
    kill = "kill", killed = "killed", line = "line",
    module = "module", name = "name", never = "never", new = "new", nil = "nil",
    nocatch = "nocatch", noproc = "noproc", normal = "normal", not_found = "not_found", ok = "ok", old = "old",
    one_for_all = "one_for_all", one_for_one = "one_for_one", op = "op",
    period = "period", permanent = "permanent", pid = "pid", process = "process",
    reached_max = "reached_max_restart_intensity", reason = "reason",
    replace_state = "replace_state", rest_for_one = "rest_for_one", restart = "restart",
    restarting = "restarting", resume = "resume", run = "run", running = "running", shell = "shell",
    shutdown = "shutdown", significant = "significant", simple_one_for_one = "simple_one_for_one",
    specs = "specs", start = "start", strategy = "strategy", supervisor = "supervisor", supervisors = "supervisors",
    suspend = "suspend", system = "system", system_limit = "system_limit", temporary = "temporary",
    timeout = "timeout", transient = "transient",
    true_ = "true", type_ = "type", undef = "undef", undefined = "undefined", unknown_call = "unknown_call",
    waiting = "waiting", worker = "worker", workers = "workers",
}

/// The interned atoms; one load after the first call.
pub fn atoms() -> &'static Atoms {
    &ATOMS
}
