//! `DELETE /mcp`: the client ends its session.

use std::net::IpAddr;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use super::reply::Reply;
use super::{App, head};
use crate::model::principal::Principal;

/// Handles a DELETE: 204, also for a session that has ended already. What else is asked of it is 404 from then on.
pub(super) async fn end(app: &App, headers: &HeaderMap, principal: &Principal, address: Option<IpAddr>) -> Response {
    match app.engine.close(&head::read(headers, address), principal).await {
        Ok(answer) => Reply { status: StatusCode::NO_CONTENT, ..Reply::from(answer) }.into_response(),
        Err(answer) => Reply::from(answer).into_response(),
    }
}
