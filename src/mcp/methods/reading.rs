//! A request that reads something from the catalogue: watched like a tool, and recorded like any other.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::catalog::{Call, ErrorKind, Talk, ToolError};
use crate::mcp::answered::{Answered, row_words};
use crate::mcp::plain::Begin;
use crate::mcp::{Caller, Engine};
use crate::model::request::RequestStatus;
use crate::protocol::error::{ErrorBody, INTERNAL_ERROR, INVALID_PARAMS, RESOURCE_NOT_FOUND};
use crate::protocol::frame::Request;
use crate::protocol::reply;
use crate::session::{Archon, Running};

/// What all of them are given.
pub(super) type Asked<'a> = (&'a Caller, &'a Request<'a>, &'a Begin);

/// It runs.
pub(super) struct Reading<'a> {
    engine: &'a Engine,
    asked: Asked<'a>,
    running: Running,
    archon: Option<Arc<Archon>>,
    talk: Talk<'a>,
    meta: Option<&'a RawValue>,
}

impl<'a> Reading<'a> {
    pub(super) fn begin(engine: &'a Engine, asked: Asked<'a>, meta: Option<&'a RawValue>) -> Self {
        let (caller, request, _) = asked;
        let archon = caller.visitor.live().archon();
        let running = engine.begin_run(caller, request.id.get(), archon.as_ref());
        let talk = Talk::new(&caller.visitor, &caller.exchange, engine.outbox.questions(), meta);
        Self { engine, asked, running, archon, talk, meta }
    }

    pub(super) fn call<'c>(&'c self, arguments: Option<&'c RawValue>) -> Call<'c> {
        let (caller, _, begin) = self.asked;
        Call {
            visitor: &caller.visitor,
            archon_session: begin.existing,
            arguments,
            meta: self.meta,
            received_at: begin.received,
            deadline: self.engine.deadline(Instant::now()),
            cancelled: self.running.token(),
            talk: &self.talk,
        }
    }

    /// Waits for it; `write` makes the result of what it gives.
    pub(super) async fn told<T, R: Serialize>(
        &self,
        work: BoxFuture<'_, Result<T, ToolError>>,
        write: impl FnOnce(T) -> R,
    ) -> Answered {
        let (caller, request, _) = self.asked;
        let outcome = self.engine.watch(caller, &self.running, work).await;
        match outcome.finished(request.id) {
            Ok(Ok(given)) => Answered::result(request.id, &write(given)),
            Ok(Err(error)) => {
                let body = reply::error(Some(request.id.get()), &body_of(&error));
                Answered {
                    body,
                    status: RequestStatus::Error,
                    error: Some(row_words(&error, self.engine.tracking.capture)),
                }
            }
            Err(told) => told,
        }
    }

    pub(super) fn end(self) {
        self.engine.end_run(self.asked.0, self.running, self.archon.as_ref());
    }
}

/// Only tools have errors of their own: here they are JSON-RPC's (server/resources, "Error Handling").
fn body_of(error: &ToolError) -> ErrorBody {
    let code = match error.kind() {
        ErrorKind::NotFound => RESOURCE_NOT_FOUND,
        ErrorKind::ValidationError | ErrorKind::InvalidAction => INVALID_PARAMS,
        _ => INTERNAL_ERROR,
    };
    ErrorBody::new(code, error.message().to_owned()).because(error.kind().as_str(), "see the message")
}
