//! `DELETE /mcp`: the client ends its session.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use super::App;
use super::head::Session;
use super::refusal::Refusal;
use super::reply::Reply;
use crate::model::principal::Principal;

/// Handles a DELETE: 204, also for a session that has ended already. What else is asked of it is 404 from then on.
pub(super) async fn end(app: &App, headers: &HeaderMap, principal: &Principal) -> Result<Response, Refusal> {
    let archon = app.engine.sessions().close(Session::of(headers).named()?, principal).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT, archon).into_response())
}
