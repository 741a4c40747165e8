//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete as on_delete, get};
use http::header::CONNECTION;
use http::{HeaderValue, Method};
use hyper::body::Incoming;
use tower::ServiceExt;

use super::activity::Activity;
use super::refusal::Refusal;
use super::reply::Reply;
use super::{App, delete, health, metrics, post};

const MCP: &str = "/mcp";

/// All routes of one server. A POST to the MCP endpoint, which nearly every request is, goes straight to its handler: the
/// router's layers would take a tenth of the time of a call.
#[derive(Debug)]
pub(super) struct Routes {
    app: Arc<App>,
    others: Router,
}

impl Routes {
    pub(super) fn new(app: Arc<App>) -> Arc<Self> {
        let others = Router::new()
            .route(MCP, on_delete(delete::delete).fallback(other_method))
            .route("/health", get(health::health))
            .route("/healthz", get(health::healthz))
            .route("/readyz", get(health::readyz))
            .route("/metrics", get(metrics::metrics))
            // `/.well-known/oauth-*` among them: a JSON 404 tells clients that there is nothing to log in to.
            .fallback(nothing)
            .with_state(app.clone());
        Arc::new(Self { app, others })
    }

    /// Answers a request. While the server drains, each answer is the last one on its connection: the client opens
    /// another, which a balancer leads to a server that stays, and no request meets a connection that is just being
    /// closed.
    pub(super) async fn answer(self: Arc<Self>, request: http::Request<Incoming>, activity: Arc<Activity>) -> Response {
        let mut answer = if request.method() == Method::POST && request.uri().path() == MCP {
            post::post(&self.app, request, &activity).await
        } else {
            activity.begin();
            let answer = self.others.clone().oneshot(request.map(Body::new));
            Box::pin(answer).await.unwrap_or_else(|never| match never {})
        };
        if self.app.is_draining() {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        activity.answered(answer)
    }
}

/// GET too: we have no stream to offer, and a 404 would look like a lost session.
async fn other_method(State(app): State<Arc<App>>, request: Request) -> Response {
    refuse(&app, &request, Refusal::method()).into_response()
}

async fn nothing(State(app): State<Arc<App>>, request: Request) -> Response {
    refuse(&app, &request, Refusal::no_such_route()).into_response()
}

fn refuse(app: &App, request: &Request, refusal: Refusal) -> Reply {
    let stranger = app.hosts.check(request.headers(), request.uri()).err();
    stranger.unwrap_or(refusal).into()
}
