//! What a script can name: functions with signatures and documentation, properties, variables. For help, completion
//! and "did you mean". Plain data that may go to another thread. It must not know how it is shown.

use std::collections::BTreeSet;

use rhai::{AST, Engine, Scope};
use serde_json::Value;

/// Everything that a line typed now could name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    pub functions: Vec<FunctionName>,
    /// Properties of values, such as `len` or an event's `kind`.
    pub properties: Vec<FunctionName>,
    pub variables: Vec<String>,
    /// Keys of the object maps that variables hold.
    pub keys: Vec<String>,
}

/// One function, overload by overload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FunctionName {
    /// With its namespace: `seek`, `action::pause`.
    pub name: String,
    /// `seek(moment: string) -> int`.
    pub signature: String,
    /// Its documentation, without comment signs; the first line says what it does.
    pub doc: String,
    /// Whether Rhai brings it.
    pub is_standard: bool,
    /// Whether a script defined it.
    pub is_script: bool,
}

impl Names {
    /// The functions and properties that `engine` has registered. Takes some milliseconds.
    pub fn of_engine(engine: &Engine) -> Names {
        let read = |with_standard| {
            let json = engine.gen_fn_metadata_to_json(with_standard).unwrap_or_default();
            serde_json::from_str::<Value>(&json).unwrap_or_default()
        };
        let mut names = Names::default();
        names.add_module("", &read(false), false);
        let own: BTreeSet<String> = names.functions.iter().map(|f| f.signature.clone()).collect();
        let mut standard = Names::default();
        standard.add_module("", &read(true), true);
        names.functions.extend(standard.functions.into_iter().filter(|f| !own.contains(&f.signature)));
        names.properties.extend(standard.properties);
        for list in [&mut names.functions, &mut names.properties] {
            list.sort();
            list.dedup_by(|a, b| a.signature == b.signature);
        }
        names
    }

    /// The functions that a script defines, closures left out.
    pub fn of_script(ast: &AST) -> Vec<FunctionName> {
        let named = ast.iter_functions().filter(|f| !f.name.contains('$'));
        let entry = |function: rhai::ScriptFnMetadata| FunctionName {
            name: function.name.to_string(),
            signature: format!("{}({})", function.name, function.params.join(", ")),
            doc: plain_doc(function.comments.iter().copied()),
            is_standard: false,
            is_script: true,
        };
        named.map(entry).collect()
    }

    /// Adds the variables of `scope` and the keys of the maps they hold.
    pub fn add_scope(&mut self, scope: &Scope) {
        let mut variables = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for (name, _, value) in scope.iter_raw() {
            variables.insert(name.to_string());
            if let Ok(map) = value.as_map_ref() {
                keys.extend(map.keys().map(ToString::to_string));
            }
        }
        self.variables.extend(variables);
        self.keys.extend(keys);
    }

    /// Functions of exactly this name.
    pub fn overloads(&self, name: &str) -> impl Iterator<Item = &FunctionName> {
        self.functions.iter().filter(move |f| f.name == name)
    }

    fn add_module(&mut self, namespace: &str, module: &Value, is_standard: bool) {
        for function in module["functions"].as_array().into_iter().flatten() {
            self.add_function(namespace, function, is_standard);
        }
        for (name, module) in module["modules"].as_object().into_iter().flatten() {
            self.add_module(&format!("{namespace}{name}::"), module, is_standard);
        }
    }

    fn add_function(&mut self, namespace: &str, function: &Value, is_standard: bool) {
        let name = function["name"].as_str().unwrap_or_default();
        let comments = function["docComments"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut entry = FunctionName {
            name: format!("{namespace}{name}"),
            signature: String::new(),
            doc: plain_doc(comments),
            is_standard,
            is_script: false,
        };
        if let Some(property) = name.strip_prefix("get$") {
            let of = function["params"][0]["type"].as_str().map(plain_type).unwrap_or_default();
            entry.name = property.to_string();
            entry.signature = format!("{of}.{property}{}", returns(function));
            self.properties.push(entry);
        } else if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !name.contains('$') {
            let params = function["params"].as_array().into_iter().flatten().map(parameter);
            let params: Vec<String> = params.collect();
            entry.signature = format!("{}({}){}", entry.name, params.join(", "), returns(function));
            self.functions.push(entry);
        }
    }
}

fn parameter(param: &Value) -> String {
    let name = param["name"].as_str().unwrap_or("_");
    match param["type"].as_str().map(plain_type) {
        None => name.to_string(),
        Some(kind) => format!("{name}: {kind}"),
    }
}

fn returns(function: &Value) -> String {
    match function["returnType"].as_str().map(plain_type).as_deref() {
        None | Some("" | "()" | "any") => String::new(),
        Some(kind) => format!(" -> {kind}"),
    }
}

/// A Rust type as scripts know it: `&mut ImmutableString` is `string`, `Result<EventHandle, ..>` is `event`.
pub(super) fn plain_type(rust: &str) -> String {
    let rust = rust.trim().trim_start_matches("&mut ").trim_start_matches("&");
    let (path, arguments) = rust.split_once('<').unwrap_or((rust, ""));
    let name = path.rsplit("::").next().unwrap_or(path);
    match name {
        "Result" | "RhaiResultOf" | "Raised" => return plain_type(first_argument(arguments)),
        "Vec" => "array",
        "str" | "str | ImmutableString | String" | "String" | "ImmutableString" => "string",
        "i64" | "INT" => "int",
        "f64" | "FLOAT" => "float",
        "Range" | "RangeInclusive" | "ExclusiveRange" | "InclusiveRange" => "range",
        "FnPtr" | "Fn" => "closure",
        "Dynamic" | "?" => "any",
        other => other.strip_suffix("Handle").unwrap_or(other),
    }
    .to_lowercase()
}

/// What stands before the first comma, or the closing bracket, of a type's arguments.
fn first_argument(arguments: &str) -> &str {
    let mut depth = 0;
    let end = arguments.find(|c| {
        let is_end = depth == 0 && matches!(c, ',' | '>');
        depth += i32::from(c == '<') - i32::from(c == '>');
        is_end
    });
    &arguments[..end.unwrap_or(arguments.len())]
}

fn plain_doc<'a>(comments: impl Iterator<Item = &'a str>) -> String {
    let strip = |line: &'a str| {
        let line = line.trim();
        let line = line.strip_prefix("///").or_else(|| line.strip_prefix("/**")).unwrap_or(line);
        line.trim_end_matches("*/").trim()
    };
    comments.flat_map(str::lines).map(strip).collect::<Vec<_>>().join("\n").trim().to_string()
}
