//! Holds the house as `src/README.md` draws it: which floor may import which, which crate is used
//! where, how long files and functions may be. A rule that is broken names the file and the line.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Top-level modules and what each may import, from the ground up. Absent means forbidden.
const EDGES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("codec", &["model"]),
    ("store", &["model", "codec"]),
    ("sandbox", &["model", "codec"]),
    ("timeline", &["model", "codec", "store", "sandbox"]),
    ("breakpoint", &["model", "codec", "store", "sandbox"]),
    ("analysis", &["model", "codec", "store", "sandbox"]),
    ("session", &["model", "codec", "store", "sandbox", "timeline", "breakpoint", "analysis"]),
    ("view", &["model", "codec", "store", "sandbox", "timeline", "breakpoint", "analysis", "session"]),
    ("render", &["model", "codec", "view"]),
    ("export", &["model", "codec", "store", "view"]),
    (
        "script",
        &[
            "model",
            "codec",
            "store",
            "sandbox",
            "timeline",
            "breakpoint",
            "analysis",
            "session",
            "view",
            "render",
            "export",
        ],
    ),
    ("bench", &["model", "codec", "store", "sandbox", "timeline", "session", "view", "render", "script"]),
    ("fuzz", &["model", "codec", "store", "sandbox", "session", "script", "app"]),
    (
        "app",
        &[
            "model",
            "codec",
            "store",
            "sandbox",
            "timeline",
            "breakpoint",
            "analysis",
            "session",
            "view",
            "render",
            "export",
            "script",
            "bench",
        ],
    ),
];

/// Parts of `sandbox` are sources of their own: none knows another.
const SANDBOX_PARTS: &[&str] = &["sim", "import", "beam"];

/// Every dependency and where it may be used; `""` is everywhere.
const CRATES: &[(&str, &[&str])] = &[
    ("rhai", &["script"]),
    ("rustyline", &["app"]),
    ("clap", &["app"]),
    ("crossterm", &["app"]),
    ("indicatif", &["app"]),
    ("tokio", &["app", "sandbox/beam"]),
    ("md5", &["sandbox/beam/dist"]),
    ("getrandom", &["sandbox/beam", "app/server"]),
    ("rustix", &["sandbox/beam/dist", "bench"]),
    ("axum", &["app/server"]),
    ("comfy_table", &["render"]),
    ("plotters", &["render"]),
    ("plotters_backend", &["render"]),
    ("crossbeam", &["app", "bench", "store", "sandbox/beam", "sandbox/import"]),
    ("memmap2", &["store", "sandbox/import"]),
    ("crc32fast", &["store"]),
    ("zstd", &["store"]),
    ("flate2", &["codec"]),
    ("regex", &["codec"]),
    ("memchr", &["codec", "store"]),
    ("strsim", &[""]),
    ("serde", &[""]),
    ("serde_json", &[""]),
    ("num_bigint", &[""]),
    ("rustc_hash", &[""]),
    ("smallvec", &[""]),
    ("thiserror", &[""]),
];

/// Where `unsafe` may stand: mapping a file that another process could cut.
const UNSAFE_IN: &[&str] = &["store/", "sandbox/import/"];

/// What would make two runs of one seed differ; none of it may stand in the sim.
const NONDETERMINISTIC: &[&str] = &["Instant", "SystemTime", "HashMap", "HashSet", "thread", "thread_rng"];

/// Words of unfinished work.
const UNFINISHED: &[&str] = &["todo!", "unimplemented!", "dbg!", "TODO", "FIXME", "XXX"];

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

/// A source file, cut into lines of code: comments and the text of strings are blanked.
struct Source {
    /// Relative to `src/`, with `/`.
    path: String,
    text: String,
    code: Vec<String>,
    /// Index of the first line of the inline tests, or the number of lines.
    tests_from: usize,
}

impl Source {
    fn read(root: &Path, path: &Path) -> Source {
        let text = std::fs::read_to_string(path).unwrap();
        let relative = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        let code: Vec<String> = strip(&text).lines().map(str::to_string).collect();
        let is_test_file = relative.ends_with("tests.rs") || relative.split('/').any(|part| part == "tests");
        let inline = code.windows(2).position(|w| w[0].trim() == "#[cfg(test)]" && w[1].trim_end().ends_with('{'));
        let tests_from = if is_test_file { 0 } else { inline.unwrap_or(code.len()) };
        Source { path: relative, text, code, tests_from }
    }
    /// The top-level module that the file belongs to: `sandbox` of `sandbox/sim/mod.rs`.
    fn module(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap()
    }
    /// Lines outside tests, numbered from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code[..self.tests_from].iter().enumerate().map(|(idx, line)| (idx + 1, line.as_str()))
    }
}

/// Blanks comments and the insides of string and character literals; keeps line breaks and columns.
fn strip(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
    while i < chars.len() {
        let rest = &chars[i..];
        let end = match rest {
            ['/', '/', ..] => i + rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => i + rest.windows(2).position(|w| w == ['*', '/']).map_or(rest.len(), |n| n + 2),
            ['r', '"', ..] | ['r', '#', '"' | '#', ..] => i + raw_string_len(rest),
            ['"', ..] => i + quoted_len(rest, '"'),
            ['\'', '\\', ..] => i + quoted_len(rest, '\''),
            ['\'', _, '\'', ..] => i + 3,
            _ => i,
        };
        if end == i {
            out.push(chars[i]);
            i += 1;
        } else {
            out.extend(chars[i..end.min(chars.len())].iter().map(|c| blank(*c)));
            i = end;
        }
    }
    out
}

/// Characters of a literal that starts and ends with `quote`, escapes counted.
fn quoted_len(rest: &[char], quote: char) -> usize {
    let mut n = 1;
    while n < rest.len() && rest[n] != quote {
        n += if rest[n] == '\\' { 2 } else { 1 };
    }
    n + 1
}

/// Characters of `r"…"` or `r#"…"#`; 1 for a raw identifier (`r#type`).
fn raw_string_len(rest: &[char]) -> usize {
    let n_hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    if rest.get(1 + n_hashes) != Some(&'"') {
        return 1;
    }
    let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', n_hashes)).collect();
    let body = &rest[2 + n_hashes..];
    let end = body.windows(close.len()).position(|w| w == close.as_slice()).unwrap_or(body.len());
    2 + n_hashes + end + close.len()
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    assert!(files.len() > 20, "the source tree is found");
    files.iter().map(|path| Source::read(&root, path)).collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
}

/// Byte positions at which `word` stands as a whole word.
fn word_positions<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = line[..*at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !(before.is_some_and(is_word) || word.ends_with(is_word) && after.is_some_and(is_word))
    })
}

/// The first path segments after each `PREFIX::` in `line`: `crate::{model::Term, store}` gives model and store.
fn segments_after(line: &str, prefix: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for at in word_positions(line, prefix) {
        let rest = &line[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push(rest.chars().take_while(|c| is_word(*c)).collect());
            continue;
        };
        let mut depth = 0;
        let mut item = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => found.push(std::mem::take(&mut item)),
                _ if depth == 0 => item.push(c),
                _ => {}
            }
        }
        found.push(item);
    }
    found.iter().map(|s| s.trim().chars().take_while(|c| is_word(*c)).collect()).collect()
}

/// Joins `use` trees that rustfmt broke over lines, each with the number of its first line.
fn statements(source: &Source) -> Vec<(usize, String)> {
    let mut joined: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    for (n, line) in source.lines() {
        if is_open {
            let last = &mut joined.last_mut().expect("a use tree was opened").1;
            last.push_str(line.trim());
        } else {
            joined.push((n, line.to_string()));
        }
        let starts_use = line.trim_start().starts_with("use ") || line.trim_start().starts_with("pub use ");
        is_open = (is_open || starts_use) && !line.contains(';');
    }
    joined
}

fn check(problems: &[String], rule: &str) {
    let mut text = String::new();
    for problem in problems {
        let _ = writeln!(text, "  {problem}");
    }
    assert!(problems.is_empty(), "{rule}:\n{text}");
}

#[test]
fn imports_go_down_only() {
    let mut problems = Vec::new();
    for source in sources() {
        let module = source.module().to_string();
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == module) else {
            problems.push(format!("src/{}: module `{module}` is not in the edge table", source.path));
            continue;
        };
        for (n, line) in statements(&source) {
            for target in segments_after(&line, "crate::") {
                if target != module && EDGES.iter().any(|(name, _)| *name == target) && !allowed.contains(&&*target) {
                    problems.push(format!("src/{}:{n}: {module} must not import {target}", source.path));
                }
            }
        }
    }
    check(&problems, "an import goes up, or sideways");
}

#[test]
fn sources_of_events_do_not_know_each_other() {
    let mut problems = Vec::new();
    for source in sources() {
        let Some(part) = source.path.strip_prefix("sandbox/").and_then(|rest| rest.split(['/', '.']).next()) else {
            continue;
        };
        for (n, line) in statements(&source) {
            for target in segments_after(&line, "sandbox::") {
                let is_other = SANDBOX_PARTS.contains(&&*target) && target != part && part != "mod";
                if is_other {
                    problems.push(format!("src/{}:{n}: {part} must not import {target}", source.path));
                }
            }
        }
    }
    check(&problems, "a source of events knows another");
}

#[test]
fn crates_are_used_where_they_belong() {
    let mut problems = Vec::new();
    for source in sources() {
        for (n, line) in source.lines() {
            for (name, places) in CRATES {
                let is_used = word_positions(line, name).any(|at| line[at + name.len()..].starts_with("::"));
                if is_used && !places.iter().any(|place| source.path.starts_with(place)) {
                    problems.push(format!("src/{}:{n}: `{name}` belongs to {places:?}", source.path));
                }
            }
        }
    }
    check(&problems, "a crate is used outside its place");
}

#[test]
fn every_dependency_has_a_place() {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let names = section.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = "));
    let unplaced: Vec<String> = names
        .map(|(name, _)| name.replace('-', "_"))
        .filter(|name| !CRATES.iter().any(|(known, _)| known == name))
        .collect();
    check(&unplaced, "a dependency is missing from the table of crates in tests/house.rs");
}

#[test]
fn every_file_says_what_it_is() {
    let missing: Vec<String> =
        sources().iter().filter(|s| !s.text.starts_with("//!")).map(|s| format!("src/{}", s.path)).collect();
    check(&missing, "a file does not open with `//!`");
}

#[test]
fn files_and_functions_stay_short() {
    let mut problems = Vec::new();
    for source in sources() {
        if source.code.len() > FILE_LINES_MAX {
            problems.push(format!("src/{}: {} lines, at most {FILE_LINES_MAX}", source.path, source.code.len()));
        } else if source.tests_from > FILE_LINES_MAX / 2 {
            println!("long: src/{} has {} lines", source.path, source.tests_from);
        }
        for (n, name, n_lines) in functions(&source) {
            if n_lines > FUNCTION_LINES_MAX {
                problems.push(format!(
                    "src/{}:{n}: fn {name} has {n_lines} lines, at most {FUNCTION_LINES_MAX}",
                    source.path
                ));
            }
        }
    }
    check(&problems, "too long to read");
}

/// Line, name and length of every function, by rustfmt's layout: it ends at a `}` of its own indentation.
fn functions(source: &Source) -> Vec<(usize, String, usize)> {
    let lines: Vec<(usize, &str)> = source.lines().collect();
    let mut found = Vec::new();
    for (idx, (n, line)) in lines.iter().enumerate() {
        let Some(at) = word_positions(line, "fn").next() else { continue };
        let indent = line.len() - line.trim_start().len();
        let name: String =
            line[at + 2..].trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() || line.trim_end().ends_with('}') || line.trim_end().ends_with(';') {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        if let Some(len) = lines[idx..].iter().position(|(_, l)| l.trim_end() == close) {
            found.push((*n, name, len + 1));
        }
    }
    found
}

#[test]
fn no_unwrap_outside_tests() {
    let mut problems = Vec::new();
    for source in sources() {
        for (n, line) in source.lines() {
            if line.contains(".unwrap()") || line.contains(".expect()") {
                problems.push(format!("src/{}:{n}", source.path));
            }
        }
    }
    check(&problems, "unwrap outside tests (`expect` states the invariant, `?` says the error)");
}

#[test]
fn unsafe_stands_where_files_are_mapped() {
    let mut problems = Vec::new();
    for source in sources() {
        let is_allowed = UNSAFE_IN.iter().any(|place| source.path.starts_with(place));
        for (n, line) in source.lines() {
            if !is_allowed && word_positions(line, "unsafe").next().is_some() {
                problems.push(format!("src/{}:{n}", source.path));
            }
        }
    }
    check(&problems, "unsafe outside its place");
}

#[test]
fn the_sim_is_deterministic_by_construction() {
    let mut problems = Vec::new();
    for source in sources().iter().filter(|s| s.path.starts_with("sandbox/sim")) {
        for (n, line) in source.lines() {
            for word in NONDETERMINISTIC {
                if word_positions(line, word).next().is_some() {
                    problems.push(format!("src/{}:{n}: {word}", source.path));
                }
            }
        }
    }
    check(&problems, "something in the sim differs from run to run");
}

#[test]
fn nothing_is_left_unfinished() {
    let mut problems = Vec::new();
    for source in sources() {
        for (idx, line) in source.text.lines().enumerate() {
            if UNFINISHED.iter().any(|word| word_positions(line, word).next().is_some()) {
                problems.push(format!("src/{}:{}: {}", source.path, idx + 1, line.trim()));
            }
        }
    }
    check(&problems, "unfinished work");
}

/// The rules themselves are tried on small inputs: a checker that sees nothing passes everything.
#[test]
fn the_checker_sees() {
    assert_eq!(segments_after("use crate::{model::{Term, Seq}, store};", "crate::"), ["model", "store"]);
    assert_eq!(segments_after("crate::view::Table::new(crate::model::Seq)", "crate::"), ["view", "model"]);
    assert_eq!(
        strip("a // crate::app\nb \"x\\\" crate::app\" c"),
        format!("a {}\nb {} c", " ".repeat(13), " ".repeat(16))
    );
    assert_eq!(strip("r#\"unwrap()\"# '\\'' 'x' <'a>"), format!("{} {} {} <'a>", " ".repeat(13), " ".repeat(4), "   "));
    assert_eq!(word_positions("FxHashMap HashMap", "HashMap").collect::<Vec<_>>(), [10]);
}
