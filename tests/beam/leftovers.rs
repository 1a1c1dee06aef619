//! What a debugger may leave behind on a node, as `test_leftovers` tells it. Must not know how a node is run.

use std::collections::BTreeMap;

use cinema::model::Term;

/// By category, one line for each thing. An entry is there only where there is something, so a clean node has none.
///
/// | category | what |
/// |---|---|
/// | `traced` | trace flags of processes, ports, and of those to come |
/// | `patterns` | trace patterns of messages and functions |
/// | `sessions` | trace sessions (OTP 27) |
/// | `processes`, `ports` | newer than the node's start and part of no application |
/// | `suspended` | processes held by `erlang:suspend_process` |
/// | `debugged` | processes with debug functions, or held by `sys:suspend`, or that do not answer |
/// | `drivers`, `modules` | linked-in drivers; modules that came from no file of the node |
/// | `connections` | other nodes, hidden ones too |
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Leftovers(BTreeMap<String, Vec<String>>);

impl Leftovers {
    pub fn of(term: &Term) -> Leftovers {
        let text = |term: &Term| String::from_utf8_lossy(term.as_binary().expect("text")).into_owned();
        let entries = term.as_map().expect("a map of categories").entries().iter().map(|(category, things)| {
            let things = things.as_list().expect("a list of texts").iter().map(text).collect::<Vec<_>>();
            (category.as_atom().expect("an atom").as_str().to_string(), things)
        });
        Leftovers(entries.filter(|(_, things)| !things.is_empty()).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is left of one category.
    pub fn category(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The categories that have something.
    pub fn categories(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// # Panics
    /// With everything that is left.
    pub fn assert_none(&self) {
        assert!(self.is_empty(), "left on the node: {:#?}", self.0);
    }
}
