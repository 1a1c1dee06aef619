//! A supervisor's flags and child specifications from the maps that scripts write. It must not know scripts.

use crate::model::Term;
use crate::model::display::Style;
use crate::model::term::Map;
use crate::sandbox::sim::{AutoShutdown, ChildSpec, Flags, Restart, Shutdown, Strategy, SupervisorSpec};

/// The specification for `sup(flags, children)`. Errors name the child and the key.
pub(super) fn spec(flags: &Term, children: &Term) -> Result<SupervisorSpec, String> {
    let children = children.as_list().ok_or("the children are an array of maps")?;
    let children = children.iter().map(child).collect::<Result<_, _>>()?;
    Ok(SupervisorSpec { flags: self::flags(entries(flags)?)?, children })
}

fn entries(term: &Term) -> Result<&Map, String> {
    term.as_map().ok_or_else(|| "expected a map".to_string())
}

fn flags(map: &Map) -> Result<Flags, String> {
    only_keys(map, &["strategy", "intensity", "period", "auto_shutdown"])?;
    let mut flags = Flags::default();
    if let Some(value) = map.get_atom("strategy") {
        flags.strategy = match value.as_atom().map(|a| a.as_str()) {
            Some("one_for_one") => Strategy::OneForOne,
            Some("one_for_all") => Strategy::OneForAll,
            Some("rest_for_one") => Strategy::RestForOne,
            Some("simple_one_for_one") => Strategy::SimpleOneForOne,
            _ => return Err("strategy is one_for_one, one_for_all, rest_for_one or simple_one_for_one".to_string()),
        };
    }
    let number = |key: &str, default: u32| match map.get_atom(key).map(Term::as_int) {
        None => Ok(default),
        Some(value) => value.and_then(|n| u32::try_from(n).ok()).ok_or_else(|| format!("{key} is a number from 0")),
    };
    flags.intensity = number("intensity", flags.intensity)?;
    flags.period_s = number("period", flags.period_s)?;
    if let Some(value) = map.get_atom("auto_shutdown") {
        flags.auto_shutdown = match value.as_atom().map(|a| a.as_str()) {
            Some("never") => AutoShutdown::Never,
            Some("any_significant") => AutoShutdown::AnySignificant,
            Some("all_significant") => AutoShutdown::AllSignificant,
            _ => return Err("auto_shutdown is never, any_significant or all_significant".to_string()),
        };
    }
    Ok(flags)
}

fn child(term: &Term) -> Result<ChildSpec, String> {
    let map = entries(term)?;
    let id = map.get_atom("id").ok_or("a child has no id")?.clone();
    fill(map, id.clone()).map_err(|error| format!("child {}: {error}", id.display(Style::erlang())))
}

fn fill(map: &Map, id: Term) -> Result<ChildSpec, String> {
    only_keys(map, &["id", "start", "name", "restart", "shutdown", "type", "significant"])?;
    let start = map.get_atom("start").and_then(Term::as_list).filter(|start| !start.is_empty());
    let [module, args @ ..] = start.ok_or("start is [\"module\", argument, ..]")? else { unreachable!("not empty") };
    let module = module.as_atom().ok_or("start begins with a module's name")?;
    let mut child = ChildSpec::worker(id, module, args.to_vec());
    child.name = match map.get_atom("name") {
        None => None,
        Some(name) => Some(name.as_atom().ok_or("name is a string")?),
    };
    if let Some(value) = map.get_atom("restart") {
        child.restart = match value.as_atom().map(|a| a.as_str()) {
            Some("permanent") => Restart::Permanent,
            Some("transient") => Restart::Transient,
            Some("temporary") => Restart::Temporary,
            _ => return Err("restart is permanent, transient or temporary".to_string()),
        };
    }
    child.shutdown = match map.get_atom("shutdown") {
        None => None,
        Some(Term::Int(ms @ 0..)) => Some(Shutdown::Ms(ms.unsigned_abs())),
        Some(value) if value.is_atom("brutal_kill") => Some(Shutdown::BrutalKill),
        Some(value) if value.is_atom("infinity") => Some(Shutdown::Infinity),
        Some(_) => return Err("shutdown is milliseconds, brutal_kill or infinity".to_string()),
    };
    child.is_supervisor = match map.get_atom("type") {
        None => false,
        Some(value) if value.is_atom("worker") => false,
        Some(value) if value.is_atom("supervisor") => true,
        Some(_) => return Err("type is worker or supervisor".to_string()),
    };
    child.significant = map.get_atom("significant").is_some_and(|value| value.is_atom("true"));
    Ok(child)
}

fn only_keys(map: &Map, known: &[&str]) -> Result<(), String> {
    let unknown = map.entries().iter().find(|(key, _)| !known.iter().any(|name| key.is_atom(name)));
    match unknown {
        None => Ok(()),
        Some((key, _)) => Err(format!("unknown key {}; keys: {}", key.display(Style::erlang()), known.join(", "))),
    }
}
