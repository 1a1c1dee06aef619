//! The page's files, inside of the binary. It must not know what they do.
//!
//! A debug build reads them from the source tree when it is there, so that a reload shows an edit.

use std::borrow::Cow;

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        /// Name and content of each file.
        const FILES: &[(&str, &[u8])] = &[$(($name, include_bytes!(concat!("page/", $name)))),+];
    };
}

const INDEX: &[u8] = include_bytes!("page/index.html");

files![
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
    "term.js",
    "tip.js",
    "twin.js",
];

/// What the page may load: only from here. Styles of elements are set by its own code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self' ws:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page, which names its modules, so that a browser asks for all of them at once.
pub async fn index() -> Response {
    let modules = FILES.iter().map(|(name, _)| *name).filter(|name| name.ends_with(".js"));
    let links: String = modules.map(|name| format!("<link rel=\"modulepreload\" href=\"/page/{name}\">\n")).collect();
    let page =
        String::from_utf8_lossy(&content("index.html", INDEX)).replacen("</head>", &format!("{links}</head>"), 1);
    answer("index.html", page.into_bytes())
}

pub async fn asset(Path(name): Path<String>) -> Response {
    file(&name)
}

fn file(name: &str) -> Response {
    match FILES.iter().find(|(known, _)| *known == name) {
        Some((name, embedded)) => answer(name, content(name, embedded).into_owned()),
        None => super::problem::Problem::not_found(format!("no file {name:?}")).into_response(),
    }
}

fn answer(name: &str, content: Vec<u8>) -> Response {
    let kind = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::OK, headers, content).into_response()
}

#[cfg(debug_assertions)]
fn content(name: &str, embedded: &'static [u8]) -> Cow<'static, [u8]> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app/server/page").join(name);
    std::fs::read(path).map_or(Cow::Borrowed(embedded), Cow::Owned)
}

#[cfg(not(debug_assertions))]
fn content(_: &str, embedded: &'static [u8]) -> Cow<'static, [u8]> {
    Cow::Borrowed(embedded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_s_filter_knows_every_kind() {
        let (_, filter) = FILES.iter().find(|(name, _)| *name == "filter.js").unwrap();
        let filter = std::str::from_utf8(filter).unwrap();
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
            assert!(name == "index.html" || FILES.iter().any(|(known, _)| *known == name), "{name}");
        }
    }
}
