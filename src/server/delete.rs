//! `DELETE /mcp`: the client ends its session.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use super::App;
use super::head::Session;
use super::refusal::Refusal;
use super::reply::Reply;
use crate::model::principal::Principal;

/// Handles a DELETE: 204, and 404 from then on.
pub(super) async fn end(app: &App, headers: &HeaderMap, principal: &Principal) -> Result<Response, Refusal> {
    let session = Session::of(headers);
    let sessions = app.engine.sessions();
    let live = sessions.validate(session.named()?, principal).await?;
    let archon = live.archon_id();
    sessions.close(&live).await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT, Some(archon)).into_response())
}
