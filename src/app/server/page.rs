//! The page, inside of the binary: one answer with its style and its modules, so that a browser that has it asks for data
//! at once. It must not know what the modules do.
//!
//! A debug build reads the files from the source tree when they are there, so that a reload shows an edit.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::bundle::{Module, bundle};
use super::gate;
use super::problem::Problem;

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        /// Name and content of each file.
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("page/", $name)))),+];
    };
}

files![
    "index.html",
    "style.css",
    "api.js",
    "ask.js",
    "axis.js",
    "breakpoints.js",
    "director.js",
    "events.js",
    "filter.js",
    "format.js",
    "graph.js",
    "held.js",
    "inspector.js",
    "labels.js",
    "lanes.js",
    "links.js",
    "main.js",
    "marks.js",
    "paint.js",
    "panels.js",
    "process.js",
    "range.js",
    "scene.js",
    "scrubber.js",
    "socket.js",
    "state.js",
    "supervision.js",
    "system.js",
    "tip.js",
    "twin.js",
];

/// What the page may load: data from here (of `'self'` some browsers make no WebSocket), and no script but its own. Styles of elements are set by that.
fn policy(nonce: &str, host: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

pub async fn index(headers: HeaderMap) -> Response {
    // The gate has let it pass: it is one of ours.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let nonce = match gate::new_token() {
        Ok(nonce) => nonce,
        Err(failure) => return Problem::from(failure).into_response(),
    };
    let Ok(policy) = HeaderValue::try_from(policy(&nonce, host)) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, page(&nonce)).into_response()
}

/// The page with everything in it.
fn page(nonce: &str) -> String {
    let files: Vec<(&str, Cow<'_, str>)> =
        FILES.iter().map(|(name, embedded)| (*name, content(name, embedded))).collect();
    let modules: Vec<Module<'_>> = files.iter().map(|(name, text)| (*name, text.as_ref())).collect();
    let text = |wanted| modules.iter().find(|(name, _)| *name == wanted).map_or("", |(_, text)| text);
    let script = format!("<script type=\"module\" nonce=\"{nonce}\">\n{}</script>", bundle(&modules, "main.js"));
    text("index.html")
        .replacen(STYLE, &format!("<style>\n{}</style>", text("style.css")), 1)
        .replacen(SCRIPT, &script, 1)
}

/// Where the page stands for its style, and for its modules.
const STYLE: &str = "<link rel=\"stylesheet\" href=\"style.css\">";
const SCRIPT: &str = "<script type=\"module\" src=\"main.js\"></script>";

#[cfg(debug_assertions)]
fn content(name: &str, embedded: &'static str) -> Cow<'static, str> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app/server/page").join(name);
    std::fs::read_to_string(path).map_or(Cow::Borrowed(embedded), Cow::Owned)
}

#[cfg(not(debug_assertions))]
fn content(_: &str, embedded: &'static str) -> Cow<'static, str> {
    Cow::Borrowed(embedded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_s_filter_knows_every_kind() {
        let (_, filter) = FILES.iter().find(|(name, _)| *name == "filter.js").unwrap();
        let listed = filter.split_once("new Set(\"").unwrap().1.split_once('"').unwrap().0;
        for kind in crate::model::Kind::ALL {
            assert!(listed.split(' ').any(|name| name == kind.as_str()), "{} is missing in filter.js", kind.as_str());
        }
    }

    #[test]
    fn every_file_of_the_page_is_inside() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app/server/page");
        for file in std::fs::read_dir(folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            assert!(FILES.iter().any(|(known, _)| *known == name), "{name}");
        }
        let page = page("once");
        for (name, _) in FILES.iter().filter(|(name, _)| name.ends_with(".js")) {
            let function = format!("const ${} = ", name.trim_end_matches(".js"));
            assert_eq!(page.matches(&function).count(), 1, "{name}");
        }
        assert!(!page.contains("href=\"style.css\"") && !page.contains("src=\"main.js\""));
    }

    /// What the bundle takes for granted, see there.
    #[test]
    fn modules_are_written_as_the_bundle_reads_them() {
        for (name, text) in FILES.iter().filter(|(name, _)| name.ends_with(".js")) {
            assert!(!text.contains("</script") && !text.contains("import("), "{name}");
            for line in text.lines().filter(|line| line.starts_with("import") || line.starts_with("export {")) {
                assert!(line.contains(" from \"./") && line.ends_with("\";"), "{name}: {line}");
            }
            for variable in text.lines().filter_map(|line| line.strip_prefix("export let ")) {
                let variable = variable.split(' ').next().unwrap();
                for (other, text) in FILES {
                    let imports = text.lines().filter(|line| line.ends_with(&format!("from \"./{name}\";")));
                    let by_name = |line: &str| line.split([' ', ',', '{', '}']).any(|word| word == variable);
                    assert!(!imports.into_iter().any(by_name), "{other} takes {variable} by name, and it changes");
                }
            }
        }
    }
}
