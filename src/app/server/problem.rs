//! Failures as RFC 9457 problem documents: status, code, detail, hints, the fields that were wrong.
//! It must not know which operation failed.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value as Json, json};

use crate::model::{Failure, FailureKind, limits};

/// A failure on its way out.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub status: StatusCode,
    /// Stable, for programs: `not_found`, `usage`, `limit` ..
    pub code: &'static str,
    pub detail: String,
    pub hints: Vec<String>,
    pub errors: Vec<FieldError>,
}

/// One argument that was wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    pub field: String,
    pub detail: String,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, code, detail: detail.into(), hints: Vec::new(), errors: Vec::new() }
    }
    /// Arguments that cannot be read: the first [`FIELDS_MAX`] are told.
    pub fn fields(mut errors: Vec<FieldError>) -> Problem {
        let n_more = errors.len().saturating_sub(FIELDS_MAX);
        errors.truncate(FIELDS_MAX);
        let mut hints = Vec::new();
        for error in &mut errors {
            hints.extend(take_hints(&mut error.detail));
            error.field = clipped(&error.field);
        }
        let mut details: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
        details.extend((n_more > 0).then(|| format!("and {n_more} more")));
        Problem { errors, hints, ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "usage", details.join("; ")) }
    }
    pub fn field(field: impl Into<String>, detail: impl Into<String>) -> Problem {
        Problem::fields(vec![FieldError { field: field.into(), detail: detail.into() }])
    }
    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    }
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, code, detail)
    }
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hints.push(hint.into());
        self
    }

    pub fn to_json(&self) -> Json {
        let mut json = json!({
            "type": format!("urn:cinema:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": clipped(&self.detail),
        });
        if !self.hints.is_empty() {
            json["hints"] = self.hints.iter().map(|hint| clipped(hint)).collect();
        }
        if !self.errors.is_empty() {
            let error = |error: &FieldError| json!({ "field": error.field, "detail": clipped(&error.detail) });
            json["errors"] = self.errors.iter().map(error).collect();
        }
        json
    }
}

/// Wrong arguments that one problem tells of.
const FIELDS_MAX: usize = 20;

/// At most [`limits::PROBLEM_TEXT_BYTES_MAX`] of a text: an error names what was wrong, and that may be anything.
pub fn clipped(text: &str) -> String {
    if text.len() <= limits::PROBLEM_TEXT_BYTES_MAX {
        return text.to_string();
    }
    let mut end = limits::PROBLEM_TEXT_BYTES_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{} … cut after {end} of {} bytes", &text[..end], text.len())
}

/// Takes out the hints of a failure that was made text.
fn take_hints(text: &mut String) -> Vec<String> {
    const HINT: &str = "\n  hint: ";
    let Some(at) = text.find(HINT) else { return Vec::new() };
    let hints = text.split_off(at);
    hints.split(HINT).skip(1).map(str::to_string).collect()
}

impl From<Failure> for Problem {
    fn from(mut failure: Failure) -> Problem {
        let folded = take_hints(&mut failure.error);
        failure.hints.extend(folded);
        let (status, code) = match failure.kind {
            FailureKind::Usage => (StatusCode::UNPROCESSABLE_ENTITY, "usage"),
            FailureKind::Unsupported => (StatusCode::CONFLICT, "unsupported"),
            FailureKind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            FailureKind::BadInput => (StatusCode::UNPROCESSABLE_ENTITY, "bad_input"),
            FailureKind::Script => (StatusCode::UNPROCESSABLE_ENTITY, "script"),
            FailureKind::Limit => (StatusCode::UNPROCESSABLE_ENTITY, "limit"),
            FailureKind::Io => (StatusCode::INTERNAL_SERVER_ERROR, "io"),
            FailureKind::Interrupted => (StatusCode::SERVICE_UNAVAILABLE, "interrupted"),
            FailureKind::Edge => (StatusCode::CONFLICT, "edge"),
        };
        Problem { hints: failure.hints, ..Problem::new(status, code, failure.error) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.to_json().to_string();
        let kind = HeaderValue::from_static("application/problem+json");
        (self.status, [(header::CONTENT_TYPE, kind)], body).into_response()
    }
}
