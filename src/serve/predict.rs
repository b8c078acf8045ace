//! `POST /api/predict` and `POST /api/inside`.

use std::time::Instant;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::FromRequest;
use axum::extract::{Multipart, Query, Request as HttpRequest, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use vultus::face::{Analysis, FaceSize};

use super::admission::read_body;
use super::engine::Trouble;
use super::inside::{Question, View};
use super::machine::{Request, Times, since};
use super::picture::{Decoded, UNNAMED, decode};
use super::reply::Refusal;
use super::state::Server;
use crate::answer::question::min_face;

/// What may be asked of a prediction.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// The smallest face, in pixels or per cent.
    min_face: Option<String>,
    /// Read by the guard.
    #[serde(default, rename = "token")]
    _token: Option<String>,
}

impl Wish {
    fn min_face(&self) -> Result<Option<FaceSize>, Refusal> {
        let bad = |reason| Refusal::new(StatusCode::BAD_REQUEST, format!("min_face: {reason}"));
        self.min_face.as_deref().map(min_face).transpose().map_err(bad)
    }
}

/// What is found in a picture.
#[derive(Serialize)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(flatten)]
    analysis: Analysis,
    milliseconds: Times,
}

/// One of several pictures.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry {
    Found(Answer),
    Failed { file: String, error: String },
}

/// The faces of one picture in the body, or of several in a form.
pub async fn predict(
    State(server): State<Server>,
    wish: Query<Wish>,
    request: HttpRequest,
) -> Result<Response, Refusal> {
    let min_face = wish.min_face()?;
    let (parts, body) = request.into_parts();
    let arrived = Instant::now();
    let (bytes, _share) = read_body(body, &parts.headers, &server.memory, &server.limits).await?;
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("multipart/form-data") {
        let answer = answer(&server, None, bytes, min_face, arrived).await?;
        return Ok(Json(answer).into_response());
    }
    // The whole form is in memory, so that its parts need no limits of their own.
    let form = Multipart::from_request(HttpRequest::from_parts(parts, Body::from(bytes)), &()).await;
    let form = form.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    let mut pictures = Vec::new();
    for (file, bytes) in files(form, server.limits.pictures).await? {
        pictures.push(match answer(&server, Some(&file), bytes, min_face, arrived).await {
            Ok(answer) => Entry::Found(answer),
            Err(refusal) if refusal.status == StatusCode::SERVICE_UNAVAILABLE => return Err(refusal),
            Err(refusal) => Entry::Failed { file, error: refusal.reason },
        });
    }
    Ok(Json(serde_json::json!({ "pictures": pictures })).into_response())
}

/// The files of a form with their names.
async fn files(mut form: Multipart, most: usize) -> Result<Vec<(String, Bytes)>, Refusal> {
    let bad =
        |error: axum::extract::multipart::MultipartError| Refusal::new(StatusCode::BAD_REQUEST, error.body_text());
    let mut files = Vec::new();
    while let Some(field) = form.next_field().await.map_err(bad)? {
        let name = field.file_name().or(field.name()).unwrap_or(UNNAMED).to_owned();
        files.push((name, field.bytes().await.map_err(bad)?));
        if files.len() > most {
            let reason = format!("there are more than {most} pictures in the form");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, reason));
        }
    }
    if files.is_empty() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "there is no picture in the form"));
    }
    Ok(files)
}

async fn answer(
    server: &Server,
    file: Option<&str>,
    bytes: Bytes,
    min_face: Option<FaceSize>,
    arrived: Instant,
) -> Result<Answer, Refusal> {
    let name = file.unwrap_or(UNNAMED);
    let Decoded { image, milliseconds, share: _share } = decode(server, name, bytes, server.limits.pixels).await?;
    let look = server.engine.look(Request { picture: image, min_face });
    let seen = in_time(server, look).await?;
    let times = Times { decode: milliseconds, total: since(arrived), ..seen.times };
    server.metrics.seen(seen.analysis.faces.len(), &times);
    Ok(Answer { file: file.map(str::to_owned), analysis: seen.analysis, milliseconds: times })
}

/// How the answer for a face of the picture in the body comes about.
pub async fn inside(
    State(server): State<Server>,
    Query(question): Query<Question>,
    request: HttpRequest,
) -> Result<Json<View>, Refusal> {
    let (parts, body) = request.into_parts();
    let (bytes, _share) = read_body(body, &parts.headers, &server.memory, &server.limits).await?;
    let Decoded { image, share: _share, .. } = decode(&server, UNNAMED, bytes, server.limits.pixels).await?;
    let look = server.engine.look_inside(Request { picture: image, min_face: None }, question);
    Ok(Json(in_time(&server, look).await?))
}

/// An answer of the device, if it comes in time.
async fn in_time<T>(server: &Server, answer: impl Future<Output = Result<T, Trouble>>) -> Result<T, Refusal> {
    let late = |_| Refusal::busy("the device did not answer in time: come again in a second");
    Ok(timeout(server.limits.answer, answer).await.map_err(late)??)
}
