//! A small scanner of Rhai source: enough to colour a line, to complete at the cursor and to see
//! whether brackets are open. It never fails: what it does not know is [`Class::Other`].

use std::ops::Range;

/// What a token is, for colours and completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Comment,
    /// With its quotes; `is_open` when the closing one is missing.
    Text {
        is_open: bool,
    },
    Number,
    Keyword,
    Name,
    Open,
    Close,
    Other,
}

/// A token by its byte range in the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub class: Class,
    pub range: Range<usize>,
}

const KEYWORDS: &[&str] = &[
    "let", "const", "if", "else", "switch", "for", "in", "while", "loop", "do", "until", "break", "continue", "return",
    "throw", "try", "catch", "fn", "private", "import", "export", "as", "true", "false", "this", "global",
];

/// Cuts `line` into tokens; white space is left out.
pub fn tokens(line: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = line[at..].chars().next() {
        let rest = &line[at..];
        let (class, len) = match c {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '/' if rest.starts_with("//") => (Class::Comment, rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => (Class::Comment, rest.find("*/").map_or(rest.len(), |n| n + 2)),
            '"' | '`' | '\'' => text_token(rest, c),
            '0'..='9' => (Class::Number, number_len(rest)),
            c if is_name_char(c) => name_token(rest),
            '(' | '[' | '{' => (Class::Open, 1),
            ')' | ']' | '}' => (Class::Close, 1),
            c => (Class::Other, c.len_utf8()),
        };
        found.push(Token { class, range: at..at + len });
        at += len;
    }
    found
}

/// Whether the input goes on: a bracket, a back-ticked text or a block comment is open at its end.
pub fn is_open(input: &str) -> bool {
    let tokens = tokens(input);
    let depth: i32 = tokens
        .iter()
        .map(|token| match token.class {
            Class::Open => 1,
            Class::Close => -1,
            _ => 0,
        })
        .sum();
    let ends_inside = tokens.last().is_some_and(|token| {
        let text = &input[token.range.clone()];
        match token.class {
            Class::Text { is_open } => is_open && text.starts_with('`'),
            Class::Comment => text.starts_with("/*") && !(text.len() >= 4 && text.ends_with("*/")),
            _ => false,
        }
    });
    depth > 0 || ends_inside
}

/// Whether a name may hold this character.
pub fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn text_token(rest: &str, quote: char) -> (Class, usize) {
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quote != '`' => {
                chars.next();
            }
            c if c == quote => return (Class::Text { is_open: false }, at + 1),
            // Only back-ticks hold line breaks.
            '\n' if quote != '`' => return (Class::Text { is_open: true }, at),
            _ => {}
        }
    }
    (Class::Text { is_open: true }, rest.len())
}

fn number_len(rest: &str) -> usize {
    let mut previous = ' ';
    let is_part = |c: char, previous: char, next: Option<char>| {
        is_name_char(c)
            || c == '.' && previous.is_ascii_digit() && next.is_some_and(|n| n.is_ascii_digit())
            || (c == '-' || c == '+') && matches!(previous, 'e' | 'E')
    };
    for (at, c) in rest.char_indices() {
        if !is_part(c, previous, rest[at + c.len_utf8()..].chars().next()) {
            return at;
        }
        previous = c;
    }
    rest.len()
}

fn name_token(rest: &str) -> (Class, usize) {
    let len = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
    let class = if KEYWORDS.contains(&&rest[..len]) { Class::Keyword } else { Class::Name };
    (class, len)
}

/// The bracket that belongs to the one at byte `at`, if there is one there and it has a partner.
pub fn partner(tokens: &[Token], at: usize) -> Option<Range<usize>> {
    let here = tokens.iter().position(|t| t.range.start == at && matches!(t.class, Class::Open | Class::Close))?;
    let step = |depth: &mut i32, token: &Token, opens: Class| {
        *depth += match token.class {
            class if class == opens => 1,
            Class::Open | Class::Close => -1,
            _ => 0,
        };
        *depth == 0
    };
    let mut depth = 0;
    let found = match tokens[here].class {
        Class::Open => tokens[here..].iter().find(|t| step(&mut depth, t, Class::Open)),
        _ => tokens[..=here].iter().rev().find(|t| step(&mut depth, t, Class::Close)),
    };
    found.map(|t| t.range.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(line: &str) -> String {
        let one = |t: &Token| format!("{:?}:{}", t.class, &line[t.range.clone()]);
        tokens(line).iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tokens_are_cut_as_rhai_does() {
        let check = |line: &str, expected: expect_test::Expect| expected.assert_eq(&show(line));
        check(
            "let x = seek(\"#1\") + 1.5e-3; // go",
            expect_test::expect![[
                r##"Keyword:let Name:x Other:= Name:seek Open:( Text { is_open: false }:"#1" Close:) Other:+ Number:1.5e-3 Other:; Comment:// go"##
            ]],
        );
        check(
            "1..3 `a\nb` \"open \\\" ",
            expect_test::expect![[r#"
                Number:1 Other:. Other:. Number:3 Text { is_open: false }:`a
                b` Text { is_open: true }:"open \" "#]],
        );
        check("é_1 /* never closed", expect_test::expect!["Name:é_1 Comment:/* never closed"]);
    }

    #[test]
    fn unfinished_input_goes_on() {
        for open in ["fn f() {", "f(1,", "`text", "/* words", "if x { // }", "let m = #{ a: [1,", "x.map(|y|"] {
            assert!(is_open(open), "{open}");
        }
        for whole in ["", "fn f() { 1 }", "f(1))", "\"open(", "let = 1", "// {", "/* { */", "`{`", "'{' + 1", "\"{\""] {
            assert!(!is_open(whole), "{whole}");
        }
    }

    #[test]
    fn brackets_find_their_partner() {
        let line = "f(a[1], \")\")";
        let all = tokens(line);
        assert_eq!(partner(&all, 1), Some(11..12));
        assert_eq!(partner(&all, 11), Some(1..2));
        assert_eq!(partner(&all, 3), Some(5..6));
        assert_eq!(partner(&all, 0), None);
    }
}
