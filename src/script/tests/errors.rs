//! Errors: what a user reads when a script goes wrong, and that the shell lives on.

use expect_test::{Expect, expect};

use super::{outcome, shell};

fn check(script: &str, expected: Expect) {
    let mut shell = shell();
    expected.assert_eq(&outcome(shell.eval_line(script)));
    assert_eq!(outcome(shell.eval_line("1 + 1")), "2", "the shell lives on after {script}");
}

#[test]
fn names_that_do_not_exist() {
    check(
        "let balance = 1; balanse + 1",
        expect![[r#"
        Script: unknown variable `balanse`
             | let balance = 1; balanse + 1
             |                  ^^^^^^^
          hint: did you mean `balance`?"#]],
    );
    check(
        "sek(\"5ms\")",
        expect![[r#"
            Script: unknown function `sek(string)`
                 | sek("5ms")
                 | ^^^
              hint: did you mean seek(_: int) -> int?"#]],
    );
    check(
        "seek(\"5ms\", 2)",
        expect![[r#"
        Script: `seek` does not take these arguments: seek(string, int)
             | seek("5ms", 2)
             | ^^^^
          hint: seek(_: int) -> int
          hint: seek(_: string) -> int"#]],
    );
    check(
        "let m = #{balance: 1}; m.balence",
        expect![[r#"
        Script: the map has no key `balence`
             | let m = #{balance: 1}; m.balence
             |                          ^^^^^^^
          hint: did you mean `balance`?
          hint: a key that may be missing: `if "balence" in map { .. }`"#]],
    );
    check(
        "t(1).lne",
        expect![[r#"
        Script: a tuple has no property lne
             | t(1).lne
             |     ^"#]],
    );
    check(
        "1.foo",
        expect![[r#"
        Script: a value of type int has no property `foo`
             | 1.foo
             |   ^^^"#]],
    );
    check(
        "seek",
        expect![[r#"
        Script: unknown variable `seek`
             | seek
             | ^^^^
          hint: `seek` is a function: seek()"#]],
    );
}

#[test]
fn traps_of_the_language() {
    check(
        "goto 5",
        expect![[r#"
        Script: `goto` is a reserved word of Rhai
             | goto 5
             | ^^^^
          hint: to go to a moment: seek(moment)"#]],
    );
    check(
        "spawn(\"x\")",
        expect![[r#"
        Script: `spawn` is a reserved word of Rhai
             | spawn("x")
             | ^^^^^
          hint: to start a process: start(module, args) or start_link(module, args)"#]],
    );
    check(
        "#1234",
        expect![[r##"
            Script: `#` is a reserved word of Rhai
                 | #1234
                 | ^
              hint: an event by its number is seq(1234) or "#1234"; a map is #{key: value}"##]],
    );
    check(
        "let x = ;",
        expect![[r#"
        Script: unexpected ';'
             | let x = ;
             |         ^"#]],
    );
    check(
        "\"open",
        expect![[r#"
        Script: open string is not terminated
             | "open
             | ^"#]],
    );
    check(
        "x = = 2",
        expect![[r#"
        Script: unexpected '='
             | x = = 2
             |     ^"#]],
    );
}

#[test]
fn limits_say_which_and_how_to_raise_them() {
    check("set_limit(\"operations\", 20000)", expect![[""]]);
    let mut shell = shell();
    let mut check = |script: &str, expected: Expect| {
        let _ = shell.eval_line("set_limit(\"operations\", 20000); set_limit(\"array\", 1000); set_limit(\"string_bytes\", 1000); set_limit(\"map\", 100)").unwrap();
        expected.assert_eq(&outcome(shell.eval_line(script)));
    };
    check(
        "loop {}",
        expect![[r#"
        Limit: limit operations (20000): does it loop for ever?
             | loop {}
             |      ^
          hint: to raise it: set_limit("operations", 200000)"#]],
    );
    check(
        "try { loop {} } catch { 1 }",
        expect![[r#"
        Limit: limit operations (20000): does it loop for ever?
             | try { loop {} } catch { 1 }
             |            ^
          hint: to raise it: set_limit("operations", 200000)"#]],
    );
    check(
        "fn f(x) { f(x + 1) } f(0)",
        expect![[r#"
        Limit: limit call_depth (64): functions call each other without end?
             | fn f(x) { f(x + 1) } f(0)
             |                      ^
          hint: to raise it: set_limit("call_depth", 640)"#]],
    );
    check(
        "let a = []; loop { a += 1; }",
        expect![[r#"
        Limit: limit array (1000): an array grew too large
             | let a = []; loop { a += 1; }
             |                      ^
          hint: to raise it: set_limit("array", 10000)"#]],
    );
    check(
        "let a = \"x\"; loop { a += a; }",
        expect![[r#"
        Limit: limit string_bytes (1000): a string grew too long
             | let a = "x"; loop { a += a; }
             |                       ^
          hint: to raise it: set_limit("string_bytes", 10000)"#]],
    );
    check(
        "let a = []; loop { a.push(1); }",
        expect![[r#"
        Limit: limit array (1000): an array grew too large
             | let a = []; loop { a.push(1); }
             |                      ^^^^
          hint: to raise it: set_limit("array", 10000)"#]],
    );
    check(
        "let m = #{}; let i = 0; loop { i += 1; m += #{i: 1}; m[i.to_string()] = 1; }",
        expect![[r#"
            Limit: limit map (100): a map grew too large
                 | let m = #{}; let i = 0; loop { i += 1; m += #{i: 1}; m[i.to_string()] = 1; }
                 |                                          ^
              hint: to raise it: set_limit("map", 1000)"#]],
    );
    check(
        "set_limit(\"nothing\", 1)",
        expect![[r#"
            NotFound: no limit is named "nothing"
                 | set_limit("nothing", 1)
                 | ^^^^^^^^^
              hint: limits: operations, callback_operations, call_depth, string_bytes, array, map"#]],
    );
}

#[test]
fn an_error_in_a_function_shows_the_line_and_the_calls() {
    let mut shell = shell();
    let _ = shell.eval_line("fn inner(x) {\n    let y = x.ammount;\n    y\n}").unwrap();
    let _ = shell.eval_line("fn outer(x) { [x].map(|x| inner(x)) }").unwrap();
    expect![[r#"
        Script: the map has no key `ammount`
             |     let y = x.ammount;
             |               ^^^^^^^
          in inner()
          in a closure
          in map()
          in outer()
          hint: did you mean `amount`?
          hint: a key that may be missing: `if "ammount" in map { .. }`"#]]
    .assert_eq(&outcome(shell.eval_line("outer(#{amount: 1})")));
    expect![[r#"
        Script: no money
             | throw "no money"
             | ^^^^^"#]]
    .assert_eq(&outcome(shell.eval_line("throw \"no money\"")));
    expect![[r#"
        Script: the script threw #{"code": 3}
             | throw #{code: 3}
             | ^^^^^"#]]
    .assert_eq(&outcome(shell.eval_line("throw #{code: 3}")));
    expect![[r#"
        Script: a closure cannot be a term
             | t(|x| x)
             | ^"#]]
    .assert_eq(&outcome(shell.eval_line("t(|x| x)")));
}

#[test]
fn a_failure_can_be_caught_and_thrown_on() {
    let mut shell = shell();
    let caught = "let said; try { t(|x| x) } catch (e) { said = `${type_of(e)}: ${e.error}`; } said";
    assert_eq!(outcome(shell.eval_line(caught)), "Failure: a closure cannot be a term");
    let again = outcome(shell.eval_line("try { set_limit(\"nothing\", 1) } catch (e) { print(e.hints[0]); throw e; }"));
    assert!(again.starts_with("NotFound: no limit is named"), "{again}");
}

#[test]
fn an_error_in_a_file_names_file_line_and_column() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("main.rhai", "import \"part\" as part;\n\nfn start(n) {\n    part::divide(n, 0)\n}\nstart(4);\n");
    write("part.rhai", "fn divide(a, b) {\n    a / b\n}\n");
    write("bad.rhai", "let x = 1;\nlet y = (x + ;\n");
    let mut shell = shell();
    let mut run = |name: &str| {
        let text = outcome(shell.run_file(&dir.path().join(name), &[]));
        let real = dir.path().canonicalize().unwrap();
        text.replace(&real.display().to_string(), "DIR").replace(&dir.path().display().to_string(), "DIR")
    };
    expect![[r#"
        Script: division by zero: 4 / 0
          --> DIR/part.rhai:2:7
           2 |     a / b
             |       ^
          in divide(), called at DIR/main.rhai:4:11
          in start(), called at DIR/main.rhai:6:1"#]]
    .assert_eq(&run("main.rhai"));
    expect![[r#"
        Script: unexpected ';'
          --> DIR/bad.rhai:2:14
           2 | let y = (x + ;
             |              ^"#]]
    .assert_eq(&run("bad.rhai"));
    expect!["Io: cannot read script DIR/none.rhai: No such file or directory (os error 2)"]
        .assert_eq(&run("none.rhai"));
}
