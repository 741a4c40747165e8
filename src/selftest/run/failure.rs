//! Why a scenario failed, with all that is needed to see it: the step, what was expected, the exchange.

use serde::Serialize;

use crate::client::{RawAnswer, RawRequest};
use crate::model::mask::MASK;
use crate::model::secret::Secrets;

/// How much of a body is kept for the report, in bytes.
const MAX_BODY: usize = 4 * 1024;
/// Headers whose values are secrets.
const SECRET_HEADERS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];
/// Members of JSON whose values are secrets.
const SECRET_MEMBERS: [&str; 6] = ["password", "token", "secret", "api_key", "apikey", "authorization"];

/// What comes of a step.
pub(super) type Outcome<T> = Result<T, Box<Failure>>;

/// What went wrong in one step.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// Which step: its number, within others where it is, and its title.
    pub step: String,
    /// What went wrong, in a sentence.
    pub message: String,
    /// Expectations that do not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mismatches: Vec<Mismatch>,
    /// The HTTP exchange of the step, secrets masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Exchange>,
    /// The last lines of the server's log, where it is ours to read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// Whether the step could not even run.
    #[serde(skip)]
    pub could_not_run: bool,
}

/// One expectation that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// Of what: `status`, `header …`, `json /…`.
    pub what: String,
    /// What was expected.
    pub expected: String,
    /// What it is.
    pub actual: String,
}

impl Mismatch {
    pub(super) fn new(what: impl Into<String>, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self { what: what.into(), expected: expected.into(), actual: actual.into() }
    }

    /// The same without secrets, which a server may repeat.
    pub(super) fn without(self, secrets: &Secrets) -> Self {
        Self::new(self.what, secrets.hide(&self.expected), secrets.hide(&self.actual))
    }
}

impl Failure {
    /// A step that ran, and whose answer is wrong.
    pub(super) fn wrong(message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            step: String::new(),
            message: message.into(),
            mismatches: Vec::new(),
            exchange: None,
            log: Vec::new(),
            could_not_run: false,
        })
    }

    /// A step that could not run.
    pub(super) fn broken(message: impl Into<String>) -> Box<Self> {
        Box::new(Self { could_not_run: true, ..*Self::wrong(message) })
    }

    /// Expectations that do not hold.
    pub(super) fn mismatched(mismatches: Vec<Mismatch>, exchange: Option<Exchange>) -> Box<Self> {
        let what: Vec<_> = mismatches
            .iter()
            .map(|m| format!("{}: expected {}, got {}", m.what, short(&m.expected), short(&m.actual)))
            .collect();
        Box::new(Self { mismatches, exchange, ..*Self::wrong(what.join("; ")) })
    }
}

/// A text for a line: cut, and without line breaks.
fn short(text: &str) -> String {
    const MAX: usize = 160;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MAX { line } else { line.chars().take(MAX).chain(['…']).collect() }
}

/// One HTTP exchange as it is shown: secrets masked, bodies cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// Method and URL.
    pub request: String,
    /// Headers of the request.
    pub request_headers: Vec<(String, String)>,
    /// Body of the request.
    pub request_body: String,
    /// The status, or what came in place of an answer.
    pub answer: String,
    /// Headers of the answer.
    pub answer_headers: Vec<(String, String)>,
    /// Body of the answer.
    pub answer_body: String,
}

impl Exchange {
    /// What is shown of a request and what came back, or of why nothing did.
    pub(super) fn shown(request: &RawRequest, answer: Result<&RawAnswer, &str>, secrets: &Secrets) -> Self {
        let mask = Mask { secrets };
        let (told, headers, body) = match answer {
            Ok(answer) => {
                let took = humantime::format_duration(std::time::Duration::from_millis(
                    u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX),
                ));
                (format!("{} after {took}", answer.status), mask.headers(&answer.headers), mask.body(&answer.body))
            }
            Err(reason) => (mask.text(reason), Vec::new(), String::new()),
        };
        Self {
            request: format!("{} {}", request.method, mask.url(&request.url)),
            request_headers: mask.headers(&request.headers),
            request_body: mask.body(&request.body),
            answer: told,
            answer_headers: headers,
            answer_body: body,
        }
    }
}

struct Mask<'a> {
    secrets: &'a Secrets,
}

impl Mask<'_> {
    fn text(&self, text: &str) -> String {
        self.secrets.hide(text).into_owned()
    }

    /// User, password and query may each be secret.
    fn url(&self, url: &str) -> String {
        let shown = crate::client::ClientOptions::new(url).map_or_else(|_| url.to_owned(), |options| options.place());
        self.text(&shown)
    }

    fn headers(&self, headers: &[(String, String)]) -> Vec<(String, String)> {
        let one = |(name, value): &(String, String)| {
            let is_secret = SECRET_HEADERS.iter().any(|secret| secret.eq_ignore_ascii_case(name));
            (name.clone(), if is_secret { MASK.to_owned() } else { self.text(value) })
        };
        headers.iter().map(one).collect()
    }

    fn body(&self, body: &str) -> String {
        let mut text = match serde_json::from_str::<serde_json::Value>(body) {
            Ok(mut json) if has_secret(&json) => {
                mask_members(&mut json);
                json.to_string()
            }
            _ => body.to_owned(),
        };
        text = self.text(&text);
        if text.len() > MAX_BODY {
            let cut = text.floor_char_boundary(MAX_BODY);
            let more = text.len() - cut;
            text.truncate(cut);
            text.extend(["… and ", &more.to_string(), " bytes more"]);
        }
        text
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_MEMBERS.iter().any(|secret| name == *secret || name.ends_with(&format!("_{secret}")))
}

fn has_secret(json: &serde_json::Value) -> bool {
    match json {
        serde_json::Value::Object(map) => map.iter().any(|(name, value)| is_secret(name) || has_secret(value)),
        serde_json::Value::Array(list) => list.iter().any(has_secret),
        _ => false,
    }
}

fn mask_members(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(map) => {
            for (name, value) in map {
                if is_secret(name) {
                    *value = MASK.into();
                } else {
                    mask_members(value);
                }
            }
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(mask_members),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let request = RawRequest {
            method: "POST".to_owned(),
            url: "http://me:hunter2@host/mcp?key=hunter2".to_owned(),
            headers: vec![pair("Authorization", "Bearer hunter2"), pair("x-note", "it is t0ken!")],
            body: r#"{"a":[{"password":"hunter2","Reconnect_Token":"hunter2"}],"b":"t0ken"}"#.to_owned(),
            answer_to: None,
        };
        let answer = RawAnswer {
            status: 200,
            headers: vec![pair("set-cookie", "hunter2")],
            body: "é".repeat(3000) + "t0ken",
            ..RawAnswer::default()
        };
        let mut secrets = Secrets::default();
        secrets.add("t0ken");
        let shown = Exchange::shown(&request, Ok(&answer), &secrets);
        let text = serde_json::to_string(&shown).expect("JSON");
        assert!(!text.contains("hunter2") && !text.contains("t0ken"), "{text}");
        assert_eq!(shown.request, "POST http://host/mcp");
        assert!(shown.request_body.contains(r#""b":"[masked]""#), "{text}");
        assert!(shown.answer_body.ends_with("bytes more") && shown.answer_body.len() < MAX_BODY + 40);
        let unanswered = Exchange::shown(&request, Err("t0ken is wrong"), &secrets);
        assert_eq!(unanswered.answer, "[masked] is wrong");
    }
}
