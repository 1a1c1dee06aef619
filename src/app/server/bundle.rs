//! The page's ES modules as one script, so that a browser asks once instead of thirty times: each module becomes a
//! function that gives what it exports, called in the order of their imports. It must not know what modules do.
//!
//! Of the language it knows what the page uses, each on a line of its own: `import { a } from "./x.js";`,
//! `import * as x from "./x.js";` and `export` before a declaration. What is imported by name is the value that is there
//! when the module begins: what changes later (`export let`) has to be asked of its module.

/// A module's name and text.
pub type Module<'a> = (&'a str, &'a str);

/// The script that runs `main` and all that it imports.
pub fn bundle(modules: &[Module<'_>], main: &str) -> String {
    let (mut done, mut script) = (Vec::new(), String::new());
    add(modules, main, &mut done, &mut script);
    script
}

/// Adds a module behind those that it imports.
fn add<'a>(modules: &[Module<'a>], name: &str, done: &mut Vec<&'a str>, script: &mut String) {
    let Some((name, text)) = modules.iter().find(|(known, _)| *known == name) else { return };
    if done.contains(name) {
        return;
    }
    done.push(name);
    text.lines().filter_map(import).for_each(|(_, from)| add(modules, from, done, script));
    script.push_str(&wrapped(name, text));
}

fn wrapped(name: &str, text: &str) -> String {
    let mut exported = Vec::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Some((what, from)) = import(line) {
            let names = what.strip_prefix("* as ").map_or_else(|| what.replace(" as ", ": "), str::to_string);
            lines.push(format!("const {names} = {};", variable(from)));
        } else if let Some(declaration) = line.strip_prefix("export ") {
            exported.extend(declared(declaration));
            lines.push(declaration.to_string());
        } else {
            lines.push(line.to_string());
        }
    }
    let getters: Vec<String> = exported.iter().map(|name| format!("get {name}() {{ return {name}; }}")).collect();
    let exports = getters.join(", ");
    format!("const {} = (() => {{\n{}\nreturn {{ {exports} }};\n}})();\n", variable(name), lines.join("\n"))
}

/// What is imported, and the module's name.
fn import(line: &str) -> Option<(&str, &str)> {
    let (what, from) = line.strip_prefix("import ")?.split_once(" from ")?;
    Some((what, from.trim_matches([';', '"']).trim_start_matches("./")))
}

/// The name that a declaration gives: `async function name(..`, `const name = ..`.
fn declared(declaration: &str) -> Option<&str> {
    let rest = declaration.strip_prefix("async ").unwrap_or(declaration);
    let rest = ["function ", "const ", "let ", "class "].iter().find_map(|word| rest.strip_prefix(word))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

fn variable(module: &str) -> String {
    format!("${}", module.trim_end_matches(".js"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_run_once_behind_what_they_import() {
        let modules = [
            ("main.js", "import { a, b as c } from \"./one.js\";\nimport * as two from \"./two.js\";\na(c, two);"),
            ("one.js", "import * as two from \"./two.js\";\nexport const a = 1;\nexport let b = two.x;"),
            ("two.js", "export async function x() {}\nexport class Y {}"),
            ("other.js", "never();"),
        ];
        let expected = "\
const $two = (() => {
async function x() {}
class Y {}
return { get x() { return x; }, get Y() { return Y; } };
})();
const $one = (() => {
const two = $two;
const a = 1;
let b = two.x;
return { get a() { return a; }, get b() { return b; } };
})();
const $main = (() => {
const { a, b: c } = $one;
const two = $two;
a(c, two);
return {  };
})();
";
        assert_eq!(bundle(&modules, "main.js"), expected);
    }
}
