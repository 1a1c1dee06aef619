//! What belongs to Erlang/OTP and Elixir themselves, and not to the system that somebody built on them.
//! It must not know what is done about that.

use std::collections::{BTreeMap, BTreeSet};

use super::atom::Atom;
use super::event::Actor;
use super::system::{Behaviour, ProcessRow, SystemState};

#[rustfmt::skip]
const OF_OTP: &[&str] = &[
    "kernel", "stdlib", "sasl", "compiler", "crypto", "public_key", "ssl", "ssh",
    "inets", "mnesia", "os_mon", "runtime_tools", "observer", "tools", "syntax_tools", "asn1",
    "xmerl", "eldap", "ftp", "tftp", "snmp", "wx", "et", "debugger",
    "dialyzer", "parsetools", "common_test", "eunit", "megaco", "diameter", "reltool", "edoc",
    "erl_docgen", "erl_interface", "jinterface", "odbc", "elixir", "eex", "ex_unit", "iex",
    "logger", "mix", "hex", "rebar",
];

/// Processes that the VM and the application `kernel` start and nobody supervises: by their names, or their modules.
#[rustfmt::skip]
const UNSUPERVISED: &[&str] = &[
    "init", "prim_file", "erl_prim_loader", "application_controller", "application_master", "logger", "user",
    "socket_registry", "erts_code_purger", "erts_literal_area_collector", "erts_trace_cleaner",
    "erts_dirty_process_signal_handler", "erts_dirty_process_signal_handler_high", "erts_dirty_process_signal_handler_max",
    "net_kernel", "inet_tcp_dist", "inet_tls_dist", "global_group_check", "global_name_server", "standard_error", "rex",
    "code_server", "file_server_2", "inet_db", "erl_signal_server", "erl_epmd", "auth", "logger_proxy", "timer_server",
    "user_drv", "prim_tty", "group", "logger_std_h", "logger_olp", "erl_boot_server", "elixir_config",
];

/// Whether `application` is OTP's or Elixir's own: a user's own are the others.
pub fn is_of_otp(application: Atom) -> bool {
    OF_OTP.contains(&application.as_str())
}

/// Whether a supervisor with this name is the top of such an application, as their names go: `kernel_sup`,
/// `Elixir.Logger.Supervisor`.
pub fn is_top_of_otp(name: Atom) -> bool {
    let elixir = name.as_str().strip_prefix("Elixir.").and_then(|name| name.strip_suffix(".Supervisor"));
    let application = elixir.map(str::to_lowercase).or_else(|| name.as_str().strip_suffix("_sup").map(str::to_string));
    application.is_some_and(|application| OF_OTP.contains(&application.as_str()))
}

/// The processes of `system` that are OTP's and Elixir's own: what is below their applications' supervisors, what the VM
/// started, and the ports that only these have.
pub fn actors_of_otp(system: &SystemState) -> BTreeSet<Actor> {
    let rows = || system.processes.values();
    let mut below: BTreeMap<Actor, Vec<Actor>> = BTreeMap::new();
    for row in rows() {
        let supervised = row.children.iter().map(|child| (row.actor, *child));
        supervised.chain(row.supervisor.map(|supervisor| (supervisor, row.actor))).for_each(|(supervisor, child)| {
            below.entry(supervisor).or_default().push(child);
        });
    }
    let mut open: Vec<Actor> = rows().filter(|row| is_start_of_otp(row)).map(|row| row.actor).collect();
    let mut own = BTreeSet::new();
    while let Some(actor) = open.pop() {
        if own.insert(actor) {
            open.extend(below.get(&actor).into_iter().flatten());
        }
    }
    let is_own = |row: &&std::sync::Arc<ProcessRow>| {
        row.behaviour == Behaviour::Port && !row.links.is_empty() && row.links.is_subset(&own)
    };
    let ports: Vec<Actor> = rows().filter(is_own).map(|row| row.actor).collect();
    own.extend(ports);
    own
}

fn is_start_of_otp(row: &ProcessRow) -> bool {
    let is_known = |name: &Atom| UNSUPERVISED.contains(&name.as_str());
    let is_nobodys = row.supervisor.is_none() && row.behaviour != Behaviour::Supervisor;
    row.names.iter().any(|name| is_top_of_otp(*name))
        || is_nobodys
            && if row.names.is_empty() { row.module.iter().any(is_known) } else { row.names.iter().any(is_known) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tops_are_known_by_their_names() {
        let is_top = |name: &str| is_top_of_otp(Atom::new(name));
        assert!(["kernel_sup", "ssl_sup", "Elixir.IEx.Supervisor", "Elixir.Logger.Supervisor"].into_iter().all(is_top));
        assert!(!["shop_sup", "Elixir.Orders.Supervisor", "kernel", "Elixir.Supervisor"].into_iter().any(is_top));
    }
}
