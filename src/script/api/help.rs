//! What can be called, for `help`, completion and the reference: made from the operation table and
//! from the documentation that is registered with every other function. It must not know how it is shown.

use crate::script::names::Names;
use crate::session::operation::{Entry, Group};
use crate::session::ops;

/// One function.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FunctionHelp {
    pub name: String,
    /// `seek(moment)`, optional parameters in brackets.
    pub signature: String,
    /// The chapter of the reference; empty for what Rhai brings.
    pub chapter: String,
    pub doc: String,
    /// Name, type and documentation of each parameter.
    pub params: Vec<(String, String, String)>,
    pub reply: String,
    pub example: String,
}

/// The chapter of pictures and of what `svg` writes.
const PICTURES: &str = "Pictures and output";
const VALUES: &str = "Values: events, rows, queries, conditions, terms";

/// Every function of the session, in the order of the reference; Rhai's own come last.
pub fn functions(names: &Names) -> Vec<FunctionHelp> {
    let mut all: Vec<FunctionHelp> = Vec::new();
    for group in Group::ALL {
        let of_group = ops::entries().filter(|entry| entry.info.group == group);
        all.extend(of_group.map(operation));
    }
    let is_operation = |name: &str| ops::entries().any(|entry| entry.info.name == name);
    // What lies in the namespace `cinema` is for ourselves.
    let is_shown = |name: &str| !is_operation(name) && !name.starts_with("cinema::");
    let others = names.functions.iter().chain(&names.properties).filter(|f| is_shown(&f.name));
    for function in others {
        let is_picture = function.name.ends_with("_chart")
            || function.name == "svg"
            || function.name == "show"
            || function.name == "serve"
            || function.name == "export_to";
        let chapter = match (function.is_standard || function.is_script, is_picture) {
            (true, _) => "",
            (false, true) => PICTURES,
            (false, false) => VALUES,
        };
        all.push(FunctionHelp {
            name: function.name.clone(),
            signature: function.signature.clone(),
            chapter: chapter.into(),
            doc: function.doc.clone(),
            params: Vec::new(),
            reply: String::new(),
            example: String::new(),
        });
    }
    let order = |f: &FunctionHelp| match f.chapter.as_str() {
        "" => 3,
        VALUES => 2,
        PICTURES => 1,
        _ => 0,
    };
    all.sort_by_key(order);
    all
}

fn operation(entry: &Entry) -> FunctionHelp {
    let info = entry.info;
    let param = |param: &crate::session::operation::ParamInfo| {
        let doc = crate::session::operation::join_doc(param.doc);
        (param.name.to_string(), param.type_name.to_string(), doc)
    };
    FunctionHelp {
        name: info.name.into(),
        signature: info.signature(),
        chapter: info.group.title().into(),
        doc: info.doc_text(),
        params: info.params.iter().map(param).collect(),
        reply: info.reply.into(),
        example: info.example.into(),
    }
}

/// The reference as Markdown: a chapter per group, a paragraph per function.
pub fn reference(names: &Names) -> String {
    let mut text = String::from("# Script reference\n\nMade by `cinema reference` from the code.\n");
    let mut chapter = String::new();
    let mut last_name = String::new();
    for function in functions(names).iter().filter(|f| !f.chapter.is_empty() && !f.doc.is_empty()) {
        if chapter != function.chapter {
            chapter.clone_from(&function.chapter);
            text.push_str(&format!("\n## {chapter}\n"));
        }
        let is_overload = last_name == function.name;
        last_name.clone_from(&function.name);
        let separator = if is_overload { "" } else { "\n" };
        text.push_str(&format!("{separator}### `{}`\n\n{}\n", function.signature, function.doc));
        for (name, type_name, doc) in &function.params {
            text.push_str(&format!("- `{name}` ({type_name}): {doc}\n"));
        }
        if !function.reply.is_empty() {
            text.push_str(&format!("- gives {}\n", function.reply));
        }
        if !function.example.is_empty() {
            text.push_str(&format!("\n```rhai\n{}\n```\n", function.example));
        }
    }
    text
}
