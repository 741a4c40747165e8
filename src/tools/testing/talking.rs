//! Tools that speak before they answer, and one that answers in every kind of content.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::catalog::{
    Call, Content, Contents as Embedded, Declined, Entry, ErrorKind, Tool, ToolError, ToolOutput, ToolResult,
};
use crate::protocol::level::Level;
use crate::protocol::tools::ToolAnnotations;
use crate::tools::{NoArguments, READ_ONLY, TypedTool};

/// The smallest image: one transparent pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// A sound without samples.
const SILENCE: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

pub(super) struct Progress;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Steps {
    /// How many.
    steps: u32,
    /// The pause after each, in milliseconds; none if absent.
    pause_ms: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Done {
    /// How many steps were done.
    steps: u32,
}

impl TypedTool for Progress {
    const NAME: &'static str = "test_progress";
    const TITLE: &'static str = "Test: progress";
    const DESCRIPTION: &'static str = "Report progress after each of some steps, then answer.";
    const ANNOTATIONS: ToolAnnotations = READ_ONLY;
    type Arguments = Steps;
    type Output = Done;

    async fn run(&self, asked: Steps, call: Call<'_>) -> Result<Done, ToolError> {
        for step in 1..=asked.steps {
            call.progress(f64::from(step), Some(f64::from(asked.steps)), Some(&format!("step {step}")));
            if let Some(pause) = asked.pause_ms {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        }
        Ok(Done { steps: asked.steps })
    }
}

pub(super) struct Log;

#[derive(Serialize, JsonSchema)]
pub(super) struct Logged {
    /// How many messages were sent, of all levels.
    messages: usize,
}

impl TypedTool for Log {
    const NAME: &'static str = "test_log";
    const TITLE: &'static str = "Test: log";
    const DESCRIPTION: &'static str = "Send one log message of each level, then answer.";
    const ANNOTATIONS: ToolAnnotations = READ_ONLY;
    type Arguments = NoArguments;
    type Output = Logged;

    async fn run(&self, _: NoArguments, call: Call<'_>) -> Result<Logged, ToolError> {
        for level in Level::ALL {
            call.log(level, "test_log", &json!({ "said": level.as_str() }));
        }
        Ok(Logged { messages: Level::ALL.len() })
    }
}

pub(super) struct Ask;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Question {
    /// What to ask for: `elicitation`, `sampling` or `roots`.
    what: String,
    /// The words of the question.
    message: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Answered {
    /// What the client answered.
    answer: Value,
}

impl Question {
    fn method_and_params(&self) -> Result<(&'static str, Value), ToolError> {
        let message = self.message.as_deref().unwrap_or("Your name?");
        match self.what.as_str() {
            "elicitation" => Ok((
                "elicitation/create",
                json!({
                    "message": message,
                    "requestedSchema": {
                        "type": "object",
                        "properties": { "name": { "type": "string", "default": "nobody" } },
                        "required": ["name"],
                    },
                }),
            )),
            "sampling" => Ok((
                "sampling/createMessage",
                json!({
                    "messages": [{ "role": "user", "content": { "type": "text", "text": message } }],
                    "maxTokens": 100,
                }),
            )),
            "roots" => Ok(("roots/list", json!({}))),
            _ => Err(ToolError::validation("\"what\" must be elicitation, sampling or roots")),
        }
    }
}

impl TypedTool for Ask {
    const NAME: &'static str = "test_ask";
    const TITLE: &'static str = "Test: ask";
    const DESCRIPTION: &'static str = "Ask the client something, and answer with its answer.";
    const ANNOTATIONS: ToolAnnotations = READ_ONLY;
    type Arguments = Question;
    type Output = Answered;

    async fn run(&self, question: Question, call: Call<'_>) -> Result<Answered, ToolError> {
        let (method, params) = question.method_and_params()?;
        let answer = call.ask(method, &params).await.map_err(|declined| failed(&declined))?;
        let answer = serde_json::from_str(answer.get());
        Ok(Answered { answer: answer.map_err(|error| ToolError::validation(error.to_string()))? })
    }
}

fn failed(declined: &Declined) -> ToolError {
    let kind = if matches!(declined, Declined::Cancelled) { ErrorKind::Cancelled } else { ErrorKind::ConnectionError };
    ToolError::new(kind, declined.to_string())
}

pub(super) struct Contents;

impl Tool for Contents {
    fn entry(&self) -> Entry {
        let name = "test_contents";
        let description = json!({
            "name": name,
            "title": "Test: contents",
            "description": "Answer with a text, an image, a sound, a link and a resource.",
            "inputSchema": { "type": "object", "properties": {}, "additionalProperties": false },
            "annotations": READ_ONLY,
        });
        Entry::named(name, &description)
    }

    fn call<'a>(&'a self, _: Call<'a>) -> BoxFuture<'a, ToolResult> {
        let page = Embedded::text("test://page", Some("text/plain"), "a page");
        let contents = vec![
            Content::text("a text"),
            Content::image(PIXEL, "image/png"),
            Content::audio(SILENCE, "audio/wav"),
            Content::link("test://page", "page", Some("text/plain")),
            Content::embedded(&page),
        ];
        std::future::ready(Ok(ToolOutput::parts(contents))).boxed()
    }
}
