//! `POST /mcp`: from HTTP to `mcp`, and back.

use std::net::IpAddr;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::request::Parts;
use hyper::body::Incoming as Body;

use super::accepts::Accepts;
use super::activity::Activity;
use super::events;
use super::guard::Page;
use super::head::{self, require_json};
use super::refusal::Refusal;
use super::reply::Reply;
use super::{App, body};
use crate::mcp::{Incoming, Outgoing, Reads};

/// Handles a POST.
pub(super) async fn post(app: &Arc<App>, parts: &Parts, mut body: Body, page: &Page, activity: &Activity) -> Response {
    let read = read(app, parts, &mut body, page, activity.peer()).await;
    activity.begin();
    let (incoming, accepts) = match read {
        Ok(read) => read,
        Err(refusal) => {
            body::discard(refusal.status, &parts.headers, body, &app.limits).await;
            return Reply::from(refusal).into_response();
        }
    };
    match app.engine.dispatch(incoming).await {
        Outgoing::Accepted(archon) => Reply::accepted(archon).into_response(),
        Outgoing::Now(answer) if accepts == Accepts::StreamAlone => events::one(answer.into()),
        Outgoing::Now(answer) => Reply::from(answer).into_response(),
        Outgoing::Stream(stream) => events::answering(stream),
    }
}

/// What the guards let through, read whole.
async fn read(
    app: &App,
    parts: &Parts,
    body: &mut Body,
    page: &Page,
    peer: Option<IpAddr>,
) -> Result<(Incoming, Accepts), Refusal> {
    let headers = &parts.headers;
    app.admit(parts, page, false, peer)?;
    let principal = app.caller(headers, peer)?;
    let head = head::read(headers);
    require_json(headers)?;
    let accepts = Accepts::read(headers);
    let reads = match accepts {
        Accepts::Neither => return Err(Refusal::not_acceptable()),
        Accepts::JsonAlone => Reads::AnswerAlone,
        Accepts::StreamAlone | Accepts::Both => Reads::Stream(Some(app.limits.silence)),
    };
    let body = body::read(headers, body, &app.limits).await?;
    Ok((Incoming { principal, head, body, reads }, accepts))
}
