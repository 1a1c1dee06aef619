//! Lines that are the shell's own and no script: `help`, `quit`, `demo()`, and the `&` that runs a line
//! in the background. The same words work in the terminal, in a pipe and with `-e`.

use super::host::Names;
use crate::model::{Failure, Outcome};
use crate::script::api::FunctionHelp;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'l> {
    /// Nothing, or only a comment.
    Nothing,
    Quit,
    Demo,
    /// Help on everything, or on one word.
    Help(Option<&'l str>),
    /// A script; with `is_background`, the prompt comes back at once.
    Script {
        text: &'l str,
        is_background: bool,
    },
}

/// Reads a line.
pub fn read(line: &str) -> Command<'_> {
    let text = line.trim();
    if text.is_empty() || text.lines().all(|l| l.trim().is_empty() || l.trim_start().starts_with("//")) {
        return Command::Nothing;
    }
    if let Some(topic) = text.strip_prefix('?') {
        return Command::Help(topic_of(topic));
    }
    if let Some(rest) = text.strip_prefix("help")
        && (rest.is_empty() || rest.starts_with([' ', '(']))
    {
        return Command::Help(topic_of(rest));
    }
    match text.trim_end_matches(';') {
        "quit" | "exit" | "quit()" | ":q" => Command::Quit,
        "demo" | "demo()" => Command::Demo,
        _ => match text.strip_suffix('&').filter(|rest| !rest.ends_with('&')) {
            Some(rest) => Command::Script { text: rest.trim_end(), is_background: true },
            None => Command::Script { text, is_background: false },
        },
    }
}

/// The word that help is asked for: `seek` of ` seek`, `("seek")`, `(seek)`, `seek()`.
fn topic_of(rest: &str) -> Option<&str> {
    let topic = rest.trim().trim_matches(|c: char| matches!(c, '(' | ')' | '"' | ';' | ' '));
    (!topic.is_empty()).then_some(topic)
}

const INTRODUCTION: &str = "\
Type an expression and press Enter; Tab completes, Ctrl-C interrupts, Ctrl-D leaves.

  demo()                     a guided minute: a call times out, and why
  sandbox(\"examples/bank\")   start a system;  run() lets it run
  open(\"node.trace\")         look into a recording
  help seek                  one function;  help time: one chapter
  it, out[3]                 the last value, the third value
  quit                       leave

A line that ends with & runs in the background; notices appear above the prompt.
";

/// The answer to `help` or `help topic`: a function, or a chapter by a word of its title.
pub fn help(topic: Option<&str>, names: &Names) -> Outcome<String> {
    let Some(topic) = topic else { return Ok(overview(names)) };
    let wanted = topic.to_lowercase();
    let entries: Vec<String> = names.overloads(topic).map(entry).collect();
    if !entries.is_empty() {
        let has_word = |title: &&str| title.split([' ', ',', ':']).any(|word| word.to_lowercase() == wanted);
        let chapter = chapters(names).into_iter().find(has_word).map(|title| chapter(title, names));
        return Ok(entries.into_iter().chain(chapter).collect::<Vec<_>>().join("\n"));
    }
    if let Some(title) = chapters(names).into_iter().find(|title| title.to_lowercase().contains(&wanted)) {
        return Ok(chapter(title, names));
    }
    let failure = Failure::not_found(format!("no help on `{topic}`"));
    Err(match names.nearest(topic) {
        Some(near) => failure.hint(format!("did you mean `help {near}`?")),
        None => failure.hint("help   (lists everything)"),
    })
}

/// The titles of the chapters, in the order of the reference.
fn chapters(names: &Names) -> Vec<&str> {
    let mut titles: Vec<&str> = names.functions.iter().map(|f| f.chapter.as_str()).collect();
    titles.dedup();
    titles.retain(|title| !title.is_empty());
    titles
}

fn of_chapter<'n>(title: &'n str, names: &'n Names) -> impl Iterator<Item = &'n FunctionHelp> {
    names.functions.iter().filter(move |f| f.chapter == title)
}

/// The introduction and the functions by chapter.
fn overview(names: &Names) -> String {
    let mut text = INTRODUCTION.to_string();
    for title in chapters(names) {
        let mut words: Vec<&str> = Vec::new();
        for function in of_chapter(title, names) {
            if !words.contains(&function.name.as_str()) {
                words.push(&function.name);
            }
        }
        text.push_str(&format!("\n{title}\n  {}\n", wrapped(&words)));
    }
    text
}

/// Words with commas, in lines of at most 90 columns, indented by two.
fn wrapped(words: &[&str]) -> String {
    let mut text = String::new();
    let mut column = 0;
    for (idx, word) in words.iter().enumerate() {
        let is_full = column + word.len() > 86;
        text.push_str(match (idx, is_full) {
            (0, _) => "",
            (_, true) => ",\n  ",
            (_, false) => ", ",
        });
        column = if is_full { word.len() } else { column + word.len() + 2 };
        text.push_str(word);
    }
    text
}

/// One line per function: signature and first sentence.
fn chapter(title: &str, names: &Names) -> String {
    let width = of_chapter(title, names).map(|f| f.signature.chars().count()).max().unwrap_or(0).min(40);
    let line = |f: &FunctionHelp| {
        let summary = f.doc.lines().next().unwrap_or_default();
        format!("  {:width$}  {summary}", f.signature).trim_end().to_string() + "\n"
    };
    format!("{title}\n{}", of_chapter(title, names).map(line).collect::<String>())
}

/// Everything about one function.
fn entry(function: &FunctionHelp) -> String {
    let reply = if function.reply.is_empty() { String::new() } else { format!(" -> {}", function.reply) };
    let mut text = format!("{}{reply}\n", function.signature);
    for line in function.doc.lines() {
        text.push_str(format!("  {line}").trim_end());
        text.push('\n');
    }
    for (name, type_name, doc) in &function.params {
        text.push_str(format!("    {name} ({type_name})  {}", doc.replace('\n', " ")).trim_end());
        text.push('\n');
    }
    if !function.example.is_empty() {
        text.push_str(&format!("  for example: {}\n", function.example));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn names() -> Names {
        let function = |signature: &str, chapter: &str, doc: &str, example: &str| FunctionHelp {
            name: signature.split('(').next().unwrap().into(),
            signature: signature.into(),
            chapter: chapter.into(),
            doc: doc.into(),
            params: Vec::new(),
            reply: "the position".into(),
            example: example.into(),
        };
        let step = FunctionHelp {
            params: vec![("n".into(), "integer".into(), "How many.".into())],
            ..function("step([n])", "Moving in time", "Goes on.", "step(3)")
        };
        let seek = function("seek(moment)", "Moving in time", "Goes to a moment.\n\nMore of it.", "seek(\"#12\")");
        let len = FunctionHelp { reply: String::new(), ..function("len(array)", "", "Its length.", "") };
        Names { functions: [seek, step, len].into(), ..Names::default() }
    }

    #[test]
    fn the_shells_own_words_are_told_from_scripts() {
        let script = |text, is_background| Command::Script { text, is_background };
        assert_eq!(read("  // note\n"), Command::Nothing);
        assert_eq!(read("help"), Command::Help(None));
        assert_eq!(read("help(\"seek\")"), Command::Help(Some("seek")));
        assert_eq!(read("?seek"), Command::Help(Some("seek")));
        assert_eq!(read("helper(1)"), script("helper(1)", false));
        assert_eq!(read("quit;"), Command::Quit);
        assert_eq!(read("run() &"), script("run()", true));
        assert_eq!(read("a &&"), script("a &&", false));
    }

    #[test]
    fn help_has_three_depths() {
        let check = |topic: Option<&str>, expected: Expect| {
            let text = help(topic, &names()).unwrap_or_else(|failure| failure.to_string());
            expected.assert_eq(text.strip_prefix(INTRODUCTION).unwrap_or(&text));
        };
        check(
            None,
            expect![[r#"

            Moving in time
              seek, step
        "#]],
        );
        check(
            Some("time"),
            expect![[r#"
            Moving in time
              seek(moment)  Goes to a moment.
              step([n])     Goes on.
        "#]],
        );
        check(
            Some("step"),
            expect![[r#"
            step([n]) -> the position
              Goes on.
                n (integer)  How many.
              for example: step(3)
        "#]],
        );
        check(
            Some("seek"),
            expect![[r##"
            seek(moment) -> the position
              Goes to a moment.

              More of it.
              for example: seek("#12")
        "##]],
        );
        check(
            Some("len"),
            expect![[r#"
            len(array)
              Its length.
        "#]],
        );
        check(
            Some("seak"),
            expect![[r#"
            no help on `seak`
              hint: did you mean `help seek`?"#]],
        );
    }
}
