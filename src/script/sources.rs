//! The texts of scripts by name, so that an error can show the line. It must not know engines.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Texts of every script that a session compiled; clones are the same collection.
#[derive(Clone, Debug, Default)]
pub struct Sources(Rc<RefCell<BTreeMap<String, String>>>);

impl Sources {
    /// Keeps `text` under the name that the engine reports for it; a text of that name is replaced.
    pub fn insert(&self, name: &str, text: &str) {
        self.0.borrow_mut().insert(name.to_string(), text.to_string());
    }

    /// The whole text of the script `name`.
    pub fn text(&self, name: &str) -> Option<String> {
        self.0.borrow().get(name).cloned()
    }

    /// Line `number` (from 1) of the script `name`.
    pub fn line(&self, name: &str, number: usize) -> Option<String> {
        let texts = self.0.borrow();
        texts.get(name)?.lines().nth(number.checked_sub(1)?).map(str::to_string)
    }
}
