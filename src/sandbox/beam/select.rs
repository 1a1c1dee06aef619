//! Which processes to trace, as a user says it, and which those are on a node.
//! It must not know how they are traced.

use std::collections::BTreeSet;
use std::fmt;

use super::facts::Facts;
use crate::model::platform::is_of_otp;
use crate::model::{Atom, Failure, Outcome, Pid, nearest};

/// One choice of processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The processes of every application that is not part of OTP or Elixir.
    Applications,
    All,
    Pid(Pid),
    /// A registered name.
    Name(Atom),
    /// A process with this name, and all that descends from it.
    Tree(Atom),
    Application(Atom),
    /// The processes of a callback module.
    Module(Atom),
}

impl Selection {
    /// Reads `all`, `applications`, `app:shop`, `tree:shop_sup`, `module:stock`, `<0.12.0>` or a registered name.
    /// Elixir modules may be written without `Elixir.`.
    pub fn parse(text: &str) -> Outcome<Selection> {
        let atom = |text: &str| Atom::try_new(text).map_err(|error| Failure::usage(error.to_string()));
        let module = |text: &str| {
            let is_alias = text.starts_with(|c: char| c.is_ascii_uppercase()) && !text.starts_with("Elixir.");
            atom(&if is_alias { format!("Elixir.{text}") } else { text.to_string() })
        };
        match text.split_once(':') {
            _ if text.is_empty() => {
                Err(Failure::usage("nothing is selected by an empty text").hint("start_tracing(\"app:shop\")"))
            }
            None if text == "all" => Ok(Selection::All),
            None if text == "applications" => Ok(Selection::Applications),
            Some(("app", name)) => Ok(Selection::Application(atom(name)?)),
            Some(("tree", name)) => Ok(Selection::Tree(module(name)?)),
            Some(("module", name)) => Ok(Selection::Module(module(name)?)),
            Some((word, _)) if word.chars().all(char::is_alphabetic) && !word.is_empty() => {
                Err(Failure::usage(format!("`{word}:` selects nothing"))
                    .hint("all, applications, app:NAME, tree:SUPERVISOR, module:MODULE, a pid or a registered name"))
            }
            _ => Ok(Selection::Name(module(text)?)),
        }
    }

    /// The applications whose masters [`Selection::resolve`] needs to know; `None`: all that run.
    pub fn applications(&self) -> Option<Vec<Atom>> {
        match self {
            Selection::Applications => None,
            Selection::Application(name) => Some(vec![*name]),
            _ => Some(Vec::new()),
        }
    }

    /// The processes that it means. `masters` are the running applications' masters, `node` its name for errors. Errors: nothing is called so.
    pub fn resolve(&self, facts: &Facts, masters: &[(Atom, Option<Pid>)], node: &str) -> Outcome<BTreeSet<Pid>> {
        let named = |name: Atom| facts.named(name).map(|process| process.pid).ok_or_else(|| unknown(name, facts, node));
        match self {
            Selection::All => Ok(facts.processes.keys().copied().collect()),
            Selection::Pid(pid) if facts.processes.contains_key(pid) => Ok(BTreeSet::from([*pid])),
            Selection::Pid(pid) => Err(Failure::not_found(format!("no process {pid} is alive on {node}"))),
            Selection::Name(name) => Ok(BTreeSet::from([named(*name)?])),
            Selection::Tree(name) => Ok(facts.subtree(named(*name)?)),
            Selection::Module(module) => match facts.of_module(*module) {
                found if found.is_empty() => {
                    Err(Failure::not_found(format!("no process runs the module {} on {node}", module.as_str()))
                        .hint("processes() lists them with their modules"))
                }
                found => Ok(found),
            },
            Selection::Application(name) => match masters.iter().find(|(running, _)| running == name) {
                Some((_, Some(master))) => Ok(facts.led_by(*master)),
                _ => Err(Failure::not_found(format!("the application {} does not run on {node}", name.as_str()))),
            },
            Selection::Applications => {
                let own = masters.iter().filter(|(name, _)| !is_of_otp(*name)).filter_map(|(_, master)| *master);
                let found: BTreeSet<Pid> = own.flat_map(|master| facts.led_by(master)).collect();
                if found.is_empty() {
                    return Err(Failure::not_found(format!("no application runs on {node} but OTP's own")).hint(
                        "choose what to trace: \"all\", a name, a pid, \"module:MODULE\" or \"tree:SUPERVISOR\"",
                    ));
                }
                Ok(found)
            }
        }
    }
}

fn unknown(name: Atom, facts: &Facts, node: &str) -> Failure {
    let names = facts.processes.values().filter_map(|process| process.name);
    let failure = Failure::not_found(format!("no process is registered as {} on {node}", name.as_str()));
    match nearest(name.as_str(), names.map(|known| known.as_str())).first() {
        Some(near) => failure.hint(format!("did you mean {near}?")).hint("processes() lists them"),
        None => failure.hint("processes() lists them"),
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selection::Applications => f.write_str("applications"),
            Selection::All => f.write_str("all"),
            Selection::Pid(pid) => write!(f, "{pid}"),
            Selection::Name(name) => write!(f, "{}", name.as_str()),
            Selection::Tree(name) => write!(f, "tree:{}", name.as_str()),
            Selection::Application(name) => write!(f, "app:{}", name.as_str()),
            Selection::Module(name) => write!(f, "module:{}", name.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_read_as_they_are_written() {
        for text in ["all", "applications", "app:shop", "tree:shop_sup", "module:stock", "stock"] {
            assert_eq!(Selection::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Selection::parse("module:Shop.Stock").unwrap(), Selection::Module(Atom::new("Elixir.Shop.Stock")));
        assert_eq!(Selection::parse("Shop.Stock").unwrap(), Selection::Name(Atom::new("Elixir.Shop.Stock")));
    }

    #[test]
    fn an_unknown_word_says_the_known_ones() {
        let failure = Selection::parse("application:shop").unwrap_err();
        assert!(failure.to_string().contains("app:NAME"), "{failure}");
        assert!(Selection::parse("").is_err());
    }
}
