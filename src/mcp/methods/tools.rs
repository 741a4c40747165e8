//! `tools/call`: the hot path.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::accounting::capture::Capture;
use crate::catalog::{Call, Catalog, Talk, Tool, ToolOutput, ToolResult};
use crate::mcp::answer::{Answer, AnswerKind};
use crate::mcp::answered::{Answered, bad_params, row_words};
use crate::mcp::record::Handled;
use crate::mcp::run::Outcome;
use crate::mcp::{Busy, Caller, Engine, shortened};
use crate::model::label::UNKNOWN_TOOL;
use crate::model::request::RequestStatus;
use crate::model::timestamp::Timestamp;
use crate::protocol::error::{ErrorBody, INVALID_PARAMS};
use crate::protocol::frame::Request;
use crate::protocol::reply;
use crate::protocol::tools::CallToolParams;
use crate::session::Archon;

/// The tool that a request asks for.
struct Target<'a> {
    name: Arc<str>,
    tool: &'a dyn Tool,
    arguments: Option<&'a RawValue>,
    meta: Option<&'a RawValue>,
}

/// How to call a tool, for a client whose parameters cannot be read.
const CALL: &str = "send the tool's name and its arguments as an object";

impl Engine {
    pub(super) async fn call(&self, caller: &Caller, request: &Request<'_>) -> Result<Answer, Busy> {
        let received = self.sessions.clock().now();
        // The call keeps the catalogue in which it began.
        let catalog = self.catalog.now();
        let target = match target(&catalog, request) {
            Ok(target) => target,
            Err(unserved) => return Box::pin(self.refuse(caller, request, unserved)).await,
        };
        self.admits()?;
        let live = caller.visitor.live();
        let (archon, rule) =
            self.sessions.bind(live, caller.archon.as_deref(), &caller.principal, self.timeouts.commit).await;
        caller.exchange.set_archon(archon.id);
        let began = Instant::now();
        let outcome = self.run_tool(caller, request.id.get(), &target, &archon, (received, began)).await;
        let took = began.elapsed();
        let kind = if matches!(outcome, Outcome::Panicked) { AnswerKind::Broke } else { AnswerKind::Handled };
        let form = (caller.visitor.revision().has_structured_output(), self.tracking.capture);
        let (told, output) = told(request.id, outcome, form);
        self.meter.count("tools/call", Some(&target.name), told.status, took);
        let output = output.as_ref().map(ToolOutput::as_json).unwrap_or_default();
        let arguments = target.arguments.map(RawValue::get);
        let answer = if output.is_empty() { told.error.as_deref().unwrap_or_default() } else { &*output };
        let captured = self.tracking.capture.of(told.status, arguments, answer);
        let handled = Handled {
            session_id: Some(archon.id),
            method: "tools/call",
            tool: Some(target.name),
            duration_us: i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
            tokens: self.tracking.tokens.of_call(arguments, &output),
            error: told.error,
            captured,
            rule: Some(rule),
            late: caller.visitor.ended().is_some(),
            ..Handled::of(&caller.visitor, received, told.status)
        };
        let recorded = self.record(handled).await.into();
        Ok(Answer { kind, body: told.body, archon: Some(archon.id), recorded, ..Answer::default() })
    }

    async fn run_tool(
        &self,
        caller: &Caller,
        id: &str,
        target: &Target<'_>,
        archon: &Arc<Archon>,
        (received_at, began): (Timestamp, Instant),
    ) -> Outcome<ToolOutput> {
        let running = self.begin_run(caller, id, Some(archon));
        let talk = Talk::new(&caller.visitor, &caller.exchange, self.outbox.questions(), target.meta);
        let call = Call {
            visitor: &caller.visitor,
            archon_session: Some(archon.id),
            arguments: target.arguments,
            meta: target.meta,
            received_at,
            deadline: self.deadline(began),
            cancelled: running.token(),
            talk: &talk,
        };
        let outcome = self.watch(caller, &running, target.tool.call(call)).await;
        self.end_run(caller, running, Some(archon));
        outcome
    }

    /// No tool was run; the request is recorded all the same.
    async fn refuse(
        &self,
        caller: &Caller,
        request: &Request<'_>,
        Unserved { name, error, short }: Unserved,
    ) -> Result<Answer, Busy> {
        let begin = self.begin(caller)?;
        let status = RequestStatus::Error;
        // Any text can be a name: one label for all that are none, or the metrics would grow without bound.
        let label = name.as_ref().map(|_| Arc::from(UNKNOWN_TOOL));
        self.meter.count("tools/call", label.as_ref(), status, Duration::ZERO);
        let handled = Handled {
            session_id: begin.existing,
            method: "tools/call",
            tool: name.map(Arc::from),
            error: Some(short.to_owned()),
            ..Handled::of(&caller.visitor, begin.received, status)
        };
        let recorded = self.record(handled).await.into();
        let body = reply::error(Some(request.id.get()), &error);
        Ok(Answer { body, archon: Some(begin.archon), recorded, ..Answer::default() })
    }
}

/// A call of no tool that there is.
struct Unserved {
    /// The name under which it is recorded, if it could be read.
    name: Option<String>,
    error: ErrorBody,
    /// What the row says.
    short: &'static str,
}

/// The tool that is asked for, or why there is none.
fn target<'a>(catalog: &'a Catalog, request: &Request<'a>) -> Result<Target<'a>, Unserved> {
    let params: CallToolParams<'a> = request.read_params().map_err(|error| Unserved {
        name: None,
        error: bad_params(error, CALL),
        short: "the parameters cannot be read",
    })?;
    if let Some((name, tool)) = catalog.tool(&params.name) {
        return Ok(Target { name: name.clone(), tool, arguments: params.arguments, meta: params.meta });
    }
    let name = shortened(&params.name);
    let hint = match catalog.nearest(&params.name).as_slice() {
        [] => "tools/list lists all tools".to_owned(),
        names => format!("did you mean {}?", names.join(" or ")),
    };
    let error = ErrorBody::new(INVALID_PARAMS, format!("Unknown tool: {name}; {hint}"));
    Err(Unserved { name: Some(name), error: error.because("unknown_tool", hint), short: "no such tool" })
}

/// What the client is told, and the tool's answer, for the token count.
fn told(
    id: &RawValue,
    outcome: Outcome<ToolOutput>,
    (structured, capture): (bool, Capture),
) -> (Answered, Option<ToolOutput>) {
    // A model reads that its call took too long, and can ask for less.
    if let Outcome::TimedOut(limit) = outcome {
        let message = format!("the tool did not finish within {limit:?} and was cancelled");
        let way_out = "ask for less, or have the server's operator raise --tool-timeout";
        let body = reply::result(id, &ToolOutput::text(&format!("{message}; {way_out}")).result(true, structured));
        return (Answered { body, status: RequestStatus::Timeout, error: Some(message) }, None);
    }
    match outcome.finished(id) {
        Ok(finished) => {
            let (told, output) = finished_told(id, finished, (structured, capture));
            (told, Some(output))
        }
        Err(told) => (told, None),
    }
}

fn finished_told(
    id: &RawValue,
    finished: ToolResult,
    (structured, capture): (bool, Capture),
) -> (Answered, ToolOutput) {
    let (output, status, error) = match finished {
        Ok(output) => (output, RequestStatus::Success, None),
        Err(error) => (ToolOutput::from(&error), RequestStatus::Error, Some(row_words(&error, capture))),
    };
    let body = reply::result(id, &output.result(status != RequestStatus::Success, structured));
    (Answered { body, status, error }, output)
}
