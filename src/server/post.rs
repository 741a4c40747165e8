//! `POST /mcp`: from HTTP to `mcp`, and back.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::request::Parts;
use hyper::body::Incoming as Body;

use super::accepts::Accepts;
use super::events;
use super::guard::Page;
use super::head::{self, require_json};
use super::refusal::Refusal;
use super::reply::Reply;
use super::turn::Turn;
use super::{App, body};
use crate::mcp::{Incoming, Outgoing, Reads};

/// Handles a POST.
pub(super) async fn post(app: &Arc<App>, parts: &Parts, mut body: Body, page: &Page, turn: &mut Turn) -> Response {
    let (incoming, accepts) = match read(app, parts, &mut body, (page, turn)).await {
        Ok(read) => read,
        Err(refusal) => {
            app.refused(&parts.headers, turn.address(app, &parts.headers), &refusal);
            body::discard(refusal.status, &parts.headers, body, &app.limits).await;
            turn.begin();
            return Reply::from(refusal).into_response();
        }
    };
    turn.begin();
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
    (page, turn): (&Page, &mut Turn),
) -> Result<(Incoming, Accepts), Refusal> {
    let headers = &parts.headers;
    let address = turn.address(app, headers);
    app.admit(parts, page, false)?;
    let principal = app.caller(headers)?;
    let (in_flight, room) = turn.enter(app, &principal, address)?;
    let head = head::read(headers, address);
    require_json(headers)?;
    let accepts = Accepts::read(headers);
    let reads = match accepts {
        Accepts::Neither => return Err(Refusal::not_acceptable()),
        Accepts::JsonAlone => Reads::AnswerAlone,
        Accepts::StreamAlone | Accepts::Both => Reads::Stream(Some(app.limits.silence)),
    };
    let body = body::read(headers, body, &app.limits, room).await?;
    Ok((Incoming { principal, head, body, reads, in_flight: Some(in_flight) }, accepts))
}
