//! How a tool fails: the original's error shape, now with `isError: true` around it.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::store::StoreError;
use crate::store::projects::ChangeError;

/// The one-line message of a request row is cut to this number of characters.
const SUMMARY: usize = 300;

/// A failure that the caller can read and act on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {message}", kind.as_str())]
pub struct ToolError {
    kind: ErrorKind,
    message: Cow<'static, str>,
    /// The same without what the caller sent, where the message is not the same for all.
    plain: Option<Cow<'static, str>>,
    details: Option<Value>,
    suggestion: Option<Cow<'static, str>>,
}

/// The `type` of an error: the original's words, and one of ours (`cancelled`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The arguments do not fit.
    ValidationError,
    /// What the call names is not there.
    NotFound,
    /// No such `action`.
    InvalidAction,
    /// The tool's own answer is unusable.
    InvalidResponse,
    /// It ran too long.
    Timeout,
    /// What the tool needs does not answer now; later it may.
    ConnectionError,
    /// The caller called it off.
    Cancelled,
    /// Anything else.
    UnknownError,
}

impl ErrorKind {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ValidationError => "validation_error",
            Self::NotFound => "not_found",
            Self::InvalidAction => "invalid_action",
            Self::InvalidResponse => "invalid_response",
            Self::Timeout => "timeout",
            Self::ConnectionError => "connection_error",
            Self::Cancelled => "cancelled",
            Self::UnknownError => "unknown_error",
        }
    }
}

/// `{"success": false, "error": {…}}`.
#[derive(Serialize)]
struct Body<'a> {
    success: bool,
    error: ErrorShape<'a>,
}

/// What went wrong.
#[derive(Serialize, JsonSchema)]
pub struct ErrorShape<'a> {
    /// A stable word for programs.
    #[serde(rename = "type")]
    #[schemars(with = "String")]
    kind: ErrorKind,
    /// One sentence for a reader.
    message: &'a str,
    /// What a program can act on.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Value>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<&'a str>,
}

impl ToolError {
    /// An error of some kind, with one sentence for a reader.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), plain: None, details: None, suggestion: None }
    }

    /// The arguments do not fit.
    pub fn validation(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::ValidationError, message)
    }

    /// The same error with the way out.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<Cow<'static, str>>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// The same error, for which this stands where no words of a call are kept: what happened, without what was sent.
    #[must_use]
    pub fn in_short(mut self, plain: impl Into<Cow<'static, str>>) -> Self {
        self.plain = Some(plain.into());
        self
    }

    /// The same error with facts for a program.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// The same error with one more fact.
    #[must_use]
    pub fn with_detail(mut self, name: &'static str, value: String) -> Self {
        let details = self.details.get_or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Value::Object(facts) = details {
            facts.insert(name.to_owned(), Value::String(value));
        }
        self
    }

    /// Which kind it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the caller gets: `{"success": false, "error": {"type", "message", "details"?, "suggestion"?}}`.
    pub fn body(&self) -> Box<RawValue> {
        let error = ErrorShape {
            kind: self.kind,
            message: &self.message,
            details: self.details.as_ref(),
            suggestion: self.suggestion.as_deref(),
        };
        // Texts and a JSON value: writing them to memory cannot fail.
        to_raw_value(&Body { success: false, error }).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }

    /// One line: kind and message.
    pub fn summary(&self) -> String {
        one_line(&self.to_string())
    }

    /// The same without what the caller sent, for rows where no words are kept. A message that was put together for this call
    /// may hold a value of its arguments, and is left out unless a plain one is there.
    pub fn plain_summary(&self) -> String {
        match (&self.plain, &self.message) {
            (Some(plain), _) | (None, plain @ Cow::Borrowed(_)) => {
                one_line(&format!("{}: {plain}", self.kind.as_str()))
            }
            (None, Cow::Owned(_)) => self.kind.as_str().to_owned(),
        }
    }
}

fn one_line(text: &str) -> String {
    text.chars().take(SUMMARY).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What the database or the system says is for the log: it names tables, files and hosts, which are no client's business.
impl From<StoreError> for ToolError {
    fn from(error: StoreError) -> Self {
        tracing::debug!(%error, "a tool met a database that does not do what it asks for");
        let later =
            |message: &'static str| Self::new(ErrorKind::ConnectionError, message).suggest("Try again in a moment.");
        match error {
            StoreError::Unavailable(_) | StoreError::Contended(_) => later("the database does not answer now"),
            StoreError::Held(_) => later("another transaction in the database holds what this needs"),
            StoreError::Data(_) => Self::validation("the database refuses the data")
                .suggest("Change the values; the server's log says more at its level debug."),
        }
    }
}

impl From<ChangeError> for ToolError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Unchanged(error @ StoreError::Unavailable(_)) => {
                let told = Self::from(error);
                Self { message: "the database does not answer now; nothing was changed".into(), ..told }
            }
            ChangeError::Unchanged(refused) => refused.into(),
            ChangeError::InDoubt(error) => {
                tracing::debug!(%error, "a change that may have been made");
                let message = "the database does not say whether the change was made: it may have been";
                Self::new(ErrorKind::ConnectionError, message)
                    .with_details(serde_json::json!({ "in_doubt": true }))
                    .suggest("Look with find_projects first; repeat the call only if the change is not there.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_shape_of_the_original() {
        let error = ToolError::new(ErrorKind::NotFound, "Project x not found");
        let body = r#"{"success":false,"error":{"type":"not_found","message":"Project x not found"}}"#;
        assert_eq!(error.body().get(), body);
        let full: Value =
            serde_json::from_str(error.suggest("Look.").with_details(serde_json::json!({"id": "x"})).body().get())
                .expect("json");
        assert_eq!(full["error"]["suggestion"], "Look.");
        assert_eq!(full["error"]["details"]["id"], "x");
    }

    #[test]
    fn the_word_and_the_wire_agree() {
        for kind in [ErrorKind::ValidationError, ErrorKind::InvalidResponse, ErrorKind::Cancelled] {
            assert_eq!(serde_json::to_value(kind).expect("json"), kind.as_str());
        }
    }

    #[test]
    fn what_may_have_been_made_is_not_called_failed() {
        let gone = || StoreError::unavailable("gone");
        let in_doubt = ToolError::from(ChangeError::InDoubt(gone()));
        assert!(in_doubt.message().contains("may have been"), "{in_doubt:?}");
        assert!(in_doubt.suggestion.as_deref().is_some_and(|text| text.starts_with("Look with find_projects first")));
        assert_eq!(in_doubt.details.as_ref().map(|details| &details["in_doubt"]), Some(&Value::Bool(true)));
        let unchanged = ToolError::from(ChangeError::Unchanged(gone()));
        assert!(unchanged.message().ends_with("nothing was changed"), "{unchanged:?}");
    }

    #[test]
    fn what_the_database_says_is_no_clients_business() {
        let secret = || StoreError::unavailable("no such table: /srv/archon.db of root@db1").reason().clone();
        let errors = [
            ToolError::from(StoreError::Unavailable(secret())),
            ToolError::from(StoreError::Data(secret())),
            ToolError::from(StoreError::Contended(secret())),
            ToolError::from(StoreError::Held(secret())),
            ToolError::from(ChangeError::Unchanged(StoreError::Unavailable(secret()))),
            ToolError::from(ChangeError::Unchanged(StoreError::Data(secret()))),
            ToolError::from(ChangeError::InDoubt(StoreError::Unavailable(secret()))),
        ];
        for error in errors {
            let told = format!("{}{}", error.body().get(), error.summary());
            assert!(!told.contains("root") && !told.contains("table") && told.contains("suggestion"), "{told}");
        }
    }

    #[test]
    fn a_plain_summary_holds_nothing_that_was_sent() {
        let sent = |error: ToolError| error.plain_summary();
        assert_eq!(sent(ToolError::validation("title is empty")), "validation_error: title is empty");
        assert_eq!(sent(ToolError::validation(format!("{:?} is no title", "hunter2"))), "validation_error");
        let told = ToolError::validation(format!("{:?} is no title", "hunter2")).in_short("it is no title");
        assert_eq!(told.plain_summary(), "validation_error: it is no title");
        assert!(told.summary().contains("hunter2"));
    }

    #[test]
    fn the_summary_is_one_short_line() {
        let error = ToolError::validation(format!("a\nb\0{}", "x".repeat(1000)));
        assert!(error.summary().starts_with("validation_error: a b x"));
        assert_eq!(error.summary().chars().count(), SUMMARY);
    }
}
