//! Completion and hints at the cursor, from the names that the session published.
//! Pure: a line, a position and [`Names`] in, candidates out. It must not ask the session.

use rustyline::completion::{FilenameCompleter, Pair};

use super::lex::{self, Class, Token};
use crate::app::host::Names;
use crate::model::Kind;
use crate::script::api::FunctionHelp;

/// Functions whose first text argument is a path.
const TAKES_PATH: &[&str] = &["open", "sandbox", "load", "load_breakpoints", "save", "export_to", "svg", "import"];

/// Words of the shell itself, offered at the start of a line.
pub const COMMANDS: &[&str] = &["help", "quit", "demo()"];

/// Where a completion starts in the line, and what can stand there.
pub type Candidates = (usize, Vec<Pair>);

/// Candidates for the word that ends at byte `at`.
pub fn complete(line: &str, at: usize, names: &Names) -> Candidates {
    let before = &line[..at];
    let tokens = lex::tokens(before);
    match tokens.last() {
        Some(Token { class: Class::Text { is_open: true }, range }) => in_text(before, range.start, &tokens, names),
        Some(Token { class: Class::Comment, .. }) => (at, Vec::new()),
        last => {
            let word_at = match last {
                Some(token) if matches!(token.class, Class::Name | Class::Keyword) && token.range.end == at => {
                    token.range.start
                }
                _ => at,
            };
            let word = &before[word_at..];
            let found = if is_behind_dot(&before[..word_at]) {
                behind_dot(word, names)
            } else {
                words(word, word_at == 0, names)
            };
            (word_at, found)
        }
    }
}

/// Whether a value's dot stands at the end of `text`: not a number's, not a range's.
fn is_behind_dot(text: &str) -> bool {
    text.strip_suffix('.').is_some_and(|text| !text.ends_with('.'))
}

/// Keys and properties of values, then every function as a method.
fn behind_dot(word: &str, names: &Names) -> Vec<Pair> {
    let keys = names.keys.iter().filter(|key| key.starts_with(word)).map(|key| plain(key));
    keys.chain(functions(word, names)).collect()
}

/// Functions, variables and, at the line's start, the shell's own words.
fn words(word: &str, is_first: bool, names: &Names) -> Vec<Pair> {
    if word.is_empty() && !is_first {
        return Vec::new();
    }
    let variables = names.variables.iter().filter(|name| name.starts_with(word)).map(|name| plain(name));
    let commands = COMMANDS.iter().filter(|c| is_first && c.starts_with(word)).map(|c| plain(c));
    variables.chain(functions(word, names)).chain(commands).collect()
}

/// Functions, each overload with its own signature.
fn functions<'n>(word: &'n str, names: &'n Names) -> impl Iterator<Item = Pair> + 'n {
    // Properties are listed among the functions, as `Type.name`.
    let is_function = |f: &&FunctionHelp| f.signature.starts_with(f.name.as_str());
    names.functions.iter().filter(is_function).filter(move |f| f.name.starts_with(word)).map(|f| {
        let takes_nothing = f.signature.contains("()");
        Pair {
            display: f.signature.clone(),
            replacement: format!("{}{}", f.name, if takes_nothing { "()" } else { "(" }),
        }
    })
}

/// Inside an open text that starts at `quote_at`: a path, or a name of the observed system.
fn in_text(before: &str, quote_at: usize, tokens: &[Token], names: &Names) -> Candidates {
    let word = &before[quote_at + 1..];
    let function = match tokens {
        [.., name, open, _] if open.class == Class::Open => Some(&before[name.range.clone()]),
        _ => None,
    };
    if function.is_some_and(|f| TAKES_PATH.contains(&f)) || word.contains('/') {
        let paths = FilenameCompleter::new().complete_path(before, before.len());
        return paths.unwrap_or((before.len(), Vec::new()));
    }
    let kinds = Kind::ALL.iter().map(|kind| kind.as_str());
    let observed = names.registered.iter().chain(&names.marks).chain(&names.pids).map(String::as_str);
    let mut found: Vec<&str> = kinds.chain(observed).filter(|name| name.starts_with(word)).collect();
    found.sort_unstable();
    found.dedup();
    (quote_at + 1, found.into_iter().map(plain).collect())
}

fn plain(text: &str) -> Pair {
    Pair { display: text.to_string(), replacement: text.to_string() }
}

/// What follows the cursor in faint letters: the parameters of the function whose bracket was just opened.
pub fn parameters(line: &str, names: &Names) -> Option<String> {
    let name_end = line.strip_suffix('(')?;
    let name_at = name_end
        .rfind(|c| !lex::is_name_char(c))
        .map_or(0, |at| at + name_end[at..].chars().next().map_or(1, char::len_utf8));
    let function = names.overloads(&name_end[name_at..]).next()?;
    function.signature.split_once('(').map(|(_, rest)| rest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let function = |signature: &str| FunctionHelp {
            name: signature.split('(').next().unwrap().into(),
            signature: signature.into(),
            chapter: String::new(),
            doc: String::new(),
            params: Vec::new(),
            reply: String::new(),
            example: String::new(),
        };
        Names {
            functions: ["events()", "open(path)", "seek(moment)", "state(process, moment)"].map(function).into(),
            variables: vec!["it".into(), "out".into()],
            keys: vec!["balance".into(), "owner".into()],
            pids: vec!["<0.80.0>".into()],
            registered: vec!["alice".into(), "spare".into()],
            marks: vec!["start_of_trouble".into()],
            ..Names::default()
        }
    }

    fn at_end(line: &str) -> String {
        let (at, found) = complete(line, line.len(), &names());
        let found: Vec<String> = found.into_iter().map(|pair| pair.replacement).collect();
        format!("{at}: {}", found.join(" "))
    }

    #[test]
    fn completion_knows_where_it_stands() {
        assert_eq!(at_end("s"), "0: seek( state(");
        assert_eq!(at_end("let x = ev"), "8: events()");
        assert_eq!(at_end("it."), "3: balance owner events() open( seek( state(");
        assert_eq!(at_end("f(it.ow"), "5: owner");
        assert_eq!(at_end("events().se"), "9: seek(");
        assert_eq!(at_end("1..s"), "3: seek( state(");
        assert_eq!(at_end("// s"), "4: ");
        assert_eq!(at_end("he"), "0: help");
    }

    #[test]
    fn texts_complete_to_names_and_paths() {
        assert_eq!(at_end("events().kind(\"spa"), "15: spare spawn");
        assert_eq!(at_end("state(\"<0"), "7: <0.80.0>");
        assert_eq!(at_end("seek(\"start"), "6: start_of_trouble");
        assert_eq!(at_end("open(\"Cargo.t"), "6: Cargo.toml");
        assert_eq!(at_end("f(\"./src/li"), "3: ./src/lib.rs");
    }

    #[test]
    fn an_opened_bracket_shows_the_parameters() {
        assert_eq!(parameters("let a = state(", &names()).as_deref(), Some("process, moment)"));
        assert_eq!(parameters("state(x", &names()), None);
    }
}
