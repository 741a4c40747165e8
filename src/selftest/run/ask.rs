//! A request is sent, its answer judged and remembered.

use serde_json::{Value, json};

use super::failure::{Exchange, Failure, Mismatch, Outcome};
use super::judge::{judge, judge_text, judge_time, shown};
use super::play::{Player, STEP_TIME};
use super::scope::{OpenSession, Scope, View};
use crate::client::{RawAnswer, RawError, RawRequest};
use crate::model::secret::Secrets;
use crate::protocol::header::{PROTOCOL_VERSION, SESSION};
use crate::selftest::script::step::Step;
use crate::selftest::script::template::TemplateError;
use crate::selftest::script::value::StatusRule;

/// Revisions from this one on have the version header.
const FIRST_WITH_VERSION_HEADER: &str = "2025-06-18";

/// A request and what is expected of its answer when the script does not say.
pub(super) struct Asking {
    pub(super) request: RawRequest,
    pub(super) status: StatusRule,
    /// The id of a JSON-RPC request.
    pub(super) id: Option<Value>,
    /// Whether it calls a tool.
    pub(super) is_tool: bool,
}

/// Where a request comes from and goes to.
pub(super) struct AskContext<'a> {
    pub(super) step: &'a Step,
    pub(super) view: View<'a>,
    /// The session that it goes on.
    pub(super) session: Option<&'a OpenSession>,
    pub(super) url: &'a str,
}

impl From<TemplateError> for Box<Failure> {
    fn from(error: TemplateError) -> Self {
        Failure::broken(error.to_string())
    }
}

impl Player<'_> {
    /// The standing headers, those of the session, and the step's own, which replace them; an empty value takes one away.
    pub(super) fn headers(
        &self,
        place: &AskContext<'_>,
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
    pub(super) async fn ask(&self, place: &AskContext<'_>, asking: &Asking) -> Outcome<(RawAnswer, Exchange)> {
        let patience = place.step.timeout.map_or(STEP_TIME, |time| time.0);
        let secrets = &self.stage.secrets;
        match self.stage.http.exchange(&asking.request, patience).await {
            Ok(answer) => {
                let exchange = Exchange::shown(&asking.request, Ok(&answer), secrets);
                let wrong = wrong(place, asking, &answer, secrets)?;
                if wrong.is_empty() { Ok((answer, exchange)) } else { Err(Failure::mismatched(wrong, Some(exchange))) }
            }
            Err(error) => {
                let reason = secrets.hide(&error.to_string()).into_owned();
                let exchange = Some(Exchange::shown(&asking.request, Err(&reason), secrets));
                let failure = match error {
                    RawError::Client(_) => Failure::wrong(reason),
                    _ => Failure::broken(reason),
                };
                Err(Box::new(Failure { exchange, ..*failure }))
            }
        }
    }

    /// Remembers what the step wants remembered.
    pub(super) fn remember(step: &Step, scope: &mut Scope, answer: &RawAnswer) -> Outcome<()> {
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
}

/// Everything about an answer that is not as expected.
fn wrong(place: &AskContext<'_>, asking: &Asking, answer: &RawAnswer, secrets: &Secrets) -> Outcome<Vec<Mismatch>> {
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
        wrong.extend(unlike_an_answer(place.step, asking, (answer, secrets), id));
    }
    Ok(wrong.into_iter().map(|mismatch| mismatch.without(secrets)).collect())
}

/// What no script has to say: an answer to a request is JSON-RPC, of its id, and a result unless an error is asked for.
fn unlike_an_answer(
    step: &Step,
    asking: &Asking,
    (answer, secrets): (&RawAnswer, &Secrets),
    id: &Value,
) -> Vec<Mismatch> {
    let Some(json) = &answer.json else {
        let body: String = secrets.hide(&answer.body).chars().take(200).collect();
        return vec![Mismatch::new("body", "a JSON-RPC answer", body)];
    };
    let speaks_of = |place: &str| step.expect.json.keys().any(|p| p.starts_with(place) || p.is_empty());
    let mut wrong = Vec::new();
    let at = |pointer: &str| json.pointer(pointer);
    let told = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), shown);
    if at("/jsonrpc") != Some(&json!("2.0")) && !speaks_of("/jsonrpc") {
        wrong.push(Mismatch::new("json /jsonrpc", "\"2.0\"", told(at("/jsonrpc"))));
    }
    if at("/id") != Some(id) && !speaks_of("/id") {
        wrong.push(Mismatch::new("json /id", id.to_string(), told(at("/id"))));
    }
    if !speaks_of("/error") {
        if at("/result").is_none() {
            wrong.push(Mismatch::new("json", "a result", told(at("/error"))));
        } else if asking.is_tool && at("/result/isError") == Some(&json!(true)) && !speaks_of("/result/isError") {
            wrong.push(Mismatch::new("json /result/isError", "false", told(at("/result"))));
        }
    }
    wrong
}
