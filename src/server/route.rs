//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post as on_post};

use super::refusal::Refusal;
use super::reply::Reply;
use super::{App, delete, health, metrics, post};

/// All routes of one server.
pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/mcp", on_post(post::post).delete(delete::delete).fallback(other_method))
        .route("/health", get(health::health))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        // `/.well-known/oauth-*` among them: a JSON 404 tells clients that there is nothing to log in to.
        .fallback(nothing)
        .with_state(app)
}

/// GET too: we have no stream to offer, and a 404 would look like a lost session.
async fn other_method(State(app): State<Arc<App>>, request: Request) -> Response {
    app.leave(refuse(&app, &request, Refusal::method()).into_response())
}

async fn nothing(State(app): State<Arc<App>>, request: Request) -> Response {
    app.leave(refuse(&app, &request, Refusal::no_such_route()).into_response())
}

fn refuse(app: &App, request: &Request, refusal: Refusal) -> Reply {
    let stranger = app.hosts.check(request.headers(), request.uri()).err();
    stranger.unwrap_or(refusal).into()
}
