//! `POST /mcp`: one JSON-RPC message, or a batch on the one revision that has them.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use futures_util::future::join_all;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use hyper::body::Incoming;
use serde::Deserialize;

use super::accepts::Accepts;
use super::detached::Detached;
use super::guard::Page;
use super::head::{Session, Version, require_json, text};
use super::headers::{Single, single};
use super::refusal::Refusal;
use super::reply::{self, Reply};
use super::silence::{self, Silence};
use super::{App, activity::Activity, body};
use crate::mcp::{Answer, Begun, Busy, Caller};
use crate::model::principal::Principal;
use crate::protocol::error::{ErrorBody, INVALID_REQUEST};
use crate::protocol::frame::{self, Body, FrameError, Message};
use crate::protocol::revision;
use crate::protocol::{header, reply as json_rpc};

/// What of a request's head outlives the connection.
#[derive(Debug)]
struct Head {
    principal: Principal,
    session: Session,
    archon: Option<String>,
    version: Version,
    /// How far the request has come.
    begun: Arc<Begun>,
}

/// Handles a POST.
pub(super) async fn post(
    app: &Arc<App>,
    parts: &Parts,
    mut body: Incoming,
    page: &Page,
    activity: &Activity,
) -> Response {
    let headers = &parts.headers;
    let read = async {
        app.admit(parts, page, false)?;
        let head = Head::read(headers, app.principal(headers)?);
        require_json(headers)?;
        let accepts = Accepts::read(headers);
        if accepts == Accepts::Neither {
            return Err(Refusal::not_acceptable());
        }
        Ok((head, accepts, body::read(headers, &mut body, &app.limits).await?))
    };
    let (head, accepts, body) = match read.await.inspect(|_| activity.begin()) {
        Ok(read) => read,
        Err(refusal) => {
            body::discard(refusal.status, headers, body, &app.limits).await;
            return Reply::from(refusal).into_response();
        }
    };
    let begun = head.begun.clone();
    let serving = app.clone();
    let mut call = Detached::new(async move { serve(&serving, &head, &body).await }, &app.orphans);
    let panicked = || Reply::from(Refusal::panicked());
    if accepts == Accepts::JsonAlone {
        return call.await.unwrap_or_else(panicked).into_response();
    }
    match silence::broken(&mut call, &begun, app.limits.silence).await {
        Silence::Answered(reply) => {
            let reply = reply.unwrap_or_else(panicked);
            if accepts == Accepts::StreamAlone { reply::one_event(reply) } else { reply.into_response() }
        }
        Silence::Lasts(archon) => reply::waiting_stream(call, archon),
    }
}

impl Head {
    fn read(headers: &HeaderMap, principal: Principal) -> Self {
        // One that is said twice, and differently, names none.
        let archon = match single(headers, &[header::ARCHON_SESSION]) {
            Single::Value(id) => Some(text(id)),
            Single::Absent | Single::Differs => None,
        };
        Self { principal, session: Session::of(headers), archon, version: Version::of(headers), begun: Arc::default() }
    }
}

async fn serve(app: &App, head: &Head, body: &[u8]) -> Reply {
    dispatch(app, head, body).await.unwrap_or_else(Reply::from)
}

async fn dispatch(app: &App, head: &Head, body: &[u8]) -> Result<Reply, Refusal> {
    let parsed = frame::parse(body)?;
    match parsed {
        Body::Single(Message::Request(request)) => {
            let id = request.id.get();
            let answered = if request.method == "initialize" {
                Box::pin(initialize(app, head, &request)).await
            } else {
                one(app, head, &request).await
            };
            answered.map_err(|refusal| refusal.for_request(Some(id)))
        }
        Body::Single(Message::Notification(note)) => {
            check_era(head, note.params.map(serde_json::value::RawValue::get))?;
            let caller = caller(app, head).await?;
            app.engine.notice(&caller, &note);
            Ok(Reply::empty(StatusCode::ACCEPTED, Some(caller.live.archon_id())))
        }
        Body::Single(Message::Response) => {
            check_era(head, None)?;
            let caller = caller(app, head).await?;
            Ok(Reply::empty(StatusCode::ACCEPTED, Some(caller.live.archon_id())))
        }
        Body::Batch(members) => {
            check_era(head, None)?;
            let caller = caller(app, head).await?;
            if !caller.live.revision.has_batches() {
                return Err(Refusal::batch().in_session(&caller));
            }
            head.begun.admit();
            Ok(Box::pin(batch(app, &caller, members)).await)
        }
    }
}

async fn initialize(app: &App, head: &Head, request: &frame::Request<'_>) -> Result<Reply, Refusal> {
    if app.is_draining() {
        return Err(Refusal::busy("the server is stopping"));
    }
    // Whatever its version header says: this is where one is agreed on.
    let previous = head.session.if_any()?;
    let opened = app.engine.initialize(&head.principal, request, head.archon.as_deref(), previous).await?;
    Ok(reply_of(opened))
}

async fn one(app: &App, head: &Head, request: &frame::Request<'_>) -> Result<Reply, Refusal> {
    check_era(head, request.params.map(serde_json::value::RawValue::get))?;
    let caller = caller(app, head).await?;
    // Not before: until here it may be refused, with a status and headers of its own.
    head.begun.admit();
    let answered = app.engine.answer(&caller, request).await;
    answered.map(reply_of).map_err(|busy| refusal_of(busy).in_session(&caller))
}

fn reply_of(answer: Answer) -> Reply {
    let status = if answer.broke { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
    Reply {
        status,
        body: answer.body,
        session: answer.session,
        archon: answer.archon,
        recorded: answer.recorded,
        ..Reply::default()
    }
}

fn refusal_of(_: Busy) -> Refusal {
    Refusal::busy("the database does not keep up; no tool was run")
}

/// 2025-03-26 alone: requests are answered side by side, in the order in which they came.
async fn batch(app: &App, caller: &Caller, members: Vec<Result<Message<'_>, FrameError>>) -> Reply {
    let answers = join_all(members.into_iter().map(|member| member_of_batch(app, caller, member))).await;
    // What a tool call of it has told, else the session's own.
    let archon = caller.begun.archon().unwrap_or_else(|| caller.live.archon_id());
    let mut reply = Reply { status: StatusCode::OK, archon: Some(archon), ..Reply::default() };
    for answer in answers.into_iter().flatten() {
        reply.body.push(if reply.body.is_empty() { b'[' } else { b',' });
        reply.body.extend_from_slice(&answer.body);
        reply.recorded = reply.recorded.max(answer.recorded);
    }
    if reply.body.is_empty() {
        reply.status = StatusCode::ACCEPTED;
    } else {
        reply.body.push(b']');
    }
    reply
}

async fn member_of_batch(app: &App, caller: &Caller, member: Result<Message<'_>, FrameError>) -> Option<Answer> {
    let refused =
        |refusal: Refusal| Answer { body: json_rpc::error(refusal.id.as_deref(), &refusal.body), ..Answer::default() };
    match member {
        Ok(Message::Request(request)) if request.method == "initialize" => {
            let body = ErrorBody::told(INVALID_REQUEST, "initialize cannot be part of a batch", "send it alone")
                .because("batch", "send it alone");
            Some(refused(Refusal::new(StatusCode::BAD_REQUEST, body).for_request(Some(request.id.get()))))
        }
        Ok(Message::Request(request)) => Some(match app.engine.answer(caller, &request).await {
            Ok(answer) => answer,
            Err(busy) => refused(refusal_of(busy).for_request(Some(request.id.get()))),
        }),
        Ok(Message::Notification(note)) => {
            app.engine.notice(caller, &note);
            None
        }
        Ok(Message::Response) => None,
        Err(error) => Some(refused(error.into())),
    }
}

/// The session that a request names, valid and touched.
async fn caller(app: &App, head: &Head) -> Result<Caller, Refusal> {
    let live = app.engine.sessions().validate(head.session.named()?, &head.principal).await?;
    app.engine.sessions().touch(&live, live.archon().as_ref());
    let (principal, archon, begun) = (head.principal.clone(), head.archon.clone(), head.begun.clone());
    Ok(Caller { live, principal, archon, begun })
}

/// A modern request gets an error that dual-era clients do not take for a modern server's, so that they fall back to
/// `initialize`; an unknown version is refused (2025-06-18, basic/transports, protocol version header).
fn check_era(head: &Head, params: Option<&str>) -> Result<(), Refusal> {
    let claimed =
        params.filter(|text| text.contains("io.modelcontextprotocol/protocolVersion")).and_then(claimed_version);
    match head.version {
        Version::Modern => Err(Refusal::modern()),
        _ if claimed.is_some_and(|version| revision::is_modern(&version)) => Err(Refusal::modern()),
        Version::Unknown => Err(Refusal::version()),
        Version::Spoken => Ok(()),
    }
}

/// The version that `params._meta` claims.
fn claimed_version(params: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Params {
        #[serde(rename = "_meta")]
        meta: Option<Meta>,
    }
    #[derive(Deserialize)]
    struct Meta {
        #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
        version: Option<String>,
    }
    serde_json::from_str::<Params>(params).ok()?.meta?.version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_version_that_meta_claims() {
        let modern = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
        assert_eq!(claimed_version(modern).as_deref(), Some("2026-07-28"));
        assert_eq!(claimed_version("[1]"), None);
    }
}
