//! A term as a tree to unfold: each part with its text, its key and its path. It must not know what the term is of.

use serde_json::{Value as Json, json};

use crate::app::server::answer::printed;
use crate::model::diff::{Path, Step};
use crate::model::{Syntax, Term};

/// Characters of a part that has no parts, and of one that has.
const LEAF_CHARS_MAX: usize = 400;
const NODE_CHARS_MAX: usize = 60;
/// Parts of one term; how many more there are is told.
const PARTS_MAX: usize = 200;
/// Parts in all: what is deeper is text.
const TREE_PARTS_MAX: usize = 5_000;

/// `[text]` of a term without parts, else `[text, [[key, path, tree], ..], n_more]`. Paths are those of differences.
pub fn tree(term: &Term, syntax: Syntax) -> Json {
    Tree { syntax, path: Path::default(), n_left: TREE_PARTS_MAX }.node(term)
}

struct Tree {
    syntax: Syntax,
    path: Path,
    n_left: usize,
}

impl Tree {
    fn node(&mut self, term: &Term) -> Json {
        let parts = if self.n_left > 0 { self.parts_of(term) } else { Vec::new() };
        if parts.is_empty() {
            return json!([printed(term, self.syntax, LEAF_CHARS_MAX)]);
        }
        let n_shown = parts.len().min(PARTS_MAX).min(self.n_left);
        self.n_left -= n_shown;
        let shown: Vec<Json> = parts[..n_shown]
            .iter()
            .map(|(key, step, part)| {
                self.path.steps.push(step.clone());
                let path = self.path.to_string();
                let below = self.node(part);
                self.path.steps.pop();
                json!([key, path, below])
            })
            .collect();
        json!([printed(term, self.syntax, NODE_CHARS_MAX), shown, parts.len() - n_shown])
    }

    fn parts_of<'t>(&self, term: &'t Term) -> Vec<(String, Step, &'t Term)> {
        let numbered = |items: &'t [Term], open: char, close: char| {
            let part = move |(idx, item): (usize, &'t Term)| (format!("{open}{idx}{close}"), Step::Index(idx), item);
            items.iter().enumerate().map(part).collect::<Vec<_>>()
        };
        match term {
            Term::Tuple(items) => numbered(items, '{', '}'),
            Term::List(list) if list.tail == Term::Nil && !list.is_text(self.syntax) => numbered(&list.items, '[', ']'),
            Term::Map(map) => map.entries().iter().map(|(key, value)| self.entry(key, value)).collect(),
            _ => Vec::new(),
        }
    }

    /// Elixir names a key as it does before a value: `balance`, not `:balance`.
    fn entry<'t>(&self, key: &Term, value: &'t Term) -> (String, Step, &'t Term) {
        let text = printed(key, self.syntax, LEAF_CHARS_MAX);
        let is_word = self.syntax == Syntax::Elixir && matches!(key, Term::Atom(_));
        let word = text.strip_prefix(':').filter(|_| is_word).map(str::to_string);
        (word.unwrap_or(text), Step::Key(key.clone()), value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a term, as JSON.
    fn text(erlang: &str, syntax: Syntax) -> String {
        tree(&Term::parse(erlang, Syntax::Erlang).unwrap(), syntax)[1].to_string()
    }

    #[test]
    fn parts_are_written_as_the_shell_writes_them() {
        let term = r#"#{bytes => <<22,0,0>>, name => <<"zo\x{eb}"/utf8>>, says => "abc", {k} => [1,b]}"#;
        assert_eq!(
            text(term, Syntax::Erlang),
            r##"[["bytes","bytes",["<<22,0,0>>"]],["name","name",["<<\"zoë\"/utf8>>"]],["says","says",["\"abc\""]],["{k}","{{k}}",["[1,b]",[["[0]","{{k}}[0]",["1"]],["[1]","{{k}}[1]",["b"]]],0]]]"##
        );
        assert_eq!(text(r#"#{a => <<0,1,255>>}"#, Syntax::Elixir), r#"[["a","a",["<<0, 1, 255>>"]]]"#);
    }

    #[test]
    fn a_tree_has_only_so_many_parts() {
        let row = Term::list((0..300).map(Term::Int).collect::<Vec<_>>());
        let tree = tree(&Term::list(vec![row; 100]), Syntax::Erlang);
        assert_eq!(tree[1][0][2][2], 100);
        assert_eq!(tree[1].as_array().unwrap().len(), 100);
        assert!(tree[1][99][2][1].is_null(), "text only");
    }
}
