//! What belongs to Erlang/OTP and Elixir themselves, and not to the system that somebody built on them.
//! It must not know what is done about that.

use super::atom::Atom;

#[rustfmt::skip]
const OF_OTP: &[&str] = &[
    "kernel", "stdlib", "sasl", "compiler", "crypto", "public_key", "ssl", "ssh",
    "inets", "mnesia", "os_mon", "runtime_tools", "observer", "tools", "syntax_tools", "asn1",
    "xmerl", "eldap", "ftp", "tftp", "snmp", "wx", "et", "debugger",
    "dialyzer", "parsetools", "common_test", "eunit", "megaco", "diameter", "reltool", "edoc",
    "erl_docgen", "erl_interface", "jinterface", "odbc", "elixir", "eex", "ex_unit", "iex",
    "logger", "mix", "hex", "rebar",
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
