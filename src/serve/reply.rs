//! Answers that are not what was asked for.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::engine::Trouble;

/// Why a request is refused or fails, as status and sentence.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// What was wrong, and what to do.
    pub reason: String,
}

/// The seconds after which one that was refused as too many may come again.
pub const RETRY_AFTER: u32 = 1;

impl Refusal {
    /// A refusal.
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Refusal { status, reason: reason.into() }
    }

    /// Too much is going on.
    pub fn busy(reason: impl Into<String>) -> Self {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason)
    }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Busy => Refusal::busy("too many pictures are waiting: come again in a second"),
            Trouble::Gone(reason) => Refusal::busy(reason),
            Trouble::Failed(reason) => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, reason),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "error": self.reason }))).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
        }
        // What is left of the body is not read: the connection is of no more use.
        if self.status != StatusCode::UNPROCESSABLE_ENTITY && self.status != StatusCode::NOT_FOUND {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
