//! `tools/call`: the hot path.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use serde::Serialize;
use serde_json::value::RawValue;

use super::record::Handled;
use super::{Answer, Busy, Caller, Engine, shortened};
use crate::model::request::RequestStatus;
use crate::model::timestamp::Timestamp;
use crate::protocol::error::{ErrorBody, INTERNAL_ERROR, INVALID_PARAMS, REFUSED};
use crate::protocol::frame::Request;
use crate::protocol::reply;
use crate::protocol::tools::CallToolParams;
use crate::session::Archon;
use crate::store::lookup::Ended;
use crate::tools::{Tool, ToolCall, ToolResult};

/// The tool that a request asks for.
struct Target<'a> {
    name: Arc<str>,
    tool: &'a dyn Tool,
    arguments: Option<&'a RawValue>,
}

/// How a tool's run came out.
enum Outcome {
    Finished(ToolResult),
    TimedOut(Duration),
    Cancelled,
    /// Its session was ended: by whom, and why.
    Revoked(Ended),
    CutShort,
    Panicked,
}

/// What the client is told, and what the row says.
struct Told {
    body: Vec<u8>,
    status: RequestStatus,
    error: Option<String>,
    /// The tool's answer, for the token count.
    output: Option<Box<RawValue>>,
}

impl Engine {
    pub(super) async fn call(&self, caller: &Caller, request: &Request<'_>) -> Result<Answer, Busy> {
        let received = self.sessions.clock().now();
        let target = match self.target(request) {
            Ok(target) => target,
            Err((name, error)) => return Box::pin(self.refuse(caller, request, name, &error)).await,
        };
        self.admits()?;
        let (archon, rule) =
            self.sessions.bind(&caller.live, caller.archon.as_deref(), &caller.principal, self.patience.commit).await;
        caller.begun.tell(archon.id);
        let began = Instant::now();
        let outcome = self.run(caller, request.id.get(), &target, &archon, received).await;
        let took = began.elapsed();
        let broke = matches!(outcome, Outcome::Panicked);
        let told = Told::new(request.id, outcome, caller.live.revision.has_structured_output());
        self.meter.count("tools/call", Some(&target.name), told.status, took);
        let output = told.output.as_deref().map_or("", RawValue::get);
        let arguments = target.arguments.map(RawValue::get);
        let answer = if output.is_empty() { told.error.as_deref().unwrap_or_default() } else { output };
        let captured = self.tracking.capture.of(told.status, arguments, answer);
        let handled = Handled {
            session_id: Some(archon.id),
            method: "tools/call",
            tool: Some(target.name),
            duration_us: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
            error: told.error,
            tokens: self.tracking.tokens.of_call(arguments, output),
            captured,
            rule: Some(rule),
            late: caller.live.ended().is_some(),
            ..Handled::of(&caller.live, received, told.status)
        };
        let recorded = self.record(handled).await.into();
        Ok(Answer { body: told.body, archon: Some(archon.id), recorded, broke, session: None })
    }

    /// The tool that is asked for, or why there is none; with the name under which that is recorded.
    fn target<'a>(&'a self, request: &Request<'a>) -> Result<Target<'a>, (Option<String>, ErrorBody)> {
        let params: CallToolParams<'a> = request.read_params().map_err(|error| (None, bad_params(error)))?;
        if let Some((name, tool)) = self.tools.named(&params.name) {
            return Ok(Target { name: name.clone(), tool, arguments: params.arguments });
        }
        let name = shortened(&params.name);
        let hint = match self.tools.nearest(&params.name).as_slice() {
            [] => "tools/list tells which there are".to_owned(),
            names => format!("did you mean {}?", names.join(" or ")),
        };
        let error = ErrorBody::new(INVALID_PARAMS, format!("Unknown tool: {name}; {hint}"));
        Err((Some(name), error.because("unknown_tool", hint)))
    }

    /// Runs the tool until it is done, out of time, cancelled or cut. A panic ends the call, not the server.
    async fn run(
        &self,
        caller: &Caller,
        id: &str,
        target: &Target<'_>,
        archon: &Arc<Archon>,
        received: Timestamp,
    ) -> Outcome {
        let running = caller.live.begin(id, archon);
        self.sessions.touch(&caller.live, Some(archon));
        let call = ToolCall {
            arguments: target.arguments,
            sessions: &self.sessions,
            protocol_session: &caller.live.id,
            archon_session: Some(archon.id),
            received_at: received,
            cancelled: running.token(),
        };
        let tool = AssertUnwindSafe(target.tool.call(call)).catch_unwind();
        let outcome = tokio::select! {
            // In this order: a tool that is done at once, as most are, asks for no timer and registers with no token.
            biased;
            finished = tool => finished.map_or(Outcome::Panicked, Outcome::Finished),
            () = running.token().cancelled() => Outcome::Cancelled,
            () = self.cut.cancelled() => Outcome::CutShort,
            () = tokio::time::sleep(self.patience.tool) => Outcome::TimedOut(self.patience.tool),
        };
        // Its own answer to being cancelled does not say who ended the session.
        let outcome = match (outcome, caller.live.ended()) {
            (Outcome::Finished(Err(_)) | Outcome::Cancelled, Some(ended)) if running.token().is_cancelled() => {
                Outcome::Revoked(ended.clone())
            }
            (outcome, _) => outcome,
        };
        if !matches!(outcome, Outcome::Finished(_)) {
            // A tool that has handed work to a task of its own learns that nobody waits any more.
            running.token().cancel();
        }
        drop(running);
        self.sessions.touch(&caller.live, Some(archon));
        outcome
    }

    /// No tool was run; the request is recorded all the same.
    async fn refuse(
        &self,
        caller: &Caller,
        request: &Request<'_>,
        name: Option<String>,
        error: &ErrorBody,
    ) -> Result<Answer, Busy> {
        let begin = self.begin(caller)?;
        let status = RequestStatus::Error;
        // Any text can be a name: one label for all that are none, or the metrics would grow without bound.
        let label = name.as_ref().map(|_| Arc::from("(unknown)"));
        self.meter.count("tools/call", label.as_ref(), status, Duration::ZERO);
        let handled = Handled {
            session_id: begin.existing,
            method: "tools/call",
            tool: name.map(Arc::from),
            error: Some(error.message.to_string()),
            ..Handled::of(&caller.live, begin.received, status)
        };
        let recorded = self.record(handled).await.into();
        let body = reply::error(Some(request.id.get()), error);
        Ok(Answer { body, archon: Some(begin.archon), recorded, ..Answer::default() })
    }
}

fn bad_params(message: String) -> ErrorBody {
    let way_out = "send the tool's name and its arguments as an object";
    ErrorBody::told(INVALID_PARAMS, message, way_out).because("invalid_params", way_out)
}

impl Told {
    fn new(id: &RawValue, outcome: Outcome, structured: bool) -> Self {
        match outcome {
            Outcome::Finished(Ok(output)) => {
                let output = output.into_raw();
                let body = answer(id, &output, false, structured);
                Self { body, status: RequestStatus::Success, error: None, output: Some(output) }
            }
            Outcome::Finished(Err(error)) => {
                let output = error.body();
                let body = answer(id, &output, true, structured);
                Self { body, status: RequestStatus::Error, error: Some(error.summary()), output: Some(output) }
            }
            Outcome::TimedOut(limit) => {
                let message = format!("the tool did not finish within {limit:?} and was cancelled");
                let way_out = "ask for less, or have the server's operator raise --tool-timeout";
                let body = failure_text(id, &format!("{message}; {way_out}"));
                Self { body, status: RequestStatus::Timeout, error: Some(message), output: None }
            }
            Outcome::Cancelled => Self::failed(id, REFUSED, "the client cancelled the call", "cancelled"),
            Outcome::Revoked(ended) => {
                let message =
                    format!("the session was ended by the {} ({}) while the call ran", ended.who(), ended.reason);
                let way_out = "reconnect the client, and call again if that is safe";
                let body = ErrorBody::told(REFUSED, &message, way_out)
                    .because("session_ended", "call initialize, and call again if that is safe");
                let body = reply::error(Some(id.get()), &body);
                Self { body, status: RequestStatus::Error, error: Some(message), output: None }
            }
            Outcome::CutShort => {
                Self::failed(id, REFUSED, "the server stopped before the tool had finished", "cut_short")
            }
            Outcome::Panicked => Self::failed(id, INTERNAL_ERROR, "the tool broke on our side", "tool_panicked"),
        }
    }

    fn failed(id: &RawValue, code: i32, message: &'static str, reason: &'static str) -> Self {
        let way_out = "the session is kept; call again if that is safe";
        let body = ErrorBody::told(code, message, way_out).because(reason, way_out);
        let body = reply::error(Some(id.get()), &body);
        Self { body, status: RequestStatus::Error, error: Some(message.to_owned()), output: None }
    }
}

/// `result` of `tools/call`, borrowed: the tool's object once as text, once as it is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallResult<'a> {
    content: [Text<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_content: Option<&'a RawValue>,
    is_error: bool,
}

#[derive(Serialize)]
struct Text<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

fn answer(id: &RawValue, json: &RawValue, is_error: bool, structured: bool) -> Vec<u8> {
    let content = [Text { kind: "text", text: json.get() }];
    reply::result(id, &CallResult { content, structured_content: structured.then_some(json), is_error })
}

fn failure_text(id: &RawValue, text: &str) -> Vec<u8> {
    reply::result(id, &CallResult { content: [Text { kind: "text", text }], structured_content: None, is_error: true })
}
