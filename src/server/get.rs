//! `GET /mcp`: a client opens a stream, to hear what is not an answer.

use std::net::IpAddr;

use axum::response::{IntoResponse, Response};
use http::HeaderMap;

use super::accepts::Accepts;
use super::refusal::{MCP_METHODS, Refusal};
use super::reply::Reply;
use super::{App, events, head};
use crate::mcp::SessionName;
use crate::model::principal::Principal;

/// Handles a GET. Who names no session, or reads no stream, wants to look at a page: there is none here.
pub(super) async fn listen(
    app: &App,
    headers: &HeaderMap,
    principal: Principal,
    address: Option<IpAddr>,
) -> Result<Response, Refusal> {
    let head = head::read(headers, address);
    let reads_streams = matches!(Accepts::read(headers), Accepts::Both | Accepts::StreamAlone);
    if !reads_streams || head.session == SessionName::None {
        return Err(Refusal::method(MCP_METHODS));
    }
    match app.engine.listen(&head, &principal).await {
        Ok(outlet) => Ok(events::listening(app.engine.clone(), outlet, principal)),
        Err(answer) => Ok(Reply::from(answer).into_response()),
    }
}
