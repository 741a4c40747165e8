//! `DELETE /mcp`: the client ends its session.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use super::App;
use super::post::session_id;
use super::refusal::Refusal;
use super::reply::Reply;

/// Handles a DELETE: 204, and 404 from then on.
pub(super) async fn delete(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let reply = end(&app, &parts).await.unwrap_or_else(Reply::from);
    app.leave(reply.into_response())
}

async fn end(app: &App, request: &Parts) -> Result<Reply, Refusal> {
    let headers = &request.headers;
    app.hosts.check(headers, &request.uri)?;
    let principal = app.principal(headers)?;
    let id = session_id(headers)?.ok_or_else(Refusal::no_session)?;
    let sessions = app.engine.sessions();
    let live = sessions.validate(&id, &principal).await?;
    let archon = live.archon_id();
    sessions.close(&live).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT, Some(archon)))
}
