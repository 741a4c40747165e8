//! Tools that answer, wait, fail and break.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::catalog::{Call, ErrorKind, ToolError};
use crate::protocol::tools::ToolAnnotations;
use crate::session::Sessions;
use crate::tools::{NoArguments, READ_ONLY, TypedTool};

pub(super) struct Echo;

#[derive(Deserialize, Serialize, JsonSchema)]
pub(super) struct Text {
    /// Any text.
    text: String,
}

impl TypedTool for Echo {
    const NAME: &'static str = "test_echo";
    const TITLE: &'static str = "Test: echo";
    const DESCRIPTION: &'static str = "Answer with the same text.";
    const ANNOTATIONS: ToolAnnotations = READ_ONLY;
    type Arguments = Text;
    type Output = Text;

    async fn run(&self, text: Text, _: Call<'_>) -> Result<Text, ToolError> {
        Ok(text)
    }
}

pub(super) struct Sleep;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Nap {
    /// How long, in milliseconds.
    ms: u64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Slept {
    /// How long, in milliseconds.
    slept_ms: u64,
}

impl TypedTool for Sleep {
    const NAME: &'static str = "test_sleep";
    const TITLE: &'static str = "Test: sleep";
    const DESCRIPTION: &'static str = "Answer after a while, or with an error as soon as the call is cancelled.";
    const ANNOTATIONS: ToolAnnotations = READ_ONLY;
    type Arguments = Nap;
    type Output = Slept;

    async fn run(&self, nap: Nap, call: Call<'_>) -> Result<Slept, ToolError> {
        tokio::select! {
            biased;
            () = call.cancelled.cancelled() => Err(ToolError::new(ErrorKind::Cancelled, "the call was cancelled")),
            () = tokio::time::sleep(Duration::from_millis(nap.ms)) => Ok(Slept { slept_ms: nap.ms }),
        }
    }
}

pub(super) struct Fail;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Failure {
    /// What the error says.
    message: String,
}

impl TypedTool for Fail {
    const NAME: &'static str = "test_fail";
    const TITLE: &'static str = "Test: fail";
    const DESCRIPTION: &'static str = "Answer with an error.";
    const ANNOTATIONS: ToolAnnotations = READ_ONLY;
    type Arguments = Failure;
    type Output = Slept;

    async fn run(&self, failure: Failure, _: Call<'_>) -> Result<Slept, ToolError> {
        Err(ToolError::new(ErrorKind::UnknownError, failure.message))
    }
}

pub(super) struct Panic;

impl TypedTool for Panic {
    const NAME: &'static str = "test_panic";
    const TITLE: &'static str = "Test: panic";
    const DESCRIPTION: &'static str = "Never answer: the tool panics.";
    const ANNOTATIONS: ToolAnnotations = READ_ONLY;
    type Arguments = NoArguments;
    type Output = Slept;

    async fn run(&self, _: NoArguments, _: Call<'_>) -> Result<Slept, ToolError> {
        panic!("test_panic was called")
    }
}

pub(super) struct Break(pub(super) Arc<Sessions>);

#[derive(Deserialize, JsonSchema)]
pub(super) struct Part {
    /// The name of a task or thread of the server, such as `flush` or `writer thread`.
    part: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Known {
    /// Whether there is a part of that name.
    known: bool,
}

impl TypedTool for Break {
    const NAME: &'static str = "test_break";
    const TITLE: &'static str = "Test: break";
    const DESCRIPTION: &'static str = "Make a task or thread of the server panic at its next turn.";
    const ANNOTATIONS: ToolAnnotations = READ_ONLY;
    type Arguments = Part;
    type Output = Known;

    async fn run(&self, part: Part, _: Call<'_>) -> Result<Known, ToolError> {
        let sessions = &self.0;
        let known = sessions.supervisor().break_task(&part.part) || sessions.store().break_worker(&part.part);
        Ok(Known { known })
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use futures_util::FutureExt;

    use crate::tools::fixture::Fixture;

    #[tokio::test]
    async fn each_does_what_it_says() {
        let f = Fixture::new().await;
        let text = "a\u{0}\u{1F600}\"";
        let echo = serde_json::json!({ "text": text });
        assert_eq!(f.call("test_echo", &echo.to_string()).await.expect("echoes"), echo);
        assert_eq!(f.call("test_sleep", r#"{"ms": 0}"#).await.expect("wakes")["slept_ms"], 0);
        let error = f.call("test_fail", r#"{"message": "no"}"#).await.expect_err("fails");
        assert_eq!((&error["type"], &error["message"]), (&"unknown_error".into(), &"no".into()));
        let caught = AssertUnwindSafe(f.call("test_panic", "{}")).catch_unwind().await;
        assert!(caught.is_err(), "panics");
    }

    #[tokio::test]
    async fn sleep_ends_when_cancelled() {
        let f = Fixture::new().await;
        let mut sleeping = Box::pin(f.call("test_sleep", r#"{"ms": 18446744073709551615}"#));
        assert!((&mut sleeping).now_or_never().is_none());
        f.cancelled.cancel();
        assert_eq!(sleeping.await.expect_err("cancelled")["type"], "cancelled");
    }
}
