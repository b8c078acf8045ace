//! Which path leads where.

use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde_json::json;

use super::assets::ASSETS;
use super::guard::HEADERS;
use super::reply::Refusal;
use super::state::Server;
use super::{live, predict};

/// The whole server, guarded and counted.
pub fn router(server: Server) -> Router {
    let mut router = Router::new()
        .route("/api/predict", post(predict::predict))
        .route("/api/inside", post(predict::inside))
        .route("/api/live", any(live::live))
        .route("/api/model", get(model))
        .route("/api/health", get(health))
        .route("/metrics", get(metrics));
    for asset in ASSETS {
        router = router.route(asset.path, get(move || async move { asset }));
    }
    router
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "there is nothing here: see /openapi.json") })
        .method_not_allowed_fallback(|| async {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this path takes another method: see /openapi.json")
        })
        // Bodies are read within limits of their own.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(server.clone(), guarded))
        .layer(middleware::from_fn_with_state(server.clone(), count))
        .with_state(server)
}

async fn model(State(server): State<Server>) -> Response {
    Json(&server.about).into_response()
}

async fn health(State(server): State<Server>) -> Response {
    if server.engine.is_alive() {
        Json(json!({ "status": "ok" })).into_response()
    } else {
        Refusal::busy("the device was lost; the next request makes a new one").into_response()
    }
}

async fn metrics(State(server): State<Server>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], server.metrics.text()).into_response()
}

async fn count(State(server): State<Server>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    server.metrics.request(&route, response.status().as_u16());
    response
}

/// Lets a request in or not, and says what browsers may do with the answer.
async fn guarded(State(server): State<Server>, request: Request, next: Next) -> Response {
    let admitted = server.guard.check(request.method(), request.uri(), request.headers());
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
