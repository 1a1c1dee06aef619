//! The shell: what persists over lines, endings, imports, output.

use std::sync::atomic::Ordering;

use super::{outcome, shell, shell_with_output};

/// Evaluates lines in one shell and compares the last outcome.
fn check(lines: &[&str], last: &str) {
    let mut shell = shell();
    let (end, before) = lines.split_last().unwrap();
    for line in before {
        let outcome = outcome(shell.eval_line(line));
        assert!(!outcome.contains(": "), "{line}: {outcome}");
    }
    assert_eq!(outcome(shell.eval_line(end)), last, "{lines:?}");
}

#[test]
fn lines_share_variables_functions_and_results() {
    check(&["let x = 40", "x + 2"], "42");
    check(&["fn double(x) { x * 2 }", "double(21)"], "42");
    check(&["fn f() { 1 }", "fn f() { 2 }", "f()"], "2");
    check(&["let f = |x| x + 1", "f.call(1)"], "2");
    check(&["let n = 5; let f = || n * 2", "n = 6", "f.call()"], "12");
    check(&["40 + 2", "it + 1"], "43");
    check(&["\"a\"", "let y = 1;", "\"b\"", "out[0] + out[1] + out.len"], "ab2");
    check(&["let x = 1", "let x = 2", "x"], "2");
}

#[test]
fn exit_ends_the_run_from_anywhere() {
    for script in [
        "exit(3); 1",
        "[1, 2].map(|x| exit(3)); 1",
        "try { [1, 2].map(|x| exit(3)); } catch { print(\"caught\"); 1 }",
        "try { eval(\"exit(3)\") } catch { print(\"caught\") } 1",
        "let a = [3, 1, 2]; a.sort(|a, b| exit(3)); a",
        "fn f() { try { exit(3) } catch { exit(4) } } for i in 0..3 { f() }",
        "switch 1 { 1 => exit(3) }",
    ] {
        let (mut shell, printed) = shell_with_output();
        assert_eq!(outcome(shell.eval_line(script)), "exit 3", "{script}");
        assert!(printed.borrow().is_empty(), "{script}");
        assert_eq!(outcome(shell.eval_line("1")), "1", "the shell lives on");
    }
    check(&["exit()"], "exit 0");
}

#[test]
fn an_interrupt_ends_a_loop_and_only_it() {
    let mut shell = shell();
    let token = shell.host().control.interrupt().clone();
    shell.host().control.interrupt().store(true, Ordering::Relaxed);
    assert_eq!(outcome(shell.eval_line("try { loop { } } catch { } 1")), "Interrupted: interrupted");
    assert!(!token.load(Ordering::Relaxed), "the interrupt was used up");
    assert_eq!(outcome(shell.eval_line("1 + 1")), "2");
}

#[test]
fn output_goes_to_the_sink() {
    let (mut shell, printed) = shell_with_output();
    let _ = shell.eval_line("print(t(\"a\", 1)); print([bin(\"x\")]); debug(1)").unwrap();
    let printed = printed.borrow();
    assert_eq!(printed.len(), 3);
    assert_eq!(printed[2], "1:38 1");
}

#[test]
fn imports_stay_inside_the_roots_and_persist_over_lines() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("scripts");
    std::fs::create_dir_all(root.join("lib")).unwrap();
    std::fs::write(root.join("lib/calc.rhai"), "fn double(x) { x * factor() }\nfn factor() { 2 }").unwrap();
    std::fs::write(root.join("lib/loop.rhai"), "import \"lib/loop\" as again;").unwrap();
    std::fs::write(root.join("main.rhai"), "import \"lib/calc\" as calc;\nfn f(x) { calc::double(x) }\nf(args.len)")
        .unwrap();
    std::fs::write(dir.path().join("secret.rhai"), "fn f() { 1 }").unwrap();
    let mut shell = shell();
    shell.host().add_root(&root);
    assert_eq!(outcome(shell.eval_line("import \"lib/calc\" as calc; calc::double(4)")), "8");
    assert_eq!(outcome(shell.eval_line("calc::double(5)")), "10");
    assert_eq!(outcome(shell.eval_line("fn f(x) { calc::double(x) } f(6)")), "12");
    assert_eq!(outcome(shell.run_file(&root.join("main.rhai"), &["a".into(), "b".into()])), "4");
    for escape in ["../secret", "/etc/passwd", "lib/../../secret"] {
        let text = outcome(shell.eval_line(&format!("import \"{escape}\" as s;")));
        assert!(text.contains("an import stays inside the script roots"), "{text}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(dir.path().join("secret.rhai"), root.join("link.rhai")).unwrap();
        let text = outcome(shell.eval_line("import \"link\" as s;"));
        assert!(text.contains("outside the script roots"), "{text}");
    }
    let text = outcome(shell.eval_line("import \"lib/loop\" as l;"));
    assert!(text.contains("imports itself"), "{text}");
    let text = outcome(shell.eval_line("import \"lib/none\" as n;"));
    assert!(text.contains("tried "), "{text}");
}

#[test]
fn names_are_known_with_signatures() {
    let mut shell = shell();
    let _ = shell.eval_line("/// Doubles a number.\nfn double(x) { x * 2 }\nlet config = #{seed: 1};").unwrap();
    let names = shell.names();
    let signature = |name: &str| names.overloads(name).map(|f| f.signature.clone()).collect::<Vec<_>>();
    assert_eq!(signature("double"), ["double(x)"]);
    assert_eq!(names.overloads("double").next().unwrap().doc, "Doubles a number.");
    assert_eq!(signature("seek"), ["seek(_: int) -> int", "seek(_: string) -> int"]);
    assert!(signature("bin").contains(&"bin(text: string) -> term".to_string()), "{:?}", signature("bin"));
    assert!(names.overloads("split").all(|f| f.is_standard));
    assert!(names.overloads("seek").all(|f| !f.is_standard));
    assert!(names.variables.contains(&"config".to_string()) && names.keys.contains(&"seed".to_string()));
    assert!(names.properties.iter().any(|p| p.signature == "term.len -> int"), "{:?}", names.properties);
}
