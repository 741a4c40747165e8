//! Steps that are HTTP requests, put together.

use std::time::Duration;

use serde_json::{Value, json};

use super::ask::{AskContext, Asking};
use super::failure::{Failure, Mismatch, Outcome};
use super::play::Player;
use super::scope::{OpenSession, Scope};
use crate::client::RawRequest;
use crate::protocol::header::{ARCHON_SESSION, SESSION};
use crate::protocol::revision::Revision;
use crate::selftest::script::step::{Call, Initialize, Notify, Step};
use crate::selftest::script::value::StatusRule;

/// The client's name where a script gives none.
const CLIENT: &str = "archonctl-selftest";

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
        let place = AskContext { step, view, session: None, url };
        let request = self.post(&place, body.to_string(), Some(id.clone()), token.as_deref())?;
        let asking = Asking { request, status: StatusRule::one(200), id: Some(id), is_tool: false };
        let (answer, exchange) = self.ask(&place, &asking).await?;
        let agreed = answer.json.as_ref().and_then(|json| json.pointer("/result/protocolVersion")?.as_str());
        let Some(agreed) = agreed.filter(|_| answer.status == 200) else {
            // A refusal that the script expects; any other has failed above.
            Self::remember(step, scope, &answer)?;
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
        Self::remember(step, scope, &answer)?;
        scope.sessions.insert(name.to_owned(), session.clone());
        self.opened(session.clone());
        if what.initialized != Some(false) {
            self.initialized(&session, url).await?;
        }
        Ok(())
    }

    async fn initialized(&self, session: &OpenSession, url: &str) -> Outcome<()> {
        let (step, scope) = (Step::default(), Scope::default());
        let place = AskContext { step: &step, view: scope.seen_from("", url), session: Some(session), url };
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
        let place = AskContext { step, view, session, url };
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
        Self::remember(step, scope, &answer)
    }

    /// A notification.
    pub(super) async fn notify(&self, step: &Step, what: &Notify, scope: &mut Scope, name: &str) -> Outcome<()> {
        let url = self.url(step)?;
        let view = scope.seen_from(name, url);
        let place = AskContext { step, view, session: Some(known(scope, name)?), url };
        let mut body = json!({"jsonrpc": "2.0", "method": view.text(&what.method)?});
        if let Some(params) = &what.params {
            body["params"] = Value::Object(view.map(params)?);
        }
        let request = self.post(&place, body.to_string(), None, None)?;
        let asking = Asking { request, status: StatusRule::one(202), id: None, is_tool: false };
        let (answer, _) = self.ask(&place, &asking).await?;
        Self::remember(step, scope, &answer)
    }

    /// DELETE.
    pub(super) async fn delete(&self, step: &Step, scope: &mut Scope, name: &str) -> Outcome<()> {
        let url = self.url(step)?;
        let place = AskContext { step, view: scope.seen_from(name, url), session: Some(known(scope, name)?), url };
        let headers = self.headers(&place, &[], None)?;
        let request = RawRequest { method: "DELETE".to_owned(), url: url.to_owned(), headers, ..RawRequest::default() };
        let asking = Asking { request, status: StatusRule::success(), id: None, is_tool: false };
        let (answer, _) = self.ask(&place, &asking).await?;
        Self::remember(step, scope, &answer)
    }

    fn raw(&self, place: &AskContext<'_>, call: &Call, method: &str, token: Option<&str>) -> Outcome<Asking> {
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
        place: &AskContext<'_>,
        body: String,
        answer_to: Option<Value>,
        token: Option<&str>,
    ) -> Outcome<RawRequest> {
        let headers = self.headers(place, &STANDING, token)?;
        Ok(RawRequest { method: "POST".to_owned(), url: place.url.to_owned(), headers, body, answer_to })
    }

    /// Ends a session that a scenario has left open on a server that goes on without us. Nobody waits for it long, and a
    /// server that does not know it any more is fine.
    pub(super) async fn close(&self, session: &OpenSession) {
        let (step, scope) = (Step::default(), Scope::default());
        let Some(url) = self.stage.urls.get(session.server) else { return };
        let place = AskContext { step: &step, view: scope.seen_from("", url), session: Some(session), url };
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
