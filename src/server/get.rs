//! `GET /mcp`: a client opens a stream, to hear what is not an answer.

use axum::response::{IntoResponse, Response};
use http::HeaderMap;

use super::accepts::Accepts;
use super::refusal::{MCP_METHODS, Refusal};
use super::reply::Reply;
use super::{App, events, head};
use crate::mcp::SessionName;
use crate::model::principal::Principal;

/// Handles a GET. Who names no session, or reads no stream, wants to look at a page: there is none here.
pub(super) async fn listen(app: &App, headers: &HeaderMap, principal: Principal) -> Response {
    let head = head::read(headers);
    let reads_streams = matches!(Accepts::read(headers), Accepts::Both | Accepts::StreamAlone);
    if !reads_streams || head.session == SessionName::None {
        return Reply::from(Refusal::method(MCP_METHODS)).into_response();
    }
    match app.engine.listen(&head, &principal).await {
        Ok(outlet) => events::listening(app.engine.clone(), outlet, principal),
        Err(answer) => Reply::from(answer).into_response(),
    }
}
