//! Steps that are HTTP requests: put together, sent, judged, and remembered.

use std::time::Duration;

use serde_json::{Value, json};

use super::failure::{Exchange, Failure, Mismatch};
use super::judge::{judge, judge_text, judge_time};
use super::play::{Player, STEP_TIME};
use super::scope::{OpenSession, Scope, View};
use crate::client::{RawAnswer, RawRequest};
use crate::protocol::header::{ARCHON_SESSION, PROTOCOL_VERSION, SESSION};
use crate::protocol::revision::Revision;
use crate::selftest::script::step::{Call, Initialize, Notify, Step};
use crate::selftest::script::template::TemplateError;
use crate::selftest::script::value::StatusRule;

/// The client's name where a script gives none.
const CLIENT: &str = "archonctl-selftest";
/// Revisions from this one on have the version header.
const FIRST_WITH_VERSION_HEADER: &str = "2025-06-18";

/// A request and what is expected of its answer when the script does not say.
struct Asking {
    request: RawRequest,
    status: StatusRule,
    /// The id of a JSON-RPC request.
    id: Option<Value>,
    /// Whether it calls a tool.
    is_tool: bool,
}

/// Where a request comes from and goes to.
struct Place<'a> {
    step: &'a Step,
    view: View<'a>,
    /// The session that it goes on.
    session: Option<&'a OpenSession>,
    url: &'a str,
}

type Outcome<T> = Result<T, Box<Failure>>;

impl From<TemplateError> for Box<Failure> {
    fn from(error: TemplateError) -> Self {
        Failure::broken(error.to_string())
    }
}

impl Player<'_> {
    /// `initialize`, and `notifications/initialized` after it.
    pub(super) async fn initialize(
        &self,
        step: &Step,
        what: &Initialize,
        scope: &mut Scope,
        name: &str,
    ) -> Outcome<()> {
        let url = self.url(step)?;
        let view = scope.seen_from(name, url);
        let needed = self.scenario.needs.revision.as_deref();
        let asked = match &what.revision {
            Some(revision) => view.text(revision)?,
            None => needed.unwrap_or(Revision::LATEST.as_str()).to_owned(),
        };
        let client = view.text(what.client.as_deref().unwrap_or(CLIENT))?;
        let version = view.text(what.version.as_deref().unwrap_or(env!("CARGO_PKG_VERSION")))?;
        let token = what.token.as_deref().map(|token| view.text(token)).transpose()?;
        let id = Value::from(self.stage.next_id());
        let params = json!({
            "protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": client, "version": version},
        });
        let body = json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params});
        let place = Place { step, view, session: None, url };
        let request = self.post(&place, body.to_string(), Some(id.clone()), token.as_deref())?;
        let asking = Asking { request, status: StatusRule::one(200), id: Some(id), is_tool: false };
        let (answer, exchange) = self.ask(&place, &asking).await?;
        let agreed = answer.json.as_ref().and_then(|json| json.pointer("/result/protocolVersion")?.as_str());
        let Some(agreed) = agreed.filter(|_| answer.status == 200) else {
            // A refusal that the script expects; any other has failed above.
            self.remember(step, scope, &answer)?;
            return Ok(());
        };
        let mut wrong = Vec::new();
        if what.revision.is_none() && needed.is_some_and(|needed| needed != agreed) {
            wrong.push(Mismatch::new("the revision agreed on", asked, agreed));
        }
        let session = OpenSession {
            id: answer.header(SESSION).map(str::to_owned),
            archon: answer.header(ARCHON_SESSION).map(str::to_owned),
            revision: agreed.to_owned(),
            token,
            server: step.server,
        };
        if self.scenario.needs.sessions && session.id.is_none() {
            wrong.push(Mismatch::new(format!("header {SESSION}"), "a session id", "nothing"));
        }
        if !wrong.is_empty() {
            return Err(Failure::mismatched(wrong, Some(exchange)));
        }
        self.remember(step, scope, &answer)?;
        scope.sessions.insert(name.to_owned(), session.clone());
        self.opened(session.clone());
        if what.initialized != Some(false) {
            self.initialized(&session, url).await?;
        }
        Ok(())
    }

    async fn initialized(&self, session: &OpenSession, url: &str) -> Outcome<()> {
        let (step, scope) = (Step::default(), Scope::default());
        let place = Place { step: &step, view: scope.seen_from("", url), session: Some(session), url };
        let body = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let request = self.post(&place, body.to_string(), None, None)?;
        let asking = Asking { request, status: StatusRule::success(), id: None, is_tool: false };
        self.ask(&place, &asking).await.map(|_| ())
    }

    /// A method of MCP, a tool, or raw HTTP.
    pub(super) async fn call(&self, step: &Step, call: &Call, scope: &mut Scope, name: &str) -> Outcome<()> {
        let url = self.url(step)?;
        let view = scope.seen_from(name, url);
        let raw = call.http.is_some();
        let session = if raw && step.session.is_none() { None } else { Some(known(scope, name)?) };
        let place = Place { step, view, session, url };
        let token = call.token.as_deref().map(|token| view.text(token)).transpose()?;
        let asking = if let Some(http) = &call.http {
            self.raw(&place, call, &http.to_ascii_uppercase(), token.as_deref())?
        } else {
            let (method, params) = match (&call.method, &call.tool) {
                (Some(method), _) => (view.text(method)?, call.params.as_ref().map(|p| view.map(p)).transpose()?),
                (None, tool) => {
                    let arguments = view.map(call.arguments.as_ref().unwrap_or(&serde_json::Map::new()))?;
                    let name = view.text(tool.as_deref().unwrap_or_default())?;
                    let params = json!({"name": name, "arguments": arguments});
                    ("tools/call".to_owned(), params.as_object().cloned())
                }
            };
            let id = match &call.id {
                Some(id) => view.value(id)?,
                None => Value::from(self.stage.next_id()),
            };
            let mut body = json!({"jsonrpc": "2.0", "id": id, "method": method});
            if let Some(params) = params {
                body["params"] = Value::Object(params);
            }
            let request = self.post(&place, body.to_string(), Some(id.clone()), token.as_deref())?;
            Asking { request, status: StatusRule::one(200), id: Some(id), is_tool: method == "tools/call" }
        };
        let (answer, _) = self.ask(&place, &asking).await?;
        self.remember(step, scope, &answer)
    }

    /// A notification.
    pub(super) async fn notify(&self, step: &Step, what: &Notify, scope: &mut Scope, name: &str) -> Outcome<()> {
        let url = self.url(step)?;
        let view = scope.seen_from(name, url);
        let place = Place { step, view, session: Some(known(scope, name)?), url };
        let mut body = json!({"jsonrpc": "2.0", "method": view.text(&what.method)?});
        if let Some(params) = &what.params {
            body["params"] = Value::Object(view.map(params)?);
        }
        let request = self.post(&place, body.to_string(), None, None)?;
        let asking = Asking { request, status: StatusRule::one(202), id: None, is_tool: false };
        let (answer, _) = self.ask(&place, &asking).await?;
        self.remember(step, scope, &answer)
    }

    /// DELETE.
    pub(super) async fn delete(&self, step: &Step, scope: &mut Scope, name: &str) -> Outcome<()> {
        let url = self.url(step)?;
        let place = Place { step, view: scope.seen_from(name, url), session: Some(known(scope, name)?), url };
        let headers = self.headers(&place, &[], None)?;
        let request = RawRequest { method: "DELETE".to_owned(), url: url.to_owned(), headers, ..RawRequest::default() };
        let asking = Asking { request, status: StatusRule::success(), id: None, is_tool: false };
        let (answer, _) = self.ask(&place, &asking).await?;
        self.remember(step, scope, &answer)
    }

    fn raw(&self, place: &Place<'_>, call: &Call, method: &str, token: Option<&str>) -> Outcome<Asking> {
        let url = match &call.path {
            Some(path) => joined(place.url, &place.view.text(path)?),
            None => place.url.to_owned(),
        };
        let body = match &call.body {
            None => String::new(),
            Some(Value::String(text)) => place.view.text(text)?,
            Some(json) => place.view.value(json)?.to_string(),
        };
        let standing: &[(&str, &str)] = if method == "POST" { &STANDING } else { &[] };
        let headers = self.headers(place, standing, token)?;
        let answer_to = serde_json::from_str::<Value>(&body).ok().and_then(|json| json.get("id").cloned());
        let request = RawRequest { method: method.to_owned(), url, headers, body, answer_to };
        Ok(Asking { request, status: StatusRule::success(), id: None, is_tool: false })
    }

    fn post(
        &self,
        place: &Place<'_>,
        body: String,
        answer_to: Option<Value>,
        token: Option<&str>,
    ) -> Outcome<RawRequest> {
        let headers = self.headers(place, &STANDING, token)?;
        Ok(RawRequest { method: "POST".to_owned(), url: place.url.to_owned(), headers, body, answer_to })
    }

    /// The standing headers, those of the session, and the step's own, which replace them; an empty value takes one away.
    fn headers(
        &self,
        place: &Place<'_>,
        standing: &[(&str, &str)],
        token: Option<&str>,
    ) -> Result<Vec<(String, String)>, TemplateError> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers: Vec<_> = standing.iter().map(|(name, value)| pair(name, value)).collect();
        if let Some(session) = place.session {
            headers.extend(session.id.as_deref().map(|id| pair(SESSION, id)));
            if session.revision.as_str() >= FIRST_WITH_VERSION_HEADER {
                headers.push(pair(PROTOCOL_VERSION, &session.revision));
            }
        }
        let of_session = place.session.and_then(|session| session.token.as_deref());
        let bearer = token.or(of_session).map(|token| format!("Bearer {token}"));
        headers.extend(bearer.or(self.stage.authorization.clone()).map(|value| ("authorization".to_owned(), value)));
        for (name, value) in &place.step.headers {
            let value = place.view.text(value)?;
            headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
            if !value.is_empty() {
                headers.push((name.clone(), value));
            }
        }
        Ok(headers)
    }

    /// Sends a request and judges the answer.
    async fn ask(&self, place: &Place<'_>, asking: &Asking) -> Outcome<(RawAnswer, Exchange)> {
        let patience = place.step.timeout.map_or(STEP_TIME, |time| time.0);
        let secrets = &self.stage.secrets;
        match self.stage.http.exchange(&asking.request, patience).await {
            Ok(answer) => {
                let exchange = Exchange::shown(&asking.request, Ok(&answer), secrets);
                let wrong = wrong(place, asking, &answer)?;
                if wrong.is_empty() { Ok((answer, exchange)) } else { Err(Failure::mismatched(wrong, Some(exchange))) }
            }
            Err(error) => {
                let reason = error.to_string();
                let exchange = Some(Exchange::shown(&asking.request, Err(&reason), secrets));
                let failure = match error {
                    crate::client::RawError::Client(_) => Failure::wrong(reason),
                    _ => Failure::broken(reason),
                };
                Err(Box::new(Failure { exchange, ..*failure }))
            }
        }
    }

    /// Remembers what the step wants remembered.
    fn remember(&self, step: &Step, scope: &mut Scope, answer: &RawAnswer) -> Outcome<()> {
        for (name, place) in &step.save {
            let found = match place.as_str() {
                "status" => Some(Value::from(answer.status)),
                "body" => Some(Value::from(answer.body.clone())),
                place => match place.strip_prefix("header:") {
                    Some(header) => answer.header(header).map(Value::from),
                    None => answer.json.as_ref().and_then(|json| json.pointer(place)).cloned(),
                },
            };
            let missing = || Failure::wrong(format!("the answer has nothing at {place:?} to save as {name}"));
            scope.variables.insert(name.clone(), found.ok_or_else(missing)?);
        }
        Ok(())
    }

    /// Ends a session that a scenario has left open on a server that goes on without us. Nobody waits for it long, and a
    /// server that does not know it any more is fine.
    pub(super) async fn close(&self, session: &OpenSession) {
        let (step, scope) = (Step::default(), Scope::default());
        let Some(url) = self.stage.urls.get(session.server) else { return };
        let place = Place { step: &step, view: scope.seen_from("", url), session: Some(session), url };
        let Ok(headers) = self.headers(&place, &[], None) else { return };
        let request = RawRequest { method: "DELETE".to_owned(), url: url.clone(), headers, ..RawRequest::default() };
        _ = self.stage.http.exchange(&request, Duration::from_secs(2)).await;
    }
}

const STANDING: [(&str, &str); 2] =
    [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];

fn known<'a>(scope: &'a Scope, name: &str) -> Outcome<&'a OpenSession> {
    scope.sessions.get(name).ok_or_else(|| Failure::broken(format!("no session {name:?} is open")))
}

/// A path on the same server.
fn joined(url: &str, path: &str) -> String {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..].find('/').map_or(url.len(), |at| after_scheme + at);
    format!("{}{path}", &url[..end])
}

/// Everything about an answer that is not as expected.
fn wrong(place: &Place<'_>, asking: &Asking, answer: &RawAnswer) -> Outcome<Vec<Mismatch>> {
    let (expect, view) = (&place.step.expect, place.view);
    let mut wrong = Vec::new();
    let status = expect.status.as_ref().unwrap_or(&asking.status);
    if !status.allows(answer.status) {
        wrong.push(Mismatch::new("status", status.to_string(), answer.status.to_string()));
    }
    for (name, condition) in &expect.headers {
        wrong.extend(judge_text(&format!("header {name}"), &condition.0, answer.header(name), view)?);
    }
    if let Some(condition) = &expect.body {
        wrong.extend(judge_text("body", &condition.0, Some(&answer.body), view)?);
    }
    for (pointer, condition) in &expect.json {
        let actual = answer.json.as_ref().and_then(|json| json.pointer(pointer));
        wrong.extend(judge(&format!("json {pointer}"), &condition.0, actual, view)?);
    }
    wrong.extend(expect.duration.and_then(|bounds| judge_time(bounds, answer.took)));
    if let Some(id) = &asking.id
        && answer.status == 200
    {
        wrong.extend(unlike_an_answer(place.step, asking, answer, id));
    }
    Ok(wrong)
}

/// What no script has to say: an answer to a request is JSON-RPC, of its id, and a result unless an error is asked for.
fn unlike_an_answer(step: &Step, asking: &Asking, answer: &RawAnswer, id: &Value) -> Vec<Mismatch> {
    let Some(json) = &answer.json else {
        return vec![Mismatch::new("body", "a JSON-RPC answer", answer.body.chars().take(200).collect::<String>())];
    };
    let speaks_of = |place: &str| step.expect.json.keys().any(|p| p.starts_with(place) || p.is_empty());
    let mut wrong = Vec::new();
    let at = |pointer: &str| json.pointer(pointer);
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), super::judge::shown);
    if at("/jsonrpc") != Some(&json!("2.0")) && !speaks_of("/jsonrpc") {
        wrong.push(Mismatch::new("json /jsonrpc", "\"2.0\"", shown(at("/jsonrpc"))));
    }
    if at("/id") != Some(id) && !speaks_of("/id") {
        wrong.push(Mismatch::new("json /id", id.to_string(), shown(at("/id"))));
    }
    if !speaks_of("/error") {
        if at("/result").is_none() {
            wrong.push(Mismatch::new("json", "a result", shown(at("/error"))));
        } else if asking.is_tool && at("/result/isError") == Some(&json!(true)) && !speaks_of("/result/isError") {
            wrong.push(Mismatch::new("json /result/isError", "false", shown(at("/result"))));
        }
    }
    wrong
}
